// SPDX-License-Identifier: GPL-2.0-only
/* Cases of control: in any order, and together with the state of the vGIC. */
#include <string.h>
#include <sys/ioctl.h>

#include "control.h"
#include "machine.h"

#define PRIORITY	0xa0
/* One bit of ICC_AP1R0_EL1, where there are 32 priorities of preemption. */
#define AP1R(priority)	(1U << ((priority) >> 3))

static void set_bitmap(void)
{
	check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF));
}

static void set_intid(void)
{
	check(!try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID));
}

static void set_enable(void)
{
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
}

static void in_order(unsigned int permutation)
{
	static void (* const steps[])(void) = {
		add_gic, add_memory, set_bitmap, set_intid, set_enable, set_enable,
	};
	void (*left[6])(void);
	unsigned int n;

	memcpy(left, steps, sizeof(left));
	for (n = 6; n; n--) {
		unsigned int i = permutation % n;

		permutation /= n;
		left[i]();
		left[i] = left[n - 1];
	}
}

/* Of registers there are none before the vCPU is initialised: that comes first. */
void all_orders(void)
{
	unsigned int permutation;

	for (permutation = 0; permutation < 720; permutation++) {
		machine_open();
		init_vcpu();
		in_order(permutation);
		run_guest(0);
		check(get(KVM_REG_ARM_APF_INTID) == OTHER_INTID);
		check(get(KVM_REG_ARM_APF_ENABLE) == ENABLE_WORD);
		check(machine.block->ready == ~0ULL);
		check(is_pending(OTHER_INTID));
		check(!is_pending(INTID));
	}
}

void vcpu_initialised_after_the_rest(void)
{
	machine_open();
	add_gic();
	add_memory();
	init_vcpu();
	set_enable();
	set_intid();
	set_bitmap();
	run_guest(0);
	check(machine.block->ready == ~0ULL);
	check(is_pending(OTHER_INTID));
}

static int inject(uint32_t intid, int level)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_PPI << KVM_ARM_IRQ_TYPE_SHIFT |
		       intid << KVM_ARM_IRQ_NUM_SHIFT,
		.level = level,
	};

	return ioctl(machine.vm, KVM_IRQ_LINE, &line);
}

/* KVM takes such an ioctl for no error, of its timers neither: it does nothing. */
void not_for_user_space_to_inject(void)
{
	machine_create();
	run_guest(0);
	check(!inject(INTID, 1));
	check(!is_pending(INTID));
	check(!inject(OTHER_INTID, 1));
	gicr_write(GICR_ISPENDR0, 1U << INTID);
	check(!inject(INTID, 0));
	check(is_pending(INTID));
}

/* Nor by a VMM that restores what it saved of a VM that did not run yet. */
void edge_whatever_is_restored(void)
{
	const uint32_t edge = 2U << 2 * (INTID - 16);

	machine_create();
	gicr_write(GICR_ICFGR1, 0);
	gicr_write(GICR_ISPENDR0, 1U << INTID);
	run_guest(0);
	check(gicr_read(GICR_ICFGR1) & edge);
	check(is_pending(INTID));
	gicr_write(GICR_ICFGR1, 0);
	check(gicr_read(GICR_ICFGR1) & edge);
	gicr_write(GICR_ISPENDR0, 0);
	run_guest(0);
	check(!is_pending(INTID));
}

/*
 * Saved between acknowledge and EOI: the active priority of an announcement that
 * was raised. The EOI drops that priority, and deactivates the interrupt only if
 * its list register has the same.
 */
void eoi_of(uint32_t active_priorities, uint32_t left)
{
	machine_create();
	set_enable();
	gicr_write(GICR_IGROUPR0, 1U << INTID);
	gicr_write(GICR_IPRIORITYR + INTID, PRIORITY);
	gicr_write(GICR_ISACTIVER0, 1U << INTID);
	icc_write(ICC_AP1R0_EL1, active_priorities);
	run_guest(INTID);
	check(icc_read(ICC_AP1R0_EL1) == left);
	check(!(gicr_read(GICR_ISACTIVER0) >> INTID & 1));
}

void eoi_of_a_raised_interrupt_after_restore(void)
{
	eoi_of(AP1R(PRIORITY - 8), 0);
	eoi_of(AP1R(0), 0);
	/* Not raised: it is the guest's own, also where it preempted another. */
	eoi_of(AP1R(PRIORITY), 0);
	eoi_of(AP1R(PRIORITY) | AP1R(0xd0), AP1R(0xd0));
}
