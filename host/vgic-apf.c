// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: their PPI in the vGIC. All of it runs in the vCPU's
 * own thread.
 */

#include <linux/bitfield.h>
#include <linux/kvm_host.h>

#include <asm/kvm_hyp.h>

#include "../apf.h"
#include "vgic.h"

static struct vgic_irq *vgic_apf_irq(struct kvm_vcpu *vcpu)
{
	return vgic_get_irq(vcpu->kvm, vcpu, vcpu->kvm->arch.apf.intid);
}

/* Does another device of KVM own the PPI? Timers and PMU say so late. */
bool vgic_apf_taken(struct kvm_vcpu *vcpu, u32 intid)
{
	struct vgic_irq *irq;
	void *owner;

	if (!irqchip_in_kernel(vcpu->kvm) || !vgic_initialized(vcpu->kvm))
		return false;

	irq = vgic_get_irq(vcpu->kvm, vcpu, intid);
	owner = READ_ONCE(irq->owner);
	vgic_put_irq(vcpu->kvm, irq);

	return owner && owner != vcpu;
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

/* Is an interrupt active? Then the running priority may hold the PPI back. */
static bool vgic_apf_running(struct kvm_vcpu *vcpu)
{
	struct vgic_v3_cpu_if *v3 = &vcpu->arch.vgic_cpu.vgic_v3;
	int n;

	if (!static_branch_unlikely(&kvm_vgic_global_state.gicv3_cpuif))
		return vcpu->arch.vgic_cpu.vgic_v2.vgic_apr;

	for (n = 0; n < ARRAY_SIZE(v3->vgic_ap0r); n++)
		if (v3->vgic_ap0r[n] || v3->vgic_ap1r[n])
			return true;

	return false;
}

/* Enabled, and signalled as an IRQ: group 0 is FIQ, but with a GICv2 by choice. */
static bool vgic_apf_group_is_irq(struct kvm_vcpu *vcpu, struct vgic_irq *irq,
				  const struct vgic_vmcr *vmcr)
{
	if (irq->group)
		return vmcr->grpen1;

	return vcpu->kvm->arch.vgic.vgic_model == KVM_DEV_TYPE_ARM_VGIC_V2 &&
	       vmcr->grpen0 && !vmcr->fiqen;
}

/*
 * Could the vCPU take the PPI now, PSTATE.I apart? That is what an interrupt
 * needs to be signalled to the PE: distributor, group and PPI enabled, a
 * priority that neither PMR nor the running priority masks (IHI 0069, 4.8).
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
	      vgic_apf_group_is_irq(vcpu, irq, &vmcr) &&
	      irq->priority < vmcr.pmr && !vgic_apf_running(vcpu);
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

/**
 * vgic_apf_pend_ready - pend the PPI for pages that are ready
 * @vcpu:	the vCPU
 *
 * It has the guest's priority: the guest may be anywhere, also where its PMR
 * masks interrupts, and a higher priority would get past that. An announcement
 * that is neither pending nor active has been taken and finished with, so its
 * priority is not in use any more; for one that is active see vgic_apf_raise()
 * and vgic_apf_keep_back().
 */
void vgic_apf_pend_ready(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	if (!irq->active && !irq_is_pending(irq))
		vcpu->arch.apf->raised = false;
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	vgic_apf_pend(vcpu);
}

/* The least priority value, that is the highest priority, of all other pending ones. */
static u8 vgic_apf_rival_priority(struct kvm_vcpu *vcpu, struct vgic_irq *ours)
{
	struct vgic_irq *irq;
	u8 priority = 0xff;

	lockdep_assert_held(&vcpu->arch.vgic_cpu.ap_list_lock);

	list_for_each_entry(irq, &vcpu->arch.vgic_cpu.ap_list_head, ap_list) {
		if (irq == ours)
			continue;

		raw_spin_lock(&irq->irq_lock);
		if (irq->enabled && irq_is_pending(irq))
			priority = min(priority, irq->priority);
		raw_spin_unlock(&irq->irq_lock);
	}

	return priority;
}

/*
 * With GICv4 the GIC delivers vLPIs, and with GICv4.1 vSGIs, without KVM: what of
 * them is pending is in no list. Is the VM set up for that?
 */
static bool vgic_apf_has_direct(struct kvm *kvm)
{
	return kvm->arch.vgic.its_vm.vpes;
}

/*
 * Of all active interrupts, the lowest priority: that of the one which became
 * active first. 0xff: none is active, or their priorities have been dropped. Bit n
 * of the active priorities is priority n, in units of the least step between
 * priorities of preemption (IHI 0069, ICH_AP1R<n>_EL2).
 */
static u8 vgic_apf_lowest_active(struct kvm_vcpu *vcpu, bool group)
{
	struct vgic_v3_cpu_if *v3 = &vcpu->arch.vgic_cpu.vgic_v3;
	u32 *apr = group ? v3->vgic_ap1r : v3->vgic_ap0r;
	int n = ARRAY_SIZE(v3->vgic_ap1r), bits;

	if (!static_branch_unlikely(&kvm_vgic_global_state.gicv3_cpuif)) {
		apr = &vcpu->arch.vgic_cpu.vgic_v2.vgic_apr;
		n = 1;
		bits = VGIC_PRI_BITS;
	} else {
		bits = FIELD_GET(GENMASK(28, 26), kvm_vgic_global_state.ich_vtr_el2) + 1;
	}

	while (n--)
		if (apr[n])
			return (32 * n + __fls(apr[n])) << (8 - bits);

	return 0xff;
}

/*
 * The vCPU was restored. If the PPI is active, its priority in the list register
 * is to be found among the active ones, see vgic_apf_raise(): an announcement is
 * made only while no interrupt is active, so its priority is the lowest of them.
 * One that was not raised has the guest's, and the lowest is not above that. If it
 * is only pending, it is not raised: PMR may hold it back by now.
 */
static void vgic_apf_find_priority(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	raw_spin_lock(&irq->irq_lock);
	apf->raised = irq->active;
	apf->lr_priority = min(irq->priority, vgic_apf_lowest_active(vcpu, irq->group));
	raw_spin_unlock(&irq->irq_lock);

	apf->restored = false;
}

/**
 * vgic_apf_raise - put a pending announcement before all else
 * @vcpu:	the vCPU, about to get its list registers; its ap_list_lock is held
 *
 * KVM has taken the interrupt for the guest, which now reads IAR: that is to
 * return the PPI, whatever else is pending. So its list register gets a
 * priority above all that is pending, by the least step there is. Once it is
 * active that priority is also the running one, and has to stay in the list
 * register: an EOI whose priority drop does not match it would not deactivate
 * the interrupt (IHI 0069, ICV_EOIR1_EL1). What is pending after that is not the
 * announcement. Where there is no rival, and in what the guest reads from
 * GICR_IPRIORITYR, the priority is the guest's.
 *
 * Where interrupts are delivered directly, nobody knows what is pending: there the
 * PPI always goes one step above the priority that the guest has given it, so that
 * it wins against all those of the same priority. One that the guest has put higher
 * may come first: then the announcement is late, which the guest sees by its PC.
 */
void vgic_apf_raise(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	const u8 step = BIT(8 - VGIC_PRI_BITS);
	struct vgic_irq *irq;
	u8 rival, above;

	if (apf && apf->restored)
		vgic_apf_find_priority(vcpu);
	if (likely(!apf || !apf->raised))
		return;

	irq = vgic_apf_irq(vcpu);
	rival = vgic_apf_rival_priority(vcpu, irq);

	raw_spin_lock(&irq->irq_lock);
	if (vgic_apf_has_direct(vcpu->kvm))
		rival = min(rival, irq->priority);
	rival &= ~(step - 1);
	above = rival ? rival - step : 0;

	if (irq->active)
		apf->taken = true;
	else if (apf->taken || !irq_is_pending(irq))
		apf->raised = false;
	else
		apf->lr_priority = min(irq->priority, above);
	raw_spin_unlock(&irq->irq_lock);
}

/* Priority of an interrupt in its list register. Called with its irq_lock held. */
u8 vgic_apf_priority(const struct vgic_irq *irq)
{
	struct kvm_vcpu_apf *apf;

	/* Only the PPI of APF has its vCPU for an owner. */
	if (likely(!irq->owner || irq->owner != irq->vcpu))
		return irq->priority;

	apf = irq->vcpu->arch.apf;

	return apf->raised ? apf->lr_priority : irq->priority;
}

/*
 * Is an active PPI that is pending again, for pages that are ready, to be kept
 * back until the guest's EOI? With the raised priority it might get past a PMR
 * that masks the guest's own. Called with the interrupt's irq_lock held.
 */
bool vgic_apf_keep_back(const struct vgic_irq *irq)
{
	return vgic_apf_priority(irq) != irq->priority;
}
