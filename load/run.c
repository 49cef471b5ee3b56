// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps that touch cold memory, or keep data in memory of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define KILL_AFTER_US	50000
#define DEAD_WITHIN_MS	100.0
#define PATIENCE_MS	5000.0

/* The workload that step "start" left behind. */
static struct {
	pid_t pid;
	int out;
} job = { .out = -1 };

static int exec_apfload(const struct cold *cold, int argc, char **argv)
{
	char base[24], size[24];
	char *args[GUEST_WORDS_MAX + 10] = {
		"apfload", "--map", (char *)cold_file(), "--offset", base, "--length", size,
		"--ipa", base,
	};
	int i, n = 9;

	snprintf(base, sizeof(base), "%llu", cold->base);
	snprintf(size, sizeof(size), "%llu", cold->size);
	for (i = 1; i < argc; i++)
		args[n++] = argv[i];
	return execv("/bin/apfload", args);
}

static int exec_apfkeep(int argc, char **argv)
{
	char *args[GUEST_WORDS_MAX + 1] = { "apfkeep" };
	int i;

	for (i = 1; i < argc; i++)
		args[i] = argv[i];
	return execv("/bin/apfkeep", args);
}

/* @cold: NULL for apfkeep, whose memory is its own. */
static int job_start(const struct cold *cold, int argc, char **argv)
{
	int out[2];

	if (job.pid)
		return channel_fail("%s: the last one is not waited for", argv[0]);
	/* What it has to say is one line, and fits into the pipe. */
	if (pipe2(out, O_CLOEXEC))
		return channel_fail("%s: %s", argv[0], strerror(errno));
	job.pid = fork();
	if (!job.pid) {
		dup2(out[1], STDOUT_FILENO);
		if (cold)
			exec_apfload(cold, argc, argv);
		else
			exec_apfkeep(argc, argv);
		_exit(127);
	}
	close(out[1]);
	job.out = out[0];
	return job.pid < 0 ? channel_fail("fork: %s", strerror(errno)) : 0;
}

int step_start(int argc, char **argv)
{
	struct cold cold;

	if (cold_find(&cold))
		return channel_fail("%s: the device tree has no cold memory", argv[0]);
	return job_start(&cold, argc, argv);
}

/* Goes on until step "stop". */
int step_keep(int argc, char **argv)
{
	return job_start(NULL, argc, argv);
}

int step_stop(int argc, char **argv)
{
	if (argc != 1 || !job.pid || kill(job.pid, SIGTERM))
		return channel_fail("%s: there is nothing to stop", argv[0]);
	return step_wait(argc, argv);
}

/* begin: "keep --move" goes on. */
int step_begin(int argc, char **argv)
{
	if (argc != 1 || !job.pid || kill(job.pid, SIGUSR1))
		return channel_fail("%s: there is nothing to begin", argv[0]);
	return 0;
}

/* Takes the place of wait() so that the end is seen before the report is sent. */
static int job_wait(char *line, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int status;

	while ((got = read(job.out, line + n, size - 1 - n)) > 0)
		n += got;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	close(job.out);
	waitpid(job.pid, &status, 0);
	job.pid = 0;
	return status;
}

static int job_report(const char *line, int status)
{
	if (line[0] == '{')
		channel_line("{\"run\":%s}", line);
	if (WIFSIGNALED(status))
		return channel_fail("the workload: killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		return channel_fail("the workload: exit status %d, see the console",
				    WEXITSTATUS(status));
	return 0;
}

int step_wait(int argc, char **argv)
{
	char line[2048];
	int status;

	if (argc != 1 || !job.pid)
		return channel_fail("%s: there is nothing to wait for", argv[0]);
	status = job_wait(line, sizeof(line));
	return job_report(line, status);
}

/*
 * kill: what "start" left behind, with all that its tasks wait for. If it came to its
 * end before, it is as if it had been waited for.
 */
int step_kill(int argc, char **argv)
{
	char line[2048];
	int status;

	if (argc != 1 || !job.pid || kill(job.pid, SIGKILL))
		return channel_fail("%s: there is nothing to kill", argv[0]);
	status = job_wait(line, sizeof(line));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return job_report(line, status);
	channel_line("{\"killed\":true}");
	return 0;
}

static const char *label_of(int argc, char **argv)
{
	int i;

	for (i = argc - 2; i > 0; i--)
		if (!strcmp(argv[i], "--label"))
			return argv[i + 1];
	return "run";
}

int step_run(int argc, char **argv)
{
	const char *label = label_of(argc, argv);
	char line[2048];
	int status;

	channel_line("@stats %s-begin", label);
	if (step_start(argc, argv))
		return -1;
	status = job_wait(line, sizeof(line));
	channel_line("@stats %s-end", label);
	return job_report(line, status);
}

int step_stats(int argc, char **argv)
{
	if (argc != 2)
		return channel_fail("stats: say under which name");
	channel_line("@stats %s", argv[1]);
	return 0;
}

/* evict on|off: an apfvm with --evict takes pages away from here on, or stops it. */
int step_evict(int argc, char **argv)
{
	if (argc != 2 || (strcmp(argv[1], "on") && strcmp(argv[1], "off")))
		return channel_fail("evict: say on or off");
	channel_line("@evict %s", argv[1]);
	return 0;
}

/* save: an apfvm with --save saves the VM here, and what is next is done once it is restored. */
int step_save(int argc, char **argv)
{
	if (argc != 1)
		return channel_fail("%s: takes no argument", argv[0]);
	channel_line("@save");
	return 0;
}

/* The kernel's access to the page, in write(2). */
static void touch_by_syscall(const u64 *word)
{
	int ends[2];

	if (!pipe(ends))
		_exit(write(ends[1], word, sizeof(*word)) < 0);
	_exit(127);
}

/* Sleeps for the page, until it is killed; exits if the page does come. @how: see below. */
static void touch_for_ever(u64 ipa, const char *how)
{
	int fd = open(cold_file(), O_RDWR | O_CLOEXEC);
	u64 *word;

	if (how && strcmp(how, "syscall"))
		_exit(context_touch(how, ipa));
	word = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, ipa);
	if (word == MAP_FAILED)
		_exit(127);
	if (how)
		touch_by_syscall(word);
	__atomic_load_n(word, __ATOMIC_RELAXED);
	_exit(0);
}

/* How long a killed task lived on, or a negative number if it is still there. */
static double ms_until_dead(pid_t pid, int *status)
{
	u64 start = counter_read();

	while (counter_ms(counter_read() - start) < PATIENCE_MS) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return counter_ms(counter_read() - start);
		usleep(100);
	}
	return -1;
}

static int kill_page(u64 ipa, const char *how)
{
	int status = 0;
	double ms;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return channel_fail("fork: %s", strerror(errno));
	if (!pid)
		touch_for_ever(ipa, how);

	usleep(KILL_AFTER_US);
	kill(pid, SIGKILL);
	ms = ms_until_dead(pid, &status);
	channel_line("{\"kill_test\":{\"dead\":%s,\"signal\":%d,\"ms\":%.3f}}",
		     ms < 0 ? "false" : "true", WIFSIGNALED(status) ? WTERMSIG(status) : 0, ms);
	if (ms < 0 || ms > DEAD_WITHIN_MS)
		return channel_fail("kill-test: the task outlived SIGKILL");
	if (!WIFSIGNALED(status))
		return channel_fail("kill-test: the task ended before it was killed");
	return 0;
}

/* kill-test [syscall|CONTEXT]: of a task that touches the last page of cold memory. */
int step_kill_test(int argc, char **argv)
{
	u64 page = sysconf(_SC_PAGESIZE);
	struct cold cold;

	if (cold_find(&cold))
		return channel_fail("kill-test: the device tree has no cold memory");
	if (argc > 2)
		return channel_fail("kill-test: takes nothing, the word syscall, or a context");
	return kill_page(cold.base + cold.size - page, argc == 2 ? argv[1] : NULL);
}

/* case NAME [COUNT]: a case of tests/guests/cases, which says itself what is wrong. */
int step_case(int argc, char **argv)
{
	int status = -1;
	pid_t pid;

	if (argc < 2 || argc > 3)
		return channel_fail("case: say which, and perhaps how many times");
	step_counters(argv[1], "begin");
	pid = fork();
	if (!pid) {
		channel_give(STDOUT_FILENO);
		execl("/bin/apfcases", "apfcases", argv[1], argc > 2 ? argv[2] : NULL, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	step_counters(argv[1], "end");
	channel_line("{\"case\":\"%s\",\"good\":%s}", argv[1], status ? "false" : "true");
	return status ? channel_fail("case %s: status 0x%x", argv[1], status) : 0;
}
