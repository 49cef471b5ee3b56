// SPDX-License-Identifier: GPL-2.0-only
/* A table reads a spec, "word=value,word"; and what no table may have in it. */

#include <stdio.h>
#include <string.h>

#include "things.h"
#include "unit.h"

static int read_spec(struct things *things, const char *text, uint64_t *given, char *said,
		     size_t size)
{
	struct reason why = { .text = said, .size = size };

	*things = (struct things) { .cpu = -1 };
	return option_read_spec(&table, things, text, given, &why);
}

static void a_spec_is_words_of_the_same_table(void **state)
{
	struct things got;
	uint64_t given;
	char said[300];

	(void)state;
	assert_int_equal(read_spec(&got, "count=7,shiny,six,colour=green", &given, said,
				   sizeof(said)), 0);
	assert_int_equal(got.count, 7);
	assert_true(got.shiny);
	assert_int_equal(got.fixed, 6);
	assert_int_equal(got.colour, GREEN);
	assert_int_equal(got.size, 4096);
	assert_true(option_is_given(&table, given, "six"));
	assert_false(option_is_given(&table, given, "five"));
}

static const struct {
	const char *text;
	const char *why;
} wrong_spec[] = {
	{ "", "'' is none of size=BYTES, all=N, count=N, cpu=N, wait=MS, colour=red|green," },
	{ "count=1,", "'' is none of size=BYTES" },
	{ "blue", "'blue' is none of size=BYTES" },
	{ "count=9", "count=9 is not between 1 and 8" },
	{ "count=", "count= is not between 1 and 8: it is not a number" },
	{ "wait=0", "wait=0 is not between 1 and 4294967295 MS" },
	{ "colour=blue", "colour=blue is none of red, green" },
	{ "even=3", "even=3 is odd" },
	{ "count", "'count' needs a value" },
	{ "shiny=1", "'shiny' takes no value" },
	{ "count=1,count=1", "'count' contradicts or repeats what stands before it" },
	{ "five,six", "'six' contradicts or repeats what stands before it" },
};

static void a_wrong_spec_is_refused_with_word_value_and_bounds(void **state)
{
	struct things things;
	uint64_t given;
	char said[300];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wrong_spec); i++) {
		if (!read_spec(&things, wrong_spec[i].text, &given, said, sizeof(said)))
			fail_msg("'%s' is taken", wrong_spec[i].text);
		if (strncmp(said, wrong_spec[i].why, strlen(wrong_spec[i].why)))
			fail_msg("'%s': '%s', not '%s'", wrong_spec[i].text, said,
				 wrong_spec[i].why);
	}
}

static const struct option_row unsound[] = {
	{ "x", OPTION_NUMBER, OPTION_AT(INTO->count), 1, 1ULL << 32, "N",
	  "more than the field holds" },
	{ "x", OPTION_NUMBER, OPTION_AT(INTO->count), 2, 1, "N", "no number at all" },
	{ "x", OPTION_NUMBER, OPTION_AT(INTO->shiny), 0, 1, "N", "a number in a bool" },
	{ "x", OPTION_NUMBER, OPTION_AT(INTO->count), 0, 1, NULL, "a number without a name" },
	{ "x", OPTION_NUMBER, OPTION_AT(INTO->count), 0, 1, "N" },
	{ "x", OPTION_FLAG, OPTION_AT(INTO->count), .help = "a flag in a number" },
	{ "x", OPTION_FLAG, OPTION_AT(INTO->shiny), .value = "N", .help = "a flag with a value" },
	{ "x", OPTION_TEXT, OPTION_AT(INTO->shiny), .value = "STR", .help = "a text in a bool" },
	{ "x", OPTION_TEXTS, OPTION_AT(INTO->texts), .max = 0, .value = "STR",
	  .help = "no text at all" },
	{ "x", OPTION_TEXTS, OPTION_AT(INTO->texts), .max = OPTION_TEXTS_MAX + 1, .value = "STR",
	  .help = "more texts than there is room for" },
	{ "x", OPTION_WORD, OPTION_AT(INTO->colour), .help = "a word of no words" },
	{ "x", OPTION_OWN, OPTION_AT(INTO->even), .value = "N", .help = "nobody reads it" },
	{ .type = OPTION_FLAG, OPTION_AT(INTO->shiny), .help = "no name" },
};

static void a_row_that_does_not_fit_its_field_is_seen(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!option_row_is_sound(&rows[i]))
			fail_msg("--%s is not sound", rows[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(unsound); i++) {
		if (option_row_is_sound(&unsound[i]))
			fail_msg("row %zu is sound: %s", i, unsound[i].help);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_is_words_of_the_same_table),
		cmocka_unit_test(a_wrong_spec_is_refused_with_word_value_and_bounds),
		cmocka_unit_test(a_row_that_does_not_fit_its_field_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
