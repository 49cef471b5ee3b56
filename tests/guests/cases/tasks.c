// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define STACK_PAGES	4

static struct timespec timespec_of(unsigned int ms)
{
	return (struct timespec) { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = timespec_of(ms);

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

int futex_wait(const uint32_t *word, uint32_t value, unsigned int ms)
{
	struct timespec time = timespec_of(ms);

	return -raw_syscall(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&time);
}

int futex_wake(const uint32_t *word, int count)
{
	return raw_syscall(SYS_futex, (long)word, FUTEX_WAKE, count, 0);
}

void gate_wait(const uint32_t *gate)
{
	while (!__atomic_load_n(gate, __ATOMIC_ACQUIRE))
		futex_wait(gate, 0, PATIENCE_MS);
}

void gate_open(uint32_t *gate)
{
	__atomic_store_n(gate, 1, __ATOMIC_RELEASE);
	futex_wake(gate, INT32_MAX);
}

/* What a new task runs; it lies on that task's own stack. */
struct start {
	void (*run)(void *arg);
	void *arg;
};

static int run_task(void *opaque)
{
	struct start *start = opaque;

	start->run(start->arg);
	raw_exit();
}

pid_t task_start(int flags, void (*run)(void *arg), void *arg, uint32_t *tid)
{
	char *top = (char *)cold_alloc(STACK_PAGES) + STACK_PAGES * cold_page();
	struct start *start = (struct start *)top - 1;
	pid_t pid;

	*start = (struct start) { .run = run, .arg = arg };
	if (flags & CLONE_THREAD)
		flags |= CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM;
	else
		flags |= SIGCHLD;
	pid = clone(run_task, (void *)((uintptr_t)start & -16UL), flags | CLONE_VM, start,
		    tid, NULL, tid);
	check(pid > 0, "clone: %s", strerror(errno));
	return pid;
}

int task_wait(pid_t pid)
{
	u64 start = counter_read();
	int status;
	pid_t got;

	for (;;) {
		got = waitpid(pid, &status, WNOHANG | __WALL);
		if (got == pid)
			return status;
		check(!got, "waitpid: %s", strerror(errno));
		check(counter_ms(counter_read() - start) < PATIENCE_MS,
		      "task %d does not end, its state is %c", pid, task_state(pid));
		sleep_ms(1);
	}
}

char task_state(pid_t tid)
{
	char path[40], text[200], *state;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return 0;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state ? state[2] : 0;
}

void thread_wait(pid_t tid)
{
	u64 start = counter_read();

	while (task_state(tid)) {
		check(counter_ms(counter_read() - start) < PATIENCE_MS,
		      "thread %d does not end, its state is %c", tid, task_state(tid));
		sleep_ms(1);
	}
}
