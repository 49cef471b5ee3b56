// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "state.h"
#include "util.h"

#define MEM_MAX_MIB	65536

/* An option is a number or, when @max is 0, a text. */
static const struct rule {
	const char *name;
	size_t field;
	uint64_t min;
	uint64_t max;
} rules[] = {
	{ "kernel",     offsetof(struct options, kernel),        0, 0 },
	{ "initrd",     offsetof(struct options, initrd),        0, 0 },
	{ "console",    offsetof(struct options, console),       0, 0 },
	{ "result",     offsetof(struct options, result),        0, 0 },
	{ "marks",      offsetof(struct options, marks),         0, 0 },
	{ "cold-file",  offsetof(struct options, cold_file),     0, 0 },
	{ "pages-socket", offsetof(struct options, pages_socket), 0, 0 },
	{ "save",       offsetof(struct options, save),          0, 0 },
	{ "mem",        offsetof(struct options, mem_mib),       16, MEM_MAX_MIB },
	{ "cold",       offsetof(struct options, cold_mib),      0, MEM_MAX_MIB },
	{ "cpus",       offsetof(struct options, cpus),          1, CPUS_MAX },
	{ "apf-intid",  offsetof(struct options, apf_intid),     16, 31 },
	{ "seed",       offsetof(struct options, seed),          0, UINT64_MAX },
	{ "stop-after", offsetof(struct options, stop_after_ms), 1, INT32_MAX },
	{ "save-after", offsetof(struct options, save_after_ms), 1, INT32_MAX },
};

/* Options without a value. */
static const struct flag {
	const char *name;
	size_t field;
} flags[] = {
	{ "cold-ro",   offsetof(struct options, cold_ro) },
	{ "dirty-log", offsetof(struct options, dirty_log) },
	{ "mapped",    offsetof(struct options, mapped) },
	{ "mergeable", offsetof(struct options, mergeable) },
	{ "no-gic",    offsetof(struct options, no_gic) },
	{ "pin",       offsetof(struct options, pin) },
	{ "sve",       offsetof(struct options, sve) },
};

enum {
	OPTION_APPEND = ARRAY_SIZE(rules),
	OPTION_POLICY,
	OPTION_APF,
	OPTION_COLD_BACKING,
	OPTION_CHURN,
	OPTION_EVICT,
	OPTION_DISK,
	OPTION_RESTORE,
	OPTION_FLAG,
	OPTION_HELP = OPTION_FLAG + ARRAY_SIZE(flags),
	OPTION_COUNT,
};

/* Policies can be read only once the size of the cold memory is known. */
struct policy_texts {
	unsigned int count;
	const char *text[POLICY_MAX];
};

static int set_number(const struct rule *rule, uint64_t *field, const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (!*text || *end || strchr(text, '-'))
		return say_error("--%s: '%s' is not a number", rule->name, text);
	if (errno || value < rule->min || value > rule->max)
		return say_error("--%s: %s is not between %" PRIu64 " and %" PRIu64,
				 rule->name, text, rule->min, rule->max);
	*field = value;
	return 0;
}

static int set_field(struct options *opt, const struct rule *rule, const char *text)
{
	void *field = (char *)opt + rule->field;

	if (rule->max)
		return set_number(rule, field, text);
	*(const char **)field = text;
	return 0;
}

/* Return: the place of the first @size characters of @text in @names, or -1. */
static int set_flag(struct options *opt, const struct flag *flag)
{
	*(bool *)((char *)opt + flag->field) = true;
	return 0;
}

static int find_name(const char *const *names, unsigned int count, const char *text,
		     size_t size)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (strlen(names[i]) == size && !strncmp(names[i], text, size))
			return i;
	}
	return -1;
}

static int set_apf(struct options *opt, const char *text)
{
	static const char *const names[] = { "default", "off", "on" };
	int i = find_name(names, ARRAY_SIZE(names), text, strlen(text));

	if (i < 0)
		return say_error("--apf: '%s' is none of default, off, on", text);
	opt->apf = (enum apf_mode)i;
	return 0;
}

static int set_backing(struct options *opt, const char *text)
{
	static const char *const names[] = { "anon", "shmem", "hugetlb" };
	int i = find_name(names, ARRAY_SIZE(names), text, strlen(text));

	if (i < 0)
		return say_error("--cold-backing: '%s' is none of anon, shmem, hugetlb", text);
	opt->backing = (enum backing)i;
	return 0;
}

static int set_churn(struct churn_options *churn, const char *text)
{
	static const char *const names[] = { "none", "delete", "move", "ro", "log", "collapse" };
	static const struct rule every = { .name = "churn", .min = 1, .max = 60000 };
	size_t size = strcspn(text, "=");
	int i = find_name(names, ARRAY_SIZE(names), text, size);

	if (i < 0 || !text[size])
		return say_error("--churn: '%s' is none of delete, move, ro, log, collapse =MS",
				 text);
	churn->how = (enum churn_how)i;
	return set_number(&every, &churn->every_ms, text + size + 1);
}

/* A name may have a comma in it, but for one that ends in ",rw". @text is cut there. */
static int add_disk(struct options *opt, char *text)
{
	static const char suffix[] = ",rw";
	size_t size = strlen(text), cut = sizeof(suffix) - 1;
	bool writable = size > cut && !strcmp(text + size - cut, suffix);

	if (opt->disks == DISKS_MAX)
		return say_error("--disk: given more than %d times", DISKS_MAX);
	if (writable)
		text[size - cut] = '\0';
	opt->disk[opt->disks++] = (struct disk_options) { .name = text, .writable = writable };
	return 0;
}

static int set_evict(struct options *opt, const char *text)
{
	char why[160];

	if (evict_options_parse(&opt->evict, text, why, sizeof(why)))
		return say_error("--evict: %s", why);
	return 0;
}

uint64_t options_cold_page(const struct options *opt)
{
	return opt->backing == BACKING_HUGETLB ? 2 * MIB : (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Given twice is a mistake, and the first one stays open until the end. */
static int open_restore(struct options *opt, const char *name)
{
	static struct state state;

	if (opt->restore)
		return say_error("--restore: given more than once");
	if (state_open(&state, name))
		return -1;
	opt->restore = &state;
	return 0;
}

static void set_default(uint64_t *field, uint64_t value)
{
	if (*field == OPTION_UNSET)
		*field = value;
}

static int keep_append(struct options *opt, const char *text)
{
	if (opt->boots == BOOTS_MAX)
		return say_error("--append: given more than %d times", BOOTS_MAX);
	opt->append[opt->boots++] = text;
	return 0;
}

static int keep_policy(struct policy_texts *policies, const char *text)
{
	if (policies->count == POLICY_MAX)
		return say_error("--policy: given more than %d times", POLICY_MAX - 1);
	policies->text[policies->count++] = text;
	return 0;
}

static int parse_policies(struct options *opt, const struct policy_texts *policies)
{
	uint64_t page_size = options_cold_page(opt);
	bool ordinary = opt->restore || opt->evict.every_ms;
	char why[160];
	unsigned int i;

	if (policies->count && !opt->cold_mib && !ordinary)
		return say_error("--policy: there is no cold memory; give --cold MIB");
	if (policies->count && (opt->cold_file || opt->pages_socket || opt->mapped))
		return say_error("--policy: not with --cold-file, --pages-socket or --mapped");
	policy_list_init(&opt->policies, opt->cold_mib * MIB / page_size,
			 ordinary ? opt->mem_mib * MIB / page_size : 0, page_size);
	for (i = 0; i < policies->count; i++) {
		if (policy_list_add(&opt->policies, policies->text[i], why, sizeof(why)))
			return say_error("--policy: %s", why);
	}
	return 0;
}

static int check(const struct options *opt)
{
	if (options_check_save(opt) || options_check_served(opt) || options_check_evict(opt))
		return -1;
	if (!opt->kernel && !opt->restore)
		return say_error("--kernel is missing; see --help");
	/* What follows the ordinary memory is to be aligned to 2 MiB. */
	if (opt->mem_mib % 2)
		return say_error("--mem: %" PRIu64 " is not an even number", opt->mem_mib);
	if (opt->cold_ro && !opt->cold_mib)
		return say_error("--cold-ro: there is no cold memory; give --cold MIB");
	if ((opt->churn.how || opt->dirty_log || opt->backing) && !opt->cold_mib)
		return say_error("--churn, --dirty-log and --cold-backing need --cold MIB");
	if (opt->cold_mib * MIB % options_cold_page(opt))
		return say_error("--cold: %" PRIu64 " MiB is no number of pages", opt->cold_mib);
	if (opt->churn.how && (opt->cold_ro || opt->boots > 1))
		return say_error("--churn: not with --cold-ro, nor with several --append");
	return 0;
}

static void fill_getopt_table(struct option *table)
{
	unsigned int i;

	memset(table, 0, (OPTION_COUNT + 1) * sizeof(*table));
	for (i = 0; i < OPTION_COUNT; i++) {
		table[i].has_arg = i < OPTION_FLAG ? required_argument : no_argument;
		table[i].val = i;
	}
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		table[i].name = rules[i].name;
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		table[OPTION_FLAG + i].name = flags[i].name;
	table[OPTION_APPEND].name = "append";
	table[OPTION_POLICY].name = "policy";
	table[OPTION_APF].name = "apf";
	table[OPTION_COLD_BACKING].name = "cold-backing";
	table[OPTION_CHURN].name = "churn";
	table[OPTION_EVICT].name = "evict";
	table[OPTION_DISK].name = "disk";
	table[OPTION_RESTORE].name = "restore";
	table[OPTION_HELP].name = "help";
}

static int take(struct options *opt, struct policy_texts *policies, int option,
		char **argv)
{
	switch (option) {
	case OPTION_APPEND:
		return keep_append(opt, optarg);
	case OPTION_POLICY:
		return keep_policy(policies, optarg);
	case OPTION_APF:
		return set_apf(opt, optarg);
	case OPTION_COLD_BACKING:
		return set_backing(opt, optarg);
	case OPTION_CHURN:
		return set_churn(&opt->churn, optarg);
	case OPTION_EVICT:
		return set_evict(opt, optarg);
	case OPTION_DISK:
		return add_disk(opt, optarg);
	case OPTION_RESTORE:
		return open_restore(opt, optarg);
	case ':':
		return say_error("%s needs a value", argv[optind - 1]);
	case '?':
		return say_error("%s: there is no such option; see --help",
				 argv[optind - 1]);
	default:
		return option < OPTION_FLAG ? set_field(opt, &rules[option], optarg) :
					      set_flag(opt, &flags[option - OPTION_FLAG]);
	}
}

enum options_result options_parse(struct options *opt, int argc, char **argv)
{
	struct option table[OPTION_COUNT + 1];
	struct policy_texts policies = { .count = 0 };
	int option;

	*opt = (struct options) {
		.console = "-",
		.mem_mib = OPTION_UNSET,
		.cold_mib = OPTION_UNSET,
		.cpus = OPTION_UNSET,
		.seed = OPTION_UNSET,
	};
	fill_getopt_table(table);
	while ((option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(options_help, stdout);
			return OPTIONS_HELP;
		}
		if (take(opt, &policies, option, argv))
			return OPTIONS_WRONG;
	}
	if (optind < argc) {
		say_error("'%s': there are only options; see --help", argv[optind]);
		return OPTIONS_WRONG;
	}
	if (opt->restore && options_take_file(opt))
		return OPTIONS_WRONG;
	set_default(&opt->mem_mib, 256);
	set_default(&opt->cold_mib, 0);
	set_default(&opt->cpus, 1);
	set_default(&opt->seed, 1);
	if (!opt->evict.seeded)
		opt->evict.seed = opt->seed;
	if (!opt->boots)
		opt->append[opt->boots++] = "console=hvc0 panic=-1";
	if (check(opt) || parse_policies(opt, &policies))
		return OPTIONS_WRONG;
	return OPTIONS_RUN;
}
