// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole of the contract without a driver: a fault from EL0 is announced,
 * claimed, and its ready bit taken.
 */
#include "../../common/content.h"
#include "guest.h"
#include "ppi.h"
#include "vectors.h"

static struct kvm_apf_block block __attribute__((aligned(KVM_APF_BLOCK_SIZE)));
static int interrupts;

void on_interrupt(void)
{
	interrupts++;
	take_ppi();
	wait_until_ready(&block, claim(&block));
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
