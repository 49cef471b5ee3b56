// SPDX-License-Identifier: GPL-2.0-only
/* What the guest is told about its machine, and where it begins. */
#include <inttypes.h>
#include <stdio.h>

#include "../common/content.h"
#include "util.h"
#include "vm.h"

static void describe_chosen(struct devtree *tree, const struct image *image,
			    const struct options *opt, unsigned int boot)
{
	uint64_t initrd_end = image->initrd + image->initrd_size;
	uint64_t random[8];
	unsigned int i;

	/*
	 * With these seeds the guest does not wait for entropy, and as they
	 * follow from --seed, two runs do the same.
	 */
	for (i = 0; i < ARRAY_SIZE(random); i++)
		random[i] = apf_word(opt->seed, ~(uint64_t)i);
	devtree_begin(tree, "chosen");
	devtree_string(tree, "bootargs", opt->append.text[boot]);
	devtree_u64s(tree, "kaslr-seed", &random[7], 1);
	devtree_bytes(tree, "rng-seed", random, 7 * sizeof(random[0]));
	if (image->initrd_size) {
		devtree_u64s(tree, "linux,initrd-start", &image->initrd, 1);
		devtree_u64s(tree, "linux,initrd-end", &initrd_end, 1);
	}
	devtree_end(tree);
}

/*
 * The cold region is reserved, so that the guest kernel leaves it alone, but
 * without "no-map": it stays in the linear map, and /dev/mem maps it cacheable.
 */
static void describe_memory(struct devtree *tree, const struct memory *mem)
{
	const uint64_t all[] = { MEMORY_BASE, mem->size + mem->cold_size };
	const uint64_t cold[] = { memory_cold_ipa(mem), mem->cold_size };

	devtree_begin_at(tree, "memory", MEMORY_BASE);
	devtree_string(tree, "device_type", "memory");
	devtree_u64s(tree, "reg", all, ARRAY_SIZE(all));
	devtree_end(tree);
	if (!mem->cold_size)
		return;
	devtree_begin(tree, "reserved-memory");
	devtree_cell(tree, "#address-cells", 2);
	devtree_cell(tree, "#size-cells", 2);
	devtree_bytes(tree, "ranges", NULL, 0);
	devtree_begin_at(tree, "cold", cold[0]);
	devtree_string(tree, "compatible", "arm64-apf,cold");
	devtree_u64s(tree, "reg", cold, ARRAY_SIZE(cold));
	devtree_end(tree);
	devtree_end(tree);
}

/* KVM gives vCPU n the MPIDR n, as long as there are no more than 16. */
static void describe_cpus(struct devtree *tree, unsigned int cpus)
{
	unsigned int i;

	devtree_begin(tree, "cpus");
	devtree_cell(tree, "#address-cells", 1);
	devtree_cell(tree, "#size-cells", 0);
	for (i = 0; i < cpus; i++) {
		devtree_begin_at(tree, "cpu", i);
		devtree_string(tree, "device_type", "cpu");
		devtree_string(tree, "compatible", "arm,armv8");
		devtree_string(tree, "enable-method", "psci");
		devtree_cell(tree, "reg", i);
		devtree_end(tree);
	}
	devtree_end(tree);
}

static void describe_psci(struct devtree *tree)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	devtree_begin(tree, "psci");
	devtree_bytes(tree, "compatible", compatible, sizeof(compatible));
	devtree_string(tree, "method", "hvc");
	devtree_end(tree);
}

/* Secure, non-secure, virtual and hypervisor timer, in this order. */
static void describe_timer(struct devtree *tree)
{
	static const uint32_t interrupts[] = {
		DEVTREE_PPI, 13, DEVTREE_LEVEL_HIGH,
		DEVTREE_PPI, 14, DEVTREE_LEVEL_HIGH,
		DEVTREE_PPI, 11, DEVTREE_LEVEL_HIGH,
		DEVTREE_PPI, 10, DEVTREE_LEVEL_HIGH,
	};

	devtree_begin(tree, "timer");
	devtree_string(tree, "compatible", "arm,armv8-timer");
	devtree_cells(tree, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	devtree_bytes(tree, "always-on", NULL, 0);
	devtree_end(tree);
}

/* Without a GIC, nothing is described that would need it. */
static int describe(struct vm *vm, const struct image *image,
		    const struct options *opt)
{
	struct devtree tree;

	devtree_start(&tree, memory_at(&vm->memory, image->dtb, IMAGE_DTB_SIZE),
		      IMAGE_DTB_SIZE);
	devtree_cell(&tree, "#address-cells", 2);
	devtree_cell(&tree, "#size-cells", 2);
	if (vm->gic.present)
		devtree_cell(&tree, "interrupt-parent", DEVTREE_GIC);
	devtree_string(&tree, "compatible", "linux,dummy-virt");
	describe_chosen(&tree, image, opt, vm->boot);
	describe_memory(&tree, &vm->memory);
	describe_cpus(&tree, vm->cpus);
	describe_psci(&tree);
	if (vm->gic.present) {
		describe_timer(&tree);
		gic_describe(&tree, vm->cpus);
		mmio_describe(&vm->bus, &tree);
	}
	return devtree_finish(&tree);
}

int vm_prepare_boot(struct vm *vm, const struct image *image,
		    const struct options *opt)
{
	if (describe(vm, image, opt))
		return -1;
	return vcpu_set_entry(&vm->vcpu[0], image->entry, image->dtb);
}
