// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../common/content.h"
#include "kept.h"
#include "state.h"
#include "uffd.h"
#include "util.h"

#define MESSAGES	16

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* Words of a page between two turns: those of a small one. */
#define FILL_WORDS	512

/*
 * apf_word() of a word and of the first word of its page differ by the same
 * amount in every page, so one addition per word does. This is most of what a
 * page costs the server itself, and the guest waits for it. YIELD does nothing on
 * hardware; a CPU of the emulator gives away its turn, or vCPUs would stand still
 * for as long as a huge page takes.
 */
static void fill(struct uffd *u, uint64_t ipa)
{
	uint64_t first = apf_word(u->seed, ipa);
	size_t i;

	for (i = 0; i < u->page_size / sizeof(*u->page); i++) {
		u->page[i] = u->step[i] + first;
		if (i % FILL_WORDS == FILL_WORDS - 1)
			__asm__ volatile("yield" : : : "memory");
	}
}

static uint64_t address_of(const struct uffd *u, uint32_t page)
{
	if (page < u->pages)
		return u->base + ((uint64_t)page << u->page_shift);
	return u->ordinary + ((uint64_t)(page - u->pages) << u->page_shift);
}

static uint32_t page_at(const struct uffd *u, uint64_t address)
{
	if (address >= u->base)
		return (address - u->base) >> u->page_shift;
	return u->pages + ((address - u->ordinary) >> u->page_shift);
}

/* Its place in memory, where ordinary pages are the first. */
static uint64_t place_of(const struct uffd *u, uint32_t page)
{
	return (address_of(u, page) - u->ordinary) >> u->page_shift;
}

static int get_ordinary(struct uffd *u, uint64_t offset)
{
	if (u->from)
		return state_read_ordinary(u->from, offset, u->page, u->page_size);
	memset(u->page, 0, u->page_size);
	return 0;
}

/*
 * What the page holds: as it was taken away, as saved, or, if it never was there, as it
 * is to be.
 */
static int get_page(struct uffd *u, uint32_t page)
{
	uint64_t offset = (uint64_t)page << u->page_shift;
	int ret = 0;

	if (u->kept && kept_get(u->kept, place_of(u, page), u->page))
		return 0;
	if (page >= u->pages)
		ret = get_ordinary(u, offset - ((uint64_t)u->pages << u->page_shift));
	else if (u->from && state_has_cold(u->from, offset))
		ret = state_read_cold(u->from, offset, u->page);
	else
		fill(u, u->ipa + offset);
	return ret ? say_errno("%s", u->from->name) : 0;
}

static int ask_for_copy(struct uffd *u, uint64_t address)
{
	struct uffdio_copy copy = {
		.dst = address,
		.src = (uintptr_t)u->page,
		.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_COPY, &copy);
}

static int ask_for_poison(struct uffd *u, uint64_t address)
{
	struct uffdio_poison poison = {
		.range.start = address,
		.range.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_POISON, &poison);
}

static int wake(struct uffd *u, uint64_t address)
{
	struct uffdio_range range = {
		.start = address,
		.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_WAKE, &range);
}

/*
 * EAGAIN: the address space is changing just now, the kernel did nothing.
 * EEXIST: the page is there already, from an answer that crossed this request
 * on its way; who asked still has to be woken.
 */
static int answer_page(struct uffd *u, const struct arrival *arrival)
{
	enum policy_answer how = arrival->answer;
	uint32_t page = arrival->page;
	uint64_t address = address_of(u, page);
	int ret;

	if (how == POLICY_SERVE && get_page(u, page))
		return -1;
	do {
		ret = how == POLICY_SERVE ? ask_for_copy(u, address) :
					    ask_for_poison(u, address);
	} while (ret && errno == EAGAIN);
	if (!ret && how == POLICY_SERVE && u->kept)
		kept_came(u->kept, place_of(u, page));
	if (ret && errno == EEXIST)
		ret = wake(u, address);
	/* Another process's memory, and it has ended: nothing to complain of. */
	if (ret && errno == ESRCH)
		return -1;
	if (ret)
		return say_errno("userfaultfd: cannot answer for page %" PRIu32, page);
	if (arrival->prefetched) {
		count(&u->counts.prefetched);
		marks_add(&u->marks, MARK_PREFETCH, page);
	} else if (how == POLICY_SERVE) {
		count(&u->counts.served);
		marks_add(&u->marks, MARK_SERVE, page);
	} else {
		count(&u->counts.failed);
		marks_add(&u->marks, MARK_FAIL, page);
	}
	return 0;
}

/* Who holds the lock takes pages away, and no page may go between its copy and its answer. */
static int answer_locked(struct uffd *u, const struct arrival *arrival)
{
	int ret;

	if (!u->kept)
		return answer_page(u, arrival);
	pthread_mutex_lock(&u->kept->lock);
	ret = answer_page(u, arrival);
	pthread_mutex_unlock(&u->kept->lock);
	return ret;
}

/*
 * A request may cross the page that it asks for. If that is on the wire, its answer wakes
 * who asked; if it was prefetched, there is no other answer.
 */
static bool has_crossed(struct uffd *u, uint32_t page)
{
	if (wire_carries(&u->wire, page))
		return true;
	if (!prefetch_has_come(&u->prefetch, page))
		return false;
	wake(u, address_of(u, page));
	return true;
}

static void take_request(struct uffd *u, const struct uffd_msg *msg, uint64_t now)
{
	uint32_t page = page_at(u, msg->arg.pagefault.address);

	if (msg->event != UFFD_EVENT_PAGEFAULT)
		return;
	if (has_crossed(u, page)) {
		count(&u->counts.repeated);
		return;
	}
	now = prefetch_overtake(&u->prefetch, page, now);
	if (pending_add(&u->pending, page, now)) {
		count(&u->counts.requests);
		marks_add(&u->marks, MARK_REQUEST, page);
	} else {
		count(&u->counts.repeated);
	}
}

/* EAGAIN: who asked was killed, or has been woken, in the meantime. */
static int take_requests(struct uffd *u, uint64_t now)
{
	struct uffd_msg msg[MESSAGES];
	ssize_t n = read(u->fd, msg, sizeof(msg));
	size_t i;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return say_errno("userfaultfd: cannot read a request");
	for (i = 0; n > 0 && i < n / sizeof(msg[0]); i++)
		take_request(u, &msg[i], now);
	return 0;
}

/*
 * Returns the time after the last answer, or 0 if the server cannot go on. What
 * is asked for between two answers is taken then and there: a page's delay
 * begins when it is asked for, not when all others have been answered.
 */
static uint64_t answer_due(struct uffd *u, uint64_t now)
{
	struct arrival arrival;

	while (wire_take(&u->wire, now, &arrival)) {
		if (answer_locked(u, &arrival))
			return 0;
		now = clock_ns();
		prefetch_ask(&u->prefetch, now);
		if (take_requests(u, now))
			return 0;
	}
	return now;
}

/*
 * Until there is a request or an answer is due; returns whether there is a
 * request. SIGNAL_KICK is let in only here, so uffd_stop() cannot come between
 * the look at @stopping and the wait.
 */
static bool wait_for_request(struct uffd *u, uint64_t now, const sigset_t *kick_allowed)
{
	struct pollfd poll = { .fd = u->fd, .events = POLLIN };
	uint64_t due = wire_due(&u->wire);
	struct timespec timeout = { .tv_sec = 0 };

	if (due > now && due != PENDING_NEVER) {
		timeout.tv_sec = (due - now) / UINT64_C(1000000000);
		timeout.tv_nsec = (due - now) % UINT64_C(1000000000);
	}
	return ppoll(&poll, 1, due == PENDING_NEVER ? NULL : &timeout,
		     kick_allowed) > 0;
}

static void *thread(void *arg)
{
	struct uffd *u = arg;
	uint64_t now = clock_ns();
	sigset_t kick_allowed;

	/* Else a delay is up to 50 us too long. */
	prctl(PR_SET_TIMERSLACK, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &kick_allowed);
	sigdelset(&kick_allowed, SIGNAL_KICK);
	prefetch_ask(&u->prefetch, now);
	while (!__atomic_load_n(&u->stopping, __ATOMIC_ACQUIRE)) {
		bool requested = wait_for_request(u, now, &kick_allowed);

		now = clock_ns();
		if (requested && take_requests(u, now))
			break;
		now = answer_due(u, now);
		if (!now)
			break;
	}
	if (!__atomic_load_n(&u->stopping, __ATOMIC_ACQUIRE))
		u->gave_up(u->opaque);
	return NULL;
}

static int alloc_buffers(struct uffd *u)
{
	uint64_t i, *step;

	u->page_shift = __builtin_ctzll(u->page_size);
	u->page = aligned_alloc(u->page_size, u->page_size);
	u->step = aligned_alloc(u->page_size, u->page_size);
	if (!u->page || !u->step)
		return -1;
	step = (uint64_t *)u->step;
	for (i = 0; i < u->page_size; i += sizeof(*step))
		*step++ = apf_word(u->seed, i) - apf_word(u->seed, 0);
	return 0;
}

int uffd_prepare(struct uffd *u, const struct policy_list *policies, size_t marks,
		 uint64_t mbit)
{
	if (alloc_buffers(u) || marks_create(&u->marks, marks) ||
	    pending_init(&u->pending, policies, u->seed))
		return say_error("no memory for the cold region's server");
	wire_init(&u->wire, &u->pending, &u->prefetch, u->page_size, mbit);
	return 0;
}

void uffd_free(struct uffd *u)
{
	prefetch_free(&u->prefetch);
	pending_free(&u->pending);
	marks_destroy(&u->marks);
	free(u->step);
	free(u->page);
}

int uffd_start(struct uffd *u)
{
	int error;

	if (u->fd < 0 || u->connection >= 0)
		return 0;
	error = pthread_create(&u->thread, NULL, thread, u);
	if (error)
		return say_error("cannot start the cold region's server: %s",
				 strerror(error));
	u->started = true;
	return 0;
}

void uffd_pause(struct uffd *u)
{
	if (!u->started)
		return;
	__atomic_store_n(&u->stopping, true, __ATOMIC_RELEASE);
	pthread_kill(u->thread, SIGNAL_KICK);
	pthread_join(u->thread, NULL);
	u->started = false;
}

/* Requests last: the other way round "waiting" could be less than nothing. */
struct uffd_counts uffd_read_counts(const struct uffd *u, uint64_t *waiting)
{
	struct uffd_counts now;

	now.served = __atomic_load_n(&u->counts.served, __ATOMIC_ACQUIRE);
	now.failed = __atomic_load_n(&u->counts.failed, __ATOMIC_ACQUIRE);
	now.prefetched = __atomic_load_n(&u->counts.prefetched, __ATOMIC_RELAXED);
	now.requests = __atomic_load_n(&u->counts.requests, __ATOMIC_ACQUIRE);
	now.repeated = __atomic_load_n(&u->counts.repeated, __ATOMIC_ACQUIRE);
	if (waiting)
		*waiting = now.requests - now.served - now.failed;
	return now;
}
