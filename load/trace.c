// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's scheduler did, for the timeline: step "trace on|off".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/array_size.h"
#include "guest.h"

#define TRACEFS	"/sys/kernel/tracing/"

static const char * const settings[][2] = {
	{ TRACEFS "tracing_on", "0" },
	{ TRACEFS "trace_clock", "mono_raw" },
	{ TRACEFS "buffer_size_kb", "2048" },
	{ TRACEFS "events/sched/sched_switch/enable", "1" },
	{ TRACEFS "events/sched/sched_waking/enable", "1" },
	{ TRACEFS "tracing_on", "1" },
};

/*
 * mono_raw and the counter run at the same rate: one marker that has both
 * readings ties them together.
 */
static int trace_on(void)
{
	char marker[40];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (file_write(settings[i][0], settings[i][1]))
			return channel_fail("trace: %s: %s", settings[i][0], strerror(errno));
	snprintf(marker, sizeof(marker), "cntvct %llu", counter_read());
	if (file_write(TRACEFS "trace_marker", marker))
		return channel_fail("trace: trace_marker: %s", strerror(errno));
	return 0;
}

static int trace_off(void)
{
	char line[512];
	FILE *f;

	file_write(TRACEFS "tracing_on", "0");
	f = fopen(TRACEFS "trace", "re");
	if (!f)
		return channel_fail("trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#')
			channel_text("trace_line", line);
	}
	fclose(f);
	return 0;
}

int step_trace(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "on"))
		return trace_on();
	if (argc == 2 && !strcmp(argv[1], "off"))
		return trace_off();
	return channel_fail("trace: say on or off");
}
