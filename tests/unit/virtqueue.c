// SPDX-License-Identifier: GPL-2.0-only
/* The device's side of a virtqueue, and requests to a disk, by a guest that may be hostile. */

#include <endian.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk_request.h"
#include "unit.h"
#include "util.h"
#include "virtqueue.h"

#define MEMORY		65536
#define SIZE		8
#define DESC		0
#define AVAIL		0x1000
#define USED		0x2000
#define DATA		0x4000
#define SECTORS		8

struct fixture {
	struct memory mem;
	struct virtqueue q;
	struct virtqueue_chain chain;
	struct blk_file file;
	bool stopping;
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

/* A disk of SECTORS sectors; the byte at n is n / 7. */
static void start_disk(struct fixture *f, bool writable)
{
	unsigned char byte;
	int i;

	start(f);
	f->file = (struct blk_file) {
		.fd = memfd_create("disk", 0), .sectors = SECTORS, .writable = writable,
		.serial = "a serial number of 20", .stopping = &f->stopping,
	};
	assert_true(f->file.fd >= 0);
	for (i = 0; i < SECTORS * BLK_SECTOR; i++) {
		byte = i / 7;
		assert_int_equal(pwrite(f->file.fd, &byte, 1, i), 1);
	}
}

static void finish_disk(struct fixture *f)
{
	close(f->file.fd);
	finish(f);
}

/* A request with @from bytes behind its header and @to before its status, in pieces of @cut. */
static void set_request(struct fixture *f, uint32_t type, uint64_t sector, size_t from,
			size_t to, size_t cut)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(type), .sector = htole64(sector),
	};
	size_t readable = sizeof(header) + from, all = readable + to + 1, at, n;
	struct iovec *buffer = f->chain.buffer;

	memcpy(data(f, 0), &header, sizeof(header));
	f->chain.readable = 0;
	f->chain.writable = 0;
	for (at = 0; at < all; at += n) {
		size_t end = at < readable ? readable : all;

		n = end - at < cut ? end - at : cut;
		*buffer++ = (struct iovec) { .iov_base = data(f, at), .iov_len = n };
		if (at < readable)
			f->chain.readable++;
		else
			f->chain.writable++;
	}
	*data(f, all - 1) = 0x55;
}

/* Returns the status. */
static int ask(struct fixture *f, uint32_t type, uint64_t sector, size_t from, size_t to,
	       size_t cut, uint32_t *written)
{
	uint32_t bytes;

	set_request(f, type, sector, from, to, cut);
	assert_int_equal(blk_request_do(&f->file, &f->chain, written ? written : &bytes), 0);
	return *data(f, sizeof(struct virtio_blk_outhdr) + from + to);
}

static void sectors_are_read_however_the_request_is_cut(void **state)
{
	static const size_t cuts[] = { 20, 100, 512, 513, 4096, 65536 };
	uint32_t written;
	struct fixture f;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		start_disk(&f, false);
		assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, 2, 0, 2 * BLK_SECTOR, cuts[i], &written),
				 VIRTIO_BLK_S_OK);
		assert_int_equal(written, 2 * BLK_SECTOR + 1);
		for (k = 0; k < 2 * BLK_SECTOR; k++)
			assert_int_equal((unsigned char)*data(&f, 16 + k),
					 (unsigned char)((2 * BLK_SECTOR + k) / 7));
		finish_disk(&f);
	}
}

static void sectors_are_written_and_no_others(void **state)
{
	unsigned char byte;
	struct fixture f;
	int i;

	(void)state;
	start_disk(&f, true);
	memset(data(&f, 16), 0xee, BLK_SECTOR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 3, BLK_SECTOR, 0, 100, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 100, NULL), VIRTIO_BLK_S_OK);
	for (i = 0; i < SECTORS * BLK_SECTOR; i++) {
		assert_int_equal(pread(f.file.fd, &byte, 1, i), 1);
		assert_int_equal(byte, i / BLK_SECTOR == 3 ? 0xee : (unsigned char)(i / 7));
	}
	finish_disk(&f);
}

static void what_cannot_be_done_is_an_io_error(void **state)
{
	struct fixture f;

	(void)state;
	start_disk(&f, false);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 0, BLK_SECTOR, 0, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, SECTORS, 0, BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, SECTORS - 1, 0, 2 * BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, UINT64_MAX, 0, BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, 0, 0, 100, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, 77, 0, 0, 0, 512, NULL), VIRTIO_BLK_S_UNSUPP);
	finish_disk(&f);
}

static void nothing_is_written_once_it_stops(void **state)
{
	unsigned char byte;
	struct fixture f;

	(void)state;
	start_disk(&f, true);
	f.stopping = true;
	memset(data(&f, 16), 0xee, BLK_SECTOR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 0, BLK_SECTOR, 0, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(f.file.fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	finish_disk(&f);
}

static void the_serial_number_is_as_long_as_there_is_room(void **state)
{
	struct fixture f;

	(void)state;
	start_disk(&f, false);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_GET_ID, 0, 0, VIRTIO_BLK_ID_BYTES, 7, NULL),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data(&f, 16), f.file.serial, VIRTIO_BLK_ID_BYTES);
	memset(data(&f, 0), 0, 100);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_GET_ID, 0, 0, 3, 7, NULL), VIRTIO_BLK_S_OK);
	assert_memory_equal(data(&f, 16), "a s\0", 4);
	finish_disk(&f);
}

static void a_request_without_header_or_status_breaks_the_rules(void **state)
{
	struct fixture f;
	uint32_t written;

	(void)state;
	start_disk(&f, false);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, BLK_SECTOR, 512);
	f.chain.writable = 0;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, 0, 512);
	f.chain.buffer[1].iov_len = 0;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, BLK_SECTOR, 512);
	f.chain.buffer[0].iov_len--;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	finish_disk(&f);
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
		cmocka_unit_test(sectors_are_read_however_the_request_is_cut),
		cmocka_unit_test(sectors_are_written_and_no_others),
		cmocka_unit_test(what_cannot_be_done_is_an_io_error),
		cmocka_unit_test(nothing_is_written_once_it_stops),
		cmocka_unit_test(the_serial_number_is_as_long_as_there_is_room),
		cmocka_unit_test(a_request_without_header_or_status_breaks_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
