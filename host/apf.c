// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF): a vCPU goes on while the host fetches the
 * page it faulted on. How a fault travels:
 *
 *   user_mem_abort()
 *     kvm_apf_faultin_pfn()	no-wait attempt: the page is there, done
 *       apf_fault()		it would block: its token (apf-stale.c) or a new one
 *         apf_work_start()	  and a worker that fetches it (apf-work.c)
 *         apf_decide()		what the vCPU does meanwhile (apf-decide.h):
 *           apf_announce()	  tell the guest: block (apf-block.c) and PPI
 *           KVM_REQ_APF	  halt
 *           or wait here	  as without APF
 *
 *   apf_work_execute()		a worker: fetches the page, sets the token's bit
 *				in @done, KVM_REQ_APF, kicks the vCPU
 *
 *   check_vcpu_requests()
 *     kvm_apf_handle_request()
 *       apf_halt()		as in WFI, until an interrupt or the page
 *       apf_complete()		for all that is done: map it, ready bits, one PPI
 *				(apf-complete.c)
 *
 * Everything but the worker runs in the vCPU's own thread.
 */

#include <linux/kvm_host.h>
#include <trace/events/kvm.h>

#include <asm/kvm_emulate.h>

#include "apf.h"
#include "apf-decide.h"

/* A new page: a token and a worker for it. Return: the token, or -1. */
static int apf_start(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
		     gfn_t gfn, bool write_fault)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_tokens_alloc(&apf->tokens, gfn);

	if (token < 0)
		return APF_NO_TOKEN;

	apf->esr[token] = kvm_vcpu_get_esr(vcpu);
	apf->declined_pc[token] = 0;
	apf->work[token] = apf_work_start(vcpu, token, gfn,
					  __gfn_to_hva_memslot(slot, gfn),
					  write_fault);
	if (!apf->work[token]) {
		apf_tokens_cancel(&apf->tokens, token);
		return APF_NO_TOKEN;
	}

	return token;
}

/* Has the vCPU come back to the same place, with an interrupt it did not take? */
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

/* Of a new page, it is a word left from the token's last use. */
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

/* The guest's side of the facts. */
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

	/* Each interrupt ends the halt, and need not ask again. */
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
	facts->pending = vgic_apf_pending(vcpu) || apf_knob_late(vcpu);
	facts->deliverable = vgic_apf_deliverable(vcpu);
}

/*
 * Take the interrupt for the guest, now: left to the CPU, it may be taken some
 * instructions after the ERET, or another interrupt before it, and the faulting
 * instruction would get there first. To the guest, this is an interrupt that
 * came between two instructions; the vGIC remains the source of truth, and the
 * guest reads IAR. The exception is taken by AArch64.TakeException() (DDI 0487,
 * J1.1.2) in __kvm_adjust_pc(), before the vCPU goes back in.
 */
static void apf_enter_irq(struct kvm_vcpu *vcpu)
{
	unsigned int pend_only = apf_knob(APF_KNOB_PEND_ONLY);

	vcpu->arch.apf->raised = pend_only < 2;
	vcpu->arch.apf->taken = false;
	if (!pend_only)
		kvm_pend_exception(vcpu, EXCEPT_AA64_EL1_IRQ);
}

static void apf_deliver(struct kvm_vcpu *vcpu)
{
	apf_knob_rival(vcpu);
	if (apf_knob_withhold(vcpu))
		return;

	vgic_apf_pend(vcpu);
	apf_enter_irq(vcpu);
}

/* Return: whether the guest could be told. */
static bool apf_announce(struct kvm_vcpu *vcpu, int token, bool repeated)
{
	if (apf_block_announce(vcpu, token, *vcpu_pc(vcpu))) {
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
		apf_path(APF_PATH_STUCK);
		break;
	case APF_UNREADABLE:
		apf_path(APF_PATH_UNREADABLE);
		break;
	}

	return false;
}

/* A page that the host does not have. Return: false to wait for it here. */
static bool apf_fault(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
		      gfn_t gfn, bool write_fault)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_find_token(vcpu, gfn, __gfn_to_hva_memslot(slot, gfn));
	bool repeated = token >= 0;
	struct apf_facts facts;

	/* No interrupt can be taken: a halt would return at once, and spin. */
	if (*vcpu_cpsr(vcpu) & PSR_I_BIT)
		return false;

	/* Wait for it here, so that the error surfaces as without APF. */
	if (apf_tokens_take_failed(&apf->tokens, gfn))
		return false;

	if (!repeated)
		token = apf_start(vcpu, slot, gfn, write_fault);
	if (token < 0)
		return false;

	if (repeated)
		trace_kvm_async_pf_repeated_fault(kvm_vcpu_get_hfar(vcpu), gfn);
	else
		trace_kvm_try_async_get_page(kvm_vcpu_get_hfar(vcpu), gfn);

	apf_gather(vcpu, token, repeated, &facts);

	return apf_carry_out(vcpu, token, repeated, apf_decide(&facts));
}

static kvm_pfn_t apf_gfn_to_pfn(const struct kvm_memory_slot *slot, gfn_t gfn,
				bool *async, bool write_fault, bool *writable)
{
	return __gfn_to_pfn_memslot(slot, gfn, false, false, async, write_fault,
				    writable, NULL);
}

/*
 * hva_to_pfn() says "would block" of every page that the no-wait attempt could not
 * get. Of a page that cannot be had at all, get_user_pages() has an error here,
 * and no worker could do anything about it; of one that is to be waited for, 0.
 */
static bool apf_is_to_come(const struct kvm_memory_slot *slot, gfn_t gfn,
			   bool write_fault)
{
	return !get_user_pages_unlocked(__gfn_to_hva_memslot(slot, gfn), 1, NULL,
					apf_gup_flags(write_fault) | FOLL_NOWAIT);
}

/**
 * kvm_apf_faultin_pfn - the page of a stage-2 fault, or something better to do
 * @vcpu:	the vCPU that faulted
 * @slot:	where @gfn is; not device memory
 * @gfn:	the page
 * @nested:	the fault was taken on behalf of a nested guest
 * @write_fault: the access was a write
 * @writable:	set to whether the page may be mapped for writing
 *
 * Return: as __gfn_to_pfn_memslot(), or KVM_PFN_APF_PENDING: the page is under
 * way, and the fault handler is to go back to the run loop.
 */
kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
			      const struct kvm_memory_slot *slot, gfn_t gfn,
			      bool nested, bool write_fault, bool *writable)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	bool mapping = apf && apf->mapping;
	bool would_block = false;
	kvm_pfn_t pfn;

	vcpu->stat.stage2_aborts += !mapping;
	if (!apf || nested || kvm_slot_can_be_private(slot))
		return apf_gfn_to_pfn(slot, gfn, NULL, write_fault, writable);

	pfn = apf_gfn_to_pfn(slot, gfn, &would_block, write_fault, writable);

	/*
	 * It came, and is gone again, or has gone bad. The guest may never touch it,
	 * and is somewhere else now: the error belongs to its access, if there is one.
	 */
	if (mapping && is_error_noslot_pfn(pfn))
		return KVM_PFN_APF_PENDING;

	if (!would_block)
		return pfn;

	if (apf_is_to_come(slot, gfn, write_fault)) {
		if (apf_fault(vcpu, slot, gfn, write_fault))
			return KVM_PFN_APF_PENDING;
		vcpu->stat.apf_sync++;
	}

	return apf_gfn_to_pfn(slot, gfn, NULL, write_fault, writable);
}

/*
 * Has a page come that the vCPU's thread has not seen to yet, or is it time to try the
 * block again? Then a halted vCPU is runnable, a suspended one is not. From any thread.
 */
bool kvm_apf_has_work(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = READ_ONCE(vcpu->arch.apf);

	return apf && apf_may_run(vcpu) && (READ_ONCE(apf->done) ||
		(READ_ONCE(apf->retry) && kvm_test_request(KVM_REQ_APF, vcpu)));
}

/* Halt, unless the page has come since the fault. */
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
 * KVM_REQ_APF, before the vCPU goes back in. Halt before ready: what comes while
 * the vCPU is halted is told at once.
 */
void kvm_apf_handle_request(struct kvm_vcpu *vcpu)
{
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
