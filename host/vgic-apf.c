// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: their PPI in the vGIC. This file owns struct vgic_apf.
 *
 * Locks: vcpu->mutex, then vgic_cpu->ap_list_lock, then irq_lock of an interrupt.
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

/* Of a vCPU that has APF. */
static struct vgic_apf *vgic_apf_state(struct kvm_vcpu *vcpu)
{
	lockdep_assert_held(&vcpu->mutex);

	return &vcpu->arch.apf->ppi;
}

/*
 * Does another device of KVM own the PPI? Timers and PMU take theirs shortly before
 * the vCPU first runs, so the answer may change until then.
 */
bool vgic_apf_taken(struct kvm_vcpu *vcpu, u32 intid)
{
	struct vgic_irq *irq;
	void *owner;

	/* The vGIC is initialised under this lock. */
	lockdep_assert_held(&vcpu->kvm->arch.config_lock);

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
 * The vCPU becomes the PPI's owner, so that user space cannot inject it. The PPI
 * becomes edge-triggered, since it has no line that the guest could make the host
 * lower. KVM's PPIs are level-sensitive by default and a guest cannot change that
 * (vgic_mmio_write_config()), so the host does it before the guest runs.
 *
 * Return: 0, or -EEXIST if another device of the VM owns the PPI.
 */
int vgic_apf_init(struct kvm_vcpu *vcpu)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	unsigned long flags;
	int ret;

	lockdep_assert_held(&vcpu->mutex);

	ret = kvm_vgic_set_owner(vcpu, irq->intid, vcpu);
	if (ret)
		return ret;

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	irq->config = VGIC_CONFIG_EDGE;
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	return 0;
}

/*
 * While the vCPU is loaded, PMR, group enables and active priorities are in the
 * hardware. Read them without vgic_v3_put(), which would also make a GICv4 vPE
 * non-resident.
 */
static void vgic_apf_sync_vmcr(struct kvm_vcpu *vcpu)
{
	lockdep_assert(kvm_get_running_vcpu() == vcpu);

	preempt_disable();
	if (static_branch_unlikely(&kvm_vgic_global_state.gicv3_cpuif))
		kvm_call_hyp(__vgic_v3_save_vmcr_aprs, &vcpu->arch.vgic_cpu.vgic_v3);
	else
		vgic_v2_put(vcpu);
	preempt_enable();
}

/* Is any interrupt active? Then its running priority may mask the PPI. */
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

/* Is the group enabled and signalled as IRQ? Group 0 is FIQ unless a GICv2 guest chose IRQ. */
static bool vgic_apf_group_is_irq(struct kvm_vcpu *vcpu, struct vgic_irq *irq,
				  const struct vgic_vmcr *vmcr)
{
	if (irq->group)
		return vmcr->grpen1;

	return vcpu->kvm->arch.vgic.vgic_model == KVM_DEV_TYPE_ARM_VGIC_V2 &&
	       vmcr->grpen0 && !vmcr->fiqen;
}

/*
 * Would the GIC signal the PPI to the vCPU now? It would if distributor, group and
 * PPI are enabled, and neither PMR nor the running priority masks the PPI's priority
 * (IHI 0069, 4.8). PSTATE.I is not looked at here.
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

/* Is any interrupt pending that neither PMR nor an enable bit holds back? */
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
 * vgic_apf_pend_announcement - pend the PPI for an announcement
 * @vcpu:	the vCPU
 * @raise:	put it before all other interrupts, see vgic_apf_raise()
 */
void vgic_apf_pend_announcement(struct kvm_vcpu *vcpu, bool raise)
{
	struct vgic_apf *ppi = vgic_apf_state(vcpu);

	vgic_apf_pend(vcpu);
	ppi->raised = raise;
	ppi->acked = false;
}

/**
 * vgic_apf_pend_ready - pend the PPI for pages that are ready
 * @vcpu:	the vCPU
 *
 * The PPI keeps the guest's priority: the guest's PMR may mask interrupts now, and a
 * higher priority would get past that mask. If the PPI is neither pending nor active,
 * the guest has finished the last announcement and the raised priority ends here.
 * vgic_apf_raise() and vgic_apf_keep_back() deal with a PPI that is still active.
 */
void vgic_apf_pend_ready(struct kvm_vcpu *vcpu)
{
	struct vgic_apf *ppi = vgic_apf_state(vcpu);
	struct vgic_irq *irq = vgic_apf_irq(vcpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&irq->irq_lock, flags);
	if (!irq->active && !irq_is_pending(irq))
		ppi->raised = false;
	raw_spin_unlock_irqrestore(&irq->irq_lock, flags);

	vgic_apf_pend(vcpu);
}

/* The VMM has set registers: the vGIC's state may come from a saved VM. */
void vgic_apf_restore(struct kvm_vcpu *vcpu)
{
	vgic_apf_state(vcpu)->restored = true;
}

/* The highest priority, that is the lowest value, of all other pending interrupts. */
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
 * Is the VM set up for direct delivery? A GICv4 delivers vLPIs, and a GICv4.1 also
 * vSGIs, without KVM, so none of KVM's lists says which of them are pending.
 */
static bool vgic_apf_has_direct(struct kvm *kvm)
{
	return kvm->arch.vgic.its_vm.vpes;
}

/*
 * The lowest priority of all active interrupts, which is the priority of the one that
 * became active first; 0xff if none is active or their priorities have been dropped.
 * Bit n of the active priorities stands for priority n, in units of the smallest step
 * between preemption priorities (IHI 0069, ICH_AP1R<n>_EL2).
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
 * The vCPU was restored. If the PPI is active, its list register needs the priority
 * that it had before, see vgic_apf_raise(). That is the lowest of the active
 * priorities, since KVM announces only while no interrupt is active. If the PPI had
 * not been raised, the guest's priority is among the active ones, and the lowest of
 * them is not above it. A PPI that is only pending is not raised, since PMR may mask
 * it by now.
 */
static void vgic_apf_find_priority(struct kvm_vcpu *vcpu, struct vgic_apf *ppi)
{
	struct vgic_irq *irq = vgic_apf_irq(vcpu);

	raw_spin_lock(&irq->irq_lock);
	ppi->raised = irq->active;
	ppi->lr_priority = min(irq->priority, vgic_apf_lowest_active(vcpu, irq->group));
	raw_spin_unlock(&irq->irq_lock);

	ppi->restored = false;
}

/**
 * vgic_apf_raise - put a pending announcement before all other interrupts
 * @vcpu:	the vCPU, whose list registers are about to be filled
 *
 * KVM has taken the interrupt for the guest, and the guest is about to read IAR. IAR
 * has to return the PPI, whatever else is pending. So the PPI's list register gets a
 * priority one step, the smallest there is, above all other pending interrupts. If no
 * other interrupt competes, it keeps the guest's priority. GICR_IPRIORITYR always
 * shows the guest's priority.
 *
 * Once the PPI is active, the raised priority is also the running priority, and has to
 * stay in the list register: an EOI drops the running priority, and deactivates the
 * interrupt only if a list register matches that priority (IHI 0069, ICV_EOIR1_EL1).
 * A PPI that becomes pending again after it was active is not the announcement.
 *
 * With direct delivery, KVM does not know what is pending. There the PPI always goes
 * one step above the guest's priority, so that it wins against all interrupts of that
 * priority. An interrupt to which the guest has given a higher one may come first;
 * then the announcement is late, and the guest sees that by its PC.
 */
void vgic_apf_raise(struct kvm_vcpu *vcpu)
{
	const u8 step = BIT(8 - VGIC_PRI_BITS);
	struct vgic_apf *ppi;
	struct vgic_irq *irq;
	u8 rival, above;

	lockdep_assert_irqs_disabled();
	lockdep_assert_held(&vcpu->arch.vgic_cpu.ap_list_lock);

	if (!vcpu->arch.apf)
		return;

	ppi = vgic_apf_state(vcpu);
	if (ppi->restored)
		vgic_apf_find_priority(vcpu, ppi);
	if (likely(!ppi->raised))
		return;

	irq = vgic_apf_irq(vcpu);
	rival = vgic_apf_rival_priority(vcpu, irq);

	raw_spin_lock(&irq->irq_lock);
	if (vgic_apf_has_direct(vcpu->kvm))
		rival = min(rival, irq->priority);
	rival &= ~(step - 1);
	above = rival ? rival - step : 0;

	if (irq->active)
		ppi->acked = true;
	else if (ppi->acked || !irq_is_pending(irq))
		ppi->raised = false;
	else
		ppi->lr_priority = min(irq->priority, above);
	raw_spin_unlock(&irq->irq_lock);
}

/* The priority of an interrupt in its list register. */
u8 vgic_apf_priority(const struct vgic_irq *irq)
{
	struct vgic_apf *ppi;

	lockdep_assert_held(&irq->irq_lock);

	/* The PPI of APF is the only interrupt that is owned by its vCPU. */
	if (likely(!irq->owner || irq->owner != irq->vcpu))
		return irq->priority;

	ppi = vgic_apf_state(irq->vcpu);

	return ppi->raised ? ppi->lr_priority : irq->priority;
}

/*
 * Does an active PPI that is pending again, for pages that are ready, have to wait for
 * the guest's EOI? It does while its priority is raised: that priority might get past
 * a PMR that masks the guest's own priority.
 */
bool vgic_apf_keep_back(const struct vgic_irq *irq)
{
	return vgic_apf_priority(irq) != irq->priority;
}
