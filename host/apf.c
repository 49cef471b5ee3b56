// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF): a vCPU goes on while the host fetches the
 * page it faulted on. How a fault travels:
 *
 *   user_mem_abort()
 *     kvm_apf_faultin_pfn()	tries without waiting; done if the page is there
 *       apf_fault()		it would block: find its token (apf-stale.c) or
 *				take a new one
 *         apf_work_start()	have a worker fetch the page (apf-work.c)
 *         apf_decide()		what the vCPU does meanwhile (apf-decide.h):
 *           apf_announce()	  tell the guest: block (apf-block.c) and PPI
 *				  (apf-deliver.c)
 *           KVM_REQ_APF	  halt
 *           or wait here	  as without APF
 *
 *   apf_work_execute()		a worker: fetches the page, sets the token's bit
 *				in @done, makes KVM_REQ_APF, kicks the vCPU
 *
 *   check_vcpu_requests()
 *     kvm_apf_handle_request()
 *       apf_halt()		as in WFI, until an interrupt or the page
 *       apf_complete()		map all pages that have come, write their ready
 *				bits, pend one PPI (apf-complete.c)
 *
 * All of this but the worker runs in the vCPU's own thread, with vcpu->mutex held.
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

/* Take a token and start a worker for a new page. Return: the token, or APF_NO_TOKEN. */
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

/* The host does not have the page. Return: false if the caller has to wait for it. */
static bool apf_fault(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
		      gfn_t gfn, bool write_fault)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token = apf_find_token(vcpu, gfn, __gfn_to_hva_memslot(slot, gfn));
	bool repeated = token >= 0;
	struct apf_facts facts;

	/* The vCPU cannot take an interrupt, so a pending one would make halts spin. */
	if (*vcpu_cpsr(vcpu) & PSR_I_BIT)
		return false;

	/* The caller's attempt that waits reports the error as without APF. */
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
 * Can a worker fetch the page? hva_to_pfn() reports "would block" for every page that
 * the no-wait attempt did not get. get_user_pages() tells them apart: it returns 0 if
 * waiting would bring the page, and an error if nothing would.
 */
static bool apf_is_to_come(const struct kvm_memory_slot *slot, gfn_t gfn,
			   bool write_fault)
{
	return !get_user_pages_unlocked(__gfn_to_hva_memslot(slot, gfn), 1, NULL,
					apf_gup_flags(write_fault) | FOLL_NOWAIT);
}

/**
 * kvm_apf_faultin_pfn - get the page of a stage-2 fault, or have it fetched
 * @vcpu:	the vCPU that faulted
 * @slot:	memslot of @gfn; not device memory
 * @gfn:	the page
 * @nested:	the fault was taken on behalf of a nested guest
 * @write_fault: the access was a write
 * @writable:	set to whether the page may be mapped for writing
 *
 * Return: as __gfn_to_pfn_memslot(); or KVM_PFN_APF_PENDING if a worker fetches the
 * page, and the fault handler has to go back to the run loop.
 */
kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
			      const struct kvm_memory_slot *slot, gfn_t gfn,
			      bool nested, bool write_fault, bool *writable)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	bool mapping = apf && apf->mapping;
	bool would_block = false;
	kvm_pfn_t pfn;

	lockdep_assert_held(&vcpu->mutex);
	lockdep_assert(srcu_read_lock_held(&vcpu->kvm->srcu));

	vcpu->stat.stage2_aborts += !mapping;
	if (!apf || nested || kvm_slot_can_be_private(slot))
		return apf_gfn_to_pfn(slot, gfn, NULL, write_fault, writable);

	pfn = apf_gfn_to_pfn(slot, gfn, &would_block, write_fault, writable);

	/*
	 * The page came, and is gone again or has gone bad. The guest is somewhere else
	 * now and may never touch the page; if it does, that access reports the error.
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
