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
#include <sys/uio.h>

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

/**
 * struct virtqueue_chain - one request of the guest, in buffers in its memory
 * @head:	its name
 * @readable:	so many buffers that the device reads,
 * @writable:	and behind them so many that it writes
 * @buffer:	all of them; what they hold may change at any time
 */
struct virtqueue_chain {
	uint16_t head;
	unsigned int readable;
	unsigned int writable;
	struct iovec buffer[VIRTQUEUE_SIZE_MAX];
};

typedef void (*virtqueue_consume_fn)(void *opaque, const void *data, size_t size);

void virtqueue_reset(struct virtqueue *q);
/* Returns -1 if size or addresses are not usable. */
int virtqueue_enable(struct virtqueue *q, const struct memory *mem);
/*
 * Takes the next chain that the guest has made available. Returns 1, 0 if there is
 * none, or -1 if the guest broke the rules: the queue is then not to be used any more.
 */
int virtqueue_pop(struct virtqueue *q, const struct memory *mem,
		  struct virtqueue_chain *chain);
/* Gives it back, with @written bytes written to it; in any order. */
void virtqueue_push(struct virtqueue *q, const struct virtqueue_chain *chain,
		    uint32_t written);
bool virtqueue_wants_interrupt(const struct virtqueue *q);
/*
 * Hands all that the guest has made available to @consume, and marks it used.
 * Returns 1 if the guest wants an interrupt for it, 0 if not, -1 if the guest
 * broke the rules: the queue is then no longer usable. A buffer to be written breaks
 * them, too.
 */
int virtqueue_drain(struct virtqueue *q, const struct memory *mem,
		    virtqueue_consume_fn consume, void *opaque);

/* Where they are in our memory; -1 if they are nowhere. */
int virtqueue_find_rings(struct virtqueue *q, const struct memory *mem);

struct state;

/*
 * virtqueue_state.c: into the records of a saved VM and back; -1 if it cannot be where
 * it says.
 */
void virtqueue_save(const struct virtqueue *q, struct state *state);
int virtqueue_restore(struct virtqueue *q, const struct memory *mem, struct state *state);

#endif /* APFVM_VIRTQUEUE_H */
