/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages the evictor takes away next: `--evict SPEC`, and a seeded choice.
 * Pure text and numbers; knows neither KVM nor userfaultfd nor a clock.
 */
#ifndef APFVM_EVICT_PLAN_H
#define APFVM_EVICT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/option_table.h"

#define EVICT_EVERY_MAX_MS	60000
#define EVICT_BURST_MAX		4096
#define EVICT_ALL		UINT64_MAX

enum evict_range {
	EVICT_RANGE_ALL,
	EVICT_RANGE_RAM,
	EVICT_RANGE_COLD,
};

/**
 * struct evict_options - from the command line
 * @every_ms:	time from one round to the next; 0: there is no evictor
 * @pages:	how many pages a round chooses, or EVICT_ALL
 * @burst:	the longest run of pages that lie one behind the other
 * @full:	each @full-th round takes all; 0: none does
 * @seed:	what is chosen follows from it
 * @range:	where
 * @seeded:	@seed was given
 * @now:	from the start, not only when the guest says so
 */
struct evict_options {
	uint64_t every_ms;
	uint64_t pages;
	uint64_t burst;
	uint64_t full;
	uint64_t seed;
	enum evict_range range;
	bool seeded;
	bool now;
};

/* The words of SPEC. */
extern const struct option_table evict_words;

/* Returns 0, or -1 with the reason in @why. */
int evict_options_parse(struct evict_options *opt, const char *text, char *why,
			size_t size);

/* Pages are numbered by their place in memory, the cold ones behind the others. */
struct evict_run {
	uint64_t first;
	uint64_t count;
};

/**
 * struct evict_plan - the choice, and how far a round has come
 *
 * A round chooses among all pages, and takes those of them that are there. So a page
 * stays for the same time in the mean, however few there are: where most are away, it
 * takes few, and a guest comes back even from a round that took all.
 *
 * @opt:	what is wanted
 * @first:	first page of the range
 * @end:	page after its last one
 * @random:	state of the generator
 * @rounds:	begun so far
 * @left:	pages that this round has still to choose
 * @at:		the rest of those that were chosen last begins here,
 * @until:	and ends before this one
 */
struct evict_plan {
	struct evict_options opt;
	uint64_t first;
	uint64_t end;
	uint64_t random;
	uint64_t rounds;
	uint64_t left;
	uint64_t at;
	uint64_t until;
};

/* @ordinary and @cold: pages of each. */
void evict_plan_init(struct evict_plan *plan, const struct evict_options *opt,
		     uint64_t ordinary, uint64_t cold);
void evict_plan_begin(struct evict_plan *plan);
/*
 * The round's next run, all of whose pages have their bit in @there, a bit for each
 * page of memory; the caller clears those bits. Returns false at the round's end.
 */
bool evict_plan_next(struct evict_plan *plan, const uint64_t *there,
		     struct evict_run *run);

#endif /* APFVM_EVICT_PLAN_H */
