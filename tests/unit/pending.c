// SPDX-License-Identifier: GPL-2.0-only
/* Pages that were asked for: each is answered once, when and in the order it is due. */

#include <stdlib.h>

#include "pending.h"
#include "unit.h"
#include "util.h"

#define PAGES		1024
#define MS		UINT64_C(1000000)
#define SHUFFLED	64
#define SHUFFLED_SIZE	(SHUFFLED * sizeof(uint32_t))

struct fixture {
	struct policy_list list;
	struct pending pending;
	struct release out;
};

/* A table with up to two policies, the second one may be NULL. */
static struct fixture *with_seed(const char *first, const char *second, uint64_t seed)
{
	struct fixture *f = malloc(sizeof(*f));
	char why[160];

	assert_non_null(f);
	policy_list_init(&f->list, PAGES, 0, 4096);
	assert_int_equal(policy_list_add(&f->list, first, why, sizeof(why)), 0);
	if (second)
		assert_int_equal(policy_list_add(&f->list, second, why, sizeof(why)), 0);
	assert_int_equal(pending_init(&f->pending, &f->list, seed), 0);
	return f;
}

static struct fixture *with(const char *first, const char *second)
{
	return with_seed(first, second, 1);
}

static void drop(struct fixture *f)
{
	pending_free(&f->pending);
	free(f);
}

/* Ask for pages @from, @from + 1 and so on, at the times @when, @when + 1 ms ... */
static void ask(struct fixture *f, uint32_t from, uint32_t count, uint64_t when)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		assert_true(pending_add(&f->pending, from + i, when + i * MS));
}

static void expect_none(struct fixture *f, uint64_t now)
{
	assert_false(pending_take(&f->pending, now, &f->out));
}

/* The next release is of pages @from, @from + @step, and so on. */
static void expect(struct fixture *f, uint64_t now, uint32_t from, int step, uint32_t count)
{
	uint32_t i;

	assert_true(pending_take(&f->pending, now, &f->out));
	assert_int_equal(f->out.count, count);
	for (i = 0; i < count; i++)
		assert_int_equal(f->out.page[i], from + step * (int)i);
}

static void where_nobody_waits_nothing_is_due(void **state)
{
	struct fixture *f = with("all:delay=5", "0-8:delay=5,batch=4");

	(void)state;
	assert_true(pending_due(&f->pending) == PENDING_NEVER);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void without_a_delay_a_page_is_due_when_asked_for(void **state)
{
	struct fixture *f = with("all:now", NULL);

	(void)state;
	ask(f, 7, 1, 100);
	assert_true(pending_due(&f->pending) == 100);
	expect(f, 100, 7, 1, 1);
	assert_int_equal(f->out.answer, POLICY_SERVE);
	expect_none(f, 100);
	drop(f);
}

static void a_page_is_due_after_its_delay_and_not_before(void **state)
{
	struct fixture *f = with("all:delay=5", NULL);

	(void)state;
	ask(f, PAGES - 1, 1, 100);
	assert_true(pending_due(&f->pending) == 100 + 5 * MS);
	expect_none(f, 99 + 5 * MS);
	expect(f, 100 + 5 * MS, PAGES - 1, 1, 1);
	assert_true(pending_due(&f->pending) == PENDING_NEVER);
	drop(f);
}

static void pages_come_in_the_order_of_their_requests(void **state)
{
	struct fixture *f = with("all:delay=5", NULL);

	(void)state;
	ask(f, 40, 3, 0);
	ask(f, 0, 2, 3 * MS);
	/* Requests of 0, 1, 2, 3 and 4 ms; those up to 2 ms are due at 7 ms. */
	expect(f, 7 * MS, 40, 1, 3);
	assert_true(pending_due(&f->pending) == 8 * MS);
	expect(f, 60 * MS, 0, 1, 2);
	expect_none(f, 60 * MS);
	drop(f);
}

static void a_page_that_waits_already_is_answered_once(void **state)
{
	struct fixture *f = with("all:delay=5", NULL);

	(void)state;
	ask(f, 3, 1, 0);
	assert_false(pending_add(&f->pending, 3, 2 * MS));
	expect(f, 5 * MS, 3, 1, 1);
	expect_none(f, 60 * MS);
	drop(f);
}

static void an_answered_page_can_be_asked_for_again(void **state)
{
	struct fixture *f = with("all:delay=5", NULL);

	(void)state;
	ask(f, 3, 1, 0);
	expect(f, 5 * MS, 3, 1, 1);
	ask(f, 3, 1, 6 * MS);
	expect_none(f, 10 * MS);
	expect(f, 11 * MS, 3, 1, 1);
	drop(f);
}

static void never_waits_and_is_never_due(void **state)
{
	struct fixture *f = with("all:never", NULL);

	(void)state;
	ask(f, 0, 1, 0);
	assert_false(pending_add(&f->pending, 0, MS));
	assert_true(pending_due(&f->pending) == PENDING_NEVER);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void fail_is_an_answer_like_any_other(void **state)
{
	struct fixture *f = with("all:fail,delay=5", NULL);

	(void)state;
	ask(f, 0, 1, 0);
	expect(f, 5 * MS, 0, 1, 1);
	assert_int_equal(f->out.answer, POLICY_FAIL);
	drop(f);
}

static void a_full_batch_is_due_at_once(void **state)
{
	struct fixture *f = with("all:delay=50,batch=4", NULL);

	(void)state;
	ask(f, 0, 3, 0);
	expect_none(f, 3 * MS);
	ask(f, 3, 2, 3 * MS);
	assert_true(pending_due(&f->pending) == 0);
	expect(f, 4 * MS, 0, 1, 4);
	/* The fifth, of 4 ms, is the first of the next batch. */
	assert_true(pending_due(&f->pending) == 104 * MS);
	expect_none(f, 103 * MS);
	drop(f);
}

static void part_of_a_batch_is_due_after_twice_the_delay(void **state)
{
	struct fixture *f = with("all:delay=50,batch=4", NULL);

	(void)state;
	ask(f, 0, 3, 10 * MS);
	assert_true(pending_due(&f->pending) == 110 * MS);
	expect_none(f, 110 * MS - 1);
	expect(f, 110 * MS, 0, 1, 3);
	expect_none(f, 110 * MS);
	drop(f);
}

static void two_full_batches_are_two_releases(void **state)
{
	struct fixture *f = with("all:delay=50,batch=4", NULL);

	(void)state;
	ask(f, 0, 8, 0);
	expect(f, 8 * MS, 0, 1, 4);
	expect(f, 8 * MS, 4, 1, 4);
	expect_none(f, 8 * MS);
	drop(f);
}

static void lifo_turns_a_batch_round(void **state)
{
	struct fixture *f = with("all:delay=50,batch=5,order=lifo", NULL);

	(void)state;
	ask(f, 0, 5, 0);
	expect(f, 5 * MS, 4, -1, 5);
	ask(f, 0, 4, 10 * MS);
	expect(f, 110 * MS, 3, -1, 4);
	drop(f);
}

static struct fixture *with_shuffle(uint64_t seed)
{
	return with_seed("all:delay=50,batch=64,order=shuffle", NULL, seed);
}

/* A shuffled batch of the first 64 pages: each page once, and not in order. */
static void take_shuffled(struct fixture *f)
{
	bool in_order = true;
	uint64_t seen = 0;
	uint32_t i;

	ask(f, 0, SHUFFLED, 0);
	assert_true(pending_take(&f->pending, SHUFFLED * MS, &f->out));
	assert_int_equal(f->out.count, SHUFFLED);
	for (i = 0; i < SHUFFLED; i++) {
		assert_true(f->out.page[i] < SHUFFLED);
		seen |= UINT64_C(1) << f->out.page[i];
		in_order &= f->out.page[i] == i;
	}
	assert_true(seen == UINT64_MAX);
	assert_false(in_order);
}

static void shuffle_loses_no_page_and_follows_the_seed(void **state)
{
	struct fixture *one = with_shuffle(1), *again = with_shuffle(1);
	struct fixture *other = with_shuffle(2);

	(void)state;
	take_shuffled(one);
	take_shuffled(again);
	take_shuffled(other);
	assert_memory_equal(one->out.page, again->out.page, SHUFFLED_SIZE);
	assert_memory_not_equal(one->out.page, other->out.page, SHUFFLED_SIZE);
	drop(one);
	drop(again);
	drop(other);
}

static void each_batch_is_shuffled_anew_also_with_seed_zero(void **state)
{
	struct fixture *f = with_shuffle(0);
	struct release first;

	(void)state;
	take_shuffled(f);
	first = f->out;
	take_shuffled(f);
	assert_memory_not_equal(first.page, f->out.page, SHUFFLED_SIZE);
	drop(f);
}

static void a_release_holds_no_more_than_it_has_room_for(void **state)
{
	struct fixture *f = with("all:now", NULL);

	(void)state;
	ask(f, 0, POLICY_BATCH_MAX + 44, 0);
	expect(f, PAGES * MS, 0, 1, POLICY_BATCH_MAX);
	expect(f, PAGES * MS, POLICY_BATCH_MAX, 1, 44);
	expect_none(f, PAGES * MS);
	drop(f);
}

static void each_page_follows_the_last_policy_that_covers_it(void **state)
{
	struct fixture *f = with("0-20:delay=50", "10-30:fail,delay=5");

	(void)state;
	ask(f, 9, 2, 0);	/* at 50 ms; at 1 + 5 ms */
	ask(f, 30, 1, 2 * MS);	/* by the default, at once */
	assert_true(pending_due(&f->pending) == 2 * MS);
	expect(f, 2 * MS, 30, 1, 1);
	assert_true(pending_due(&f->pending) == 6 * MS);
	expect(f, 6 * MS, 10, 1, 1);
	assert_int_equal(f->out.answer, POLICY_FAIL);
	assert_true(pending_due(&f->pending) == 50 * MS);
	expect(f, 50 * MS, 9, 1, 1);
	assert_int_equal(f->out.answer, POLICY_SERVE);
	drop(f);
}

static void different_answers_are_different_releases(void **state)
{
	struct fixture *f = with("all:now", "8-16:fail");

	(void)state;
	ask(f, 6, 4, 0);
	expect(f, 60 * MS, 6, 1, 2);
	assert_int_equal(f->out.answer, POLICY_SERVE);
	expect(f, 60 * MS, 8, 1, 2);
	assert_int_equal(f->out.answer, POLICY_FAIL);
	expect_none(f, 60 * MS);
	drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_nobody_waits_nothing_is_due),
		cmocka_unit_test(without_a_delay_a_page_is_due_when_asked_for),
		cmocka_unit_test(a_page_is_due_after_its_delay_and_not_before),
		cmocka_unit_test(pages_come_in_the_order_of_their_requests),
		cmocka_unit_test(a_page_that_waits_already_is_answered_once),
		cmocka_unit_test(an_answered_page_can_be_asked_for_again),
		cmocka_unit_test(never_waits_and_is_never_due),
		cmocka_unit_test(fail_is_an_answer_like_any_other),
		cmocka_unit_test(a_full_batch_is_due_at_once),
		cmocka_unit_test(part_of_a_batch_is_due_after_twice_the_delay),
		cmocka_unit_test(two_full_batches_are_two_releases),
		cmocka_unit_test(lifo_turns_a_batch_round),
		cmocka_unit_test(shuffle_loses_no_page_and_follows_the_seed),
		cmocka_unit_test(each_batch_is_shuffled_anew_also_with_seed_zero),
		cmocka_unit_test(a_release_holds_no_more_than_it_has_room_for),
		cmocka_unit_test(each_page_follows_the_last_policy_that_covers_it),
		cmocka_unit_test(different_answers_are_different_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
