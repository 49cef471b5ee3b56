// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the token of a page under way, unless that page is not
 * the guest's any more.
 *
 * A token is known by its gfn. The VMM may have deleted the memslot meanwhile and
 * made it anew over other memory: then the worker fetches a page that the guest does
 * not see, and may do so for ever. Whoever faults on that gfn wants another page.
 */

#include <linux/kvm_host.h>

#include "apf.h"

/*
 * The worker goes on alone. The guest, if it was told of the page, is told that it is
 * ready; when it touches the page again, it is told of the new one. Once
 * apf_work_orphan() has returned, the worker does not set its bit in @done any more.
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

	/* Written at the next request, before any halt: see kvm_apf_has_work(). */
	WRITE_ONCE(apf->retry, true);
	kvm_make_request(KVM_REQ_APF, vcpu);
}

/* The token of the page that is at @hva and under way, or APF_NO_TOKEN. */
int apf_find_token(struct kvm_vcpu *vcpu, gfn_t gfn, unsigned long hva)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_tokens_find(&apf->tokens, gfn);

	if (token < 0 || apf_work_hva(apf->work[token]) == hva)
		return token;

	apf_give_up(vcpu, token);

	return APF_NO_TOKEN;
}
