// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM knows of its GICv3 (Documentation/virt/kvm/devices/arm-vgic-v3.rst),
 * register by register, in an order in which it can be set again.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "gic.h"
#include "state.h"
#include "util.h"

/* Op0 is 3 and op1 is 0, of all of them. */
#define ICC(crn, crm, op2)	(3 << 14 | (crn) << 7 | (crm) << 3 | (op2))

/*
 * @first to @last, every @step bytes, of a group. Set are only the bits that are
 * 1, which for enables, pending and active is right: in a new GIC all are 0.
 */
struct range {
	uint32_t group;
	uint32_t first;
	uint32_t last;
	uint32_t step;
};

static const struct range distributor[] = {
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0000, 0x0000, 4 },	/* CTLR */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0084, 0x008c, 4 },	/* IGROUPR */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0c08, 0x0c1c, 4 },	/* ICFGR */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0420, 0x047c, 4 },	/* IPRIORITYR */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x6100, 0x63fc, 4 },	/* IROUTER */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0104, 0x010c, 4 },	/* ISENABLER */
	{ KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 32, 96, 32 },
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0204, 0x020c, 4 },	/* ISPENDR */
	{ KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x0304, 0x030c, 4 },	/* ISACTIVER */
};

static const struct range redistributor[] = {
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x00014, 0x00014, 4 },	/* WAKER */
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10080, 0x10080, 4 },	/* IGROUPR0 */
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10c04, 0x10c04, 4 },	/* ICFGR1 */
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10400, 0x1041c, 4 },	/* IPRIORITYR */
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10100, 0x10100, 4 },	/* ISENABLER0 */
	{ KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, 0, 0, 32 },
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10200, 0x10200, 4 },	/* ISPENDR0 */
	{ KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, 0x10300, 0x10300, 4 },	/* ISACTIVER0 */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 12, 5), ICC(12, 12, 5), 1 }, /* SRE */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 12, 4), ICC(12, 12, 4), 1 }, /* CTLR */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 12, 6), ICC(12, 12, 7), 1 }, /* IGRPENn */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(4, 6, 0), ICC(4, 6, 0), 1 },	/* PMR */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 8, 3), ICC(12, 8, 7), 1 }, /* BPR0, AP0Rn */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 9, 0), ICC(12, 9, 3), 1 }, /* AP1Rn */
	{ KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC(12, 12, 3), ICC(12, 12, 3), 1 }, /* BPR1 */
};

/* KVM gives vCPU n the affinity n, as long as there are no more than 16. */
static uint64_t attr_of(unsigned int cpu, uint32_t reg, uint32_t group)
{
	uint64_t info = 0;

	if (group == KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO)
		info = VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;

	return (uint64_t)cpu << 32 | info | reg;
}

/* Of 32 bits, but for the CPU interface's. */
static int save_one(const struct gic *gic, struct state *state,
		    struct kvm_device_attr *attr)
{
	uint64_t value = 0;

	attr->addr = (uintptr_t)&value;
	if (ioctl(gic->fd, KVM_GET_DEVICE_ATTR, attr)) {
		/* As many AP0Rn and AP1Rn as priorities of preemption ask for. */
		if (attr->group == KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS &&
		    (errno == EINVAL || errno == ENXIO))
			return 0;
		return say_errno("cannot get register %" PRIx64 " of the GIC",
				 (uint64_t)attr->attr);
	}
	attr->addr = value;
	state_put(state, attr, sizeof(*attr));
	return 0;
}

static int save_ranges(const struct gic *gic, struct state *state, unsigned int cpu,
		       const struct range *range, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t reg;

		for (reg = range[i].first; reg <= range[i].last; reg += range[i].step) {
			struct kvm_device_attr attr = {
				.group = range[i].group,
				.attr = attr_of(cpu, reg, range[i].group),
			};

			if (save_one(gic, state, &attr))
				return -1;
		}
	}
	return 0;
}

/* The last one has no group: there is no register 0 of an address. */
int gic_save(const struct gic *gic, unsigned int cpus, struct state *state)
{
	const struct kvm_device_attr end = { .group = KVM_DEV_ARM_VGIC_GRP_ADDR };
	unsigned int cpu;

	state_put_name(state, "gic ");
	if (!gic->present)
		goto out;
	if (save_ranges(gic, state, 0, distributor, ARRAY_SIZE(distributor)))
		return -1;
	for (cpu = 0; cpu < cpus; cpu++) {
		if (save_ranges(gic, state, cpu, redistributor, ARRAY_SIZE(redistributor)))
			return -1;
	}
out:
	state_put(state, &end, sizeof(end));
	return 0;
}

int gic_restore(const struct gic *gic, struct state *state)
{
	struct kvm_device_attr attr;

	state_get_name(state, "gic ");
	for (;;) {
		uint64_t value;

		state_get(state, &attr, sizeof(attr));
		if (attr.group == KVM_DEV_ARM_VGIC_GRP_ADDR)
			return state_records_good(state);
		value = attr.addr;
		attr.addr = (uintptr_t)&value;
		if (ioctl(gic->fd, KVM_SET_DEVICE_ATTR, &attr))
			return say_errno("this host kernel refuses register %" PRIx64 " of the GIC",
					 (uint64_t)attr.attr);
	}
}
