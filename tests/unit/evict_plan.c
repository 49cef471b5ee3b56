// SPDX-License-Identifier: GPL-2.0-only
/* What --evict takes, and which pages follow from the seed. */

#include <stdio.h>
#include <string.h>

#include "evict_plan.h"
#include "unit.h"
#include "util.h"

#define ORDINARY	1000
#define COLD		300
#define PAGES		(ORDINARY + COLD)
#define WORDS		((PAGES + 63) / 64)

static const struct evict_options base = {
	.every_ms = 1, .pages = 100, .burst = 64, .seed = 1,
};

static const struct row {
	const char *text;
	struct evict_options want;
} good[] = {
	{ "every=20,pages=64", { .every_ms = 20, .pages = 64, .burst = 512 } },
	{ "pages=1,every=1", { .every_ms = 1, .pages = 1, .burst = 512 } },
	{ "every=60000,pages=all", { .every_ms = 60000, .pages = EVICT_ALL, .burst = 512 } },
	{ "every=5,pages=9,seed=7,range=ram,burst=1,full=10,now",
	  { .every_ms = 5, .pages = 9, .burst = 1, .full = 10, .seed = 7,
	    .range = EVICT_RANGE_RAM, .seeded = true, .now = true } },
	{ "every=5,pages=9,range=cold,burst=4096",
	  { .every_ms = 5, .pages = 9, .burst = 4096, .range = EVICT_RANGE_COLD } },
	{ "every=5,pages=9,range=all,seed=18446744073709551615",
	  { .every_ms = 5, .pages = 9, .burst = 512, .seed = UINT64_MAX, .seeded = true } },
};

static const struct {
	const char *text;
	const char *why;
} bad[] = {
	{ "",                            "none of every=MS" },
	{ "every=20",                    "give every=MS and pages=N|all" },
	{ "pages=20",                    "give every=MS and pages=N|all" },
	{ "every=20,pages=64,",          "none of every=MS" },
	{ "every=20,pages=64,later",     "none of every=MS" },
	{ "every,pages=64",              "'every' needs a value" },
	{ "every=20,pages=64,now=1",     "'now' takes no value" },
	{ "every=0,pages=64",            "not between 1 and 60000" },
	{ "every=60001,pages=64",        "not between 1 and 60000" },
	{ "every=1.5,pages=64",          "is not a number" },
	{ "every=,pages=64",             "is not a number" },
	{ "every=-1,pages=64",           "is not a number" },
	{ "every= 1,pages=64",           "is not a number" },
	{ "every=20,pages=none",         "is not a number" },
	{ "every=20,pages=4294967296",   "not between 1 and" },
	{ "every=20,pages=64,burst=4097", "not between 1 and 4096" },
	{ "every=20,pages=64,burst=0",   "not between 1 and 4096" },
	{ "every=20,pages=64,seed=18446744073709551616", "not between 1 and" },
	{ "every=20,pages=64,range=0-5", "none of all, ram, cold" },
	{ "every=20,every=20,pages=64",  "more than once" },
};

static void a_good_spec_is_read(void **state)
{
	struct evict_options got;
	char why[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		const struct evict_options *want = &good[i].want;

		if (evict_options_parse(&got, good[i].text, why, sizeof(why)))
			fail_msg("'%s': %s", good[i].text, why);
		assert_int_equal(got.every_ms, want->every_ms);
		assert_int_equal(got.pages, want->pages);
		assert_int_equal(got.burst, want->burst);
		assert_int_equal(got.full, want->full);
		assert_int_equal(got.seed, want->seed);
		assert_int_equal(got.range, want->range);
		assert_int_equal(got.seeded, want->seeded);
		assert_int_equal(got.now, want->now);
	}
}

static void a_bad_spec_is_refused_with_the_reason(void **state)
{
	struct evict_options got;
	char why[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!evict_options_parse(&got, bad[i].text, why, sizeof(why)))
			fail_msg("'%s' is taken", bad[i].text);
		if (!strstr(why, bad[i].why))
			fail_msg("'%s': '%s', not '%s'", bad[i].text, why, bad[i].why);
	}
}

/* A memory whose pages come and go, and what was done with it. */
struct fixture {
	struct evict_plan plan;
	uint64_t there[WORDS];
	unsigned int taken[PAGES];
	unsigned int runs, single, long_runs;
};

static void start(struct fixture *f, const struct evict_options *opt)
{
	*f = (struct fixture) { .runs = 0 };
	evict_plan_init(&f->plan, opt, ORDINARY, COLD);
}

static bool is_there(const struct fixture *f, uint64_t page)
{
	return f->there[page / 64] >> page % 64 & 1;
}

static void set_there(struct fixture *f, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		f->there[first / 64] |= UINT64_C(1) << first % 64;
}

/* Returns how many pages. */
static uint64_t take_round(struct fixture *f)
{
	uint64_t pages = 0, i;
	struct evict_run run;

	evict_plan_begin(&f->plan);
	while (evict_plan_next(&f->plan, f->there, &run)) {
		assert_true(run.count > 0);
		assert_true(run.count <= f->plan.opt.burst);
		for (i = run.first; i < run.first + run.count; i++) {
			assert_true(i < PAGES && is_there(f, i));
			f->there[i / 64] &= ~(UINT64_C(1) << i % 64);
			f->taken[i]++;
		}
		f->runs++;
		f->single += run.count == 1;
		f->long_runs += run.count > 16;
		pages += run.count;
	}
	return pages;
}

/* After each round all pages come back. */
static void take_rounds(struct fixture *f, unsigned int rounds)
{
	while (rounds--) {
		set_there(f, 0, PAGES);
		take_round(f);
	}
}

/* Fewer, if it chooses a page twice, or a run goes over the end. */
static void a_round_takes_what_it_chooses(void **state)
{
	uint64_t pages = 0, taken;
	struct fixture f;
	unsigned int i;

	(void)state;
	start(&f, &base);
	for (i = 0; i < 100; i++) {
		set_there(&f, 0, PAGES);
		taken = take_round(&f);
		assert_true(taken > 0 && taken <= 100);
		pages += taken;
	}
	assert_true(pages > 100 * 80);
}

/* So what is left of a guest that has lost all is let alone for a while. */
static void where_few_are_there_few_are_taken(void **state)
{
	uint64_t pages = 0;
	struct fixture f;
	unsigned int i;

	(void)state;
	start(&f, &base);
	for (i = 0; i < 1000; i++) {
		set_there(&f, 500, 513);
		pages += take_round(&f);
	}
	assert_true(pages > 500 && pages < 1500);
	assert_int_equal(f.taken[499] + f.taken[513], 0);
}

static void of_nothing_nothing_is_taken(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &base);
	assert_int_equal(take_round(&f), 0);
}

static void singles_and_long_runs_reach_every_page(void **state)
{
	struct fixture f;
	unsigned int i;

	(void)state;
	start(&f, &base);
	take_rounds(&f, 200);
	for (i = 0; i < PAGES; i++)
		assert_true(f.taken[i] > 0);
	assert_true(f.single > f.runs / 4);
	assert_true(f.long_runs > f.runs / 10);
}

static void a_burst_of_one_is_single_pages(void **state)
{
	struct evict_options opt = base;
	struct fixture f;

	(void)state;
	opt.burst = 1;
	start(&f, &opt);
	take_rounds(&f, 10);
	assert_true(f.runs > 900);
	assert_int_equal(f.single, f.runs);
}

static void the_seed_decides(void **state)
{
	struct evict_options opt = base;
	struct fixture a, b, c;

	(void)state;
	start(&a, &base);
	start(&b, &base);
	opt.seed = 2;
	start(&c, &opt);
	take_rounds(&a, 5);
	take_rounds(&b, 5);
	take_rounds(&c, 5);
	assert_memory_equal(a.taken, b.taken, sizeof(a.taken));
	assert_memory_not_equal(a.taken, c.taken, sizeof(a.taken));
}

static void all_is_all_once(void **state)
{
	struct evict_options opt = base;
	struct fixture f;
	unsigned int i;

	(void)state;
	opt.pages = EVICT_ALL;
	start(&f, &opt);
	set_there(&f, 10, 700);
	set_there(&f, 900, PAGES);
	assert_int_equal(take_round(&f), 690 + PAGES - 900);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f.taken[i], (i >= 10 && i < 700) || i >= 900);
	assert_int_equal(take_round(&f), 0);
}

static void each_third_round_takes_all(void **state)
{
	struct evict_options opt = base;
	struct fixture f;
	unsigned int i;

	(void)state;
	opt.full = 3;
	start(&f, &opt);
	for (i = 1; i <= 9; i++) {
		set_there(&f, 0, PAGES);
		assert_int_equal(take_round(&f) == PAGES, i % 3 == 0);
	}
}

static void nothing_outside_of_the_range_is_taken(void **state)
{
	struct evict_options opt = base;
	struct fixture f;
	unsigned int i;

	(void)state;
	opt.range = EVICT_RANGE_COLD;
	start(&f, &opt);
	take_rounds(&f, 100);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f.taken[i] > 0, i >= ORDINARY);
	opt.range = EVICT_RANGE_RAM;
	opt.full = 2;
	start(&f, &opt);
	take_rounds(&f, 100);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(f.taken[i] > 0, i < ORDINARY);
}

static void of_no_memory_nothing_is_taken(void **state)
{
	struct evict_options opt = base;
	struct fixture f = { .runs = 0 };

	(void)state;
	opt.range = EVICT_RANGE_COLD;
	evict_plan_init(&f.plan, &opt, ORDINARY, 0);
	assert_int_equal(take_round(&f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_spec_is_read),
		cmocka_unit_test(a_bad_spec_is_refused_with_the_reason),
		cmocka_unit_test(a_round_takes_what_it_chooses),
		cmocka_unit_test(where_few_are_there_few_are_taken),
		cmocka_unit_test(of_nothing_nothing_is_taken),
		cmocka_unit_test(singles_and_long_runs_reach_every_page),
		cmocka_unit_test(a_burst_of_one_is_single_pages),
		cmocka_unit_test(the_seed_decides),
		cmocka_unit_test(all_is_all_once),
		cmocka_unit_test(each_third_round_takes_all),
		cmocka_unit_test(nothing_outside_of_the_range_is_taken),
		cmocka_unit_test(of_no_memory_nothing_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
