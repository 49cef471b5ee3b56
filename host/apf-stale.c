// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the token of a page under way, and what happens if that
 * page does not belong to the guest any more.
 *
 * A token is found by its gfn. The VMM may have deleted the memslot meanwhile and
 * created it again over other memory. Then the page that comes is one that the guest
 * cannot see, maybe for ever, and a fault on that gfn needs another page.
 */

#include <linux/kvm_host.h>

#include "apf.h"

/*
 * Give a token up. A thread that fetches its page goes on alone. If the page was
 * announced, the guest gets the ready bit, and when it touches the page again, KVM
 * announces the new page. After apf_work_orphan() nobody sets its bit in @done any more.
 */
static void apf_give_up(struct kvm_vcpu *vcpu, int token)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	apf_path(APF_PATH_GIVEN_UP);
	apf_work_orphan(apf->work[token]);
	clear_bit(token, &apf->done);
	apf_tokens_done(&apf->tokens, BIT(token), 0);
	if (!apf->tokens.owed)
		return;

	/* The next request writes it; a halt before that returns, see kvm_apf_has_work(). */
	WRITE_ONCE(apf->retry, true);
	kvm_make_request(KVM_REQ_APF, vcpu);
}

/* Find the token of the page under way at @hva. Return: the token, or APF_NO_TOKEN. */
int apf_find_token(struct kvm_vcpu *vcpu, gfn_t gfn, unsigned long hva)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_tokens_find(&apf->tokens, gfn);

	if (token < 0 || apf_work_hva(apf->work[token]) == hva)
		return token;

	apf_give_up(vcpu, token);

	return APF_NO_TOKEN;
}
