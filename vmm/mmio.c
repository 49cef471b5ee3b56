// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include "mmio.h"
#include "util.h"

int mmio_add(struct mmio_bus *bus, struct mmio_device *dev)
{
	if (bus->count == MMIO_DEVICES_MAX)
		return say_error("more than %d MMIO devices", MMIO_DEVICES_MAX);
	bus->device[bus->count++] = dev;
	return 0;
}

void mmio_describe(const struct mmio_bus *bus, struct devtree *tree)
{
	unsigned int i;

	for (i = 0; i < bus->count; i++)
		bus->device[i]->describe(bus->device[i], tree);
}

static struct mmio_device *find(const struct mmio_bus *bus, uint64_t ipa)
{
	unsigned int i;

	for (i = 0; i < bus->count; i++) {
		struct mmio_device *dev = bus->device[i];

		if (ipa >= dev->base && ipa - dev->base < dev->size)
			return dev;
	}
	return NULL;
}

/* Where there is no device, reads give 0 and writes go nowhere. */
void mmio_access(const struct mmio_bus *bus, uint64_t ipa, void *data,
		 unsigned int size, int is_write)
{
	struct mmio_device *dev = find(bus, ipa);
	uint32_t value = 0;

	if (is_write) {
		memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
		if (dev)
			dev->write(dev, ipa - dev->base, value);
		return;
	}
	if (dev)
		value = dev->read(dev, ipa - dev->base);
	memset(data, 0, size);
	memcpy(data, &value, size < sizeof(value) ? size : sizeof(value));
}
