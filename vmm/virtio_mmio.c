// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "state.h"
#include "util.h"
#include "virtio_mmio.h"

#define SLOT_BASE	UINT64_C(0x0a000000)
#define SLOT_SIZE	UINT64_C(0x200)
#define SPI_BASE	16

#define MAGIC		0x74726976
#define VERSION		2
#define VENDOR		0x4d465041

#define VERSION_1	(UINT64_C(1) << VIRTIO_F_VERSION_1)

static bool exists(const struct virtio_mmio *dev)
{
	return dev->queue_select < dev->queues;
}

/* A queue that does not exist has size 0, and writes to it go nowhere. */
static struct virtqueue *selected(struct virtio_mmio *dev)
{
	static struct virtqueue none;

	return exists(dev) ? &dev->queue[dev->queue_select] : &none;
}

static uint32_t queue_size_max(const struct virtio_mmio *dev)
{
	return exists(dev) ? VIRTQUEUE_SIZE_MAX : 0;
}

static uint64_t offered(const struct virtio_mmio *dev)
{
	return dev->features | VERSION_1;
}

static uint32_t features(const struct virtio_mmio *dev)
{
	return dev->features_select < 2 ? offered(dev) >> (32 * dev->features_select) : 0;
}

/* Bytes from @offset on, as many as there are: the guest has them as it wants them. */
static uint32_t read_config(const struct virtio_mmio *dev, uint64_t offset)
{
	uint32_t value = 0;

	if (offset < dev->config_size) {
		size_t left = dev->config_size - offset;

		memcpy(&value, (const char *)dev->config + offset,
		       left < sizeof(value) ? left : sizeof(value));
	}
	return value;
}

static uint32_t read_register(struct virtio_mmio *dev, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return features(dev);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue_size_max(dev);
	case VIRTIO_MMIO_QUEUE_READY:
		return selected(dev)->ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return dev->interrupts;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	default:
		return offset < VIRTIO_MMIO_CONFIG ? 0 :
		       read_config(dev, offset - VIRTIO_MMIO_CONFIG);
	}
}

static void acknowledge(struct virtio_mmio *dev, uint32_t interrupts)
{
	dev->interrupts &= ~interrupts;
	if (!dev->interrupts)
		gic_set_spi(&dev->vm->gic, dev->spi, 0);
}

static void quiesce(struct virtio_mmio *dev)
{
	if (dev->quiesce)
		dev->quiesce(dev);
}

static void reset(struct virtio_mmio *dev)
{
	unsigned int i;

	quiesce(dev);
	for (i = 0; i < VIRTIO_QUEUES_MAX; i++)
		virtqueue_reset(&dev->queue[i]);
	dev->status = 0;
	dev->features_select = 0;
	dev->driver_features_select = 0;
	dev->driver_features = 0;
	dev->queue_select = 0;
	acknowledge(dev, dev->interrupts);
}

static void set_low(uint64_t *address, uint32_t value)
{
	*address = (*address & ~UINT64_C(0xffffffff)) | value;
}

static void set_high(uint64_t *address, uint32_t value)
{
	*address = (*address & UINT64_C(0xffffffff)) | (uint64_t)value << 32;
}

/* A queue in use keeps its size and its addresses, whatever the guest writes. */
static void configure_queue(struct virtio_mmio *dev, uint64_t offset, uint32_t value)
{
	struct virtqueue *q = selected(dev);

	if (q->ready || !queue_size_max(dev))
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc_ipa, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc_ipa, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&q->avail_ipa, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&q->avail_ipa, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&q->used_ipa, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&q->used_ipa, value);
		break;
	}
}

static void set_queue_ready(struct virtio_mmio *dev, uint32_t ready)
{
	struct virtqueue *q = selected(dev);

	if (!queue_size_max(dev))
		return;
	if (!ready) {
		quiesce(dev);
		q->ready = false;
	} else if (!q->ready && virtqueue_enable(q, &dev->vm->memory)) {
		virtio_mmio_broken(dev);
	}
}

static void set_driver_features(struct virtio_mmio *dev, uint32_t value)
{
	if (dev->driver_features_select == 0)
		set_low(&dev->driver_features, value);
	else if (dev->driver_features_select == 1)
		set_high(&dev->driver_features, value);
}

/* What was not offered is not agreed to: the guest sees that the bit is not there. */
static void set_status(struct virtio_mmio *dev, uint32_t status)
{
	bool agreed = (dev->driver_features & VERSION_1) &&
		      !(dev->driver_features & ~offered(dev));

	if (!status)
		reset(dev);
	else
		dev->status = agreed ? status : status & ~VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write_register(struct virtio_mmio *dev, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->features_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_select = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_driver_features(dev, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_select = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		set_queue_ready(dev, value);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (value < dev->queues)
			dev->notify(dev, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		acknowledge(dev, value);
		break;
	case VIRTIO_MMIO_STATUS:
		set_status(dev, value);
		break;
	default:
		configure_queue(dev, offset, value);
	}
}

static uint32_t mmio_read(struct mmio_device *mmio, uint64_t offset)
{
	struct virtio_mmio *dev = (struct virtio_mmio *)mmio;
	uint32_t value;

	pthread_mutex_lock(&dev->lock);
	value = read_register(dev, offset);
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void mmio_write(struct mmio_device *mmio, uint64_t offset, uint32_t value)
{
	struct virtio_mmio *dev = (struct virtio_mmio *)mmio;

	pthread_mutex_lock(&dev->lock);
	write_register(dev, offset, value);
	pthread_mutex_unlock(&dev->lock);
}

static void describe(struct mmio_device *mmio, struct devtree *tree)
{
	const struct virtio_mmio *dev = (struct virtio_mmio *)mmio;
	const uint64_t reg[] = { mmio->base, mmio->size };
	const uint32_t interrupt[] = { DEVTREE_SPI, dev->spi, DEVTREE_LEVEL_HIGH };

	devtree_begin_at(tree, "virtio_mmio", mmio->base);
	devtree_string(tree, "compatible", "virtio,mmio");
	devtree_u64s(tree, "reg", reg, ARRAY_SIZE(reg));
	devtree_cells(tree, "interrupts", interrupt, ARRAY_SIZE(interrupt));
	devtree_bytes(tree, "dma-coherent", NULL, 0);
	devtree_end(tree);
}

int virtio_mmio_create(struct virtio_mmio *dev, struct vm *vm, unsigned int slot,
		       uint32_t device_id)
{
	dev->mmio = (struct mmio_device) {
		.base = SLOT_BASE + slot * SLOT_SIZE,
		.size = SLOT_SIZE,
		.read = mmio_read,
		.write = mmio_write,
		.describe = describe,
	};
	dev->vm = vm;
	dev->device_id = device_id;
	dev->spi = SPI_BASE + slot;
	pthread_mutex_init(&dev->lock, NULL);
	if (mmio_add(&vm->bus, &dev->mmio)) {
		virtio_mmio_destroy(dev);
		return -1;
	}
	return 0;
}

void virtio_mmio_destroy(struct virtio_mmio *dev)
{
	pthread_mutex_destroy(&dev->lock);
}

void virtio_mmio_reset(struct virtio_mmio *dev)
{
	pthread_mutex_lock(&dev->lock);
	reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_mmio_interrupt(struct virtio_mmio *dev)
{
	dev->interrupts |= VIRTIO_MMIO_INT_VRING;
	gic_set_spi(&dev->vm->gic, dev->spi, 1);
}

void virtio_mmio_broken(struct virtio_mmio *dev)
{
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	dev->interrupts |= VIRTIO_MMIO_INT_CONFIG;
	gic_set_spi(&dev->vm->gic, dev->spi, 1);
}

struct saved_device {
	uint32_t status;
	uint32_t interrupts;
	uint32_t features_select;
	uint32_t queue_select;
	uint32_t driver_features_select;
	uint64_t driver_features;
};

/* The state of the line is the GIC's. */
void virtio_mmio_save(const struct virtio_mmio *dev, struct state *state)
{
	const struct saved_device saved = {
		.status = dev->status,
		.interrupts = dev->interrupts,
		.features_select = dev->features_select,
		.queue_select = dev->queue_select,
		.driver_features_select = dev->driver_features_select,
		.driver_features = dev->driver_features,
	};
	unsigned int i;

	state_put_name(state, "virt");
	state_put(state, &saved, sizeof(saved));
	for (i = 0; i < VIRTIO_QUEUES_MAX; i++)
		virtqueue_save(&dev->queue[i], state);
}

int virtio_mmio_restore(struct virtio_mmio *dev, struct state *state)
{
	struct saved_device saved;
	unsigned int i;

	state_get_name(state, "virt");
	state_get(state, &saved, sizeof(saved));
	dev->status = saved.status;
	dev->interrupts = saved.interrupts;
	dev->features_select = saved.features_select;
	dev->queue_select = saved.queue_select;
	dev->driver_features_select = saved.driver_features_select;
	dev->driver_features = saved.driver_features;
	for (i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		if (virtqueue_restore(&dev->queue[i], &dev->vm->memory, state))
			return say_error("%s: queue %u of a device is nowhere in memory",
					 state->name, i);
	}
	return state_records_good(state);
}
