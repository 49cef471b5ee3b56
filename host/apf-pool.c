// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the threads that fetch the pages of a VM.
 *
 * They are threads of the VMM's process (vhost_task), so what they use is the VM's:
 * its cgroups, memory policy and CPUs, and its pids. They are killed with the process,
 * also while they wait for a page. One is made when a page is to be fetched and no
 * thread is idle, up to kvm-arm.apf_threads of them; what does not find one waits in
 * the queue, and is announced all the same. One that was idle for APF_POOL_IDLE is
 * ended.
 *
 * Why not virt/kvm/async_pf.c: its worker always asks for write access, which
 * breaks copy-on-write, dirties the page and fails on read-only memory where
 * the guest only read; it runs on the system's workqueue, so that neither its time
 * nor its memory are the VM's; and its teardown waits for the worker, which a page
 * that never comes can make wait for ever.
 *
 * Lifetime. The pool is made when the first vCPU runs, and given up when the VM is
 * destroyed, which is after its vCPUs: all that is queued or under way then is
 * nobody's. pool->end stops the threads, and waits for those that still fetch a page,
 * at most until the VMM's process ends. Then the pool is freed.
 *
 * Locking. pool->lock guards the lists and counts. It is not held when a thread is
 * made, stopped, or executes anything. work->lock is not taken inside it.
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
MODULE_PARM_DESC(apf_threads, "Threads of a VM that wait for pages of asynchronous page faults, at most");

/**
 * struct kvm_apf_pool - the threads of one VM
 * @lock:	guards what follows
 * @queue:	works that wait for a thread
 * @threads:	all of them
 * @idle:	of them, those that wait for a work
 * @count:	of @threads that were not killed
 * @shrink:	ends threads that are idle
 * @end:	ends all
 */
struct kvm_apf_pool {
	spinlock_t		lock;
	struct list_head	queue;
	struct list_head	threads;
	struct list_head	idle;
	unsigned int		count;
	struct delayed_work	shrink;
	struct work_struct	end;
};

/**
 * struct apf_thread - one thread
 * @pool:	it belongs to
 * @task:	the task
 * @node:	in @threads of the pool
 * @idle:	in @idle of the pool, or empty
 * @since:	in jiffies, when it became idle
 * @counted:	in @count of the pool
 */
struct apf_thread {
	struct kvm_apf_pool	*pool;
	struct vhost_task	*task;
	struct list_head	node;
	struct list_head	idle;
	unsigned long		since;
	bool			counted;
};

/*
 * Fault the page in, waiting for as long as it takes. The pin is not kept: the
 * vCPU's next no-wait attempt finds the page, or starts over if it is gone.
 */
static bool apf_fetch(struct apf_work *work)
{
	if (apf_knob_every(APF_KNOB_FAIL_FETCH))
		return false;

	return get_user_pages_unlocked(work->hva, 1, NULL, work->gup_flags) == 1;
}

/* The next work, or NULL: then the thread is idle. */
static struct apf_work *apf_pool_take(struct apf_thread *thread)
{
	struct kvm_apf_pool *pool = thread->pool;
	struct apf_work *work;

	spin_lock(&pool->lock);
	work = list_first_entry_or_null(&pool->queue, struct apf_work, node);
	if (work) {
		list_del_init(&work->node);
		list_del_init(&thread->idle);
	} else if (list_empty(&thread->idle)) {
		thread->since = jiffies;
		list_add(&thread->idle, &pool->idle);
	}
	spin_unlock(&pool->lock);

	return work;
}

/*
 * Called in TASK_INTERRUPTIBLE by the thread. Return: whether it did anything, else it
 * sleeps. Whoever queues a work takes it off @idle under the lock before he wakes it.
 */
static bool apf_thread_run(void *data)
{
	struct apf_work *work = apf_pool_take(data);
	bool failed;

	if (!work)
		return false;

	__set_current_state(TASK_RUNNING);
	failed = !apf_fetch(work);
	apf_knob_hold(APF_KNOB_HOLD_DONE);
	apf_work_done(work, failed);
	apf_work_put(work);

	return true;
}

/* The thread takes no more works. Once for each thread, whatever comes first. */
static void apf_pool_uncount(struct apf_thread *thread)
{
	lockdep_assert_held(&thread->pool->lock);

	list_del_init(&thread->idle);
	thread->pool->count -= thread->counted;
	thread->counted = false;
}

/* SIGKILL, or execve(): all threads of the process end, the vCPUs' among them. */
static void apf_thread_killed(void *data)
{
	struct apf_thread *thread = data;

	spin_lock(&thread->pool->lock);
	apf_pool_uncount(thread);
	spin_unlock(&thread->pool->lock);
}

static void apf_thread_stop(struct apf_thread *thread)
{
	vhost_task_stop(thread->task);
	kfree(thread);
}

/* Of a VM that is in use. The oldest are at the tail. */
static void apf_pool_shrink(struct work_struct *w)
{
	struct kvm_apf_pool *pool = container_of(to_delayed_work(w), struct kvm_apf_pool, shrink);
	struct apf_thread *thread, *next;
	LIST_HEAD(old);

	spin_lock(&pool->lock);
	list_for_each_entry_safe_reverse(thread, next, &pool->idle, idle) {
		if (time_before(jiffies, thread->since + APF_POOL_IDLE))
			break;
		apf_pool_uncount(thread);
		list_move(&thread->node, &old);
	}
	if (pool->count)
		schedule_delayed_work(&pool->shrink, APF_POOL_IDLE);
	spin_unlock(&pool->lock);

	list_for_each_entry_safe(thread, next, &old, node)
		apf_thread_stop(thread);
}

static void apf_pool_end(struct work_struct *w)
{
	struct kvm_apf_pool *pool = container_of(w, struct kvm_apf_pool, end);
	struct apf_thread *thread, *next;

	cancel_delayed_work_sync(&pool->shrink);
	list_for_each_entry_safe(thread, next, &pool->threads, node)
		apf_thread_stop(thread);

	kfree(pool);
}

struct kvm_apf_pool *apf_pool_create(void)
{
	struct kvm_apf_pool *pool = apf_kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);

	if (!pool)
		return NULL;

	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->queue);
	INIT_LIST_HEAD(&pool->threads);
	INIT_LIST_HEAD(&pool->idle);
	INIT_DELAYED_WORK(&pool->shrink, apf_pool_shrink);
	INIT_WORK(&pool->end, apf_pool_end);

	return pool;
}

/* All works are orphans. Not here, since a thread may wait for its page. */
void apf_pool_destroy(struct kvm_apf_pool *pool)
{
	queue_work(system_unbound_wq, &pool->end);
}

/* One more. @count has been raised for it. */
static bool apf_pool_grow(struct kvm_apf_pool *pool)
{
	struct apf_thread *thread = apf_kzalloc(sizeof(*thread), GFP_KERNEL_ACCOUNT);

	if (!thread)
		return false;

	thread->pool = pool;
	thread->counted = true;
	INIT_LIST_HEAD(&thread->idle);
	thread->task = vhost_task_create(apf_thread_run, apf_thread_killed, thread,
					 "kvm-apf");
	if (IS_ERR(thread->task)) {
		kfree(thread);
		return false;
	}

	spin_lock(&pool->lock);
	list_add(&thread->node, &pool->threads);
	spin_unlock(&pool->lock);
	vhost_task_start(thread->task);

	return true;
}

/* Wake an idle thread. Under the lock, so that nobody ends it before it is awake. */
static bool apf_pool_wake(struct kvm_apf_pool *pool)
{
	struct apf_thread *thread;

	lockdep_assert_held(&pool->lock);

	thread = list_first_entry_or_null(&pool->idle, struct apf_thread, idle);
	if (!thread)
		return false;

	list_del_init(&thread->idle);
	vhost_task_wake(thread->task);

	return true;
}

/* Nobody is there to take what is queued, nor will be: whoever waits for it is told. */
static void apf_pool_fail_all(struct kvm_apf_pool *pool)
{
	struct apf_work *work;

	spin_lock(&pool->lock);
	while (!pool->count && !list_empty(&pool->queue)) {
		work = list_first_entry(&pool->queue, struct apf_work, node);
		list_del_init(&work->node);
		spin_unlock(&pool->lock);
		apf_work_done(work, true);
		apf_work_put(work);
		spin_lock(&pool->lock);
	}
	spin_unlock(&pool->lock);
}

/*
 * No thread could be made. Others, which may be about to be made, were counted upon
 * for what has been queued since: if they are none, all of it fails.
 * Return: whether @work is still in the hands of a thread.
 */
static bool apf_pool_shrank(struct kvm_apf_pool *pool, struct apf_work *work)
{
	bool taken;

	spin_lock(&pool->lock);
	pool->count--;
	taken = pool->count || list_empty(&work->node);
	if (!taken)
		list_del_init(&work->node);
	spin_unlock(&pool->lock);

	if (!taken)
		apf_pool_fail_all(pool);

	return taken;
}

/**
 * apf_pool_queue - have a thread fetch a page
 * @pool:	of the VM
 * @work:	the page; a reference to it goes to the thread
 *
 * Called by a thread of the VMM's process that may sleep.
 *
 * Return: false if there is no thread, and none can be made.
 */
bool apf_pool_queue(struct kvm_apf_pool *pool, struct apf_work *work)
{
	bool grow = false, taken;

	refcount_inc(&work->refs);
	spin_lock(&pool->lock);
	list_add_tail(&work->node, &pool->queue);
	if (!apf_pool_wake(pool) && pool->count < READ_ONCE(apf_threads)) {
		grow = true;
		if (!pool->count++)
			schedule_delayed_work(&pool->shrink, APF_POOL_IDLE);
	}
	taken = pool->count;
	if (!taken)
		list_del_init(&work->node);
	spin_unlock(&pool->lock);

	if (grow && !apf_pool_grow(pool))
		taken = apf_pool_shrank(pool, work);
	if (!taken)
		apf_work_put(work);

	return taken;
}

/* Nobody wants the page any more: if no thread has taken it yet, none does. */
void apf_pool_cancel(struct kvm_apf_pool *pool, struct apf_work *work)
{
	bool queued;

	spin_lock(&pool->lock);
	queued = !list_empty(&work->node);
	list_del_init(&work->node);
	spin_unlock(&pool->lock);

	if (queued)
		apf_work_put(work);
}
