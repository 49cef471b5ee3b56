// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bystander: touches no missing page, wants the CPU every millisecond, and
 * notes when it got it. Its gaps are what a stalled vCPU costs everybody else.
 */
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "apfload.h"

#define PERIOD_NS	1000000L
#define SECOND_NS	1000000000L

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

/*
 * Ahead of the tasks at once, or its gaps would tell how fair the guest's
 * scheduler is, and not when the vCPU stood still. For the same reason without
 * the default slack of 50 us.
 */
void first_in_line(const char *who)
{
	const struct sched_param first = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		err(1, "%s: cannot have real-time priority (CAP_SYS_NICE)", who);
	prctl(PR_SET_TIMERSLACK, 1UL);
}

/* Like a periodic timer: what was missed is not made up for. */
void sleep_to_next(struct timespec *next, long period_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	do {
		next->tv_nsec += period_ns;
		if (next->tv_nsec >= SECOND_NS) {
			next->tv_nsec -= SECOND_NS;
			next->tv_sec++;
		}
	} while (next->tv_sec < now.tv_sec ||
		 (next->tv_sec == now.tv_sec && next->tv_nsec <= now.tv_nsec));

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
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
