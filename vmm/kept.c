// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kept.h"
#include "util.h"

static uint64_t offset_of(const struct kept *k, uint32_t page)
{
	return page * k->page_size;
}

/* Only what is written to in there takes memory of the host. */
int kept_create(struct kept *k, char *memory, uint64_t size, uint64_t page_size)
{
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*k = (struct kept) {
		.memory = memory, .page_size = page_size, .pages = size / page_size,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.copy = copy == MAP_FAILED ? NULL : copy,
		.out = calloc(size / page_size, sizeof(*k->out)),
	};
	if (k->copy && k->out)
		return 0;
	kept_destroy(k);
	return say_error("no memory for the pages that are out");
}

void kept_destroy(struct kept *k)
{
	if (k->copy)
		munmap(k->copy, k->pages * k->page_size);
	k->copy = NULL;
	free(k->out);
	k->out = NULL;
}

int kept_take(struct kept *k, uint32_t page)
{
	uint64_t offset = offset_of(k, page);
	int ret = 0;

	pthread_mutex_lock(&k->lock);
	if (!k->out[page]) {
		memcpy(k->copy + offset, k->memory + offset, k->page_size);
		ret = madvise(k->memory + offset, k->page_size, MADV_DONTNEED);
		k->out[page] = !ret;
		k->count += !ret;
	}
	pthread_mutex_unlock(&k->lock);
	return ret ? say_errno("cannot page out") : 0;
}

uint32_t kept_count(struct kept *k)
{
	uint32_t count;

	pthread_mutex_lock(&k->lock);
	count = k->count;
	pthread_mutex_unlock(&k->lock);
	return count;
}

const void *kept_begin(struct kept *k, uint32_t page)
{
	pthread_mutex_lock(&k->lock);
	return k->copy + offset_of(k, page);
}

void kept_end(struct kept *k, uint32_t page, bool back)
{
	if (back && k->out[page]) {
		k->out[page] = false;
		k->count--;
	}
	pthread_mutex_unlock(&k->lock);
}
