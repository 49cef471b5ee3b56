// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>

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

int virtqueue_find_rings(struct virtqueue *q, const struct memory *mem)
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
	if (virtqueue_find_rings(q, mem))
		return -1;
	q->avail_index = 0;
	q->used_index = 0;
	q->ready = true;
	return 0;
}

/* Returns how it goes on, as flags of the descriptor at @index, or -1. */
static int add_descriptor(const struct virtqueue *q, const struct memory *mem,
			  uint32_t *index, struct virtqueue_chain *chain)
{
	const struct vring_desc *at = &q->desc[*index];
	struct vring_desc desc;
	unsigned int flags;
	void *data;

	__atomic_load(&at->addr, &desc.addr, __ATOMIC_RELAXED);
	__atomic_load(&at->len, &desc.len, __ATOMIC_RELAXED);
	__atomic_load(&at->flags, &desc.flags, __ATOMIC_RELAXED);
	__atomic_load(&at->next, &desc.next, __ATOMIC_RELAXED);
	flags = le16toh(desc.flags);
	data = memory_at(mem, le64toh(desc.addr), le32toh(desc.len));
	if (!data || (flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE)))
		return -1;
	/* What the device reads comes before what it writes. */
	if (chain->writable && !(flags & VRING_DESC_F_WRITE))
		return -1;
	chain->buffer[chain->readable + chain->writable] =
		(struct iovec) { .iov_base = data, .iov_len = le32toh(desc.len) };
	if (flags & VRING_DESC_F_WRITE)
		chain->writable++;
	else
		chain->readable++;
	*index = le16toh(desc.next);
	return flags;
}

/*
 * Each descriptor is copied before it is checked, since the guest may change
 * it meanwhile. A chain longer than the queue can only be a loop.
 */
static int walk_chain(const struct virtqueue *q, const struct memory *mem,
		      struct virtqueue_chain *chain)
{
	uint32_t index = chain->head;
	unsigned int steps;

	chain->readable = 0;
	chain->writable = 0;
	for (steps = 0; steps < q->size && index < q->size; steps++) {
		int flags = add_descriptor(q, mem, &index, chain);

		if (flags < 0)
			return -1;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
	}
	return -1;
}

int virtqueue_pop(struct virtqueue *q, const struct memory *mem,
		  struct virtqueue_chain *chain)
{
	uint16_t end, *entry;

	if (!q->ready)
		return 0;
	/* Pairs with the guest's barrier between ring entry and index. */
	end = le16toh(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE));
	if (end == q->avail_index)
		return 0;
	entry = &q->avail->ring[q->avail_index % q->size];
	chain->head = le16toh(__atomic_load_n(entry, __ATOMIC_RELAXED));
	if ((uint16_t)(end - q->avail_index) > q->size || walk_chain(q, mem, chain))
		return -1;
	q->avail_index++;
	return 1;
}

/* The guest may look at the entry as soon as it sees the new index. */
void virtqueue_push(struct virtqueue *q, const struct virtqueue_chain *chain, uint32_t written)
{
	struct vring_used_elem *used = &q->used->ring[q->used_index % q->size];

	used->id = htole32(chain->head);
	used->len = htole32(written);
	q->used_index++;
	__atomic_store_n(&q->used->idx, htole16(q->used_index), __ATOMIC_RELEASE);
}

/* The guest sets the flag, looks at the index; here the other way round. */
bool virtqueue_wants_interrupt(const struct virtqueue *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(le16toh(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED)) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

int virtqueue_drain(struct virtqueue *q, const struct memory *mem,
		    virtqueue_consume_fn consume, void *opaque)
{
	struct virtqueue_chain chain;
	bool any = false;
	unsigned int i;
	int ret;

	while ((ret = virtqueue_pop(q, mem, &chain)) > 0 && !chain.writable) {
		for (i = 0; i < chain.readable; i++)
			consume(opaque, chain.buffer[i].iov_base, chain.buffer[i].iov_len);
		virtqueue_push(q, &chain, 0);
		any = true;
	}
	if (!ret)
		return any && virtqueue_wants_interrupt(q);
	q->ready = false;
	return -1;
}
