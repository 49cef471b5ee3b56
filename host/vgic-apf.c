// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: their PPI in the vGIC. All of it runs in the vCPU's
 * own thread.
 */

#include <linux/kvm_host.h>

#include <asm/kvm_hyp.h>

#include "vgic.h"

static struct vgic_irq *vgic_apf_irq(struct kvm_vcpu *vcpu)
{
	return vgic_get_irq(vcpu->kvm, vcpu, vcpu->kvm->arch.apf.intid);
}

/**
 * vgic_apf_init - take the PPI for APF
 * @vcpu:	the vCPU, before its first run
 *
 * Owned, so that user space cannot inject it. Edge, since there is no line that
 * the guest could make the host lower; KVM's PPIs are level otherwise, and a
 * guest cannot change that (vgic_mmio_write_config()), so it is done before the
 * guest looks.
 *
 * Return: 0, or -EEXIST if another device of the VM has it.
 */
int vgic_apf_init(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	unsigned long flags;
	int ret;

	ret = kvm_vgic_set_owner(vcpu, irq->intid, vcpu);
	if (ret)
		return ret;

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	irq->config = VGIC_CONFIG_EDGE;
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	return 0;
}

/*
 * While the vCPU is loaded, PMR and the group enables are in the hardware. Read
 * them without a put, which would also make a GICv4 vPE non-resident.
 */
static void vgic_apf_sync_vmcr(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	if (static_branch_unlikely(&kvm_vgic_global_state.gicv3_cpuif))
		kvm_call_hyp(__vgic_v3_save_vmcr_aprs, &vcpu->arch.vgic_cpu.vgic_v3);
	else
		vgic_v2_put(vcpu);
	preempt_enable();
}

/*
 * Would the vCPU take the PPI now, PSTATE.I apart? Without its distributor, its
 * group or the PPI itself enabled, or with it masked by PMR, an announcement
 * would not be read.
 */
bool vgic_apf_deliverable(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	struct vgic_vmcr vmcr;
	unsigned long flags;
	bool ret;

	vgic_apf_sync_vmcr(vcpu);
	vgic_get_vmcr(vcpu, &vmcr);

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	ret = vcpu->kvm->arch.vgic.enabled && irq->enabled && !irq->active &&
	      (irq->group ? vmcr.grpen1 : vmcr.grpen0) &&
	      irq->priority < vmcr.pmr;
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	return ret;
}

/* Is an interrupt, of any kind, pending that neither PMR nor enables hold back? */
bool vgic_apf_any_pending(struct kvm_vcpu *vcpu)
{
	vgic_apf_sync_vmcr(vcpu);

	return kvm_vgic_vcpu_pending_irq(vcpu);
}

bool vgic_apf_pending(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	unsigned long flags;
	bool ret;

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	ret = irq_is_pending(irq);
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	return ret;
}

void vgic_apf_pend(struct kvm_vcpu *vcpu)
{
	kvm_vgic_inject_irq(vcpu->kvm, vcpu, vcpu->kvm->arch.apf.intid, true, vcpu);
}
