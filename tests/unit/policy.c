// SPDX-License-Identifier: GPL-2.0-only
/* --policy RANGE:SPEC: all forms, all errors, and who wins. */

#include <stdio.h>
#include <string.h>

#include "policy.h"
#include "unit.h"
#include "util.h"

#define PAGES		1024
#define ORDINARY	100
#define PAGE_SIZE	4096

static const struct good {
	const char *text;
	struct policy policy;
} good[] = {
	{ "all:now",               { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "ram:never",             { PAGES, PAGES + ORDINARY, 1, POLICY_NEVER, POLICY_FIFO, 0 } },
	{ "all:never",             { 0, PAGES, 1, POLICY_NEVER, POLICY_FIFO, 0 } },
	{ "all:fail",              { 0, PAGES, 1, POLICY_FAIL, POLICY_FIFO, 0 } },
	{ "all:now,fail",          { 0, PAGES, 1, POLICY_FAIL, POLICY_FIFO, 0 } },
	{ "all:fail,delay=3",      { 0, PAGES, 1, POLICY_FAIL, POLICY_FIFO, 3000000 } },
	{ "all:delay=3,fail",      { 0, PAGES, 1, POLICY_FAIL, POLICY_FIFO, 3000000 } },
	{ "all:delay=0",           { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "all:delay=0.5",         { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 500000 } },
	{ "all:delay=1.000001",    { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 1000001 } },
	{ "all:delay=0.0000019",   { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 1 } },
	{ "all:delay=3600000",     { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 3600000000000 } },
	{ "all:delay=2,batch=1",   { 0, PAGES, 1, POLICY_SERVE, POLICY_FIFO, 2000000 } },
	{ "all:batch=256,delay=2", { 0, PAGES, 256, POLICY_SERVE, POLICY_FIFO, 2000000 } },
	{ "all:delay=2,batch=4,order=fifo",
				   { 0, PAGES, 4, POLICY_SERVE, POLICY_FIFO, 2000000 } },
	{ "all:order=lifo,batch=4,delay=2",
				   { 0, PAGES, 4, POLICY_SERVE, POLICY_LIFO, 2000000 } },
	{ "all:delay=2,order=shuffle,batch=4,fail",
				   { 0, PAGES, 4, POLICY_FAIL, POLICY_SHUFFLE, 2000000 } },
	{ "0-1:now",               { 0, 1, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "1023-1024:now",         { 1023, 1024, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "4K-8K:now",             { 1, 2, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "1M-4M:now",             { 256, 1024, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "0G-4K:now",             { 0, 1, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
	{ "3-16K:now",             { 3, 4, 1, POLICY_SERVE, POLICY_FIFO, 0 } },
};

static const struct wrong {
	const char *text;
	const char *why;
} wrong[] = {
	{ "",                     "'' is not RANGE:SPEC" },
	{ "all",                  "'all' is not RANGE:SPEC" },
	{ ":now",                 "'' is neither 'all' nor START-END" },
	{ "5:now",                "'5' is neither 'all' nor START-END" },
	{ "ALL:now",              "'ALL' is neither 'all' nor START-END" },
	{ "x-5:now",              "'x' is not a page number" },
	{ "-5:now",               "'' is not a page number" },
	{ "5-:now",               "'' is not a page number" },
	{ "+1-5:now",             "'+1' is not a page number" },
	{ " 1-5:now",             "' 1' is not a page number" },
	{ "1-2-3:now",            "'2-3' is not a page number" },
	{ "0-4k:now",             "'4k' is not a page number" },
	{ "0-4KB:now",            "'4KB' is not a page number" },
	{ "0x1-5:now",            "'0x1' is not a page number" },
	{ "0-18446744073709551616:now",
				  "'18446744073709551616' is not a page number" },
	{ "0-18446744073709551615G:now",
				  "'18446744073709551615G' is not a multiple of the page size" },
	{ "1K-8K:now",            "'1K' is not a multiple of the page size, 4096" },
	{ "0-1025:now",           "'1025' is beyond the 1024 pages" },
	{ "0-4294967297:now",     "'4294967297' is beyond the 1024 pages" },
	{ "0-1G:now",             "'1G' is beyond the 1024 pages" },
	{ "5-5:now",              "5-5 is an empty range" },
	{ "2-4K:now",             "2-4K is an empty range" },
	{ "ram:now", "'ram' is always there, but with --restore, --evict or --pageout" },
	{ "all:",                 "'' is none of" },
	{ "all:later",            "'later' is none of" },
	{ "all:now,",             "'' is none of" },
	{ "all:now:now",          "'now:now' is none of" },
	{ "all: now",             "' now' is none of" },
	{ "all:now,now",          "'now' contradicts or repeats" },
	{ "all:now,delay=1",      "'delay' contradicts or repeats" },
	{ "all:delay=1,now",      "'now' contradicts or repeats" },
	{ "all:never,delay=1",    "'delay' contradicts or repeats" },
	{ "all:never,fail",       "'fail' contradicts or repeats" },
	{ "all:fail,never",       "'never' contradicts or repeats" },
	{ "all:delay=1,batch=2,batch=2", "'batch' contradicts or repeats" },
	{ "all:delay=1,order=fifo,order=lifo,batch=2",
				  "'order' contradicts or repeats" },
	{ "all:delay",            "'delay' needs a value" },
	{ "all:now=1",            "'now' takes no value" },
	{ "all:delay=",           "delay= is not a time between 0 and 3600000 ms" },
	{ "all:delay=-1",         "delay=-1 is not a time" },
	{ "all:delay=.5",         "delay=.5 is not a time" },
	{ "all:delay=3600001",    "delay=3600001 is not a time" },
	{ "all:delay=1.",         "delay=1. is not a number of milliseconds" },
	{ "all:delay=1.5.5",      "delay=1.5.5 is not a number of milliseconds" },
	{ "all:delay=1ms",        "delay=1ms is not a number of milliseconds" },
	{ "all:delay=1,batch=0",  "batch=0 is not between 1 and 256" },
	{ "all:delay=1,batch=257", "batch=257 is not between 1 and 256" },
	{ "all:delay=1,batch=4x", "batch=4x is not between 1 and 256" },
	{ "all:delay=1,batch=",   "batch= is not between 1 and 256" },
	{ "all:delay=1,batch=4,order=random", "order=random is none of" },
	{ "all:batch=4",          "batch=N needs delay=MS" },
	{ "all:now,batch=4",      "batch=N needs delay=MS" },
	{ "all:never,batch=4",    "batch=N needs delay=MS" },
	{ "all:delay=0,batch=4",  "batch=N needs delay=MS" },
	{ "all:delay=1,order=lifo", "order= needs batch=N" },
};

static void add(struct policy_list *list, const char *text)
{
	char why[160] = "";

	if (policy_list_add(list, text, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
}

static void each_form_says_what_it_means(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		const struct policy *want = &good[i].policy;
		struct policy_list list;
		const struct policy *got = &list.policy[1];

		policy_list_init(&list, PAGES, ORDINARY, PAGE_SIZE);
		add(&list, good[i].text);
		assert_int_equal(list.count, 2);
		if (got->start != want->start || got->end != want->end ||
		    got->batch != want->batch || got->answer != want->answer ||
		    got->order != want->order || got->delay_ns != want->delay_ns)
			fail_msg("%s: something else", good[i].text);
	}
}

static void an_error_says_why_and_leaves_the_list_as_it_was(void **state)
{
	struct policy_list list, before;
	unsigned int i;

	(void)state;
	policy_list_init(&list, PAGES, 0, PAGE_SIZE);
	add(&list, "3-5:delay=7");
	before = list;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		char why[160] = "";

		if (!policy_list_add(&list, wrong[i].text, why, sizeof(why)))
			fail_msg("%s: taken", wrong[i].text);
		if (strncmp(why, wrong[i].why, strlen(wrong[i].why)))
			fail_msg("%s: says %s", wrong[i].text, why);
		assert_memory_equal(&list, &before, sizeof(list));
	}
}

static void a_reason_too_long_is_cut(void **state)
{
	struct policy_list list;
	char why[9] = "........";

	(void)state;
	policy_list_init(&list, PAGES, 0, PAGE_SIZE);
	assert_int_equal(policy_list_add(&list, "all:later", why, 8), -1);
	assert_string_equal(why, "'later'");
}

static void without_a_policy_pages_come_at_once(void **state)
{
	struct policy_list list;

	(void)state;
	policy_list_init(&list, PAGES, 0, PAGE_SIZE);
	assert_int_equal(policy_find(&list, 0), 0);
	assert_int_equal(policy_find(&list, PAGES - 1), 0);
	assert_int_equal(list.policy[0].answer, POLICY_SERVE);
	assert_int_equal(list.policy[0].delay_ns, 0);
	assert_int_equal(list.policy[0].batch, 1);
}

static void a_later_policy_overrides_an_earlier_one(void **state)
{
	static const struct {
		uint32_t page;
		unsigned int policy;
	} found[] = {
		{ 0, 1 }, { 9, 1 }, { 10, 2 }, { 14, 2 }, { 15, 3 },
		{ 19, 3 }, { 29, 3 }, { 30, 1 }, { PAGES - 1, 1 },
	};
	struct policy_list list;
	unsigned int i;

	(void)state;
	policy_list_init(&list, PAGES, 0, PAGE_SIZE);
	add(&list, "all:delay=1");
	add(&list, "10-20:never");
	add(&list, "15-30:fail");
	for (i = 0; i < ARRAY_SIZE(found); i++)
		assert_int_equal(policy_find(&list, found[i].page), found[i].policy);
	add(&list, "all:now");
	assert_int_equal(policy_find(&list, 15), 4);
}

static void one_policy_too_many_is_refused(void **state)
{
	struct policy_list list, before;
	char why[160];
	unsigned int i;

	(void)state;
	policy_list_init(&list, PAGES, 0, PAGE_SIZE);
	for (i = 1; i < POLICY_MAX; i++)
		add(&list, "all:now");
	before = list;
	assert_int_equal(policy_list_add(&list, "all:now", why, sizeof(why)), -1);
	assert_string_equal(why, "more than 15 policies");
	assert_memory_equal(&list, &before, sizeof(list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_says_what_it_means),
		cmocka_unit_test(an_error_says_why_and_leaves_the_list_as_it_was),
		cmocka_unit_test(a_reason_too_long_is_cut),
		cmocka_unit_test(without_a_policy_pages_come_at_once),
		cmocka_unit_test(a_later_policy_overrides_an_earlier_one),
		cmocka_unit_test(one_policy_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
