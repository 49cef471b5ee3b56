// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the workers that fetch the pages.
 *
 * Why not virt/kvm/async_pf.c: its worker always asks for write access, which
 * breaks copy-on-write, dirties the page and fails on read-only memory where
 * the guest only read; it runs on the system's workqueue, where 64 waiting
 * workers per vCPU would starve the rest of the host; and its teardown waits
 * for the worker, which a silent userfaultfd handler can make wait for ever.
 *
 * Lifetime. A work item has two references: the vCPU's, from apf_work_start()
 * to apf_work_reap() or apf_work_orphan(), and the worker's. An orphan goes on
 * alone: it holds the mm_struct (not the address space) and the pool, and it
 * touches no VM or vCPU any more. So nobody ever waits for a worker.
 *
 * Locking. work->lock guards work->vcpu, and is held around all that a worker
 * does to a vCPU: once apf_work_orphan() has had the lock, the vCPU may go.
 * Nothing but the scheduler's locks is taken inside it.
 */

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <trace/events/kvm.h>

#include "apf.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm-arm."

/*
 * How many pages may be under way on the whole host. Each may hold a kernel thread
 * that waits, for as long as its page takes, and no cgroup's pids.max counts it.
 * 4096 is all tokens of 64 vCPUs, 64 MiB of kernel stacks, and an eighth of the
 * 32768 threads that a host has at least: it can still be worked on.
 */
static unsigned int apf_pages = 4096;
module_param(apf_pages, uint, 0644);
MODULE_PARM_DESC(apf_pages, "Asynchronous page faults under way on the host at most; more wait as without them");

static atomic_t apf_under_way;

/*
 * Workers of one VM. One workqueue per VM, since one VM's pages that never come
 * must not keep another VM's from being fetched. The VM has a reference, and so
 * has each work item.
 */
struct kvm_apf_pool {
	struct workqueue_struct	*wq;
	refcount_t		refs;
	struct work_struct	free;
};

struct apf_work {
	struct work_struct	work;
	refcount_t		refs;
	spinlock_t		lock;	/* of @vcpu, see above */
	struct kvm_vcpu		*vcpu;	/* NULL: an orphan */
	struct kvm_apf_pool	*pool;
	struct mm_struct	*mm;
	gfn_t			gfn;
	unsigned long		hva;
	unsigned int		gup_flags;
	int			token;
	bool			failed;	/* written before the token's bit in @done */
};

static void apf_pool_free(struct work_struct *work)
{
	struct kvm_apf_pool *pool = container_of(work, struct kvm_apf_pool, free);

	destroy_workqueue(pool->wq);
	kfree(pool);
}

struct kvm_apf_pool *apf_pool_create(void)
{
	struct kvm_apf_pool *pool = apf_kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);

	if (!pool)
		return NULL;

	if (!apf_knob_every(APF_KNOB_FAIL_ALLOC))
		pool->wq = alloc_workqueue("kvm-apf/%d", WQ_UNBOUND, 0,
					   task_pid_nr(current));
	if (!pool->wq) {
		kfree(pool);
		return NULL;
	}

	refcount_set(&pool->refs, 1);
	INIT_WORK(&pool->free, apf_pool_free);

	return pool;
}

/* The last to leave may be a worker of the pool, which cannot end itself. */
void apf_pool_put(struct kvm_apf_pool *pool)
{
	if (refcount_dec_and_test(&pool->refs))
		queue_work(system_unbound_wq, &pool->free);
}

static void apf_work_put(struct apf_work *work)
{
	if (!refcount_dec_and_test(&work->refs))
		return;

	mmdrop(work->mm);
	apf_pool_put(work->pool);
	kfree(work);
}

/*
 * Fault the page in, waiting for as long as it takes. The pin is not kept: the
 * vCPU's next no-wait attempt finds the page, or starts over if it is gone.
 */
static bool apf_work_fetch(struct apf_work *work)
{
	struct mm_struct *mm = work->mm;
	int locked = 1;
	long got;

	/* The VMM is exiting: there is no page, and nobody to miss it. */
	if (apf_knob_every(APF_KNOB_FAIL_FETCH) || !mmget_not_zero(mm))
		return false;

	mmap_read_lock(mm);
	got = get_user_pages_remote(mm, work->hva, 1, work->gup_flags, NULL, &locked);
	if (locked)
		mmap_read_unlock(mm);
	mmput(mm);

	return got == 1;
}

/*
 * set_bit() orders nothing by itself: kvm_make_request() does, and its barrier
 * pairs with the one in kvm_check_request(), after which the vCPU's thread reads
 * @done. A vCPU that halts looks at @done through kvm_arch_vcpu_runnable() after
 * set_current_state(); that pairs with the barrier of the wake-up.
 */
static void apf_work_done(struct apf_work *work)
{
	struct kvm_vcpu *vcpu;

	spin_lock(&work->lock);
	vcpu = work->vcpu;
	if (vcpu) {
		/* @failed before @done; pairs with apf_reap_done(). */
		smp_mb__before_atomic();
		set_bit(work->token, &vcpu->arch.apf->done);
		kvm_make_request(KVM_REQ_APF, vcpu);
		kvm_vcpu_kick(vcpu);
	}
	spin_unlock(&work->lock);
}

/* The cap is the host's again before the vCPU is told: it may start another at once. */
static void apf_work_execute(struct work_struct *w)
{
	struct apf_work *work = container_of(w, struct apf_work, work);

	work->failed = !apf_work_fetch(work);
	apf_knob_hold(APF_KNOB_HOLD_DONE);
	atomic_dec(&apf_under_way);
	trace_kvm_async_pf_completed(work->hva, gfn_to_gpa(work->gfn));
	apf_work_done(work);
	apf_work_put(work);
}

static struct apf_work *apf_work_alloc(void)
{
	struct apf_work *work = NULL;

	if ((unsigned int)atomic_inc_return(&apf_under_way) <= READ_ONCE(apf_pages))
		work = apf_kzalloc(sizeof(*work), GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!work)
		atomic_dec(&apf_under_way);

	return work;
}

/**
 * apf_work_start - have a page fetched
 * @vcpu:	the vCPU that wants it; the caller is its thread
 * @token:	its bit in @done is set when the page is there, or cannot be had
 * @gfn:	the page, for the tracepoint
 * @hva:	where the page belongs, in current->mm
 * @write_fault: fetch it for writing; a read must stay a read, see above
 *
 * Return: the vCPU's reference to the work, or NULL if there is no memory now, or
 * too much is under way on the host: the caller is about to wait anyway, so it
 * may as well wait for the page.
 */
struct apf_work *apf_work_start(struct kvm_vcpu *vcpu, int token, gfn_t gfn,
				unsigned long hva, bool write_fault)
{
	struct apf_work *work = apf_work_alloc();

	if (!work)
		return NULL;

	INIT_WORK(&work->work, apf_work_execute);
	refcount_set(&work->refs, 2);
	spin_lock_init(&work->lock);
	work->vcpu = vcpu;
	work->pool = vcpu->kvm->arch.apf.pool;
	refcount_inc(&work->pool->refs);
	work->mm = current->mm;
	mmgrab(work->mm);
	work->gfn = gfn;
	work->hva = hva;
	work->token = token;
	work->gup_flags = apf_gup_flags(write_fault);

	queue_work(work->pool->wq, &work->work);

	return work;
}

/* Of a work that the caller has a reference to. */
unsigned long apf_work_hva(const struct apf_work *work)
{
	return work->hva;
}

/* The lock: a worker that has set its bit in @done may still be in the kick. */
static void apf_work_detach(struct apf_work *work)
{
	spin_lock(&work->lock);
	work->vcpu = NULL;
	spin_unlock(&work->lock);
	apf_work_put(work);
}

/*
 * Give up the vCPU's reference to a work whose bit in @done was set.
 * Return: whether the page could be had.
 */
bool apf_work_reap(struct apf_work *work)
{
	bool failed = work->failed;

	apf_work_detach(work);

	return !failed;
}

/* Give up the vCPU's reference to a work that may still be under way. */
void apf_work_orphan(struct apf_work *work)
{
	if (cancel_work(&work->work)) {	/* the worker will not run */
		atomic_dec(&apf_under_way);
		apf_work_put(work);
	}

	apf_work_detach(work);
}
