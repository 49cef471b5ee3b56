// SPDX-License-Identifier: GPL-2.0-only
/*
 * What threads that wake periodically have in common: apfload's and apfkeep's.
 */
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

#include "periodic.h"

#define SECOND_NS	1000000000L

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
