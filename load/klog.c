// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest kernel's log while the job ran: a good run leaves it silent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

static int kmsg = -1;

int klog_start(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0 ? -1 : 0;
}

/* Records on their way into one line of the result channel, which has a limit. */
static char list[3500];
static size_t used;

static void send_list(const char *key)
{
	channel_line("{\"%s\":[%.*s]}", key, (int)used, list);
	used = 0;
}

/*
 * A record is "priority,sequence,time,flags;text", a newline, and properties. Only
 * of text that begins with @word.
 */
static void add_record(char *record, const char *key, const char *word)
{
	char text[1024], *begin = strchr(record, ';');
	size_t size;

	if (!begin)
		return;
	begin++;
	begin[strcspn(begin, "\n")] = '\0';
	if (strncmp(begin, word, strlen(word)))
		return;
	size = channel_escape(text, sizeof(text), begin);
	if (used + size + 10 > sizeof(list))
		send_list(key);
	used += sprintf(list + used, "%s\"<%d>%s\"", used ? "," : "", atoi(record) & 7, text);
}

/*
 * Where the kernel looks for leaks it logs what it finds. Twice, since what it
 * meets for the first time passes; and only what is older than 5 s counts.
 */
static void scan_for_leaks(void)
{
	if (access(KMEMLEAK, F_OK))
		return;
	sleep(6);
	if (file_write(KMEMLEAK, "scan") || file_write(KMEMLEAK, "scan"))
		channel_fail("no scan for leaks: %s", strerror(errno));
}

/* EPIPE: records were overwritten before we came, read on with the oldest. */
static void report(int fd, const char *key, const char *word)
{
	char record[2048];
	ssize_t got;

	do {
		got = read(fd, record, sizeof(record) - 1);
		if (got > 0) {
			record[got] = '\0';
			add_record(record, key, word);
		}
	} while (got > 0 || (got < 0 && errno == EPIPE));
	send_list(key);
}

void klog_report(void)
{
	scan_for_leaks();
	report(kmsg, "klog", "");
}

/* said WORD: what begins with that word in the kernel's log, from the boot on. */
int step_said(int argc, char **argv)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (argc != 2 || fd < 0)
		return channel_fail("said: say which word, of the kernel's log");
	report(fd, "said", argv[1]);
	close(fd);
	return 0;
}
