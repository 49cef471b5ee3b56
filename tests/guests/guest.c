// SPDX-License-Identifier: GPL-2.0-only
#include <linux/psci.h>

#include "../../common/content.h"
#include "guest.h"

/* ARM_SMCCC_VENDOR_HYP_KVM_FEATURES_FUNC_ID: functions 0 to 127, 32 in a register. */
#define VENDOR_HYP_FEATURES	0x86000000
#define APF_REGISTER		(KVM_APF_SMCCC_FUNC / 32)
#define APF_BIT			(KVM_APF_SMCCC_FUNC % 32)

struct answer hypercall(uint32_t function, uint64_t a1, uint64_t a2)
{
	register uint64_t x0 asm("x0") = function;
	register uint64_t x1 asm("x1") = a1;
	register uint64_t x2 asm("x2") = a2;
	register uint64_t x3 asm("x3") = 0;

	asm volatile("hvc #0" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x3) : : "memory");

	return (struct answer) { .x = { x0, x1, x2, x3 } };
}

static _Noreturn void end(uint32_t function)
{
	hypercall(function, 0, 0);
	while (1)
		asm volatile("wfi");
}

void good(void)
{
	end(PSCI_0_2_FN_SYSTEM_OFF);
}

void bad(void)
{
	end(PSCI_0_2_FN_SYSTEM_RESET);
}

static void read_word(uint64_t ipa)
{
	check(load64((void *)ipa) == apf_word(SEED, ipa));
}

void read_cold_pages(void)
{
	uint64_t page;

	for (page = COLD_BASE; page < COLD_BASE + PAGES * PAGE_SIZE; page += PAGE_SIZE) {
		read_word(page);
		read_word(page + PAGE_SIZE / 2);
		read_word(page + PAGE_SIZE - 8);
	}
}

int apf_advertised(void)
{
	return hypercall(VENDOR_HYP_FEATURES, 0, 0).x[APF_REGISTER] >> APF_BIT & 1;
}

long apf_features(void)
{
	return hypercall(KVM_APF_SMCCC_ID, KVM_APF_FEATURES, 0).x[0];
}

long apf_enable(uint64_t word)
{
	return hypercall(KVM_APF_SMCCC_ID, KVM_APF_ENABLE, word).x[0];
}
