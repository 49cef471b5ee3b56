// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "pending.h"

int pending_init(struct pending *p, const struct policy_list *policies,
		 uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->policies = policies;
	/* The generator below never leaves 0. */
	p->random = seed ? seed : 1;
	p->page = calloc((size_t)policies->pages + policies->ordinary, sizeof(*p->page));
	return p->page ? 0 : -1;
}

void pending_free(struct pending *p)
{
	free(p->page);
	p->page = NULL;
}

/* Behind the last that was asked for no later, which but for a prefetched page is the tail. */
static uint32_t place_before(const struct pending *p, const struct pending_queue *q,
			     uint64_t asked)
{
	uint32_t at = q->head, i;

	if (p->page[q->tail].asked <= asked)
		return q->tail;
	for (i = 1; i < q->count && p->page[p->page[at].next].asked <= asked; i++)
		at = p->page[at].next;
	return at;
}

static void queue_push(struct pending *p, struct pending_queue *q, uint32_t page)
{
	uint64_t asked = p->page[page].asked;
	uint32_t before;

	if (q->count && p->page[q->head].asked <= asked) {
		before = place_before(p, q, asked);
		p->page[page].next = p->page[before].next;
		p->page[before].next = page;
		if (before == q->tail)
			q->tail = page;
	} else {
		p->page[page].next = q->head;
		q->head = page;
		if (!q->count)
			q->tail = page;
	}
	q->count++;
}

static uint32_t queue_pop(struct pending *p, struct pending_queue *q)
{
	uint32_t page = q->head;

	q->head = p->page[page].next;
	q->count--;
	p->page[page].waiting = false;
	return page;
}

bool pending_add(struct pending *p, uint32_t page, uint64_t asked)
{
	unsigned int i;

	if (p->page[page].waiting)
		return false;
	p->page[page].waiting = true;
	p->page[page].asked = asked;
	i = policy_find(p->policies, page);
	if (p->policies->policy[i].answer != POLICY_NEVER)
		queue_push(p, &p->queue[i], page);
	return true;
}

static uint64_t queue_due(const struct pending *p, unsigned int i)
{
	const struct policy *policy = &p->policies->policy[i];
	const struct pending_queue *q = &p->queue[i];
	uint64_t asked;

	if (!q->count)
		return PENDING_NEVER;
	asked = p->page[q->head].asked;
	if (policy->batch == 1)
		return asked + policy->delay_ns;
	return q->count >= policy->batch ? 0 : asked + 2 * policy->delay_ns;
}

uint64_t pending_due(const struct pending *p)
{
	uint64_t first = PENDING_NEVER;
	unsigned int i;

	for (i = 0; i < p->policies->count; i++) {
		uint64_t due = queue_due(p, i);

		if (due < first)
			first = due;
	}
	return first;
}

/* xorshift64: the same seed gives the same order again. */
static uint32_t random_below(struct pending *p, uint32_t limit)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (p->random >> 32) % limit;
}

static void swap_pages(struct release *out, uint32_t a, uint32_t b)
{
	uint32_t page = out->page[a];

	out->page[a] = out->page[b];
	out->page[b] = page;
}

static void put_in_order(struct pending *p, enum policy_order order,
			 struct release *out)
{
	uint32_t i;

	switch (order) {
	case POLICY_FIFO:
		break;
	case POLICY_LIFO:
		for (i = 0; i < out->count / 2; i++)
			swap_pages(out, i, out->count - 1 - i);
		break;
	case POLICY_SHUFFLE:
		for (i = out->count; i > 1; i--)
			swap_pages(out, i - 1, random_below(p, i));
		break;
	}
}

static void take_batch(struct pending *p, unsigned int i, struct release *out)
{
	const struct policy *policy = &p->policies->policy[i];
	struct pending_queue *q = &p->queue[i];

	while (q->count && out->count < policy->batch)
		out->page[out->count++] = queue_pop(p, q);
	put_in_order(p, policy->order, out);
}

bool pending_take(struct pending *p, uint64_t now, struct release *out)
{
	unsigned int i = 0;

	while (i < p->policies->count && queue_due(p, i) > now)
		i++;
	if (i == p->policies->count)
		return false;
	out->answer = p->policies->policy[i].answer;
	out->count = 0;
	if (p->policies->policy[i].batch > 1) {
		take_batch(p, i, out);
		return true;
	}
	while (out->count < POLICY_BATCH_MAX && queue_due(p, i) <= now)
		out->page[out->count++] = queue_pop(p, &p->queue[i]);
	return true;
}
