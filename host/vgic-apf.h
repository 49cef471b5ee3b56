/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults: their PPI, as the other files of APF see it. */
#ifndef __VGIC_APF_H__
#define __VGIC_APF_H__

#include <linux/types.h>

struct kvm_vcpu;

/**
 * struct vgic_apf - state of the PPI, for vgic-apf.c alone
 * @raised:	the list register gives the PPI @lr_priority in place of the guest's
 *		priority, because an announcement is pending or active
 * @acked:	the announcement has been seen active, so what is pending now is not
 *		the announcement
 * @lr_priority: priority in the list register while @raised
 * @restored:	the VMM may have set the vGIC's state, so @raised and @lr_priority
 *		have to be found anew
 *
 * vcpu->mutex guards it. It starts zeroed.
 */
struct vgic_apf {
	bool	raised;
	bool	acked;
	u8	lr_priority;
	bool	restored;
};

int vgic_apf_init(struct kvm_vcpu *vcpu);
bool vgic_apf_taken(struct kvm_vcpu *vcpu, u32 intid);
bool vgic_apf_deliverable(struct kvm_vcpu *vcpu);
bool vgic_apf_any_pending(struct kvm_vcpu *vcpu);
bool vgic_apf_pending(struct kvm_vcpu *vcpu);
void vgic_apf_pend(struct kvm_vcpu *vcpu);
void vgic_apf_pend_announcement(struct kvm_vcpu *vcpu, bool raise);
void vgic_apf_pend_ready(struct kvm_vcpu *vcpu);
void vgic_apf_restore(struct kvm_vcpu *vcpu);

#endif /* __VGIC_APF_H__ */
