/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous page faults (APF): what the rest of KVM/arm64 calls and embeds.
 * arch/arm64/kvm/apf.c describes how a fault travels. What only the files of APF
 * share is in arch/arm64/kvm/apf.h and arch/arm64/kvm/vgic/vgic-apf.h.
 */
#ifndef __ARM64_KVM_APF_H__
#define __ARM64_KVM_APF_H__

#include <linux/kvm_types.h>
#include <linux/types.h>

#include <kvm/arm_vgic.h>
#include <uapi/asm/kvm_apf.h>

struct kvm;
struct kvm_memory_slot;
struct kvm_s2_trans;
struct kvm_vcpu;
struct kvm_vcpu_apf;
struct kvm_apf_pool;
struct vm_area_struct;

/**
 * struct kvm_apf_vm - APF state of a VM
 * @pool:	the threads that fetch pages; NULL until the first vCPU runs with APF on
 * @intid:	PPI of both messages. config_lock guards it until @fixed is set
 * @fixed:	@intid does not change any more, since a vCPU is about to run. Set
 *		under config_lock
 * @halt:	vCPUs halt for missing pages even if the VMM did not ask for APF.
 *		Copied from the parameter kvm-arm.apf when the VM is created
 */
struct kvm_apf_vm {
	struct kvm_apf_pool	*pool;
	u32			intid;
	bool			fixed;
	bool			halt;
};

/**
 * struct kvm_apf_reg - KVM_REG_ARM_APF_ENABLE as the VMM has set it
 * @word:	the ENABLE word
 * @due:	@word has not taken effect yet
 *
 * vcpu->mutex guards both. kvm_apf_vcpu_load() reads @due without it.
 */
struct kvm_apf_reg {
	u64	word;
	bool	due;
};

/*
 * kvm_apf_faultin_pfn() returns this in place of a page that is under way: the
 * fault handler goes back to the run loop. The value differs from the KVM_PFN_ERR_*
 * of all kernel versions.
 */
#define KVM_PFN_APF_PENDING	(KVM_PFN_ERR_MASK + 0x40)

/* mmu.c defines this, and apf-complete.c calls it. */
int user_mem_abort(struct kvm_vcpu *vcpu, phys_addr_t fault_ipa,
		   struct kvm_s2_trans *nested, struct kvm_memory_slot *memslot,
		   unsigned long hva, bool fault_is_perm);

#ifdef CONFIG_KVM_ARM_APF

/* apf-regs.c */
int kvm_apf_num_regs(struct kvm_vcpu *vcpu);
int kvm_apf_copy_reg_indices(struct kvm_vcpu *vcpu, u64 __user *uindices);
int kvm_apf_get_reg(struct kvm_vcpu *vcpu, u64 id, u64 *val);
int kvm_apf_set_reg(struct kvm_vcpu *vcpu, u64 id, u64 val);

/* apf-vm.c */
unsigned long kvm_apf_default_bmap(void);
int kvm_apf_version(struct kvm *kvm);
void kvm_apf_init_vm(struct kvm *kvm);
void kvm_apf_destroy_vm(struct kvm *kvm);
int kvm_apf_vcpu_first_run(struct kvm_vcpu *vcpu);
void kvm_apf_vcpu_load(struct kvm_vcpu *vcpu);
void kvm_apf_memslots_changed(struct kvm *kvm);
void kvm_apf_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_apf_vcpu_destroy(struct kvm_vcpu *vcpu);

/* apf-attempt.c */
void kvm_apf_see_vma(struct kvm_vcpu *vcpu, const struct vm_area_struct *vma);
kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
			      const struct kvm_memory_slot *slot, gfn_t gfn,
			      bool nested, bool write_fault, bool *writable);

/* apf.c */
void kvm_apf_handle_request(struct kvm_vcpu *vcpu);
bool kvm_apf_has_work(struct kvm_vcpu *vcpu);

/* apf-block.c */
void kvm_apf_hypercall(struct kvm_vcpu *vcpu, u64 val[4]);

/* vgic/vgic-apf.c, for the rest of the vGIC */
void vgic_apf_raise(struct kvm_vcpu *vcpu);
u8 vgic_apf_priority(const struct vgic_irq *irq);
bool vgic_apf_keep_back(const struct vgic_irq *irq);

#else /* !CONFIG_KVM_ARM_APF: KVM works as without these files */

/* virt/kvm/kvm_main.c. <linux/kvm_host.h>, which declares it, includes this file first. */
kvm_pfn_t __gfn_to_pfn_memslot(const struct kvm_memory_slot *slot, gfn_t gfn,
			       bool atomic, bool interruptible, bool *async,
			       bool write_fault, bool *writable, hva_t *hva);

static inline int kvm_apf_num_regs(struct kvm_vcpu *vcpu)
{
	return 0;
}

static inline int kvm_apf_copy_reg_indices(struct kvm_vcpu *vcpu, u64 __user *uindices)
{
	return 0;
}

static inline int kvm_apf_get_reg(struct kvm_vcpu *vcpu, u64 id, u64 *val)
{
	return -ENOENT;
}

static inline int kvm_apf_set_reg(struct kvm_vcpu *vcpu, u64 id, u64 val)
{
	return -ENOENT;
}

static inline unsigned long kvm_apf_default_bmap(void)
{
	return 0;
}

static inline int kvm_apf_version(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_apf_init_vm(struct kvm *kvm)
{
}

static inline void kvm_apf_destroy_vm(struct kvm *kvm)
{
}

static inline int kvm_apf_vcpu_first_run(struct kvm_vcpu *vcpu)
{
	return 0;
}

static inline void kvm_apf_vcpu_load(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_apf_memslots_changed(struct kvm *kvm)
{
}

static inline void kvm_apf_vcpu_reset(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_apf_vcpu_destroy(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_apf_see_vma(struct kvm_vcpu *vcpu,
				   const struct vm_area_struct *vma)
{
}

static inline kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
					    const struct kvm_memory_slot *slot,
					    gfn_t gfn, bool nested,
					    bool write_fault, bool *writable)
{
	return __gfn_to_pfn_memslot(slot, gfn, false, false, NULL, write_fault,
				    writable, NULL);
}

static inline void kvm_apf_handle_request(struct kvm_vcpu *vcpu)
{
}

static inline bool kvm_apf_has_work(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void kvm_apf_hypercall(struct kvm_vcpu *vcpu, u64 val[4])
{
}

static inline void vgic_apf_raise(struct kvm_vcpu *vcpu)
{
}

static inline u8 vgic_apf_priority(const struct vgic_irq *irq)
{
	return irq->priority;
}

static inline bool vgic_apf_keep_back(const struct vgic_irq *irq)
{
	return false;
}

#endif /* CONFIG_KVM_ARM_APF */

#endif /* __ARM64_KVM_APF_H__ */
