// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel writes for a task on its way to user space: signal frames, rseq. */
#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "cases.h"

#define STACK_PAGES	8
#define SEED		17

/* The handler writes them while the task that it interrupts may be at them. */
static sig_atomic_t handled;
static uintptr_t handler_stack;

static int handled_now(void)
{
	return __atomic_load_n(&handled, __ATOMIC_RELAXED);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	char here;

	(void)signal;
	/* All of the frame can be read. */
	__atomic_add_fetch(&handled, info->si_signo == signal && user->uc_mcontext.pc,
			   __ATOMIC_RELAXED);
	__atomic_store_n(&handler_stack, (uintptr_t)&here, __ATOMIC_RELAXED);
}

static char *alternate_stack(void)
{
	char *stack = cold_alloc(STACK_PAGES);
	stack_t alternate = { .ss_sp = stack, .ss_size = STACK_PAGES * cold_page() };
	struct sigaction action = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	check(!sigaltstack(&alternate, NULL), "sigaltstack: %s", strerror(errno));
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	return stack;
}

/* The kernel writes its frame there, and the handler runs there. */
static void on_a_cold_stack(unsigned int count)
{
	char *stack = alternate_stack();
	unsigned int n;

	for (n = 0; n < count; n++) {
		uintptr_t ran_at;

		cold_out(stack, STACK_PAGES * cold_page());
		raise(n & 1 ? SIGUSR1 : SIGUSR2);
		ran_at = __atomic_load_n(&handler_stack, __ATOMIC_RELAXED);
		check(handled_now() == (int)n + 1, "signal %u was handled %d times", n,
		      handled_now());
		check(ran_at - (uintptr_t)stack < STACK_PAGES * cold_page(),
		      "the handler ran on another stack");
		touch_all(stack, STACK_PAGES);
	}
}

/* The word, and what its page is paged out through, are in registers over the signal. */
static void on_a_cold_stack_while_waiting(unsigned int count)
{
	char *stack = alternate_stack();
	uint64_t *page = cold_alloc(1), wanted;
	uint32_t frame;
	unsigned int n;
	double value = 1;
	pid_t self = getpid();

	fill(page, cold_page(), SEED);
	wanted = *page;
	frame = cold_frame(page);
	for (n = 0; n < count; n++) {
		struct toucher other = { .at = cold_alloc(1) };

		toucher_start(&other, true);
		cold_out(stack, STACK_PAGES * cold_page());
		kill(self, SIGUSR1);
		cold_out_now(frame);
		check(load_once(page) == wanted, "the page is wrong");
		value = value * 1.5 + n;
		toucher_ended(&other);
		touch_all(stack, STACK_PAGES);
	}
	check(handled_now() == (int)count, "handled %d of %u signals", handled_now(), count);
	check(value > count, "floating point: %f", value);
}

/* The timer's signals come while its task waits; the access is done all the same. */
static void timer_while_waiting(unsigned int count)
{
	struct itimerspec every = {
		.it_interval = { .tv_nsec = 3000000 }, .it_value = { .tv_nsec = 3000000 },
	};
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	uint64_t *page = cold_alloc(1);
	uint32_t frame = cold_frame(page);
	unsigned int n;
	timer_t timer;

	alternate_stack();
	fill(page, cold_page(), SEED);
	check(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create: %s", strerror(errno));
	timer_settime(timer, 0, &every, NULL);
	for (n = 0; n < count; n++) {
		cold_out_now(frame);
		check(!count_bad(page, cold_page(), SEED), "the page is wrong");
	}
	timer_delete(timer);
	check(handled_now() >= (int)count, "handled %d signals in %u waits", handled_now(),
	      count);
}

/* read() waits in the kernel with its buffer missing, and a signal comes: it is not lost. */
static void signal_while_the_kernel_waits(unsigned int count)
{
	struct itimerval every = {
		.it_interval = { .tv_usec = 3000 }, .it_value = { .tv_usec = 3000 },
	};
	char *from = cold_alloc(1), *to = cold_alloc(1);
	int ends[2];
	unsigned int n;

	alternate_stack();
	check(!pipe(ends), "pipe: %s", strerror(errno));
	fill(from, cold_page(), SEED);
	setitimer(ITIMER_REAL, &every, NULL);
	for (n = 0; n < count; n++) {
		ssize_t got;

		cold_out(from, cold_page());
		while ((got = write(ends[1], from, cold_page())) < 0 && errno == EINTR)
			;
		check(got == (ssize_t)cold_page(), "write: %zd, %s", got, strerror(errno));
		cold_out(to, cold_page());
		while ((got = read(ends[0], to, cold_page())) < 0 && errno == EINTR)
			;
		check(got == (ssize_t)cold_page(), "read: %zd, %s", got, strerror(errno));
		check(!count_bad(to, cold_page(), SEED), "read, and not what was written");
	}
	setitimer(ITIMER_REAL, &(struct itimerval) { 0 }, NULL);
	check(handled_now() >= (int)count, "handled %d signals in %u waits", handled_now(),
	      count);
}

#define RSEQ_SIG	0xd428bc00

struct rseq_task {
	struct rseq *rseq;
	unsigned int times;
	unsigned int wrong;
	uint32_t ended;
};

static unsigned int cpu_now(void)
{
	unsigned int cpu = -1;

	raw_syscall(SYS_getcpu, (long)&cpu, 0, 0, 0);
	return cpu;
}

/* The kernel writes the CPU's number there as the task comes back from having slept. */
static void sleep_with_cold_rseq(void *arg)
{
	struct rseq_task *task = arg;
	struct timespec time = { .tv_nsec = 2000000 };
	uint32_t frame = cold_frame(task->rseq);

	if (raw_syscall(SYS_rseq, (long)task->rseq, sizeof(*task->rseq), 0, RSEQ_SIG))
		task->wrong = -1;
	while (task->times--) {
		task->rseq->cpu_id = -1;
		cold_out_now(frame);
		raw_syscall(SYS_nanosleep, (long)&time, 0, 0, 0);
		task->wrong += task->rseq->cpu_id != cpu_now();
	}
	__atomic_store_n(&task->ended, 1, __ATOMIC_RELEASE);
	raw_syscall(SYS_futex, (long)&task->ended, FUTEX_WAKE, 1, 0);
}

static void rseq_is_cold(unsigned int count)
{
	struct rseq_task task = { .rseq = cold_alloc(1), .times = count };

	/* Of the task alone, or libc's is in the way: the parent's page is another. */
	task_start(CLONE_THREAD, sleep_with_cold_rseq, &task, NULL);
	gate_wait(&task.ended);
	check(!task.wrong, "of %u returns, %u had a wrong CPU in the rseq area", count, task.wrong);
}

static void pending_and_masks(unsigned int count)
{
	while (count--) {
		sigset_t *set = cold_alloc(1), *old = cold_alloc(1);
		struct timespec *time = cold_alloc(1);
		siginfo_t *info = cold_alloc(1);

		sigemptyset(set);
		sigaddset(set, SIGUSR1);
		cold_out(set, 1);
		cold_out(old, 1);
		check(!sigprocmask(SIG_BLOCK, set, old), "sigprocmask: %s", strerror(errno));
		check(!sigismember(old, SIGUSR1), "the old mask has the signal");
		kill(getpid(), SIGUSR1);
		cold_out(old, 1);
		check(!sigpending(old) && sigismember(old, SIGUSR1), "the signal is not pending");
		time->tv_sec = 1;
		cold_out(time, 1);
		cold_out(info, 1);
		cold_out(set, 1);
		check(sigtimedwait(set, info, time) == SIGUSR1 && info->si_signo == SIGUSR1,
		      "sigtimedwait: %s", strerror(errno));
		sigprocmask(SIG_UNBLOCK, set, NULL);
	}
}

const struct test_case signal_cases[] = {
	{ "on_a_cold_stack", on_a_cold_stack, 6 },
	{ "on_a_cold_stack_while_waiting", on_a_cold_stack_while_waiting, 6 },
	{ "timer_while_waiting", timer_while_waiting, 6 },
	{ "signal_while_the_kernel_waits", signal_while_the_kernel_waits, 4 },
	{ "rseq_is_cold", rseq_is_cold, 6 },
	{ "pending_and_masks", pending_and_masks, 2 },
	{ NULL, NULL, 0 },
};
