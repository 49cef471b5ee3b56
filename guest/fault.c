// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF) for KVM/arm64, the guest's side.
 *
 * The host announces by a PPI that memory is missing which the interrupted instruction
 * needs. The task goes to sleep on its way back to user space, and the CPU runs other
 * tasks. A second PPI tells which pages have come. <asm/kvm_apf.h> has the contract.
 * In order:
 *
 *   apf_interrupt()
 *     apf_take_missing()	claim the announcement, and after that
 *       apf_add_sleeper()	register the task as a waiter of the token
 *     apf_take_ready()		wake the waiters of all tokens that are ready
 *   apf_wake_more()		wake the rest in a softirq, if they are many
 *   apf_sleep()		in the task, before it returns to user space
 *
 * kernel.c handles what is different for a fault in the kernel.
 *
 * A token belongs to the CPU that was told, so each CPU has slots for its tokens. A
 * task that waits remembers that CPU, and may move to another.
 *
 * The handler allocates nothing. A task that is registered but does not sleep yet
 * borrows an entry from its CPU. When it sleeps, its waiter is on its own stack. If
 * all entries are lent, the driver declines the announcement.
 *
 * Thousands of tasks may wait for one page, since the host's page may be a huge one. So
 * the number of tasks that are woken with interrupts off is bounded.
 */

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

#include <asm/barrier.h>
#include <asm/cpuidle.h>
#include <asm/irq_regs.h>

#include "kvm_apf.h"

/* How many tasks are woken while the lock is held, and in one hard interrupt. */
#define APF_BATCH	32

/* Unlink a waiter and wake its task. */
static void apf_wake(struct apf_waiter *waiter)
{
	list_del(&waiter->link);
	apf_count(APF_WOKEN);
	/*
	 * The waiter is on the task's stack. The task takes the lock, in
	 * apf_leave(), before it returns, so the stack is valid until the lock
	 * is released. The barrier in wake_up_process() pairs with
	 * set_current_state() in apf_wait().
	 */
	WRITE_ONCE(waiter->waiting, false);
	wake_up_process(waiter->task);
}

/* Wake up to APF_BATCH tasks whose page has come. Return: whether there are more. */
static bool __apf_wake_some(struct apf_cpu *cpu)
{
	unsigned int n;

	lockdep_assert_held(&cpu->lock);

	for (n = 0; n < APF_BATCH && !list_empty(&cpu->ready); n++)
		apf_wake(list_first_entry(&cpu->ready, struct apf_waiter, link));

	return !list_empty(&cpu->ready);
}

static bool apf_wake_some(struct apf_cpu *cpu)
{
	bool more;

	raw_spin_lock_irq(&cpu->lock);
	more = __apf_wake_some(cpu);
	raw_spin_unlock_irq(&cpu->lock);

	return more;
}

/* A softirq wakes one batch. After that it ends if a task has to run. */
void apf_wake_more(struct tasklet_struct *more)
{
	struct apf_cpu *cpu = container_of(more, struct apf_cpu, more);

	if (apf_wake_some(cpu))
		tasklet_schedule(&cpu->more);
}

static void apf_init_waiter(struct apf_waiter *waiter)
{
	waiter->task = current;
	waiter->waiting = true;
}

/*
 * Put the waiter on the task's stack in the place of the one in the entry, in a slot or
 * in the list of those that are ready, and give the entry back.
 * Return: false if the task was woken before that.
 */
static bool apf_move_in(struct apf_entry *entry, struct apf_waiter *waiter)
{
	struct apf_cpu *cpu = entry->cpu;
	bool waiting;

	raw_spin_lock_irq(&cpu->lock);
	waiting = entry->waiter.waiting;
	if (waiting) {
		apf_init_waiter(waiter);
		list_replace(&entry->waiter.link, &waiter->link);
	}
	__clear_bit(entry - cpu->entry, cpu->lent);
	raw_spin_unlock_irq(&cpu->lock);

	return waiting;
}

/*
 * Unlink the waiter if the task leaves before the page has come; then the ready bit
 * wakes nobody. Taking the lock also waits until apf_wake() has finished with the
 * waiter, which is on this stack.
 */
static void apf_leave(struct apf_cpu *cpu, struct apf_waiter *waiter)
{
	raw_spin_lock_irq(&cpu->lock);
	if (waiter->waiting) {
		list_del(&waiter->link);
		apf_count(APF_KILLED);
	}
	raw_spin_unlock_irq(&cpu->lock);
}

/*
 * Does the task leave without the page? In exit_task_work() the fatal signal has been
 * dequeued already, and PF_EXITING is set.
 */
static bool apf_gives_up(unsigned int state)
{
	return (state & TASK_WAKEKILL) &&
	       (fatal_signal_pending(current) || (current->flags & PF_EXITING));
}

/* WFI, as the idle task executes it. An interrupt that is pending ends it. */
static void apf_wfi(void)
{
	struct arm_cpuidle_irq_context context;

	arm_cpuidle_save_irq_context(&context);
	dsb(sy);
	wfi();
	arm_cpuidle_restore_irq_context(&context);
}

/*
 * May the task stay on the CPU? Only there does the interrupt that brings its page end
 * the wait.
 */
static bool apf_may_stay(const struct apf_cpu *cpu, const struct apf_waiter *waiter)
{
	return READ_ONCE(waiter->waiting) && single_task_running() &&
	       cpu == this_cpu_ptr(apf_cpus);
}

/*
 * Wait on the CPU while no other task wants it: the way to the idle task and back costs
 * more than some pages take. The end of a tick ends it, since a CPU that is waiting is to
 * be seen as idle, and to be so for RCU and for the timers, too.
 */
static void apf_stay(const struct apf_cpu *cpu, const struct apf_waiter *waiter)
{
	unsigned long end = jiffies + 1;
	bool stays = true;

	while (stays && time_before_eq(jiffies, end)) {
		local_irq_disable();
		stays = apf_may_stay(cpu, waiter);
		if (stays)
			apf_wfi();
		local_irq_enable();
	}
}

static void apf_wait(struct apf_waiter *waiter, unsigned int state)
{
	for (;;) {
		set_current_state(state);
		if (!READ_ONCE(waiter->waiting) || apf_gives_up(state))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static void __apf_sleep(struct apf_entry *entry, unsigned int state)
{
	struct apf_cpu *cpu = entry->cpu;
	struct apf_waiter waiter;

	if (!apf_move_in(entry, &waiter))
		return;

	apf_count(APF_SLEPT);
	apf_stay(cpu, &waiter);
	apf_wait(&waiter, state);
	apf_leave(cpu, &waiter);
}

/**
 * apf_sleep - sleep until the page is there
 * @entry:	lent for this task; given back here
 * @state:	TASK_UNINTERRUPTIBLE; or TASK_KILLABLE, which also lets the task
 *		leave when it is killed or exits
 *
 * After the task has been counted in APF_RETURNED, it does not touch our data, and does
 * not sleep until it has left our text. apf_exit() relies on that.
 */
void apf_sleep(struct apf_entry *entry, unsigned int state)
{
	__apf_sleep(entry, state);
	apf_count(APF_RETURNED);
}

/* The task is on its way to user space, and handles a fatal signal after this. */
static void apf_sleep_in_task_work(struct callback_head *work)
{
	apf_sleep(container_of(work, struct apf_entry, work), TASK_KILLABLE);
}

/* Return: an entry with this task as a waiter of @token, or NULL if all are lent. */
struct apf_entry *apf_lend(struct apf_cpu *cpu, unsigned int token)
{
	struct apf_entry *entry = NULL;
	unsigned int n;

	raw_spin_lock(&cpu->lock);
	n = find_first_zero_bit(cpu->lent, APF_ENTRIES);
	if (n < APF_ENTRIES) {
		__set_bit(n, cpu->lent);
		entry = &cpu->entry[n];
		entry->cpu = cpu;
		apf_init_waiter(&entry->waiter);
		list_add_tail(&entry->waiter.link, &cpu->slot[token]);
	}
	raw_spin_unlock(&cpu->lock);

	return entry;
}

/* The task cannot sleep. The same interrupt has lent the entry, so nobody has woken it. */
static void apf_give_back(struct apf_entry *entry)
{
	struct apf_cpu *cpu = entry->cpu;

	raw_spin_lock(&cpu->lock);
	list_del(&entry->waiter.link);
	__clear_bit(entry - cpu->entry, cpu->lent);
	raw_spin_unlock(&cpu->lock);
}

/*
 * Register the task. Interrupts are off, so the task does not reach apf_sleep() before
 * this returns. Return: false if the task cannot sleep, or no entry is left.
 */
static bool apf_add_sleeper(struct apf_cpu *cpu, unsigned int token)
{
	struct apf_entry *entry = apf_lend(cpu, token);

	if (!entry)
		return false;

	init_task_work(&entry->work, apf_sleep_in_task_work);
	if (!task_work_add(current, &entry->work, TWA_RESUME))
		return true;

	apf_give_back(entry);

	return false;
}

/*
 * Take an announcement. The driver claims it before it acts on it, since the host may
 * look at @missing at any time. It reads @pc before the claim, since the host may write
 * the next announcement right after the claim; the exchange orders that read before it.
 */
static void apf_take_missing(struct apf_cpu *cpu, struct pt_regs *regs)
{
	struct kvm_apf_block *block = cpu->block;
	/* Pairs with the host's release: it writes @pc before @missing. */
	__le32 missing = smp_load_acquire(&block->missing);
	u32 raw = (__force u32)missing;
	u64 pc = le64_to_cpu(READ_ONCE(block->pc));
	unsigned int token = le32_to_cpu(missing) - 1;

	if (!raw || cmpxchg((__force u32 *)&block->missing, raw, 0) != raw)
		return;

	/* The interrupt came late. That instruction will fault again and be announced again. */
	if (token >= KVM_APF_TOKENS || instruction_pointer(regs) != pc) {
		apf_count(APF_SPURIOUS);
		return;
	}

	if (user_mode(regs) ? apf_add_sleeper(cpu, token) :
			      apf_add_kernel_sleeper(cpu, token, regs)) {
		apf_count(APF_ANNOUNCED);
	} else {
		WRITE_ONCE(block->declined, missing);
		apf_count(APF_DECLINED);
	}
}

/* Empty the slots of all ready tokens, since the host may announce these tokens again at once. */
static void apf_take_ready(struct apf_cpu *cpu)
{
	u64 raw = xchg((__force u64 *)&cpu->block->ready, 0);
	unsigned long ready = le64_to_cpu((__force __le64)raw);
	unsigned int token;
	bool more;

	raw_spin_lock(&cpu->lock);
	for_each_set_bit(token, &ready, KVM_APF_TOKENS) {
		apf_count(APF_READY);
		list_splice_tail_init(&cpu->slot[token], &cpu->ready);
	}
	more = __apf_wake_some(cpu);
	raw_spin_unlock(&cpu->lock);

	if (more)
		tasklet_schedule(&cpu->more);
}

/* Look at @missing first: one interrupt may bring a token's announcement and its ready bit. */
irqreturn_t apf_interrupt(int irq, void *dev)
{
	struct apf_cpu *cpu = dev;

	apf_count(APF_INTERRUPTS);
	apf_take_missing(cpu, get_irq_regs());
	apf_take_ready(cpu);

	return IRQ_HANDLED;
}

/* APF is disabled on this CPU, so no new waiter comes while this runs. */
void apf_wake_all(struct apf_cpu *cpu)
{
	unsigned int token;

	raw_spin_lock_irq(&cpu->lock);
	for (token = 0; token < KVM_APF_TOKENS; token++)
		list_splice_tail_init(&cpu->slot[token], &cpu->ready);
	raw_spin_unlock_irq(&cpu->lock);

	while (apf_wake_some(cpu))
		cond_resched();
}
