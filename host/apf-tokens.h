/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The token table of a vCPU: which page each token stands for, and the state of each
 * token. These functions access neither guest memory nor locks, so that unit tests can
 * call them.
 *
 * The states of a token, named after the words that hold them:
 *
 *   free -> busy -> free				the guest was not told (halt)
 *   free -> busy+announced -> owed -> posted -> free	the guest was told
 *
 * vcpu->mutex guards the table.
 */
#ifndef __APF_TOKENS_H__
#define __APF_TOKENS_H__

#include <linux/bitmap.h>
#include <linux/types.h>

#define APF_TOKENS	64

/**
 * struct apf_tokens - the table
 * @busy:	the page is under way
 * @announced:	subset of @busy: the guest was told, and will be owed a ready bit
 * @owed:	the page has come, but the ready bit is not written yet
 * @posted:	the ready bit is written, and the host has not seen it taken
 * @failed:	the page could not be had; the next fault on it waits
 * @gfn:	the page of each token in @busy or @failed
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

/* Find the token of a page under way. Return: the token, or -1. */
static inline int apf_tokens_find(const struct apf_tokens *t, u64 gfn)
{
	return apf_tokens_lookup(t, t->busy, gfn);
}

/*
 * Take a token for a new page. Return: the token, or -1 if all are busy. Tokens that
 * can be announced come first. A token whose ready bit has not been taken yet is good
 * enough for a halt, which the guest is not told of.
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

/* Undo apf_tokens_alloc(), if nobody can fetch the page. */
static inline void apf_tokens_cancel(struct apf_tokens *t, int n)
{
	t->busy &= ~BIT(n);
}

/* @ready was read from the block: the guest has taken all bits that are 0 there. */
static inline void apf_tokens_seen(struct apf_tokens *t, u64 ready)
{
	t->posted &= ready;
}

/* The guest must not take a ready bit from the token's last use for a new one. */
static inline bool apf_tokens_may_announce(const struct apf_tokens *t, int n)
{
	return !((t->owed | t->posted) & BIT(n));
}

static inline void apf_tokens_announced(struct apf_tokens *t, int n)
{
	t->announced |= BIT(n);
}

/* The pages of @done have come. Those in @failed could not be had. */
static inline void apf_tokens_done(struct apf_tokens *t, unsigned long done,
				   unsigned long failed)
{
	t->owed |= t->announced & done;
	t->announced &= ~done;
	t->busy &= ~done;
	t->failed |= failed;
}

/* All ready bits that were owed are in the guest's block now. */
static inline void apf_tokens_posted(struct apf_tokens *t)
{
	t->posted |= t->owed;
	t->owed = 0;
}

/* Could this page not be had? Forgets it, so the answer is true only once. */
static inline bool apf_tokens_take_failed(struct apf_tokens *t, u64 gfn)
{
	int n = apf_tokens_lookup(t, t->failed, gfn);

	if (n < 0)
		return false;

	t->failed &= ~BIT(n);
	return true;
}

/* The guest has disabled APF, or the vCPU was reset: no task waits for a ready bit. */
static inline void apf_tokens_forget(struct apf_tokens *t)
{
	t->announced = 0;
	t->owed = 0;
	t->posted = 0;
}

/*
 * The VM was restored. The host does not know which tokens the guest's tasks wait for,
 * so it owes the guest all ready bits.
 */
static inline void apf_tokens_wake_all(struct apf_tokens *t)
{
	apf_tokens_forget(t);
	t->owed = ~0UL;
}

#endif /* __APF_TOKENS_H__ */
