// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the guest's block, and the hypercall that tells KVM
 * where it is. <asm/kvm_apf.h> has the contract.
 *
 * The contract lets the host write at any moment and from any CPU. KVM writes only
 * from the vCPU's own thread, while that vCPU is outside the guest, but other CPUs of
 * the guest may read at the same time. So KVM accesses each field as a whole, writes
 * @missing last, and ORs into @ready atomically, in the memory of the VMM.
 *
 * Code that posts ready bits from another thread could use apf_block_ready() as it
 * is. It would also have to guard struct apf_tokens and the gfn_to_hva_cache, which
 * vcpu->mutex guards now, and apf_halt() would have to look at its token in place of
 * @done, which another thread could then clear (models/ checks that rule).
 *
 * The guest may write anything into the block. Wrong values may cost the guest time,
 * but never harm the host.
 */

#include <linux/arm-smccc.h>
#include <linux/kvm_host.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/asm-extable.h>
#include <kvm/arm_hypercalls.h>

#include "apf.h"

static_assert(sizeof(struct kvm_apf_block) == KVM_APF_BLOCK_SIZE);
static_assert(offsetof(struct kvm_apf_block, pc) == 8);
static_assert(offsetof(struct kvm_apf_block, missing) == 16);
static_assert(offsetof(struct kvm_apf_block, declined) == 20);
static_assert(KVM_APF_TOKENS == APF_TOKENS);
static_assert(KVM_APF_SMCCC_ID ==
	      ARM_SMCCC_CALL_VAL(ARM_SMCCC_FAST_CALL, ARM_SMCCC_SMC_64,
				 ARM_SMCCC_OWNER_VENDOR_HYP, KVM_APF_SMCCC_FUNC));

/*
 * Find the block in the VMM's memory. @fail is the knob for this kind of access.
 * Return: NULL if there is no writable memory at its address now.
 */
static struct kvm_apf_block __user *apf_block(struct kvm_vcpu *vcpu, enum apf_knob fail)
{
	struct gfn_to_hva_cache *where = &vcpu->arch.apf->block;

	lockdep_assert_held(&vcpu->mutex);
	lockdep_assert(srcu_read_lock_held(&vcpu->kvm->srcu));

	if (apf_knob_every(APF_KNOB_FAIL_BLOCK) || apf_knob_every(fail))
		return NULL;

	/* As kvm_write_guest_cached() does. If it fails, @hva is an error. */
	if (where->generation != kvm_memslots(vcpu->kvm)->generation)
		kvm_gfn_to_hva_cache_init(vcpu->kvm, where, where->gpa, where->len);

	return kvm_is_error_hva(where->hva) ? NULL :
	       (struct kvm_apf_block __user *)where->hva;
}

static void apf_block_dirty(struct kvm_vcpu *vcpu)
{
	struct gfn_to_hva_cache *where = &vcpu->arch.apf->block;

	mark_page_dirty_in_slot(vcpu->kvm, where->memslot, gpa_to_gfn(where->gpa));
}

/* Read the fields that the guest writes: @ready, @missing and @declined. */
int apf_block_read(struct kvm_vcpu *vcpu, struct kvm_apf_block *block)
{
	struct kvm_apf_block __user *from = apf_block(vcpu, APF_KNOB_FAIL_READ);

	if (!from || get_user(block->ready, &from->ready) ||
	    get_user(block->missing, &from->missing) ||
	    get_user(block->declined, &from->declined))
		return -EFAULT;

	/*
	 * Acquire, for the next announcement: KVM does not write @pc before it has
	 * read @missing as 0. Pairs with the release of the guest's claim.
	 */
	smp_mb();

	return 0;
}

static int apf_put_announcement(struct kvm_apf_block __user *to, int token, u64 pc)
{
	if (put_user(0, &to->declined) || put_user(cpu_to_le64(pc), &to->pc))
		return -EFAULT;

	/* Release: pairs with the acquire of the guest's read of @missing. */
	smp_wmb();

	return put_user(cpu_to_le32(token + 1), &to->missing);
}

/*
 * Write an announcement. The caller has read @missing as 0. This also clears
 * @declined, which may hold a token from an earlier fault.
 */
int apf_block_announce(struct kvm_vcpu *vcpu, int token, u64 pc)
{
	struct kvm_apf_block __user *to = apf_block(vcpu, APF_KNOB_FAIL_TELL);
	int ret;

	if (!to)
		return -EFAULT;

	ret = apf_put_announcement(to, token, pc);
	apf_block_dirty(vcpu);

	return ret;
}

int apf_block_clear_declined(struct kvm_vcpu *vcpu)
{
	struct kvm_apf_block __user *to = apf_block(vcpu, APF_KNOB_FAIL_TELL);

	if (!to || put_user(0, &to->declined))
		return -EFAULT;

	apf_block_dirty(vcpu);

	return 0;
}

/*
 * Atomic OR with release. The loop is bounded, as in arch_futex_atomic_op_inuser(),
 * since another CPU of the guest may keep the exclusive store from succeeding.
 * Return: 0, -EFAULT, or -EAGAIN.
 */
static int apf_user_or(__le64 __user *to, __le64 bits)
{
	__le64 __user *word = __uaccess_mask_ptr(to);
	unsigned int loops = 128;
	u64 value;
	int ret;

	might_fault();

	uaccess_enable_privileged();
	asm volatile("	prfm	pstl1strm, %2\n"
	"1:	ldxr	%1, %2\n"
	"	orr	%1, %1, %4\n"
	"2:	stlxr	%w0, %1, %2\n"
	"	cbz	%w0, 4f\n"
	"	sub	%w3, %w3, %w0\n"
	"	cbnz	%w3, 1b\n"
	"	mov	%w0, %w5\n"
	"	b	4f\n"
	"3:	mov	%w0, %w6\n"
	"4:\n"
	_ASM_EXTABLE_UACCESS(1b, 3b)
	_ASM_EXTABLE_UACCESS(2b, 3b)
	: "=&r" (ret), "=&r" (value), "+Q" (*word), "+r" (loops)
	: "r" (bits), "r" (-EAGAIN), "r" (-EFAULT)
	: "memory");
	uaccess_disable_privileged();

	return ret;
}

/* Set ready bits. Bits that the guest has not taken yet stay set. */
int apf_block_ready(struct kvm_vcpu *vcpu, u64 tokens)
{
	struct kvm_apf_block __user *to = apf_block(vcpu, APF_KNOB_FAIL_READY);
	int ret;

	if (!to)
		return -EFAULT;

	/* A guest that keeps this from succeeding delays only its own vCPU. A signal ends it. */
	for (;;) {
		ret = apf_user_or(&to->ready, cpu_to_le64(tokens));
		if (ret != -EAGAIN || signal_pending(current))
			break;
		cond_resched();
	}
	if (!ret)
		apf_block_dirty(vcpu);

	return ret;
}

/*
 * Disable APF on a vCPU. Pages go on being fetched, but the guest gets no ready
 * bits for them: by the contract, the guest itself wakes all tasks that wait.
 */
void apf_disable(struct kvm_vcpu_apf *apf)
{
	apf->enable = 0;
	apf_tokens_forget(&apf->tokens);
	memset(apf->declined_pc, 0, sizeof(apf->declined_pc));
}

/* Zero the block: that gives it a defined state, and shows that it can be written. */
static long apf_enable_at(struct kvm_vcpu *vcpu, u64 word)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	struct kvm_apf_block zero = {};
	struct gfn_to_hva_cache block;
	struct kvm *kvm = vcpu->kvm;

	if (kvm_gfn_to_hva_cache_init(kvm, &block, word & KVM_APF_ENABLE_ADDR,
				      sizeof(zero)) ||
	    kvm_write_guest_cached(kvm, &block, &zero, sizeof(zero)))
		return SMCCC_RET_INVALID_PARAMETER;

	apf_disable(apf);
	apf->block = block;
	apf->enable = word;

	return SMCCC_RET_SUCCESS;
}

/* Check an ENABLE word from guest or VMM, but not whether there is memory at its address. */
bool apf_word_valid(u64 word)
{
	if (word & ~(KVM_APF_ENABLE_ADDR | KVM_APF_ENABLE_KERNEL | KVM_APF_ENABLE_ON))
		return false;

	return !word || (word & KVM_APF_ENABLE_ON);
}

static long apf_enable(struct kvm_vcpu *vcpu, u64 word)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	if (!apf_word_valid(word))
		return SMCCC_RET_INVALID_PARAMETER;
	if (word == apf->enable)
		return SMCCC_RET_SUCCESS;
	if (word)
		return apf_enable_at(vcpu, word);

	apf_disable(apf);

	return SMCCC_RET_SUCCESS;
}

/**
 * kvm_apf_hypercall - serve KVM_APF_SMCCC_ID
 * @vcpu:	the calling vCPU, whose VM offers the feature
 * @val:	x0 to x3 of the answer; x0 is NOT_SUPPORTED on entry
 */
void kvm_apf_hypercall(struct kvm_vcpu *vcpu, u64 val[4])
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int idx;

	lockdep_assert_held(&vcpu->mutex);

	if (!apf || !apf->announces)
		return;

	switch (smccc_get_arg1(vcpu)) {
	case KVM_APF_FEATURES:
		val[0] = SMCCC_RET_SUCCESS;
		val[1] = KVM_APF_VERSION;
		val[2] = vcpu->kvm->arch.apf.intid;
		val[3] = 0;
		break;
	case KVM_APF_ENABLE:
		idx = srcu_read_lock(&vcpu->kvm->srcu);
		val[0] = apf_enable(vcpu, smccc_get_arg2(vcpu));
		srcu_read_unlock(&vcpu->kvm->srcu, idx);
		break;
	}
}
