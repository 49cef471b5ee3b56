// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole of the contract without a driver: a fault from EL0 is announced,
 * claimed, and its ready bit taken.
 */
#include "../../bench/content.h"
#include "guest.h"
#include "vectors.h"

#define GICD_CTLR		((void *)0x08000000)
#define GICD_CTLR_ARE_GROUP1	0x12
#define GICR_SGI_BASE		((char *)0x080b0000)
#define GICR_IGROUPR0		0x080
#define GICR_ISENABLER0		0x100
#define GICR_IPRIORITYR		0x400

#define INTID			16
#define PRIORITY		0xa0

#define read_register(name) ({					\
	uint64_t value_;					\
								\
	asm volatile("mrs %0, " name : "=r" (value_) : : "memory"); \
	value_;							\
})

#define write_register(name, value) do {			\
	uint64_t value_ = (uint64_t)(value);			\
								\
	asm volatile("msr " name ", %0\n\tisb" : : "r" (value_) : "memory"); \
} while (0)

static struct kvm_apf_block block __attribute__((aligned(KVM_APF_BLOCK_SIZE)));
static int interrupts;

static void set_up_gic(void)
{
	store32(GICD_CTLR, GICD_CTLR_ARE_GROUP1);
	store32(GICR_SGI_BASE + GICR_IGROUPR0, 1 << INTID);
	store32(GICR_SGI_BASE + GICR_IPRIORITYR + INTID, PRIORITY);
	store32(GICR_SGI_BASE + GICR_ISENABLER0, 1 << INTID);
	write_register("icc_sre_el1", 1);
	write_register("icc_pmr_el1", 0xff);
	write_register("icc_igrpen1_el1", 1);
}

static void take_ppi(void)
{
	check(read_register("icc_iar1_el1") == INTID);
	write_register("icc_eoir1_el1", INTID);
}

/*
 * A plain store claims: the host writes @missing only while it is 0, and here
 * interrupts are masked.
 */
static uint32_t claim(void)
{
	uint32_t token;

	sync_block(&block);
	token = load32(&block.missing) - 1;
	check(token < KVM_APF_TOKENS);
	check(load64(&block.pc) == (uintptr_t)el0_load);
	check(read_register("elr_el1") == (uintptr_t)el0_load);
	check(!load64(&block.ready) && !load32(&block.declined));
	store32(&block.missing, 0);
	sync_block(&block);

	return token;
}

/* WFI ends by the PPI also while it is masked. */
static void wait_until_ready(uint32_t token)
{
	while (!load64(&block.ready)) {
		asm volatile("wfi");
		sync_block(&block);
	}
	check(load64(&block.ready) == 1UL << token);
	check(!load32(&block.missing));
	store64(&block.ready, 0);
	sync_block(&block);
}

void on_interrupt(void)
{
	interrupts++;
	take_ppi();
	wait_until_ready(claim());
	take_ppi();
}

void on_loaded(uint64_t word)
{
	check(interrupts == 1);
	check(word == apf_word(SEED, COLD_BASE));
	good();
}

void guest_main(void)
{
	write_register("vbar_el1", vectors);
	set_up_gic();
	check(apf_enable((uintptr_t)&block | KVM_APF_ENABLE_ON) == SMCCC_SUCCESS);
	/* Refused: the block above stays in force. */
	check(apf_enable(NO_MEMORY | KVM_APF_ENABLE_ON) == SMCCC_INVALID_PARAMETER);
	check(apf_enable((uintptr_t)&block) == SMCCC_INVALID_PARAMETER);
	load_at_el0(COLD_BASE);
}
