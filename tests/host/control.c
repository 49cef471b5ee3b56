// SPDX-License-Identifier: GPL-2.0-only
/*
 * control: the registers by which a VMM controls APF, as <asm/kvm_apf.h> has
 * them. One line for each case, "ok NAME" or "not ok NAME", and before the latter
 * what is not so. Exit status 0: all are ok.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "machine.h"

#define PARAMETER	"/sys/module/kvm-arm/parameters/apf"
#define FREE_IPA	(MEMORY_IPA + 0x40000000)

static int is_listed(uint64_t reg)
{
	struct kvm_reg_list none = { .n = 0 }, *list;
	uint64_t i;
	int found = 0;

	check(ioctl(machine.vcpu, KVM_GET_REG_LIST, &none) && errno == E2BIG);
	list = malloc(sizeof(*list) + none.n * sizeof(list->reg[0]));
	list->n = none.n;
	check(!ioctl(machine.vcpu, KVM_GET_REG_LIST, list));
	for (i = 0; i < list->n; i++)
		found += list->reg[i] == reg;
	free(list);

	return found;
}

static void listed_whatever_the_bitmap(void)
{
	uint64_t bits;

	machine_open();
	init_vcpu();
	for (bits = 0; bits <= BMAP_APF; bits += BMAP_APF) {
		check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, bits));
		check(is_listed(KVM_REG_ARM_VENDOR_HYP_BMAP_2) == 1);
		check(is_listed(KVM_REG_ARM_APF_ENABLE) == 1);
		check(is_listed(KVM_REG_ARM_APF_INTID) == 1);
		check(get(KVM_REG_ARM_APF_ENABLE) == 0);
		check(get(KVM_REG_ARM_APF_INTID) == INTID);
	}
}

static void no_registers_of_a_vcpu_that_is_not_initialised(void)
{
	uint64_t value;

	machine_open();
	check(try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD) == ENOEXEC);
	check(try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID) == ENOEXEC);
	init_vcpu();
	check(get(KVM_REG_ARM_APF_ENABLE) == 0);
	check(get(KVM_REG_ARM_APF_INTID) == INTID);
	check(try_get(KVM_REG_ARM_FW_REG(79), &value) == ENOENT);
	check(try_get(KVM_REG_ARM_FW_REG(82), &value) == ENOENT);
	check(try_set(KVM_REG_ARM_FW_REG(82), 0) == ENOENT);
}

static void intid_is_a_free_ppi(void)
{
	static const uint64_t bad[] = { 0, 15, 32, 1023, ~0ULL, 1ULL << 32 | OTHER_INTID };
	static const uint64_t timers[] = { 26, 27, 28, 30 };
	uint32_t moved = OTHER_INTID;
	unsigned int i;

	machine_create();
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		check(try_set(KVM_REG_ARM_APF_INTID, bad[i]) == EINVAL);
	for (i = 0; i < ARRAY_SIZE(timers); i++)
		check(try_set(KVM_REG_ARM_APF_INTID, timers[i]) == EINVAL);
	check(get(KVM_REG_ARM_APF_INTID) == INTID);
	check(!try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID));
	check(get(KVM_REG_ARM_APF_INTID) == OTHER_INTID);
	check(!try_set(KVM_REG_ARM_APF_INTID, 31));

	/* A timer that has moved. */
	set_device_attr(machine.vcpu, KVM_ARM_VCPU_TIMER_CTRL,
			KVM_ARM_VCPU_TIMER_IRQ_VTIMER, &moved);
	check(try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID) == EINVAL);
	check(!try_set(KVM_REG_ARM_APF_INTID, 27));
}

static void fixed_once_a_vcpu_has_run(void)
{
	machine_create();
	check(try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF << 1) == EINVAL);
	run_guest(0);
	check(try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID) == EBUSY);
	check(try_set(KVM_REG_ARM_APF_INTID, 15) == EINVAL);
	check(!try_set(KVM_REG_ARM_APF_INTID, INTID));
	check(get(KVM_REG_ARM_APF_INTID) == INTID);
	check(try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, 0) == EBUSY);
	check(try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF << 1) == EINVAL);
	check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF));
}

static void fixed_also_where_apf_is_off(void)
{
	machine_create();
	check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, 0));
	run_guest(0);
	check(try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID) == EBUSY);
	check(!try_set(KVM_REG_ARM_APF_INTID, INTID));
	check(try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF) == EBUSY);
}

static void refuse_bad_words(uint64_t word)
{
	unsigned int bit;

	for (bit = 2; bit < 6; bit++)
		check(try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD | 1U << bit) == EINVAL);
	check(try_set(KVM_REG_ARM_APF_ENABLE, BLOCK_IPA) == EINVAL);
	check(try_set(KVM_REG_ARM_APF_ENABLE, KVM_APF_ENABLE_KERNEL) == EINVAL);
	check(get(KVM_REG_ARM_APF_ENABLE) == word);
}

static void a_bad_word_changes_nothing(void)
{
	machine_create();
	refuse_bad_words(0);
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
	refuse_bad_words(ENABLE_WORD);
	run_guest(0);
	check(machine.block->ready == ~0ULL);
	machine.block->ready = 0;
	refuse_bad_words(ENABLE_WORD);
	run_guest(0);
	check(machine.block->ready == 0);
	check(!try_set(KVM_REG_ARM_APF_ENABLE, 0));
	check(get(KVM_REG_ARM_APF_ENABLE) == 0);
}

/* What the guest has not claimed, declined or taken is its own. */
static void setting_it_wakes_all_and_zeroes_nothing(void)
{
	struct kvm_apf_block before = { .pc = 1234, .missing = 5, .declined = 7,
					.reserved = { 1, 2, 3 } };

	machine_create();
	*machine.block = before;
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
	check(!memcmp(machine.block, &before, sizeof(before)));
	run_guest(0);
	check(is_pending(INTID));
	before.ready = ~0ULL;
	check(!memcmp(machine.block, &before, sizeof(before)));
}

static void wakes_all_each_time_it_is_set(void)
{
	int n;

	machine_create();
	for (n = 0; n < 3; n++) {
		check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
		check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
		check(get(KVM_REG_ARM_APF_ENABLE) == ENABLE_WORD);
		run_guest(0);
		check(machine.block->ready == ~0ULL);
		machine.block->ready = 0;
		run_guest(0);
		check(machine.block->ready == 0);
		check(get(KVM_REG_ARM_APF_ENABLE) == ENABLE_WORD);
	}
}

static void wakes_all_as_soon_as_there_is_memory(void)
{
	machine_create();
	check(!try_set(KVM_REG_ARM_APF_ENABLE, FREE_IPA | KVM_APF_ENABLE_ON));
	run_guest(0);
	run_guest(0);
	check(get(KVM_REG_ARM_APF_ENABLE) == (FREE_IPA | KVM_APF_ENABLE_ON));
	check(!is_pending(INTID));
	add_block_at(FREE_IPA);
	run_guest(0);
	check(machine.block->ready == ~0ULL);
	check(is_pending(INTID));
}

static void off_is_off(void)
{
	machine_create();
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
	check(!try_set(KVM_REG_ARM_APF_ENABLE, 0));
	run_guest(0);
	check(machine.block->ready == 0);
	check(!is_pending(INTID));
	check(get(KVM_REG_ARM_APF_ENABLE) == 0);
}

static void reset_turns_it_off(void)
{
	int has_run;

	for (has_run = 0; has_run < 2; has_run++) {
		machine_create();
		if (has_run)
			run_guest(0);
		check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
		init_vcpu();
		check(get(KVM_REG_ARM_APF_ENABLE) == 0);
		run_guest(0);
		check(machine.block->ready == 0);
	}
}

static void kept_where_apf_is_not_offered(void)
{
	machine_create();
	check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, 0));
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
	run_guest(0);
	check(get(KVM_REG_ARM_APF_ENABLE) == ENABLE_WORD);
	check(machine.block->ready == 0);
}

/* Found out at the first run: says so in the kernel's log, and nothing is announced. */
static void intid_that_a_timer_takes_later(void)
{
	uint32_t moved = OTHER_INTID;

	machine_create();
	check(!try_set(KVM_REG_ARM_APF_INTID, OTHER_INTID));
	set_device_attr(machine.vcpu, KVM_ARM_VCPU_TIMER_CTRL,
			KVM_ARM_VCPU_TIMER_IRQ_VTIMER, &moved);
	check(!try_set(KVM_REG_ARM_APF_ENABLE, ENABLE_WORD));
	run_guest(0);
	check(machine.block->ready == 0);
	check(get(KVM_REG_ARM_APF_ENABLE) == ENABLE_WORD);
}

static void the_parameter_is_the_default(void)
{
	static const char * const value[] = { "on", "halt", "off" };
	int i;

	for (i = 0; i < 3; i++) {
		FILE *f = fopen(PARAMETER, "we");

		check(f && fputs(value[i], f) >= 0 && !fclose(f));
		machine_open();
		init_vcpu();
		check(get(KVM_REG_ARM_VENDOR_HYP_BMAP_2) == (i ? 0 : BMAP_APF));
	}
}

#define CASE(name) { #name, name }

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(listed_whatever_the_bitmap),
	CASE(no_registers_of_a_vcpu_that_is_not_initialised),
	CASE(intid_is_a_free_ppi),
	CASE(fixed_once_a_vcpu_has_run),
	CASE(fixed_also_where_apf_is_off),
	CASE(a_bad_word_changes_nothing),
	CASE(setting_it_wakes_all_and_zeroes_nothing),
	CASE(wakes_all_each_time_it_is_set),
	CASE(wakes_all_as_soon_as_there_is_memory),
	CASE(off_is_off),
	CASE(reset_turns_it_off),
	CASE(kept_where_apf_is_not_offered),
	CASE(intid_that_a_timer_takes_later),
	CASE(all_orders),
	CASE(vcpu_initialised_after_the_rest),
	CASE(not_for_user_space_to_inject),
	CASE(edge_whatever_is_restored),
	CASE(eoi_of_a_raised_interrupt_after_restore),
	CASE(the_parameter_is_the_default),
};

/* In a process of its own: whatever it did wrong ends with it. */
static int passes(void (*run)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (!pid) {
		run();
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);

	return !status;
}

int main(void)
{
	unsigned int i;
	int bad = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int ok = passes(cases[i].run);

		printf("%s %s\n", ok ? "ok" : "not ok", cases[i].name);
		fflush(stdout);
		bad += !ok;
	}

	return bad ? 1 : 0;
}
