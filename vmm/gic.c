// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gic.h"
#include "util.h"

#define GIC_DIST_BASE	UINT64_C(0x08000000)
#define GIC_DIST_SIZE	UINT64_C(0x00010000)
#define GIC_REDIST_BASE	UINT64_C(0x080a0000)
#define GIC_REDIST_SIZE	UINT64_C(0x00020000)
#define GIC_INTIDS	128

static int set_attr(const struct gic *gic, uint32_t group, uint64_t attr, void *value)
{
	struct kvm_device_attr set = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(gic->fd, KVM_SET_DEVICE_ATTR, &set);
}

static int set_up(const struct gic *gic)
{
	uint64_t dist = GIC_DIST_BASE, redist = GIC_REDIST_BASE;
	uint32_t intids = GIC_INTIDS;

	if (set_attr(gic, KVM_DEV_ARM_VGIC_GRP_ADDR,
		     KVM_VGIC_V3_ADDR_TYPE_DIST, &dist) ||
	    set_attr(gic, KVM_DEV_ARM_VGIC_GRP_ADDR,
		     KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist) ||
	    set_attr(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &intids) ||
	    set_attr(gic, KVM_DEV_ARM_VGIC_GRP_CTRL,
		     KVM_DEV_ARM_VGIC_CTRL_INIT, NULL))
		return say_errno("cannot set up the GICv3");
	return 0;
}

int gic_create(struct gic *gic, int vm_fd)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };

	if (ioctl(vm_fd, KVM_CREATE_DEVICE, &create) < 0)
		return say_errno("this machine's KVM offers no GICv3");
	gic->vm_fd = vm_fd;
	gic->fd = create.fd;
	if (set_up(gic)) {
		close(gic->fd);
		return -1;
	}
	gic->present = true;
	return 0;
}

void gic_destroy(struct gic *gic)
{
	if (gic->present)
		close(gic->fd);
	gic->present = false;
}

void gic_describe(struct devtree *tree, unsigned int cpus)
{
	const uint64_t reg[] = {
		GIC_DIST_BASE, GIC_DIST_SIZE,
		GIC_REDIST_BASE, GIC_REDIST_SIZE * cpus,
	};

	devtree_begin_at(tree, "intc", GIC_DIST_BASE);
	devtree_string(tree, "compatible", "arm,gic-v3");
	devtree_cell(tree, "#interrupt-cells", 3);
	devtree_cell(tree, "#address-cells", 0);
	devtree_bytes(tree, "interrupt-controller", NULL, 0);
	devtree_u64s(tree, "reg", reg, ARRAY_SIZE(reg));
	devtree_cell(tree, "phandle", DEVTREE_GIC);
	devtree_end(tree);
}

void gic_set_spi(const struct gic *gic, unsigned int spi, int level)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT |
		       (GIC_SPI_BASE + spi) << KVM_ARM_IRQ_NUM_SHIFT,
		.level = level,
	};

	if (gic->present && ioctl(gic->vm_fd, KVM_IRQ_LINE, &line) < 0)
		say_errno("KVM_IRQ_LINE of SPI %u", spi);
}
