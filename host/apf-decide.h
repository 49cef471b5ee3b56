/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU does while its page is under way. Pure, see apf-tokens.h.
 */
#ifndef __APF_DECIDE_H__
#define __APF_DECIDE_H__

#include <linux/types.h>

enum apf_verdict {
	APF_ANNOUNCE,	/* tell the guest, which runs another task */
	APF_HALT,	/* as in WFI, until an interrupt or the page */
	APF_REENTER,	/* the guest was told, and is about to take the PPI */
	/* wait in the fault handler, as without APF: */
	APF_STUCK,	/* an interrupt is pending that it cannot take */
	APF_UNREADABLE,	/* the guest's word cannot be had */
};

/*
 * How often in a row a vCPU may come back to the same instruction and page with
 * an interrupt pending. More than a few is not a late interrupt but one that
 * cannot be taken (by the running priority, say): going back in would spin, and
 * so would a halt, which a pending interrupt ends at once.
 */
#define APF_MAX_STUCK	4

/**
 * struct apf_facts - what the decision rests on
 * @wanted:	the guest wants to be told of faults from this exception level
 * @enabled:	the guest has enabled APF on this vCPU
 * @unreadable:	the guest's block cannot be read
 * @declined:	the guest cannot sleep there
 * @deliverable: the guest would take the PPI now
 * @pending:	the PPI is pending
 * @announceable: the token's last ready bit was taken
 * @missing:	the guest's word of that name, of an announcement not claimed
 * @token:	token of the page
 * @stuck:	times in a row that an interrupt was pending here
 */
struct apf_facts {
	bool		wanted;
	bool		enabled;
	bool		unreadable;
	bool		declined;
	bool		deliverable;
	bool		pending;
	bool		announceable;
	u32		missing;
	u32		token;
	unsigned int	stuck;
};

/* Of a fault with PSTATE.I clear: with it set, there is nothing to decide. */
static inline enum apf_verdict apf_decide(const struct apf_facts *f)
{
	if (f->stuck >= APF_MAX_STUCK)
		return APF_STUCK;
	if (!f->enabled || !f->wanted)
		return APF_HALT;
	if (f->unreadable)
		return APF_UNREADABLE;
	if (f->pending && f->deliverable && f->missing == f->token + 1)
		return APF_REENTER;
	if (f->missing || f->declined || !f->deliverable || !f->announceable)
		return APF_HALT;

	return APF_ANNOUNCE;
}

#endif /* __APF_DECIDE_H__ */
