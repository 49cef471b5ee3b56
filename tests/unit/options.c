// SPDX-License-Identifier: GPL-2.0-only
/* The programs' tables: apfvm's, apfload's, apfkeep's. Each option's bounds, and presets. */

#include <stdio.h>
#include <string.h>

#include "../../load/apfload.h"
#include "../../load/keep.h"
#include "../../vmm/options.h"
#include "unit.h"
#include "util.h"

union all {
	struct options vmm;
	struct load_config load;
	struct keep_config keep;
};

/* @name NULL: no option at all. Return: what the reader says, which is then in @said. */
static enum option_result read_one(const struct option_table *table, void *into,
				   const char *name, const char *value, char *said, size_t size)
{
	char option[40], text[80];
	char *argv[4] = { (char *)"test", option, text, NULL };
	struct reason why = { .text = said, .size = size };
	uint64_t given;

	memset(into, 0, sizeof(union all));
	*said = '\0';
	snprintf(option, sizeof(option), "--%s", name ? name : "");
	snprintf(text, sizeof(text), "%s", value ? value : "");
	return option_read_line(table, into, !name ? 1 : value ? 3 : 2, argv, &given, &why);
}

static const struct option_row *find(const struct option_table *table, const char *name)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		if (!strcmp(table->rows[i].name, name))
			return &table->rows[i];
	}
	fail_msg("there is no --%s", name);
	return NULL;
}

/* The interface as it is, so that nobody changes a bound or a name by accident. */
static const struct bounds {
	const struct option_table *table;
	const char *name;
	uint64_t min;
	uint64_t max;
} bounds[] = {
	{ &options_table, "mem", 16, 65536 },
	{ &options_table, "cold", 0, 65536 },
	{ &options_table, "cpus", 1, 8 },
	{ &options_table, "apf-intid", 16, 31 },
	{ &options_table, "seed", 0, UINT64_MAX },
	{ &options_table, "stop-after", 1, INT32_MAX },
	{ &options_table, "save-after", 1, INT32_MAX },
	{ &options_table, "bandwidth", 1, 1000000 },
	{ &load_options, "offset", 0, 1ULL << 48 },
	{ &load_options, "length", 1, 1ULL << 48 },
	{ &load_options, "ipa", 0, 1ULL << 48 },
	{ &load_options, "seed", 0, UINT64_MAX },
	{ &load_options, "tasks", 1, 4096 },
	{ &load_options, "pages", 1, 1ULL << 32 },
	{ &load_options, "page-size", 4096, 1 << 30 },
	{ &load_options, "skip", 0, 1ULL << 32 },
	{ &load_options, "compute", 0, 1000000 },
	{ &load_options, "fixed-time", 1, 3600000 },
	{ &load_options, "timer-noise", 10, 1000000 },
	{ &load_options, "ipi-noise", 10, 1000000 },
	{ &load_options, "pin", 0, 1023 },
	{ &keep_options, "tasks", 1, 64 },
	{ &keep_options, "pages", 1, 1 << 20 },
	{ &keep_options, "rest", 0, 999999 },
	{ &keep_options, "wait", 0, 3600000 },
	{ &keep_options, "visits", 0, 1 << 30 },
	{ &keep_options, "stride", 1, 1024 },
	{ &keep_options, "move", 1, 1 << 20 },
};

static uint64_t field(const struct option_row *row, const void *from)
{
	const char *at = (const char *)from + row->offset;
	uint64_t value = 0;

	/* Little-endian, as this machine is. */
	memcpy(&value, at, row->size);
	return value;
}

static void each_bound_is_taken_and_kept(void **state)
{
	char value[30], said[200];
	union all into;
	size_t i, end;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		const struct bounds *b = &bounds[i];

		for (end = 0; end < 2; end++) {
			uint64_t number = end ? b->max : b->min;

			snprintf(value, sizeof(value), "%llu", (unsigned long long)number);
			if (read_one(b->table, &into, b->name, value, said, sizeof(said)))
				fail_msg("%s", said);
			assert_int_equal(field(find(b->table, b->name), &into), number);
		}
	}
}

static void beyond_each_bound_it_is_refused(void **state)
{
	char value[30], said[200];
	union all into;
	size_t i, end;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		const struct bounds *b = &bounds[i];

		for (end = 0; end < 2; end++) {
			uint64_t number = end ? b->max + 1 : b->min - 1;

			/* There is nothing beyond 0 or UINT64_MAX. */
			if (end ? !number : !b->min)
				continue;
			snprintf(value, sizeof(value), "%llu", (unsigned long long)number);
			if (read_one(b->table, &into, b->name, value, said, sizeof(said)) !=
			    OPTION_WRONG)
				fail_msg("--%s %s is taken", b->name, value);
			if (!strstr(said, "is not between"))
				fail_msg("--%s %s: %s", b->name, value, said);
		}
	}
}

static const struct names {
	const struct option_table *table;
	unsigned int count;
} names[] = {
	{ &options_table, 35 },
	{ &load_options, 26 },
	{ &keep_options, 9 },
};

static void without_options_the_presets_hold(void **state)
{
	char said[200];
	union all into;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(names[i].table->count, names[i].count);
		assert_int_equal(read_one(names[i].table, &into, NULL, NULL, said, sizeof(said)),
				 OPTION_RUN);
	}
	read_one(&options_table, &into, NULL, NULL, said, sizeof(said));
	assert_int_equal(into.vmm.mem_mib, 256);
	assert_int_equal(into.vmm.cold_mib, 0);
	assert_int_equal(into.vmm.cpus, 1);
	assert_int_equal(into.vmm.seed, 1);
	assert_int_equal(into.vmm.apf, APF_DEFAULT);
	assert_int_equal(into.vmm.backing, BACKING_ANON);
	assert_int_equal(into.vmm.append.count, 1);
	assert_string_equal(into.vmm.append.text[0], "console=hvc0 panic=-1");
	assert_string_equal(into.vmm.console, "-");
	read_one(&load_options, &into, NULL, NULL, said, sizeof(said));
	assert_int_equal(into.load.seed, 1);
	assert_true(into.load.check_full);
	assert_false(into.load.blocked);
	assert_string_equal(into.load.label, "run");
	read_one(&keep_options, &into, NULL, NULL, said, sizeof(said));
	assert_int_equal(into.keep.tasks, 4);
	assert_int_equal(into.keep.pages, 256);
	assert_int_equal(into.keep.stride, 1);
}

static const struct {
	const struct option_table *table;
	const char *name;
	const char *value;
	const char *why;
} wrong[] = {
	{ &options_table, "churn", "move", "--churn move is not HOW=MS" },
	{ &options_table, "churn", "none=5", "--churn none=5 is not HOW=MS" },
	{ &options_table, "churn", "mov=5", "--churn mov=5 is not HOW=MS" },
	{ &options_table, "churn", "move=0", "--churn 0 is not between 1 and 60000" },
	{ &options_table, "churn", "move=60001", "--churn 60001 is not between 1 and 60000 MS" },
	{ &options_table, "evict", "every=0,pages=1",
	  "--evict: every=0 is not between 1 and 60000 MS" },
	{ &options_table, "apf", "maybe", "--apf maybe is none of default, off, on" },
	{ &options_table, "cold-backing", "disk",
	  "--cold-backing disk is none of anon, shmem, hugetlb" },
	{ &options_table, "restore", NULL, "--restore needs a value: FILE" },
	{ &load_options, "label", "a b", "--label a b has a character other than" },
	{ &load_options, "label", "", "--label  is not between 1 and 60 characters long" },
	{ &load_options, "label", "0123456789012345678901234567890123456789012345678901234567890",
	  "--label 0123456789012345678901234567890123456789012345678901234567890 is not" },
	{ &load_options, "layout", "random", "--layout random is none of interleaved, blocked" },
	{ &keep_options, "half-syscalls", NULL, "--half-syscalls: there is no such option" },
};

static void a_program_s_own_values_are_checked(void **state)
{
	char said[200];
	union all into;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (read_one(wrong[i].table, &into, wrong[i].name, wrong[i].value, said,
			     sizeof(said)) != OPTION_WRONG)
			fail_msg("--%s %s is taken", wrong[i].name, wrong[i].value);
		if (strncmp(said, wrong[i].why, strlen(wrong[i].why)))
			fail_msg("'%s', not '%s'", said, wrong[i].why);
	}
}

static void a_program_s_own_values_are_taken(void **state)
{
	char said[200];
	union all into;

	(void)state;
	assert_int_equal(read_one(&options_table, &into, "churn", "collapse=60000", said,
				  sizeof(said)), OPTION_RUN);
	assert_int_equal(into.vmm.churn.how, CHURN_COLLAPSE);
	assert_int_equal(into.vmm.churn.every_ms, 60000);
	read_one(&options_table, &into, "evict", "every=9,pages=all", said, sizeof(said));
	assert_int_equal(into.vmm.evict.every_ms, 9);
	assert_int_equal(into.vmm.evict.pages, EVICT_ALL);
	read_one(&options_table, &into, "apf", "on", said, sizeof(said));
	assert_int_equal(into.vmm.apf, APF_ON);
	read_one(&options_table, &into, "cold-backing", "hugetlb", said, sizeof(said));
	assert_int_equal(into.vmm.backing, BACKING_HUGETLB);
	read_one(&load_options, &into, "check", "first", said, sizeof(said));
	assert_false(into.load.check_full);
	read_one(&load_options, &into, "layout", "blocked", said, sizeof(said));
	assert_true(into.load.blocked);
	read_one(&load_options, &into, "length", "4M", said, sizeof(said));
	assert_int_equal(into.load.length, 4 << 20);
}

/* The suffix is cut off in argv itself. */
static void a_disk_is_writable_only_if_it_ends_so(void **state)
{
	char name[] = "a,b.img", writable[] = "c.img,rw", third[] = "d.img";
	char *argv[8] = { (char *)"test", (char *)"--disk", name, (char *)"--disk", writable,
			 (char *)"--disk", third, NULL };
	char said[200];
	struct reason why = { .text = said, .size = sizeof(said) };
	struct options opt = { .disks = 0 };
	uint64_t given;

	(void)state;
	assert_int_equal(option_read_line(&options_table, &opt, 5, argv, &given, &why), OPTION_RUN);
	assert_int_equal(opt.disks, 2);
	assert_string_equal(opt.disk[0].name, "a,b.img");
	assert_false(opt.disk[0].writable);
	assert_string_equal(opt.disk[1].name, "c.img");
	assert_true(opt.disk[1].writable);
	opt.disks = 0;
	assert_int_equal(option_read_line(&options_table, &opt, 7, argv, &given, &why),
			 OPTION_WRONG);
	assert_string_equal(said, "--disk: given more than 2 times");
}

static void one_vm_is_restored(void **state)
{
	char *argv[6] = { (char *)"test", (char *)"--restore", (char *)"a", (char *)"--restore",
			 (char *)"b", NULL };
	char said[200];
	struct reason why = { .text = said, .size = sizeof(said) };
	struct options opt = { .disks = 0 };
	uint64_t given;

	(void)state;
	assert_int_equal(option_read_line(&options_table, &opt, 5, argv, &given, &why),
			 OPTION_WRONG);
	assert_string_equal(said, "--restore: given more than once");
}

static void each_program_s_help_names_all_its_options(void **state)
{
	char text[20000], name[60];
	unsigned int i, row;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const struct option_table *table = names[i].table;
		FILE *to = fmemopen(text, sizeof(text), "w");

		option_print_help(table, to);
		fclose(to);
		for (row = 0; row < table->count; row++) {
			snprintf(name, sizeof(name), "\n  --%s", table->rows[row].name);
			assert_non_null(strstr(text, name));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bound_is_taken_and_kept),
		cmocka_unit_test(beyond_each_bound_it_is_refused),
		cmocka_unit_test(without_options_the_presets_hold),
		cmocka_unit_test(a_program_s_own_values_are_checked),
		cmocka_unit_test(a_program_s_own_values_are_taken),
		cmocka_unit_test(a_disk_is_writable_only_if_it_ends_so),
		cmocka_unit_test(one_vm_is_restored),
		cmocka_unit_test(each_program_s_help_names_all_its_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
