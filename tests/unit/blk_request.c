// SPDX-License-Identifier: GPL-2.0-only
/* Requests to a disk, of a guest that may be hostile. */

#include <endian.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk_request.h"
#include "unit.h"
#include "util.h"

#define SECTORS		8
#define MEMORY		8192

/* @memory: where the request's buffers are, one behind the other. */
struct fixture {
	struct virtqueue_chain chain;
	struct blk_file file;
	bool stopping;
	char memory[MEMORY];
};

static char *data(struct fixture *f, size_t offset)
{
	return f->memory + offset;
}

/* A disk of SECTORS sectors; the byte at n is n / 7. */
static void start(struct fixture *f, bool writable)
{
	unsigned char byte;
	int i;

	*f = (struct fixture) { .stopping = false };
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

static void finish(struct fixture *f)
{
	close(f->file.fd);
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
		start(&f, false);
		assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, 2, 0, 2 * BLK_SECTOR, cuts[i], &written),
				 VIRTIO_BLK_S_OK);
		assert_int_equal(written, 2 * BLK_SECTOR + 1);
		for (k = 0; k < 2 * BLK_SECTOR; k++)
			assert_int_equal((unsigned char)*data(&f, 16 + k),
					 (unsigned char)((2 * BLK_SECTOR + k) / 7));
		finish(&f);
	}
}

static void sectors_are_written_and_no_others(void **state)
{
	unsigned char byte;
	struct fixture f;
	int i;

	(void)state;
	start(&f, true);
	memset(data(&f, 16), 0xee, BLK_SECTOR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 3, BLK_SECTOR, 0, 100, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 100, NULL), VIRTIO_BLK_S_OK);
	for (i = 0; i < SECTORS * BLK_SECTOR; i++) {
		assert_int_equal(pread(f.file.fd, &byte, 1, i), 1);
		assert_int_equal(byte, i / BLK_SECTOR == 3 ? 0xee : (unsigned char)(i / 7));
	}
	finish(&f);
}

static void what_cannot_be_done_is_an_io_error(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 0, BLK_SECTOR, 0, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, SECTORS, 0, BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, SECTORS - 1, 0, 2 * BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, UINT64_MAX, 0, BLK_SECTOR, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_IN, 0, 0, 100, 512, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, 77, 0, 0, 0, 512, NULL), VIRTIO_BLK_S_UNSUPP);
	finish(&f);
}

static void the_file_does_not_grow(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, true);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, SECTORS, BLK_SECTOR, 0, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, SECTORS - 1, 2 * BLK_SECTOR, 0, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(lseek(f.file.fd, 0, SEEK_END), SECTORS * BLK_SECTOR);
	finish(&f);
}

static void nothing_is_written_once_it_stops(void **state)
{
	unsigned char byte;
	struct fixture f;

	(void)state;
	start(&f, true);
	f.stopping = true;
	memset(data(&f, 16), 0xee, BLK_SECTOR);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_OUT, 0, BLK_SECTOR, 0, 512, NULL),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(f.file.fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	finish(&f);
}

static void the_serial_number_is_as_long_as_there_is_room(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, false);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_GET_ID, 0, 0, VIRTIO_BLK_ID_BYTES, 7, NULL),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(data(&f, 16), f.file.serial, VIRTIO_BLK_ID_BYTES);
	memset(data(&f, 0), 0, 100);
	assert_int_equal(ask(&f, VIRTIO_BLK_T_GET_ID, 0, 0, 3, 7, NULL), VIRTIO_BLK_S_OK);
	assert_memory_equal(data(&f, 16), "a s\0", 4);
	finish(&f);
}

static void a_request_without_header_or_status_breaks_the_rules(void **state)
{
	struct fixture f;
	uint32_t written;

	(void)state;
	start(&f, false);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, BLK_SECTOR, 512);
	f.chain.writable = 0;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, 0, 512);
	f.chain.buffer[1].iov_len = 0;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	set_request(&f, VIRTIO_BLK_T_IN, 0, 0, BLK_SECTOR, 512);
	f.chain.buffer[0].iov_len--;
	assert_int_equal(blk_request_do(&f.file, &f.chain, &written), -1);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sectors_are_read_however_the_request_is_cut),
		cmocka_unit_test(sectors_are_written_and_no_others),
		cmocka_unit_test(what_cannot_be_done_is_an_io_error),
		cmocka_unit_test(the_file_does_not_grow),
		cmocka_unit_test(nothing_is_written_once_it_stops),
		cmocka_unit_test(the_serial_number_is_as_long_as_there_is_room),
		cmocka_unit_test(a_request_without_header_or_status_breaks_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
