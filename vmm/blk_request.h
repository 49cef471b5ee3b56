/* SPDX-License-Identifier: GPL-2.0-only */
/* One request to a virtio block device: from a chain of buffers to its file and back. */
#ifndef APFVM_BLK_REQUEST_H
#define APFVM_BLK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "virtqueue.h"

#define BLK_SECTOR	512

/**
 * struct blk_file - what the device is made of
 * @fd:		the file
 * @sectors:	its size
 * @writable:	the guest may write to it
 * @serial:	VIRTIO_BLK_ID_BYTES bytes
 * @stopping:	set by another thread: what the guest's memory holds counts no more, so
 *		nothing of it is written
 */
struct blk_file {
	int fd;
	uint64_t sectors;
	bool writable;
	const char *serial;
	const bool *stopping;
};

/*
 * Does what @chain asks for and puts the status into its last byte. @written: how many
 * bytes of it were written, with the status. Returns -1 if there is no place for a
 * status, or no whole header: the guest broke the rules.
 */
int blk_request_do(const struct blk_file *file, struct virtqueue_chain *chain,
		   uint32_t *written);

#endif /* APFVM_BLK_REQUEST_H */
