// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bystander: touches no missing page, wants the CPU every millisecond, and
 * notes when it got it. Its gaps are what a stalled vCPU costs everybody else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apfload.h"
#include "periodic.h"

#define PERIOD_NS	1000000L

/*
 * Two minutes of wakeups, for the percentiles and the log. The worst gap and
 * the number of wakeups are kept beyond that.
 */
#define STAMPS_MAX	131072

/* Written to, or the pages would be faulted in while the run is measured. */
int bystander_init(struct bystander *b, struct load *load)
{
	b->load = load;
	b->stamps = malloc(STAMPS_MAX * sizeof(*b->stamps));
	if (!b->stamps)
		return -ENOMEM;
	memset(b->stamps, 0xff, STAMPS_MAX * sizeof(*b->stamps));
	return 0;
}

static void note_gap(struct bystander *b, u64 from, u64 to)
{
	if (to > from && to - from > b->worst)
		b->worst = to - from;
}

/*
 * The gaps run from the start of the tasks to the end of the last one: a stall
 * at either end counts, the bystander's own start and end do not.
 */
void *bystander_main(void *arg)
{
	struct bystander *b = arg;
	struct load *load = b->load;
	u64 now, last;
	struct timespec next;

	first_in_line("--bystander");
	pthread_setname_np(pthread_self(), "bystander");
	sem_post(&load->arrived);
	pthread_barrier_wait(&load->start);

	last = load->t0;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		sleep_to_next(&next, PERIOD_NS);
		now = counter_read();
		if (!atomic_load(&load->running))
			break;
		note_gap(b, last, now);
		if (b->stored < STAMPS_MAX)
			b->stamps[b->stored++] = now;
		b->wakeups++;
		last = now;
	}
	note_gap(b, last, atomic_load(&load->t1));
	return NULL;
}
