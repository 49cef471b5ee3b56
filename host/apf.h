/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults: what the parts of the host side share. */
#ifndef __APF_H__
#define __APF_H__

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <asm/kvm_apf.h>

#include "apf-knobs.h"
#include "apf-tokens.h"

struct apf_work;

#define APF_NO_TOKEN	(-1)

/**
 * struct kvm_vcpu_apf - APF state of a vCPU; it exists only where APF is on
 * @tokens:	which pages are under way, and what the guest is owed
 * @work:	the worker of each busy token
 * @esr:	the syndrome of the fault that each busy token was taken for, without
 *		ISS2, which says nothing of memory that is to be mapped
 * @declined_pc: the instruction there that the guest last declined it for, 0: none
 * @done:	bit n: the worker of token n has finished. Set by the workers,
 *		taken by the vCPU's thread, when its dirty ring has room
 * @enable:	the ENABLE word in force, 0: disabled
 * @block:	where the guest's block is
 * @halt_token:	halt for this token's page, at the next request, or APF_NO_TOKEN
 * @last_token:	token of the last fault, and
 * @last_pc:	its instruction, to see whether the vCPU gets anywhere
 * @stuck:	see struct apf_facts
 * @retry:	@tokens.owed could not be written to the block: try again
 * @announces:	the PPI is ours: the guest may enable APF
 * @mapping:	user_mem_abort() is called for a page that has come
 * @raised:	an announcement is pending: in the list register, the PPI goes
 *		before all else
 * @taken:	it was seen active: what is pending now is not the announcement
 * @lr_priority: its priority there
 * @restored:	the vGIC's state may be the VMM's, and @lr_priority is not known
 * @knobs:	for tests, see apf-knobs.h
 *
 * All but @done belongs to the thread that holds vcpu->mutex. @retry is looked at by
 * any thread, and by this one when it is scheduled in again. It is allocated
 * before the vCPU first runs and freed with the vCPU; the workers, which may
 * outlive it, let go of it in apf_work_orphan().
 */
struct kvm_vcpu_apf {
	struct apf_tokens	tokens;
	struct apf_work		*work[APF_TOKENS];
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
	bool			raised;
	bool			taken;
	u8			lr_priority;
	bool			restored;
	struct apf_knob_state	knobs;
};

/* Does the guest want to be told of faults from there? */
static inline bool apf_wanted(const struct kvm_vcpu_apf *apf, bool user)
{
	return user || (apf->enable & KVM_APF_ENABLE_KERNEL);
}

static inline bool apf_enabled(const struct kvm_vcpu_apf *apf)
{
	return apf->enable & KVM_APF_ENABLE_ON;
}

/*
 * May the vCPU go into the guest? One that is off, or suspended, may not: nothing
 * is written to its block, which may be anything by now, and no interrupt is pended,
 * which would wake up a suspended VM. What has come waits, with all that is known of
 * it, until the vCPU may run. If PSCI turns it on, it is reset first.
 */
static inline bool apf_may_run(struct kvm_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->arch.mp_state.mp_state) != KVM_MP_STATE_RUNNABLE)
		return false;

	/* State before request: pairs with the smp_wmb() in kvm_psci_vcpu_on(). */
	smp_rmb();

	return !kvm_test_request(KVM_REQ_VCPU_RESET, vcpu);
}

static inline void *apf_kzalloc(size_t size, gfp_t gfp)
{
	return apf_knob_every(APF_KNOB_FAIL_ALLOC) ? NULL : kzalloc(size, gfp);
}

/* What hva_to_pfn_slow() asks get_user_pages() for. */
static inline unsigned int apf_gup_flags(bool write_fault)
{
	return FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT | (write_fault ? FOLL_WRITE : 0);
}

/* apf-work.c */
struct kvm_apf_pool *apf_pool_create(void);
void apf_pool_put(struct kvm_apf_pool *pool);
struct apf_work *apf_work_start(struct kvm_vcpu *vcpu, int token, gfn_t gfn,
				unsigned long hva, bool write_fault);
bool apf_work_reap(struct apf_work *work);
void apf_work_orphan(struct apf_work *work);
unsigned long apf_work_hva(const struct apf_work *work);

/* apf-stale.c */
int apf_find_token(struct kvm_vcpu *vcpu, gfn_t gfn, unsigned long hva);

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
