// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prefetch.h"
#include "util.h"

#define REQUEST	"{\"t\":%*u,\"ev\":\"request\",\"page\":%" SCNu32 "}"

/* Of a page: nobody has asked for it; the list has; the guest has; it came by the list. */
enum state {
	STATE_NONE,
	STATE_ASKED,
	STATE_OVERTAKEN,
	STATE_CAME,
};

static uint32_t pages_of(const struct prefetch *p)
{
	return p->policies->pages + p->policies->ordinary;
}

static const struct policy *policy_of(const struct prefetch *p, uint32_t page)
{
	return &p->policies->policy[policy_find(p->policies, page)];
}

static int alloc_list(struct prefetch *p)
{
	p->page = calloc(pages_of(p), sizeof(*p->page));
	p->asked = calloc(pages_of(p), sizeof(*p->asked));
	p->state = calloc(pages_of(p), sizeof(*p->state));
	return p->page && p->asked && p->state ? 0 : say_error("--prefetch: no memory");
}

/* A page is on the list once, and not if it will not come. */
static void add(struct prefetch *p, uint32_t page)
{
	if (p->state[page] != STATE_NONE || policy_of(p, page)->answer != POLICY_SERVE)
		return;
	p->state[page] = STATE_ASKED;
	p->page[p->count++] = page;
}

static int read_list(struct prefetch *p, FILE *from, const char *name)
{
	char line[128];
	uint32_t page;

	while (fgets(line, sizeof(line), from)) {
		if (sscanf(line, REQUEST, &page) != 1)
			continue;
		if (page >= pages_of(p))
			return say_error("%s: page %" PRIu32 ", and there are only %" PRIu32,
					 name, page, pages_of(p));
		add(p, page);
	}
	if (ferror(from))
		return say_errno("%s", name);
	if (!p->count)
		return say_error("%s: no page was asked for there", name);
	memset(p->state, STATE_NONE, pages_of(p));
	return 0;
}

int prefetch_read(struct prefetch *p, const char *name, const struct policy_list *policies)
{
	FILE *from = fopen(name, "re");
	int ret;

	*p = (struct prefetch) { .policies = policies };
	if (!from)
		return say_errno("%s", name);
	ret = alloc_list(p) ? -1 : read_list(p, from, name);
	fclose(from);
	return ret;
}

void prefetch_free(struct prefetch *p)
{
	free(p->page);
	free(p->asked);
	free(p->state);
	*p = (struct prefetch) { .page = NULL };
}

/* What was overtaken keeps its place on the way until its turn comes. */
static void skip(struct prefetch *p)
{
	while (p->head < p->next && p->state[p->page[p->head]] != STATE_ASKED)
		p->head++;
}

void prefetch_ask(struct prefetch *p, uint64_t now)
{
	for (skip(p); p->next < p->count && p->next - p->head < PREFETCH_DEPTH; skip(p)) {
		uint8_t *state = &p->state[p->page[p->next]];

		if (*state == STATE_NONE)
			*state = STATE_ASKED;
		p->asked[p->next++] = now;
	}
}

uint64_t prefetch_due(const struct prefetch *p)
{
	if (p->head == p->next)
		return PENDING_NEVER;
	return p->asked[p->head] + policy_of(p, p->page[p->head])->delay_ns;
}

bool prefetch_take(struct prefetch *p, uint64_t now, uint32_t *page)
{
	if (prefetch_due(p) > now)
		return false;
	*page = p->page[p->head++];
	p->state[*page] = STATE_CAME;
	skip(p);
	return true;
}

uint64_t prefetch_overtake(struct prefetch *p, uint32_t page, uint64_t now)
{
	uint32_t i;

	if (!p->page)
		return now;
	for (i = p->head; p->state[page] == STATE_ASKED && i < p->next; i++) {
		if (p->page[i] == page)
			now = p->asked[i];
	}
	p->state[page] = STATE_OVERTAKEN;
	skip(p);
	return now;
}

bool prefetch_has_come(const struct prefetch *p, uint32_t page)
{
	return p->page && p->state[page] == STATE_CAME;
}
