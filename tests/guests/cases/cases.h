/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apfcases: programs of the ordinary kind, some of whose memory is missing at the
 * moment that counts. What a case expects is what POSIX and Linux promise, whether
 * the host has asynchronous page faults or not.
 *
 * A case is a function that returns if all was right, and calls fail() if not. It
 * runs in a process and a session of its own, so it may leave tasks behind.
 */
#ifndef CASES_H
#define CASES_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "../../../common/counter.h"

/* @count: how many tasks, or how many times; the case's own default, or asked for. */
struct test_case {
	const char *name;
	void (*run)(unsigned int count);
	unsigned int count;
};

extern const struct test_case exit_cases[], end_cases[], ptrace_cases[], map_cases[],
	memory_cases[], signal_cases[], futex_cases[], io_cases[];

/* One line for the result, and the end of the case. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/*
 * How often something was done while another task waited for its memory: at some levels
 * that has to be seen.
 */
void say_overlap(unsigned int times);
#define check(condition, ...)				\
	do {						\
		if (!(condition))			\
			fail(__VA_ARGS__);		\
	} while (0)

/*
 * cold.c. Memory of the guest's is paged out by a device of apfvm's, page by page
 * and for as long as nobody touches it; what was in there stays. A page has a
 * frame of its own only once it has been written to.
 */
void cold_open(void);
size_t cold_page(void);
/* Memory from mmap(), written to. */
void *cold_alloc(size_t pages);
void *cold_alloc_shared(size_t pages);
/* For cold_out_now(), since looking it up takes system calls, and touches the page. */
uint32_t cold_frame(const void *at);
/* All pages that @size bytes at @at are on. */
void cold_out(const void *at, size_t size);
/*
 * Has pages come. What is out when it is freed comes when somebody else is given it,
 * which may be the kernel, and is counted there.
 */
void touch_all(const void *at, size_t pages);
/* How many pages are out now, of whomever. */
uint32_t cold_count(void);
extern uint32_t *cold_register;

/* One instruction, which touches nothing else: also for the stack that one is on. */
static inline __attribute__((always_inline)) void cold_out_now(uint32_t frame)
{
	__asm__ volatile("str %w0, [%1]" : : "r" (frame), "r" (cold_register) : "memory");
}

/*
 * An access by one instruction, at this place in the program: what was just paged out
 * is missing then. The compiler keeps it, also where nobody needs its result.
 */
static inline __attribute__((always_inline)) uint64_t load_once(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline __attribute__((always_inline)) void store_once(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* The same, of a byte. */
static inline __attribute__((always_inline)) void touch(const void *at)
{
	(void)__atomic_load_n((const char *)at, __ATOMIC_RELAXED);
}

/*
 * Without libc, which has its own data, on the TCB say, and gives all tasks of
 * task_start() the same errno. Return: as the kernel's, a negative error number.
 */
static inline __attribute__((always_inline)) long raw_syscall(long number, long a, long b, long c,
							      long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc #0" : "+r" (x0) : "r" (x8), "r" (x1), "r" (x2), "r" (x3)
			 : "memory");
	return x0;
}

static inline __attribute__((always_inline, noreturn)) void raw_exit(void)
{
	raw_syscall(SYS_exit, 0, 0, 0, 0);
	__builtin_unreachable();
}

/* tasks.c. Times are in milliseconds, and long ones: they pass at once in virtual time. */
#define PATIENCE_MS	5000

void sleep_ms(unsigned int ms);
/* A shared futex, as the kernel's own at a thread's end. Return: 0, or an errno. */
int futex_wait(const uint32_t *word, uint32_t value, unsigned int ms);
int futex_wake(const uint32_t *word, int count);
/* A word that is 0 until someone opens it, for any number of tasks. */
void gate_wait(const uint32_t *gate);
void gate_open(uint32_t *gate);

/*
 * A task in the same memory, on a stack of its own, that is a thread of this process
 * with CLONE_THREAD in @flags. @tid: for CLONE_CHILD_CLEARTID and the like, or NULL.
 */
pid_t task_start(int flags, void (*run)(void *arg), void *arg, uint32_t *tid);
/* Of a child; the case fails if it does not end. Return: waitpid()'s status. */
int task_wait(pid_t pid);
/* A thread of this process is gone from /proc. */
void thread_wait(pid_t tid);
/* The state that /proc tells of, 'R' say, or 0 if there is no such task. */
char task_state(pid_t tid);

/**
 * struct toucher - a task that waits for a page
 * @at:		a word on it. The task itself pages it out, right before it touches it
 * @put:	written there, or 0: it is only read
 * @frame:	of the page
 * @begun:	set before that
 * @ended:	and after
 * @got:	what was read
 * @gate:	to be opened first, or NULL
 * @pid:	of the task
 *
 * It lies in shared memory if the task is a process of its own.
 */
struct toucher {
	uint64_t *at;
	uint64_t put;
	uint32_t frame;
	uint32_t begun;
	uint32_t ended;
	uint64_t got;
	const uint32_t *gate;
	pid_t pid;
};

/* By a thread of this process, or by a child. Looks the frame up. */
void toucher_start(struct toucher *toucher, bool is_thread);
/* Until it has begun: the page is out then, or has come already. */
void toucher_begun(const struct toucher *toucher);
void toucher_ended(const struct toucher *toucher);

/* Fills a page's words, each with another one, from @seed. */
void fill(void *at, size_t size, uint64_t seed);
/* How many words are not as filled. */
size_t count_bad(const void *at, size_t size, uint64_t seed);

#endif /* CASES_H */
