/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes pages of all of guest memory away, again and again, while the vCPUs stand
 * still, and those that the guest names (--pageout). They are kept here, and come
 * back when they are touched, as late as their policy says: so none is lost.
 */
#ifndef APFVM_EVICT_H
#define APFVM_EVICT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "evict_plan.h"
#include "kept.h"
#include "uffd.h"
#include "vm.h"

/* @rounds: that took pages; @pages: taken in them; @out: of those, not back yet. */
struct evict_counts {
	uint64_t rounds;
	uint64_t pages;
	uint64_t out;
};

/**
 * struct evict - the evictor
 * @vm:		whose memory
 * @uffd:	the server of its missing pages
 * @plan:	which pages, when: plan.opt.every_ms is 0 if there is no evictor
 * @kept:	what they hold
 * @change_fd:	tells the thread of @on and @stopping
 * @started:	there is a thread to join
 * @stopping:	it is to end
 * @on:		the guest, or the command line, wants it
 * @lock:	held in each round
 * @rounds:	see above, as what follows
 */
struct evict {
	struct vm *vm;
	struct uffd *uffd;
	struct evict_plan plan;
	struct kept kept;
	int change_fd;
	pthread_t thread;
	bool started;
	bool stopping;
	bool on;
	pthread_mutex_t lock;
	uint64_t rounds;
	uint64_t pages;
};

/* After uffd_create(), before uffd_start(): the server is told of it. */
int evict_create(struct evict *evict, struct vm *vm, struct uffd *uffd,
		 const struct options *opt);
void evict_destroy(struct evict *evict);
int evict_start(struct evict *evict);
/* Before the vCPUs are ended. A vCPU that waits for a page is not waited for. */
void evict_stop(struct evict *evict);

/* No round until evict_resume(): a vCPU's thread may end, memory may be written to. */
void evict_pause(struct evict *evict);
void evict_resume(struct evict *evict);

/*
 * From now on, or from now on not: on any thread that is inside the gate, so there is
 * no round under way. Return: whether there is an evictor.
 */
bool evict_set(struct evict *evict, bool on);

/*
 * For --pageout: take the page at @ipa, if that is ordinary memory. On a vCPU's thread
 * that is not inside the gate, as while it does an access to a device.
 */
void evict_page(struct evict *evict, uint64_t ipa);

/* A snapshot, on any thread. */
struct evict_counts evict_read_counts(const struct evict *evict);

#endif /* APFVM_EVICT_H */
