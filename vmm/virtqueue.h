/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a split virtqueue (virtio 1.2, section 2.7). Nothing
 * the guest writes is believed: addresses are checked, loops are bounded.
 */
#ifndef APFVM_VIRTQUEUE_H
#define APFVM_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

#define VIRTQUEUE_SIZE_MAX	64

/* IPAs of the three rings as the guest wrote them; valid once @ready. */
struct virtqueue {
	uint32_t size;
	bool ready;
	uint64_t desc_ipa;
	uint64_t avail_ipa;
	uint64_t used_ipa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t avail_index;
	uint16_t used_index;
};

typedef void (*virtqueue_consume_fn)(void *opaque, const void *data, size_t size);

void virtqueue_reset(struct virtqueue *q);
/* Returns -1 if size or addresses are not usable. */
int virtqueue_enable(struct virtqueue *q, const struct memory *mem);
/*
 * Hands all that the guest has made available to @consume, and marks it used.
 * Returns 1 if the guest wants an interrupt for it, 0 if not, -1 if the guest
 * broke the rules: the queue is then no longer usable.
 */
int virtqueue_drain(struct virtqueue *q, const struct memory *mem,
		    virtqueue_consume_fn consume, void *opaque);

/* Into the records of a saved VM and back; -1 if it cannot be where it says. */
void virtqueue_save(const struct virtqueue *q, struct state *state);
int virtqueue_restore(struct virtqueue *q, const struct memory *mem, struct state *state);

#endif /* APFVM_VIRTQUEUE_H */
