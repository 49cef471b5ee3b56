// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"
#include "util.h"

#define NS_PER_MS	UINT64_C(1000000)

enum seen {
	SEEN_WHEN = 1,
	SEEN_FAIL = 2,
	SEEN_ORDER = 4,
	SEEN_BATCH = 8,
};

struct parser {
	const struct policy_list *list;
	struct policy policy;
	unsigned int seen;
	char *why;
	size_t size;
};

static int reject(struct parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int reject(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, p->size, format, args);
	va_end(args);
	return -1;
}

/* strtoull() takes blanks and signs; a range or a count has neither. */
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

static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

/* A bound of a range: a page number, or bytes if it has a suffix. */
static int parse_bound(struct parser *p, const char *text, uint32_t *page)
{
	uint64_t value, unit;
	unsigned int shift;
	const char *end;

	if (parse_digits(text, &end, &value))
		return reject(p, "'%s' is not a page number", text);
	shift = suffix_shift(*end);
	if (end[shift ? 1 : 0])
		return reject(p, "'%s' is not a page number", text);
	if (shift) {
		unit = p->list->page_size;
		if (value > (UINT64_MAX >> shift) || (value << shift) % unit)
			return reject(p, "'%s' is not a multiple of the page size, %" PRIu64,
				      text, unit);
		value = (value << shift) / unit;
	}
	if (value > p->list->pages)
		return reject(p, "'%s' is beyond the %" PRIu32 " pages of the cold region",
			      text, p->list->pages);
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
			return reject(p,
				      "'ram' is always there, but with --restore, --evict or --pageout");
		p->policy.start = p->list->pages;
		p->policy.end = p->list->pages + p->list->ordinary;
		return 0;
	}
	second = strchr(text, '-');
	if (!second)
		return reject(p, "'%s' is neither 'all' nor START-END, nor 'ram'", text);
	*second++ = '\0';
	if (parse_bound(p, text, &p->policy.start) ||
	    parse_bound(p, second, &p->policy.end))
		return -1;
	if (p->policy.start >= p->policy.end)
		return reject(p, "%s-%s is an empty range", text, second);
	return 0;
}

static int set_now(struct parser *p, const char *value)
{
	(void)value;
	p->policy.delay_ns = 0;
	return 0;
}

static int set_never(struct parser *p, const char *value)
{
	(void)value;
	p->policy.answer = POLICY_NEVER;
	return 0;
}

static int set_fail(struct parser *p, const char *value)
{
	(void)value;
	p->policy.answer = POLICY_FAIL;
	return 0;
}

/* Milliseconds with a decimal fraction, exact to the nanosecond. */
static int set_delay(struct parser *p, const char *value)
{
	uint64_t unit = NS_PER_MS;
	const char *end;
	uint64_t ms, ns;

	if (parse_digits(value, &end, &ms) || ms > POLICY_DELAY_MAX_MS)
		return reject(p, "delay=%s is not a time between 0 and %d ms",
			      value, POLICY_DELAY_MAX_MS);
	ns = ms * NS_PER_MS;
	if (*end == '.' && isdigit((unsigned char)end[1])) {
		while (isdigit((unsigned char)*++end)) {
			unit /= 10;
			ns += (*end - '0') * unit;
		}
	}
	if (*end)
		return reject(p, "delay=%s is not a number of milliseconds", value);
	p->policy.delay_ns = ns;
	return 0;
}

static int set_order(struct parser *p, const char *value)
{
	static const char *const name[] = { "fifo", "lifo", "shuffle" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		if (!strcmp(value, name[i])) {
			p->policy.order = (enum policy_order)i;
			return 0;
		}
	}
	return reject(p, "order=%s is none of fifo, lifo, shuffle", value);
}

static int set_batch(struct parser *p, const char *value)
{
	const char *end;
	uint64_t n;

	if (parse_digits(value, &end, &n) || *end || !n || n > POLICY_BATCH_MAX)
		return reject(p, "batch=%s is not between 1 and %d", value,
			      POLICY_BATCH_MAX);
	p->policy.batch = n;
	return 0;
}

static const struct word {
	const char *name;
	bool has_value;
	unsigned int seen;
	int (*set)(struct parser *p, const char *value);
} words[] = {
	{ "now",   false, SEEN_WHEN,             set_now },
	{ "delay", true,  SEEN_WHEN,             set_delay },
	{ "never", false, SEEN_WHEN | SEEN_FAIL, set_never },
	{ "fail",  false, SEEN_FAIL,             set_fail },
	{ "order", true,  SEEN_ORDER,            set_order },
	{ "batch", true,  SEEN_BATCH,            set_batch },
};

static int parse_word(struct parser *p, char *text)
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
		if (p->seen & words[i].seen)
			return reject(p, "'%s' contradicts or repeats what stands before it",
				      text);
		p->seen |= words[i].seen;
		return words[i].set(p, value);
	}
	return reject(p, "'%s' is none of now, delay=MS, never, fail, order=, batch=",
		      text);
}

static int parse_spec(struct parser *p, char *text)
{
	char *word;

	while ((word = strsep(&text, ","))) {
		if (parse_word(p, word))
			return -1;
	}
	if ((p->seen & SEEN_BATCH) && !p->policy.delay_ns)
		return reject(p, "batch=N needs delay=MS (part of a batch goes after twice that)");
	if ((p->seen & SEEN_ORDER) && !(p->seen & SEEN_BATCH))
		return reject(p, "order= needs batch=N");
	return 0;
}

static int parse_policy(struct parser *p, char *text)
{
	char *spec = strchr(text, ':');

	if (!spec)
		return reject(p, "'%s' is not RANGE:SPEC", text);
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
	struct parser p = { .list = list, .why = why, .size = size };
	char *copy;
	int ret;

	p.policy.batch = 1;
	if (list->count == POLICY_MAX)
		return reject(&p, "more than %d policies", POLICY_MAX - 1);
	copy = strdup(text);
	if (!copy)
		return reject(&p, "no memory");
	ret = parse_policy(&p, copy);
	free(copy);
	if (!ret)
		list->policy[list->count++] = p.policy;
	return ret;
}
