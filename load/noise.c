// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that have nothing to do with missing pages: a timer on each CPU, and
 * a message that goes round all CPUs. Each stop of that one is a futex wakeup and
 * a membarrier(2), hence up to two IPIs. With one CPU there is nobody to send to.
 */
#include <err.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "apfload.h"
#include "periodic.h"

static int membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0, 0);
}

static void noise_begin(const struct noise *n, const char *name)
{
	first_in_line("noise");
	pthread_setname_np(pthread_self(), name);
	sem_post(&n->load->arrived);
	pthread_barrier_wait(&n->load->start);
}

static void *timer_main(void *arg)
{
	struct noise *n = arg;
	struct timespec next;

	noise_begin(n, "timer-noise");
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (atomic_load(&n->load->running)) {
		sleep_to_next(&next, n->load->cfg.timer_noise_us * 1000);
		n->count++;
	}
	return NULL;
}

/* The first has the timer, and with the last task's end sends the last round off. */
static void *ring_main(void *arg)
{
	struct noise *n = arg;
	struct load *load = n->load;
	struct timespec next;
	bool last = false;

	noise_begin(n, "ipi-noise");
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!last) {
		while (sem_wait(&n->turn) && errno == EINTR)
			;
		if (!n->cpu)
			sleep_to_next(&next, load->cfg.ipi_noise_us * 1000);
		if (!n->cpu && !atomic_load(&load->running))
			atomic_store(&load->last_round, true);
		last = atomic_load(&load->last_round);
		if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
			err(1, "--ipi-noise: membarrier");
		n->count++;
		sem_post(&load->ring[(n->cpu + 1) % load->cpus].turn);
	}
	return NULL;
}

static struct noise *noise_alloc(struct load *load)
{
	struct noise *n = calloc(load->cpus, sizeof(*n));
	unsigned int i;

	for (i = 0; n && i < load->cpus; i++) {
		n[i].load = load;
		n[i].cpu = i;
		sem_init(&n[i].turn, 0, i == 0);
	}
	return n;
}

/* Returns the number of threads that noise_start() is going to start. */
unsigned int noise_init(struct load *load)
{
	const struct load_config *cfg = &load->cfg;

	atomic_init(&load->last_round, false);
	if (cfg->timer_noise_us)
		load->timers = noise_alloc(load);
	if (cfg->ipi_noise_us)
		load->ring = noise_alloc(load);
	if ((cfg->timer_noise_us && !load->timers) || (cfg->ipi_noise_us && !load->ring))
		err(1, "noise");
	if (load->ring && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		err(1, "--ipi-noise: membarrier");
	return load->cpus * (!!load->timers + !!load->ring);
}

void noise_start(struct load *load)
{
	unsigned int i;

	for (i = 0; load->timers && i < load->cpus; i++)
		start_thread(&load->timers[i].thread, i, timer_main, &load->timers[i]);
	for (i = 0; load->ring && i < load->cpus; i++)
		start_thread(&load->ring[i].thread, i, ring_main, &load->ring[i]);
}

void noise_end(struct load *load)
{
	unsigned int i;

	for (i = 0; load->timers && i < load->cpus; i++)
		pthread_join(load->timers[i].thread, NULL);
	for (i = 0; load->ring && i < load->cpus; i++)
		pthread_join(load->ring[i].thread, NULL);
}
