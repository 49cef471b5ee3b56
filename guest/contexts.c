// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: a test of where the kernel sleeps.
 *
 * The test writes "CONTEXT USER PHYSICAL VALUE" (the last three in hex) to the file
 * kvm-apf/touch in debugfs. The kernel then reads the 8 bytes at an address once, in
 * the context of that name, and the write fails if they are not VALUE. USER is the
 * writer's mapping of PHYSICAL, by /dev/mem, so that the access can fault only at
 * stage 2. The counters of the host and of the driver show what became of a fault.
 *
 * The first contexts sleep. Each of the others breaks a rule of apf_kernel_may_sleep(),
 * and only that one, if such a context exists.
 */

#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mmu_context.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <asm/word-at-a-time.h>

/* One access. */
struct apf_touch {
	u64 __user		*user;		/* in @mm */
	u64			*kernel;	/* mapping of the same memory by the kernel */
	u64 __user		*back;		/* memory that is present and writable */
	struct mm_struct	*mm;		/* the writer's */
	void			(*access)(struct apf_touch *touch);
	struct work_struct	work;
	struct irq_work		irq_work;
	struct completion	done;		/* the thread has finished */
	bool			flushed;	/* the plug was flushed because its task slept */
	u64			expected;
	u64			value;
	int			error;
};

/* As in a system call, which may sleep. */
static void apf_touch_user(struct apf_touch *touch)
{
	touch->error = get_user(touch->value, touch->user);
}

/* The same instruction, for callers that must not sleep. */
static void apf_touch_inatomic(struct apf_touch *touch)
{
	if (__copy_from_user_inatomic(&touch->value, touch->user, sizeof(touch->value)))
		touch->error = -EFAULT;
}

/* As read(2) copies from the page cache. */
static void apf_touch_copy_to_user(struct apf_touch *touch)
{
	touch->error = copy_to_user(touch->back, touch->kernel, sizeof(u64)) ?
		       -EFAULT : get_user(touch->value, touch->back);
}

/* As write(2) copies to the page cache. Writes the value that is there already. */
static void apf_touch_copy_from_user(struct apf_touch *touch)
{
	touch->error = put_user(touch->expected, touch->back);
	if (copy_from_user(touch->kernel, touch->back, sizeof(u64)))
		touch->error = -EFAULT;
	touch->value = READ_ONCE(*touch->kernel);
}

/* An access without an entry in the exception table. */
static void apf_touch_kernel(struct apf_touch *touch)
{
	touch->value = READ_ONCE(*touch->kernel);
}

/* An access with an entry in the exception table, but not one for user memory. */
static void apf_touch_zeropad(struct apf_touch *touch)
{
	touch->value = load_unaligned_zeropad(touch->kernel);
}

static void apf_touch_nofault(struct apf_touch *touch)
{
	touch->error = get_kernel_nofault(touch->value, touch->kernel);
}

static int apf_touch_thread(void *data)
{
	struct apf_touch *touch = data;

	kthread_use_mm(touch->mm);
	touch->access(touch);
	kthread_unuse_mm(touch->mm);
	complete(&touch->done);

	return 0;
}

static void apf_run_thread(struct apf_touch *touch,
			   void (*access)(struct apf_touch *touch))
{
	struct task_struct *thread;

	touch->access = access;
	thread = kthread_run(apf_touch_thread, touch, "kvm-apf-touch");
	if (IS_ERR(thread))
		touch->error = PTR_ERR(thread);
	else
		wait_for_completion(&touch->done);
}

static void apf_touch_work(struct work_struct *work)
{
	struct apf_touch *touch = container_of(work, struct apf_touch, work);

	kthread_use_mm(touch->mm);
	touch->access(touch);
	kthread_unuse_mm(touch->mm);
}

static void apf_run_work(struct apf_touch *touch, struct workqueue_struct *wq,
			 work_func_t func)
{
	INIT_WORK_ONSTACK(&touch->work, func);
	queue_work(wq, &touch->work);
	flush_work(&touch->work);
	destroy_work_on_stack(&touch->work);
}

static void apf_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct apf_touch *touch = cb->data;

	touch->flushed = from_schedule;
	kfree(cb);
}

/* A task that sleeps must flush its plug, or the requests in it wait with the task. */
static void apf_touch_plugged(struct apf_touch *touch)
{
	struct blk_plug plug;

	blk_start_plug(&plug);
	if (!blk_check_plugged(apf_unplug, touch, sizeof(struct blk_plug_cb)))
		touch->error = -ENOMEM;
	else
		apf_touch_user(touch);
	if (!touch->error && !touch->flushed)
		touch->error = -EBUSY;
	blk_finish_plug(&plug);
}

static void apf_touch_idle(struct apf_touch *touch)
{
	current->flags |= PF_IDLE;
	apf_touch_inatomic(touch);
	current->flags &= ~PF_IDLE;
}

static void apf_in_thread(struct apf_touch *touch)
{
	apf_run_thread(touch, apf_touch_user);
}

static void apf_in_idle(struct apf_touch *touch)
{
	apf_run_thread(touch, apf_touch_idle);
}

static void apf_in_worker(struct apf_touch *touch)
{
	touch->access = apf_touch_user;
	apf_run_work(touch, system_wq, apf_touch_work);
}

static void apf_in_plugged_worker(struct apf_touch *touch)
{
	touch->access = apf_touch_plugged;
	apf_run_work(touch, system_wq, apf_touch_work);
}

static void apf_in_pagefault_disabled(struct apf_touch *touch)
{
	pagefault_disable();
	apf_touch_inatomic(touch);
	pagefault_enable();
}

static void apf_in_inatomic_copy(struct apf_touch *touch)
{
	pagefault_disable();
	if (__copy_to_user_inatomic(touch->back, touch->kernel, sizeof(u64)))
		touch->error = -EFAULT;
	pagefault_enable();
	touch->error = touch->error ?: get_user(touch->value, touch->back);
}

static void apf_in_spinlock(struct apf_touch *touch)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	apf_touch_inatomic(touch);
	spin_unlock(&lock);
}

static void apf_in_rcu(struct apf_touch *touch)
{
	rcu_read_lock();
	apf_touch_inatomic(touch);
	rcu_read_unlock();
}

static void apf_in_bh_disabled(struct apf_touch *touch)
{
	local_bh_disable();
	apf_touch_inatomic(touch);
	local_bh_enable();
}

static void apf_in_preempt_disabled(struct apf_touch *touch)
{
	preempt_disable();
	apf_touch_inatomic(touch);
	preempt_enable();
}

/* A softirq interrupts any task. It has to be the writer here, whose memory it reads. */
static void apf_touch_softirq(struct work_struct *work)
{
	struct apf_touch *touch = container_of(work, struct apf_touch, work);

	if (current->mm == touch->mm)
		apf_touch_inatomic(touch);
	else
		touch->error = -EAGAIN;
}

static void apf_in_softirq(struct apf_touch *touch)
{
	INIT_WORK_ONSTACK(&touch->work, apf_touch_softirq);
	local_bh_disable();
	queue_work(system_bh_wq, &touch->work);
	local_bh_enable();
	flush_work(&touch->work);
	destroy_work_on_stack(&touch->work);
}

static void apf_in_state(struct apf_touch *touch)
{
	set_current_state(TASK_INTERRUPTIBLE);
	apf_touch_inatomic(touch);
	if (get_current_state() != TASK_INTERRUPTIBLE)
		touch->error = -EBUSY;
	__set_current_state(TASK_RUNNING);
}

static void apf_in_irqs_off(struct apf_touch *touch)
{
	local_irq_disable();
	apf_touch_inatomic(touch);
	local_irq_enable();
}

static void apf_touch_hardirq(struct irq_work *irq_work)
{
	apf_touch_kernel(container_of(irq_work, struct apf_touch, irq_work));
}

static void apf_in_hardirq(struct apf_touch *touch)
{
	touch->irq_work = IRQ_WORK_INIT_HARD(apf_touch_hardirq);
	irq_work_queue(&touch->irq_work);
	irq_work_sync(&touch->irq_work);
}

static const struct {
	const char	*name;
	void		(*touch)(struct apf_touch *touch);
} apf_contexts[] = {
	{ "process",		apf_touch_user },
	{ "kthread",		apf_in_thread },
	{ "kworker",		apf_in_worker },
	{ "plugged-kworker",	apf_in_plugged_worker },
	{ "copy-to-user",	apf_touch_copy_to_user },
	{ "copy-from-user",	apf_touch_copy_from_user },
	{ "pagefault-disabled",	apf_in_pagefault_disabled },
	{ "inatomic-copy",	apf_in_inatomic_copy },
	{ "spinlock",		apf_in_spinlock },
	{ "rcu",		apf_in_rcu },
	{ "bh-disabled",	apf_in_bh_disabled },
	{ "preempt-disabled",	apf_in_preempt_disabled },
	{ "softirq",		apf_in_softirq },
	{ "idle",		apf_in_idle },
	{ "interruptible",	apf_in_state },
	{ "kernel-address",	apf_touch_kernel },
	{ "zeropad",		apf_touch_zeropad },
	{ "nofault",		apf_touch_nofault },
	{ "irqs-off",		apf_in_irqs_off },
	{ "hardirq",		apf_in_hardirq },
};

static int apf_touch_in(const char *name, struct apf_touch *touch)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(apf_contexts); n++)
		if (!strcmp(name, apf_contexts[n].name))
			break;
	if (n == ARRAY_SIZE(apf_contexts))
		return -ENOENT;

	apf_contexts[n].touch(touch);
	return touch->error;
}

static int apf_touch_parsed(const char *name, unsigned long user,
			    phys_addr_t physical, u64 value, u64 __user *back)
{
	struct apf_touch touch = {
		.user	= (u64 __user *)user,
		.back	= back,
		.mm	= current->mm,
		.expected = value,
	};
	void *mapping;
	int error;

	if (!IS_ALIGNED(user | physical, sizeof(value)) || !access_ok(touch.user, sizeof(value)))
		return -EINVAL;

	mapping = memremap(physical, sizeof(value), MEMREMAP_WB);
	if (!mapping)
		return -ENOMEM;

	touch.kernel = mapping;
	init_completion(&touch.done);
	error = apf_touch_in(name, &touch);
	memunmap(mapping);
	return error ?: touch.value == value ? 0 : -EIO;
}

/* The buffer of the write also serves as apf_touch.back. */
static ssize_t apf_touch_write(struct file *file, const char __user *from,
			       size_t size, loff_t *pos)
{
	u64 user, physical, value;
	char text[128], name[32];
	int error;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, size))
		return -EFAULT;
	text[size] = '\0';
	if (sscanf(text, "%31s %llx %llx %llx", name, &user, &physical, &value) != 4)
		return -EINVAL;

	error = apf_touch_parsed(name, user, physical, value, (u64 __user *)from);

	return error ?: size;
}

static const struct file_operations apf_touch_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= apf_touch_write,
};

/* Runs after the driver, which makes its folder only if the host offers APF. */
static int __init apf_touch_init(void)
{
	struct dentry *dir = debugfs_lookup("kvm-apf", NULL);

	if (dir)
		debugfs_create_file("touch", 0200, dir, NULL, &apf_touch_fops);
	dput(dir);

	return 0;
}
late_initcall_sync(apf_touch_init);
