// SPDX-License-Identifier: GPL-2.0-only
/* What a vCPU does while its page is under way: a table of facts and verdicts. */

#include "apf-decide.h"
#include "unit.h"

/* All that an announcement needs. */
static const struct apf_facts good = {
	.wanted = true, .enabled = true, .deliverable = true,
	.announceable = true, .token = 3,
};

static enum apf_verdict decide(struct apf_facts f)
{
	return apf_decide(&f);
}

#define with(...) ({ struct apf_facts f = good; __VA_ARGS__; decide(f); })

static void announced_with_everything_in_place(void **state)
{
	(void)state;
	assert_int_equal(decide(good), APF_ANNOUNCE);
}

static void a_guest_without_a_driver_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.enabled = false), APF_HALT);
}

static void a_fault_that_the_guest_will_not_hear_of_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.wanted = false), APF_HALT);
}

static void gic_off_ppi_disabled_or_masked_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.deliverable = false), APF_HALT);
}

static void declined_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.declined = true), APF_HALT);
}

static void another_announcement_not_claimed_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.missing = 9), APF_HALT);
	assert_int_equal(with(f.missing = 9, f.pending = true), APF_HALT);
}

static void token_zero_is_not_the_empty_word(void **state)
{
	(void)state;
	assert_int_equal(with(f.token = 0), APF_ANNOUNCE);
	assert_int_equal(with(f.token = 0, f.missing = 1, f.pending = true), APF_REENTER);
}

static void told_but_not_taken_yet_goes_back_in(void **state)
{
	(void)state;
	assert_int_equal(with(f.missing = 4, f.pending = true), APF_REENTER);
}

static void told_but_cannot_take_it_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.missing = 4, f.pending = true, f.deliverable = false), APF_HALT);
}

static void taken_but_not_claimed_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.missing = 4), APF_HALT);
}

static void a_vcpu_that_gets_nowhere_waits(void **state)
{
	(void)state;
	assert_int_equal(with(f.missing = 4, f.pending = true,
			      f.stuck = APF_MAX_STUCK - 1), APF_REENTER);
	assert_int_equal(with(f.missing = 4, f.pending = true,
			      f.stuck = APF_MAX_STUCK), APF_STUCK);
	assert_int_equal(with(f.enabled = false, f.stuck = APF_MAX_STUCK), APF_STUCK);
}

static void a_token_whose_bit_is_not_taken_halts(void **state)
{
	(void)state;
	assert_int_equal(with(f.announceable = false), APF_HALT);
}

static void a_block_that_cannot_be_read_waits(void **state)
{
	(void)state;
	assert_int_equal(with(f.unreadable = true), APF_UNREADABLE);
}

static void a_ready_ppi_pending_does_not_stop_an_announcement(void **state)
{
	(void)state;
	assert_int_equal(with(f.pending = true), APF_ANNOUNCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announced_with_everything_in_place),
		cmocka_unit_test(a_guest_without_a_driver_halts),
		cmocka_unit_test(a_fault_that_the_guest_will_not_hear_of_halts),
		cmocka_unit_test(gic_off_ppi_disabled_or_masked_halts),
		cmocka_unit_test(declined_halts),
		cmocka_unit_test(another_announcement_not_claimed_halts),
		cmocka_unit_test(token_zero_is_not_the_empty_word),
		cmocka_unit_test(told_but_not_taken_yet_goes_back_in),
		cmocka_unit_test(told_but_cannot_take_it_halts),
		cmocka_unit_test(taken_but_not_claimed_halts),
		cmocka_unit_test(a_vcpu_that_gets_nowhere_waits),
		cmocka_unit_test(a_token_whose_bit_is_not_taken_halts),
		cmocka_unit_test(a_block_that_cannot_be_read_waits),
		cmocka_unit_test(a_ready_ppi_pending_does_not_stop_an_announcement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
