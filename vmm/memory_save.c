// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory into the file of a saved VM. Which pages there are is asked of the
 * kernel, since to touch one that is missing is to wait for it, for ever: there is
 * no server any more.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kept.h"
#include "pagemap.h"
#include "state.h"
#include "util.h"

#define CHUNK		512

struct writer {
	const struct memory *mem;
	struct state *to;
	const struct kept *kept;
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

/* Taken away from the guest, and not asked for again. */
static bool is_kept(const struct writer *w, uint64_t offset)
{
	return w->kept && kept_get(w->kept, offset / w->to->header.page_size, w->page);
}

/* Not touched since the VM was restored: still in the file it came from. */
static int copy_page(struct writer *w, uint64_t offset)
{
	if (state_read_ordinary(w->from, offset, w->page, w->to->header.page_size))
		return say_errno("%s", w->from->name);
	return write_page(w, offset, w->page);
}

static int save_ordinary(struct writer *w, uint64_t offset, bool there)
{
	w->pages->ordinary += there;
	if (there)
		return write_page(w, offset, w->mem->host + offset);
	if (is_kept(w, offset))
		return write_page(w, offset, w->page);
	return w->from ? copy_page(w, offset) : 0;
}

/* @offset is that in all of memory: cold memory is behind the ordinary. */
static int save_cold(struct writer *w, uint64_t offset, bool there)
{
	uint64_t cold = offset - w->mem->size;
	uint8_t *has = &w->to->cold[cold / w->to->header.page_size];
	bool kept = !there && is_kept(w, offset);

	*has = there || kept || (w->from && state_has_cold(w->from, cold));
	w->pages->cold += there;
	if (there)
		return write_page(w, offset, w->mem->host + offset);
	if (kept)
		return write_page(w, offset, w->page);
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
	uint64_t i;

	if (pagemap_read(w->pagemap, w->mem->host + offset, pages, w->there))
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

int memory_save(const struct memory *mem, struct state *to, const struct kept *kept,
		const struct state *from, struct state_pages *pages)
{
	struct writer w = {
		.mem = mem, .to = to, .kept = kept, .from = from, .pages = pages,
	};
	int ret;

	w.page = malloc(to->header.page_size);
	if (!w.page)
		return say_error("%s: no memory", to->name);
	w.pagemap = pagemap_open();
	ret = w.pagemap < 0 ? say_errno("/proc/self/pagemap") : save_all(&w);
	if (w.pagemap >= 0)
		close(w.pagemap);
	free(w.page);
	return ret;
}
