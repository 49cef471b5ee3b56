// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps that end this kernel, by a reset, a kexec or a crash, and what the next
 * one has to watch: reboot, sysrq, kexec, watch.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "../common/content.h"
#include "guest.h"

/* What a test puts into the guest for these steps. */
#define NEXT_KERNEL	"/next/Image"
#define NEXT_INITRD	"/next/initrd"
#define NEXT_APPEND	"/next/append"

/* The last words of this kernel; the next one's log is reported by the next one. */
static void report_end(const char *how)
{
	klog_report();
	channel_line("{\"end\":\"%s\"}", how);
	sync();
}

int step_reboot(int argc, char **argv)
{
	if (argc != 1)
		return channel_fail("%s: takes no argument", argv[0]);
	report_end("reboot");
	reboot(RB_AUTOBOOT);
	return channel_fail("reboot: %s", strerror(errno));
}

/* sysrq b resets, and sysrq c crashes, without any of what goes before a reboot. */
int step_sysrq(int argc, char **argv)
{
	if (argc != 2)
		return channel_fail("sysrq: say which");
	report_end("sysrq");
	file_write("/proc/sysrq-trigger", argv[1]);
	return channel_fail("sysrq %s: nothing happened", argv[1]);
}

static int load_next(unsigned long flags)
{
	int kernel = open(NEXT_KERNEL, O_RDONLY | O_CLOEXEC);
	int initrd = open(NEXT_INITRD, O_RDONLY | O_CLOEXEC);
	char append[2048];
	int size = file_read(NEXT_APPEND, append, sizeof(append));
	int ret;

	if (kernel < 0 || initrd < 0 || size < 0)
		return channel_fail("kexec: there is no next kernel");
	append[strcspn(append, "\n")] = '\0';
	ret = syscall(SYS_kexec_file_load, kernel, initrd, strlen(append) + 1, append, flags);
	close(kernel);
	close(initrd);
	return ret ? channel_fail("kexec_file_load: %s", strerror(errno)) : 0;
}

/* kexec load|crash|now: a kernel to be started, one for after a crash; start it. */
int step_kexec(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "load"))
		return load_next(0);
	if (!strcmp(what, "crash"))
		return load_next(KEXEC_FILE_ON_CRASH);
	if (strcmp(what, "now"))
		return channel_fail("kexec: say load, crash or now");
	report_end("kexec");
	reboot(RB_KEXEC);
	return channel_fail("kexec: %s", strerror(errno));
}

static u64 *fill_memory(u64 words)
{
	u64 *word = mmap(NULL, words * sizeof(*word), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 i;

	if (word == MAP_FAILED)
		return NULL;
	for (i = 0; i < words; i++)
		word[i] = apf_word(1, i);
	return word;
}

/* watch MS: does anybody write to memory that is not his? Most of what is free. */
int step_watch(int argc, char **argv)
{
	struct sysinfo info;
	u64 i, words, *word, bad = 0;

	if (argc != 2 || sysinfo(&info))
		return channel_fail("watch: say for how many ms");
	words = info.freeram / 8 * 7 / sizeof(*word);
	word = fill_memory(words);
	if (!word)
		return channel_fail("watch: %s", strerror(errno));
	usleep(strtoul(argv[1], NULL, 0) * 1000);
	for (i = 0; i < words; i++)
		bad += word[i] != apf_word(1, i);
	munmap(word, words * sizeof(*word));
	channel_line("{\"watch\":{\"mib\":%llu,\"bad\":%llu}}", words >> 17, bad);
	return bad ? channel_fail("watch: %llu words were overwritten", bad) : 0;
}
