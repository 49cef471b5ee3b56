// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps a job is made of.
 */
#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/array_size.h"
#include "guest.h"

#define APF_COUNTERS	"/sys/kernel/debug/kvm-apf/*"
#define PS_D_MS		2000
#define HWIRQS		"/sys/kernel/irq/*/hwirq"

/* Whatever counters the driver has; none without a driver. */
static int step_apf(int argc, char **argv)
{
	char line[2048], value[64];
	glob_t files;
	size_t i, n = 0;

	if (argc != 1)
		return channel_fail("%s: takes no argument", argv[0]);
	line[0] = '\0';
	if (glob(APF_COUNTERS, 0, NULL, &files))
		files.gl_pathc = 0;
	for (i = 0; i < files.gl_pathc && n < sizeof(line) - 100; i++) {
		const char *path = files.gl_pathv[i];

		if (file_read(path, value, sizeof(value)) <= 0)
			continue;
		n += snprintf(line + n, sizeof(line) - n, "%s\"%s\":%lld", n ? "," : "",
			      strrchr(path, '/') + 1, strtoll(value, NULL, 0));
	}
	channel_line("{\"guest_apf\":{%s}}", line);
	if (files.gl_pathc)
		globfree(&files);
	return 0;
}

/* A line is "INTID: count of CPU 0, of CPU 1, ..., names". */
static int add_counts(const char *line, u64 *count)
{
	int cpu = 0;
	char *end;

	line = strchr(line, ':');
	if (!line)
		return 0;
	for (line++; cpu < 8; cpu++, line = end) {
		u64 value = strtoull(line, &end, 10);

		if (end == line)
			break;
		count[cpu] += value;
	}
	return cpu;
}

/* Of all lines with @word, as "count of CPU 0,of CPU 1,...". */
static int count_irqs(const char *word, char *out, size_t size)
{
	FILE *f = fopen("/proc/interrupts", "re");
	u64 count[8] = { 0 };
	int i, n = 0, cpus = 0;
	char line[512];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, word))
			cpus = add_counts(line, count);
	fclose(f);
	out[0] = '\0';
	for (i = 0; i < cpus; i++)
		n += snprintf(out + n, size - n, "%s%llu", i ? "," : "", count[i]);
	return 0;
}

static int step_irqs(int argc, char **argv)
{
	char apf[256], timer[256], ipis[256];

	if (argc != 1 || count_irqs("kvm-apf", apf, sizeof(apf)) ||
	    count_irqs("arch_timer", timer, sizeof(timer)) ||
	    count_irqs("IPI", ipis, sizeof(ipis)))
		return channel_fail("%s: takes no argument, and needs /proc/interrupts", argv[0]);
	channel_line("{\"irqs\":{\"apf\":[%s],\"timer\":[%s],\"ipi\":[%s]}}", apf, timer, ipis);
	return 0;
}

/* mapped INTID: whether Linux has an interrupt for it, and a device that handles it. */
static int step_mapped(int argc, char **argv)
{
	char hwirq[32], path[128], actions[128];
	int mapped = 0, handled = 0;
	glob_t irqs;
	size_t i;

	if (argc != 2 || glob(HWIRQS, 0, NULL, &irqs))
		return channel_fail("mapped: say which INTID; needs /sys/kernel/irq");
	for (i = 0; i < irqs.gl_pathc; i++) {
		if (file_read(irqs.gl_pathv[i], hwirq, sizeof(hwirq)) <= 0 ||
		    strtoul(hwirq, NULL, 0) != strtoul(argv[1], NULL, 0))
			continue;
		snprintf(path, sizeof(path), "%.*sactions",
			 (int)(strlen(irqs.gl_pathv[i]) - strlen("hwirq")), irqs.gl_pathv[i]);
		mapped++;
		handled += file_read(path, actions, sizeof(actions)) > 0 && actions[0] != '\n';
	}
	globfree(&irqs);
	channel_line("{\"mapped\":%d,\"handled\":%d}", mapped, handled);
	return 0;
}

static int step_online(int argc, char **argv)
{
	char path[64];

	if (argc != 3)
		return channel_fail("online: say which CPU, and 0 or 1");
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", atoi(argv[1]));
	if (file_write(path, argv[2]))
		return channel_fail("online %s %s: %s", argv[1], argv[2], strerror(errno));
	return 0;
}

static int step_write(int argc, char **argv)
{
	if (argc != 3)
		return channel_fail("write: say to which file, and what");
	if (file_write(argv[1], argv[2]))
		return channel_fail("write %s: %s", argv[1], strerror(errno));
	return 0;
}

static int step_exists(int argc, char **argv)
{
	if (argc != 2)
		return channel_fail("exists: say which file");
	channel_line("{\"exists\":\"%s\",\"there\":%s}", argv[1],
		     access(argv[1], F_OK) ? "false" : "true");
	return 0;
}

/* policy idle|other: of what is started from here on; idle runs when nobody else wants to. */
static int step_policy(int argc, char **argv)
{
	struct sched_param none = { 0 };
	int idle = argc == 2 && !strcmp(argv[1], "idle");

	if (!idle && (argc != 2 || strcmp(argv[1], "other")))
		return channel_fail("policy: say idle or other");
	if (sched_setscheduler(0, idle ? SCHED_IDLE : SCHED_OTHER, &none))
		return channel_fail("policy %s: %s", argv[1], strerror(errno));
	return 0;
}

/* hog MS: a task that wants all of a CPU for that time, beside what comes next. */
static int step_hog(int argc, char **argv)
{
	u64 start = counter_read();

	if (argc != 2)
		return channel_fail("hog: say for how many ms");
	if (fork())
		return 0;
	while (counter_ms(counter_read() - start) < atoi(argv[1]))
		;
	_exit(0);
}

static int step_sleep(int argc, char **argv)
{
	if (argc != 2)
		return channel_fail("sleep: say how many ms");
	return usleep(strtoul(argv[1], NULL, 0) * 1000);
}

/* Until the one who runs the VM says so. */
static int step_until(int argc, char **argv)
{
	if (argc != 2 || channel_await(argv[1]))
		return channel_fail("until: say which word to wait for");
	return 0;
}

/* The state follows the name, which may itself hold blanks and brackets. */
static int sleeps_for_good(const char *path, char *stat, size_t size)
{
	const char *state;

	if (file_read(path, stat, size) <= 0)
		return 0;
	state = strrchr(stat, ')');
	return state && state[1] == ' ' && state[2] == 'D';
}

/* How many tasks are in D state now; @stat is of the last one. */
static int count_sleepers(char *stat, size_t size)
{
	char any[512];
	glob_t tasks;
	size_t i;
	int n = 0;

	if (glob("/proc/[0-9]*/task/*/stat", 0, NULL, &tasks))
		return -1;
	for (i = 0; i < tasks.gl_pathc; i++) {
		if (!sleeps_for_good(tasks.gl_pathv[i], any, sizeof(any)))
			continue;
		snprintf(stat, size, "%.40s", any);
		n++;
	}
	globfree(&tasks);
	return n;
}

/* A kernel thread may be in D state for a moment; a lost task is there still after PS_D_MS. */
static int step_ps_d(int argc, char **argv)
{
	u64 start = counter_read();
	char stat[64] = "";
	int n;

	if (argc != 1)
		return channel_fail("%s: takes no argument", argv[0]);
	while ((n = count_sleepers(stat, sizeof(stat))) > 0 &&
	       counter_ms(counter_read() - start) < PS_D_MS)
		usleep(20000);
	if (n < 0)
		return channel_fail("%s: needs /proc", argv[0]);
	if (n)
		channel_text("sleeps_for_good", stat);
	channel_line("{\"ps_d\":%d}", n);
	return 0;
}

/* Hands on a file of JSON lines, such as the log of apfload, as it is. */
static int step_send(int argc, char **argv)
{
	char line[4000];
	FILE *f;

	f = argc == 2 ? fopen(argv[1], "re") : NULL;
	if (!f)
		return channel_fail("send: %s", argc == 2 ? strerror(errno) : "say which file");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		channel_line("%s", line);
	}
	fclose(f);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
} steps[] = {
	{ "run", step_run },
	{ "start", step_start },
	{ "wait", step_wait },
	{ "kill", step_kill },
	{ "keep", step_keep },
	{ "stop", step_stop },
	{ "until", step_until },
	{ "stats", step_stats },
	{ "evict", step_evict },
	{ "save", step_save },
	{ "begin", step_begin },
	{ "trace", step_trace },
	{ "send", step_send },
	{ "apf", step_apf },
	{ "irqs", step_irqs },
	{ "mapped", step_mapped },
	{ "said", step_said },
	{ "online", step_online },
	{ "write", step_write },
	{ "sleep", step_sleep },
	{ "exists", step_exists },
	{ "policy", step_policy },
	{ "hog", step_hog },
	{ "exits", step_exits },
	{ "kill-test", step_kill_test },
	{ "case", step_case },
	{ "ps-d", step_ps_d },
	{ "reboot", step_reboot },
	{ "sysrq", step_sysrq },
	{ "kexec", step_kexec },
	{ "watch", step_watch },
	{ "context", step_context },
	{ "disk-sum", step_disk_sum },
	{ "disk-copy", step_disk_copy },
	{ "insmod", step_insmod },
	{ "rmmod", step_rmmod },
	{ "reload", step_reload },
};

void step_counters(const char *name, const char *when)
{
	char *apf = "apf";

	channel_line("@stats %s-%s", name, when);
	step_apf(1, &apf);
}

int step_do(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (!strcmp(argv[0], steps[i].name))
			return steps[i].fn(argc, argv);
	return channel_fail("%s: no such step", argv[0]);
}
