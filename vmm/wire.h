/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all pages come over, one after the other: --bandwidth. A page is on it for as long
 * as its size takes; which is next is decided when the page before it has arrived. What
 * the guest waits for goes before what it only may want. Pure bookkeeping, as pending.h.
 */
#ifndef APFVM_WIRE_H
#define APFVM_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "pending.h"
#include "prefetch.h"

/**
 * struct wire - what is on it
 * @pending:	what the guest waits for
 * @prefetch:	what it may want
 * @page_ns:	how long a page is on it, 0 without --bandwidth
 * @arrives:	when the page that is on it does, or the last one did
 * @release:	pages on it, or behind it with nothing to overtake them
 * @sent:	so many of them have arrived
 * @prefetched:	@release is of @prefetch
 */
struct wire {
	struct pending *pending;
	struct prefetch *prefetch;
	uint64_t page_ns;
	uint64_t arrives;
	struct release release;
	uint32_t sent;
	bool prefetched;
};

/* A page to be answered now. */
struct arrival {
	uint32_t page;
	enum policy_answer answer;
	bool prefetched;
};

/* @mbit: in 10^6 bits per second, 0 for a wire that takes no time. */
void wire_init(struct wire *w, struct pending *pending, struct prefetch *prefetch,
	       uint64_t page_size, uint64_t mbit);
/* When wire_take() has something to give: 0 for at once. */
uint64_t wire_due(const struct wire *w);
/* Call until it returns false. */
bool wire_take(struct wire *w, uint64_t now, struct arrival *out);
/* Whether @page will come without being asked for. */
bool wire_carries(const struct wire *w, uint32_t page);

#endif /* APFVM_WIRE_H */
