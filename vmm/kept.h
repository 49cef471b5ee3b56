/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pages hold that were taken away from the guest: a second mapping, as large as
 * guest memory, where a page has its copy from when it is taken until it comes back.
 *
 * Pages are numbered by their place in memory, the cold ones behind the others.
 */
#ifndef APFVM_KEPT_H
#define APFVM_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "evict_plan.h"
#include "memory.h"

/**
 * struct kept - the copies, and which pages have one
 * @lock:	guards all below. Its holder answers for a page, or takes some: so no
 *		page is answered with a copy that is older than the page
 * @host:	guest memory
 * @copy:	the same size of our own
 * @pages:	so many
 * @page_shift:	log2 of their size
 * @there:	bit by page: it is in guest memory
 * @has:	bit by page: its copy is what it holds
 * @out:	how many have a copy
 */
struct kept {
	pthread_mutex_t lock;
	char *host;
	char *copy;
	uint64_t pages;
	unsigned int page_shift;
	uint64_t *there;
	uint64_t *has;
	uint64_t out;
};

int kept_create(struct kept *kept, const struct memory *mem);
void kept_destroy(struct kept *kept);

/*
 * Ask the kernel which of the first @pages pages are there: they are those that came
 * before the server of missing pages was asked for them.
 */
int kept_find(struct kept *kept, uint64_t pages);
/*
 * Take the next pages of the plan, while nobody writes to guest memory. Returns how
 * many, 0 at the end of a round, or -1.
 */
int kept_take(struct kept *kept, struct evict_plan *plan);

/* For the server, under kept->lock. Whether the page had a copy, which is now in @to. */
bool kept_get(const struct kept *kept, uint64_t page, void *to);
/* The page is in guest memory, so its copy is not needed any more. */
void kept_came(struct kept *kept, uint64_t page);

#endif /* APFVM_KEPT_H */
