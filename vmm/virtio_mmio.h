/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio-mmio transport (virtio 1.2, section 4.2, register version 2). */
#ifndef APFVM_VIRTIO_MMIO_H
#define APFVM_VIRTIO_MMIO_H

#include <pthread.h>

#include "virtqueue.h"
#include "vm.h"

#define VIRTIO_QUEUES_MAX	2

/**
 * struct virtio_mmio - a device on the virtio-mmio transport
 * @mmio:	where it is
 * @vm:		whose memory and interrupts it uses
 * @device_id:	what it is, VIRTIO_ID_*
 * @spi:	its interrupt
 * @queues:	how many it has
 * @features:	what it offers besides VIRTIO_F_VERSION_1
 * @config:	its configuration space, @config_size bytes, little-endian; the guest
 *		reads it and nobody writes to it
 * @notify:	the guest says that there is something in queue @index; with
 *		@lock held
 * @quiesce:	the guest takes its queues back: returns when no other thread uses
 *		one. With @lock held, which it may let go meanwhile; or NULL
 * @lock:	guards all below, against the other vCPUs
 */
struct virtio_mmio {
	struct mmio_device mmio;
	struct vm *vm;
	uint32_t device_id;
	unsigned int spi;
	unsigned int queues;
	uint64_t features;
	const void *config;
	size_t config_size;
	void (*notify)(struct virtio_mmio *dev, unsigned int index);
	void (*quiesce)(struct virtio_mmio *dev);

	pthread_mutex_t lock;
	uint32_t status;
	uint32_t interrupts;
	uint32_t features_select;
	uint32_t driver_features_select;
	uint64_t driver_features;
	uint32_t queue_select;
	struct virtqueue queue[VIRTIO_QUEUES_MAX];
};

/*
 * @slot: 0 upward; gives the device its address and its interrupt. What the device
 * says of itself, @queues to @quiesce, is there already.
 */
int virtio_mmio_create(struct virtio_mmio *dev, struct vm *vm, unsigned int slot,
		       uint32_t device_id);
void virtio_mmio_destroy(struct virtio_mmio *dev);

/* Into the records of a saved VM and back, while no vCPU runs. */
void virtio_mmio_save(const struct virtio_mmio *dev, struct state *state);
int virtio_mmio_restore(struct virtio_mmio *dev, struct state *state);

/* As the guest does it, for a VM that boots again. */
void virtio_mmio_reset(struct virtio_mmio *dev);

/* With @lock held: something of a queue was used. */
void virtio_mmio_interrupt(struct virtio_mmio *dev);
/* With @lock held: the guest broke the rules; only a reset helps. */
void virtio_mmio_broken(struct virtio_mmio *dev);

#endif /* APFVM_VIRTIO_MMIO_H */
