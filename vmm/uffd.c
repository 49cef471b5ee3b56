// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bench/content.h"
#include "uffd.h"
#include "util.h"

#define MESSAGES	16

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/*
 * apf_word() of a word and of the first word of its page differ by the same
 * amount in every page, so one addition per word does. This is most of what a
 * page costs the server itself, and the guest waits for it.
 */
static void fill(struct uffd *u, uint64_t ipa)
{
	uint64_t first = apf_word(u->seed, ipa);
	size_t i;

	for (i = 0; i < u->page_size / sizeof(*u->page); i++)
		u->page[i] = u->step[i] + first;
}

static int ask_for_copy(struct uffd *u, uint64_t offset)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)u->base + offset,
		.src = (uintptr_t)u->page,
		.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_COPY, &copy);
}

static int ask_for_poison(struct uffd *u, uint64_t offset)
{
	struct uffdio_poison poison = {
		.range.start = (uintptr_t)u->base + offset,
		.range.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_POISON, &poison);
}

static int wake(struct uffd *u, uint64_t offset)
{
	struct uffdio_range range = {
		.start = (uintptr_t)u->base + offset,
		.len = u->page_size,
	};

	return ioctl(u->fd, UFFDIO_WAKE, &range);
}

/*
 * EAGAIN: the address space is changing just now, the kernel did nothing.
 * EEXIST: the page is there already, from an answer that crossed this request
 * on its way; who asked still has to be woken.
 */
static int answer_page(struct uffd *u, uint32_t page, enum policy_answer how)
{
	uint64_t offset = (uint64_t)page << u->page_shift;
	int ret;

	if (how == POLICY_SERVE)
		fill(u, u->ipa + offset);
	do {
		ret = how == POLICY_SERVE ? ask_for_copy(u, offset) :
					    ask_for_poison(u, offset);
	} while (ret && errno == EAGAIN);
	if (ret && errno == EEXIST)
		ret = wake(u, offset);
	if (ret)
		return say_errno("userfaultfd: cannot answer for page %" PRIu32, page);
	if (how == POLICY_SERVE) {
		count(&u->counts.served);
		marks_add(&u->marks, MARK_SERVE, page);
	} else {
		count(&u->counts.failed);
		marks_add(&u->marks, MARK_FAIL, page);
	}
	return 0;
}

/* Returns the time after the last answer, or 0 if the server cannot go on. */
static uint64_t answer_due(struct uffd *u, uint64_t now)
{
	struct release *release = &u->release;
	uint32_t i;

	while (pending_take(&u->pending, now, release)) {
		for (i = 0; i < release->count; i++) {
			if (answer_page(u, release->page[i], release->answer))
				return 0;
		}
		now = clock_ns();
	}
	return now;
}

static void take_request(struct uffd *u, const struct uffd_msg *msg, uint64_t now)
{
	uint64_t offset = msg->arg.pagefault.address - (uintptr_t)u->base;
	uint32_t page = offset >> u->page_shift;

	if (msg->event != UFFD_EVENT_PAGEFAULT)
		return;
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
 * Until there is a request or an answer is due; returns whether there is a
 * request. SIGNAL_KICK is let in only here, so uffd_stop() cannot come between
 * the look at @stopping and the wait.
 */
static bool wait_for_request(struct uffd *u, uint64_t now, const sigset_t *kick_allowed)
{
	struct pollfd poll = { .fd = u->fd, .events = POLLIN };
	uint64_t due = pending_due(&u->pending);
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
		vm_end(u->vm, STATUS_ERROR);
	return NULL;
}

/* Only root may have one for faults that the kernel takes, as KVM's are. */
static int open_userfaultfd(struct uffd *u)
{
	u->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (u->fd < 0)
		return say_errno("userfaultfd (be root, or set vm.unprivileged_userfaultfd to 1)");
	return 0;
}

static bool wants_poison(const struct policy_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		if (list->policy[i].answer == POLICY_FAIL)
			return true;
	}
	return false;
}

static int register_region(struct uffd *u, bool poison)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = poison ? UFFD_FEATURE_POISON : 0,
	};
	struct uffdio_register reg = {
		.range.start = (uintptr_t)u->base,
		.range.len = u->size,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(u->fd, UFFDIO_API, &api))
		return say_errno(poison ? "userfaultfd: policy 'fail' needs Linux 6.6 or later" :
				 "UFFDIO_API");
	if (ioctl(u->fd, UFFDIO_REGISTER, &reg))
		return say_errno("UFFDIO_REGISTER of the cold region");
	return 0;
}

static int alloc_buffers(struct uffd *u)
{
	uint64_t i, *step;

	u->page = aligned_alloc(u->page_size, u->page_size);
	u->step = aligned_alloc(u->page_size, u->page_size);
	if (!u->page || !u->step)
		return say_error("no memory for the cold region's server");
	step = (uint64_t *)u->step;
	for (i = 0; i < u->page_size; i += sizeof(*step))
		*step++ = apf_word(u->seed, i) - apf_word(u->seed, 0);
	return 0;
}

static int set_up(struct uffd *u, const struct options *opt)
{
	/* A page that does not come back again has two marks. */
	size_t marks = opt->marks ? 2 * (size_t)opt->policies.pages : 0;

	if (open_userfaultfd(u) ||
	    register_region(u, wants_poison(&opt->policies)) ||
	    alloc_buffers(u) || marks_create(&u->marks, marks))
		return -1;
	if (pending_init(&u->pending, &opt->policies, opt->seed))
		return say_error("no memory for the cold region's server");
	return 0;
}

int uffd_create(struct uffd *u, struct vm *vm, const struct options *opt)
{
	memset(u, 0, sizeof(*u));
	u->fd = -1;
	u->vm = vm;
	u->ipa = memory_cold_ipa(&vm->memory);
	u->base = vm->memory.host + vm->memory.size;
	u->size = vm->memory.cold_size;
	u->page_size = vm->memory.cold_page;
	u->page_shift = __builtin_ctzll(u->page_size);
	u->seed = opt->seed;
	if (!u->size || opt->cold_file)
		return 0;
	if (set_up(u, opt)) {
		uffd_destroy(u);
		return -1;
	}
	return 0;
}

void uffd_destroy(struct uffd *u)
{
	pending_free(&u->pending);
	marks_destroy(&u->marks);
	free(u->step);
	free(u->page);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

int uffd_start(struct uffd *u)
{
	int error;

	if (u->fd < 0)
		return 0;
	error = pthread_create(&u->thread, NULL, thread, u);
	if (error)
		return say_error("cannot start the cold region's server: %s",
				 strerror(error));
	u->started = true;
	return 0;
}

/*
 * A vCPU may sit in a stage-2 fault where no signal but SIGKILL reaches it.
 * Only the end of the registration gets it out.
 */
void uffd_stop(struct uffd *u)
{
	struct uffdio_range range = { .start = (uintptr_t)u->base, .len = u->size };

	if (u->started) {
		__atomic_store_n(&u->stopping, true, __ATOMIC_RELEASE);
		pthread_kill(u->thread, SIGNAL_KICK);
		pthread_join(u->thread, NULL);
		u->started = false;
	}
	if (u->fd >= 0 && ioctl(u->fd, UFFDIO_UNREGISTER, &range))
		say_errno("UFFDIO_UNREGISTER");
}

/* Requests last: the other way round "waiting" could be less than nothing. */
struct uffd_counts uffd_read_counts(const struct uffd *u, uint64_t *waiting)
{
	struct uffd_counts now;

	now.served = __atomic_load_n(&u->counts.served, __ATOMIC_ACQUIRE);
	now.failed = __atomic_load_n(&u->counts.failed, __ATOMIC_ACQUIRE);
	now.requests = __atomic_load_n(&u->counts.requests, __ATOMIC_ACQUIRE);
	now.repeated = __atomic_load_n(&u->counts.repeated, __ATOMIC_ACQUIRE);
	if (waiting)
		*waiting = now.requests - now.served - now.failed;
	return now;
}
