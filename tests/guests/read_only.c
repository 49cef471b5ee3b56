// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cold memory is read-only. Whoever fetches a page to write to it gets none,
 * so a page that came was fetched to be read. And it is no place for a block.
 */
#include "guest.h"

static void check_no_place_for_a_block(void)
{
	check(apf_enable(COLD_BASE | KVM_APF_ENABLE_ON) == SMCCC_INVALID_PARAMETER);
}

void guest_main(void)
{
	unmask_interrupts();
	store64((void *)COLD_BASE, 0);
	check_no_place_for_a_block();
	read_cold_pages();
	check_no_place_for_a_block();
}
