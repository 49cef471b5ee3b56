// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of apfload.
 */
#include <ctype.h>
#include <err.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../common/array_size.h"
#include "apfload.h"

#define INTO	((struct load_config *)NULL)
#define BYTES_MAX	0x1000000000000
#define PAGES_MAX	0x100000000

static const char *const layout_words[] = { "interleaved", "blocked", NULL };
static const char *const check_words[] = { "first", "full", NULL };

/* The label goes into a JSON string and into the names of statistics. */
static int take_label(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct load_config *cfg = into;
	const char *c;

	for (c = text; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return option_reject_value(row, text, why,
						   "has a character other than A-Z a-z 0-9 . _ -");
	}
	if ((u64)(c - text) < row->min || (u64)(c - text) > row->max)
		return option_reject_value(row, text, why,
					   "is not between %llu and %llu characters long",
					   (u64)row->min, (u64)row->max);
	cfg->label = text;
	return 0;
}

static const struct option_row rows[] = {
	{ "map", OPTION_TEXT, OPTION_AT(INTO->map), .value = "FILE",
	  .help = "what is mapped, shared and writable: /dev/mem, or a file" },
	{ "offset", OPTION_SCALED, OPTION_AT(INTO->offset), 0, BYTES_MAX, "BYTES",
	  "where in FILE the mapping begins", "0" },
	{ "length", OPTION_SCALED, OPTION_AT(INTO->length), 1, BYTES_MAX, "BYTES",
	  "how much may be mapped; if not given, as much as --pages needs" },
	{ "ipa", OPTION_SCALED, OPTION_AT(INTO->ipa), 0, BYTES_MAX, "BYTES",
	  "address from which the content of the first page follows; if not given, that of\n"
	  "--offset" },
	{ "seed", OPTION_SCALED, OPTION_AT(INTO->seed), 0, UINT64_MAX, "N",
	  "seed of the content", "1" },
	{ "tasks", OPTION_SCALED, OPTION_AT(INTO->tasks), 1, LOAD_TASKS_MAX, "N",
	  "how many tasks touch pages" },
	{ "pages", OPTION_SCALED, OPTION_AT(INTO->pages), 1, PAGES_MAX, "N",
	  "how many pages are touched, by all tasks together" },
	{ "page-size", OPTION_SCALED, OPTION_AT(INTO->page_size), 4096, 1 << 30, "BYTES",
	  "what counts as one page, for a host with larger pages than the guest's; if not\n"
	  "given, the guest's page size, which is the least" },
	{ "skip", OPTION_SCALED, OPTION_AT(INTO->skip), 0, PAGES_MAX, "N",
	  "pages at the start of the mapping that are left untouched", "0" },
	{ "layout", OPTION_WORD, OPTION_AT(INTO->blocked), .words = layout_words,
	  .preset = "interleaved",
	  .help = "task i has the pages i, i + tasks, and so on; or (blocked) each task has\n"
		  "pages in a row" },
	{ "compute", OPTION_SCALED, OPTION_AT(INTO->compute_us), 0, 1000000, "US",
	  "computing after each page; a US is 1000 instructions", "0" },
	{ "fixed-time", OPTION_SCALED, OPTION_AT(INTO->fixed_ms), 1, 3600000, "MS",
	  "touch as many pages as there is time for, instead of all" },
	{ "same-page", OPTION_FLAG, OPTION_AT(INTO->same_page),
	  .help = "all tasks touch each page, all at the same time" },
	{ "write", OPTION_FLAG, OPTION_AT(INTO->write),
	  .help = "touch by a store instead of a load" },
	{ "syscall", OPTION_FLAG, OPTION_AT(INTO->syscall),
	  .help = "let the kernel touch: write(2) from the page instead of a load, read(2)\n"
		  "into it instead of a store" },
	{ "half-syscall", OPTION_FLAG, OPTION_AT(INTO->half_syscall),
	  .help = "let the kernel touch for every second task" },
	{ "fp", OPTION_FLAG, OPTION_AT(INTO->fp),
	  .help = "touch with all FP and vector registers (V, Z, P) in use, and check that\n"
		  "they are kept" },
	{ "check", OPTION_WORD, OPTION_AT(INTO->check_full), .words = check_words, .preset = "full",
	  .help = "compare the first word of a page, or the whole page" },
	{ "bystander", OPTION_FLAG, OPTION_AT(INTO->bystander),
	  .help = "run a real-time thread with a 1 ms timer, too" },
	{ "timer-noise", OPTION_SCALED, OPTION_AT(INTO->timer_noise_us), 10, 1000000, "US",
	  "a timer on each CPU that expires every US microseconds" },
	{ "ipi-noise", OPTION_SCALED, OPTION_AT(INTO->ipi_noise_us), 10, 1000000, "US",
	  "every US microseconds, a message that goes round all CPUs, with IPIs for a wakeup\n"
	  "and for membarrier(2) on each" },
	{ "pin", OPTION_SCALED, OPTION_AT(INTO->pin), 0, 1023, "N", "all threads on CPU N" },
	{ "pin-each", OPTION_FLAG, OPTION_AT(INTO->pin_each),
	  .help = "task i on CPU i modulo the number of CPUs, the bystander on CPU 0" },
	{ "log", OPTION_TEXT, OPTION_AT(INTO->log), .value = "FILE",
	  .help = "times of every touch and wakeup, as lines of JSON" },
	{ "label", OPTION_OWN, OPTION_AT(INTO->label), 1, 60, "STR", .preset = "run",
	  .take = take_label,
	  .help = "name of the run; characters:" },
	{ "mark", OPTION_TEXT, OPTION_AT(INTO->mark), .value = "FILE",
	  .help = "only write 'cntvct N', the counter's value, to FILE, such as trace_marker.\n"
		  "It ties a kernel's trace to the log" },
};

const struct option_table load_options = {
	.intro =
"usage: apfload --map FILE --tasks N --pages N [OPTION]...\n"
"       apfload --mark FILE\n"
"Tasks touch missing pages of a mapping, check what they hold, and compute.\n"
"\n",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.notes =
"\n"
"Numbers may be hexadecimal (0x), and have a suffix K, M or G. The result is one line\n"
"of JSON. Exit status: 0, 1 an error or a wrong page, 2 bad usage.\n",
};

static void check_config(const struct load_config *cfg)
{
	if (!cfg->map)
		errx(2, "--map FILE is missing: what to map (see apfload --help)");
	if (!cfg->tasks)
		errx(2, "--tasks N is missing: how many tasks touch pages");
	if (!cfg->pages)
		errx(2, "--pages N is missing: how many pages are touched");
	if (cfg->page_size < (u64)sysconf(_SC_PAGESIZE))
		errx(2, "--page-size %llu is less than the guest's page size, %ld bytes",
		     cfg->page_size, sysconf(_SC_PAGESIZE));
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

void load_options_read(int argc, char **argv, struct load_config *cfg)
{
	uint64_t given;

	*cfg = (struct load_config) { .pin = -1, .page_size = sysconf(_SC_PAGESIZE) };
	option_read_or_exit(&load_options, cfg, argc, argv, &given);
	if (cfg->mark)
		return;
	if (!option_is_given(&load_options, given, "ipa"))
		cfg->ipa = cfg->offset;
	if (!cfg->length)
		cfg->length = (cfg->skip + cfg->pages) * cfg->page_size;
	check_config(cfg);
}
