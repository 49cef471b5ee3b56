// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the guest's block, and the hypercall that says
 * where it is. <asm/kvm_apf.h> has the contract.
 *
 * The block is read and written from the vCPU's own thread only, while that
 * vCPU is outside the guest, so plain copies do. A guest that lets another of
 * its CPUs write there loses its own messages. What is read from the block is
 * the guest's word for it: it may cost the guest time, never the host.
 *
 * All of it may sleep, and needs kvm->srcu.
 */

#include <linux/arm-smccc.h>
#include <linux/kvm_host.h>

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

/* Write bytes @from up to @to of @block to the guest's. */
static int apf_block_write(struct kvm_vcpu *vcpu, struct kvm_apf_block *block,
			   unsigned int from, unsigned int to)
{
	if (apf_knob_every(APF_KNOB_FAIL_BLOCK))
		return -EFAULT;

	return kvm_write_guest_offset_cached(vcpu->kvm, &vcpu->arch.apf->block,
					     (void *)block + from, from, to - from);
}

int apf_block_read(struct kvm_vcpu *vcpu, struct kvm_apf_block *block)
{
	if (apf_knob_every(APF_KNOB_FAIL_BLOCK))
		return -EFAULT;

	return kvm_read_guest_cached(vcpu->kvm, &vcpu->arch.apf->block, block,
				     sizeof(*block));
}

/* Also clears @declined: what is still there was left by another fault. */
int apf_block_announce(struct kvm_vcpu *vcpu, int token, u64 pc)
{
	struct kvm_apf_block block = {
		.pc = cpu_to_le64(pc),
		.missing = cpu_to_le32(token + 1),
	};

	return apf_block_write(vcpu, &block, offsetof(struct kvm_apf_block, pc),
			       offsetofend(struct kvm_apf_block, declined));
}

int apf_block_clear_declined(struct kvm_vcpu *vcpu)
{
	struct kvm_apf_block block = {};

	return apf_block_write(vcpu, &block, offsetof(struct kvm_apf_block, declined),
			       offsetofend(struct kvm_apf_block, declined));
}

/* Add ready bits to those that the guest has not taken yet. */
int apf_block_ready(struct kvm_vcpu *vcpu, u64 tokens)
{
	struct kvm_apf_block block;
	int ret = apf_block_read(vcpu, &block);

	if (ret)
		return ret;

	block.ready |= cpu_to_le64(tokens);

	return apf_block_write(vcpu, &block, offsetof(struct kvm_apf_block, ready),
			       offsetofend(struct kvm_apf_block, ready));
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
		break;
	case KVM_APF_ENABLE:
		idx = srcu_read_lock(&vcpu->kvm->srcu);
		val[0] = apf_enable(vcpu, smccc_get_arg2(vcpu));
		srcu_read_unlock(&vcpu->kvm->srcu, idx);
		break;
	}
}
