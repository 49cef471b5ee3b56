/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that the guest reaches by loads and stores, and who is where. */
#ifndef APFVM_MMIO_H
#define APFVM_MMIO_H

#include <stdint.h>

#include "devtree.h"

#define MMIO_DEVICES_MAX	8

/*
 * Embedded in the device. read() and write() are called on any vCPU's thread;
 * the device does its own locking.
 */
struct mmio_device {
	uint64_t base;
	uint64_t size;
	uint32_t (*read)(struct mmio_device *dev, uint64_t offset);
	void (*write)(struct mmio_device *dev, uint64_t offset, uint32_t value);
	void (*describe)(struct mmio_device *dev, struct devtree *tree);
};

struct mmio_bus {
	unsigned int count;
	struct mmio_device *device[MMIO_DEVICES_MAX];
};

/* All devices are added before the first vCPU runs. */
int mmio_add(struct mmio_bus *bus, struct mmio_device *dev);
void mmio_describe(const struct mmio_bus *bus, struct devtree *tree);
/* @data: @size bytes, to be filled, or if @is_write, to be taken. */
void mmio_access(const struct mmio_bus *bus, uint64_t ipa, void *data,
		 unsigned int size, int is_write);

#endif /* APFVM_MMIO_H */
