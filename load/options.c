// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of apfload.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include "apfload.h"

static const char usage[] =
"usage: apfload --map FILE --tasks N --pages N [options]\n"
"Tasks touch missing pages of a mapping, check what they hold, and compute.\n"
"\n"
"  --map FILE        what is mapped, shared and writable: /dev/mem, or a file\n"
"  --offset BYTES    where in FILE the mapping begins (0)\n"
"  --length BYTES    how much may be mapped (as much as --pages needs)\n"
"  --ipa BYTES       address that the content of the first page is a function\n"
"                    of (the same as --offset)\n"
"  --seed N          seed of the content (1)\n"
"  --tasks N         tasks, 1 to 4096\n"
"  --pages N         pages, of all tasks together\n"
"  --page-size BYTES what counts as one, if the host has larger ones (the guest's)\n"
"  --skip N          pages at the start of the mapping to leave untouched (0)\n"
"  --layout WORD     interleaved (default): task i has page i, i + tasks, ...;\n"
"                    blocked: each task has pages in a row\n"
"  --compute US      computing after each page, in units of 1000 instructions (0)\n"
"  --fixed-time MS   as many pages as there is time for, instead of all\n"
"  --same-page       all tasks touch each page, all at the same time\n"
"  --write           touch by a store instead of a load\n"
"  --syscall         let the kernel touch: write(2) from the page instead of a\n"
"                    load, read(2) into it instead of a store\n"
"  --half-syscall    the same, of every second task\n"
"  --fp              touch with all FP and vector registers (V, Z, P) in use, and\n"
"                    see whether they are kept\n"
"  --check full|first  compare the whole page (default), or its first word\n"
"  --bystander       with a real-time thread that has a 1 ms timer\n"
"  --timer-noise US  a timer on each CPU that expires every US microseconds\n"
"  --ipi-noise US    every US microseconds a message that goes round all CPUs, with\n"
"                    IPIs for a wakeup and for membarrier(2) on each\n"
"  --pin CPU         all threads on one CPU\n"
"  --pin-each        task i on CPU i modulo the number of CPUs, bystander on 0\n"
"  --log FILE        times of every touch and wakeup, as JSON lines\n"
"  --label STR       name of the run (run)\n"
"  --mark FILE       only write 'cntvct N', the counter's value, to FILE (such as\n"
"                    trace_marker, to tie a kernel's trace to the log)\n"
"  --help            this text\n"
"\n"
"Numbers may be hexadecimal, and have a suffix K, M or G. Result: one JSON line.\n"
"Exit status: 0, 1 an error or a wrong page, 2 bad usage.\n";

enum option_id {
	OPT_MAP = 1, OPT_OFFSET, OPT_LENGTH, OPT_IPA, OPT_SEED, OPT_TASKS,
	OPT_PAGES, OPT_SKIP, OPT_LAYOUT, OPT_COMPUTE, OPT_FIXED_TIME, OPT_SAME_PAGE,
	OPT_WRITE, OPT_SYSCALL, OPT_HALF_SYSCALL, OPT_FP,
	OPT_CHECK, OPT_BYSTANDER, OPT_PIN, OPT_PIN_EACH, OPT_LOG,
	OPT_LABEL, OPT_MARK, OPT_HELP, OPT_TIMER_NOISE, OPT_IPI_NOISE, OPT_PAGE_SIZE,
};

static const struct option options[] = {
	{ "map", required_argument, NULL, OPT_MAP },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "length", required_argument, NULL, OPT_LENGTH },
	{ "ipa", required_argument, NULL, OPT_IPA },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "tasks", required_argument, NULL, OPT_TASKS },
	{ "pages", required_argument, NULL, OPT_PAGES },
	{ "page-size", required_argument, NULL, OPT_PAGE_SIZE },
	{ "skip", required_argument, NULL, OPT_SKIP },
	{ "layout", required_argument, NULL, OPT_LAYOUT },
	{ "compute", required_argument, NULL, OPT_COMPUTE },
	{ "fixed-time", required_argument, NULL, OPT_FIXED_TIME },
	{ "same-page", no_argument, NULL, OPT_SAME_PAGE },
	{ "write", no_argument, NULL, OPT_WRITE },
	{ "syscall", no_argument, NULL, OPT_SYSCALL },
	{ "half-syscall", no_argument, NULL, OPT_HALF_SYSCALL },
	{ "fp", no_argument, NULL, OPT_FP },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "bystander", no_argument, NULL, OPT_BYSTANDER },
	{ "timer-noise", required_argument, NULL, OPT_TIMER_NOISE },
	{ "ipi-noise", required_argument, NULL, OPT_IPI_NOISE },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "pin-each", no_argument, NULL, OPT_PIN_EACH },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "label", required_argument, NULL, OPT_LABEL },
	{ "mark", required_argument, NULL, OPT_MARK },
	{ "help", no_argument, NULL, OPT_HELP },
	{ }
};

static noreturn void bad_usage(const char *option, const char *value, const char *why)
{
	errx(2, "--%s: '%s' %s", option, value, why);
}

static u64 suffix_factor(const char *suffix)
{
	if (!*suffix)
		return 1;
	if (suffix[1])
		return 0;
	switch (*suffix) {
	case 'K':
		return 1ULL << 10;
	case 'M':
		return 1ULL << 20;
	case 'G':
		return 1ULL << 30;
	}
	return 0;
}

static u64 parse_number(const char *option, const char *text, u64 min, u64 max)
{
	u64 value, factor;
	char *end, why[80];

	errno = 0;
	value = strtoull(text, &end, 0);
	factor = suffix_factor(end);
	if (!isdigit((unsigned char)*text) || errno || !factor)
		bad_usage(option, text, "is no number");
	if (value > max / factor || value * factor < min) {
		snprintf(why, sizeof(why), "is not between %llu and %llu", min, max);
		bad_usage(option, text, why);
	}
	return value * factor;
}

static bool either(const char *option, const char *text, const char *no, const char *yes)
{
	char why[80];

	if (!strcmp(text, yes))
		return true;
	if (strcmp(text, no)) {
		snprintf(why, sizeof(why), "is neither %s nor %s", no, yes);
		bad_usage(option, text, why);
	}
	return false;
}

/* It goes into a JSON string and into the names of statistics. */
static const char *parse_label(const char *text)
{
	const char *c;

	for (c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			bad_usage("label", text, "has a character other than A-Z a-z 0-9 . _ -");
	if (!*text || c - text > 60)
		bad_usage("label", text, "is not 1 to 60 characters long");
	return text;
}

static void set_amount(struct load_config *cfg, int id, const char *arg)
{
	const u64 most = 1ULL << 48;

	switch (id) {
	case OPT_OFFSET:
		cfg->offset = parse_number("offset", arg, 0, most);
		break;
	case OPT_LENGTH:
		cfg->length = parse_number("length", arg, 1, most);
		break;
	case OPT_IPA:
		cfg->ipa = parse_number("ipa", arg, 0, most);
		break;
	case OPT_SEED:
		cfg->seed = parse_number("seed", arg, 0, ULLONG_MAX);
		break;
	case OPT_TASKS:
		cfg->tasks = parse_number("tasks", arg, 1, LOAD_TASKS_MAX);
		break;
	case OPT_PAGES:
		cfg->pages = parse_number("pages", arg, 1, 1ULL << 32);
		break;
	case OPT_PAGE_SIZE:
		cfg->page_size = parse_number("page-size", arg, cfg->page_size, 1ULL << 30);
		break;
	case OPT_SKIP:
		cfg->skip = parse_number("skip", arg, 0, 1ULL << 32);
		break;
	case OPT_COMPUTE:
		cfg->compute_us = parse_number("compute", arg, 0, 1000000);
		break;
	case OPT_FIXED_TIME:
		cfg->fixed_ms = parse_number("fixed-time", arg, 1, 3600000);
		break;
	case OPT_TIMER_NOISE:
		cfg->timer_noise_us = parse_number("timer-noise", arg, 10, 1000000);
		break;
	case OPT_IPI_NOISE:
		cfg->ipi_noise_us = parse_number("ipi-noise", arg, 10, 1000000);
		break;
	case OPT_PIN:
		cfg->pin = parse_number("pin", arg, 0, 1023);
		break;
	}
}

static void set_word(struct load_config *cfg, int id, const char *arg)
{
	switch (id) {
	case OPT_MAP:
		cfg->map = arg;
		break;
	case OPT_LOG:
		cfg->log = arg;
		break;
	case OPT_MARK:
		cfg->mark = arg;
		break;
	case OPT_LABEL:
		cfg->label = parse_label(arg);
		break;
	case OPT_LAYOUT:
		cfg->blocked = either("layout", arg, "interleaved", "blocked");
		break;
	case OPT_CHECK:
		cfg->check_full = either("check", arg, "first", "full");
		break;
	case OPT_SAME_PAGE:
		cfg->same_page = true;
		break;
	case OPT_WRITE:
		cfg->write = true;
		break;
	case OPT_SYSCALL:
		cfg->syscall = true;
		break;
	case OPT_HALF_SYSCALL:
		cfg->half_syscall = true;
		break;
	case OPT_FP:
		cfg->fp = true;
		break;
	case OPT_BYSTANDER:
		cfg->bystander = true;
		break;
	case OPT_PIN_EACH:
		cfg->pin_each = true;
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	case '?':
		errx(2, "see apfload --help");
	}
}

static void check_config(const struct load_config *cfg)
{
	if (!cfg->map)
		errx(2, "--map FILE is missing: what to map (see apfload --help)");
	if (!cfg->tasks)
		errx(2, "--tasks N is missing: how many tasks touch pages");
	if (!cfg->pages)
		errx(2, "--pages N is missing: how many pages are touched");
	if (cfg->page_size & (cfg->page_size - 1))
		errx(2, "--page-size: not a power of two");
	if (cfg->same_page && cfg->tasks * LOAD_SLICE_MIN * sizeof(u64) > cfg->page_size)
		errx(2, "--same-page: more than %llu tasks for a page of that size",
		     cfg->page_size / LOAD_SLICE_MIN / sizeof(u64));
	if (cfg->offset % cfg->page_size)
		errx(2, "--offset: not a multiple of the page size");
	if (cfg->ipa % cfg->page_size)
		errx(2, "--ipa: not a multiple of the page size");
	if (cfg->length < (cfg->skip + cfg->pages) * cfg->page_size)
		errx(2, "--pages: more than fit in --length, after --skip");
	if (cfg->fp && cfg->syscall)
		errx(2, "--fp and --syscall exclude each other");
	if (cfg->pin >= 0 && cfg->pin_each)
		errx(2, "--pin and --pin-each exclude each other");
	if (cfg->pin >= 0 && (cfg->timer_noise_us || cfg->ipi_noise_us))
		errx(2, "--pin excludes --timer-noise and --ipi-noise, which are on all CPUs");
	if (!cfg->same_page && cfg->pages < cfg->tasks)
		errx(2, "--pages: fewer than --tasks, so that some task has none");
}

void options_parse(int argc, char **argv, struct load_config *cfg)
{
	int id;

	*cfg = (struct load_config) {
		.label = "run", .seed = 1, .pin = -1, .check_full = true,
		.ipa = ULLONG_MAX, .page_size = sysconf(_SC_PAGESIZE),
	};
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		set_amount(cfg, id, optarg);
		set_word(cfg, id, optarg);
	}
	if (optind < argc)
		errx(2, "'%s' is not an option (see apfload --help)", argv[optind]);
	if (cfg->mark)
		return;
	if (cfg->ipa == ULLONG_MAX)
		cfg->ipa = cfg->offset;
	if (!cfg->length)
		cfg->length = (cfg->skip + cfg->pages) * cfg->page_size;
	check_config(cfg);
}
