// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "evict_plan.h"
#include "util.h"

#define WORD_BITS	64

#define INTO	((struct evict_options *)NULL)

static const char *const range_words[] = { "all", "ram", "cold", NULL };

static int take_pages(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct evict_options *opt = into;

	if (strcmp(text, "all"))
		return option_number(row, into, text, why);
	opt->pages = EVICT_ALL;
	return 0;
}

static const struct option_row rows[] = {
	{ "every", OPTION_NUMBER, OPTION_AT(INTO->every_ms), 1, EVICT_EVERY_MAX_MS, "MS",
	  "time from one round to the next" },
	{ "pages", OPTION_OWN, OPTION_AT(INTO->pages), 1, UINT32_MAX, "N|all", .take = take_pages,
	  .help = "how many of all pages a round chooses, missing ones too: single pages and\n"
		  "runs of pages. The seed decides which pages, and how long the runs are" },
	{ "burst", OPTION_NUMBER, OPTION_AT(INTO->burst), 1, EVICT_BURST_MAX, "N",
	  "the longest run, in pages", "512" },
	{ "full", OPTION_NUMBER, OPTION_AT(INTO->full), 1, UINT32_MAX, "N",
	  "each N-th round takes all pages; if not given, none does" },
	{ "seed", OPTION_NUMBER, OPTION_AT(INTO->seed), 1, UINT64_MAX, "N",
	  "seed of the choice; if not given, that of --seed" },
	{ "range", OPTION_WORD, OPTION_AT(INTO->range), .words = range_words, .preset = "all",
	  .help = "which part of guest memory" },
	{ "now", OPTION_FLAG, OPTION_AT(INTO->now),
	  .help = "from the start, not only when the guest says so" },
};

const struct option_table evict_words = { .rows = rows, .count = ARRAY_SIZE(rows) };

int evict_options_parse(struct evict_options *opt, const char *text, char *why,
			size_t size)
{
	struct reason reason = { .text = why, .size = size };
	uint64_t given;

	*opt = (struct evict_options) { .every_ms = 0 };
	if (option_read_spec(&evict_words, opt, text, &given, &reason))
		return -1;
	opt->seeded = option_is_given(&evict_words, given, "seed");
	if (!opt->every_ms || !opt->pages)
		return option_reject(&reason, "give every=MS and pages=N|all");
	return 0;
}

void evict_plan_init(struct evict_plan *plan, const struct evict_options *opt,
		     uint64_t ordinary, uint64_t cold)
{
	*plan = (struct evict_plan) {
		.opt = *opt,
		.first = opt->range == EVICT_RANGE_COLD ? ordinary : 0,
		.end = opt->range == EVICT_RANGE_RAM ? ordinary : ordinary + cold,
		.random = opt->seed,
	};
}

/* splitmix64: any seed will do, and the same one gives the same choice again. */
static uint64_t random_below(struct evict_plan *plan, uint64_t limit)
{
	uint64_t z = plan->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Half of the runs are single pages, a quarter is short, a quarter of any length. */
static uint64_t run_length(struct evict_plan *plan)
{
	uint64_t kind = random_below(plan, 4);

	if (kind < 2)
		return 1;
	return 1 + random_below(plan, kind == 2 ? smaller(16, plan->opt.burst) : plan->opt.burst);
}

/* The first page from @page on, up to @end, with its bit as @wanted, or @end. */
static uint64_t find(const uint64_t *there, uint64_t page, uint64_t end, bool wanted)
{
	while (page < end) {
		uint64_t word = wanted ? there[page / WORD_BITS] : ~there[page / WORD_BITS];

		word >>= page % WORD_BITS;
		if (word)
			return smaller(end, page + __builtin_ctzll(word));
		page = (page / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

void evict_plan_begin(struct evict_plan *plan)
{
	bool all = plan->opt.pages == EVICT_ALL;

	plan->rounds++;
	if (plan->opt.full && !(plan->rounds % plan->opt.full))
		all = true;
	plan->at = plan->first;
	plan->until = all ? plan->end : plan->first;
	plan->left = all || plan->first == plan->end ? 0 : plan->opt.pages;
}

/* At the end of the range a run is cut off. */
static void choose(struct evict_plan *plan)
{
	uint64_t length = smaller(run_length(plan), plan->left);

	plan->left -= length;
	plan->at = plan->first + random_below(plan, plan->end - plan->first);
	plan->until = smaller(plan->end, plan->at + length);
}

bool evict_plan_next(struct evict_plan *plan, const uint64_t *there,
		     struct evict_run *run)
{
	for (;;) {
		run->first = find(there, plan->at, plan->until, true);
		if (run->first < plan->until)
			break;
		if (!plan->left)
			return false;
		choose(plan);
	}
	plan->at = find(there, run->first, smaller(plan->until, run->first + plan->opt.burst),
			false);
	run->count = plan->at - run->first;
	return true;
}
