// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the threads that fetch the pages of a VM.
 *
 * They are threads of the VMM's process (vhost_task), so what they use is the VM's:
 * its cgroups, memory policy and CPUs, and its pids. They are killed with the process,
 * also while they wait for a page. A thread has one page at a time. One is made when
 * no thread is idle, up to kvm-arm.apf_threads of them. It gives up by itself when it has
 * been idle for APF_POOL_IDLE: one that does not run, because the process is stopped or
 * frozen, must not be chosen from outside, since pool->reap would wait for it until the
 * process goes on.
 *
 * There is no queue: a page for which there is no thread is waited for by the vCPU, as
 * without APF. In a queue it could wait for ever behind pages that never come.
 *
 * Why not virt/kvm/async_pf.c: its worker always asks for write access, which
 * breaks copy-on-write, dirties the page and fails on read-only memory where
 * the guest only read; it runs on the system's workqueue, so that neither its time
 * nor its memory are the VM's; and its teardown waits for the worker, which a page
 * that never comes can make wait for ever.
 *
 * Lifetime. The pool is made when the first vCPU runs. The VM gives it up when it is
 * destroyed, and a thread that still waits for a page then stays until the page comes
 * or the VMM's process ends. pool->reap stops the threads that have nothing more to do,
 * and frees the pool after the last one.
 *
 * Locking. pool->lock guards all of the pool, and @work of its threads. Nothing is
 * taken inside it. It is not held when a thread is made, stopped or at work.
 */

#include <linux/jiffies.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "apf.h"
#include "apf-work.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm-arm."

#define APF_POOL_IDLE	(10 * HZ)

static unsigned int apf_threads = 64;
module_param(apf_threads, uint, 0644);
MODULE_PARM_DESC(apf_threads, "Most threads of a VM that wait for pages of asynchronous page faults");

/**
 * struct kvm_apf_pool - the threads of one VM
 * @lock:	guards what follows
 * @kvm:	the VM, NULL: it is gone
 * @idle:	threads without a page, the one that was idle last at the head
 * @over:	threads that will never have a page again, to be stopped
 * @usable:	number of threads that are not @over
 * @made:	number of threads that were not stopped yet
 * @reap:	stops those of @over
 */
struct kvm_apf_pool {
	spinlock_t		lock;	/* see above */
	struct kvm		*kvm;
	struct list_head	idle;
	struct list_head	over;
	unsigned int		usable;
	unsigned int		made;
	struct work_struct	reap;
};

/**
 * struct apf_thread - one thread
 * @pool:	it belongs to
 * @task:	the task
 * @work:	the page that it is to fetch, until it has begun to
 * @node:	in @idle of the pool, or on its way from @over to its end
 * @over:	it never has a page again
 */
struct apf_thread {
	struct kvm_apf_pool	*pool;
	struct vhost_task	*task;
	struct apf_work		*work;
	struct list_head	node;
	bool			over;
};

/* To VM statistics, for as long as there is a VM. */
static void apf_pool_count(struct kvm_apf_pool *pool, int change)
{
	lockdep_assert_held(&pool->lock);

	pool->usable += change;
	if (pool->kvm)
		pool->kvm->stat.apf_threads = pool->usable;
}

static void apf_thread_over(struct apf_thread *thread)
{
	struct kvm_apf_pool *pool = thread->pool;

	apf_pool_count(pool, -1);
	thread->over = true;
	list_move(&thread->node, &pool->over);
	queue_work(system_unbound_wq, &pool->reap);
}

static struct apf_work *apf_thread_take(struct apf_thread *thread)
{
	struct kvm_apf_pool *pool = thread->pool;
	struct apf_work *work;

	spin_lock(&pool->lock);
	work = thread->work;
	thread->work = NULL;
	spin_unlock(&pool->lock);

	return work;
}

/* The page is done: the thread can have another one, unless the VM is gone. */
static void apf_thread_rest(struct apf_thread *thread)
{
	struct kvm_apf_pool *pool = thread->pool;

	spin_lock(&pool->lock);
	if (pool->kvm)
		list_add(&thread->node, &pool->idle);
	else
		apf_thread_over(thread);
	spin_unlock(&pool->lock);
}

/*
 * Fault the page in, waiting for as long as it takes. The pin is not kept: the
 * vCPU's next no-wait attempt finds the page, or starts over if it is gone.
 */
static bool apf_fetch(const struct apf_work *work)
{
	if (apf_knob_every(APF_KNOB_FAIL_FETCH))
		return false;

	return get_user_pages_unlocked(work->hva, 1, NULL, work->gup_flags) == 1;
}

static void apf_thread_finish(struct apf_work *work, bool failed)
{
	apf_knob_hold(APF_KNOB_HOLD_DONE);
	apf_work_done(work, failed);
	apf_work_put(work);
}

/* Called in TASK_INTERRUPTIBLE, which was set before apf_thread_take(). */
static void apf_thread_sleep(struct apf_thread *thread)
{
	struct kvm_apf_pool *pool = thread->pool;

	if (schedule_timeout(APF_POOL_IDLE))
		return;

	spin_lock(&pool->lock);
	if (!thread->work && !thread->over)
		apf_thread_over(thread);
	spin_unlock(&pool->lock);
}

/* Called by the thread, in TASK_INTERRUPTIBLE. Return: true, since it has slept by itself. */
static bool apf_thread_run(void *data)
{
	struct apf_thread *thread = data;
	struct apf_work *work = apf_thread_take(thread);

	if (!work) {
		apf_thread_sleep(thread);
		return true;
	}

	__set_current_state(TASK_RUNNING);
	apf_thread_finish(work, !apf_fetch(work));
	apf_thread_rest(thread);

	return true;
}

/* Called by the thread on SIGKILL: all threads of the process end, the vCPUs' among them. */
static void apf_thread_killed(void *data)
{
	struct apf_thread *thread = data;
	struct kvm_apf_pool *pool = thread->pool;
	struct apf_work *work = apf_thread_take(thread);

	if (work)
		apf_thread_finish(work, true);

	spin_lock(&pool->lock);
	if (!thread->over)
		apf_thread_over(thread);
	spin_unlock(&pool->lock);
}

/* The VM is gone. */
static void apf_pool_end_idle(struct kvm_apf_pool *pool)
{
	struct apf_thread *thread, *next;

	lockdep_assert_held(&pool->lock);

	list_for_each_entry_safe(thread, next, &pool->idle, node)
		apf_thread_over(thread);
}

/* Return: how many threads were stopped. Each is at its end, or asleep. */
static unsigned int apf_pool_stop_over(struct kvm_apf_pool *pool)
{
	struct apf_thread *thread, *next;
	unsigned int count = 0;
	LIST_HEAD(over);

	spin_lock(&pool->lock);
	list_splice_init(&pool->over, &over);
	spin_unlock(&pool->lock);

	list_for_each_entry_safe(thread, next, &over, node) {
		vhost_task_stop(thread->task);
		kfree(thread);
		count++;
	}

	return count;
}

/* The last one frees the pool: whoever makes a thread over queues @reap under the lock. */
static void apf_pool_reap(struct work_struct *w)
{
	struct kvm_apf_pool *pool = container_of(w, struct kvm_apf_pool, reap);
	unsigned int stopped = apf_pool_stop_over(pool);
	bool last;

	spin_lock(&pool->lock);
	pool->made -= stopped;
	last = !pool->kvm && !pool->made && !work_pending(w);
	spin_unlock(&pool->lock);

	if (last)
		kfree(pool);
}

struct kvm_apf_pool *apf_pool_create(struct kvm *kvm)
{
	struct kvm_apf_pool *pool = apf_kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);

	if (!pool)
		return NULL;

	spin_lock_init(&pool->lock);
	pool->kvm = kvm;
	INIT_LIST_HEAD(&pool->idle);
	INIT_LIST_HEAD(&pool->over);
	INIT_WORK(&pool->reap, apf_pool_reap);

	return pool;
}

/* Nobody queues pages any more. A thread may still wait for one. */
void apf_pool_destroy(struct kvm_apf_pool *pool)
{
	spin_lock(&pool->lock);
	pool->kvm = NULL;
	apf_pool_end_idle(pool);
	queue_work(system_unbound_wq, &pool->reap);
	spin_unlock(&pool->lock);
}

/* Give the page to a thread that is idle. It cannot end before the lock is released. */
static bool apf_pool_give(struct kvm_apf_pool *pool, struct apf_work *work)
{
	struct apf_thread *thread;

	lockdep_assert_held(&pool->lock);

	thread = list_first_entry_or_null(&pool->idle, struct apf_thread, node);
	if (!thread)
		return false;

	list_del_init(&thread->node);
	thread->work = work;
	vhost_task_wake(thread->task);

	return true;
}

/* One more thread may be made. It is counted at once, since many vCPUs make them. */
static bool apf_pool_may_grow(struct kvm_apf_pool *pool)
{
	lockdep_assert_held(&pool->lock);

	if (pool->usable >= READ_ONCE(apf_threads))
		return false;

	apf_pool_count(pool, 1);
	pool->made++;

	return true;
}

static struct apf_thread *apf_thread_create(struct kvm_apf_pool *pool)
{
	struct apf_thread *thread = apf_kzalloc(sizeof(*thread), GFP_KERNEL_ACCOUNT);

	if (!thread)
		return NULL;

	thread->pool = pool;
	INIT_LIST_HEAD(&thread->node);
	thread->task = vhost_task_create(apf_thread_run, apf_thread_killed, thread,
					 "kvm-apf");
	/* NULL: of the first 6.12.y, whose vhost_task_create() does not say why. */
	if (IS_ERR_OR_NULL(thread->task)) {
		kfree(thread);
		return NULL;
	}

	return thread;
}

/* A thread for the page. It has been counted. */
static bool apf_pool_grow(struct kvm_apf_pool *pool, struct apf_work *work)
{
	struct apf_thread *thread = apf_thread_create(pool);

	if (!thread) {
		spin_lock(&pool->lock);
		apf_pool_count(pool, -1);
		pool->made--;
		spin_unlock(&pool->lock);
		return false;
	}

	thread->work = work;
	vhost_task_start(thread->task);

	return true;
}

/**
 * apf_pool_start - have a thread fetch a page
 * @pool:	of the VM
 * @work:	the page; a reference to it goes to the thread
 *
 * Called by a thread of the VMM's process that may sleep.
 *
 * Return: false if no thread is idle, and none can be made.
 */
bool apf_pool_start(struct kvm_apf_pool *pool, struct apf_work *work)
{
	bool given, grow;

	refcount_inc(&work->refs);

	spin_lock(&pool->lock);
	given = apf_pool_give(pool, work);
	grow = !given && apf_pool_may_grow(pool);
	spin_unlock(&pool->lock);

	if (grow)
		given = apf_pool_grow(pool, work);
	if (!given)
		apf_work_put(work);

	return given;
}
