// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of apfkeep.
 */
#include <err.h>
#include <unistd.h>

#include "../common/array_size.h"
#include "keep.h"

#define INTO	((struct keep_config *)NULL)

static const struct option_row rows[] = {
	{ "tasks", OPTION_NUMBER, OPTION_AT(INTO->tasks), 1, KEEP_TASKS_MAX, "N",
	  "how many tasks keep data", "4" },
	{ "pages", OPTION_NUMBER, OPTION_AT(INTO->pages), 1, 1 << 20, "N", "pages of each task",
	  "256" },
	{ "rest", OPTION_NUMBER, OPTION_AT(INTO->rest_us), 0, 999999, "US",
	  "sleep after each page", "0" },
	{ "wait", OPTION_NUMBER, OPTION_AT(INTO->wait_ms), 0, 3600000, "MS",
	  "sleep between filling the memory and the first round", "0" },
	{ "visits", OPTION_NUMBER, OPTION_AT(INTO->visits), 0, 1 << 30, "N",
	  "visits to pages by each task, then the end; 0: go on until SIGTERM", "0" },
	{ "stride", OPTION_NUMBER, OPTION_AT(INTO->stride), 1, 1024, "N",
	  "keep data in each Nth page of memory only", "1" },
	{ "move", OPTION_NUMBER, OPTION_AT(INTO->move), 1, 1 << 20, "N",
	  "make the visits twice, each time when SIGUSR1 comes, the second time on pages\n"
	  "that are N further on, as many; then wait for SIGTERM" },
	{ "bystander", OPTION_FLAG, OPTION_AT(INTO->bystander),
	  .help = "run a real-time thread with a 1 ms timer beside the visits, too" },
	{ "half-syscall", OPTION_FLAG, OPTION_AT(INTO->half_syscall),
	  .help = "every second task has the kernel touch each page first" },
};

const struct option_table keep_options = {
	.intro =
"usage: apfkeep [OPTION]...\n"
"Tasks keep data in memory: they go round their own pages, check what they wrote there\n"
"in the last round, and write the next round's.\n"
"\n",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.notes =
"\n"
"The result is one line of JSON. Exit status: 0, 1 an error, 2 bad usage.\n",
};

static void check_config(const struct keep_config *cfg)
{
	if (cfg->visits * cfg->tasks % KEEP_PARTS)
		errx(2, "--visits %llu: not a multiple of %d for all of --tasks %u together",
		     cfg->visits, KEEP_PARTS, cfg->tasks);
	if ((cfg->move || cfg->bystander) && !cfg->visits)
		errx(2, "--move and --bystander need --visits N");
	if (cfg->pages % KEEP_STEP == 0)
		errx(2, "--pages %llu is a multiple of %d, so that a round would leave pages out",
		     cfg->pages, KEEP_STEP);
}

void keep_options_read(int argc, char **argv, struct keep_config *cfg)
{
	uint64_t given;

	*cfg = (struct keep_config) { .page_size = sysconf(_SC_PAGESIZE) };
	option_read_or_exit(&keep_options, cfg, argc, argv, &given);
	check_config(cfg);
}
