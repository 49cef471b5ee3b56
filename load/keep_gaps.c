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

static struct {
	sem_t start;
	sem_t stopped;
	atomic_bool running;
	u64 begin;
	u64 *gap;	/* ticks, in order of their size once it has stopped */
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

static int by_size(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void *gaps_main(void *arg)
{
	first_in_line("--bystander");
	for (;;) {
		while (sem_wait(&gaps.start) && errno == EINTR)
			;
		watch();
		qsort(gaps.gap, gaps.count, sizeof(*gaps.gap), by_size);
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

void gaps_report(void)
{
	u64 n = gaps.count;

	printf("\"bystander\":{\"wakeups\":%llu,\"worst_gap_ms\":%.4f,\"p99_gap_ms\":%.4f},", n,
	       counter_ms(gaps.gap[n - 1]), counter_ms(gaps.gap[(n * 99 + 99) / 100 - 1]));
}
