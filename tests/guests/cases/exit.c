// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of tasks whose memory is missing. A task's last accesses are the kernel's:
 * it clears the word that a joiner waits on, and says of each robust mutex which the
 * task holds that its owner is dead. No fault excuses it from that.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

/* A thread, the word that its end is to clear, and someone who waits for that. */
struct pair {
	uint32_t *word;
	uint32_t frame;
	const uint32_t *gate;
	pid_t tid;
	pthread_t joiner;
	bool joined;
};

static void exit_with_cold_word(void *arg)
{
	struct pair *pair = arg;

	gate_wait(pair->gate);
	cold_out_now(pair->frame);
	raw_exit();
}

/* As pthread_join() does. */
static void *join_by_word(void *arg)
{
	struct pair *pair = arg;
	uint32_t tid = pair->tid;

	while (!pair->joined && futex_wait(pair->word, tid, PATIENCE_MS) != ETIMEDOUT)
		pair->joined = !__atomic_load_n(pair->word, __ATOMIC_ACQUIRE);
	return NULL;
}

static void start_pair(struct pair *pair, const uint32_t *gate)
{
	*pair = (struct pair) { .word = cold_alloc(1), .gate = gate };
	pair->frame = cold_frame(pair->word);
	pair->tid = task_start(CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
			       exit_with_cold_word, pair, pair->word);
	if (pthread_create(&pair->joiner, NULL, join_by_word, pair))
		fail("no thread");
}

/* Each word lies on a page that the thread itself has paged out as its last act. */
static void tid_words(unsigned int count)
{
	struct pair *pairs = calloc(count, sizeof(*pairs));
	unsigned int i, joined = 0, cleared = 0;
	uint32_t gate = 0;

	for (i = 0; i < count; i++)
		start_pair(&pairs[i], &gate);
	/* All are where they wait. */
	sleep_ms(50);
	gate_open(&gate);
	for (i = 0; i < count; i++) {
		pthread_join(pairs[i].joiner, NULL);
		joined += pairs[i].joined;
		cleared += !*pairs[i].word;
	}
	check(joined == count && cleared == count,
	      "of %u threads, %u cleared their TID words and %u were joined", count, cleared,
	      joined);
}

static void pause_with_cold_word(void *arg)
{
	struct pair *pair = arg;

	gate_wait(pair->gate);
	cold_out_now(pair->frame);
	for (;;)
		raw_syscall(SYS_ppoll, 0, 0, 0, 0);
}

/* Of processes that have the memory in common, each killed. */
static void tid_words_of_killed_tasks(unsigned int count)
{
	unsigned int i, cleared = 0, out = cold_count();
	struct pair *pairs = calloc(count, sizeof(*pairs));
	uint32_t gate = 0;

	for (i = 0; i < count; i++) {
		pairs[i] = (struct pair) { .word = cold_alloc(1), .gate = &gate };
		pairs[i].frame = cold_frame(pairs[i].word);
		pairs[i].tid = task_start(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
					  pause_with_cold_word, &pairs[i], pairs[i].word);
	}
	gate_open(&gate);
	sleep_ms(50);
	check(cold_count() == out + count, "%u words are out, not %u", cold_count() - out, count);
	for (i = 0; i < count; i++)
		kill(pairs[i].tid, SIGKILL);
	for (i = 0; i < count; i++)
		task_wait(pairs[i].tid);
	for (i = 0; i < count; i++)
		cleared += !*pairs[i].word;
	check(cleared == count, "of %u killed tasks, %u cleared their TID words", count, cleared);
}

/* A real thread, on a stack given to it, at whose top is its TCB: TID and robust list. */
struct thread {
	pthread_t thread;
	pthread_attr_t attr;
	char *stack;
	const uint32_t *gate;
};

/* As small as a thread's stack may be. */
#define THREAD_SIZE	0x20000UL

/* The page that has the TCB's fields is out when it ends. */
static void *end_with_cold_tcb(void *arg)
{
	struct thread *thread = arg;
	uint32_t tcb = cold_frame((void *)pthread_self());

	if (thread->gate)
		gate_wait(thread->gate);
	cold_out_now(tcb);
	raw_exit();
}

static void *return_with_cold_tcb(void *arg)
{
	struct thread *thread = arg;

	gate_wait(thread->gate);
	cold_out(thread->stack + THREAD_SIZE - 2 * cold_page(), 2 * cold_page());
	return thread;
}

static void thread_begin(struct thread *thread, void *(*run)(void *arg), const uint32_t *gate)
{
	if (!thread->stack) {
		thread->stack = cold_alloc(THREAD_SIZE / cold_page());
		pthread_attr_init(&thread->attr);
		check(!pthread_attr_setstack(&thread->attr, thread->stack, THREAD_SIZE),
		      "no stack");
	}
	thread->gate = gate;
	check(!pthread_create(&thread->thread, &thread->attr, run, thread), "no thread");
}

static void join(struct thread *thread, void *wanted)
{
	struct timespec until;
	void *result = NULL;
	int error;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	error = pthread_timedjoin_np(thread->thread, &result, &until);
	check(!error, "pthread_join: %s", strerror(error));
	check(!wanted || result == wanted, "pthread_join: another result");
}

static void joined_threads(unsigned int count, void *(*run)(void *arg), bool with_result)
{
	struct thread *threads = calloc(count, sizeof(*threads));
	uint32_t gate = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		thread_begin(&threads[i], run, &gate);
	sleep_ms(50);
	gate_open(&gate);
	for (i = 0; i < count; i++)
		join(&threads[i], with_result ? &threads[i] : NULL);
}

static void threads_end_with_cold_tcbs(unsigned int count)
{
	joined_threads(count, end_with_cold_tcb, false);
}

static void threads_return_with_cold_tcbs(unsigned int count)
{
	joined_threads(count, return_with_cold_tcb, true);
}

/* Begun and joined by eight, again and again on the same stacks. */
static void threads_end_again_and_again(unsigned int count)
{
	struct thread threads[8] = { 0 };
	unsigned int i, n;

	for (n = 0; n < count; n += 8) {
		for (i = 0; i < 8; i++)
			thread_begin(&threads[i], end_with_cold_tcb, NULL);
		for (i = 0; i < 8; i++)
			join(&threads[i], NULL);
	}
}

static pthread_mutex_t *robust_mutex(void)
{
	pthread_mutex_t *mutex = cold_alloc_shared(1);
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attr);
	return mutex;
}

/* Ends as told with the list's head, which is in the TCB, and the mutex paged out. */
static __attribute__((noreturn)) void own(pthread_mutex_t *mutex, uint32_t *gate, bool exits)
{
	uint32_t tcb = cold_frame((void *)pthread_self()), page = cold_frame(mutex);

	if (pthread_mutex_lock(mutex))
		_exit(1);
	gate_open(&gate[0]);
	gate_wait(&gate[1]);
	cold_out_now(tcb);
	cold_out_now(page);
	if (exits)
		raw_syscall(SYS_exit_group, 0, 0, 0, 0);
	for (;;)
		raw_syscall(SYS_ppoll, 0, 0, 0, 0);
}

static int lock_in_time(pthread_mutex_t *mutex)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	return pthread_mutex_timedlock(mutex, &until);
}

static __attribute__((noreturn)) void want(pthread_mutex_t *mutex, const uint32_t *gate)
{
	int error;

	gate_wait(gate);
	error = lock_in_time(mutex);
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(mutex) | pthread_mutex_unlock(mutex);
	else if (!error)
		error = EBUSY;
	_exit(error);
}

/* One owns the mutex and dies, one waits for it and is to be told. */
static void robust_owner_ends(bool exits)
{
	pthread_mutex_t *mutex = robust_mutex();
	uint32_t *gate = cold_alloc_shared(1);
	pid_t owner, waiter;
	int status;

	owner = fork();
	if (!owner)
		own(mutex, gate, exits);
	waiter = fork();
	if (!waiter)
		want(mutex, gate);
	gate_wait(gate);
	sleep_ms(50);
	gate_open(&gate[1]);
	sleep_ms(50);
	if (!exits)
		kill(owner, SIGKILL);
	task_wait(owner);
	status = task_wait(waiter);
	check(!status, "who waits for the mutex: %s, not EOWNERDEAD",
	      strerror(WEXITSTATUS(status)));
}

static void robust_owner_killed(unsigned int count)
{
	while (count--)
		robust_owner_ends(false);
}

static void robust_owner_exits(unsigned int count)
{
	while (count--)
		robust_owner_ends(true);
}

const struct test_case exit_cases[] = {
	{ "tid_words", tid_words, 8 },
	{ "tid_words_of_killed_tasks", tid_words_of_killed_tasks, 8 },
	{ "threads_end_with_cold_tcbs", threads_end_with_cold_tcbs, 8 },
	{ "threads_return_with_cold_tcbs", threads_return_with_cold_tcbs, 8 },
	{ "threads_end_again_and_again", threads_end_again_and_again, 64 },
	{ "robust_owner_killed", robust_owner_killed, 1 },
	{ "robust_owner_exits", robust_owner_exits, 1 },
	{ NULL, NULL, 0 },
};
