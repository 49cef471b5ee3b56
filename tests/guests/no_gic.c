// SPDX-License-Identifier: GPL-2.0-only
/* No interrupt controller in KVM: nothing could end a halt, so there is no APF. */
#include "guest.h"

void guest_main(void)
{
	unmask_interrupts();
	check(apf_features() == SMCCC_NOT_SUPPORTED);
	check(apf_enable(MEMORY_BASE | KVM_APF_ENABLE_ON) == SMCCC_NOT_SUPPORTED);
	read_cold_pages();
}
