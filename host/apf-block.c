// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the guest's block, and the hypercall that says
 * where it is. <asm/kvm_apf.h> has the contract.
 *
 * By the contract the host may write at any moment and from any CPU. This host
 * does so from the vCPU's own thread only, while that vCPU is outside the guest,
 * but other CPUs of the guest may look. So each field is accessed as a whole,
 * @missing is written last, and @ready is ORed into atomically, in the memory of
 * the VMM. Whoever would post ready bits from another thread finds that part done.
 * What is left is to guard struct apf_tokens and the gfn_to_hva_cache, which belong
 * to the vCPU's thread, and to have apf_halt() look at its token: @done, at which it
 * looks, is then taken by somebody else (models/ has that rule).
 *
 * What is read from the block is the guest's word for it: it may cost the guest
 * time, never the host.
 *
 * All of it may sleep, and needs kvm->srcu.
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
 * The block in the VMM's memory. NULL: there is no memory now that can be written.
 * @fail: the knob of this kind of access.
 */
static struct kvm_apf_block __user *apf_block(struct kvm_vcpu *vcpu, enum apf_knob fail)
{
	struct gfn_to_hva_cache *where = &vcpu->arch.apf->block;

	if (apf_knob_every(APF_KNOB_FAIL_BLOCK) || apf_knob_every(fail))
		return NULL;

	/* As kvm_write_guest_cached(): where that fails, @hva says so. */
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

/* Only what the guest writes: @ready, @missing and @declined. */
int apf_block_read(struct kvm_vcpu *vcpu, struct kvm_apf_block *block)
{
	struct kvm_apf_block __user *from = apf_block(vcpu, APF_KNOB_FAIL_READ);

	if (!from || get_user(block->ready, &from->ready) ||
	    get_user(block->missing, &from->missing) ||
	    get_user(block->declined, &from->declined))
		return -EFAULT;

	/*
	 * Acquire, for the next announcement: @pc is not written before @missing
	 * was read as 0. Pairs with the release of the guest's claim.
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
 * The caller has read @missing as 0. Also clears @declined: what is still there was
 * left by another fault.
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
 * Atomic OR with release. Bounded, as arch_futex_atomic_op_inuser(): another CPU of
 * the guest may keep the exclusive store from succeeding. Return: 0, -EFAULT, or
 * -EAGAIN.
 */
static int apf_user_or(__le64 __user *to, __le64 bits)
{
	__le64 __user *word = __uaccess_mask_ptr(to);
	unsigned int loops = 128;
	u64 value;
	int ret;

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

/* Add ready bits to those that the guest has not taken yet. */
int apf_block_ready(struct kvm_vcpu *vcpu, u64 tokens)
{
	struct kvm_apf_block __user *to = apf_block(vcpu, APF_KNOB_FAIL_READY);
	int ret;

	if (!to)
		return -EFAULT;

	/* A guest that keeps this from succeeding delays its own vCPU; a signal ends it. */
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
 * The pages under way stay under way, but the guest is owed nothing for them:
 * by the contract it wakes whoever waits.
 */
void apf_disable(struct kvm_vcpu_apf *apf)
{
	apf->enable = 0;
	apf_tokens_forget(&apf->tokens);
	memset(apf->declined_pc, 0, sizeof(apf->declined_pc));
}

/* Zeroes the block: proof that it can be written, and a defined start. */
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

/* Of the guest or of the VMM; whether there is memory is another question. */
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
 * @vcpu:	the calling vCPU, which the VMM has given the feature
 * @val:	x0 to x3 of the answer; NOT_SUPPORTED on entry
 */
void kvm_apf_hypercall(struct kvm_vcpu *vcpu, u64 val[4])
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int idx;

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
