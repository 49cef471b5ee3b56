// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest with two lives: in the first one it is told of a fault, and resets the
 * machine. In the second one its block is ordinary memory, and stays as it is
 * while the page of that fault comes; then it is told of another one.
 *
 * The VMM loads the image again, which has .data but not .bss in it.
 */
#include "../../common/content.h"
#include "guest.h"
#include "ppi.h"
#include "vectors.h"

/* The policy of tests/system/life_reboot_tests.py is 50 ms. */
#define WATCH_MS	100
#define PATTERN		0x5a5a5a5a5a5a5a5aUL

static struct kvm_apf_block block __attribute__((aligned(KVM_APF_BLOCK_SIZE)));
static int interrupts;

void on_interrupt(void)
{
	uint32_t token;

	interrupts++;
	take_ppi();
	token = claim(&block);
	/* The VMM boots this guest again, once. */
	if (interrupts == 1)
		bad();
	wait_until_ready(&block, token);
	take_ppi();
}

void on_loaded(uint64_t word)
{
	check(interrupts == 2);
	check(word == apf_word(SEED, COLD_BASE + PAGE_SIZE));
	good();
}

static void enable_and_load(uint64_t ipa)
{
	write_register("vbar_el1", vectors);
	set_up_gic();
	check(apf_enable((uintptr_t)&block | KVM_APF_ENABLE_ON) == SMCCC_SUCCESS);
	load_at_el0(ipa);
}

static void wait_ms(uint64_t ms)
{
	uint64_t start = read_register("cntvct_el0");

	while (read_register("cntvct_el0") - start < ms * read_register("cntfrq_el0") / 1000)
		;
}

static void watch_block(void)
{
	uint64_t *word = (uint64_t *)&block;
	unsigned int i;

	for (i = 0; i < sizeof(block) / sizeof(*word); i++)
		store64(&word[i], PATTERN);
	sync_block(&block);
	wait_ms(WATCH_MS);
	sync_block(&block);
	for (i = 0; i < sizeof(block) / sizeof(*word); i++)
		check(load64(&word[i]) == PATTERN);
}

void guest_main(void)
{
	if (!interrupts)
		enable_and_load(COLD_BASE);
	watch_block();
	check(load64((void *)COLD_BASE) == apf_word(SEED, COLD_BASE));
	enable_and_load(COLD_BASE + PAGE_SIZE);
}
