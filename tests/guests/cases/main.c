// SPDX-License-Identifier: GPL-2.0-only
/*
 * apfcases NAME [COUNT]: runs one case, with a time limit, and says on standard
 * output, which is the result channel, what is wrong with it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define ALL_MS		60000

static const struct test_case *const lists[] = {
	exit_cases, end_cases, ptrace_cases, map_cases, memory_cases, signal_cases,
	futex_cases, io_cases,
};

/* The line is written at once, whoever else writes. No quotes and no newlines in there. */
static void say(const char *text)
{
	char line[600];
	int n = snprintf(line, sizeof(line), "{\"error\":\"%.500s\"}\n", text);

	if (write(STDOUT_FILENO, line, n) != n)
		_exit(2);
}

void fail(const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say(text);
	_exit(1);
}

void say_overlap(unsigned int times)
{
	char line[60];
	int n = snprintf(line, sizeof(line), "{\"overlap\":%u}\n", times);

	if (write(STDOUT_FILENO, line, n) != n)
		_exit(2);
}

static const struct test_case *find(const char *name)
{
	const struct test_case *found;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (found = lists[i]; found->name; found++)
			if (!strcmp(found->name, name))
				return found;
	return NULL;
}

/* The first @size bytes of a file of a task's, without newlines. */
static void read_proc(char *text, size_t size, const char *pid, const char *file)
{
	char path[300];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Of one process: its tasks, their states, and the system call each is in. */
static void say_tasks(const char *pid)
{
	char path[300], stat[100], call[60], text[300];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		read_proc(stat, 40, entry->d_name, "stat");
		read_proc(call, sizeof(call), entry->d_name, "syscall");
		snprintf(text, sizeof(text), "it hangs: %s, syscall %s", stat, call);
		say(text);
	}
	if (tasks)
		closedir(tasks);
}

/* All of a session's processes. @kill_them: or only to say where they hang. */
static void for_session(pid_t session, bool kill_them)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int pid;

	while (proc && (entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid <= 0 || getsid(pid) != session)
			continue;
		if (kill_them)
			kill(pid, SIGKILL);
		else
			say_tasks(entry->d_name);
	}
	if (proc)
		closedir(proc);
}

/* Return: whether it ended by itself, with @status. */
static bool wait_for(pid_t pid, int *status)
{
	u64 start = counter_read();

	while (counter_ms(counter_read() - start) < ALL_MS) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		sleep_ms(10);
	}
	for_session(pid, false);
	return false;
}

static int run(const struct test_case *test, unsigned int count)
{
	pid_t pid = fork();
	bool ended;
	int status;

	if (!pid) {
		setsid();
		cold_open();
		test->run(count);
		_exit(0);
	}
	ended = wait_for(pid, &status);
	for_session(pid, true);
	if (!ended)
		return 1;
	if (WIFSIGNALED(status))
		fail("%s: killed by signal %d", test->name, WTERMSIG(status));
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const struct test_case *test = argc > 1 ? find(argv[1]) : NULL;

	/* For cases that start this program anew. */
	if (argc == 2 && !strcmp(argv[1], "true"))
		return 0;
	if (!test || argc > 3)
		fail("apfcases: say which case, and how many times");
	return run(test, argc == 3 ? strtoul(argv[2], NULL, 0) : test->count);
}
