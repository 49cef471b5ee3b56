// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: faults in the kernel.
 *
 * The kernel may sleep for such a fault where it may sleep for an ordinary page fault:
 * where it accesses user memory and nothing forbids sleeping. It sleeps on the way out
 * of the interrupt that announced the fault, as if it were preempted there. Anywhere
 * else the driver declines, and the host halts the vCPU.
 *
 * No signal ends that sleep, not even a fatal one: the access completes when the page
 * has come, as without APF, because other tasks may depend on it. An exiting task
 * clears its TID for whoever joins it, and marks its robust mutexes as those of a dead
 * owner. exec does both, possibly with a fatal signal pending. And the system call of a
 * killed task copies all that it would copy without APF.
 */

#include <linux/extable.h>
#include <linux/hardirq.h>
#include <linux/jump_label.h>
#include <linux/kvm_apf.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include <asm/asm-extable.h>

#include "kvm_apf.h"

DEFINE_STATIC_KEY_FALSE(kvm_apf_kernel_key);

static bool apf_kernel = true;
module_param_named(kernel, apf_kernel, bool, 0444);
MODULE_PARM_DESC(kernel, "Sleep for faults in the kernel, too");

/* The text of the routines that copy between kernel memory and user memory. */
static const struct apf_text {
	const void	*start;
	const void	*end;
} apf_copies[] = {
	{ __arch_copy_to_user,		__arch_copy_to_user_end },
	{ __arch_copy_from_user,	__arch_copy_from_user_end },
};

/* Set after all CPUs have the hook, which gives back the entry that a fault has borrowed. */
static bool apf_kernel_started;

/*
 * Return: why the host should not announce faults of the kernel, or NULL. Without
 * CONFIG_PREEMPT_COUNT, spinlocks, RCU readers and preempt_disable() leave no trace, so
 * the driver cannot tell where the kernel may sleep.
 */
const char *apf_kernel_refused(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_COUNT))
		return "this kernel does not count preemption";

	return apf_kernel ? NULL : "kvm_apf.kernel=0";
}

/* Patching the key takes time. Until all CPUs have the hook, faults are declined. */
void apf_kernel_start(void)
{
	static_branch_enable(&kvm_apf_kernel_key);
	WRITE_ONCE(apf_kernel_started, true);
}

/*
 * Does the exception table list this instruction as an access to user memory? Its other
 * types of entries are made for places that cannot sleep.
 */
static bool apf_is_user_access(unsigned long pc)
{
	const struct exception_table_entry *ex = search_exception_tables(pc);

	return ex && ex->type == EX_TYPE_UACCESS_ERR_ZERO;
}

/*
 * Is this the kernel's side of a copy, such as the access of read(2) to the page cache?
 * The instruction next to it accesses user memory, so a caller that may sleep there
 * may sleep here, too.
 */
static bool apf_is_in_user_copy(unsigned long pc)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(apf_copies); n++) {
		if (pc >= (unsigned long)apf_copies[n].start &&
		    pc < (unsigned long)apf_copies[n].end)
			return true;
	}

	return false;
}

static bool apf_is_where_user_memory_is(unsigned long pc)
{
	return apf_is_user_access(pc) || apf_is_in_user_copy(pc);
}

/*
 * Called in the hard interrupt, so the preempt count must hold that interrupt and
 * nothing else. With PREEMPT_RT, softirqs and sections that disable them have a count of
 * their own, and spinlocks sleep; each holder of a spinlock is an RCU reader there, and
 * is found by that.
 */
static bool apf_kernel_may_sleep(struct pt_regs *regs)
{
	return preempt_count() == HARDIRQ_OFFSET && !softirq_count() &&
	       !pagefault_disabled() && !rcu_preempt_depth() && !is_idle_task(current) &&
	       READ_ONCE(current->__state) == TASK_RUNNING &&
	       interrupts_enabled(regs) &&
	       apf_is_where_user_memory_is(instruction_pointer(regs));
}

/* Return: false to decline. */
bool apf_add_kernel_sleeper(struct apf_cpu *cpu, unsigned int token,
			    struct pt_regs *regs)
{
	struct apf_entry *entry;

	if (!READ_ONCE(apf_kernel_started) || !apf_kernel_may_sleep(regs))
		return false;

	entry = apf_lend(cpu, token);
	if (!entry)
		return false;

	cpu->kernel_entry = entry;
	cpu->kernel_regs = regs;
	apf_count(APF_KERNEL);

	return true;
}

/**
 * __kvm_apf_el1_irq_exit - an interrupt of the kernel is about to return
 * @regs:	registers of the interrupted context
 *
 * The hard interrupt has ended. Softirqs may have run since the handler, with interrupts
 * on. Interrupts of those softirqs come here, too, with registers of their own.
 */
void __kvm_apf_el1_irq_exit(struct pt_regs *regs)
{
	struct apf_cpu *cpu = this_cpu_ptr(apf_cpus);
	struct apf_entry *entry = cpu->kernel_entry;

	lockdep_assert_irqs_disabled();

	if (likely(cpu->kernel_regs != regs))
		return;

	/*
	 * Take the entry first: once interrupts are on, a fault of another task may be
	 * announced on this CPU, and this task may move to another CPU.
	 */
	cpu->kernel_regs = NULL;
	local_irq_enable();
	apf_sleep(entry, TASK_UNINTERRUPTIBLE);
	local_irq_disable();
}
