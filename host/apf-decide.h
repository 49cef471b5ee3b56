/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU does while its page is under way. As in apf-tokens.h, unit tests can call
 * the function.
 */
#ifndef __APF_DECIDE_H__
#define __APF_DECIDE_H__

#include <linux/types.h>

enum apf_verdict {
	APF_ANNOUNCE,	/* tell the guest, which runs another task */
	APF_HALT,	/* halt as in WFI, until an interrupt or the page comes */
	APF_REENTER,	/* enter the guest: it was told, and is about to take the PPI */
	/* Both wait in the fault handler, as without APF: */
	APF_STUCK,	/* an interrupt is pending that the vCPU cannot take */
	APF_UNREADABLE,	/* the host cannot read the guest's block */
};

/*
 * How often in a row a vCPU may come back to the same instruction and page with
 * an interrupt pending. After more than a few times the interrupt is not just late: the
 * vCPU cannot take it, because of its running priority for example. Then entering the
 * guest again would spin, and so would a halt, which a pending interrupt ends at once.
 */
#define APF_MAX_STUCK	4

/**
 * struct apf_facts - what the decision depends on
 * @wanted:	the guest asked for announcements of faults from this exception level
 * @enabled:	the guest has enabled APF on this vCPU
 * @unreadable:	the host cannot read the guest's block
 * @declined:	the guest has declined the token for this instruction
 * @deliverable: the guest would take an announcement now
 * @pending:	an announcement is pending
 * @announceable: the guest has taken the ready bit of the token's last use
 * @missing:	@missing of the block: an announcement that the guest has not claimed
 * @token:	token of the page
 * @stuck:	how often in a row the vCPU came back here with an interrupt pending
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

/* For faults with PSTATE.I clear. With PSTATE.I set, the caller waits for the page. */
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
