// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel modules: those without which a distribution's kernel has no console for us,
 * and the driver, for guests that do not have it built in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define COUNTERS	"/sys/kernel/debug/kvm-apf/"

/* Return: 0, or an error number. */
static int load(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long error;

	if (fd < 0)
		return errno;
	error = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return error;
}

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

/* Each line of @list names a module. Before the console is there, nothing can be said. */
void modules_load(const char *list)
{
	FILE *f = fopen(list, "re");
	char line[256];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		load(line, "");
	}
	fclose(f);
}

/* insmod FILE [PARAMETER]: whether it may fail is for who reads the report. */
int step_insmod(int argc, char **argv)
{
	if (argc != 2 && argc != 3)
		return channel_fail("insmod: say which file, and with what parameter");
	channel_line("{\"insmod\":\"%s\",\"errno\":%d}", argv[1],
		     load(argv[1], argc == 3 ? argv[2] : ""));
	return 0;
}

int step_rmmod(int argc, char **argv)
{
	if (argc != 2)
		return channel_fail("rmmod: say which module");
	channel_line("{\"rmmod\":\"%s\",\"errno\":%d}", argv[1], unload(argv[1]));
	return 0;
}

static long long counter(const char *name)
{
	char path[64], value[32];

	snprintf(path, sizeof(path), COUNTERS "%s", name);
	return file_read(path, value, sizeof(value)) > 0 ? strtoll(value, NULL, 0) : 0;
}

/* What many lives of the driver came to; @with_waiters of them ended with tasks asleep. */
struct lives {
	long long announced;
	long long waiting;
	int with_waiters;
};

static void add_life(struct lives *lives)
{
	long long announced = counter("announced"), waiting = announced - counter("returned");

	lives->announced += announced;
	lives->waiting += waiting;
	lives->with_waiters += waiting > 0;
}

/* reload FILE NAME TIMES MS: loads it, MS later unloads it, and begins anew. */
int step_reload(int argc, char **argv)
{
	struct lives lives = { 0 };
	int error = 0, i, times;

	if (argc != 5)
		return channel_fail("reload: say file, module, how often, for how many ms");
	times = atoi(argv[3]);
	for (i = 0; !error && i < times; i++) {
		error = load(argv[1], "");
		if (error)
			break;
		usleep(atoi(argv[4]) * 1000);
		add_life(&lives);
		error = unload(argv[2]);
	}
	channel_line("{\"reload\":%d,\"announced\":%lld,\"waiting\":%lld,\"with_waiters\":%d}", i,
		     lives.announced, lives.waiting, lives.with_waiters);
	return error ? channel_fail("reload %d: %s", i, strerror(error)) : 0;
}
