// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: pages that have come are mapped, and the guest is told.
 * The vCPU's own thread does this before the vCPU enters the guest.
 *
 * Dirty ring. A page that is mapped for writing takes an entry of the vCPU's dirty
 * ring, and so does each write to the block. When the ring is soft full, KVM exits to
 * user space; KVM_DIRTY_RING_RSVD_ENTRIES entries remain for writes until that exit.
 * They are enough for the two writes of a fault (@declined, then @pc and @missing) or
 * the one of an ENABLE, but not for 64 pages and their ready bits. So nothing is
 * completed while the ring is soft full. The pages that have come stay in @done, and
 * KVM_REQ_APF is made again. It is served after user space has harvested the ring.
 */

#include <linux/kvm_host.h>
#include <trace/events/kvm.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_mmu.h>
#include <asm/kvm_pgtable.h>

#include "apf.h"

/* The same as kvm_dirty_ring_soft_full(), which is static in virt/kvm/dirty_ring.c. */
static bool apf_ring_soft_full(const struct kvm_vcpu *vcpu)
{
	const struct kvm_dirty_ring *ring = &vcpu->dirty_ring;

	return vcpu->kvm->dirty_ring_size &&
	       READ_ONCE(ring->dirty_index) - READ_ONCE(ring->reset_index) >=
	       ring->soft_limit;
}

struct apf_leaf {
	kvm_pte_t	pte;
	s8		level;
};

static int apf_leaf_walker(const struct kvm_pgtable_visit_ctx *ctx,
			   enum kvm_pgtable_walk_flags visit)
{
	struct apf_leaf *leaf = ctx->arg;

	leaf->pte = ctx->old;
	leaf->level = ctx->level;

	return 0;
}

/* Look up a page in stage 2. The entry may change as soon as mmu_lock is released. */
static struct apf_leaf apf_find_leaf(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct apf_leaf leaf = {};
	struct kvm_pgtable_walker walker = {
		.cb	= apf_leaf_walker,
		.flags	= KVM_PGTABLE_WALK_LEAF | KVM_PGTABLE_WALK_SHARED,
		.arg	= &leaf,
	};

	read_lock(&vcpu->kvm->mmu_lock);
	kvm_pgtable_walk(vcpu->arch.hw_mmu->pgt, gfn_to_gpa(gfn), PAGE_SIZE, &walker);
	read_unlock(&vcpu->kvm->mmu_lock);

	return leaf;
}

/*
 * vcpu->arch.fault has the syndrome of an access that faulted earlier. Compute the
 * syndrome that the same access would have now, since the stage-2 mapping may have
 * changed: whoever takes the page away, or makes a read-only page writable, removes
 * the mapping, and another vCPU may have mapped the page since. A stale syndrome
 * would mislead user_mem_abort(). For a permission fault it relaxes the permissions of
 * whatever is mapped there, which may be nothing, or a whole block that was made
 * read-only for the dirty log. For a translation fault it does not touch an existing
 * mapping that lacks a permission. Any mapping is good for a read, so a translation
 * fault of a read stays what it was.
 *
 * Return: the syndrome, or 0 if the access would not fault.
 */
static u64 apf_syndrome(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	bool write = kvm_is_write_fault(vcpu), exec = kvm_vcpu_trap_is_exec_fault(vcpu);
	u64 need = write ? KVM_PGTABLE_PROT_W : exec ? KVM_PGTABLE_PROT_X : KVM_PGTABLE_PROT_R;
	u64 ec = exec ? ESR_ELx_EC_IABT_LOW : ESR_ELx_EC_DABT_LOW;
	u64 esr = ec << ESR_ELx_EC_SHIFT | ESR_ELx_IL | (write ? ESR_ELx_WNR : 0);
	struct apf_leaf leaf;

	if (!write && !exec && esr_fsc_is_translation_fault(kvm_vcpu_get_esr(vcpu)))
		return kvm_vcpu_get_esr(vcpu);

	leaf = apf_find_leaf(vcpu, gfn);
	if (!kvm_pte_valid(leaf.pte))
		return esr | ESR_ELx_FSC_FAULT_L(KVM_PGTABLE_LAST_LEVEL);
	if (kvm_pgtable_stage2_pte_prot(leaf.pte) & need)
		return 0;

	return esr | ESR_ELx_FSC_PERM_L(leaf.level);
}

/*
 * Map a page that has come by calling user_mem_abort() once more, so that the waiting
 * task does not fault on it again. Errors are ignored: they show again when the guest
 * touches the page.
 */
static void apf_map(struct kvm_vcpu *vcpu, int token)
{
	struct kvm_vcpu_fault_info fault = vcpu->arch.fault;
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	gfn_t gfn = apf->tokens.gfn[token];
	struct kvm_memory_slot *slot = gfn_to_memslot(vcpu->kvm, gfn);
	bool writable;
	unsigned long hva = gfn_to_hva_memslot_prot(slot, gfn, &writable);

	/* First the syndrome that the access had, then the one that it would have now. */
	vcpu->arch.fault.esr_el2 = apf->esr[token];
	vcpu->arch.fault.esr_el2 = apf_syndrome(vcpu, gfn);
	if (vcpu->arch.fault.esr_el2 && !kvm_is_error_hva(hva) &&
	    (writable || !kvm_is_write_fault(vcpu))) {
		apf->mapping = true;
		user_mem_abort(vcpu, gfn_to_gpa(gfn), NULL, slot, hva,
			       kvm_vcpu_trap_is_permission_fault(vcpu));
		apf->mapping = false;
	}
	vcpu->arch.fault = fault;
}

/* Take the pages that have come. Those that do not fit into the dirty ring stay in @done. */
static void apf_reap_done(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	unsigned long reaped = 0, failed = 0, done = READ_ONCE(apf->done);
	int token;

	for_each_set_bit(token, &done, APF_TOKENS) {
		if (apf_ring_soft_full(vcpu)) {
			kvm_make_request(KVM_REQ_APF, vcpu);
			break;
		}
		/* Before work->failed is read; pairs with apf_work_done(). */
		test_and_clear_bit(token, &apf->done);
		reaped |= BIT(token);
		if (apf_work_reap(vcpu, apf->work[token]))
			apf_map(vcpu, token);
		else
			failed |= BIT(token);
	}

	apf_tokens_done(&apf->tokens, reaped, failed);
}

/* Write all ready bits that the guest is owed, and pend one PPI for all of them. */
static void apf_post_ready(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	unsigned long owed = apf->tokens.owed;
	int token;

	if (apf->retry)
		apf_path(APF_PATH_RETRIED);
	WRITE_ONCE(apf->retry, owed && apf_block_ready(vcpu, owed));
	if (!owed || apf->retry)
		return;

	apf_tokens_posted(&apf->tokens);
	vcpu->stat.apf_ready += hweight_long(owed);
	vcpu->stat.apf_batches++;
	for_each_set_bit(token, &owed, APF_TOKENS)
		trace_kvm_async_pf_ready(token, gfn_to_gpa(apf->tokens.gfn[token]));
	vgic_apf_pend_ready(vcpu);
}

/**
 * apf_complete - map the pages that have come, and tell the guest
 * @vcpu:	the vCPU, about to enter the guest
 */
void apf_complete(struct kvm_vcpu *vcpu)
{
	int idx;

	lockdep_assert_held(&vcpu->mutex);

	if (apf_ring_soft_full(vcpu)) {
		kvm_make_request(KVM_REQ_APF, vcpu);
		return;
	}

	idx = srcu_read_lock(&vcpu->kvm->srcu);
	apf_reap_done(vcpu);
	apf_post_ready(vcpu);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
}
