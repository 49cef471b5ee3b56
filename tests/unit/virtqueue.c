// SPDX-License-Identifier: GPL-2.0-only
/* The device's side of a virtqueue, of a guest that may be hostile. */

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "util.h"
#include "virtqueue.h"

#define MEMORY		65536
#define SIZE		8
#define DESC		0
#define AVAIL		0x1000
#define USED		0x2000
#define DATA		0x4000

struct fixture {
	struct memory mem;
	struct virtqueue q;
	struct virtqueue_chain chain;
};

static struct vring_desc *desc(const struct fixture *f, unsigned int i)
{
	return (struct vring_desc *)(f->mem.host + DESC) + i;
}

static struct vring_avail *avail(const struct fixture *f)
{
	return (struct vring_avail *)(f->mem.host + AVAIL);
}

static const struct vring_used *used(const struct fixture *f)
{
	return (const struct vring_used *)(f->mem.host + USED);
}

static char *data(const struct fixture *f, size_t offset)
{
	return f->mem.host + DATA + offset;
}

static void start(struct fixture *f)
{
	*f = (struct fixture) { .mem.size = MEMORY };
	/* Of the size that it is said to have: a byte beyond it is found. */
	f->mem.host = calloc(1, MEMORY);
	assert_non_null(f->mem.host);
	f->q.size = SIZE;
	f->q.desc_ipa = MEMORY_BASE + DESC;
	f->q.avail_ipa = MEMORY_BASE + AVAIL;
	f->q.used_ipa = MEMORY_BASE + USED;
	assert_int_equal(virtqueue_enable(&f->q, &f->mem), 0);
}

static void finish(struct fixture *f)
{
	free(f->mem.host);
}

static void set_desc(struct fixture *f, unsigned int i, uint64_t at, uint32_t len,
		     unsigned int flags, unsigned int next)
{
	*desc(f, i) = (struct vring_desc) {
		.addr = htole64(MEMORY_BASE + at), .len = htole32(len),
		.flags = htole16(flags), .next = htole16(next),
	};
}

static void make_available(struct fixture *f, unsigned int head)
{
	uint16_t index = le16toh(avail(f)->idx);

	avail(f)->ring[index % SIZE] = htole16(head);
	avail(f)->idx = htole16(index + 1);
}

static int pop(struct fixture *f)
{
	return virtqueue_pop(&f->q, &f->mem, &f->chain);
}

static void chains_come_as_they_were_made(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(pop(&f), 0);
	set_desc(&f, 5, DATA, 16, VRING_DESC_F_NEXT, 2);
	set_desc(&f, 2, DATA + 16, 100, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 7);
	set_desc(&f, 7, DATA + 116, 1, VRING_DESC_F_WRITE, 0);
	make_available(&f, 5);
	assert_int_equal(pop(&f), 1);
	assert_int_equal(f.chain.head, 5);
	assert_int_equal(f.chain.readable, 1);
	assert_int_equal(f.chain.writable, 2);
	assert_ptr_equal(f.chain.buffer[1].iov_base, data(&f, 16));
	assert_int_equal(f.chain.buffer[1].iov_len, 100);
	assert_int_equal(pop(&f), 0);
	virtqueue_push(&f.q, &f.chain, 101);
	assert_int_equal(le16toh(used(&f)->idx), 1);
	assert_int_equal(le32toh(used(&f)->ring[0].id), 5);
	assert_int_equal(le32toh(used(&f)->ring[0].len), 101);
	finish(&f);
}

/* More requests than there are entries, one after the other. */
static void the_rings_go_round(void **state)
{
	struct fixture f;
	unsigned int i;

	(void)state;
	start(&f);
	for (i = 0; i < 70000; i++) {
		set_desc(&f, i % SIZE, DATA, i + 1, 0, 0);
		make_available(&f, i % SIZE);
		assert_int_equal(pop(&f), 1);
		virtqueue_push(&f.q, &f.chain, i);
		assert_int_equal(le16toh(used(&f)->idx), (uint16_t)(i + 1));
		assert_int_equal(le32toh(used(&f)->ring[i % SIZE].len), i);
		if (i + 1 == MEMORY - DATA)
			break;
	}
	finish(&f);
}

static void a_full_queue_in_one_chain_is_a_chain(void **state)
{
	struct fixture f;
	unsigned int i;

	(void)state;
	start(&f);
	for (i = 0; i < SIZE; i++)
		set_desc(&f, i, DATA, 1, i + 1 < SIZE ? VRING_DESC_F_NEXT : 0, i + 1);
	make_available(&f, 0);
	assert_int_equal(pop(&f), 1);
	assert_int_equal(f.chain.readable, SIZE);
	finish(&f);
}

/* Each is one descriptor, the first of a chain whose second is a good one. */
static const struct {
	const char *what;
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
} hostile[] = {
	{ "a loop of one",          DATA, 1, VRING_DESC_F_NEXT, 0 },
	{ "next beyond the queue",  DATA, 1, VRING_DESC_F_NEXT, SIZE },
	{ "next far beyond it",     DATA, 1, VRING_DESC_F_NEXT, 0xffff },
	{ "indirect, not offered",  DATA, 16, VRING_DESC_F_INDIRECT, 0 },
	{ "a flag that is none",    DATA, 1, 0x8000, 0 },
	{ "write, then read",       DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1 },
	{ "behind memory",          MEMORY, 1, 0, 0 },
	{ "over its end",           MEMORY - 1, 2, 0, 0 },
	{ "longer than memory",     0, UINT32_MAX, 0, 0 },
	{ "before memory",          -UINT64_C(1), 1, 0, 0 },
	{ "round the address space", UINT64_MAX - MEMORY_BASE, 2, 0, 0 },
};

static void a_hostile_chain_is_refused(void **state)
{
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		start(&f);
		set_desc(&f, 0, hostile[i].at, hostile[i].len, hostile[i].flags,
			 hostile[i].next);
		set_desc(&f, 1, DATA, 1, 0, 0);
		make_available(&f, 0);
		if (pop(&f) != -1)
			fail_msg("%s is taken", hostile[i].what);
		finish(&f);
	}
}

static void a_hostile_ring_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	make_available(&f, SIZE);
	assert_int_equal(pop(&f), -1);
	finish(&f);
	start(&f);
	set_desc(&f, 0, DATA, 1, 0, 0);
	avail(&f)->idx = htole16(SIZE + 1);
	assert_int_equal(pop(&f), -1);
	finish(&f);
}

static void a_queue_must_fit_into_memory(void **state)
{
	static const uint32_t sizes[] = { 0, 3, VIRTQUEUE_SIZE_MAX * 2, 0x80000000, UINT32_MAX };
	struct virtqueue q;
	struct fixture f;
	size_t i;

	(void)state;
	start(&f);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		q = f.q;
		q.size = sizes[i];
		assert_int_equal(virtqueue_enable(&q, &f.mem), -1);
	}
	q = f.q;
	q.desc_ipa += 8;
	assert_int_equal(virtqueue_enable(&q, &f.mem), -1);
	q = f.q;
	q.used_ipa = MEMORY_BASE + MEMORY - 4;
	assert_int_equal(virtqueue_enable(&q, &f.mem), -1);
	finish(&f);
}

static void count_bytes(void *opaque, const void *bytes, size_t size)
{
	(void)bytes;
	*(size_t *)opaque += size;
}

static void what_only_consumes_takes_no_place_to_write(void **state)
{
	size_t bytes = 0;
	struct fixture f;

	(void)state;
	start(&f);
	set_desc(&f, 0, DATA, 7, 0, 0);
	make_available(&f, 0);
	assert_int_equal(virtqueue_drain(&f.q, &f.mem, count_bytes, &bytes), 1);
	assert_int_equal(bytes, 7);
	avail(&f)->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	make_available(&f, 0);
	assert_int_equal(virtqueue_drain(&f.q, &f.mem, count_bytes, &bytes), 0);
	set_desc(&f, 0, DATA, 7, VRING_DESC_F_WRITE, 0);
	make_available(&f, 0);
	assert_int_equal(virtqueue_drain(&f.q, &f.mem, count_bytes, &bytes), -1);
	assert_int_equal(bytes, 14);
	assert_false(f.q.ready);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_come_as_they_were_made),
		cmocka_unit_test(the_rings_go_round),
		cmocka_unit_test(a_full_queue_in_one_chain_is_a_chain),
		cmocka_unit_test(a_hostile_chain_is_refused),
		cmocka_unit_test(a_hostile_ring_is_refused),
		cmocka_unit_test(a_queue_must_fit_into_memory),
		cmocka_unit_test(what_only_consumes_takes_no_place_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
