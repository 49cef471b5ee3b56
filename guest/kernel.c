// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: faults in the kernel.
 *
 * The kernel may sleep for such a fault where it may sleep for an ordinary one:
 * where it accesses user memory, outside of all that forbids it.
 * It does so on the way out of the interrupt that announced the fault, as if it
 * were preempted there. Anywhere else it declines, and the host halts the vCPU.
 *
 * A signal, also a fatal one, does not end that sleep: the access is done when the
 * page has come, as without APF. Others wait for it. An exiting task clears its TID
 * for whoever joins it, and marks its robust mutexes as those of a dead owner; exec
 * does both, maybe with a fatal signal pending; and what a killed task's system call
 * was about to copy, it copies whole.
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

/* Text of what copies between the kernel's and user memory. */
static const struct apf_text {
	const void	*start;
	const void	*end;
} apf_copies[] = {
	{ __arch_copy_to_user,		__arch_copy_to_user_end },
	{ __arch_copy_from_user,	__arch_copy_from_user_end },
};

/* Set last: from then on each CPU has the hook, which gives back what is lent for it. */
static bool apf_kernel_started;

/*
 * Return: why the host is not to announce faults of the kernel, or NULL. Without
 * CONFIG_PREEMPT_COUNT, spinlocks, RCU readers and preempt_disable() leave no trace:
 * nobody could say where the kernel may sleep.
 */
const char *apf_kernel_refused(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_COUNT))
		return "this kernel does not count preemption";

	return apf_kernel ? NULL : "kvm_apf.kernel=0";
}

/* The key is patched site by site, on CPU after CPU: until then, faults are declined. */
void apf_kernel_start(void)
{
	static_branch_enable(&kvm_apf_kernel_key);
	WRITE_ONCE(apf_kernel_started, true);
}

/*
 * The exception table says that this is an access to user memory. All else that
 * it lists is made for places that cannot sleep.
 */
static bool apf_is_user_access(unsigned long pc)
{
	const struct exception_table_entry *ex = search_exception_tables(pc);

	return ex && ex->type == EX_TYPE_UACCESS_ERR_ZERO;
}

/*
 * The other side of a copy: the page cache under read(2), say. The instruction
 * next to it is an access to user memory, so what may sleep there may sleep here.
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
 * Called in the interrupt, which is all that the preempt count may hold. Softirqs,
 * and sections without them, have a count of their own with PREEMPT_RT; spinlocks,
 * which sleep there, are known by the RCU reader that each of them is.
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
 * @regs:	what it interrupted. Interrupts are off, the hard interrupt is over
 *
 * Softirqs have run since the handler, with interrupts on: interrupts of those
 * come here too, with registers of their own.
 */
void __kvm_apf_el1_irq_exit(struct pt_regs *regs)
{
	struct apf_cpu *cpu = this_cpu_ptr(apf_cpus);
	struct apf_entry *entry = cpu->kernel_entry;

	if (likely(cpu->kernel_regs != regs))
		return;

	/* With interrupts on, another task may be announced here, or we may move. */
	cpu->kernel_regs = NULL;
	local_irq_enable();
	apf_sleep(entry, TASK_UNINTERRUPTIBLE);
	local_irq_disable();
}
