// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "pageout.h"
#include "util.h"

/* In a page of its own, whatever the guest's page size: it may be given to a user task. */
#define BASE		UINT64_C(0x0b000000)
#define SIZE		UINT64_C(0x00010000)
#define FRAME_SHIFT	12

static uint32_t read_register(struct mmio_device *mmio, uint64_t offset)
{
	struct pageout *p = (struct pageout *)mmio;

	return offset ? 0 : kept_count(&p->kept);
}

/* On a vCPU's thread, which is not behind the gate while it does an access to a device. */
static void write_register(struct mmio_device *mmio, uint64_t offset, uint32_t frame)
{
	struct pageout *p = (struct pageout *)mmio;
	uint64_t at = ((uint64_t)frame << FRAME_SHIFT) - MEMORY_BASE;
	int error;

	if (offset || at >= p->vm->memory.size)
		return;
	pthread_mutex_lock(&p->turn);
	gate_close(&p->vm->gate, p->vm);
	error = kept_take(&p->kept, at / p->kept.page_size);
	gate_open(&p->vm->gate);
	pthread_mutex_unlock(&p->turn);
	if (error)
		vm_end(p->vm, STATUS_ERROR);
}

static void describe(struct mmio_device *mmio, struct devtree *tree)
{
	const uint64_t reg[] = { mmio->base, mmio->size };

	devtree_begin_at(tree, "pageout", mmio->base);
	devtree_string(tree, "compatible", "arm64-apf,pageout");
	devtree_u64s(tree, "reg", reg, ARRAY_SIZE(reg));
	devtree_end(tree);
}

int pageout_create(struct pageout *p, struct vm *vm, const struct options *opt)
{
	*p = (struct pageout) {
		.mmio = {
			.base = BASE, .size = SIZE,
			.read = read_register, .write = write_register, .describe = describe,
		},
		.turn = PTHREAD_MUTEX_INITIALIZER,
	};
	if (!opt->pageout)
		return 0;
	if (kept_create(&p->kept, vm->memory.host, vm->memory.size, sysconf(_SC_PAGESIZE)))
		return -1;
	p->vm = vm;
	if (!mmio_add(&vm->bus, &p->mmio))
		return 0;
	pageout_destroy(p);
	return -1;
}

void pageout_destroy(struct pageout *p)
{
	kept_destroy(&p->kept);
	p->vm = NULL;
}
