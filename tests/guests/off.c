// SPDX-License-Identifier: GPL-2.0-only
/* APF is off: neither advertised nor there, and pages come as ever. */
#include "guest.h"

void guest_main(void)
{
	unmask_interrupts();
	check(!apf_advertised());
	check(apf_features() == SMCCC_NOT_SUPPORTED);
	check(apf_enable(MEMORY_BASE | KVM_APF_ENABLE_ON) == SMCCC_NOT_SUPPORTED);
	read_cold_pages();
}
