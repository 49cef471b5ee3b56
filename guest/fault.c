// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF) for KVM/arm64, the guest's side.
 *
 * The host announces by a PPI that the memory which the interrupted instruction
 * wants is not there. The task goes to sleep on its way back to user space, and
 * the CPU runs others. A second PPI says which pages have come. <asm/kvm_apf.h>
 * has the contract. In order:
 *
 *   apf_interrupt()
 *     apf_take_missing()	claim the announcement, and only then
 *       apf_add_sleeper()	register the task as a waiter of the token
 *     apf_take_ready()		wake the waiters of all tokens that are ready
 *   apf_wake_more()		in a softirq, if they are many
 *   apf_sleep()		in the task, before it returns to user space
 *
 * kernel.c has what is different for a fault in the kernel.
 *
 * A token means something only together with the CPU that was told. So tokens'
 * slots are per CPU; a sleeper remembers the CPU, and may move.
 *
 * Nothing is allocated when a fault is announced. A sleeper that is registered
 * but does not sleep yet borrows an entry from its CPU; once it sleeps, it waits
 * on its own stack. If all entries are lent, the announcement is declined.
 *
 * Thousands of tasks may wait for one page, which may be a huge one of the host's.
 * So there is a bound on how many are woken with interrupts off.
 */

#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

#include <asm/irq_regs.h>

#include "kvm_apf.h"

/* Tasks woken with the lock held, and at most as many in the hard interrupt. */
#define APF_BATCH	32

/* Unlink and wake. The caller has the lock of the waiter's CPU. */
static void apf_wake(struct apf_waiter *waiter)
{
	list_del(&waiter->link);
	apf_count(APF_WOKEN);
	/*
	 * After this the waiter's stack may go, but for the lock, which the
	 * sleeper takes before it leaves. wake_up_process() has the barrier
	 * that pairs with set_current_state() in apf_wait().
	 */
	WRITE_ONCE(waiter->waiting, false);
	wake_up_process(waiter->task);
}

/*
 * Some of those whose page has come. The caller has the lock.
 * Return: whether there are more.
 */
static bool __apf_wake_some(struct apf_cpu *cpu)
{
	unsigned int n;

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

/* In a softirq, which ends after a batch if a task is to run. */
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
 * The task is on its way to user space and holds nothing: from here the waiter on
 * its own stack takes over, in the place of the other, be it in a slot or among
 * those that are ready. Return: false if the task was woken before that.
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
 * The lock also keeps the waiter's stack until apf_wake() is through with it. If
 * the page has not come, its ready bit wakes nobody when it does.
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
 * Whether the task leaves without the page. PF_EXITING says so where a signal that
 * is fatal has been taken off already, which is in exit_task_work().
 */
static bool apf_gives_up(unsigned int state)
{
	return (state & TASK_WAKEKILL) &&
	       (fatal_signal_pending(current) || (current->flags & PF_EXITING));
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
	apf_wait(&waiter, state);
	apf_leave(cpu, &waiter);
}

/**
 * apf_sleep - sleep until the page is there
 * @entry:	lent for this task; given back here
 * @state:	TASK_KILLABLE, and the task also leaves when it is killed, or
 *		exits; or TASK_UNINTERRUPTIBLE
 *
 * From the count on, the task neither touches our data nor sleeps before it is out
 * of our text: that is what apf_exit() relies on.
 */
void apf_sleep(struct apf_entry *entry, unsigned int state)
{
	__apf_sleep(entry, state);
	apf_count(APF_RETURNED);
}

/* On the way to user space, where a fatal signal is seen to next. */
static void apf_sleep_in_task_work(struct callback_head *work)
{
	apf_sleep(container_of(work, struct apf_entry, work), TASK_KILLABLE);
}

/* Return: an entry with this task as a waiter of @token, or NULL: all are lent. */
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

/* Of a task that cannot sleep. In the same interrupt, so nobody has woken it. */
static void apf_give_back(struct apf_entry *entry)
{
	struct apf_cpu *cpu = entry->cpu;

	raw_spin_lock(&cpu->lock);
	list_del(&entry->waiter.link);
	__clear_bit(entry - cpu->entry, cpu->lent);
	raw_spin_unlock(&cpu->lock);
}

/*
 * Interrupts are off, so the task does not get to apf_sleep() before this is
 * done. Return: false if it cannot sleep, or no entry is left.
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
 * Claim before anything is done about it: the host may look at @missing at any
 * time. What else the announcement says is read before the claim, since the host
 * may write the next one right after: the exchange orders what is before it.
 */
static void apf_take_missing(struct apf_cpu *cpu, struct pt_regs *regs)
{
	struct kvm_apf_block *block = cpu->block;
	/* Its partner is the host's release: @pc is written before @missing. */
	__le32 missing = smp_load_acquire(&block->missing);
	u32 raw = (__force u32)missing;
	u64 pc = le64_to_cpu(READ_ONCE(block->pc));
	unsigned int token = le32_to_cpu(missing) - 1;

	if (!raw || cmpxchg((__force u32 *)&block->missing, raw, 0) != raw)
		return;

	/* Taken late: that context will fault again, and be announced again. */
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

/* The waiters leave the slots: the host may announce these tokens again at once. */
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

/* Missing first: a token may be announced and ready in the same interrupt. */
irqreturn_t apf_interrupt(int irq, void *dev)
{
	struct apf_cpu *cpu = dev;

	apf_count(APF_INTERRUPTS);
	apf_take_missing(cpu, get_irq_regs());
	apf_take_ready(cpu);

	return IRQ_HANDLED;
}

/* The host owes this CPU nothing any more, so no waiter comes while this goes on. */
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
