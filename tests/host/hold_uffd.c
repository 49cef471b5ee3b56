// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold_uffd PID: take a copy of the userfaultfd of a process, say so, and sleep.
 *
 * Stands for a page server in a process of its own that has gone silent: the
 * userfaultfd does not close with the VMM, so nobody wakes those who wait in it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_userfaultfd(const char *folder, const char *name)
{
	char path[300], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	return !strcmp(target, "anon_inode:[userfaultfd]");
}

static int find_userfaultfd(const char *pid)
{
	struct dirent *entry;
	char folder[32];
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%s/fd", pid);
	dir = opendir(folder);
	if (!dir)
		err(1, "%s", folder);
	while ((entry = readdir(dir)))
		if (is_userfaultfd(folder, entry->d_name))
			return atoi(entry->d_name);
	errx(1, "process %s has no userfaultfd", pid);
}

int main(int argc, char **argv)
{
	int pidfd;

	if (argc != 2)
		errx(2, "usage: hold_uffd PID");
	pidfd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	if (pidfd < 0)
		err(1, "pidfd_open %s", argv[1]);
	if (syscall(SYS_pidfd_getfd, pidfd, find_userfaultfd(argv[1]), 0) < 0)
		err(1, "pidfd_getfd");
	puts("held");
	fflush(stdout);
	pause();
	return 0;
}
