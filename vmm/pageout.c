// SPDX-License-Identifier: GPL-2.0-only
#include "pageout.h"
#include "util.h"

/* In a page of its own, whatever the guest's page size: it may be given to a user task. */
#define BASE		UINT64_C(0x0b000000)
#define SIZE		UINT64_C(0x00010000)
#define FRAME_SHIFT	12

static uint32_t read_register(struct mmio_device *mmio, uint64_t offset)
{
	const struct pageout *p = (struct pageout *)mmio;

	return offset ? 0 : evict_read_counts(p->evict).out;
}

static void write_register(struct mmio_device *mmio, uint64_t offset, uint32_t frame)
{
	struct pageout *p = (struct pageout *)mmio;

	if (!offset)
		evict_page(p->evict, (uint64_t)frame << FRAME_SHIFT);
}

static void describe(struct mmio_device *mmio, struct devtree *tree)
{
	const uint64_t reg[] = { mmio->base, mmio->size };

	devtree_begin_at(tree, "pageout", mmio->base);
	devtree_string(tree, "compatible", "arm64-apf,pageout");
	devtree_u64s(tree, "reg", reg, ARRAY_SIZE(reg));
	devtree_end(tree);
}

int pageout_create(struct pageout *p, struct vm *vm, struct evict *evict,
		   const struct options *opt)
{
	*p = (struct pageout) {
		.mmio = {
			.base = BASE, .size = SIZE,
			.read = read_register, .write = write_register, .describe = describe,
		},
		.evict = evict,
	};
	return opt->pageout ? mmio_add(&vm->bus, &p->mmio) : 0;
}
