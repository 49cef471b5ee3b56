// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/kvm.h>
#include <linux/mman.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"
#include "util.h"

/* Where the cold memory is moved to: nothing else is there. */
#define ELSEWHERE	(UINT64_C(1) << 38)

static int fail(const char *what)
{
	return say_errno("churn: %s", what);
}

/* Half a period: long enough for pages to come meanwhile. */
static void linger(const struct churn *churn)
{
	usleep(churn->every_ms * 500);
}

static int set_slot(struct churn *churn, uint64_t size, uint64_t ipa, uint32_t flags)
{
	struct vm *vm = churn->vm;

	return memory_set_cold(&vm->memory, vm->fd, size, ipa, flags);
}

static int set_plain(struct churn *churn)
{
	const struct memory *mem = &churn->vm->memory;

	return set_slot(churn, mem->cold_size, memory_cold_ipa(mem), 0);
}

static int delete_slot(struct churn *churn)
{
	return set_slot(churn, 0, memory_cold_ipa(&churn->vm->memory), 0);
}

static int change_deleted(struct churn *churn)
{
	if (delete_slot(churn))
		return -1;
	linger(churn);
	return set_plain(churn);
}

static int change_moved(struct churn *churn)
{
	if (set_slot(churn, churn->vm->memory.cold_size, ELSEWHERE, 0))
		return -1;
	linger(churn);
	return set_plain(churn);
}

/* KVM changes this flag of a new slot only. */
static int change_read_only(struct churn *churn)
{
	const struct memory *mem = &churn->vm->memory;

	churn->read_only = !churn->read_only;
	if (delete_slot(churn))
		return -1;
	return set_slot(churn, mem->cold_size, memory_cold_ipa(mem),
			churn->read_only ? KVM_MEM_READONLY : 0);
}

/* KVM clears what it reports. */
static int read_log(struct churn *churn)
{
	struct kvm_dirty_log log = { .slot = MEMORY_COLD_SLOT, .dirty_bitmap = churn->log };
	uint64_t i, words = churn->vm->memory.cold_size / getpagesize() / 64;

	if (ioctl(churn->vm->fd, KVM_GET_DIRTY_LOG, &log))
		return fail("KVM_GET_DIRTY_LOG");
	for (i = 0; i < words; i++)
		churn->dirty += __builtin_popcountll(churn->log[i]);
	return 0;
}

static int change_logged(struct churn *churn)
{
	const struct memory *mem = &churn->vm->memory;

	if (churn->logged && read_log(churn))
		return -1;
	churn->logged = !churn->logged;
	return set_slot(churn, mem->cold_size, memory_cold_ipa(mem),
			churn->logged ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

/* Refused where not all small pages have come yet. */
static int collapse(struct churn *churn)
{
	const struct memory *mem = &churn->vm->memory;
	char *cold = mem->host + mem->size;
	uint64_t at;

	for (at = 0; at < mem->cold_size; at += 2 * MIB)
		madvise(cold + at, 2 * MIB, MADV_COLLAPSE);
	return 0;
}

static int change(struct churn *churn)
{
	int ret = -1;

	pthread_mutex_lock(&churn->lock);
	switch (churn->how) {
	case CHURN_NONE:
		break;
	case CHURN_DELETE:
		ret = change_deleted(churn);
		break;
	case CHURN_MOVE:
		ret = change_moved(churn);
		break;
	case CHURN_READ_ONLY:
		ret = change_read_only(churn);
		break;
	case CHURN_LOG:
		ret = change_logged(churn);
		break;
	case CHURN_COLLAPSE:
		ret = collapse(churn);
		break;
	}
	churn->changes++;
	pthread_mutex_unlock(&churn->lock);
	return ret;
}

/*
 * With the vCPUs out: an access in between would be one to no memory. The lock is
 * taken only then, since who is inside the gate may ask for statistics.
 */
static int change_behind_gate(struct churn *churn)
{
	int ret = 0;

	if (gate_close(&churn->vm->gate, churn->vm))
		ret = change(churn);
	gate_open(&churn->vm->gate);
	return ret;
}

static int change_now(struct churn *churn)
{
	return churn->how == CHURN_COLLAPSE || churn->how == CHURN_LOG ?
	       change(churn) : change_behind_gate(churn);
}

/* Without a fault in flight it would only cost time. */
static bool is_time(const struct churn *churn)
{
	uint64_t waiting;

	uffd_read_counts(churn->uffd, &waiting);
	return waiting;
}

static void *thread(void *arg)
{
	struct churn *churn = arg;
	struct pollfd stop = { .fd = churn->stop_fd, .events = POLLIN };

	while (!poll(&stop, 1, churn->every_ms)) {
		if (is_time(churn) && change_now(churn)) {
			vm_end(churn->vm, STATUS_ERROR);
			break;
		}
	}
	return NULL;
}

int churn_create(struct churn *churn, struct vm *vm, const struct uffd *uffd,
		 const struct options *opt)
{
	*churn = (struct churn) {
		.vm = vm, .uffd = uffd,
		.how = opt->churn.how, .every_ms = opt->churn.every_ms,
		.logged = opt->dirty_log, .stop_fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (!opt->churn.how && !opt->dirty_log)
		return 0;
	churn->log = calloc(opt->cold_mib * MIB / getpagesize() / 64, sizeof(*churn->log));
	churn->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (churn->log && churn->stop_fd >= 0)
		return 0;
	churn_destroy(churn);
	return fail("no memory, or no eventfd");
}

void churn_destroy(struct churn *churn)
{
	if (churn->stop_fd >= 0)
		close(churn->stop_fd);
	free(churn->log);
}

int churn_start(struct churn *churn)
{
	if (!churn->how)
		return 0;
	errno = pthread_create(&churn->thread, NULL, thread, churn);
	if (errno)
		return fail("no thread");
	churn->started = true;
	return 0;
}

void churn_stop(struct churn *churn)
{
	if (!churn->started)
		return;
	if (eventfd_write(churn->stop_fd, 1))
		fail("eventfd");
	pthread_join(churn->thread, NULL);
	churn->started = false;
}

uint64_t churn_read_dirty(struct churn *churn, uint64_t *changes)
{
	uint64_t dirty;

	pthread_mutex_lock(&churn->lock);
	if (churn->logged)
		read_log(churn);
	dirty = churn->dirty;
	*changes = churn->changes;
	pthread_mutex_unlock(&churn->lock);
	return dirty;
}
