/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults: what the files of the host's side share. */
#ifndef __APF_H__
#define __APF_H__

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <asm/kvm_apf.h>

#include "apf-knobs.h"
#include "apf-tokens.h"
#include "vgic/vgic-apf.h"

struct apf_work;

#define APF_NO_TOKEN	(-1)

/**
 * struct kvm_vcpu_apf - APF state of a vCPU; exists only if APF is on for its VM
 * @tokens:	the pages under way, and the ready bits that the guest is owed
 * @work:	the page of each busy token
 * @spare:	one for the next page, or NULL
 * @esr:	the syndrome of the fault that each busy token was taken for. ISS2 is
 *		left out: it does not matter for memory that can be mapped
 * @declined_pc: the instruction for which the guest last declined each token, or 0
 * @done:	bit n: the page of token n has come. apf_work_done() sets bits; the
 *		vCPU's thread clears them when the dirty ring has room
 * @enable:	the ENABLE word in force, 0: disabled
 * @block:	where the guest's block is
 * @halt_token:	the next request halts for the page of this token; or APF_NO_TOKEN
 * @last_token:	token of the last fault
 * @last_pc:	instruction of the last fault, to see whether the vCPU makes progress
 * @stuck:	see struct apf_facts
 * @retry:	a write of @tokens.owed to the block has failed and is to be repeated
 * @announces:	the PPI belongs to APF, so the guest may enable APF
 * @mapping:	apf_map() is calling user_mem_abort()
 * @reads_in_place: the fault is in memory where the no-wait attempt may wait
 * @ppi:	belongs to vgic/vgic-apf.c
 * @knobs:	for tests, see apf-knobs.h
 *
 * vcpu->mutex guards all of it but @done. Two members are also read without the
 * mutex: kvm_apf_has_work() reads @retry from any thread, and kvm_apf_vcpu_load()
 * reads @retry and @announces when the vCPU's thread is scheduled in. The state is
 * allocated before the vCPU first runs and freed with the vCPU. A page may take longer:
 * apf_work_orphan() makes its work forget the vCPU.
 */
struct kvm_vcpu_apf {
	struct apf_tokens	tokens;
	struct apf_work		*work[APF_TOKENS];
	struct apf_work		*spare;
	u32			esr[APF_TOKENS];
	u64			declined_pc[APF_TOKENS];
	unsigned long		done;
	u64			enable;
	struct gfn_to_hva_cache	block;
	int			halt_token;
	int			last_token;
	unsigned long		last_pc;
	unsigned int		stuck;
	bool			retry;
	bool			announces;
	bool			mapping;
	bool			reads_in_place;
	struct vgic_apf		ppi;
	struct apf_knob_state	knobs;
};

/* Has the guest asked for announcements of faults from that exception level? */
static inline bool apf_wanted(const struct kvm_vcpu_apf *apf, bool user)
{
	return user || (apf->enable & KVM_APF_ENABLE_KERNEL);
}

static inline bool apf_enabled(const struct kvm_vcpu_apf *apf)
{
	return apf->enable & KVM_APF_ENABLE_ON;
}

/*
 * May the vCPU enter the guest? It may not while it is off or suspended. For such a
 * vCPU KVM does not write to the block, since that memory may have another use by
 * now, and does not pend the PPI, since that would wake up a suspended VM. Pages that
 * come meanwhile wait until the vCPU may run. PSCI resets a vCPU that it turns on.
 */
static inline bool apf_may_run(struct kvm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->arch.mp_state.mp_state) != KVM_MP_STATE_RUNNABLE)
		return false;

	/* Read the state before the request. Pairs with smp_wmb() in kvm_psci_vcpu_on(). */
	smp_rmb();

	return !kvm_test_request(KVM_REQ_VCPU_RESET, vcpu);
}

static inline void *apf_kzalloc(size_t size, gfp_t gfp)
{
	return apf_knob_every(APF_KNOB_FAIL_ALLOC) ? NULL : kzalloc(size, gfp);
}

/* The flags with which hva_to_pfn_slow() calls get_user_pages(). */
static inline unsigned int apf_gup_flags(bool write_fault)
{
	return FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT | (write_fault ? FOLL_WRITE : 0);
}

/* apf-pool.c */
struct kvm_apf_pool *apf_pool_create(struct kvm *kvm);
void apf_pool_destroy(struct kvm_apf_pool *pool);

/* apf-work.c */
struct apf_work *apf_work_prepare(struct kvm_vcpu *vcpu, gfn_t gfn,
				  unsigned long hva, bool write_fault);
void apf_work_unprepare(struct kvm_vcpu *vcpu);
struct apf_work *apf_work_start(struct kvm_vcpu *vcpu, int token);
bool apf_work_reap(struct kvm_vcpu *vcpu, struct apf_work *work);
void apf_work_orphan(struct apf_work *work);
void apf_work_free_spare(struct kvm_vcpu *vcpu);
unsigned long apf_work_hva(const struct apf_work *work);

/* apf.c */
bool apf_fault(struct kvm_vcpu *vcpu, gfn_t gfn, int token);

/* apf-stale.c */
int apf_find_token(struct kvm_vcpu *vcpu, gfn_t gfn, unsigned long hva);

/* apf-deliver.c */
bool apf_pending(struct kvm_vcpu *vcpu);
bool apf_deliverable(struct kvm_vcpu *vcpu);
void apf_deliver(struct kvm_vcpu *vcpu);

/* apf-complete.c */
void apf_complete(struct kvm_vcpu *vcpu);

/* apf-block.c */
int apf_block_read(struct kvm_vcpu *vcpu, struct kvm_apf_block *block);
int apf_block_announce(struct kvm_vcpu *vcpu, int token, u64 pc);
int apf_block_clear_declined(struct kvm_vcpu *vcpu);
int apf_block_ready(struct kvm_vcpu *vcpu, u64 tokens);
void apf_disable(struct kvm_vcpu_apf *apf);
bool apf_word_valid(u64 word);

/* apf-regs.c */
void apf_take_register(struct kvm_vcpu *vcpu);

#endif /* __APF_H__ */
