// SPDX-License-Identifier: GPL-2.0-only
/* Futexes whose words are missing when the kernel looks at them, under a lock. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

static long futex(const uint32_t *word, int op, uint32_t value, long value2, uint32_t *other,
		  uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, value2, other, value3);
}

static void waits_and_wakes(unsigned int count)
{
	struct timespec short_time = { .tv_nsec = 1000000 };

	while (count--) {
		uint32_t *word = cold_alloc(1);

		*word = 5;
		cold_out(word, 4);
		check(futex(word, FUTEX_WAIT, 6, (long)&short_time, NULL, 0) && errno == EAGAIN,
		      "FUTEX_WAIT for another value: %s", strerror(errno));
		cold_out(word, 4);
		check(futex(word, FUTEX_WAIT_PRIVATE, 5, (long)&short_time, NULL, 0) &&
		      errno == ETIMEDOUT, "FUTEX_WAIT for its value: %s", strerror(errno));
		cold_out(word, 4);
		check(!futex(word, FUTEX_WAKE, 1, 0, NULL, 0), "FUTEX_WAKE wakes somebody");
		check(*word == 5, "the word is %u", *word);
	}
}

struct waiter {
	uint32_t *word;
	int result;
	pthread_t thread;
};

static void *wait_on_word(void *arg)
{
	struct waiter *waiter = arg;
	struct timespec time = { .tv_sec = PATIENCE_MS / 1000 };

	waiter->result = futex(waiter->word, FUTEX_WAIT, 0, (long)&time, NULL, 0) ? errno : 0;
	return NULL;
}

static void waiters_start(struct waiter *waiters, unsigned int count, uint32_t *word)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		waiters[i] = (struct waiter) { .word = word };
		check(!pthread_create(&waiters[i].thread, NULL, wait_on_word, &waiters[i]),
		      "no thread");
	}
	sleep_ms(50);
}

static void waiters_join(struct waiter *waiters, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		pthread_join(waiters[i].thread, NULL);
		check(!waiters[i].result, "a waiter: %s", strerror(waiters[i].result));
	}
}

/* From one missing word to another: one is woken, the others are moved, and woken there. */
static void requeued(unsigned int count)
{
	struct waiter *waiters = calloc(count, sizeof(*waiters));
	uint32_t *from = cold_alloc(1), *to = cold_alloc(1);
	long moved, woken;

	waiters_start(waiters, count, from);
	cold_out(from, 4);
	cold_out(to, 4);
	check(futex(from, FUTEX_CMP_REQUEUE, 1, count, to, 1) < 0 && errno == EAGAIN,
	      "FUTEX_CMP_REQUEUE for another value: %s", strerror(errno));
	cold_out(from, 4);
	moved = futex(from, FUTEX_CMP_REQUEUE, 1, count, to, 0);
	check(moved == (long)count, "FUTEX_CMP_REQUEUE: %ld, not %u", moved, count);
	cold_out(to, 4);
	woken = futex(to, FUTEX_WAKE, count, 0, NULL, 0);
	check(woken == (long)count - 1, "FUTEX_WAKE: %ld, not %u", woken, count - 1);
	waiters_join(waiters, count);
	check(!*from && !*to, "the words are %u and %u", *from, *to);
}

/* The kernel changes the second word by itself. */
static void woken_by_an_operation(unsigned int count)
{
	struct waiter *waiters = calloc(count, sizeof(*waiters));
	uint32_t *word = cold_alloc(1), *other = cold_alloc(1);
	long woken;

	*other = 40;
	waiters_start(waiters, count, word);
	cold_out(other, 4);
	woken = futex(word, FUTEX_WAKE_OP, count, 0, other,
		      FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_EQ, 0));
	check(woken == (long)count, "FUTEX_WAKE_OP: %ld, not %u", woken, count);
	check(*other == 42, "FUTEX_WAKE_OP: the word is %u", *other);
	waiters_join(waiters, count);
}

static pthread_mutex_t *pi_mutex(void)
{
	pthread_mutex_t *mutex = cold_alloc(1);
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	check(!pthread_mutex_init(mutex, &attr), "no PI mutex");
	return mutex;
}

struct locker {
	pthread_mutex_t *mutex;
	unsigned int times;
	unsigned long *sum;
	int error;
	pthread_t thread;
};

/* The mutex's page goes out inside, so that the kernel's hand-over meets it. */
static void *lock_and_add(void *arg)
{
	struct locker *locker = arg;
	unsigned int n;

	for (n = 0; n < locker->times && !locker->error; n++) {
		locker->error = pthread_mutex_lock(locker->mutex);
		++*locker->sum;
		sleep_ms(1);
		cold_out(locker->mutex, sizeof(*locker->mutex));
		locker->error |= pthread_mutex_unlock(locker->mutex);
	}
	return NULL;
}

static void priority_inherited(unsigned int count)
{
	pthread_mutex_t *mutex = pi_mutex();
	struct locker lockers[3];
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		lockers[i] = (struct locker) { .mutex = mutex, .times = count, .sum = &sum };
		pthread_create(&lockers[i].thread, NULL, lock_and_add, &lockers[i]);
	}
	for (i = 0; i < 3; i++) {
		pthread_join(lockers[i].thread, NULL);
		check(!lockers[i].error, "a PI mutex: %s", strerror(lockers[i].error));
	}
	check(sum == 3 * count, "a PI mutex let two in: %lu, not %u", sum, 3 * count);
}

/* By hand, all in the kernel: FUTEX_LOCK_PI of a word that is missing. */
static void pi_words(unsigned int count)
{
	uint32_t tid = syscall(SYS_gettid);

	while (count--) {
		uint32_t *word = cold_alloc(1);

		cold_out(word, 4);
		check(!futex(word, FUTEX_LOCK_PI, 0, 0, NULL, 0), "FUTEX_LOCK_PI: %s",
		      strerror(errno));
		check((*word & FUTEX_TID_MASK) == tid, "FUTEX_LOCK_PI: the word is 0x%x", *word);
		cold_out(word, 4);
		check(futex(word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0) && errno == EDEADLK,
		      "FUTEX_TRYLOCK_PI: %s", strerror(errno));
		cold_out(word, 4);
		check(!futex(word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), "FUTEX_UNLOCK_PI: %s",
		      strerror(errno));
		check(!*word, "FUTEX_UNLOCK_PI: the word is 0x%x", *word);
	}
}

static void robust_list_asked_for(unsigned int count)
{
	while (count--) {
		struct robust_list_head **head = cold_alloc(1), *wanted = cold_alloc(1), *before;
		size_t *size = cold_alloc(1), length;

		syscall(SYS_get_robust_list, 0, &before, &length);
		wanted->list.next = &wanted->list;
		check(!syscall(SYS_set_robust_list, wanted, sizeof(*wanted)), "set_robust_list: %s",
		      strerror(errno));
		cold_out(head, 8);
		cold_out(size, 8);
		check(!syscall(SYS_get_robust_list, 0, head, size), "get_robust_list: %s",
		      strerror(errno));
		check(*head == wanted && *size == sizeof(*wanted), "get_robust_list: another one");
		syscall(SYS_set_robust_list, before, length);
	}
}

const struct test_case futex_cases[] = {
	{ "waits_and_wakes", waits_and_wakes, 2 },
	{ "requeued", requeued, 4 },
	{ "woken_by_an_operation", woken_by_an_operation, 4 },
	{ "priority_inherited", priority_inherited, 6 },
	{ "pi_words", pi_words, 3 },
	{ "robust_list_asked_for", robust_list_asked_for, 2 },
	{ NULL, NULL, 0 },
};
