// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "util.h"

#define NS_PER_MS	UINT64_C(1000000)

#define INTO	((struct policy *)NULL)

/* What a word of SPEC decides: when the answer comes, and whether it is an error. */
enum settles {
	SETTLES_WHEN = 1,
	SETTLES_FAIL = 2,
};

struct parser {
	const struct policy_list *list;
	struct policy policy;
	struct reason why;
};

/* strtoull() takes blanks and signs; a range or a time has neither. */
static int parse_digits(const char *text, const char **end, uint64_t *value)
{
	char *stop;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &stop, 10);
	*end = stop;
	return errno ? -1 : 0;
}

/* A bound of a range: a page number, or bytes if it has a suffix. */
static int parse_bound(struct parser *p, const char *text, uint32_t *page)
{
	uint64_t value, unit;
	unsigned int shift;
	const char *end;

	if (parse_digits(text, &end, &value))
		return option_reject(&p->why, "'%s' is not a page number", text);
	shift = option_suffix_shift(*end);
	if (end[shift ? 1 : 0])
		return option_reject(&p->why, "'%s' is not a page number", text);
	if (shift) {
		unit = p->list->page_size;
		if (value > (UINT64_MAX >> shift) || (value << shift) % unit)
			return option_reject(&p->why, "'%s' is not a multiple of the page size, %"
					     PRIu64, text, unit);
		value = (value << shift) / unit;
	}
	if (value > p->list->pages)
		return option_reject(&p->why, "'%s' is beyond the %" PRIu32
				     " pages of the cold region", text, p->list->pages);
	*page = value;
	return 0;
}

static int parse_range(struct parser *p, char *text)
{
	char *second;

	if (!strcmp(text, "all")) {
		p->policy.end = p->list->pages;
		return 0;
	}
	if (!strcmp(text, "ram")) {
		if (!p->list->ordinary)
			return option_reject(&p->why,
					     "'ram' is always there, but with --restore, --evict or --pageout");
		p->policy.start = p->list->pages;
		p->policy.end = p->list->pages + p->list->ordinary;
		return 0;
	}
	second = strchr(text, '-');
	if (!second)
		return option_reject(&p->why, "'%s' is neither 'all' nor START-END, nor 'ram'",
				     text);
	*second++ = '\0';
	if (parse_bound(p, text, &p->policy.start) ||
	    parse_bound(p, second, &p->policy.end))
		return -1;
	if (p->policy.start >= p->policy.end)
		return option_reject(&p->why, "%s-%s is an empty range", text, second);
	return 0;
}

/* Milliseconds with a decimal fraction, exact to the nanosecond. */
static int take_delay(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct policy *policy = into;
	uint64_t unit = NS_PER_MS;
	const char *end;
	uint64_t ms, ns;

	if (parse_digits(text, &end, &ms) || ms > row->max)
		return option_reject_value(row, text, why,
					   "is not a time between 0 and %" PRIu64 " ms", row->max);
	ns = ms * NS_PER_MS;
	if (*end == '.' && isdigit((unsigned char)end[1])) {
		while (isdigit((unsigned char)*++end)) {
			unit /= 10;
			ns += (*end - '0') * unit;
		}
	}
	if (*end)
		return option_reject_value(row, text, why, "is not a number of milliseconds");
	policy->delay_ns = ns;
	return 0;
}

static const char *const order_words[] = { "fifo", "lifo", "shuffle", NULL };

static const struct option_row rows[] = {
	{ "now", OPTION_CONST, OPTION_AT(INTO->delay_ns), .min = 0, .settles = SETTLES_WHEN,
	  .help = "at once" },
	{ "delay", OPTION_OWN, .max = POLICY_DELAY_MAX_MS, .value = "MS", .take = take_delay,
	  .settles = SETTLES_WHEN, .help = "after that time, which may have a fraction" },
	{ "never", OPTION_CONST, OPTION_AT(INTO->answer), .min = POLICY_NEVER,
	  .settles = SETTLES_WHEN | SETTLES_FAIL, .help = "no answer" },
	{ "fail", OPTION_CONST, OPTION_AT(INTO->answer), .min = POLICY_FAIL,
	  .settles = SETTLES_FAIL,
	  .help = "the answer is 'this page is lost', now or delayed" },
	{ "order", OPTION_WORD, OPTION_AT(INTO->order), .words = order_words, .preset = "fifo",
	  .help = "in which order the pages of a batch are answered" },
	{ "batch", OPTION_NUMBER, OPTION_AT(INTO->batch), 1, POLICY_BATCH_MAX, "N",
	  "hold requests until N wait, or twice the delay has passed", "1" },
};

const struct option_table policy_words = { .rows = rows, .count = ARRAY_SIZE(rows) };

static int parse_spec(struct parser *p, const char *text)
{
	uint64_t given;

	if (option_read_spec(&policy_words, &p->policy, text, &given, &p->why))
		return -1;
	if (!option_is_given(&policy_words, given, "batch"))
		return option_is_given(&policy_words, given, "order") ?
		       option_reject(&p->why, "order= needs batch=N") : 0;
	if (!p->policy.delay_ns)
		return option_reject(&p->why,
				     "batch=N needs delay=MS (part of a batch goes after twice that)");
	return 0;
}

static int parse_policy(struct parser *p, char *text)
{
	char *spec = strchr(text, ':');

	if (!spec)
		return option_reject(&p->why, "'%s' is not RANGE:SPEC", text);
	*spec++ = '\0';
	if (parse_range(p, text))
		return -1;
	return parse_spec(p, spec);
}

void policy_list_init(struct policy_list *list, uint32_t pages, uint32_t ordinary,
		      uint32_t page_size)
{
	memset(list, 0, sizeof(*list));
	list->pages = pages;
	list->ordinary = ordinary;
	list->page_size = page_size;
	list->policy[0].end = pages + ordinary;
	list->policy[0].batch = 1;
	list->count = 1;
}

int policy_list_add(struct policy_list *list, const char *text, char *why,
		    size_t size)
{
	struct parser p = { .list = list, .why = { .text = why, .size = size } };
	char *copy;
	int ret;

	if (list->count == POLICY_MAX)
		return option_reject(&p.why, "more than %d policies", POLICY_MAX - 1);
	copy = strdup(text);
	if (!copy)
		return option_reject(&p.why, "no memory");
	ret = parse_policy(&p, copy);
	free(copy);
	if (!ret)
		list->policy[list->count++] = p.policy;
	return ret;
}
