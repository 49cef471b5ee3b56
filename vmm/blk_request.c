// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blk_request.h"

#define CHUNK	65536

/* Buffers that are used up from the front. */
struct buffers {
	struct iovec *at;
	unsigned int count;
};

static uint64_t size_of(const struct buffers *b)
{
	uint64_t size = 0;
	unsigned int i;

	for (i = 0; i < b->count; i++)
		size += b->at[i].iov_len;
	return size;
}

static void skip(struct buffers *b, size_t size)
{
	while (b->count && size >= b->at->iov_len) {
		size -= b->at->iov_len;
		b->at++;
		b->count--;
	}
	if (b->count) {
		b->at->iov_base = (char *)b->at->iov_base + size;
		b->at->iov_len -= size;
	}
}

/* Up to @size bytes, in the direction that is asked for. Returns how many. */
static size_t copy(struct buffers *b, void *data, size_t size, bool to_guest)
{
	size_t done = 0;

	while (b->count && done < size) {
		size_t n = size - done < b->at->iov_len ? size - done : b->at->iov_len;

		if (to_guest)
			memcpy(b->at->iov_base, (char *)data + done, n);
		else
			memcpy((char *)data + done, b->at->iov_base, n);
		skip(b, n);
		done += n;
	}
	return done;
}

static bool in_file(const struct blk_file *file, uint64_t sector, uint64_t size)
{
	return !(size % BLK_SECTOR) && sector <= file->sectors &&
	       size / BLK_SECTOR <= file->sectors - sector;
}

/* Straight into the guest's buffers: the kernel waits for those that are missing. */
static uint8_t read_sectors(const struct blk_file *file, struct buffers *to, uint64_t sector)
{
	off_t at = sector * BLK_SECTOR;

	if (!in_file(file, sector, size_of(to)))
		return VIRTIO_BLK_S_IOERR;
	skip(to, 0);
	while (to->count) {
		ssize_t n = preadv(file->fd, to->at, to->count, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VIRTIO_BLK_S_IOERR;
		skip(to, n);
		at += n;
	}
	return VIRTIO_BLK_S_OK;
}

static int write_all_at(int fd, const char *data, size_t size, off_t at)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		at += n;
		size -= n;
	}
	return 0;
}

/* By way of a copy: only once it is made is it known that the guest's pages were there. */
static uint8_t write_sectors(const struct blk_file *file, struct buffers *from, uint64_t sector)
{
	off_t at = sector * BLK_SECTOR;
	char data[CHUNK];
	size_t n;

	if (!file->writable || !in_file(file, sector, size_of(from)))
		return VIRTIO_BLK_S_IOERR;
	while ((n = copy(from, data, sizeof(data), false))) {
		if (__atomic_load_n(file->stopping, __ATOMIC_SEQ_CST) ||
		    write_all_at(file->fd, data, n, at))
			return VIRTIO_BLK_S_IOERR;
		at += n;
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t do_request(const struct blk_file *file, const struct virtio_blk_outhdr *header,
			  struct buffers *from, struct buffers *to)
{
	switch (le32toh(header->type)) {
	case VIRTIO_BLK_T_IN:
		return read_sectors(file, to, le64toh(header->sector));
	case VIRTIO_BLK_T_OUT:
		return write_sectors(file, from, le64toh(header->sector));
	case VIRTIO_BLK_T_FLUSH:
		return file->writable && fdatasync(file->fd) ? VIRTIO_BLK_S_IOERR :
							       VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		copy(to, (char *)file->serial, VIRTIO_BLK_ID_BYTES, true);
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* The last byte of all that the device may write is the status. */
static uint8_t *cut_status(struct buffers *to)
{
	struct iovec *last;

	while (to->count && !to->at[to->count - 1].iov_len)
		to->count--;
	if (!to->count)
		return NULL;
	last = &to->at[to->count - 1];
	return (uint8_t *)last->iov_base + --last->iov_len;
}

/* How the request is cut into buffers is the guest's affair (virtio 1.2, 2.7.4). */
int blk_request_do(const struct blk_file *file, struct virtqueue_chain *chain,
		   uint32_t *written)
{
	struct buffers from = { chain->buffer, chain->readable };
	struct buffers to = { chain->buffer + chain->readable, chain->writable };
	struct virtio_blk_outhdr header;
	uint8_t *status = cut_status(&to);
	uint64_t size = size_of(&to);

	if (!status || copy(&from, &header, sizeof(header), false) != sizeof(header))
		return -1;
	*status = do_request(file, &header, &from, &to);
	*written = size - size_of(&to) + 1;
	return 0;
}
