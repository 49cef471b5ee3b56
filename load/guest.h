/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest-init: PID 1 of a guest that exists for one job. The job is on the
 * kernel's command line, the result goes through the result channel.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>

#include "../common/counter.h"

/* Words of a job: more than fit into the 2 KiB of a kernel's command line. */
#define GUEST_WORDS_MAX		512

/* channel.c: the result channel, JSON lines; also what can go wrong with a step. */
int channel_open(const char *port, const char *tty);
void channel_line(const char *fmt, ...);
void channel_text(const char *key, const char *text);
int channel_await(const char *word);
/* For a program that writes its own lines there. */
void channel_give(int fd);
size_t channel_escape(char *out, size_t size, const char *text);
int channel_fail(const char *fmt, ...);

/* cold.c */
struct cold {
	u64 base;
	u64 size;
};

int cold_find(struct cold *cold);

/* Maps it, at physical addresses. */
const char *cold_file(void);

/* modules.c */
void modules_load(const char *list);
int step_insmod(int argc, char **argv);
int step_rmmod(int argc, char **argv);
int step_reload(int argc, char **argv);

/* klog.c: what the kernel logs from klog_start() on. */
int klog_start(void);
void klog_report(void);
int step_said(int argc, char **argv);

/* files.c: all return -1, with errno set, if the file cannot be had. */
int file_write(const char *path, const char *text);
int file_read(const char *path, void *buf, size_t size);

/* steps.c: 0, or -1 after channel_fail(). */
int step_do(int argc, char **argv);
/* The counters of host and guest, under a name made of both. */
void step_counters(const char *name, const char *when);

/* run.c */
int step_run(int argc, char **argv);
int step_start(int argc, char **argv);
int step_keep(int argc, char **argv);
int step_stop(int argc, char **argv);
int step_wait(int argc, char **argv);
int step_kill(int argc, char **argv);
int step_stats(int argc, char **argv);
int step_evict(int argc, char **argv);
int step_save(int argc, char **argv);
int step_begin(int argc, char **argv);
int step_kill_test(int argc, char **argv);
int step_case(int argc, char **argv);

/* exits.c */
int step_exits(int argc, char **argv);

/* next.c */
int step_reboot(int argc, char **argv);
int step_sysrq(int argc, char **argv);
int step_kexec(int argc, char **argv);
int step_watch(int argc, char **argv);

/* contexts.c */
int context_touch(const char *context, u64 ipa);
int step_context(int argc, char **argv);

/* disk.c */
int step_disk_sum(int argc, char **argv);
int step_disk_copy(int argc, char **argv);

/* trace.c */
int step_trace(int argc, char **argv);

#endif /* GUEST_H */
