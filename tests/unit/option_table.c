// SPDX-License-Identifier: GPL-2.0-only
/* A table reads a command line: what it takes, what it refuses, and why. */

#include <stdio.h>
#include <string.h>

#include "things.h"
#include "unit.h"

#define ARGS_MAX	16

/* Words of a line, split at blanks; '_' stands for no character at all. */
struct line {
	char text[200];
	char *argv[ARGS_MAX + 1];
	int argc;
};

static void split(struct line *line, const char *text)
{
	char *rest = line->text, *word;

	snprintf(line->text, sizeof(line->text), "%s", text);
	line->argc = 0;
	line->argv[line->argc++] = (char *)"test";
	while ((word = strsep(&rest, " ")) && line->argc < ARGS_MAX) {
		if (*word)
			line->argv[line->argc++] = strcmp(word, "_") ? word : word + 1;
	}
	line->argv[line->argc] = NULL;
}

static enum option_result read_line(struct things *things, const char *text, uint64_t *given,
				    char *said, size_t size)
{
	static struct line line;
	struct reason why = { .text = said, .size = size };

	*said = '\0';
	*things = (struct things) { .cpu = -1, .guard = 0xdeadbeef };
	split(&line, text);
	return option_read_line(&table, things, line.argc, line.argv, given, &why);
}

static struct things read_good(const char *text)
{
	struct things things;
	uint64_t given;
	char said[200];

	if (read_line(&things, text, &given, said, sizeof(said)) != OPTION_RUN)
		fail_msg("%s: %s", text, said);
	assert_int_equal(things.guard, 0xdeadbeef);
	return things;
}

static void presets_hold_if_nothing_is_given(void **state)
{
	struct things got = read_good("");

	(void)state;
	assert_int_equal(got.size, 4096);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.cpu, -1);
	assert_int_equal(got.colour, RED);
	assert_false(got.shiny || got.loud);
	assert_string_equal(got.name, "-");
	assert_int_equal(got.texts.count, 1);
	assert_string_equal(got.texts.text[0], "nothing");
}

static void each_type_takes_its_values(void **state)
{
	struct things got = read_good("--size 0x10K --all 18446744073709551615 --count=8");

	(void)state;
	assert_int_equal(got.size, 16384);
	assert_int_equal(got.all, UINT64_MAX);
	assert_int_equal(got.count, 8);
	got = read_good("--colour green --volume loud --shiny --cpu 0 --name x");
	assert_int_equal(got.colour, GREEN);
	assert_true(got.shiny && got.loud);
	assert_int_equal(got.cpu, 0);
	assert_string_equal(got.name, "x");
	got = read_good("--text a --text b --even 10");
	assert_int_equal(got.texts.count, 2);
	assert_string_equal(got.texts.text[0], "a");
	assert_string_equal(got.texts.text[1], "b");
	assert_int_equal(got.even, 10);
	got = read_good("--five");
	assert_int_equal(got.fixed, 5);
}

static void both_bounds_can_be_had(void **state)
{
	(void)state;
	assert_int_equal(read_good("--count 1").count, 1);
	assert_int_equal(read_good("--count 8").count, 8);
	assert_int_equal(read_good("--size 16").size, 16);
	assert_int_equal(read_good("--size 1024G").size, 1ULL << 40);
	assert_int_equal(read_good("--wait 4294967295").count, UINT32_MAX);
	assert_int_equal(read_good("--all 0").all, 0);
}

/* A zero in front does not make a number octal. */
static void numbers_are_decimal_or_hexadecimal(void **state)
{
	(void)state;
	assert_int_equal(read_good("--all 010").all, 10);
	assert_int_equal(read_good("--all 0xfF").all, 255);
}

static void the_last_value_wins(void **state)
{
	(void)state;
	assert_int_equal(read_good("--count 4 --count 5").count, 5);
}

static const struct {
	const char *text;
	const char *why;
} wrong[] = {
	{ "--count 0", "--count 0 is not between 1 and 8" },
	{ "--count 9", "--count 9 is not between 1 and 8" },
	{ "--count _", "--count  is not between 1 and 8: it is not a number" },
	{ "--count x", "--count x is not between 1 and 8: it is not a number" },
	{ "--count 4x", "--count 4x is not between 1 and 8: it is not a number" },
	{ "--count -4", "--count -4 is not between 1 and 8: it is not a number" },
	{ "--count +4", "--count +4 is not between 1 and 8: it is not a number" },
	{ "--count 4.5", "--count 4.5 is not between 1 and 8: it is not a number" },
	{ "--count 1K", "--count 1K is not between 1 and 8: it is not a number" },
	{ "--count 0x", "--count 0x is not between 1 and 8: it is not a number" },
	{ "--count 4294967297", "--count 4294967297 is not between 1 and 8" },
	{ "--all 18446744073709551616",
	  "--all 18446744073709551616 is not between 0 and 18446744073709551615" },
	{ "--wait 0", "--wait 0 is not between 1 and 4294967295 MS" },
	{ "--wait 4294967296", "--wait 4294967296 is not between 1 and 4294967295 MS" },
	{ "--size 15", "--size 15 is not between 16 and 1024G BYTES" },
	{ "--size 1025G", "--size 1025G is not between 16 and 1024G BYTES" },
	{ "--size 18446744073709551615G",
	  "--size 18446744073709551615G is not between 16 and 1024G BYTES" },
	{ "--size 4k", "--size 4k is not between 16 and 1024G BYTES: it is not a number" },
	{ "--size 4KB", "--size 4KB is not between 16 and 1024G BYTES: it is not a number" },
	{ "--size K", "--size K is not between 16 and 1024G BYTES: it is not a number" },
	{ "--colour blue", "--colour blue is none of red, green" },
	{ "--colour re", "--colour re is none of red, green" },
	{ "--text a --text b --text c", "--text: given more than 2 times" },
	{ "--even 3", "--even 3 is odd" },
	{ "--even 12", "--even 12 is not between 2 and 10" },
	{ "--size", "--size needs a value: BYTES" },
	{ "--count 1 --colour", "--colour needs a value: red|green" },
	{ "--shiny=1", "--shiny takes no value" },
	{ "--help=1", "--help takes no value" },
	{ "--nonsense", "--nonsense: there is no such option; see --help" },
	{ "--nonsense=3 --count 1", "--nonsense=3: there is no such option; see --help" },
	{ "-x", "-x: there is no such option; see --help" },
	{ "--shiny file", "'file': there are only options; see --help" },
	{ "-- --shiny", "'--shiny': there are only options; see --help" },
};

static void a_wrong_line_is_refused_with_option_value_and_bounds(void **state)
{
	struct things things;
	uint64_t given;
	char said[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (read_line(&things, wrong[i].text, &given, said, sizeof(said)) != OPTION_WRONG)
			fail_msg("'%s' is taken", wrong[i].text);
		if (strcmp(said, wrong[i].why))
			fail_msg("'%s': '%s', not '%s'", wrong[i].text, said, wrong[i].why);
	}
}

static void a_reason_longer_than_its_room_is_cut(void **state)
{
	struct things things;
	uint64_t given;
	char said[9] = "........";

	(void)state;
	assert_int_equal(read_line(&things, "--count 9", &given, said, 8), OPTION_WRONG);
	assert_string_equal(said, "--count");
	assert_int_equal(read_line(&things, "--no", &given, said, 8), OPTION_WRONG);
	assert_string_equal(said, "--no: t");
}

static void it_is_known_what_was_given(void **state)
{
	struct things things;
	uint64_t given;
	char said[200];

	(void)state;
	assert_int_equal(read_line(&things, "--count 3 --shiny", &given, said, sizeof(said)),
			 OPTION_RUN);
	assert_true(option_is_given(&table, given, "count"));
	assert_true(option_is_given(&table, given, "shiny"));
	assert_false(option_is_given(&table, given, "size"));
}

static void help_comes_before_what_is_wrong_behind_it(void **state)
{
	struct things things;
	uint64_t given;
	char said[200];

	(void)state;
	assert_int_equal(read_line(&things, "--help --nonsense", &given, said, sizeof(said)),
			 OPTION_HELP);
}

/* All of a help text, without its line ends. */
static void help_text(char *text, size_t size)
{
	FILE *to = fmemopen(text, size, "w");
	char *end;

	option_print_help(&table, to);
	fclose(to);
	for (end = text; *end; end++) {
		if (*end == '\n')
			*end = '/';
	}
}

static void the_help_says_what_the_table_does(void **state)
{
	char text[4000];

	(void)state;
	help_text(text, sizeof(text));
	assert_ptr_equal(strstr(text, "intro/"), text);
	assert_non_null(strstr(text, "/  --size BYTES        a size [16 to 1024G, default 4K]/"));
	assert_non_null(strstr(text, "/  --all N             any number [0 or more]/"));
	assert_non_null(strstr(text, "/  --colour red|green  a colour/"));
	assert_non_null(strstr(text, "/  --shiny             whether it shines/"));
	assert_non_null(strstr(text, "/  --text STR          texts [up to 2 times,"));
	assert_non_null(strstr(text, "/  --help              this text/notes/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets_hold_if_nothing_is_given),
		cmocka_unit_test(each_type_takes_its_values),
		cmocka_unit_test(both_bounds_can_be_had),
		cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
		cmocka_unit_test(the_last_value_wins),
		cmocka_unit_test(a_wrong_line_is_refused_with_option_value_and_bounds),
		cmocka_unit_test(a_reason_longer_than_its_room_is_cut),
		cmocka_unit_test(it_is_known_what_was_given),
		cmocka_unit_test(help_comes_before_what_is_wrong_behind_it),
		cmocka_unit_test(the_help_says_what_the_table_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
