// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"
#include "virtqueue.h"

/* Pointers are this process's own. */
struct saved_queue {
	uint64_t desc_ipa;
	uint64_t avail_ipa;
	uint64_t used_ipa;
	uint32_t size;
	uint16_t avail_index;
	uint16_t used_index;
	uint64_t ready;
};

void virtqueue_save(const struct virtqueue *q, struct state *state)
{
	const struct saved_queue saved = {
		.desc_ipa = q->desc_ipa,
		.avail_ipa = q->avail_ipa,
		.used_ipa = q->used_ipa,
		.size = q->size,
		.avail_index = q->avail_index,
		.used_index = q->used_index,
		.ready = q->ready,
	};

	state_put(state, &saved, sizeof(saved));
}

int virtqueue_restore(struct virtqueue *q, const struct memory *mem, struct state *state)
{
	struct saved_queue saved;

	state_get(state, &saved, sizeof(saved));
	*q = (struct virtqueue) {
		.size = saved.size,
		.ready = saved.ready,
		.desc_ipa = saved.desc_ipa,
		.avail_ipa = saved.avail_ipa,
		.used_ipa = saved.used_ipa,
		.avail_index = saved.avail_index,
		.used_index = saved.used_index,
	};
	return q->ready ? virtqueue_find_rings(q, mem) : 0;
}
