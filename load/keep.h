/* SPDX-License-Identifier: GPL-2.0-only */
/* apfkeep: what its command line asks for. */
#ifndef KEEP_H
#define KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/counter.h"
#include "../common/option_table.h"

#define KEEP_TASKS_MAX	64
/* The way from page to page: prime, so that a round leaves none out. */
#define KEEP_STEP	7919
/* Parts of all visits together, each of which has the time when it was done. */
#define KEEP_PARTS	64

struct keep_config {
	unsigned int tasks;
	u64 pages;		/* of each task */
	u64 visits;		/* of each task, 0: no end */
	unsigned int wait_ms;	/* between filling the memory and the first round */
	unsigned int rest_us;	/* after each page */
	unsigned int stride;	/* each how manieth page of memory is one of ours */
	u64 move;		/* 0: the work is done once, and at once */
	bool bystander;
	bool half_syscall;	/* every second task has the kernel touch first */
	size_t page_size;
};

/* keep_options.c: exits with status 2 and a message if @argv is not right. */
extern const struct option_table keep_options;
void keep_options_read(int argc, char **argv, struct keep_config *cfg);

/* keep_gaps.c: a real-time thread that a 1 ms timer wakes, and the gaps between its wakeups. */
void gaps_init(void);
void gaps_start(u64 begin);
void gaps_stop(void);
/* Its part of the result: those of the last visits. */
void gaps_report(void);

#endif /* KEEP_H */
