/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous page faults of a KVM/arm64 guest: the hook in the kernel's entry code,
 * and the ends of the copy routines in arch/arm64/lib/, in which the kernel may sleep.
 */
#ifndef _LINUX_KVM_APF_H
#define _LINUX_KVM_APF_H

#include <linux/jump_label.h>

struct pt_regs;

#ifdef CONFIG_KVM_APF_GUEST
DECLARE_STATIC_KEY_FALSE(kvm_apf_kernel_key);

extern const char __arch_copy_to_user_end[];
extern const char __arch_copy_from_user_end[];

void __kvm_apf_el1_irq_exit(struct pt_regs *regs);

/* Sleeps if the interrupt announced a fault of the context that it interrupted. */
static __always_inline void kvm_apf_el1_irq_exit(struct pt_regs *regs)
{
	if (static_branch_unlikely(&kvm_apf_kernel_key))
		__kvm_apf_el1_irq_exit(regs);
}
#else
static __always_inline void kvm_apf_el1_irq_exit(struct pt_regs *regs)
{
}
#endif

#endif /* _LINUX_KVM_APF_H */
