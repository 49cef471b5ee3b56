/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes to the cold memory while pages of it are under way: its memslot goes
 * and comes back, is moved, read-only, logged; its pages become huge ones.
 */
#ifndef APFVM_CHURN_H
#define APFVM_CHURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "uffd.h"
#include "vm.h"

/**
 * struct churn - the thread that makes the changes
 * @vm:		whose cold memory
 * @uffd:	knows whether there are pages under way
 * @how:	what it does, from the options
 * @every_ms:	and how often
 * @stop_fd:	tells the thread to end
 * @started:	there is a thread to join
 * @lock:	guards the dirty log and what follows
 * @read_only:	the slot is read-only
 * @logged:	KVM logs which pages are written to
 * @changes:	how many there were
 * @log:	place for KVM's dirty log, a bit for each page
 * @dirty:	bits that were found in it
 */
struct churn {
	struct vm *vm;
	const struct uffd *uffd;
	enum churn_how how;
	uint64_t every_ms;
	int stop_fd;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	bool read_only;
	bool logged;
	uint64_t changes;
	uint64_t *log;
	uint64_t dirty;
};

int churn_create(struct churn *churn, struct vm *vm, const struct uffd *uffd,
		 const struct options *opt);
void churn_destroy(struct churn *churn);
int churn_start(struct churn *churn);
/* Before the vCPUs are ended, which it may keep waiting. */
void churn_stop(struct churn *churn);
/* Pages found dirty so far, and changes made. */
uint64_t churn_read_dirty(struct churn *churn, uint64_t *changes);

#endif /* APFVM_CHURN_H */
