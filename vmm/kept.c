// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kept.h"
#include "pagemap.h"
#include "util.h"

#define CHUNK		512
#define WORD_BITS	64

static uint64_t bytes(const struct kept *kept, uint64_t pages)
{
	return pages << kept->page_shift;
}

static bool has(const uint64_t *bits, uint64_t page)
{
	return bits[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void set(uint64_t *bits, uint64_t page)
{
	bits[page / WORD_BITS] |= UINT64_C(1) << page % WORD_BITS;
}

static void clear(uint64_t *bits, uint64_t page)
{
	bits[page / WORD_BITS] &= ~(UINT64_C(1) << page % WORD_BITS);
}

/* Read by any thread. */
static void set_out(struct kept *kept, uint64_t out)
{
	__atomic_store_n(&kept->out, out, __ATOMIC_RELAXED);
}

static uint64_t *alloc_bits(uint64_t pages)
{
	return calloc((pages + WORD_BITS - 1) / WORD_BITS, sizeof(uint64_t));
}

/* A copy is given back page by page: small ones. */
static int map_copy(struct kept *kept)
{
	void *copy = mmap(NULL, bytes(kept, kept->pages), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (copy == MAP_FAILED)
		return -1;
	kept->copy = copy;
	madvise(copy, bytes(kept, kept->pages), MADV_NOHUGEPAGE);
	return 0;
}

int kept_create(struct kept *kept, const struct memory *mem)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);

	*kept = (struct kept) {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.host = mem->host,
		.pages = (mem->size + mem->cold_size) / page_size,
		.page_shift = __builtin_ctzll(page_size),
	};
	kept->there = alloc_bits(kept->pages);
	kept->has = alloc_bits(kept->pages);
	if (kept->there && kept->has && !map_copy(kept))
		return 0;
	kept_destroy(kept);
	return say_error("--evict: no memory for what is taken away");
}

void kept_destroy(struct kept *kept)
{
	if (kept->copy)
		munmap(kept->copy, bytes(kept, kept->pages));
	free(kept->there);
	free(kept->has);
	*kept = (struct kept) { .copy = NULL };
}

static int find_chunk(struct kept *kept, int pagemap, uint64_t first, uint64_t n)
{
	uint64_t entry[CHUNK];
	uint64_t i;

	if (pagemap_read(pagemap, kept->host + bytes(kept, first), n, entry))
		return say_errno("/proc/self/pagemap");
	for (i = 0; i < n; i++) {
		if (entry[i] & PAGEMAP_THERE)
			set(kept->there, first + i);
	}
	return 0;
}

int kept_find(struct kept *kept, uint64_t pages)
{
	int pagemap = pagemap_open(), ret = 0;
	uint64_t first, n;

	if (pagemap < 0)
		return say_errno("/proc/self/pagemap");
	pthread_mutex_lock(&kept->lock);
	for (first = 0; !ret && first < pages; first += n) {
		n = pages - first < CHUNK ? pages - first : CHUNK;
		ret = find_chunk(kept, pagemap, first, n);
	}
	pthread_mutex_unlock(&kept->lock);
	close(pagemap);
	return ret;
}

/* The kernel unmaps them at stage 2, too, before they are gone. */
static int take_run(struct kept *kept, const struct evict_run *run)
{
	uint64_t at = bytes(kept, run->first), size = bytes(kept, run->count), i;

	memcpy(kept->copy + at, kept->host + at, size);
	if (madvise(kept->host + at, size, MADV_DONTNEED))
		return say_errno("--evict: cannot take pages away");
	for (i = run->first; i < run->first + run->count; i++) {
		clear(kept->there, i);
		set(kept->has, i);
	}
	set_out(kept, kept->out + run->count);
	return run->count;
}

int kept_take(struct kept *kept, struct evict_plan *plan)
{
	struct evict_run run;
	int ret = 0;

	pthread_mutex_lock(&kept->lock);
	if (evict_plan_next(plan, kept->there, &run))
		ret = take_run(kept, &run);
	pthread_mutex_unlock(&kept->lock);
	return ret;
}

bool kept_get(const struct kept *kept, uint64_t page, void *to)
{
	if (!has(kept->has, page))
		return false;
	memcpy(to, kept->copy + bytes(kept, page), bytes(kept, 1));
	return true;
}

void kept_came(struct kept *kept, uint64_t page)
{
	set(kept->there, page);
	if (!has(kept->has, page))
		return;
	clear(kept->has, page);
	set_out(kept, kept->out - 1);
	madvise(kept->copy + bytes(kept, page), bytes(kept, 1), MADV_DONTNEED);
}
