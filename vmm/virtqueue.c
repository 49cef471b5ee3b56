// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>

#include "state.h"
#include "virtqueue.h"

void virtqueue_reset(struct virtqueue *q)
{
	*q = (struct virtqueue) { .size = 0 };
}

static void *ring_at(const struct memory *mem, uint64_t ipa, uint64_t size,
		     uint64_t alignment)
{
	return ipa % alignment ? NULL : memory_at(mem, ipa, size);
}

static int find_rings(struct virtqueue *q, const struct memory *mem)
{
	uint64_t n = q->size;

	if (!n || n > VIRTQUEUE_SIZE_MAX || (n & (n - 1)))
		return -1;
	q->desc = ring_at(mem, q->desc_ipa, n * sizeof(*q->desc), 16);
	q->avail = ring_at(mem, q->avail_ipa,
			   sizeof(*q->avail) + n * sizeof(q->avail->ring[0]), 2);
	q->used = ring_at(mem, q->used_ipa,
			  sizeof(*q->used) + n * sizeof(q->used->ring[0]), 4);
	return q->desc && q->avail && q->used ? 0 : -1;
}

int virtqueue_enable(struct virtqueue *q, const struct memory *mem)
{
	if (find_rings(q, mem))
		return -1;
	q->avail_index = 0;
	q->used_index = 0;
	q->ready = true;
	return 0;
}

/*
 * Each descriptor is copied before it is checked, since the guest may change
 * it meanwhile. A chain longer than the queue can only be a loop.
 */
static int consume_chain(const struct virtqueue *q, const struct memory *mem,
			 unsigned int index, virtqueue_consume_fn consume, void *opaque)
{
	unsigned int steps;

	for (steps = 0; steps < q->size && index < q->size; steps++) {
		struct vring_desc desc;
		const void *data;

		__atomic_load(&q->desc[index].addr, &desc.addr, __ATOMIC_RELAXED);
		__atomic_load(&q->desc[index].len, &desc.len, __ATOMIC_RELAXED);
		__atomic_load(&q->desc[index].flags, &desc.flags, __ATOMIC_RELAXED);
		__atomic_load(&q->desc[index].next, &desc.next, __ATOMIC_RELAXED);
		data = memory_at(mem, le64toh(desc.addr), le32toh(desc.len));
		if (!data || (le16toh(desc.flags) & ~VRING_DESC_F_NEXT))
			return -1;
		consume(opaque, data, le32toh(desc.len));
		if (!(le16toh(desc.flags) & VRING_DESC_F_NEXT))
			return 0;
		index = le16toh(desc.next);
	}
	return -1;
}

/* The guest may look at the entry as soon as it sees the new index. */
static void mark_used(struct virtqueue *q, uint16_t head)
{
	struct vring_used_elem *used = &q->used->ring[q->used_index % q->size];

	used->id = htole32(head);
	used->len = 0;
	q->used_index++;
	__atomic_store_n(&q->used->idx, htole16(q->used_index), __ATOMIC_RELEASE);
}

int virtqueue_drain(struct virtqueue *q, const struct memory *mem,
		    virtqueue_consume_fn consume, void *opaque)
{
	uint16_t end, flags, head;

	if (!q->ready)
		return 0;
	/* Pairs with the guest's barrier between ring entry and index. */
	end = le16toh(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE));
	if (end == q->avail_index)
		return 0;
	if ((uint16_t)(end - q->avail_index) > q->size)
		goto broken;
	while (q->avail_index != end) {
		uint16_t *entry = &q->avail->ring[q->avail_index++ % q->size];

		head = le16toh(__atomic_load_n(entry, __ATOMIC_RELAXED));
		if (consume_chain(q, mem, head, consume, opaque))
			goto broken;
		mark_used(q, head);
	}
	/* The guest sets the flag, looks at the index; here the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = le16toh(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED));
	return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
broken:
	q->ready = false;
	return -1;
}

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
	return q->ready ? find_rings(q, mem) : 0;
}
