/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apfload: tasks that touch missing pages, and a bystander that wants the CPU
 * every millisecond. What one run is made of.
 */
#ifndef APFLOAD_H
#define APFLOAD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "../common/counter.h"
#include "../common/option_table.h"

#define LOAD_TASKS_MAX		4096
/* Tasks that touch one page share its check: words of each, at least. */
#define LOAD_SLICE_MIN		2

/* What the command line asks for. */
struct load_config {
	const char *map;
	const char *label;
	const char *log;
	const char *mark;
	u64 offset;
	u64 length;
	u64 ipa;
	u64 seed;
	u64 skip;		/* pages of the mapping that stay untouched */
	u64 pages;		/* of all tasks together */
	u64 page_size;
	u64 compute_us;
	u64 fixed_ms;	/* 0: fixed work */
	u64 timer_noise_us;	/* 0: none */
	u64 ipi_noise_us;
	unsigned int tasks;
	int pin;		/* -1: wherever the scheduler likes */
	bool pin_each;
	bool blocked;
	bool same_page;
	bool bystander;
	bool write;
	bool syscall;
	bool fp;
	bool half_syscall;
	bool check_full;
};

/* One touch, in ticks of the counter: just before the access, just after it. */
struct touch {
	u64 before;
	u64 after;
};

struct load;

struct task {
	struct load *load;
	pthread_t thread;
	unsigned int id;
	u64 verified;
	u64 bad;
	u64 fp_bad;	/* touches that FP registers did not survive */
	u64 work;		/* units of nominally 1 us */
	u64 touches;
	struct touch *log;	/* NULL: no --log */
	int pipe[2];		/* for --syscall */
};

struct bystander {
	struct load *load;
	pthread_t thread;
	u64 *stamps;	/* the counter at each wakeup */
	u64 stored;
	u64 wakeups;
	u64 worst;		/* ticks */
};

/* One per CPU, of each kind. */
struct noise {
	struct load *load;
	pthread_t thread;
	unsigned int cpu;
	sem_t turn;
	u64 count;
};

struct load {
	struct load_config cfg;
	unsigned int cpus;
	unsigned char *base;
	struct task *task;
	struct bystander bystander;
	struct noise *timers;		/* NULL: no --timer-noise */
	struct noise *ring;		/* NULL: no --ipi-noise */
	unsigned int helpers;		/* threads that are no tasks */
	sem_t arrived;
	pthread_barrier_t start;
	pthread_barrier_t page;		/* --same-page only */
	unsigned int fp_bytes;	/* of a vector register, for --fp */
	u64 t0;
	atomic_ulong t1;		/* of the task that ended last so far */
	atomic_uint running;
	atomic_ulong stop_at;	/* --same-page: first page not touched */
	atomic_bool last_round;	/* --ipi-noise */
};

/* options.c: exits with status 2 and a message if @argv is not right. */
extern const struct option_table load_options;
void load_options_read(int argc, char **argv, struct load_config *cfg);

/* apfload.c: on any CPU if @cpu is negative. */
void start_thread(pthread_t *thread, int cpu, void *(*fn)(void *), void *arg);

/* work.c */
void *task_main(void *arg);
u64 task_max_touches(const struct load_config *cfg, unsigned int id);

/* fp.c */
unsigned int fp_vector_bytes(void);
u64 fp_access(struct task *t, u64 *word, u64 value);

/* bystander.c */
int bystander_init(struct bystander *b, struct load *load);
void *bystander_main(void *arg);

/* noise.c */
unsigned int noise_init(struct load *load);
void noise_start(struct load *load);
void noise_end(struct load *load);

/* output.c */
void output_summary(const struct load *load);
int output_log(const struct load *load);

#endif /* APFLOAD_H */
