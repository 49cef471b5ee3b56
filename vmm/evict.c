// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "evict.h"
#include "options.h"
#include "util.h"

#define NS_PER_MS	UINT64_C(1000000)
#define NS_PER_S	UINT64_C(1000000000)

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static bool is_on(const struct evict *evict)
{
	return __atomic_load_n(&evict->on, __ATOMIC_ACQUIRE);
}

static bool is_stopping(const struct evict *evict)
{
	return __atomic_load_n(&evict->stopping, __ATOMIC_ACQUIRE);
}

static int change(const struct evict *evict)
{
	return eventfd_write(evict->change_fd, 1) ? say_errno("--evict: eventfd") : 0;
}

/*
 * Ordinary memory is registered as late as this, so that a guest boots with huge
 * pages, at full speed. Nothing but the server adds a page after it.
 */
static int begin(struct evict *evict)
{
	if (evict->uffd->all)
		return 0;
	if (uffd_add_ordinary(evict->uffd))
		return -1;
	return kept_find(&evict->kept, evict->vm->memory.size / evict->uffd->page_size);
}

static int take_pages(struct evict *evict)
{
	int taken;

	if (begin(evict))
		return -1;
	evict_plan_begin(&evict->plan);
	add(&evict->rounds, 1);
	while ((taken = kept_take(&evict->kept, &evict->plan)) > 0)
		add(&evict->pages, taken);
	return taken;
}

/*
 * With nobody in KVM_RUN and no device at work: what is copied does not change before
 * it is dropped. That the guest has said "off" is known here, as it was inside.
 */
static int run_round(struct evict *evict)
{
	int ret = 0;

	pthread_mutex_lock(&evict->lock);
	if (gate_close(&evict->vm->gate, evict->vm) && is_on(evict))
		ret = take_pages(evict);
	gate_open(&evict->vm->gate);
	pthread_mutex_unlock(&evict->lock);
	return ret;
}

/* Until @due, or something has changed, which is returned. */
static bool wait_until(const struct evict *evict, uint64_t due)
{
	struct pollfd poll = { .fd = evict->change_fd, .events = POLLIN };
	uint64_t now = clock_ns(), left = due > now ? due - now : 0;
	struct timespec timeout = {
		.tv_sec = left / NS_PER_S,
		.tv_nsec = left % NS_PER_S,
	};
	eventfd_t changes;

	if (ppoll(&poll, 1, is_on(evict) ? &timeout : NULL, NULL) <= 0)
		return false;
	return !eventfd_read(evict->change_fd, &changes);
}

/* The time of a round that came too late is not made up for. */
static void *thread(void *arg)
{
	struct evict *evict = arg;
	uint64_t every = evict->plan.opt.every_ms * NS_PER_MS;
	uint64_t due = clock_ns() + every;

	prctl(PR_SET_TIMERSLACK, 1);
	while (!is_stopping(evict)) {
		if (wait_until(evict, due)) {
			due = clock_ns() + every;
			continue;
		}
		if (run_round(evict)) {
			vm_end(evict->vm, STATUS_ERROR);
			break;
		}
		due += every;
		if (due < clock_ns())
			due = clock_ns() + every;
	}
	return NULL;
}

int evict_create(struct evict *evict, struct vm *vm, struct uffd *uffd,
		 const struct options *opt)
{
	const struct memory *mem = &vm->memory;
	uint64_t page_size = sysconf(_SC_PAGESIZE);

	*evict = (struct evict) {
		.vm = vm, .uffd = uffd, .change_fd = -1, .on = opt->evict.now,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (!opt->evict.every_ms)
		return 0;
	evict_plan_init(&evict->plan, &opt->evict, mem->size / page_size,
			mem->cold_size / page_size);
	if (kept_create(&evict->kept, mem))
		return -1;
	evict->change_fd = eventfd(0, EFD_CLOEXEC);
	if (evict->change_fd < 0) {
		kept_destroy(&evict->kept);
		return say_errno("--evict: eventfd");
	}
	uffd->kept = &evict->kept;
	return 0;
}

void evict_destroy(struct evict *evict)
{
	if (evict->change_fd < 0)
		return;
	close(evict->change_fd);
	kept_destroy(&evict->kept);
}

int evict_start(struct evict *evict)
{
	if (evict->change_fd < 0)
		return 0;
	errno = pthread_create(&evict->thread, NULL, thread, evict);
	if (errno)
		return say_errno("--evict: no thread");
	evict->started = true;
	return 0;
}

void evict_stop(struct evict *evict)
{
	if (!evict->started)
		return;
	__atomic_store_n(&evict->stopping, true, __ATOMIC_RELEASE);
	gate_give_up(&evict->vm->gate);
	change(evict);
	pthread_join(evict->thread, NULL);
	evict->started = false;
}

void evict_pause(struct evict *evict)
{
	pthread_mutex_lock(&evict->lock);
}

void evict_resume(struct evict *evict)
{
	pthread_mutex_unlock(&evict->lock);
}

bool evict_set(struct evict *evict, bool on)
{
	if (evict->change_fd < 0)
		return false;
	__atomic_store_n(&evict->on, on, __ATOMIC_RELEASE);
	return !change(evict);
}

struct evict_counts evict_read_counts(const struct evict *evict)
{
	return (struct evict_counts) {
		.rounds = __atomic_load_n(&evict->rounds, __ATOMIC_RELAXED),
		.pages = __atomic_load_n(&evict->pages, __ATOMIC_RELAXED),
		.out = __atomic_load_n(&evict->kept.out, __ATOMIC_RELAXED),
	};
}
