// SPDX-License-Identifier: GPL-2.0-only
/* APF is on: advertised in the place that the contract names, and as described. */
#include "guest.h"

#define INTID	16

void guest_main(void)
{
	struct answer answer = hypercall(KVM_APF_SMCCC_ID, KVM_APF_FEATURES, 0);

	check(apf_advertised());
	check(answer.x[0] == SMCCC_SUCCESS);
	check(answer.x[1] == KVM_APF_VERSION);
	check(answer.x[2] == INTID);
}
