/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of ordinary memory that are out: taken from the guest, and kept here
 * until it touches them. Bookkeeping and the bytes; pageout.h says who takes them.
 */
#ifndef APFVM_KEPT_H
#define APFVM_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct kept - the pages
 * @memory:	the guest's
 * @page_size:	of the host
 * @pages:	of @memory
 * @lock:	guards all below, and that a page is missing if and only if @out says
 *		so. Whoever holds it touches no page that is out
 * @copy:	what they hold, at the offsets of @memory
 * @out:	by page
 * @count:	how many are out
 */
struct kept {
	char *memory;
	uint64_t page_size;
	uint32_t pages;
	pthread_mutex_t lock;
	char *copy;
	bool *out;
	uint32_t count;
};

int kept_create(struct kept *k, char *memory, uint64_t size, uint64_t page_size);
void kept_destroy(struct kept *k);

/*
 * Takes a page out, if it is not yet. Nobody writes to it meanwhile: the caller
 * has stopped all vCPUs.
 */
int kept_take(struct kept *k, uint32_t page);
uint32_t kept_count(struct kept *k);

/*
 * For the server of missing pages: between the two, the page does not change. Return:
 * what it holds. @back: the guest has it again.
 */
const void *kept_begin(struct kept *k, uint32_t page);
void kept_end(struct kept *k, uint32_t page, bool back);

#endif /* APFVM_KEPT_H */
