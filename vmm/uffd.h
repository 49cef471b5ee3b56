/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cold region's server: one thread that takes requests for missing pages
 * from a userfaultfd and answers each as late as its policy says. In a VM that was
 * restored, it is that of all memory, whose pages come from the file; as it is where
 * pages are taken away again. It touches no guest memory, so it never waits for itself.
 */
#ifndef APFVM_UFFD_H
#define APFVM_UFFD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "marks.h"
#include "pending.h"
#include "policy.h"
#include "prefetch.h"
#include "wire.h"

struct kept;
struct options;
struct state;
struct vm;

/*
 * "repeated": requests for a page that waits already, not in "requests". "prefetched":
 * pages that came before they were asked for, not in "served".
 */
struct uffd_counts {
	uint64_t requests;
	uint64_t repeated;
	uint64_t served;
	uint64_t failed;
	uint64_t prefetched;
};

/* Eight words of a page: the compiler adds them by vector instructions. */
typedef uint64_t uffd_words __attribute__((vector_size(64)));

/**
 * struct uffd - the server
 * @fd:		userfaultfd, or -1 if there is nothing to serve
 * @connection:	to another process, which serves it; or -1
 * @gave_up:	called, with @opaque, if the server cannot go on
 * @from:	the file that the VM was restored from, or NULL
 * @kept:	pages that were taken away from the guest, or NULL
 * @all:	ordinary memory is registered, too
 * @base:	address of the cold region in the process whose memory it is
 * @ordinary:	that of ordinary memory, which lies right before it
 * @ipa:	its IPA
 * @pages:	its pages; those of ordinary memory have the numbers behind
 * @page_size:	of the host
 * @page_shift:	log2 of it
 * @seed:	what the pages hold follows from it
 * @page:	the page being answered
 * @step:	what each word of a page adds to its first one
 * @pending:	who waits
 * @prefetch:	what comes without being asked for
 * @wire:	whose turn it is
 * @marks:	for --marks
 * @stopping:	the thread is to end
 * @started:	the thread is there
 * @counts:	written by the thread, read by any
 */
struct uffd {
	int fd;
	int connection;
	void (*gave_up)(void *opaque);
	void *opaque;
	const struct state *from;
	struct kept *kept;
	bool all;
	uint64_t base;
	uint64_t ordinary;
	uint64_t ipa;
	uint32_t pages;
	uint64_t page_size;
	unsigned int page_shift;
	uint64_t seed;
	uffd_words *page;
	uffd_words *step;
	struct pending pending;
	struct prefetch prefetch;
	struct wire wire;
	struct marks marks;
	bool stopping;
	bool started;
	pthread_t thread;
	struct uffd_counts counts;
};

/*
 * The server's own part, for whoever has a userfaultfd. @marks: room for so many. @mbit: of
 * the wire, or 0.
 */
int uffd_prepare(struct uffd *u, const struct policy_list *policies, size_t marks,
		 uint64_t mbit);
void uffd_free(struct uffd *u);

/* uffd_setup.c: of a VM's memory, and, with --pages-socket, served elsewhere. */
int uffd_create(struct uffd *u, struct vm *vm, const struct options *opt);
void uffd_destroy(struct uffd *u);
/* From now on a page of ordinary memory that is not there is missing, too. */
int uffd_add_ordinary(struct uffd *u);
int uffd_start(struct uffd *u);
/* No answers any more. Whoever waits for a page waits on. */
void uffd_pause(struct uffd *u);
/*
 * Nor anything else. Whoever waits for a page goes on, without its contents:
 * so the vCPUs must have been kicked before.
 */
void uffd_stop(struct uffd *u);
/* A snapshot; @waiting may be NULL. */
struct uffd_counts uffd_read_counts(const struct uffd *u, uint64_t *waiting);

#endif /* APFVM_UFFD_H */
