// SPDX-License-Identifier: GPL-2.0-only
/* Tasks that wait for a page, and what a page holds. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../../../common/content.h"
#include "cases.h"

static void touch_page(void *arg)
{
	struct toucher *toucher = arg;

	if (toucher->gate)
		gate_wait(toucher->gate);
	__atomic_store_n(&toucher->begun, 1, __ATOMIC_RELEASE);
	cold_out_now(toucher->frame);
	if (toucher->put)
		store_once(toucher->at, toucher->put);
	else
		toucher->got = load_once(toucher->at);
	__atomic_store_n(&toucher->ended, 1, __ATOMIC_RELEASE);
}

void toucher_start(struct toucher *toucher, bool is_thread)
{
	pid_t pid;

	toucher->frame = cold_frame(toucher->at);
	if (is_thread) {
		toucher->pid = task_start(CLONE_THREAD, touch_page, toucher, NULL);
		return;
	}
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		touch_page(toucher);
		_exit(0);
	}
	toucher->pid = pid;
}

static void wait_for_word(const uint32_t *word, const char *what)
{
	u64 start = counter_read();

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
		check(counter_ms(counter_read() - start) < PATIENCE_MS, "no access has %s", what);
		sleep_ms(1);
	}
}

void toucher_begun(const struct toucher *toucher)
{
	wait_for_word(&toucher->begun, "begun");
	/* So that it is at the access, and not on its way there. */
	sleep_ms(1);
}

void toucher_ended(const struct toucher *toucher)
{
	wait_for_word(&toucher->ended, "ended");
}

void fill(void *at, size_t size, uint64_t seed)
{
	uint64_t *word = at;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		word[i] = apf_word(seed, i);
}

size_t count_bad(const void *at, size_t size, uint64_t seed)
{
	const uint64_t *word = at;
	size_t i, bad = 0;

	for (i = 0; i < size / sizeof(*word); i++)
		bad += word[i] != apf_word(seed, i);
	return bad;
}
