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

static int kmsg = -1;

int klog_start(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0 ? -1 : 0;
}

/* A record is "priority,sequence,time,flags;text", a newline, and properties. */
static void report_record(char *record)
{
	char *text = strchr(record, ';');
	char line[2048];

	if (!text)
		return;
	text++;
	text[strcspn(text, "\n")] = '\0';
	snprintf(line, sizeof(line), "<%d>%s", atoi(record) & 7, text);
	channel_text("klog", line);
}

/* EPIPE: records were overwritten before we came, read on with the oldest. */
void klog_report(void)
{
	char record[2048];
	ssize_t got;

	for (;;) {
		got = read(kmsg, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;
		if (got <= 0)
			return;
		record[got] = '\0';
		report_record(record);
	}
}
