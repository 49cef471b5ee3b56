// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task of the workload: touch a page, check it, compute a little, and again.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "apfload.h"
#include "../common/content.h"

/*
 * YIELD does nothing on hardware. The emulator, whose CPUs take turns on one
 * timeline, gives the turn away at it. Without it another CPU of the host, with
 * a page to fetch, would stand still for as long as this one has work.
 */
static void take_turns(void)
{
	__asm__ volatile("yield" : : : "memory");
}

/*
 * 1000 instructions for each US: so US is exact in a lab that runs one
 * instruction per nanosecond, shorter on a faster CPU, and the same amount of
 * work in every run on any of them. Calibration would make it differ.
 */
static void compute(u64 us)
{
	u64 loops;

	while (us--) {
		__asm__ volatile("	mov	%0, #498\n"
				 "1:	subs	%0, %0, #1\n"
				 "	b.ne	1b"
				 : "=&r" (loops) : : "cc");
		take_turns();
	}
}

/* The words of a page that one task touches and checks: all but with --same-page. */
struct slice {
	u64 *word;
	u64 ipa;
	u64 words;
};

static struct slice slice_of(const struct task *t, u64 page)
{
	const struct load_config *cfg = &t->load->cfg;
	u64 words = cfg->page_size / sizeof(u64);
	u64 first = 0, end = words;
	struct slice s;

	if (cfg->same_page) {
		first = t->id * words / cfg->tasks;
		end = (t->id + 1) * words / cfg->tasks;
	}
	s.word = (u64 *)(t->load->base + page * cfg->page_size) + first;
	s.ipa = cfg->ipa + (cfg->skip + page) * cfg->page_size + first * sizeof(u64);
	s.words = end - first;
	return s;
}

/*
 * The first access is a single load or store, and the only one that can find
 * the page missing. /dev/mem maps with remap_pfn_range(), so that stage 1 is
 * there from the start, and the fault is one of stage 2.
 */
static u64 access_word(const struct task *t, u64 *word, u64 value)
{
	if (t->load->cfg.write)
		__atomic_store_n(word, value, __ATOMIC_RELAXED);
	else
		value = __atomic_load_n(word, __ATOMIC_RELAXED);
	return value;
}

/*
 * The kernel's access in place of ours, through a pipe of the task's own. If it
 * fails, or is cut short, the word is not what it should be.
 */
static u64 access_by_syscall(const struct task *t, u64 *word, u64 value)
{
	u64 *from = t->load->cfg.write ? &value : word;
	u64 *into = t->load->cfg.write ? word : &value;

	if (write(t->pipe[1], from, sizeof(*from)) != sizeof(*from) ||
	    read(t->pipe[0], into, sizeof(*into)) != sizeof(*into))
		return ~value;
	return value;
}

static bool by_syscall(const struct task *t)
{
	const struct load_config *cfg = &t->load->cfg;

	return cfg->syscall || (cfg->half_syscall && t->id % 2);
}

static u64 touch(struct task *t, const struct slice *s, u64 value)
{
	u64 before;

	take_turns();
	before = counter_read();
	if (by_syscall(t))
		value = access_by_syscall(t, s->word, value);
	else if (t->load->cfg.fp)
		value = fp_access(t, s->word, value);
	else
		value = access_word(t, s->word, value);

	if (t->log) {
		t->log[t->touches].before = before;
		t->log[t->touches].after = counter_read();
	}
	take_turns();
	return value;
}

/*
 * The differences are collected, not branched on: every instruction here is
 * paid for once per word, and the run is measured in instructions.
 */
static bool words_match(const struct slice *s, u64 first, u64 seed)
{
	const u64 *word = s->word;
	u64 i, diff = 0;

	for (i = first; i + 4 <= s->words; i += 4) {
		diff |= word[i] ^ apf_word(seed, s->ipa + 8 * i);
		diff |= word[i + 1] ^ apf_word(seed, s->ipa + 8 * i + 8);
		diff |= word[i + 2] ^ apf_word(seed, s->ipa + 8 * i + 16);
		diff |= word[i + 3] ^ apf_word(seed, s->ipa + 8 * i + 24);
	}
	for (; i < s->words; i++)
		diff |= word[i] ^ apf_word(seed, s->ipa + 8 * i);
	return !diff;
}

/* A stored word is put back, so that a later run finds the page as it was. */
static bool touch_and_check(struct task *t, u64 page)
{
	const struct load_config *cfg = &t->load->cfg;
	const struct slice s = slice_of(t, page);
	u64 original = apf_word(cfg->seed, s.ipa);
	u64 expected = cfg->write ? ~original : original;
	bool good;

	good = touch(t, &s, cfg->write ? expected : 0) == expected;
	if (cfg->write) {
		good = __atomic_load_n(s.word, __ATOMIC_RELAXED) == expected;
		__atomic_store_n(s.word, original, __ATOMIC_RELAXED);
	}
	if (cfg->check_full)
		good &= words_match(&s, 1, cfg->seed);
	return good;
}

u64 task_max_touches(const struct load_config *cfg, unsigned int id)
{
	u64 share = cfg->pages / cfg->tasks;

	return cfg->same_page ? cfg->pages : share + (id < cfg->pages % cfg->tasks);
}

static u64 page_of(const struct task *t, u64 n)
{
	const struct load_config *cfg = &t->load->cfg;
	u64 share = cfg->pages / cfg->tasks, rest = cfg->pages % cfg->tasks;

	if (cfg->same_page)
		return n;
	if (!cfg->blocked)
		return n * cfg->tasks + t->id;
	return t->id * share + (t->id < rest ? t->id : rest) + n;
}

static bool time_is_up(const struct load *load)
{
	const struct load_config *cfg = &load->cfg;

	return cfg->fixed_ms && counter_read() - load->t0 >= cfg->fixed_ms * counter_hz() / 1000;
}

/*
 * All tasks must agree on the last page, or some wait for the others for ever.
 * Task 0 decides, before the barrier; a page number instead of a flag, because
 * it may decide on the next page while another task still asks about this one.
 */
static bool same_page_goes_on(struct task *t, u64 n)
{
	struct load *load = t->load;

	if (t->id == 0 && time_is_up(load))
		atomic_store(&load->stop_at, n);
	pthread_barrier_wait(&load->page);
	return n < atomic_load(&load->stop_at);
}

static bool goes_on(struct task *t, u64 n)
{
	if (n == task_max_touches(&t->load->cfg, t->id))
		return false;
	if (t->load->cfg.same_page)
		return same_page_goes_on(t, n);
	return !time_is_up(t->load);
}

static void task_end(struct load *load)
{
	unsigned long now = counter_read();
	unsigned long last = atomic_load(&load->t1);

	while (last < now && !atomic_compare_exchange_weak(&load->t1, &last, now))
		;
	atomic_fetch_sub(&load->running, 1);
}

void *task_main(void *arg)
{
	struct task *t = arg;
	struct load *load = t->load;
	char name[16];

	snprintf(name, sizeof(name), "task-%u", t->id);
	pthread_setname_np(pthread_self(), name);
	if (by_syscall(t) && pipe2(t->pipe, O_CLOEXEC))
		err(1, "pipe");
	sem_post(&load->arrived);
	pthread_barrier_wait(&load->start);

	while (goes_on(t, t->touches)) {
		if (touch_and_check(t, page_of(t, t->touches)))
			t->verified++;
		else
			t->bad++;
		t->touches++;
		compute(load->cfg.compute_us);
		t->work += load->cfg.compute_us;
	}
	task_end(load);
	return NULL;
}
