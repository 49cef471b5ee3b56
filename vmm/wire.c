// SPDX-License-Identifier: GPL-2.0-only
#include "wire.h"

void wire_init(struct wire *w, struct pending *pending, struct prefetch *prefetch,
	       uint64_t page_size, uint64_t mbit)
{
	*w = (struct wire) {
		.pending = pending,
		.prefetch = prefetch,
		.page_ns = mbit ? page_size * 8000 / mbit : 0,
	};
}

static bool is_empty(const struct wire *w)
{
	return w->sent == w->release.count;
}

uint64_t wire_due(const struct wire *w)
{
	uint64_t pending, prefetch;

	if (!is_empty(w))
		return w->arrives;
	pending = pending_due(w->pending);
	prefetch = prefetch_due(w->prefetch);
	return pending < prefetch ? pending : prefetch;
}

static bool load_prefetched(struct wire *w, uint64_t now)
{
	if (!prefetch_take(w->prefetch, now, &w->release.page[0]))
		return false;
	w->release.answer = POLICY_SERVE;
	w->release.count = 1;
	return true;
}

/* A page goes onto it when it is due, also where its server's thread is late. */
static bool load(struct wire *w, uint64_t now)
{
	uint64_t due = pending_due(w->pending);

	w->prefetched = !pending_take(w->pending, now, &w->release);
	if (w->prefetched) {
		due = prefetch_due(w->prefetch);
		if (!load_prefetched(w, now))
			return false;
	}
	w->sent = 0;
	if (!due)
		due = now;
	w->arrives = (due > w->arrives ? due : w->arrives) + w->page_ns;
	return true;
}

bool wire_take(struct wire *w, uint64_t now, struct arrival *out)
{
	if ((is_empty(w) && !load(w, now)) || w->arrives > now)
		return false;
	*out = (struct arrival) {
		.page = w->release.page[w->sent++],
		.answer = w->release.answer,
		.prefetched = w->prefetched,
	};
	if (!is_empty(w))
		w->arrives += w->page_ns;
	return true;
}

bool wire_carries(const struct wire *w, uint32_t page)
{
	uint32_t i;

	for (i = w->sent; i < w->release.count; i++) {
		if (w->release.page[i] == page)
			return true;
	}
	return false;
}
