// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"
#include "ppi.h"
#include "vectors.h"

#define GICD_CTLR		((void *)0x08000000)
#define GICD_CTLR_ARE_GROUP1	0x12
#define GICR_SGI_BASE		((char *)0x080b0000)
#define GICR_IGROUPR0		0x080
#define GICR_ISENABLER0		0x100
#define GICR_IPRIORITYR		0x400

#define INTID			16
#define PRIORITY		0xa0

void set_up_gic(void)
{
	store32(GICD_CTLR, GICD_CTLR_ARE_GROUP1);
	store32(GICR_SGI_BASE + GICR_IGROUPR0, 1 << INTID);
	store32(GICR_SGI_BASE + GICR_IPRIORITYR + INTID, PRIORITY);
	store32(GICR_SGI_BASE + GICR_ISENABLER0, 1 << INTID);
	write_register("icc_sre_el1", 1);
	write_register("icc_pmr_el1", 0xff);
	write_register("icc_igrpen1_el1", 1);
}

void take_ppi(void)
{
	check(read_register("icc_iar1_el1") == INTID);
	write_register("icc_eoir1_el1", INTID);
}

/*
 * A plain store claims: the host writes @missing only while it is 0, and here
 * interrupts are masked.
 */
uint32_t claim(struct kvm_apf_block *block)
{
	uint32_t token;

	sync_block(block);
	token = load32(&block->missing) - 1;
	check(token < KVM_APF_TOKENS);
	check(load64(&block->pc) == (uintptr_t)el0_load);
	check(read_register("elr_el1") == (uintptr_t)el0_load);
	check(!load64(&block->ready) && !load32(&block->declined));
	store32(&block->missing, 0);
	sync_block(block);

	return token;
}

/* WFI ends by the PPI also while it is masked. */
void wait_until_ready(struct kvm_apf_block *block, uint32_t token)
{
	while (!load64(&block->ready)) {
		asm volatile("wfi");
		sync_block(block);
	}
	check(load64(&block->ready) == 1UL << token);
	check(!load32(&block->missing));
	store64(&block->ready, 0);
	sync_block(block);
}
