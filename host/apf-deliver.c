// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: how an announcement reaches the guest. Nothing else in
 * APF knows which interrupt or event carries it: the decision needs two facts (is an
 * announcement pending, would the guest take one now), and carries out one act
 * (deliver it). All three are the PPI's, in vgic/vgic-apf.c. A second transport would
 * be chosen here, by a bit of the ENABLE word.
 *
 * The message that pages are ready is not part of this: it always is the PPI.
 */

#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>

#include "apf.h"

/* Is an announcement pending that the guest has not taken yet? */
bool apf_pending(struct kvm_vcpu *vcpu)
{
	return vgic_apf_pending(vcpu) || apf_knob_late(vcpu);
}

/* Would the guest take an announcement now? The caller has looked at PSTATE.I. */
bool apf_deliverable(struct kvm_vcpu *vcpu)
{
	return vgic_apf_deliverable(vcpu);
}

/**
 * apf_deliver - make the guest take the announcement that is in its block
 * @vcpu:	the vCPU; the caller knows from apf_deliverable() that it can
 *
 * KVM takes the interrupt for the guest. If that were left to the CPU, the CPU might
 * take it some instructions after the ERET, or take another interrupt first, and the
 * faulting instruction would run again before the guest knows of the fault. To the
 * guest, this is an interrupt that came between two instructions. The vGIC remains
 * the source of truth: the guest reads IAR. __kvm_adjust_pc() enters the exception as
 * AArch64.TakeException() (DDI 0487, J1.1.2) does, before the vCPU enters the guest.
 */
void apf_deliver(struct kvm_vcpu *vcpu)
{
	unsigned int pend_only;

	lockdep_assert_held(&vcpu->mutex);

	apf_knob_rival(vcpu);
	if (apf_knob_withhold(vcpu))
		return;

	pend_only = apf_knob(APF_KNOB_PEND_ONLY);
	vgic_apf_pend_announcement(vcpu, pend_only < 2);
	if (!pend_only)
		kvm_pend_exception(vcpu, EXCEPT_AA64_EL1_IRQ);
}
