// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: which VMs have them, and the lifetime of a vCPU's state.
 * apf.c handles the faults.
 */

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include <asm/kvm_emulate.h>
#include <asm/virt.h>

#include "apf.h"

/*
 * PPI of both messages unless the VMM chooses another. The Base System Architecture
 * puts timers, PMU, SPE and the GIC maintenance interrupt at INTIDs 19 to 30.
 */
#define APF_DEFAULT_INTID	16

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm-arm."

enum apf_default {
	APF_DEFAULT_OFF,	/* APF only if the VMM asks */
	APF_DEFAULT_HALT,	/* every VM halts; announcements only if the VMM asks */
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

/* The value of KVM_REG_ARM_VENDOR_HYP_BMAP_2 in a new VM. */
unsigned long kvm_apf_default_bmap(void)
{
	return READ_ONCE(apf_default) == APF_DEFAULT_ON ?
	       BIT(KVM_REG_ARM_VENDOR_HYP_BIT_APF) : 0;
}

void kvm_apf_init_vm(struct kvm *kvm)
{
	kvm->arch.apf.halt = READ_ONCE(apf_default) == APF_DEFAULT_HALT;
	kvm->arch.apf.intid = APF_DEFAULT_INTID;
}

void kvm_apf_destroy_vm(struct kvm *kvm)
{
	if (kvm->arch.apf.pool)
		apf_pool_destroy(kvm->arch.apf.pool);
}

static bool apf_asked_for(struct kvm *kvm)
{
	return test_bit(KVM_REG_ARM_VENDOR_HYP_BIT_APF,
			&kvm->arch.smccc_feat.vendor_hyp_bmap_2);
}

/**
 * kvm_apf_version - the value of KVM_CAP_ARM_APF
 * @kvm:	the VM, or NULL for VMs in general
 *
 * Protected VMs have no APF, since the host cannot fetch their memory. VMs with nested
 * virtualisation have none, since PSTATE at a fault does not say which of the guest's
 * exception levels faulted. APF also needs an in-kernel GIC, but a VMM may create that
 * after it has asked for the capability.
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

/* Without an in-kernel GIC, no interrupt could end a halt. */
static bool apf_possible(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;

	return (kvm->arch.apf.halt || apf_asked_for(kvm)) &&
	       irqchip_in_kernel(kvm) && kvm_apf_version(kvm);
}

/* vCPUs may do this at the same time. All use the pool of the first one. */
static int apf_pool_init(struct kvm *kvm)
{
	struct kvm_apf_pool *pool;

	if (READ_ONCE(kvm->arch.apf.pool))
		return 0;

	pool = apf_pool_create(kvm);
	if (!pool)
		return -ENOMEM;
	if (cmpxchg(&kvm->arch.apf.pool, NULL, pool))
		apf_pool_destroy(pool);

	return 0;
}

/*
 * Make the INTID final and take the PPI. Return: false if another device of KVM owns
 * the PPI. That device got it after the VMM chose it for APF: timers and PMU take
 * their PPIs just before this. The VM runs all the same, and its vCPUs only halt.
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

	lockdep_assert_held(&vcpu->mutex);

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
	 * A vCPU whose EL1 is AArch32 can only halt: KVM cannot enter an IRQ there,
	 * and would take the exception that apf_deliver() pends for a prefetch abort.
	 */
	apf->announces = apf_asked_for(vcpu->kvm) && !vcpu_el1_is_32bit(vcpu) &&
			 apf_take_ppi(vcpu);

	/* Pairs with smp_load_acquire() in kvm_apf_memslots_changed(). */
	smp_store_release(&vcpu->arch.apf, apf);

	return 0;
}

/*
 * The vCPU's thread is scheduled in, which it is after every signal and every halt.
 * Repeat a write to the block that has failed. kvm_apf_memslots_changed() has it
 * repeated, too, since missing memory is why it failed. It is not repeated before each
 * entry into the guest: that could keep the vCPU out of the guest for good. A register
 * that the VMM has set also makes the request here.
 */
void kvm_apf_vcpu_load(struct kvm_vcpu *vcpu)
{
	/* The thread may have been preempted in the middle of writing these members. */
	struct kvm_vcpu_apf *apf = READ_ONCE(vcpu->arch.apf);

	if (apf && (READ_ONCE(apf->retry) ||
		    (apf->announces && READ_ONCE(vcpu->arch.apf_reg.due))))
		kvm_make_request(KVM_REQ_APF, vcpu);
}

/*
 * Have all vCPUs repeat writes that failed. A vCPU that is using the old memslots now,
 * and fails, sees the request after that.
 */
void kvm_apf_memslots_changed(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long n;

	lockdep_assert_held(&kvm->slots_lock);

	kvm_for_each_vcpu(n, vcpu, kvm) {
		/* Pairs with smp_store_release() in kvm_apf_vcpu_first_run(). */
		if (!smp_load_acquire(&vcpu->arch.apf))
			continue;
		kvm_make_request(KVM_REQ_APF, vcpu);
		kvm_vcpu_kick(vcpu);
	}
}

/* The vCPU's thread resets it for PSCI, any thread of the VMM by KVM_ARM_VCPU_INIT. */
void kvm_apf_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	lockdep_assert_held(&vcpu->mutex);

	vcpu->arch.apf_reg = (struct kvm_apf_reg) {};
	if (!apf)
		return;

	apf_disable(apf);
	apf->halt_token = APF_NO_TOKEN;
}

/* Nobody holds vcpu->mutex: only the caller, and who fetches its pages, still know the vCPU. */
void kvm_apf_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	int token;

	if (!apf)
		return;

	for_each_set_bit(token, &apf->tokens.busy, APF_TOKENS)
		apf_work_orphan(apf->work[token]);
	apf_work_free_spare(vcpu);

	kfree(apf);
}
