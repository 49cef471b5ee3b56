/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults: a page under way. apf-work.c has its life. */
#ifndef __APF_WORK_H__
#define __APF_WORK_H__

#include <linux/kvm_types.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/userfaultfd_k.h>

struct kvm_apf_pool;
struct kvm_vcpu;

/**
 * struct apf_work - a page under way
 * @refs:	the vCPU's reference, and that of the thread which fetches the page
 * @lock:	guards @vcpu, @come, @failed; see apf-work.c
 * @vcpu:	who is to be told when the page has come, or NULL: nobody yet, or
 *		nobody any more
 * @come:	the page has come, or cannot be had
 * @failed:	it cannot be had
 * @token:	its bit in @done of struct kvm_vcpu_apf
 * @gfn:	the page
 * @hva:	where it belongs, in the VMM's address space
 * @gup_flags:	as what it is fetched
 * @uffd:	the userfault that was posted for it, if one was
 */
struct apf_work {
	refcount_t		refs;
	spinlock_t		lock;	/* see apf-work.c */
	struct kvm_vcpu		*vcpu;
	bool			come;
	bool			failed;
	int			token;
	gfn_t			gfn;
	unsigned long		hva;
	unsigned int		gup_flags;
#ifdef CONFIG_KVM_ARM_APF_UFFD
	struct userfaultfd_async uffd;
#endif
};

/* apf-work.c */
void apf_work_done(struct apf_work *work, bool failed);
void apf_work_put(struct apf_work *work);

/* apf-pool.c */
bool apf_pool_start(struct kvm_apf_pool *pool, struct apf_work *work);

/*
 * Userfaults without a thread. The vCPU's no-wait attempt, between
 * apf_uffd_begin() and apf_uffd_finish(), posts the message of the userfault that it
 * meets (fs/userfaultfd.c), and apf_uffd_wake() is called when the page may be there.
 */
#ifdef CONFIG_KVM_ARM_APF_UFFD

void apf_uffd_wake(struct userfaultfd_async *async);

static inline void apf_uffd_init(struct apf_work *work)
{
	work->uffd.uwq.ctx = NULL;
	work->uffd.wake = apf_uffd_wake;
}

static inline bool apf_uffd_posted(const struct apf_work *work)
{
	return userfaultfd_async_posted(&work->uffd);
}

static inline void apf_uffd_begin(struct apf_work *work)
{
	if (!apf_knob_needs_thread())
		current->userfaultfd_async = &work->uffd;
}

static inline void apf_uffd_finish(void)
{
	current->userfaultfd_async = NULL;
}

/* From now on, apf_uffd_wake() is not called for it. */
static inline void apf_uffd_end(struct apf_work *work)
{
	if (apf_uffd_posted(work))
		userfaultfd_async_end(&work->uffd);
}

#else

static inline void apf_uffd_init(struct apf_work *work)
{
}

static inline bool apf_uffd_posted(const struct apf_work *work)
{
	return false;
}

static inline void apf_uffd_begin(struct apf_work *work)
{
}

static inline void apf_uffd_finish(void)
{
}

static inline void apf_uffd_end(struct apf_work *work)
{
}

#endif /* CONFIG_KVM_ARM_APF_UFFD */

#endif /* __APF_WORK_H__ */
