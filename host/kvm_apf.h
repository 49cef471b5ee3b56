/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous page faults (APF): what the rest of KVM/arm64 sees of them.
 * arch/arm64/kvm/apf.c tells how a fault travels.
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

/*
 * PPI of both messages, where the VMM does not choose another. By the Base System
 * Architecture, timers, PMU, SPE and the GIC maintenance interrupt are at INTIDs
 * 19 to 30.
 */
#define KVM_APF_DEFAULT_INTID	16

/**
 * struct kvm_apf_vm - APF state of a VM
 * @pool:	the workers; NULL until the first vCPU runs with APF on
 * @intid:	PPI of both messages; changed, and @fixed set, under config_lock
 * @fixed:	a vCPU is about to run: @intid does not change any more
 * @halt:	the halt level is on, whatever the VMM asked for: what the
 *		parameter kvm-arm.apf said when the VM was created
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
 * @due:	it did not take effect yet
 */
struct kvm_apf_reg {
	u64	word;
	bool	due;
};

/*
 * Returned by kvm_apf_faultin_pfn() in place of a page: a worker fetches it,
 * and the vCPU has something else to do. Distinct from the KVM_PFN_ERR_* of
 * every kernel line.
 */
#define KVM_PFN_APF_PENDING	(KVM_PFN_ERR_MASK + 0x40)

/* mmu.c */
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

/* apf.c */
kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
			      const struct kvm_memory_slot *slot, gfn_t gfn,
			      bool nested, bool write_fault, bool *writable);
void kvm_apf_handle_request(struct kvm_vcpu *vcpu);
bool kvm_apf_has_work(struct kvm_vcpu *vcpu);

/* apf-block.c */
void kvm_apf_hypercall(struct kvm_vcpu *vcpu, u64 val[4]);

/* vgic/vgic-apf.c */
bool vgic_apf_taken(struct kvm_vcpu *vcpu, u32 intid);
int vgic_apf_init(struct kvm_vcpu *vcpu);
bool vgic_apf_deliverable(struct kvm_vcpu *vcpu);
bool vgic_apf_any_pending(struct kvm_vcpu *vcpu);
bool vgic_apf_pending(struct kvm_vcpu *vcpu);
void vgic_apf_pend(struct kvm_vcpu *vcpu);
void vgic_apf_pend_ready(struct kvm_vcpu *vcpu);
void vgic_apf_raise(struct kvm_vcpu *vcpu);
u8 vgic_apf_priority(const struct vgic_irq *irq);
bool vgic_apf_keep_back(const struct vgic_irq *irq);

#else /* !CONFIG_KVM_ARM_APF: KVM as without these files */

/* virt/kvm/kvm_main.c; <linux/kvm_host.h> comes too late for the inline function below. */
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
