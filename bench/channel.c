// SPDX-License-Identifier: GPL-2.0-only
/*
 * The result channel: lines of JSON, and the commands to the VMM that travel
 * among them.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

/* The console driver takes a page at once: a line is never split. */
#define LINE_MAX_BYTES	4000

static int channel = -1;

/* Raw: no echo of what the host sends, no carriage returns in what we send. */
int channel_open(const char *tty)
{
	struct termios raw;

	channel = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (channel < 0 || tcgetattr(channel, &raw))
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(channel, TCSANOW, &raw);
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
