// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

const char *say_program = "apfvm";

static void say(const char *format, va_list args, const char *reason)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	/* All of the line at once, so that lines of several threads do not mix. */
	fprintf(stderr, "%s: %s%s%s\n", say_program, text,
		reason ? ": " : "", reason ? reason : "");
}

int say_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, NULL);
	va_end(args);
	return -1;
}

int say_errno(const char *format, ...)
{
	const char *reason = strerror(errno);
	va_list args;

	va_start(args, format);
	say(format, args, reason);
	va_end(args);
	return -1;
}

void say_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, NULL);
	va_end(args);
}

int write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size) {
		ssize_t n = write(fd, next, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		next += n;
		size -= n;
	}
	return 0;
}

int read_all_at(int fd, void *data, size_t size, uint64_t offset)
{
	char *next = data;

	while (size) {
		ssize_t n = pread(fd, next, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		next += n;
		size -= n;
		offset += n;
	}
	return 0;
}

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}
