// SPDX-License-Identifier: GPL-2.0-only
/* ENABLE: what it refuses leaves everything as it was, also where it was on. */
#include "guest.h"

#define ON		KVM_APF_ENABLE_ON
#define PATTERN		0xa5a5a5a5a5a5a5a5UL
#define WORDS		(KVM_APF_BLOCK_SIZE / sizeof(uint64_t))

static struct kvm_apf_block first __attribute__((aligned(KVM_APF_BLOCK_SIZE)));
static struct kvm_apf_block second __attribute__((aligned(KVM_APF_BLOCK_SIZE)));

static uint64_t word_for(struct kvm_apf_block *block)
{
	return (uintptr_t)block | ON;
}

static void fill(struct kvm_apf_block *block)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		store64((uint64_t *)block + i, PATTERN);
	sync_block(block);
}

static void check_holds(struct kvm_apf_block *block, uint64_t value)
{
	unsigned int i;

	sync_block(block);
	for (i = 0; i < WORDS; i++)
		check(load64((uint64_t *)block + i) == value);
}

static void check_refused(uint64_t word)
{
	check(apf_enable(word) == SMCCC_INVALID_PARAMETER);
}

static void check_all_refused(void)
{
	unsigned int bit;

	for (bit = 2; bit < 6; bit++) {
		check_refused(word_for(&second) | 1UL << bit);
		check_refused(1UL << bit);
	}
	/* Disabling takes no address. */
	check_refused(word_for(&second) & ~ON);
	/* Nothing is there; there is the GIC; behind the last page; out of all range. */
	check_refused(NO_MEMORY | ON);
	check_refused(0x08000000 | ON);
	check_refused(COLD_END | ON);
	check_refused(KVM_APF_ENABLE_ADDR | ON);
}

static void check_other_functions(void)
{
	static const uint64_t functions[] = { 2, 3, 1UL << 32, ~0UL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		check(hypercall(KVM_APF_SMCCC_ID, functions[i], word_for(&second)).x[0] ==
		      SMCCC_NOT_SUPPORTED);
}

/* A block that is in force is not zeroed again by the same word. */
static void check_enabling(struct kvm_apf_block *block)
{
	fill(block);
	check(apf_enable(word_for(block)) == SMCCC_SUCCESS);
	check_holds(block, 0);
	fill(block);
	check(apf_enable(word_for(block)) == SMCCC_SUCCESS);
	check_holds(block, PATTERN);
}

static void check_disabling(void)
{
	check(apf_enable(0) == SMCCC_SUCCESS);
	check(apf_enable(0) == SMCCC_SUCCESS);
}

void guest_main(void)
{
	fill(&second);
	check_all_refused();
	check_disabling();
	check_enabling(&first);
	check_all_refused();
	check_other_functions();
	/* Still in force, so still a no-op. */
	check(apf_enable(word_for(&first)) == SMCCC_SUCCESS);
	check_holds(&first, PATTERN);
	check_holds(&second, PATTERN);
	check_enabling(&second);
	check_holds(&first, PATTERN);
	check_disabling();
	check_enabling(&second);
}
