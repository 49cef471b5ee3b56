// SPDX-License-Identifier: GPL-2.0-only
/*
 * apfload: what missing pages cost a guest.
 *
 * Tasks touch pages that the host does not have, and compute a little between.
 * Runs in a guest, on a mapping of /dev/mem or of any file.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apfload.h"

/* Small, so that the stacks of many tasks fit into a small guest. */
#define STACK_SIZE	(64 * 1024)

static void load_map(struct load *load)
{
	const struct load_config *cfg = &load->cfg;
	size_t size = cfg->pages * cfg->page_size;
	off_t offset = cfg->offset + cfg->skip * cfg->page_size;
	int fd = open(cfg->map, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(1, "--map %s", cfg->map);
	/* Behind the end of a file a touch would be a SIGBUS. */
	if (S_ISREG(st.st_mode) && (u64)st.st_size < offset + size)
		errx(1, "--map %s: too short, %llu bytes are to be touched from %llu on",
		     cfg->map, (u64)size, (u64)offset);
	load->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (load->base == MAP_FAILED)
		err(1, "--map %s: cannot map %zu bytes", cfg->map, size);
	close(fd);
}

/* Written to, or the log itself would fault while the run is measured. */
static struct touch *log_alloc(u64 touches)
{
	struct touch *log = malloc(touches * sizeof(*log));

	if (!log)
		err(1, "--log");
	memset(log, 0xff, touches * sizeof(*log));
	return log;
}

static void load_init(struct load *load)
{
	const struct load_config *cfg = &load->cfg;
	unsigned int i;

	load->task = calloc(cfg->tasks, sizeof(*load->task));
	if (!load->task)
		err(1, "--tasks %u", cfg->tasks);
	load->fp_bytes = fp_vector_bytes();
	for (i = 0; i < cfg->tasks; i++) {
		load->task[i].load = load;
		load->task[i].id = i;
		if (cfg->log)
			load->task[i].log = log_alloc(task_max_touches(cfg, i));
	}
	load->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	load->helpers = cfg->bystander + noise_init(load);
	if (cfg->bystander && bystander_init(&load->bystander, load))
		err(1, "--bystander");

	sem_init(&load->arrived, 0, 0);
	pthread_barrier_init(&load->start, NULL, cfg->tasks + load->helpers + 1);
	pthread_barrier_init(&load->page, NULL, cfg->tasks);
	atomic_init(&load->running, cfg->tasks);
	atomic_init(&load->stop_at, ULONG_MAX);
	atomic_init(&load->t1, 0);
}

void start_thread(pthread_t *thread, int cpu, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	cpu_set_t set;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	errno = pthread_create(thread, &attr, fn, arg);
	if (errno && cpu >= 0)
		err(1, "cannot start a thread on CPU %d", cpu);
	if (errno)
		err(1, "cannot start a thread");
	pthread_attr_destroy(&attr);
}

/*
 * The clock starts when all threads are there and before any of them goes on:
 * a stall in the first touch is then part of the run for all of them.
 */
static void load_run(struct load *load)
{
	const struct load_config *cfg = &load->cfg;
	unsigned int i;

	if (cfg->bystander)
		start_thread(&load->bystander.thread, cfg->pin_each ? 0 : cfg->pin,
			     bystander_main, &load->bystander);
	for (i = 0; i < cfg->tasks; i++)
		start_thread(&load->task[i].thread,
			     cfg->pin_each ? (int)(i % load->cpus) : cfg->pin,
			     task_main, &load->task[i]);
	noise_start(load);
	for (i = 0; i < cfg->tasks + load->helpers; i++)
		while (sem_wait(&load->arrived) && errno == EINTR)
			;

	load->t0 = counter_read();
	pthread_barrier_wait(&load->start);

	for (i = 0; i < cfg->tasks; i++)
		pthread_join(load->task[i].thread, NULL);
	if (cfg->bystander)
		pthread_join(load->bystander.thread, NULL);
	noise_end(load);
}

static int load_status(const struct load *load)
{
	u64 bad = 0, fp_bad = 0;
	unsigned int i;

	for (i = 0; i < load->cfg.tasks; i++) {
		bad += load->task[i].bad;
		fp_bad += load->task[i].fp_bad;
	}
	if (bad)
		warnx("%llu pages are wrong: bad, or --seed or --ipa is not theirs", bad);
	if (fp_bad)
		warnx("%llu times vector registers were not kept", fp_bad);
	return bad || fp_bad ? 1 : 0;
}

/* Read and written by one program, so that next to nothing comes in between. */
static int write_mark(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[40];

	if (fd < 0)
		err(1, "--mark %s", path);
	snprintf(text, sizeof(text), "cntvct %llu", counter_read());
	if (write(fd, text, strlen(text)) < 0)
		err(1, "--mark %s", path);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	static struct load load;

	load_options_read(argc, argv, &load.cfg);
	if (load.cfg.mark)
		return write_mark(load.cfg.mark);
	load_map(&load);
	load_init(&load);
	load_run(&load);
	output_summary(&load);
	if (fflush(stdout))
		err(1, "standard output");
	if (load.cfg.log && output_log(&load))
		err(1, "--log %s", load.cfg.log);
	return load_status(&load);
}
