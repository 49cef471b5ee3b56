// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evict_plan.h"
#include "util.h"

#define BURST_DEFAULT	512
#define WORD_BITS	64

struct parser {
	struct evict_options *opt;
	char *why;
	size_t size;
};

static int reject(const struct parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int reject(const struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, p->size, format, args);
	va_end(args);
	return -1;
}

/* strtoull() takes blanks and signs; these numbers have neither. */
static int parse_number(const struct parser *p, const char *name, const char *text,
			uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end)
		return reject(p, "%s=%s is not a number", name, text);
	if (errno || *value > max || !*value)
		return reject(p, "%s=%s is not between 1 and %" PRIu64, name, text, max);
	return 0;
}

static int set_every(struct parser *p, const char *value)
{
	return parse_number(p, "every", value, EVICT_EVERY_MAX_MS, &p->opt->every_ms);
}

static int set_pages(struct parser *p, const char *value)
{
	p->opt->pages = EVICT_ALL;
	if (!strcmp(value, "all"))
		return 0;
	return parse_number(p, "pages", value, UINT32_MAX, &p->opt->pages);
}

static int set_burst(struct parser *p, const char *value)
{
	return parse_number(p, "burst", value, EVICT_BURST_MAX, &p->opt->burst);
}

static int set_full(struct parser *p, const char *value)
{
	return parse_number(p, "full", value, UINT32_MAX, &p->opt->full);
}

static int set_seed(struct parser *p, const char *value)
{
	p->opt->seeded = true;
	return parse_number(p, "seed", value, UINT64_MAX, &p->opt->seed);
}

static int set_range(struct parser *p, const char *value)
{
	static const char *const name[] = { "all", "ram", "cold" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		if (!strcmp(value, name[i])) {
			p->opt->range = (enum evict_range)i;
			return 0;
		}
	}
	return reject(p, "range=%s is none of all, ram, cold", value);
}

static int set_now(struct parser *p, const char *value)
{
	(void)value;
	p->opt->now = true;
	return 0;
}

static const struct word {
	const char *name;
	bool has_value;
	int (*set)(struct parser *p, const char *value);
} words[] = {
	{ "every", true,  set_every },
	{ "pages", true,  set_pages },
	{ "burst", true,  set_burst },
	{ "full",  true,  set_full },
	{ "seed",  true,  set_seed },
	{ "range", true,  set_range },
	{ "now",   false, set_now },
};

static int parse_word(struct parser *p, char *text, unsigned int *seen)
{
	char *value = strchr(text, '=');
	unsigned int i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i].name))
			continue;
		if (words[i].has_value != !!value)
			return reject(p, words[i].has_value ? "'%s' needs a value" :
				      "'%s' takes no value", text);
		if (*seen & 1U << i)
			return reject(p, "'%s' is given more than once", text);
		*seen |= 1U << i;
		return words[i].set(p, value);
	}
	return reject(p, "'%s' is none of every=MS, pages=N, burst=, full=, seed=, range=, now",
		      text);
}

int evict_options_parse(struct evict_options *opt, const char *text, char *why,
			size_t size)
{
	struct parser p = { .opt = opt, .why = why, .size = size };
	char *copy = strdup(text), *rest = copy, *word;
	unsigned int seen = 0;
	int ret = 0;

	if (!copy)
		return reject(&p, "no memory");
	*opt = (struct evict_options) { .burst = BURST_DEFAULT };
	while (!ret && (word = strsep(&rest, ",")))
		ret = parse_word(&p, word, &seen);
	free(copy);
	if (!ret && (!opt->every_ms || !opt->pages))
		ret = reject(&p, "give every=MS and pages=N|all");
	return ret;
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
