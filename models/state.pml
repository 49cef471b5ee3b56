/* SPDX-License-Identifier: GPL-2.0-only */
/* The model's bounds, its state, and its properties. */

#ifndef USERS
#define USERS	2		/* tasks that fault at EL0 */
#endif
#ifndef KERNELS
#define KERNELS	0		/* tasks that fault at EL1 */
#endif
#ifndef ACCESSES
#define ACCESSES 1		/* of each task, each to any page */
#endif
#ifndef MISSES
#define MISSES	1		/* pages that have come go again, so often */
#endif
#ifndef TICKS
#define TICKS	1		/* interrupts that are not ours */
#endif
#ifndef KILLS
#define KILLS	0
#endif
#ifndef OFFS
#define OFFS	0		/* the guest disables APF, and may enable it again */
#endif
#ifndef MAX_STUCK
#define MAX_STUCK 2
#endif

/* What a task touches, by its number and that of the access. */
#ifdef SAME_PAGE
#define PAGE(c, i)	((i) & 1)
#else
#define PAGE(c, i)	(((c) + (i)) & 1)
#endif

#define TASKS	(USERS + KERNELS)
#define TOKENS	2
#define PAGES	2
#define BIT(n)	(1 << (n))

/* What the vCPU does. */
#define GUEST	0
#define REQUEST	1		/* run loop: requests, then back in */
#define HALT	2		/* kvm_vcpu_wfi() in a fault's stead */
#define WFI	3		/* the same, for the guest's own WFI */
#define ATTEMPT	4		/* the no-wait attempt has posted a userfault */
byte where = GUEST;
bool off;

/* The block. page_of_missing is not in it: what the token is meant to say. */
byte ready, pc, missing, declined;
byte page_of_missing;

/* The vGIC: our PPI, latched; and another interrupt. */
bool ppi, tick;
bool entry;			/* the host has taken the interrupt for the guest */
bool resched;			/* a wake-up: another task may be next */
bool ppi_on = true;
#define IRQ	((ppi && ppi_on) || tick)

/* The host: struct kvm_vcpu_apf and struct apf_tokens. */
bool apf_on = true;
bool req, halt;
byte busy, announced, owed, posted, done;
byte halt_token;		/* of halt */
byte gfn[TOKENS];
byte stuck;			/* faults since the guest last took an interrupt */
byte work[TOKENS];		/* 0 idle, 1 to come, 2 there, 3 asked for completion */
#ifdef POSTED
byte spare, spare_page;		/* the same of the spare work; but 3 says that it has come */
#endif
bool posting;			/* another thread of the host writes ready bits */
bool present[PAGES];
byte page_of_ready[TOKENS];	/* what the token's ready bit is meant to say */

/* The guest's tasks, in this order. */
#define ELSEWHERE 0		/* at its own level, another instruction */
#define TOUCH	1		/* at the instruction that touches its page */
#define TASK_WORK 2		/* registered, on its way to user mode */
#define SCHEDULE 3		/* looked, in apf_wait(), and goes to schedule() */
#define ASLEEP	4
#define DEAD	5
byte pos[TASKS];
byte want[TASKS];
byte accesses[TASKS];
bool killed[TASKS];
bool killable[TASKS];		/* TASK_KILLABLE, maybe still on the CPU */
byte waits[TASKS];		/* in the slot of token - 1; 0: not waiting */
byte waits_for[TASKS];		/* the page that it was told of */
bool late[TASKS];		/* the page has come, a softirq is to wake it */
#define WAITS(t)	(waits[t] || late[t])

#define THREAD	TASKS		/* runs apf_offline() and apf_online() */
#define IDLE	(TASKS + 1)
byte cur = IDLE;
byte thread_pos;		/* 0: sleeps */

/* A CPU that is not active runs no tasks but its own threads. */
#ifdef HOTPLUG
#define RUNNABLE(t)	(pos[t] != ASLEEP && pos[t] != DEAD && thread_pos < 2)
#else
#define RUNNABLE(t)	(pos[t] != ASLEEP && pos[t] != DEAD)
#endif
#define USER(c)		((c) < USERS && pos[c] <= TOUCH)
#ifdef SAME_PC
#define PC(c)		(pos[c] == TOUCH -> 1 : 0)
#else
#define PC(c)		(pos[c] == TOUCH -> want[c] + 1 : 0)
#endif

byte ticks = TICKS, kills = KILLS, offs = OFFS;
byte misses = MISSES;

/* The properties; an assertion's text names the one that fails. */
bool nobody_sleeps_for_good, halt_ends, token_has_one_meaning, sleeper_may_sleep,
     waiter_is_alive;

#define CHECK_THAT(property, condition)	property = (condition);	\
					assert(property);	\
					property = false
