// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the workers that fetch the pages.
 *
 * These workers do not use virt/kvm/async_pf.c, for three reasons. Its worker always
 * asks for write access, which breaks copy-on-write, dirties the page, and fails on
 * read-only memory that the guest only reads. It runs on the system's workqueue, where
 * 64 waiting workers per vCPU would starve the rest of the host. And its teardown waits
 * for the worker, which waits for ever if a userfaultfd handler does not answer.
 *
 * Lifetime. A work item has two references. The vCPU holds one from apf_work_start()
 * to apf_work_reap() or apf_work_orphan(), and the worker holds the other. An orphan
 * goes on alone: it holds the mm_struct (not the address space) and the pool, and does
 * not touch VM or vCPU any more. So nobody ever waits for a worker.
 *
 * Locking. work->lock guards work->vcpu. A worker holds it while it accesses a vCPU,
 * so after apf_work_orphan() has held the lock, the vCPU may be freed. Inside it, only
 * the scheduler's locks are taken.
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
 * How many pages may be under way on the whole host. Each of them may keep a kernel
 * thread waiting, for as long as the page takes, and no cgroup's pids.max counts that
 * thread. 4096 are all tokens of 64 vCPUs, and take 64 MiB of kernel stacks. They are
 * an eighth of 32768, the smallest usual limit of threads, so the host stays usable.
 */
static unsigned int apf_pages = 4096;
module_param(apf_pages, uint, 0644);
MODULE_PARM_DESC(apf_pages, "Asynchronous page faults under way on the host at most; more wait as without them");

static atomic_t apf_under_way;

/*
 * The workers of one VM. Each VM has a workqueue of its own, so that pages of one VM
 * that never come do not block the fetching of another VM's pages. The VM holds a
 * reference, and so does each work item.
 */
struct kvm_apf_pool {
	struct workqueue_struct	*wq;
	refcount_t		refs;
	struct work_struct	free;
};

struct apf_work {
	struct work_struct	work;
	refcount_t		refs;
	spinlock_t		lock;	/* guards @vcpu, see above */
	struct kvm_vcpu		*vcpu;	/* NULL for an orphan */
	struct kvm_apf_pool	*pool;
	struct mm_struct	*mm;
	gfn_t			gfn;
	unsigned long		hva;
	unsigned int		gup_flags;
	int			token;
	bool			failed;	/* written before the token's bit in @done is set */
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

/* A worker of the pool may drop the last reference, but cannot destroy its own queue. */
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
 * Fault the page in, and wait for as long as that takes. The page is not pinned after
 * that: the vCPU's next no-wait attempt finds it, or starts over if it is gone.
 */
static bool apf_work_fetch(struct apf_work *work)
{
	struct mm_struct *mm = work->mm;
	int locked = 1;
	long got;

	/* If mmget_not_zero() fails, the VMM is exiting, and nobody needs the page. */
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
 * Tell the vCPU, unless it has given the work up. set_bit() orders nothing by itself;
 * the barrier in kvm_make_request() does. It pairs with the one in kvm_check_request(),
 * after which the vCPU's thread reads @done. A vCPU that halts reads @done in
 * kvm_arch_vcpu_runnable() after set_current_state(), which pairs with the barrier in
 * the wake-up.
 */
static void apf_work_done(struct apf_work *work)
{
	struct kvm_vcpu *vcpu;

	spin_lock(&work->lock);
	vcpu = work->vcpu;
	if (vcpu) {
		/* work->failed before @done; pairs with apf_reap_done(). */
		smp_mb__before_atomic();
		set_bit(work->token, &vcpu->arch.apf->done);
		kvm_make_request(KVM_REQ_APF, vcpu);
		kvm_vcpu_kick(vcpu);
	}
	spin_unlock(&work->lock);
}

/* Lower apf_under_way before the vCPU is told, since it may start the next work at once. */
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
 * @vcpu:	the vCPU that needs the page
 * @token:	its bit in @done is set when the page is there, or cannot be had
 * @gfn:	the page, for the tracepoint
 * @hva:	address of the page in current->mm
 * @write_fault: fetch it for writing; a read must stay a read, see above
 *
 * Return: the vCPU's reference to the work; or NULL if memory is short or too many
 * pages are under way on the host. Then the caller waits for the page itself.
 */
struct apf_work *apf_work_start(struct kvm_vcpu *vcpu, int token, gfn_t gfn,
				unsigned long hva, bool write_fault)
{
	struct apf_work *work;

	lockdep_assert_held(&vcpu->mutex);

	work = apf_work_alloc();
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

/* The caller has a reference to the work. */
unsigned long apf_work_hva(const struct apf_work *work)
{
	return work->hva;
}

/* The lock waits for a worker that has set its bit in @done and still kicks the vCPU. */
static void apf_work_detach(struct apf_work *work)
{
	spin_lock(&work->lock);
	work->vcpu = NULL;
	spin_unlock(&work->lock);
	apf_work_put(work);
}

/*
 * Give up the vCPU's reference to a work whose bit in @done was set.
 * Return: whether the worker got the page.
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
