// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: a page under way, from the fault until it has come.
 *
 * Who fetches it. In memory with a userfaultfd, the vCPU's own no-wait attempt has
 * posted the message, and nobody waits: the userfaultfd calls apf_uffd_wake(). All
 * else is fetched by a thread of the VM's pool (apf-pool.c).
 *
 * Lifetime. The vCPU has one work to spare, so that there is one before a no-wait
 * attempt may need it. apf_work_start() makes it the work of a token; it ends by
 * apf_work_reap() or apf_work_orphan(). A thread that fetches the page has a
 * reference of its own, and touches no VM or vCPU any more once the vCPU has let go.
 * So nobody ever waits for a page that does not come.
 *
 * Locking. work->lock guards work->vcpu, and is held around all that is done to a
 * vCPU from elsewhere: once the vCPU's thread has set work->vcpu to NULL, the vCPU may
 * go. It is taken with interrupts off, since the wait queue's lock of a userfaultfd is
 * held around it. Nothing but the scheduler's locks is taken inside it.
 */

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <trace/events/kvm.h>

#include "apf.h"
#include "apf-work.h"

/*
 * set_bit() orders nothing by itself: kvm_make_request() does, and its barrier
 * pairs with the one in kvm_check_request(), after which the vCPU's thread reads
 * @done. A vCPU that halts looks at @done through kvm_arch_vcpu_runnable() after
 * set_current_state(); that pairs with the barrier of the wake-up.
 */
static void apf_work_tell(struct apf_work *work)
{
	struct kvm_vcpu *vcpu = work->vcpu;

	lockdep_assert_held(&work->lock);

	/* @failed before @done; pairs with apf_reap_done(). */
	smp_mb__before_atomic();
	set_bit(work->token, &vcpu->arch.apf->done);
	kvm_make_request(KVM_REQ_APF, vcpu);
	kvm_vcpu_kick(vcpu);
}

/* The page has come, or cannot be had. From any context, once for each work. */
void apf_work_done(struct apf_work *work, bool failed)
{
	unsigned long flags;

	trace_kvm_async_pf_completed(work->hva, gfn_to_gpa(work->gfn));

	spin_lock_irqsave(&work->lock, flags);
	work->failed = failed;
	work->come = true;
	if (work->vcpu)
		apf_work_tell(work);
	spin_unlock_irqrestore(&work->lock, flags);
}

#ifdef CONFIG_KVM_ARM_APF_UFFD
/* The page is there, or the userfaultfd is gone: the vCPU's next attempt tells. */
void apf_uffd_wake(struct userfaultfd_async *async)
{
	apf_work_done(container_of(async, struct apf_work, uffd), false);
}
#endif

void apf_work_put(struct apf_work *work)
{
	if (refcount_dec_and_test(&work->refs))
		kfree(work);
}

static struct apf_work *apf_work_alloc(gfp_t gfp)
{
	struct apf_work *work = apf_kzalloc(sizeof(*work), gfp | __GFP_ACCOUNT);

	if (!work)
		return NULL;

	refcount_set(&work->refs, 1);
	spin_lock_init(&work->lock);
	apf_uffd_init(work);

	return work;
}

/* As it was allocated, for another page. */
static void apf_work_renew(struct apf_work *work)
{
	work->vcpu = NULL;
	work->come = false;
	work->failed = false;
}

/**
 * apf_work_prepare - see that the vCPU has a work to spare
 * @vcpu:	the vCPU, about to try to get a page without waiting
 * @gfn:	the page
 * @hva:	where it belongs, in current->mm
 * @write_fault: it is to be fetched for writing; a read must stay a read
 *
 * Return: the work, which stays the vCPU's, or NULL if there is no memory now: the
 * caller is about to wait anyway, so it may as well wait for the page.
 */
struct apf_work *apf_work_prepare(struct kvm_vcpu *vcpu, gfn_t gfn,
				  unsigned long hva, bool write_fault)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	struct apf_work *work;

	if (!apf->spare)
		apf->spare = apf_work_alloc(GFP_NOWAIT | __GFP_NOWARN);
	work = apf->spare;
	if (!work)
		return NULL;

	work->gfn = gfn;
	work->hva = hva;
	work->gup_flags = apf_gup_flags(write_fault);

	return work;
}

/* What was prepared is not needed: nothing is left posted for it. */
void apf_work_unprepare(struct kvm_vcpu *vcpu)
{
	struct apf_work *work = vcpu->arch.apf->spare;

	if (!work)
		return;

	apf_uffd_end(work);
	apf_work_renew(work);
}

/* The caller has a reference to the work. */
unsigned long apf_work_hva(const struct apf_work *work)
{
	return work->hva;
}

/* Tell @vcpu from now on, and now, if the page has come already. */
static void apf_work_attach(struct apf_work *work, struct kvm_vcpu *vcpu)
{
	unsigned long flags;

	spin_lock_irqsave(&work->lock, flags);
	work->vcpu = vcpu;
	if (work->come)
		apf_work_tell(work);
	spin_unlock_irqrestore(&work->lock, flags);
}

/*
 * The lock: who has set the bit in @done may still be in the kick. Return: whether
 * the page has come.
 */
static bool apf_work_detach(struct apf_work *work)
{
	unsigned long flags;
	bool come;

	spin_lock_irqsave(&work->lock, flags);
	work->vcpu = NULL;
	come = work->come;
	spin_unlock_irqrestore(&work->lock, flags);

	return come;
}

/**
 * apf_work_start - have the page fetched that apf_work_prepare() was called for
 * @vcpu:	the vCPU that wants it; the caller is its thread
 * @token:	its bit in @done is set when the page is there, or cannot be had
 *
 * Return: the vCPU's reference to the work, or NULL if nobody can fetch it.
 */
struct apf_work *apf_work_start(struct kvm_vcpu *vcpu, int token)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	struct apf_work *work = apf->spare;

	/* There was no memory for one. */
	if (!work)
		return NULL;

	work->token = token;
	if (!apf_uffd_posted(work)) {
		/* It may have come: a userfault that was answered just when it was posted. */
		apf_work_renew(work);
		if (!apf_pool_start(vcpu->kvm->arch.apf.pool, work))
			return NULL;
	}

	apf->spare = NULL;
	apf_work_attach(work, vcpu);

	return work;
}

/*
 * Give up a work whose bit in @done was set. If nobody else has it, it is there for
 * the next page. Return: whether the page could be had.
 */
bool apf_work_reap(struct kvm_vcpu *vcpu, struct apf_work *work)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	bool failed = work->failed;

	apf_work_detach(work);
	apf_uffd_end(work);
	if (!apf->spare && refcount_read(&work->refs) == 1) {
		apf_work_renew(work);
		apf->spare = work;
	} else {
		apf_work_put(work);
	}

	return !failed;
}

/* The vCPU is destroyed. */
void apf_work_free_spare(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	if (!apf->spare)
		return;

	apf_work_unprepare(vcpu);
	apf_work_put(apf->spare);
	apf->spare = NULL;
}

/* Give up a work that may still be under way. */
void apf_work_orphan(struct apf_work *work)
{
	apf_work_detach(work);
	apf_uffd_end(work);
	apf_work_put(work);
}
