// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory into the file of a saved VM. Which pages there are is asked of the
 * kernel, since to touch one that is missing is to wait for it, for ever: there is
 * no server any more.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"
#include "util.h"

/* Documentation/admin-guide/mm/pagemap.rst: present, or swapped out. */
#define PAGEMAP_THERE	(UINT64_C(3) << 62)
#define CHUNK		512

struct writer {
	const struct memory *mem;
	struct state *to;
	const struct state *from;
	struct state_pages *pages;
	int pagemap;
	uint64_t there[CHUNK];
	void *page;
};

static bool is_zero(const void *page, size_t size)
{
	const char *first = page;

	return !*first && !memcmp(first, first + 1, size - 1);
}

static int write_page(struct writer *w, uint64_t offset, const void *page)
{
	uint64_t size = w->to->header.page_size;

	if (is_zero(page, size))
		return 0;
	if (lseek(w->to->fd, w->to->header.memory + offset, SEEK_SET) < 0 ||
	    write_all(w->to->fd, page, size))
		return say_errno("%s", w->to->name);
	return 0;
}

/* Not touched since the VM was restored: still in the file it came from. */
static int copy_page(struct writer *w, uint64_t offset)
{
	if (state_read_ordinary(w->from, offset, w->page))
		return say_errno("%s", w->from->name);
	return write_page(w, offset, w->page);
}

static int save_ordinary(struct writer *w, uint64_t offset, bool there)
{
	w->pages->ordinary += there;
	if (there)
		return write_page(w, offset, w->mem->host + offset);
	return w->from ? copy_page(w, offset) : 0;
}

/* @offset is that in all of memory: cold memory is behind the ordinary. */
static int save_cold(struct writer *w, uint64_t offset, bool there)
{
	uint64_t cold = offset - w->mem->size;
	uint8_t *has = &w->to->cold[cold / w->to->header.page_size];

	*has = there || (w->from && state_has_cold(w->from, cold));
	w->pages->cold += there;
	if (there)
		return write_page(w, offset, w->mem->host + offset);
	return *has ? copy_page(w, offset) : 0;
}

static int save_page(struct writer *w, uint64_t offset, bool there)
{
	return offset < w->mem->size ? save_ordinary(w, offset, there) :
				       save_cold(w, offset, there);
}

static int save_chunk(struct writer *w, uint64_t offset, uint64_t pages)
{
	uint64_t size = w->to->header.page_size;
	uint64_t at = ((uintptr_t)w->mem->host + offset) / size * sizeof(w->there[0]);
	uint64_t i;

	if (read_all_at(w->pagemap, w->there, pages * sizeof(w->there[0]), at))
		return say_errno("/proc/self/pagemap");
	for (i = 0; i < pages; i++)
		if (save_page(w, offset + i * size, w->there[i] & PAGEMAP_THERE))
			return -1;
	return 0;
}

static int save_all(struct writer *w)
{
	uint64_t size = w->to->header.page_size;
	uint64_t left = (w->mem->size + w->mem->cold_size) / size;
	uint64_t offset = 0;

	while (left) {
		uint64_t pages = left < CHUNK ? left : CHUNK;

		if (save_chunk(w, offset, pages))
			return -1;
		offset += pages * size;
		left -= pages;
	}
	return 0;
}

int memory_save(const struct memory *mem, struct state *to, const struct state *from,
		struct state_pages *pages)
{
	struct writer w = { .mem = mem, .to = to, .from = from, .pages = pages };
	int ret;

	w.page = malloc(to->header.page_size);
	if (!w.page)
		return say_error("%s: no memory", to->name);
	w.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ret = w.pagemap < 0 ? say_errno("/proc/self/pagemap") : save_all(&w);
	if (w.pagemap >= 0)
		close(w.pagemap);
	free(w.page);
	return ret;
}
