// SPDX-License-Identifier: GPL-2.0-only
/*
 * The result channel: lines of JSON, and the commands to the VMM that travel
 * among them.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

/* The console driver takes a page at once: a line is never split. */
#define LINE_MAX_BYTES	4000

static int channel = -1;

/* A VMM may take its time until it has told the guest of its ports. */
#define CHANNEL_TRIES	5000
#define CHANNEL_WAIT_US	1000
#define PORT_NAMES	"/sys/class/virtio-ports/*/name"

/* With QEMU it is a port with a name, with our VMM the second console. */
static int open_port(const char *wanted)
{
	char name[64], path[80];
	int fd = -1;
	glob_t names;
	size_t i;

	if (glob(PORT_NAMES, 0, NULL, &names))
		return -1;
	for (i = 0; fd < 0 && i < names.gl_pathc; i++) {
		if (file_read(names.gl_pathv[i], name, sizeof(name)) <= 0)
			continue;
		name[strcspn(name, "\n")] = '\0';
		*strrchr(names.gl_pathv[i], '/') = '\0';
		snprintf(path, sizeof(path), "/dev/%s", strrchr(names.gl_pathv[i], '/') + 1);
		if (!strcmp(name, wanted))
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	globfree(&names);
	return fd;
}

/* Raw: no echo of what the host sends, no carriage returns in what we send. */
static int open_console(const char *tty)
{
	struct termios raw;
	int fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &raw))
		return fd;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	return fd;
}

int channel_open(const char *port, const char *tty)
{
	int i;

	for (i = 0; channel < 0 && i < CHANNEL_TRIES; i++) {
		if (i)
			usleep(CHANNEL_WAIT_US);
		channel = open_port(port);
		if (channel < 0)
			channel = open_console(tty);
	}
	return channel < 0 ? -1 : 0;
}

static void write_all(const char *buf, size_t size)
{
	while (size) {
		ssize_t done = write(channel, buf, size);

		if (done < 0)
			return;
		buf += done;
		size -= done;
	}
	tcdrain(channel);
}

void channel_line(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	int size;

	va_start(args, fmt);
	size = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	if (size > (int)sizeof(line) - 2)
		size = sizeof(line) - 2;
	line[size++] = '\n';
	write_all(line, size);
}

void channel_give(int fd)
{
	dup2(channel, fd);
}

/* Until the VMM's side says @word, on a line of its own. */
int channel_await(const char *word)
{
	char line[80];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(channel, line + n, 1) == 1) {
		if (line[n++] != '\n')
			continue;
		line[n - 1] = '\0';
		if (!strcmp(line, word))
			return 0;
		n = 0;
	}
	return -1;
}

/* @text as it stands in a JSON string; what does not fit is left out. */
size_t channel_escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 7 < size; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = c;
		} else if (c < 0x20 || c > 0x7e) {
			n += sprintf(out + n, "\\u%04x", c);
		} else {
			out[n++] = c;
		}
	}
	out[n] = '\0';
	return n;
}

void channel_text(const char *key, const char *text)
{
	char escaped[LINE_MAX_BYTES - 100];

	channel_escape(escaped, sizeof(escaped), text);
	channel_line("{\"%s\":\"%s\"}", key, escaped);
}

int channel_fail(const char *fmt, ...)
{
	char text[500];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	channel_text("error", text);
	return -1;
}
