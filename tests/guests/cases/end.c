// SPDX-License-Identifier: GPL-2.0-only
/* Other ends of tasks whose memory is missing: vfork, exec, core dumps. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define SELF		"/bin/apfcases"
#define CORE		"/tmp/core"
#define SEED		7

/* Path, arguments and environment of an execve(), each on a page of its own. */
struct program {
	char *path;
	char **argv;
	char **envp;
};

static struct program program_true(void)
{
	struct program program = {
		.path = cold_alloc_shared(1), .argv = cold_alloc_shared(1),
		.envp = cold_alloc_shared(1),
	};
	char *argument = cold_alloc_shared(1);

	memcpy(program.path, SELF, sizeof(SELF));
	memcpy(argument, "true", sizeof("true"));
	program.argv[0] = program.path;
	program.argv[1] = argument;
	return program;
}

/* Four pages, all out. */
static void program_out(const struct program *program)
{
	const char *argument = program->argv[1];

	cold_out(argument, 1);
	cold_out(program->argv, 1);
	cold_out(program->envp, 1);
	cold_out(program->path, 1);
}

static int exec_from_cold(void *arg)
{
	const struct program *program = arg;
	uint64_t here = 1;

	/* The next access is one to a stack that is missing. */
	cold_out_now(cold_frame(&here));
	if (!load_once(&here))
		return 0;
	execve(program->path, program->argv, program->envp);
	_exit(errno);
}

/* The parent stands still until its child, on a cold stack in the same memory, has gone. */
static void vfork_child_execs(unsigned int count)
{
	while (count--) {
		char *stack = cold_alloc(8);
		struct program program = program_true();
		int status;
		pid_t pid;

		program_out(&program);
		pid = clone(exec_from_cold, stack + 8 * cold_page(),
			    CLONE_VM | CLONE_VFORK | SIGCHLD, &program);
		check(pid > 0, "clone: %s", strerror(errno));
		status = task_wait(pid);
		check(!status, "the program after vfork() and execve(): status 0x%x", status);
	}
}

static int exit_from_cold(void *arg)
{
	uint32_t frame = *(uint32_t *)arg;

	cold_out_now(frame);
	raw_exit();
}

/* Its TID word is out, too: it is cleared before the parent goes on. */
static void vfork_child_exits(unsigned int count)
{
	while (count--) {
		char *stack = cold_alloc(8);
		uint32_t *tid = cold_alloc(1), frame = cold_frame(tid);
		pid_t pid;

		pid = clone(exit_from_cold, stack + 8 * cold_page(),
			    CLONE_VM | CLONE_VFORK | SIGCHLD | CLONE_PARENT_SETTID |
			    CLONE_CHILD_CLEARTID, &frame, tid, NULL, tid);
		check(pid > 0, "clone: %s", strerror(errno));
		check(!*tid, "the child has exited, and its TID word is %u", *tid);
		check(!task_wait(pid), "the child exits with a status");
	}
}

/* By hand: a list of one futex, whose word is elsewhere. */
struct robust {
	struct robust_list_head head;
	struct robust_list entry;
};

/* Who calls execve(), and what is missing then. */
struct execer {
	struct robust *robust;
	uint32_t *word;
	struct program program;
	uint32_t *gate;
};

static void exec_as_owner(void *arg)
{
	struct execer *execer = arg;
	struct robust *robust = execer->robust;
	uint32_t frame = cold_frame(robust);

	robust->head.list.next = &robust->entry;
	robust->entry.next = &robust->head.list;
	robust->head.futex_offset = (char *)execer->word - (char *)&robust->entry;
	*execer->word = raw_syscall(SYS_gettid, 0, 0, 0, 0) | FUTEX_WAITERS;
	raw_syscall(SYS_set_robust_list, (long)&robust->head, sizeof(robust->head), 0, 0);
	gate_wait(execer->gate);
	program_out(&execer->program);
	cold_out_now(frame);
	raw_syscall(SYS_execve, (long)execer->program.path, (long)execer->program.argv,
		    (long)execer->program.envp, 0);
	raw_exit();
}

static void open_gate_later(void *arg)
{
	sleep_ms(10);
	gate_open(arg);
}

/* Other threads wait for pages meanwhile, and are killed by it. */
static __attribute__((noreturn)) void exec_process(struct execer *execer, unsigned int others,
						   bool from_a_thread)
{
	struct toucher *touchers = calloc(others, sizeof(*touchers));
	unsigned int i;

	for (i = 0; i < others; i++) {
		touchers[i] = (struct toucher) { .at = cold_alloc(1), .gate = execer->gate };
		toucher_start(&touchers[i], true);
	}
	task_start(CLONE_THREAD, open_gate_later, execer->gate, NULL);
	if (!from_a_thread)
		exec_as_owner(execer);
	task_start(CLONE_THREAD, exec_as_owner, execer, NULL);
	for (;;)
		pause();
}

static uint32_t exec_with_others(unsigned int others, bool from_a_thread)
{
	struct execer execer = {
		.robust = cold_alloc_shared(1), .word = cold_alloc_shared(1),
		.program = program_true(), .gate = cold_alloc_shared(1),
	};
	pid_t pid = fork();
	int status;

	if (!pid)
		exec_process(&execer, others, from_a_thread);
	status = task_wait(pid);
	check(!status, "the program after execve(): status 0x%x", status);
	return *execer.word;
}

static void exec_of_an_owner(unsigned int others)
{
	uint32_t word = exec_with_others(others, false);

	check(word & FUTEX_OWNER_DIED, "the robust futex of who called execve(): 0x%x", word);
}

/* A thread takes the first one's TID before its list is looked at, so that marks nothing. */
static void exec_from_a_thread(unsigned int others)
{
	exec_with_others(others, true);
}

/* The core's bytes that were at @at, in @to. Return: whether it has them. */
static bool read_core(int fd, uint64_t at, void *to, size_t size)
{
	Elf64_Ehdr head = { .e_phnum = 0 };
	Elf64_Phdr part;
	unsigned int i;

	check(pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	      !memcmp(head.e_ident, ELFMAG, SELFMAG), "the core dump is no ELF file");
	for (i = 0; i < head.e_phnum; i++) {
		check(pread(fd, &part, sizeof(part), head.e_phoff + i * sizeof(part)) ==
		      sizeof(part), "the core dump ends early");
		if (part.p_type == PT_LOAD && at >= part.p_vaddr &&
		    at + size <= part.p_vaddr + part.p_filesz)
			return pread(fd, to, size, part.p_offset + at - part.p_vaddr) ==
			       (ssize_t)size;
	}
	return false;
}

static void check_core(const void *at, size_t size)
{
	void *copy = malloc(size);
	int fd = open(CORE, O_RDONLY | O_CLOEXEC);
	size_t bad;

	check(fd >= 0, "no core dump: %s", strerror(errno));
	check(read_core(fd, (uintptr_t)at, copy, size), "the core dump lacks %zu bytes at %p",
	      size, at);
	bad = count_bad(copy, size, SEED);
	check(!bad, "%zu words of the core dump are wrong", bad);
	close(fd);
	free(copy);
	unlink(CORE);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path,
	      strerror(errno));
	close(fd);
}

static void allow_cores(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	write_file("/proc/sys/kernel/core_pattern", CORE);
	setrlimit(RLIMIT_CORE, &all);
	unlink(CORE);
}

/* Memory that is paged out before the task aborts: the dump's reader has it come. */
static void core_of_cold_memory(unsigned int pages)
{
	size_t size = pages * cold_page();
	char *at = cold_alloc(pages);
	int status;
	pid_t pid;

	allow_cores();
	fill(at, size, SEED);
	pid = fork();
	if (!pid) {
		/* A frame of its own for each page. */
		fill(at, size, SEED);
		cold_out(at, size);
		abort();
	}
	status = task_wait(pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status),
	      "who aborts: status 0x%x", status);
	check_core(at, size);
}

/* Of a task that waits for a page, killed by a signal that dumps. */
static void core_of_a_task_that_waits(unsigned int count)
{
	unsigned int overlap = 0;

	allow_cores();
	while (count--) {
		struct toucher *toucher = cold_alloc_shared(1);
		char *page = cold_alloc_shared(1);
		int status;

		fill(page, cold_page(), SEED);
		*toucher = (struct toucher) { .at = (uint64_t *)page };
		toucher_start(toucher, false);
		toucher_begun(toucher);
		overlap += cold_count() && !toucher->ended;
		kill(toucher->pid, SIGQUIT);
		status = task_wait(toucher->pid);
		if (!status)
			continue;	/* It had ended before. */
		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT && WCOREDUMP(status),
		      "who waits and gets SIGQUIT: status 0x%x", status);
		check_core(page, cold_page());
	}
	say_overlap(overlap);
}

const struct test_case end_cases[] = {
	{ "vfork_child_execs", vfork_child_execs, 2 },
	{ "vfork_child_exits", vfork_child_exits, 2 },
	{ "exec_of_an_owner", exec_of_an_owner, 4 },
	{ "exec_from_a_thread", exec_from_a_thread, 4 },
	{ "core_of_cold_memory", core_of_cold_memory, 8 },
	{ "core_of_a_task_that_waits", core_of_a_task_that_waits, 4 },
	{ NULL, NULL, 0 },
};
