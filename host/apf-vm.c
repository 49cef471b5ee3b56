// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: which VMs have them, and the life of a vCPU's state.
 * apf.c has what happens at a fault.
 */

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include <asm/kvm_emulate.h>
#include <asm/virt.h>

#include "apf.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm-arm."

enum apf_default {
	APF_DEFAULT_OFF,	/* only where the VMM asks */
	APF_DEFAULT_HALT,	/* every VM halts; announcements where the VMM asks */
	APF_DEFAULT_ON,		/* as if every VMM asked */
};

static const char * const apf_default_names[] = { "off", "halt", "on" };
static unsigned int apf_default;

static int apf_default_set(const char *val, const struct kernel_param *kp)
{
	int n = sysfs_match_string(apf_default_names, val);

	if (n < 0)
		return n;

	WRITE_ONCE(apf_default, n);

	return 0;
}

static int apf_default_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", apf_default_names[READ_ONCE(apf_default)]);
}

static const struct kernel_param_ops apf_default_ops = {
	.set = apf_default_set,
	.get = apf_default_get,
};

module_param_cb(apf, &apf_default_ops, NULL, 0644);
MODULE_PARM_DESC(apf, "Asynchronous page faults of new VMs whose VMM does not ask: off, halt, on");

/* What KVM_REG_ARM_VENDOR_HYP_BMAP_2 is in a new VM. */
unsigned long kvm_apf_default_bmap(void)
{
	return READ_ONCE(apf_default) == APF_DEFAULT_ON ?
	       BIT(KVM_REG_ARM_VENDOR_HYP_BIT_APF) : 0;
}

void kvm_apf_init_vm(struct kvm *kvm)
{
	kvm->arch.apf.halt = READ_ONCE(apf_default) == APF_DEFAULT_HALT;
	kvm->arch.apf.intid = KVM_APF_DEFAULT_INTID;
}

void kvm_apf_destroy_vm(struct kvm *kvm)
{
	if (kvm->arch.apf.pool)
		apf_pool_put(kvm->arch.apf.pool);
}

static bool apf_asked_for(struct kvm *kvm)
{
	return test_bit(KVM_REG_ARM_VENDOR_HYP_BIT_APF,
			&kvm->arch.smccc_feat.vendor_hyp_bmap_2);
}

/**
 * kvm_apf_version - what KVM_CAP_ARM_APF is
 * @kvm:	the VM, or NULL for VMs in general
 *
 * The memory of protected VMs is not the host's to fetch; and with nested
 * virtualisation EL1 and EL0 are not what the fault's PSTATE says. Whether the VM
 * gets an in-kernel GIC, without which APF stays off, is not known yet.
 *
 * Return: KVM_APF_VERSION, or 0.
 */
int kvm_apf_version(struct kvm *kvm)
{
	if (is_protected_kvm_enabled())
		return 0;
	if (kvm && __vcpu_has_feature(&kvm->arch, KVM_ARM_VCPU_HAS_EL2))
		return 0;

	return KVM_APF_VERSION;
}

/* Without an in-kernel GIC there is nothing that could end a halt. */
static bool apf_possible(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;

	return (kvm->arch.apf.halt || apf_asked_for(kvm)) &&
	       irqchip_in_kernel(kvm) && kvm_apf_version(kvm);
}

/* vCPUs may come here at the same time: the first one's pool it is. */
static int apf_pool_init(struct kvm *kvm)
{
	struct kvm_apf_pool *pool;

	if (READ_ONCE(kvm->arch.apf.pool))
		return 0;

	pool = apf_pool_create();
	if (!pool)
		return -ENOMEM;
	if (cmpxchg(&kvm->arch.apf.pool, NULL, pool))
		apf_pool_put(pool);

	return 0;
}

/*
 * From here on the INTID is final. Return: false if it is another device's, which
 * was given it after the VMM chose it for APF: timers and PMU take theirs before
 * us. The VM runs all the same, and its vCPUs halt.
 */
static bool apf_take_ppi(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;

	mutex_lock(&kvm->arch.config_lock);
	kvm->arch.apf.fixed = true;
	mutex_unlock(&kvm->arch.config_lock);

	if (!vgic_apf_init(vcpu))
		return true;

	pr_warn_ratelimited("kvm [%i]: vCPU %d: INTID %u is not free, no faults are announced\n",
			    task_pid_nr(current), vcpu->vcpu_id, kvm->arch.apf.intid);

	return false;
}

/**
 * kvm_apf_vcpu_first_run - turn APF on for a vCPU, if its VM has it
 * @vcpu:	the vCPU, about to run for the first time; the VM's features and
 *		the vGIC are final
 *
 * Return: 0, also where APF stays off; -ENOMEM.
 */
int kvm_apf_vcpu_first_run(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf;

	if (vcpu->arch.apf || !apf_possible(vcpu))
		return 0;
	if (apf_pool_init(vcpu->kvm))
		return -ENOMEM;

	apf = apf_kzalloc(sizeof(*apf), GFP_KERNEL_ACCOUNT);
	if (!apf)
		return -ENOMEM;

	apf->halt_token = APF_NO_TOKEN;
	apf->last_token = APF_NO_TOKEN;
	/*
	 * Where EL1 is AArch32, it can only halt: apf_enter_irq() has no way in,
	 * and what it asks for would be taken for a prefetch abort.
	 */
	apf->announces = apf_asked_for(vcpu->kvm) && !vcpu_el1_is_32bit(vcpu) &&
			 apf_take_ppi(vcpu);

	/* Pairs with those who look from other threads. */
	smp_store_release(&vcpu->arch.apf, apf);

	return 0;
}

/*
 * What could not be written to the block is tried again each time the vCPU's
 * thread is scheduled in, which is after every signal and every halt, and when
 * the memslots have changed: those are why it failed. Not before each entry:
 * that could keep the vCPU out of the guest for good. A register that the VMM has
 * set is seen to here, too.
 */
void kvm_apf_vcpu_load(struct kvm_vcpu *vcpu)
{
	/* The thread may have been preempted while it wrote any of this. */
	struct kvm_vcpu_apf *apf = READ_ONCE(vcpu->arch.apf);

	if (apf && (READ_ONCE(apf->retry) ||
		    (apf->announces && READ_ONCE(vcpu->arch.apf_reg.due))))
		kvm_make_request(KVM_REQ_APF, vcpu);
}

/* All vCPUs: one that fails with the old memslots now sees the request later. */
void kvm_apf_memslots_changed(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long n;

	kvm_for_each_vcpu(n, vcpu, kvm) {
		/* Pairs with the smp_store_release() of kvm_apf_vcpu_first_run(). */
		if (!smp_load_acquire(&vcpu->arch.apf))
			continue;
		kvm_make_request(KVM_REQ_APF, vcpu);
		kvm_vcpu_kick(vcpu);
	}
}

void kvm_apf_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	vcpu->arch.apf_reg = (struct kvm_apf_reg) {};
	if (!apf)
		return;

	apf_disable(apf);
	apf->halt_token = APF_NO_TOKEN;
}

void kvm_apf_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token;

	if (!apf)
		return;

	for_each_set_bit(token, &apf->tokens.busy, APF_TOKENS)
		apf_work_orphan(apf->work[token]);

	kfree(apf);
}
