/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio block device (virtio 1.2, section 5.2) on a file. Its serial number is the
 * file's name.
 *
 * Requests are done by threads of its own, some at a time: one whose buffer is in a
 * page that is missing keeps neither a vCPU nor the other requests waiting.
 */
#ifndef APFVM_VIRTIO_BLK_H
#define APFVM_VIRTIO_BLK_H

#include <linux/virtio_blk.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "virtio_mmio.h"

#define VIRTIO_BLK_THREADS	4

/**
 * struct virtio_blk - the device
 * @virtio:	the transport; its lock guards @notified to @stopping, too
 * @opt:	the file's name, and whether the guest may write to it
 * @fd:		the file
 * @config:	what the guest reads of it
 * @serial:	not terminated if it is as long as that
 * @changed:	one of those below has changed, or a queue
 * @thread:	do the requests
 * @threads:	how many there are to join
 * @notified:	how often the guest said that there is something
 * @done:	@notified when the queue was last found empty
 * @busy:	how many threads are using the queue
 * @broken:	the guest broke the rules
 * @stopping:	the threads are to end
 * @queue:	held around each access to the rings. It is taken inside the gate, and
 *		may be held while a page of the rings is waited for
 */
struct virtio_blk {
	struct virtio_mmio virtio;
	struct disk_options opt;
	int fd;
	struct virtio_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];
	pthread_cond_t changed;
	pthread_t thread[VIRTIO_BLK_THREADS];
	unsigned int threads;
	uint64_t notified;
	uint64_t done;
	unsigned int busy;
	bool broken;
	bool stopping;
	pthread_mutex_t queue;
};

int virtio_blk_create(struct virtio_blk *blk, struct vm *vm, unsigned int slot,
		      const struct disk_options *opt);
void virtio_blk_destroy(struct virtio_blk *blk);
int virtio_blk_start(struct virtio_blk *blk);
/*
 * Tell the threads to end, and wait for it. In between, a thread that waits for a page
 * has to be let go, without its contents: it writes nothing to the file any more.
 */
void virtio_blk_stop(struct virtio_blk *blk);
void virtio_blk_join(struct virtio_blk *blk);

#endif /* APFVM_VIRTIO_BLK_H */
