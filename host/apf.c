// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF): a vCPU goes on while the host fetches the
 * page it faulted on. How a fault travels:
 *
 *   user_mem_abort()
 *     kvm_apf_faultin_pfn()	tries without waiting (apf-attempt.c); done if the page is
 *				there. Else it finds the page's token (apf-stale.c).
 *				In memory with a userfaultfd, the attempt asks for
 *				the page
 *       apf_fault()		takes a new token, unless there is one
 *         apf_work_start()	the page is asked for (apf-work.c), or a thread fetches
 *				it (apf-pool.c)
 *         apf_decide()		what the vCPU does meanwhile (apf-decide.h):
 *           apf_announce()	  tell the guest: block (apf-block.c) and PPI
 *				  (apf-deliver.c)
 *           KVM_REQ_APF	  halt
 *           or wait here	  as without APF
 *
 *   apf_work_done()		the page has come: the thread that fetched it, or the
 *				userfaultfd, sets the token's bit in @done, makes
 *				KVM_REQ_APF, kicks the vCPU
 *
 *   check_vcpu_requests()
 *     kvm_apf_handle_request()
 *       apf_halt()		as in WFI, until an interrupt or the page
 *       apf_complete()		map all pages that have come, write their ready
 *				bits, pend one PPI (apf-complete.c)
 *
 * All of this but apf_work_done() runs in the vCPU's own thread, with vcpu->mutex held.
 *
 * Locks. vcpu->mutex guards struct kvm_vcpu_apf, see apf.h. Inside it are taken:
 * kvm->srcu around accesses to memslots and to the block; config_lock for the INTID;
 * mmu_lock to look into stage 2; the lock of a work item (apf-work.c); and the locks
 * of the vGIC (vgic/vgic-apf.c). No two of these are held at the same time, except that
 * srcu may be held together with any other.
 */

#include <linux/kvm_host.h>
#include <trace/events/kvm.h>

#include <asm/kvm_emulate.h>

#include "apf.h"
#include "apf-decide.h"

/* Take a token for a new page, and have it fetched. Return: the token, or APF_NO_TOKEN. */
static int apf_start(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_tokens_alloc(&apf->tokens, gfn);

	if (token < 0) {
		vcpu->stat.apf_sync_token++;
		return APF_NO_TOKEN;
	}

	apf->esr[token] = kvm_vcpu_get_esr(vcpu);
	apf->declined_pc[token] = 0;
	apf->work[token] = apf_work_start(vcpu, token);
	if (!apf->work[token]) {
		vcpu->stat.apf_sync_thread++;
		apf_tokens_cancel(&apf->tokens, token);
		return APF_NO_TOKEN;
	}

	return token;
}

/* Count how often in a row the vCPU came back to the same place with an interrupt pending. */
static unsigned int apf_count_stuck(struct kvm_vcpu *vcpu, int token,
				    bool repeated)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	unsigned long pc = *vcpu_pc(vcpu);

	if (repeated && token == apf->last_token && pc == apf->last_pc &&
	    vgic_apf_any_pending(vcpu))
		apf->stuck++;
	else
		apf->stuck = 0;

	apf->last_token = token;
	apf->last_pc = pc;

	return apf->stuck;
}

/*
 * The guest has declined this token. If the token is new, the word is left from its
 * last use.
 */
static int apf_take_declined(struct kvm_vcpu *vcpu, int token, bool repeated)
{
	if (!repeated) {
		apf_path(APF_PATH_STALE_DECLINED);
		return 0;
	}

	vcpu->stat.apf_declined++;
	vcpu->arch.apf->declined_pc[token] = *vcpu_pc(vcpu);

	return apf_block_clear_declined(vcpu);
}

/* Gather the facts that come from the guest. */
static void apf_read_block(struct kvm_vcpu *vcpu, struct apf_facts *facts,
			   bool repeated)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	struct kvm_apf_block block;

	facts->unreadable = apf_block_read(vcpu, &block);
	if (facts->unreadable)
		return;

	apf_tokens_seen(&apf->tokens, le64_to_cpu(block.ready));
	facts->missing = le32_to_cpu(block.missing);
	if (le32_to_cpu(block.declined) == facts->token + 1)
		facts->unreadable = apf_take_declined(vcpu, facts->token, repeated);

	/* A fault that was declined repeats after each interrupt: do not ask again. */
	facts->declined = apf->declined_pc[facts->token] == *vcpu_pc(vcpu);
}

static void apf_gather(struct kvm_vcpu *vcpu, int token, bool repeated,
		       struct apf_facts *facts)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	*facts = (struct apf_facts) {
		.wanted		= apf_wanted(apf, !vcpu_mode_priv(vcpu)),
		.enabled	= apf_enabled(apf),
		.token		= token,
	};

	facts->stuck = apf_count_stuck(vcpu, token, repeated);
	if (!facts->enabled || !facts->wanted)
		return;

	apf_read_block(vcpu, facts, repeated);
	facts->announceable = apf_tokens_may_announce(&apf->tokens, token);
	facts->pending = apf_pending(vcpu);
	facts->deliverable = apf_deliverable(vcpu);
}

/* Return: whether the guest could be told. */
static bool apf_announce(struct kvm_vcpu *vcpu, int token, bool repeated)
{
	if (apf_block_announce(vcpu, token, *vcpu_pc(vcpu))) {
		vcpu->stat.apf_sync_block++;
		apf_path(APF_PATH_UNTOLD);
		return false;
	}

	apf_tokens_announced(&vcpu->arch.apf->tokens, token);
	vcpu->stat.apf_announced++;
	vcpu->stat.apf_repeated += repeated;
	trace_kvm_async_pf_not_present(token, kvm_vcpu_get_hfar(vcpu));
	apf_deliver(vcpu);

	return true;
}

static bool apf_carry_out(struct kvm_vcpu *vcpu, int token, bool repeated,
			  enum apf_verdict verdict)
{
	switch (verdict) {
	case APF_ANNOUNCE:
		return apf_announce(vcpu, token, repeated);
	case APF_HALT:
		vcpu->arch.apf->halt_token = token;
		kvm_make_request(KVM_REQ_APF, vcpu);
		return true;
	case APF_REENTER:
		apf_path(APF_PATH_REENTERED);
		return true;
	case APF_STUCK:
		vcpu->stat.apf_sync_stuck++;
		apf_path(APF_PATH_STUCK);
		break;
	case APF_UNREADABLE:
		vcpu->stat.apf_sync_block++;
		apf_path(APF_PATH_UNREADABLE);
		break;
	}

	return false;
}

/**
 * apf_fault - do something better than to wait for a page
 * @vcpu:	the vCPU that faulted; it can take interrupts
 * @gfn:	the page
 * @token:	its token, or APF_NO_TOKEN: then apf_work_prepare() was called for it
 *
 * Return: false if the caller has to wait for the page. Why is counted.
 */
bool apf_fault(struct kvm_vcpu *vcpu, gfn_t gfn, int token)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	bool repeated = token >= 0;
	struct apf_facts facts;

	/* The caller's attempt that waits reports the error as without APF. */
	if (apf_tokens_take_failed(&apf->tokens, gfn)) {
		vcpu->stat.apf_sync_failed++;
		return false;
	}

	if (!repeated)
		token = apf_start(vcpu, gfn);
	if (token < 0)
		return false;

	if (repeated)
		trace_kvm_async_pf_repeated_fault(kvm_vcpu_get_hfar(vcpu), gfn);
	else
		trace_kvm_try_async_get_page(kvm_vcpu_get_hfar(vcpu), gfn);

	apf_gather(vcpu, token, repeated, &facts);

	return apf_carry_out(vcpu, token, repeated, apf_decide(&facts));
}

/*
 * Has the vCPU's thread something to do: complete a page that has come, or repeat a
 * write to the block? Then a halted vCPU is runnable, but a suspended one is not. Any
 * thread may call this, without a lock.
 */
bool kvm_apf_has_work(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = READ_ONCE(vcpu->arch.apf);

	return apf && apf_may_run(vcpu) && (READ_ONCE(apf->done) ||
		(READ_ONCE(apf->retry) && kvm_test_request(KVM_REQ_APF, vcpu)));
}

/* Halt, if a fault asked for it and no page has come since. */
static void apf_halt(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf->halt_token;

	apf->halt_token = APF_NO_TOKEN;
	if (token == APF_NO_TOKEN)
		return;

	apf_knob_hold(APF_KNOB_HOLD_HALT);
	if (kvm_apf_has_work(vcpu)) {
		apf_path(APF_PATH_NO_HALT);
		return;
	}

	vcpu->stat.apf_halted++;
	kvm_vcpu_wfi(vcpu);
}

/*
 * Serve KVM_REQ_APF, before the vCPU enters the guest. The halt comes first, so that
 * the guest is told at once of pages that come during the halt.
 */
void kvm_apf_handle_request(struct kvm_vcpu *vcpu)
{
	lockdep_assert_held(&vcpu->mutex);

	if (!vcpu->arch.apf)
		return;

	if (!apf_may_run(vcpu)) {
		kvm_make_request(KVM_REQ_APF, vcpu);
		return;
	}

	apf_take_register(vcpu);
	apf_halt(vcpu);
	apf_complete(vcpu);
}
