// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <unistd.h>

#include "blk_request.h"
#include "util.h"
#include "virtio_blk.h"

static bool is_idle(const struct virtio_blk *blk)
{
	return blk->broken || blk->done == blk->notified || !blk->virtio.queue[0].ready;
}

/* Return: 1 if a request was done, and whether the guest wants to hear of it; or 0, -1. */
static int do_one(struct virtio_blk *blk, bool *interrupt)
{
	const struct blk_file file = {
		.fd = blk->fd, .sectors = le64toh(blk->config.capacity),
		.writable = blk->opt.writable, .serial = blk->serial,
		.stopping = &blk->stopping,
	};
	struct virtqueue *q = &blk->virtio.queue[0];
	struct virtqueue_chain chain;
	uint32_t written;
	int ret;

	pthread_mutex_lock(&blk->queue);
	ret = virtqueue_pop(q, &blk->virtio.vm->memory, &chain);
	pthread_mutex_unlock(&blk->queue);
	if (ret <= 0)
		return ret;
	if (blk_request_do(&file, &chain, &written))
		return -1;
	pthread_mutex_lock(&blk->queue);
	virtqueue_push(q, &chain, written);
	*interrupt = virtqueue_wants_interrupt(q);
	pthread_mutex_unlock(&blk->queue);
	return ret;
}

/* Called, and returns, with the transport's lock held, which is not for guest memory. */
static void work(struct virtio_blk *blk)
{
	uint64_t notified = blk->notified;
	bool interrupt = false;
	int ret;

	blk->busy++;
	pthread_mutex_unlock(&blk->virtio.lock);
	gate_hold(&blk->virtio.vm->gate);
	ret = do_one(blk, &interrupt);
	gate_leave(&blk->virtio.vm->gate);
	pthread_mutex_lock(&blk->virtio.lock);
	blk->busy--;
	if (!ret && blk->done < notified)
		blk->done = notified;
	if (ret < 0 && !blk->broken) {
		blk->broken = true;
		virtio_mmio_broken(&blk->virtio);
	}
	if (interrupt)
		virtio_mmio_interrupt(&blk->virtio);
	pthread_cond_broadcast(&blk->changed);
}

static void *thread(void *arg)
{
	struct virtio_blk *blk = arg;

	pthread_mutex_lock(&blk->virtio.lock);
	while (!blk->stopping) {
		if (is_idle(blk))
			pthread_cond_wait(&blk->changed, &blk->virtio.lock);
		else
			work(blk);
	}
	pthread_mutex_unlock(&blk->virtio.lock);
	return NULL;
}

static void notify(struct virtio_mmio *virtio, unsigned int index)
{
	struct virtio_blk *blk = (struct virtio_blk *)virtio;

	(void)index;
	blk->notified++;
	pthread_cond_broadcast(&blk->changed);
}

/* Nobody begins anything: what the guest has said before is not heard any more. */
static void quiesce(struct virtio_mmio *virtio)
{
	struct virtio_blk *blk = (struct virtio_blk *)virtio;

	blk->broken = true;
	while (blk->busy)
		pthread_cond_wait(&blk->changed, &virtio->lock);
	blk->broken = false;
	blk->done = blk->notified;
}

/* Up to the last "/", as much as there is room for. */
static void set_serial(struct virtio_blk *blk)
{
	const char *slash = strrchr(blk->opt.name, '/');
	const char *name = slash ? slash + 1 : blk->opt.name;
	size_t size = strlen(name);

	memcpy(blk->serial, name, size < sizeof(blk->serial) ? size : sizeof(blk->serial));
}

static int open_file(struct virtio_blk *blk)
{
	off_t size;

	blk->fd = open(blk->opt.name, (blk->opt.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (blk->fd < 0)
		return say_errno("--disk %s", blk->opt.name);
	size = lseek(blk->fd, 0, SEEK_END);
	if (size > 0 && !(size % BLK_SECTOR)) {
		blk->config.capacity = htole64(size / BLK_SECTOR);
		return 0;
	}
	close(blk->fd);
	return say_error("--disk %s: is empty, or no number of sectors of %d bytes",
			 blk->opt.name, BLK_SECTOR);
}

/* Two of a chain's buffers are the request's header and its status. */
static void describe(struct virtio_blk *blk)
{
	struct virtio_mmio *virtio = &blk->virtio;

	blk->config.seg_max = htole32(VIRTQUEUE_SIZE_MAX - 2);
	virtio->queues = 1;
	virtio->config = &blk->config;
	virtio->config_size = sizeof(blk->config);
	virtio->features = UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX |
			   UINT64_C(1) << (blk->opt.writable ? VIRTIO_BLK_F_FLUSH :
							       VIRTIO_BLK_F_RO);
	virtio->notify = notify;
	virtio->quiesce = quiesce;
}

int virtio_blk_create(struct virtio_blk *blk, struct vm *vm, unsigned int slot,
		      const struct disk_options *opt)
{
	*blk = (struct virtio_blk) { .opt = *opt };
	if (open_file(blk))
		return -1;
	set_serial(blk);
	describe(blk);
	pthread_cond_init(&blk->changed, NULL);
	pthread_mutex_init(&blk->queue, NULL);
	if (!virtio_mmio_create(&blk->virtio, vm, slot, VIRTIO_ID_BLOCK))
		return 0;
	close(blk->fd);
	return -1;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	virtio_mmio_destroy(&blk->virtio);
	pthread_mutex_destroy(&blk->queue);
	pthread_cond_destroy(&blk->changed);
	if (close(blk->fd) && blk->opt.writable)
		say_errno("--disk %s", blk->opt.name);
}

int virtio_blk_start(struct virtio_blk *blk)
{
	while (blk->threads < VIRTIO_BLK_THREADS) {
		errno = pthread_create(&blk->thread[blk->threads], NULL, thread, blk);
		if (errno)
			return say_errno("--disk %s: no thread", blk->opt.name);
		blk->threads++;
	}
	return 0;
}

void virtio_blk_stop(struct virtio_blk *blk)
{
	pthread_mutex_lock(&blk->virtio.lock);
	__atomic_store_n(&blk->stopping, true, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&blk->changed);
	pthread_mutex_unlock(&blk->virtio.lock);
}

void virtio_blk_join(struct virtio_blk *blk)
{
	while (blk->threads)
		pthread_join(blk->thread[--blk->threads], NULL);
}
