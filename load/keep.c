// SPDX-License-Identifier: GPL-2.0-only
/*
 * apfkeep: tasks that keep data in memory, for a guest that is saved or
 * migrated meanwhile. Each task goes round its own pages, in an order that no
 * migration expects, checks every word of one against what it wrote there in the
 * last round, and writes the next round's. Ends at SIGTERM, or when each task has made
 * its --visits, with a last look at all of it. With --move, the visits begin when
 * SIGUSR1 comes, and the second time a part of them goes to other pages.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/content.h"
#include "keep.h"

static struct keep_config cfg;

static struct keeper {
	pthread_t thread;
	unsigned int id;
	u64 *memory;
	u64 first;		/* page of this time's */
	u64 *round;		/* of each page: what is in it */
	u64 visits;
	u64 bad;
	int pipe[2];
} keepers[KEEP_TASKS_MAX];

static atomic_bool ending, begun;
static atomic_ullong visited;
static u64 begun_at, done_at[KEEP_PARTS];

static void on_signal(int number)
{
	atomic_store(number == SIGTERM ? &ending : &begun, true);
}

/* All pages of a task: those of both times. */
static u64 pages_of_all(void)
{
	return cfg.pages + cfg.move;
}

/* Where a page is: in words. */
static u64 word_of(u64 page)
{
	return page * cfg.stride * cfg.page_size / sizeof(u64);
}

/* No two words of all tasks and rounds are equal. */
static u64 content(const struct keeper *k, u64 round, u64 word)
{
	return apf_word(round, (k->id * word_of(pages_of_all()) + word) << 24);
}

/* The first access to a page that may be missing: our own, or write(2)'s. */
static u64 touch(const struct keeper *k, const u64 *word)
{
	u64 value = 0;

	if (!cfg.half_syscall || k->id % 2 == 0)
		return __atomic_load_n(word, __ATOMIC_RELAXED);
	if (write(k->pipe[1], word, sizeof(*word)) != sizeof(*word) ||
	    read(k->pipe[0], &value, sizeof(value)) != sizeof(value))
		return ~*word;
	return value;
}

static bool page_is_good(const struct keeper *k, u64 page)
{
	u64 words = cfg.page_size / sizeof(u64), first = word_of(page), i, diff;

	diff = touch(k, k->memory + first) ^ content(k, k->round[page], first);
	for (i = first; i < first + words; i++)
		diff |= k->memory[i] ^ content(k, k->round[page], i);
	return !diff;
}

static void page_write(struct keeper *k, u64 page)
{
	u64 words = cfg.page_size / sizeof(u64), first = word_of(page), i;

	k->round[page]++;
	for (i = first; i < first + words; i++)
		k->memory[i] = content(k, k->round[page], i);
}

static void visit(struct keeper *k, u64 page)
{
	k->bad += !page_is_good(k, page);
	k->visits++;
}

/* Without --visits, there is nobody to count for. */
static void count_visit(void)
{
	u64 part = cfg.visits * cfg.tasks / KEEP_PARTS, now;

	if (!cfg.visits)
		return;
	now = atomic_fetch_add(&visited, 1) + 1;
	if (now % part == 0)
		done_at[now / part - 1] = counter_read();
}

/* As much for each: else those whose pages have come do the work of those that wait. */
static bool has_done_its_visits(const struct keeper *k)
{
	return cfg.visits && k->visits == cfg.visits;
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	u64 page;

	while (!atomic_load(&ending) && !has_done_its_visits(k)) {
		page = k->first + k->visits * KEEP_STEP % cfg.pages;
		visit(k, page);
		page_write(k, page);
		count_visit();
		if (cfg.rest_us)
			usleep(cfg.rest_us);
	}
	return NULL;
}

static void *last_look(void *arg)
{
	struct keeper *k = arg;
	u64 page;

	for (page = 0; page < pages_of_all(); page++)
		visit(k, page);
	return NULL;
}

static void keeper_init(struct keeper *k, unsigned int id)
{
	size_t size = word_of(pages_of_all()) * sizeof(u64);
	u64 page;

	k->id = id;
	k->round = calloc(pages_of_all(), sizeof(*k->round));
	k->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!k->round || k->memory == MAP_FAILED || pipe2(k->pipe, O_CLOEXEC))
		err(1, "memory, or a pipe");
	/* What lies between is there, too: so the pages are as far apart in the guest's memory. */
	for (page = 0; page < pages_of_all() * cfg.stride; page++)
		k->memory[page * cfg.page_size / sizeof(u64)] = page;
	for (page = 0; page < pages_of_all(); page++)
		page_write(k, page);
}

static void run_all(void *(*fn)(void *))
{
	unsigned int i;

	for (i = 0; i < cfg.tasks; i++)
		if (pthread_create(&keepers[i].thread, NULL, fn, &keepers[i]))
			errx(1, "pthread_create");
	for (i = 0; i < cfg.tasks; i++)
		pthread_join(keepers[i].thread, NULL);
}

/* Until SIGUSR1 or SIGTERM is there, or has been. */
static void await(const atomic_bool *flag, const sigset_t *waiting)
{
	while (!atomic_load(flag) && !atomic_load(&ending))
		sigsuspend(waiting);
}

static void work(u64 first)
{
	unsigned int i;

	for (i = 0; i < cfg.tasks; i++) {
		keepers[i].first = first;
		keepers[i].visits = 0;
	}
	atomic_store(&visited, 0);
	begun_at = counter_read();
	if (cfg.bystander)
		gaps_start(begun_at);
	run_all(keeper_main);
	if (cfg.bystander)
		gaps_stop();
}

/* Both times; the threads have no signals, which are the main thread's. */
static void work_twice(void)
{
	sigset_t ours, waiting;
	u64 first;

	sigemptyset(&ours);
	sigaddset(&ours, SIGUSR1);
	sigaddset(&ours, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ours, &waiting);
	for (first = 0; first <= cfg.move; first += cfg.move) {
		await(&begun, &waiting);
		if (atomic_load(&ending))
			return;
		atomic_store(&begun, false);
		work(first);
	}
	await(&ending, &waiting);
}

static void report_progress(void)
{
	unsigned int i;

	printf("\"frequency\":%llu,\"begun\":%llu,\"progress\":[", counter_hz(), begun_at);
	for (i = 0; i < KEEP_PARTS; i++)
		printf("%s%llu", i ? "," : "", done_at[i]);
	printf("],");
}

static void report(void)
{
	u64 visits = 0, bad = 0, rounds = ~0ULL;
	unsigned int i;

	for (i = 0; i < cfg.tasks; i++) {
		visits += keepers[i].visits;
		bad += keepers[i].bad;
		if (keepers[i].round[pages_of_all() - 1] < rounds)
			rounds = keepers[i].round[pages_of_all() - 1];
	}
	printf("{\"label\":\"keep\",\"tasks\":%u,\"rounds\":%llu,", cfg.tasks, rounds);
	if (cfg.visits)
		report_progress();
	if (cfg.bystander)
		gaps_report();
	printf("\"faults\":%llu,\"pages_verified\":%llu,", visits, visits - bad);
	printf("\"pages_bad\":%llu}\n", bad);
}

int main(int argc, char **argv)
{
	unsigned int i;

	signal(SIGTERM, on_signal);
	signal(SIGUSR1, on_signal);
	keep_options_read(argc, argv, &cfg);
	for (i = 0; i < cfg.tasks; i++)
		keeper_init(&keepers[i], i);
	if (cfg.wait_ms)
		usleep(cfg.wait_ms * 1000);
	if (cfg.bystander)
		gaps_init();
	if (cfg.move)
		work_twice();
	else
		work(0);
	run_all(last_look);
	report();
	return 0;
}
