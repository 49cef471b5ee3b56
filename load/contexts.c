// SPDX-License-Identifier: GPL-2.0-only
/*
 * Step context: the guest's kernel reads a cold page, in a context by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/content.h"
#include "guest.h"

#define TOUCH	"/sys/kernel/debug/kvm-apf/touch"
/* The default of apfvm and apfload. */
#define SEED	1

/* The test in the guest's driver compares. Returns 0, or an error number. */
int context_touch(const char *context, u64 ipa)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = open(cold_file(), O_RDWR | O_CLOEXEC);
	char text[128];
	void *map;
	int error;

	map = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, ipa);
	if (map == MAP_FAILED)
		return errno;
	close(fd);
	snprintf(text, sizeof(text), "%s %lx %llx %llx", context, (unsigned long)map, ipa,
		 apf_word(SEED, ipa));
	error = file_write(TOUCH, text) ? errno : 0;
	munmap(map, page);
	return error;
}

/* context NAME PAGE: with the counters of host and guest before and after. */
int step_context(int argc, char **argv)
{
	struct cold cold;
	int error;

	if (argc != 3)
		return channel_fail("context: say which, and the number of a cold page");
	if (cold_find(&cold))
		return channel_fail("context: the device tree has no cold memory");
	step_counters(argv[1], "begin");
	error = context_touch(argv[1],
			      cold.base + strtoul(argv[2], NULL, 0) * sysconf(_SC_PAGESIZE));
	step_counters(argv[1], "end");
	channel_line("{\"context\":\"%s\",\"good\":%s}", argv[1], error ? "false" : "true");
	return error ? channel_fail("context %s: %s", argv[1], strerror(error)) : 0;
}
