/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that were asked for and have no answer yet. Pure bookkeeping: the
 * caller brings the time and does the answering.
 */
#ifndef APFVM_PENDING_H
#define APFVM_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

#define PENDING_NEVER	UINT64_MAX

struct pending_page {
	uint64_t asked;
	uint32_t next;
	bool waiting;
};

/*
 * Pages of one policy in the order of their requests. The delay is the same for all of
 * them, so this is also the order in which they are due, and no heap is needed. The
 * request may be that of --prefetch, and so older than others that wait already. Linked
 * by page number through struct pending_page.
 */
struct pending_queue {
	uint32_t head;
	uint32_t tail;
	uint32_t count;
};

struct pending {
	const struct policy_list *policies;
	struct pending_page *page;
	struct pending_queue queue[POLICY_MAX];
	uint64_t random;
};

/* Pages to be answered now, in this order, all in the same way. */
struct release {
	enum policy_answer answer;
	uint32_t count;
	uint32_t page[POLICY_BATCH_MAX];
};

int pending_init(struct pending *p, const struct policy_list *policies,
		 uint64_t seed);
void pending_free(struct pending *p);
/* Asked for at the time @asked. Returns false if @page waits already: one answer serves both. */
bool pending_add(struct pending *p, uint32_t page, uint64_t asked);
/* When pending_take() has something to give: 0 for at once. */
uint64_t pending_due(const struct pending *p);
/* Call until it returns false. */
bool pending_take(struct pending *p, uint64_t now, struct release *out);

#endif /* APFVM_PENDING_H */
