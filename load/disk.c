// SPDX-License-Identifier: GPL-2.0-only
/* Steps on disks, which are found by their serial numbers. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define SERIALS		"/sys/block/*/serial"
#define CHUNK		65536
/* RFC 1950: the largest prime below 2^16. */
#define ADLER_BASE	65521

static int open_disk(const char *wanted, int flags)
{
	char serial[64], path[80];
	glob_t files;
	int fd = -1;
	size_t i;

	if (glob(SERIALS, 0, NULL, &files))
		return -1;
	for (i = 0; fd < 0 && i < files.gl_pathc; i++) {
		if (file_read(files.gl_pathv[i], serial, sizeof(serial)) < 0)
			continue;
		serial[strcspn(serial, "\n")] = '\0';
		*strrchr(files.gl_pathv[i], '/') = '\0';
		snprintf(path, sizeof(path), "/dev/%s", strrchr(files.gl_pathv[i], '/') + 1);
		if (!strcmp(serial, wanted))
			fd = open(path, flags | O_CLOEXEC);
	}
	globfree(&files);
	return fd;
}

static uint32_t adler32(uint32_t sum, const unsigned char *data, size_t size)
{
	uint32_t a = sum & 0xffff, b = sum >> 16;

	while (size--) {
		a = (a + *data++) % ADLER_BASE;
		b = (b + a) % ADLER_BASE;
	}
	return b << 16 | a;
}

/* Anew from the device, each time. Returns how many bytes there are, or -1. */
static long long sum_up(int fd, uint32_t *sum)
{
	static unsigned char data[CHUNK];
	long long size = 0;
	ssize_t n;

	*sum = 1;
	if (ioctl(fd, BLKFLSBUF) || lseek(fd, 0, SEEK_SET))
		return -1;
	while ((n = read(fd, data, sizeof(data))) > 0) {
		*sum = adler32(*sum, data, n);
		size += n;
	}
	return n ? -1 : size;
}

/* disk-sum SERIAL TIMES: reads all of it, and tells size and checksum. */
int step_disk_sum(int argc, char **argv)
{
	int i, times = argc == 3 ? atoi(argv[2]) : 0;
	int fd = times ? open_disk(argv[1], O_RDONLY) : -1;
	uint32_t sum;

	if (fd < 0)
		return channel_fail("disk-sum: say which disk, and how many times");
	for (i = 0; i < times; i++) {
		long long size = sum_up(fd, &sum);

		if (size < 0)
			return channel_fail("disk-sum %s: %s", argv[1], strerror(errno));
		channel_line("{\"disk\":{\"serial\":\"%s\",\"bytes\":%lld,\"adler32\":%u}}",
			     argv[1], size, sum);
	}
	close(fd);
	return 0;
}

static int copy(int from, int to)
{
	static unsigned char data[CHUNK];
	ssize_t n;

	while ((n = read(from, data, sizeof(data))) > 0) {
		if (write(to, data, n) != n)
			return -1;
	}
	return n || fsync(to) ? -1 : 0;
}

/* disk-copy FROM TO: of the same size. */
int step_disk_copy(int argc, char **argv)
{
	int from = argc == 3 ? open_disk(argv[1], O_RDONLY) : -1;
	int to = argc == 3 ? open_disk(argv[2], O_WRONLY) : -1;
	int ret;

	if (from < 0 || to < 0)
		return channel_fail("disk-copy: say from which disk to which");
	ret = copy(from, to);
	if (ret)
		channel_fail("disk-copy %s %s: %s", argv[1], argv[2], strerror(errno));
	close(from);
	close(to);
	return ret;
}
