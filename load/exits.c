// SPDX-License-Identifier: GPL-2.0-only
/*
 * Step "exits": threads whose exit is what touches missing memory. The kernel clears a
 * thread's TID word when it exits (CLONE_CHILD_CLEARTID), and whoever joins it waits
 * for that: a word that is not cleared is a thread that never ends.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/content.h"
#include "guest.h"

#define EXITS_MAX	64
#define EXITS_STACK	(64 * 1024)
/* What the pages hold follows from it: apfvm's own. */
#define SEED		1

/* Not by pthread_exit(), which has a word of its own, in memory that is there. */
static void *exit_with(void *word)
{
	syscall(SYS_set_tid_address, word);
	syscall(SYS_exit, 0);
	return NULL;
}

/* Not joined: their words are elsewhere than pthread_join() looks. */
static int start_threads(char *page, unsigned int count, size_t page_size)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, EXITS_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (; !error && count; count--, page += page_size)
		error = pthread_create(&thread, &attr, exit_with, page);
	pthread_attr_destroy(&attr);
	return error;
}

/* The folder has a link for each thread, beside its own two. */
static void wait_until_alone(void)
{
	struct stat tasks;

	while (!stat("/proc/self/task", &tasks) && tasks.st_nlink > 3)
		usleep(1000);
}

/* How many words were cleared; all pages are as before then. */
static unsigned int count_cleared(char *page, unsigned int count, size_t page_size, u64 ipa)
{
	unsigned int cleared = 0;

	for (; count; count--, page += page_size, ipa += page_size) {
		cleared += !__atomic_load_n((unsigned int *)page, __ATOMIC_RELAXED);
		__atomic_store_n((u64 *)page, apf_word(SEED, ipa), __ATOMIC_RELAXED);
	}
	return cleared;
}

static int run_exits(u64 ipa, unsigned int count)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	int fd = open(cold_file(), O_RDWR | O_CLOEXEC);
	char *page = mmap(NULL, count * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, ipa);

	if (page == MAP_FAILED || start_threads(page, count, page_size))
		return -1;
	wait_until_alone();
	return count_cleared(page, count, page_size, ipa);
}

/* exits N PAGE: N threads, whose words are on pages of cold memory from PAGE on. */
int step_exits(int argc, char **argv)
{
	unsigned int count = argc == 3 ? atoi(argv[1]) : 0;
	struct cold cold;
	int status;
	pid_t pid;

	if (!count || count > EXITS_MAX || cold_find(&cold))
		return channel_fail("exits: say how many, up to %d, and the first page", EXITS_MAX);
	pid = fork();
	if (!pid)
		_exit(run_exits(cold.base + atoi(argv[2]) * sysconf(_SC_PAGESIZE), count));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return channel_fail("exits: the process did not end by itself");
	channel_line("{\"exits\":%u,\"cleared\":%d}", count, WEXITSTATUS(status));
	if (WEXITSTATUS(status) != count)
		return channel_fail("exits: of %u threads %d had their TID words cleared", count,
				    WEXITSTATUS(status));
	return 0;
}
