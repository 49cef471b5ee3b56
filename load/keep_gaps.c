// SPDX-License-Identifier: GPL-2.0-only
/*
 * apfkeep's bystander. It is there before the visits begin, and sleeps until then.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keep.h"
#include "periodic.h"

#define PERIOD_NS	1000000L
/* More than a minute of wakeups. */
#define GAPS_MAX	65536
/* After so many, all that it needs itself has been touched. */
#define GAPS_FIRST	10

static struct {
	sem_t start;
	sem_t stopped;
	atomic_bool running;
	u64 begin;
	u64 *gap;	/* ticks */
	u64 count;
} gaps;

static void watch(void)
{
	u64 now, last = gaps.begin;
	struct timespec next;

	gaps.count = 0;
	clock_gettime(CLOCK_MONOTONIC, &next);
	do {
		sleep_to_next(&next, PERIOD_NS);
		now = counter_read();
		gaps.gap[gaps.count++] = now - last;
		last = now;
	} while (atomic_load(&gaps.running) && gaps.count < GAPS_MAX);
}

static void *gaps_main(void *arg)
{
	first_in_line("--bystander");
	for (;;) {
		while (sem_wait(&gaps.start) && errno == EINTR)
			;
		watch();
		sem_post(&gaps.stopped);
	}
	return arg;
}

/* Written to, or the pages would be faulted in during the visits. */
void gaps_init(void)
{
	pthread_t thread;

	gaps.gap = malloc(GAPS_MAX * sizeof(*gaps.gap));
	if (!gaps.gap)
		err(1, "--bystander");
	memset(gaps.gap, 0xff, GAPS_MAX * sizeof(*gaps.gap));
	sem_init(&gaps.start, 0, 0);
	sem_init(&gaps.stopped, 0, 0);
	if (pthread_create(&thread, NULL, gaps_main, NULL))
		errx(1, "pthread_create");
}

void gaps_start(u64 begin)
{
	gaps.begin = begin;
	atomic_store(&gaps.running, true);
	sem_post(&gaps.start);
}

void gaps_stop(void)
{
	atomic_store(&gaps.running, false);
	while (sem_wait(&gaps.stopped) && errno == EINTR)
		;
}

static double worst_ms_from(u64 first)
{
	u64 worst = 0, i;

	for (i = first; i < gaps.count; i++) {
		if (gaps.gap[i] > worst)
			worst = gaps.gap[i];
	}
	return counter_ms(worst);
}

void gaps_report(void)
{
	printf("\"bystander\":{\"wakeups\":%llu,\"worst_gap_ms\":%.4f,", gaps.count,
	       worst_ms_from(0));
	printf("\"later_gap_ms\":%.4f},", worst_ms_from(GAPS_FIRST));
}
