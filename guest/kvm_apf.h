/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults, the guest's side: what its files share. */
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

/* Tasks announced on a CPU whose way to user space is not finished yet. */
#define APF_ENTRIES	64

/**
 * struct apf_waiter - a task that waits for the page of a token
 * @link:	while @waiting, in the token's slot, or, once the page has come,
 *		in the list of those to wake
 * @task:	the task; it cannot exit while @waiting, since it unregisters
 *		on its way out, at the latest in exit_task_work()
 * @waiting:	cleared, under the CPU's lock, by whoever unlinks it
 */
struct apf_waiter {
	struct list_head	link;
	struct task_struct	*task;
	bool			waiting;
};

struct apf_cpu;

/**
 * struct apf_entry - a task between its announcement and its sleep
 * @work:	brings the task into apf_sleep()
 * @waiter:	registered in place of the one on the task's stack
 * @cpu:	whose entry it is
 */
struct apf_entry {
	struct callback_head	work;
	struct apf_waiter	waiter;
	struct apf_cpu		*cpu;
};

enum apf_counter {
	APF_INTERRUPTS,	/* PPIs taken */
	APF_ANNOUNCED,	/* claimed, the task is to sleep */
	APF_SPURIOUS,	/* claimed, for another context */
	APF_DECLINED,	/* claimed, cannot sleep */
	APF_READY,	/* ready bits taken */
	APF_KERNEL,	/* of the announced: in the kernel */
	APF_SLEPT,	/* sleeps; less, if the page was quick */
	APF_WOKEN,	/* waiters that a ready bit released */
	APF_KILLED,	/* waiters that left before */
	APF_RETURNED,	/* of the announced: through apf_sleep() */
	APF_COUNTERS
};

/**
 * struct apf_cpu - APF state of a CPU
 * @block:	what is shared with the host; kmalloc'ed: 64 bytes are 64-byte
 *		aligned, physically contiguous, and in the linear map
 * @lock:	guards @slot, @ready, @lent and @entry. Taken in the interrupt handler,
 *		so raw; of other locks, only the scheduler's are taken inside
 * @slot:	the waiters of each token
 * @ready:	waiters whose page has come, to be woken
 * @more:	wakes them, where the interrupt handler leaves some
 * @lent:	entries in use
 * @entry:	see above
 * @kernel_entry: of the kernel context that is to sleep when the interrupt which
 * @kernel_regs: saved these registers returns. Used with interrupts off
 * @counter:	written by whoever runs on this CPU
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

/* Allocated where the host offers APF, by apf_init(). */
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
