// SPDX-License-Identifier: GPL-2.0-only
/* The token table: no token ever stands for two things. */

#include <stdlib.h>

#include "apf-tokens.h"
#include "unit.h"

#define ALL	(~0UL)

/* Announce @gfn under a new token. */
static int announce(struct apf_tokens *t, u64 gfn)
{
	int n = apf_tokens_alloc(t, gfn);

	assert_true(n >= 0);
	assert_true(apf_tokens_may_announce(t, n));
	apf_tokens_announced(t, n);

	return n;
}

static void finish(struct apf_tokens *t, int n)
{
	apf_tokens_done(t, BIT(n), 0);
	apf_tokens_posted(t);
}

static void a_page_under_way_is_found_until_it_is_done(void **state)
{
	struct apf_tokens t = {};
	int n = apf_tokens_alloc(&t, 0x80000);

	(void)state;
	assert_int_equal(apf_tokens_find(&t, 0x80000), n);
	assert_int_equal(apf_tokens_find(&t, 0x80001), -1);
	apf_tokens_done(&t, BIT(n), 0);
	assert_int_equal(apf_tokens_find(&t, 0x80000), -1);
}

static void page_zero_of_an_empty_table_is_not_under_way(void **state)
{
	struct apf_tokens t = {};

	(void)state;
	assert_int_equal(apf_tokens_find(&t, 0), -1);
	assert_false(apf_tokens_take_failed(&t, 0));
}

static void the_65th_page_gets_no_token(void **state)
{
	struct apf_tokens t = {};
	unsigned long seen = 0;
	int i;

	(void)state;
	for (i = 0; i < APF_TOKENS; i++)
		seen |= BIT(announce(&t, i));
	assert_true(seen == ALL);
	assert_int_equal(apf_tokens_alloc(&t, 100), -1);
	assert_int_equal(apf_tokens_find(&t, 100), -1);
}

static void a_cancelled_token_is_free_and_its_page_unknown(void **state)
{
	struct apf_tokens t = {};
	int n = apf_tokens_alloc(&t, 5);

	(void)state;
	apf_tokens_cancel(&t, n);
	assert_int_equal(apf_tokens_find(&t, 5), -1);
	assert_int_equal(apf_tokens_alloc(&t, 6), n);
}

static void who_was_told_is_owed_and_who_was_not_is_not(void **state)
{
	struct apf_tokens t = {};
	int told = announce(&t, 1);
	int halted = apf_tokens_alloc(&t, 2);

	(void)state;
	apf_tokens_done(&t, BIT(told) | BIT(halted), 0);
	assert_true(t.owed == BIT(told));
	assert_true(!t.busy && !t.announced);
}

static void a_token_is_not_announced_again_before_its_ready_bit_is_taken(void **state)
{
	struct apf_tokens t = {};
	int i;

	(void)state;
	for (i = 0; i < APF_TOKENS; i++)
		finish(&t, announce(&t, i));
	i = apf_tokens_alloc(&t, 100);
	assert_true(i >= 0);
	assert_false(apf_tokens_may_announce(&t, i));
	apf_tokens_seen(&t, ALL);
	assert_false(apf_tokens_may_announce(&t, i));
	apf_tokens_seen(&t, ALL & ~BIT(i));
	assert_true(apf_tokens_may_announce(&t, i));
}

static void a_token_owed_but_not_written_is_not_announced_again(void **state)
{
	struct apf_tokens t = {};
	int n = announce(&t, 1);

	(void)state;
	apf_tokens_done(&t, BIT(n), 0);
	assert_false(apf_tokens_may_announce(&t, n));
	assert_int_not_equal(apf_tokens_alloc(&t, 2), n);
}

static void a_ready_bit_set_by_the_guest_itself_frees_or_blocks_nothing(void **state)
{
	struct apf_tokens t = {};
	int n;

	(void)state;
	apf_tokens_seen(&t, ALL);
	assert_true(t.posted == 0);
	n = announce(&t, 1);
	apf_tokens_seen(&t, ALL);
	assert_true(apf_tokens_may_announce(&t, n));
}

static void a_page_that_cannot_be_had_is_told_once(void **state)
{
	struct apf_tokens t = {};
	int n = announce(&t, 7);

	(void)state;
	apf_tokens_done(&t, BIT(n), BIT(n));
	assert_true(t.owed == BIT(n));
	assert_true(apf_tokens_take_failed(&t, 7));
	assert_false(apf_tokens_take_failed(&t, 7));
}

static void each_of_many_failed_pages_is_remembered(void **state)
{
	struct apf_tokens t = {};
	int i;

	(void)state;
	for (i = 0; i < APF_TOKENS; i++)
		announce(&t, i);
	apf_tokens_done(&t, ALL, ALL);
	for (i = APF_TOKENS - 1; i >= 0; i--)
		assert_true(apf_tokens_take_failed(&t, i));
}

static void a_new_use_of_a_token_forgets_the_failed_page(void **state)
{
	struct apf_tokens t = {};
	int n = apf_tokens_alloc(&t, 7);

	(void)state;
	apf_tokens_done(&t, BIT(n), BIT(n));
	assert_int_equal(apf_tokens_alloc(&t, 8), n);
	assert_false(apf_tokens_take_failed(&t, 7));
	assert_false(apf_tokens_take_failed(&t, 8));
}

static void after_disable_nothing_is_owed_for_pages_under_way(void **state)
{
	struct apf_tokens t = {};
	int busy = announce(&t, 1);
	int owed = announce(&t, 2);

	(void)state;
	apf_tokens_done(&t, BIT(owed), 0);
	apf_tokens_forget(&t);
	assert_int_equal(apf_tokens_find(&t, 1), busy);
	apf_tokens_done(&t, BIT(busy), 0);
	assert_true(!t.owed && !t.posted && !t.announced);
}

static void after_wake_all_no_token_is_announced_before_its_bit_is_taken(void **state)
{
	struct apf_tokens t = {};
	int busy = apf_tokens_alloc(&t, 1);
	int n;

	(void)state;
	apf_tokens_announced(&t, busy);
	apf_tokens_wake_all(&t);
	assert_true(t.owed == ~0UL && !t.announced && !t.posted);
	apf_tokens_posted(&t);
	assert_int_equal(apf_tokens_find(&t, 1), busy);
	n = apf_tokens_alloc(&t, 2);
	assert_true(n >= 0 && n != busy);
	assert_false(apf_tokens_may_announce(&t, busy));
	assert_false(apf_tokens_may_announce(&t, n));
	apf_tokens_seen(&t, 0);
	assert_true(apf_tokens_may_announce(&t, busy));
	assert_true(apf_tokens_may_announce(&t, n));
}

/*
 * A random walk against a plain model: per token, what the guest believes.
 * Whatever is announced gets exactly one ready bit, and no token is announced
 * while the guest still has a bit of it to take.
 */
static void random_walk_keeps_one_meaning_per_token(void **state)
{
	enum { FREE, TOLD, READY } guest[APF_TOKENS] = {};
	struct apf_tokens t = {};
	u64 ready = 0;
	long step;

	(void)state;
	srandom(1);
	for (step = 0; step < 1000000; step++) {
		int n = random() % APF_TOKENS;

		switch (random() % 4) {
		case 0:
			n = apf_tokens_alloc(&t, 1000 + step);
			if (n < 0 || random() % 8 == 0)
				break;
			apf_tokens_seen(&t, ready);
			if (!apf_tokens_may_announce(&t, n))
				break;
			assert_int_equal(guest[n], FREE);
			guest[n] = TOLD;
			apf_tokens_announced(&t, n);
			break;
		case 1:
			if (t.busy & BIT(n))
				apf_tokens_done(&t, BIT(n), random() % 16 ? 0 : BIT(n));
			break;
		case 2:
			for (n = 0; n < APF_TOKENS; n++) {
				if (!(t.owed & BIT(n)))
					continue;
				assert_int_equal(guest[n], TOLD);
				guest[n] = READY;
			}
			ready |= t.owed;
			apf_tokens_posted(&t);
			break;
		case 3:
			for (n = 0; n < APF_TOKENS; n++) {
				if (!(ready & BIT(n)))
					continue;
				assert_int_equal(guest[n], READY);
				guest[n] = FREE;
			}
			ready = 0;
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_under_way_is_found_until_it_is_done),
		cmocka_unit_test(page_zero_of_an_empty_table_is_not_under_way),
		cmocka_unit_test(the_65th_page_gets_no_token),
		cmocka_unit_test(a_cancelled_token_is_free_and_its_page_unknown),
		cmocka_unit_test(who_was_told_is_owed_and_who_was_not_is_not),
		cmocka_unit_test(a_token_is_not_announced_again_before_its_ready_bit_is_taken),
		cmocka_unit_test(a_token_owed_but_not_written_is_not_announced_again),
		cmocka_unit_test(a_ready_bit_set_by_the_guest_itself_frees_or_blocks_nothing),
		cmocka_unit_test(a_page_that_cannot_be_had_is_told_once),
		cmocka_unit_test(each_of_many_failed_pages_is_remembered),
		cmocka_unit_test(a_new_use_of_a_token_forgets_the_failed_page),
		cmocka_unit_test(after_disable_nothing_is_owed_for_pages_under_way),
		cmocka_unit_test(after_wake_all_no_token_is_announced_before_its_bit_is_taken),
		cmocka_unit_test(random_walk_keeps_one_meaning_per_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
