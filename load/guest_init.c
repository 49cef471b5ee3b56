// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest-init: PID 1 of the guest. Does the steps that its arguments (the words
 * after "--" on the kernel's command line) list, separated by ":", then those in
 * the file /job, if there is one, a line each; reports through the result channel,
 * and turns the guest off. Another step is done even if one before it failed: what
 * is known then is worth having.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/array_size.h"
#include "guest.h"

#define RESULT_PORT	"apf.result"
#define RESULT_CONSOLE	"/dev/hvc1"
#define JOB		"/job"
#define MODULES		"/modules"

static const char * const mounts[][2] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "devtmpfs", "/dev" },
	{ "debugfs", "/sys/kernel/debug" },
	{ "tracefs", "/sys/kernel/tracing" },
};

/* A kernel without debugfs or tracefs still runs the workload. */
static void mount_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
}

/* The initramfs need not have a device node: devtmpfs has it now. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/*
 * Cuts the words at their commas: a kernel refuses more than 32 arguments for
 * init (CONFIG_INIT_ENV_ARG_LIMIT), so that a long job is "run,--tasks,8,...".
 */
static int cut_words(int argc, char **argv, char **word)
{
	int i, n = 0;
	char *w;

	for (i = 1; i < argc; i++) {
		/* By this, UEFI tells of the initramfs, behind all else. */
		if (!strncmp(argv[i], "initrd=", 7))
			continue;
		for (w = strtok(argv[i], ","); w && n < GUEST_WORDS_MAX; w = strtok(NULL, ","))
			word[n++] = w;
	}
	return n;
}

static int do_steps(int words, char **word)
{
	int first = 0, status = 0, i;

	for (i = 0; i <= words; i++) {
		if (i < words && strcmp(word[i], ":"))
			continue;
		if (i > first)
			status |= step_do(i - first, word + first);
		first = i + 1;
	}
	return status ? 1 : 0;
}

/* A long job does not fit into a kernel's command line. */
static int do_job(void)
{
	char *word[GUEST_WORDS_MAX], line[1024];
	FILE *job = fopen(JOB, "re");
	int status = 0;

	while (job && fgets(line, sizeof(line), job)) {
		char *all = strtok(line, "\n");

		if (all)
			status |= do_steps(cut_words(2, (char *[]){ NULL, all }, word), word);
	}
	if (job)
		fclose(job);
	return status;
}

int main(int argc, char **argv)
{
	char *word[GUEST_WORDS_MAX];
	int status;

	mount_all();
	modules_load(MODULES);
	open_console();
	/* That waits. If there was no console yet, there is one after it. */
	channel_open(RESULT_PORT, RESULT_CONSOLE);
	open_console();
	if (klog_start())
		channel_fail("there is no kernel log to read");
	status = do_steps(cut_words(argc, argv, word), word);
	status |= do_job();
	klog_report();
	channel_line("{\"done\":true,\"status\":%d}", status);
	sync();
	return reboot(RB_POWER_OFF);
}
