// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that is saved and restored in the middle of an announcement, three times,
 * see tests/system/save_tests.py: between acknowledge and EOI, before it has done
 * anything, and with the PPI disabled. Its page comes only in its last life, and
 * an interrupt of higher priority is pending with each announcement.
 */
#include "../../common/content.h"
#include "guest.h"
#include "ppi.h"
#include "vectors.h"

#define GICD			((char *)0x08000000)
#define GICR_SGI_BASE		((char *)0x080b0000)
/* The same in the distributor, for SPIs. */
#define IGROUPR			0x080
#define ISENABLER		0x100
#define ICENABLER		0x180
#define ISACTIVER		0x300
#define IPRIORITYR		0x400
#define ICFGR			0xc00

#define INTID			16
/* An SPI, which unlike a PPI can be made edge-triggered, and goes to CPU 0. */
#define RIVAL			32
#define RIVAL_PRIORITY		0x90
#define NO_INTERRUPT		1023

/* In each of them, the VMM saves. */
#define PHASE_MS		400

static struct kvm_apf_block block __attribute__((aligned(KVM_APF_BLOCK_SIZE)));
static int interrupts;

static void let_us_be_saved(void)
{
	uint64_t start = read_register("cntvct_el0");

	while (read_register("cntvct_el0") - start < PHASE_MS * read_register("cntfrq_el0") / 1000)
		;
}

static uint32_t acknowledge(void)
{
	return read_register("icc_iar1_el1");
}

static void end(uint32_t intid)
{
	write_register("icc_eoir1_el1", intid);
	check(!(load32(GICR_SGI_BASE + ISACTIVER) >> INTID & 1) || intid != INTID);
}

/* In whatever order they come. */
static void take_both(void)
{
	uint32_t first = acknowledge(), second;

	end(first);
	second = acknowledge();
	end(second);
	check(first + second == INTID + RIVAL && first != second);
	check(acknowledge() == NO_INTERRUPT);
}

static void claim_it(void)
{
	sync_block(&block);
	check(load32(&block.missing) - 1 < KVM_APF_TOKENS);
	check(load64(&block.pc) == (uintptr_t)el0_load);
	check(read_register("elr_el1") == (uintptr_t)el0_load);
	store32(&block.missing, 0);
	sync_block(&block);
}

/* All tokens at once: so the host says that it knows of none any more. */
static void take_wake_all(void)
{
	sync_block(&block);
	check(load64(&block.ready) == ~0UL);
	store64(&block.ready, 0);
	sync_block(&block);
}

static void saved_before_eoi(void)
{
	check(acknowledge() == INTID);
	let_us_be_saved();
	end(INTID);
	take_both();
	claim_it();
	take_wake_all();
}

static void saved_before_claim(void)
{
	let_us_be_saved();
	take_both();
	claim_it();
	take_wake_all();
}

static void saved_with_ppi_disabled(void)
{
	store32(GICR_SGI_BASE + ICENABLER, 1 << INTID);
	let_us_be_saved();
	take_wake_all();
	check(acknowledge() == NO_INTERRUPT);
	store32(GICR_SGI_BASE + ISENABLER, 1 << INTID);
	check(acknowledge() == INTID);
	end(INTID);
}

void on_interrupt(void)
{
	interrupts++;
	if (interrupts == 1) {
		saved_before_eoi();
	} else if (interrupts == 2) {
		saved_before_claim();
		saved_with_ppi_disabled();
	} else {
		take_both();
		wait_until_ready(&block, claim(&block));
		take_ppi();
	}
}

void on_loaded(uint64_t word)
{
	check(interrupts == 3);
	check(word == apf_word(SEED, COLD_BASE));
	good();
}

void guest_main(void)
{
	write_register("vbar_el1", vectors);
	set_up_gic();
	store32(GICD + IGROUPR + 4, 1);
	store32(GICD + IPRIORITYR + RIVAL, RIVAL_PRIORITY);
	store32(GICD + ICFGR + 8, 2);
	store32(GICD + ISENABLER + 4, 1);
	check(apf_enable((uintptr_t)&block | KVM_APF_ENABLE_ON) == SMCCC_SUCCESS);
	load_at_el0(COLD_BASE);
}
