// SPDX-License-Identifier: GPL-2.0-only
/* A debugger, and signals that stop, continue and kill, at tasks that wait for pages. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define SEED		11

/**
 * struct worker - a child that touches its page again and again
 * @page:	paged out before each time
 * @rounds:	how many times it found what it should
 * @wrong:	how many times it did not
 * @by_kernel:	the access is one of the kernel's, in write()
 */
struct worker {
	uint64_t *page;
	uint32_t rounds;
	uint32_t wrong;
	bool by_kernel;
	pid_t pid;
};

static uint64_t read_by_kernel(const uint64_t *word, const int *ends)
{
	uint64_t value = 0;

	if (write(ends[1], word, sizeof(*word)) == sizeof(*word) &&
	    read(ends[0], &value, sizeof(value)) == sizeof(value))
		return value;
	return 0;
}

static __attribute__((noreturn)) void work(struct worker *worker)
{
	uint32_t frame = cold_frame(worker->page);
	uint64_t wanted = *worker->page;
	int ends[2];

	if (pipe(ends))
		_exit(1);
	for (;;) {
		uint64_t got;

		cold_out_now(frame);
		got = worker->by_kernel ? read_by_kernel(worker->page, ends) :
					  load_once(worker->page);
		if (got == wanted)
			__atomic_add_fetch(&worker->rounds, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&worker->wrong, 1, __ATOMIC_RELAXED);
	}
}

static struct worker *workers_start(unsigned int count)
{
	struct worker *workers = cold_alloc_shared((count * sizeof(*workers)) / cold_page() + 1);
	unsigned int i;
	pid_t pid;

	for (i = 0; i < count; i++) {
		workers[i] = (struct worker) { .page = cold_alloc_shared(1), .by_kernel = i & 1 };
		fill(workers[i].page, cold_page(), SEED + i);
		pid = fork();
		if (!pid)
			work(&workers[i]);
		workers[i].pid = pid;
	}
	return workers;
}

static uint32_t rounds_of(const struct worker *worker)
{
	return __atomic_load_n(&worker->rounds, __ATOMIC_RELAXED);
}

/* It is on its way, whatever was done to it. */
static void check_goes_on(const struct worker *worker)
{
	uint32_t before = rounds_of(worker);
	u64 start = counter_read();

	while (rounds_of(worker) - before < 2) {
		check(counter_ms(counter_read() - start) < PATIENCE_MS,
		      "task %d does not go on, its state is %c", worker->pid,
		      task_state(worker->pid));
		sleep_ms(1);
	}
	check(!worker->wrong, "task %d found %u times what should not be there", worker->pid,
	      worker->wrong);
}

static void workers_kill(struct worker *workers, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		kill(workers[i].pid, SIGKILL);
	for (i = 0; i < count; i++) {
		int status = task_wait(workers[i].pid);

		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status 0x%x", status);
		check(!workers[i].wrong, "%u wrong", workers[i].wrong);
	}
}

/* Until the tracee stops. */
static void await_stop(pid_t pid, int wanted)
{
	u64 start = counter_read();
	int status;

	while (waitpid(pid, &status, WNOHANG | __WALL) != pid) {
		check(counter_ms(counter_read() - start) < PATIENCE_MS,
		      "task %d does not stop, its state is %c", pid, task_state(pid));
		sleep_ms(1);
	}
	check(WIFSTOPPED(status) && WSTOPSIG(status) == wanted,
	      "status 0x%x, not a stop by signal %d", status, wanted);
}

static void get_registers(pid_t pid, struct user_regs_struct *regs)
{
	struct iovec iov = { .iov_base = regs, .iov_len = sizeof(*regs) };

	check(!ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov), "PTRACE_GETREGSET: %s",
	      strerror(errno));
}

/* What the debugger reads of a page that its tracee waits for. */
static void peek(const struct worker *worker, unsigned int seed)
{
	size_t i;

	for (i = 0; i < 4; i++) {
		uint64_t word, wanted[4];

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, worker->pid, worker->page + i, NULL);
		check(!errno, "PTRACE_PEEKDATA: %s", strerror(errno));
		fill(wanted, sizeof(wanted), seed);
		check(word == wanted[i], "PTRACE_PEEKDATA of word %zu is wrong", i);
	}
}

static void attached_and_detached(unsigned int count)
{
	struct worker *workers = workers_start(2);
	unsigned int n, overlap = 0;

	for (n = 0; n < count; n++) {
		struct worker *worker = &workers[n % 2];
		struct user_regs_struct regs;

		sleep_ms(n % 4);
		overlap += cold_count() > 0;
		check(!ptrace(PTRACE_ATTACH, worker->pid, NULL, NULL), "PTRACE_ATTACH: %s",
		      strerror(errno));
		await_stop(worker->pid, SIGSTOP);
		get_registers(worker->pid, &regs);
		check(regs.pc && regs.sp, "PC 0x%llx, SP 0x%llx", regs.pc, regs.sp);
		peek(worker, SEED + n % 2);
		check(!ptrace(PTRACE_DETACH, worker->pid, NULL, NULL), "PTRACE_DETACH: %s",
		      strerror(errno));
		check_goes_on(worker);
	}
	workers_kill(workers, 2);
	say_overlap(overlap);
}

/* Whose registers are X1: register that pages out; W2: frame; X3: page; X4: sum; X5: value. */
extern const char step_loop[], step_load[], step_end[];
__asm__(".pushsection .text\n"
".balign 4\n"
".globl step_loop, step_load, step_end\n"
"step_loop:	str	w2, [x1]\n"
"step_load:	ldr	x5, [x3]\n"
"		add	x4, x4, x5\n"
"		b	step_loop\n"
"step_end:\n"
".popsection\n");

static __attribute__((noreturn)) void run_step_loop(const uint64_t *page, uint32_t frame)
{
	register uint32_t *x1 __asm__("x1") = cold_register;
	register uint64_t x2 __asm__("x2") = frame;
	register const uint64_t *x3 __asm__("x3") = page;
	register uint64_t x4 __asm__("x4") = 0;

	__asm__ volatile("b step_loop" : : "r" (x1), "r" (x2), "r" (x3), "r" (x4));
	__builtin_unreachable();
}

static void step(pid_t pid, struct user_regs_struct *regs)
{
	check(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), "PTRACE_SINGLESTEP: %s",
	      strerror(errno));
	await_stop(pid, SIGTRAP);
	get_registers(pid, regs);
}

static bool is_in_loop(uint64_t pc)
{
	return pc >= (uintptr_t)step_loop && pc < (uintptr_t)step_end;
}

static uint64_t next_pc(uint64_t pc)
{
	pc += 4;
	return pc == (uintptr_t)step_end ? (uintptr_t)step_loop : pc;
}

/* Each step is one instruction, also that whose page is missing. */
static void single_stepped(unsigned int count)
{
	uint64_t *page = cold_alloc_shared(1), pc, sum;
	struct user_regs_struct regs;
	unsigned int n;
	pid_t pid;

	page[0] = 0x123456789abcdefULL;
	pid = fork();
	if (!pid)
		run_step_loop(page, cold_frame(page));
	sleep_ms(3);
	check(!ptrace(PTRACE_ATTACH, pid, NULL, NULL), "PTRACE_ATTACH: %s", strerror(errno));
	await_stop(pid, SIGSTOP);
	get_registers(pid, &regs);
	/* It may have just begun, and not be there yet. */
	for (n = 0; !is_in_loop(regs.pc) && n < count * 100; n++)
		step(pid, &regs);
	for (n = 0; n < count; n++) {
		pc = regs.pc;
		sum = regs.regs[4];
		check(is_in_loop(pc), "PC 0x%lx is not in the loop", pc);
		if (pc == (uintptr_t)step_load + 4)
			sum += regs.regs[5];
		step(pid, &regs);
		check(regs.pc == next_pc(pc), "a step from 0x%lx leads to 0x%llx", pc, regs.pc);
		check(regs.regs[4] == sum, "a step at 0x%lx changes the sum", pc);
		check(pc != (uintptr_t)step_load || regs.regs[5] == page[0],
		      "a step over the load: 0x%llx", regs.regs[5]);
	}
	kill(pid, SIGKILL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	task_wait(pid);
}

/* At moments that have nothing to do with those of the workers. */
static void stopped_and_continued(unsigned int count)
{
	struct worker *workers = workers_start(8);
	unsigned int i, n, overlap = 0;

	for (n = 0; n < count; n++) {
		sleep_ms(n % 3);
		overlap += cold_count() > 0;
		for (i = 0; i < 8; i++)
			kill(workers[i].pid, (i + n) % 3 ? SIGSTOP : SIGCONT);
		for (i = 0; i < 8; i++)
			kill(workers[i].pid, SIGCONT);
	}
	for (i = 0; i < 8; i++)
		check_goes_on(&workers[i]);
	/* Stopped means stopped, for good. */
	for (i = 0; i < 8; i++)
		kill(workers[i].pid, SIGSTOP);
	sleep_ms(100);
	for (i = 0; i < 8; i++)
		check(task_state(workers[i].pid) == 'T', "task %u is in state %c after SIGSTOP", i,
		      task_state(workers[i].pid));
	workers_kill(workers, 8);
	say_overlap(overlap);
}

static void killed_in_a_storm(unsigned int count)
{
	unsigned int n, overlap = 0;

	for (n = 0; n < count; n++) {
		struct worker *workers = workers_start(8);

		sleep_ms(1 + n % 7);
		overlap += cold_count() > 0;
		workers_kill(workers, 8);
	}
	say_overlap(overlap);
}

/* A process group that waits, ended by one kill(). */
static void group_killed(unsigned int count)
{
	struct worker *workers = workers_start(count);
	unsigned int i, overlap;

	for (i = 0; i < count; i++)
		check(!setpgid(workers[i].pid, workers[0].pid), "setpgid: %s", strerror(errno));
	for (i = 0; i < count; i++)
		check_goes_on(&workers[i]);
	overlap = cold_count() > 0;
	check(!kill(-workers[0].pid, SIGKILL), "kill: %s", strerror(errno));
	workers_kill(workers, count);
	say_overlap(overlap);
}

const struct test_case ptrace_cases[] = {
	{ "attached_and_detached", attached_and_detached, 8 },
	{ "single_stepped", single_stepped, 40 },
	{ "stopped_and_continued", stopped_and_continued, 40 },
	{ "killed_in_a_storm", killed_in_a_storm, 4 },
	{ "group_killed", group_killed, 8 },
	{ NULL, NULL, 0 },
};
