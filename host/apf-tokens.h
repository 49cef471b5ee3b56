/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The token table of a vCPU: which page each token stands for, and how far it
 * has come. Pure: no guest memory, no locks, so that tests/unit can drive it.
 *
 * A token's way, and the words that hold it:
 *
 *   free -> busy -> free				nobody was told (halt)
 *   free -> busy+announced -> owed -> posted -> free	the guest was told
 *
 * All of it belongs to the vCPU's thread.
 */
#ifndef __APF_TOKENS_H__
#define __APF_TOKENS_H__

#include <linux/bitmap.h>
#include <linux/types.h>

#define APF_TOKENS	64

/**
 * struct apf_tokens - the table
 * @busy:	a worker fetches the page
 * @announced:	of @busy: the guest was told, and is owed a ready bit
 * @owed:	the page came, the ready bit is not written yet
 * @posted:	the ready bit is written, and was not seen taken
 * @failed:	the page could not be had; the next fault on it is synchronous
 * @gfn:	the page, for tokens in @busy or @failed
 */
struct apf_tokens {
	unsigned long	busy;
	unsigned long	announced;
	unsigned long	owed;
	unsigned long	posted;
	unsigned long	failed;
	u64		gfn[APF_TOKENS];
};

static inline int apf_tokens_lookup(const struct apf_tokens *t,
				    unsigned long set, u64 gfn)
{
	int n;

	for_each_set_bit(n, &set, APF_TOKENS)
		if (t->gfn[n] == gfn)
			return n;

	return -1;
}

/* The token of a page under way, or -1. */
static inline int apf_tokens_find(const struct apf_tokens *t, u64 gfn)
{
	return apf_tokens_lookup(t, t->busy, gfn);
}

/*
 * A token for a new page under way, or -1 if all are busy. One that can be
 * announced is preferred; one whose ready bit is not taken yet will still do
 * for a halt, since nobody is told of it.
 */
static inline int apf_tokens_alloc(struct apf_tokens *t, u64 gfn)
{
	unsigned long unused = ~(t->busy | t->owed | t->posted);
	int n;

	if (!unused)
		unused = ~t->busy;
	if (!unused)
		return -1;

	n = __ffs(unused);
	t->busy |= BIT(n);
	t->failed &= ~BIT(n);
	t->gfn[n] = gfn;

	return n;
}

/* Undo apf_tokens_alloc(): no worker could be had. */
static inline void apf_tokens_cancel(struct apf_tokens *t, int n)
{
	t->busy &= ~BIT(n);
}

/* The guest's view of @ready: whatever is 0 there, it has taken. */
static inline void apf_tokens_seen(struct apf_tokens *t, u64 ready)
{
	t->posted &= ready;
}

/* A ready bit from the token's last use must not be taken for this one. */
static inline bool apf_tokens_may_announce(const struct apf_tokens *t, int n)
{
	return !((t->owed | t->posted) & BIT(n));
}

static inline void apf_tokens_announced(struct apf_tokens *t, int n)
{
	t->announced |= BIT(n);
}

/* The pages of @done are there, or, if also in @failed, cannot be had. */
static inline void apf_tokens_done(struct apf_tokens *t, unsigned long done,
				   unsigned long failed)
{
	t->owed |= t->announced & done;
	t->announced &= ~done;
	t->busy &= ~done;
	t->failed |= failed;
}

/* The ready bits of all that is owed have reached the guest's block. */
static inline void apf_tokens_posted(struct apf_tokens *t)
{
	t->posted |= t->owed;
	t->owed = 0;
}

/* True, once, for a page that could not be had. */
static inline bool apf_tokens_take_failed(struct apf_tokens *t, u64 gfn)
{
	int n = apf_tokens_lookup(t, t->failed, gfn);

	if (n < 0)
		return false;

	t->failed &= ~BIT(n);
	return true;
}

/* The guest has disabled APF, or its vCPU was reset: nobody waits any more. */
static inline void apf_tokens_forget(struct apf_tokens *t)
{
	t->announced = 0;
	t->owed = 0;
	t->posted = 0;
}

/*
 * The guest's memory and the state of its vCPU are from another time: nobody
 * knows who waits for which token, so that all are owed.
 */
static inline void apf_tokens_wake_all(struct apf_tokens *t)
{
	apf_tokens_forget(t);
	t->owed = ~0UL;
}

#endif /* __APF_TOKENS_H__ */
