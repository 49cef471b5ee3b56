/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults, the guest's side: what the files of the driver share. */
#ifndef __KVM_APF_GUEST_H__
#define __KVM_APF_GUEST_H__

#include <linux/arm-smccc.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

#include <uapi/asm/kvm_apf.h>

#include "compat.h"

/* How many announced tasks of a CPU can be on their way to apf_sleep() at a time. */
#define APF_ENTRIES	64

/**
 * struct apf_waiter - a task that waits for the page of a token
 * @link:	while @waiting: in the token's slot, or, after the page has come, in
 *		the list of waiters to wake
 * @task:	the task. It cannot exit while @waiting, since it unlinks the waiter
 *		in exit_task_work() at the latest
 * @waiting:	whoever unlinks the waiter clears this, with the CPU's lock held
 */
struct apf_waiter {
	struct list_head	link;
	struct task_struct	*task;
	bool			waiting;
};

struct apf_cpu;

/**
 * struct apf_entry - a task between its announcement and its sleep
 * @work:	makes the task call apf_sleep()
 * @waiter:	used until the task sleeps and has a waiter on its stack
 * @cpu:	the CPU that the entry belongs to
 */
struct apf_entry {
	struct callback_head	work;
	struct apf_waiter	waiter;
	struct apf_cpu		*cpu;
};

enum apf_counter {
	APF_INTERRUPTS,	/* PPIs taken */
	APF_ANNOUNCED,	/* claimed, and the task goes to sleep */
	APF_SPURIOUS,	/* claimed, but not for the interrupted context */
	APF_DECLINED,	/* claimed, but the context cannot sleep */
	APF_READY,	/* ready bits taken */
	APF_KERNEL,	/* those of APF_ANNOUNCED in the kernel */
	APF_SLEPT,	/* those of APF_ANNOUNCED whose page was not there before the sleep */
	APF_WOKEN,	/* waiters woken by a ready bit, or since APF was disabled */
	APF_KILLED,	/* waiters that left before that */
	APF_RETURNED,	/* those of APF_ANNOUNCED that have left apf_sleep() */
	APF_COUNTERS
};

/**
 * struct apf_cpu - APF state of a CPU
 * @block:	shared with the host. kmalloc() aligns 64 bytes to 64 bytes, and the
 *		memory is physically contiguous and in the linear map
 * @lock:	guards @slot, @ready, @lent and @entry. It is raw since the interrupt
 *		handler takes it. Inside it, only the scheduler's locks are taken
 * @slot:	the waiters of each token
 * @ready:	waiters whose page has come, and who have to be woken
 * @more:	wakes the waiters that the interrupt handler leaves in @ready
 * @lent:	entries in use
 * @entry:	see struct apf_entry
 * @kernel_entry: entry of the kernel context that sleeps when its interrupt returns.
 *		Used with interrupts off
 * @kernel_regs: the registers that this interrupt saved, or NULL. Used likewise
 * @counter:	written by code that runs on this CPU
 */
struct apf_cpu {
	struct kvm_apf_block	*block;
	raw_spinlock_t		lock;
	struct list_head	slot[KVM_APF_TOKENS];
	struct list_head	ready;
	struct tasklet_struct	more;
	DECLARE_BITMAP(lent, APF_ENTRIES);
	struct apf_entry	entry[APF_ENTRIES];
	struct apf_entry	*kernel_entry;
	struct pt_regs		*kernel_regs;
	unsigned long		counter[APF_COUNTERS];
};

/* apf_init() allocates it if the host offers APF. */
extern struct apf_cpu __percpu *apf_cpus;

#define apf_count(which)	this_cpu_inc(apf_cpus->counter[which])

/* discover.c */
long apf_hypercall(unsigned long function, unsigned long arg, struct arm_smccc_res *res);
const char *apf_ask_host(u32 *intid);
unsigned int apf_map(u32 intid);

/* fault.c */
irqreturn_t apf_interrupt(int irq, void *dev);
struct apf_entry *apf_lend(struct apf_cpu *cpu, unsigned int token);
void apf_sleep(struct apf_entry *entry, unsigned int state);
void apf_wake_more(struct tasklet_struct *more);
void apf_wake_all(struct apf_cpu *cpu);

#endif /* __KVM_APF_GUEST_H__ */
