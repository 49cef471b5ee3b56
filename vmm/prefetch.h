/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that an earlier run asked for, in that order: they are asked for before the
 * guest does. Pure bookkeeping, but for the file: the caller brings the time and does
 * the answering.
 */
#ifndef APFVM_PREFETCH_H
#define APFVM_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "pending.h"

/* So many are on their way at a time, at most. */
#define PREFETCH_DEPTH	64

/**
 * struct prefetch - the list, and how far it is
 * @policies:	how late each page is
 * @page:	the list, NULL if there is none
 * @asked:	when each of them was asked for
 * @count:	so many
 * @head:	the first that may be on its way
 * @next:	the first that was not asked for yet
 * @state:	by page, of all pages
 */
struct prefetch {
	const struct policy_list *policies;
	uint32_t *page;
	uint64_t *asked;
	uint32_t count;
	uint32_t head;
	uint32_t next;
	uint8_t *state;
};

/* The requests in @name, which --marks wrote. Returns -1 after it has been said why. */
int prefetch_read(struct prefetch *p, const char *name, const struct policy_list *policies);
void prefetch_free(struct prefetch *p);

/* Ask for as many as may be on their way. */
void prefetch_ask(struct prefetch *p, uint64_t now);
/* When prefetch_take() has something to give. */
uint64_t prefetch_due(const struct prefetch *p);
bool prefetch_take(struct prefetch *p, uint64_t now, uint32_t *page);

/*
 * The guest itself asks for @page, which from now on is no matter of the list. Return:
 * since when the page is on its way.
 */
uint64_t prefetch_overtake(struct prefetch *p, uint32_t page, uint64_t now);
/* Whether prefetch_take() has given it. */
bool prefetch_has_come(const struct prefetch *p, uint32_t page);

#endif /* APFVM_PREFETCH_H */
