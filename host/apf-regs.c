// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the registers by which a VMM chooses the PPI, and
 * saves and restores the ENABLE word. <asm/kvm_apf.h> has the contract.
 *
 * The VMM may set ENABLE before or after it restores memory, vGIC and the other
 * registers. So KVM_SET_ONE_REG only stores the word, and the vCPU's own thread lets
 * it take effect before it enters the guest. By then the VMM has restored all. For a
 * vCPU that is off the word waits, and is lost if PSCI turns the vCPU on, since that
 * resets it.
 */

#include <linux/kvm_host.h>

#include "apf.h"

/*
 * hypercalls.c serves the first one, which exists in all VMs; the others need
 * kvm_apf_version().
 */
static const u64 apf_reg_ids[] = {
	KVM_REG_ARM_VENDOR_HYP_BMAP_2,
	KVM_REG_ARM_APF_ENABLE,
	KVM_REG_ARM_APF_INTID,
};

int kvm_apf_num_regs(struct kvm_vcpu *vcpu)
{
	return kvm_apf_version(vcpu->kvm) ? ARRAY_SIZE(apf_reg_ids) : 1;
}

int kvm_apf_copy_reg_indices(struct kvm_vcpu *vcpu, u64 __user *uindices)
{
	int i;

	for (i = 0; i < kvm_apf_num_regs(vcpu); i++)
		if (put_user(apf_reg_ids[i], uindices++))
			return -EFAULT;

	return 0;
}

static bool apf_is_timer(struct kvm *kvm, u64 intid)
{
	int i;

	lockdep_assert_held(&kvm->arch.config_lock);

	for (i = 0; i < NR_KVM_TIMERS; i++)
		if (kvm->arch.timer_data.ppi[i] == intid)
			return true;

	return false;
}

static int apf_set_intid(struct kvm_vcpu *vcpu, u64 intid)
{
	struct kvm *kvm = vcpu->kvm;
	int ret = 0;

	if (intid < VGIC_NR_SGIS || intid >= VGIC_NR_PRIVATE_IRQS)
		return -EINVAL;

	mutex_lock(&kvm->arch.config_lock);
	if (intid == kvm->arch.apf.intid)
		ret = 0;
	else if (kvm->arch.apf.fixed || kvm_vm_has_ran_once(kvm))
		ret = -EBUSY;
	else if (apf_is_timer(kvm, intid) || vgic_apf_taken(vcpu, intid))
		ret = -EINVAL;
	else
		WRITE_ONCE(kvm->arch.apf.intid, intid);
	mutex_unlock(&kvm->arch.config_lock);

	return ret;
}

static u64 apf_get_enable(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.apf_reg.due || !vcpu->arch.apf)
		return vcpu->arch.apf_reg.word;

	return vcpu->arch.apf->enable;
}

static int apf_set_enable(struct kvm_vcpu *vcpu, u64 word)
{
	if (!apf_word_valid(word))
		return -EINVAL;

	vcpu->arch.apf_reg.word = word;
	WRITE_ONCE(vcpu->arch.apf_reg.due, true);

	return 0;
}

int kvm_apf_get_reg(struct kvm_vcpu *vcpu, u64 id, u64 *val)
{
	lockdep_assert_held(&vcpu->mutex);

	if (!kvm_apf_version(vcpu->kvm))
		return -ENOENT;

	if (id == KVM_REG_ARM_APF_ENABLE)
		*val = apf_get_enable(vcpu);
	else
		*val = READ_ONCE(vcpu->kvm->arch.apf.intid);

	return 0;
}

int kvm_apf_set_reg(struct kvm_vcpu *vcpu, u64 id, u64 val)
{
	lockdep_assert_held(&vcpu->mutex);

	if (!kvm_apf_version(vcpu->kvm))
		return -ENOENT;

	return id == KVM_REG_ARM_APF_ENABLE ? apf_set_enable(vcpu, val) :
					      apf_set_intid(vcpu, val);
}

/*
 * Find the block, and keep its content, which was saved with the VM's memory. If there
 * is no memory at that address, accesses fail until the memslots change. Then
 * apf_block() looks for the memory again.
 */
static void apf_find_block(struct kvm_vcpu *vcpu, u64 word)
{
	struct gfn_to_hva_cache *block = &vcpu->arch.apf->block;
	gpa_t gpa = word & KVM_APF_ENABLE_ADDR;
	int idx = srcu_read_lock(&vcpu->kvm->srcu);

	kvm_gfn_to_hva_cache_init(vcpu->kvm, block, gpa, KVM_APF_BLOCK_SIZE);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);

	/* kvm_gfn_to_hva_cache_init() leaves these unset if there is no memory. */
	block->gpa = gpa;
	block->len = KVM_APF_BLOCK_SIZE;
}

/**
 * apf_take_register - let the ENABLE register take effect, if it was set
 * @vcpu:	the vCPU, about to enter the guest
 *
 * The restored guest may have tasks that wait, or an announcement that it has not
 * claimed. KVM sets all bits of @ready, which wakes the waiting tasks. At the PPI, the
 * guest's handler claims @missing before it takes @ready, so that it wakes the task of
 * that announcement as well.
 */
void apf_take_register(struct kvm_vcpu *vcpu)
{
	struct kvm_apf_reg *reg = &vcpu->arch.apf_reg;
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	lockdep_assert_held(&vcpu->mutex);

	if (likely(!reg->due) || !apf->announces)
		return;

	WRITE_ONCE(reg->due, false);
	apf_disable(apf);
	apf->halt_token = APF_NO_TOKEN;
	vgic_apf_restore(vcpu);
	if (!reg->word)
		return;

	apf_find_block(vcpu, reg->word);
	apf->enable = reg->word;
	apf_tokens_wake_all(&apf->tokens);
}
