/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory: ordinary memory and, behind it, the cold region. */
#ifndef APFVM_MEMORY_H
#define APFVM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct kept;
struct state;
struct state_pages;

#define MEMORY_BASE	UINT64_C(0x80000000)
#define MEMORY_COLD_SLOT	1

/*
 * One mapping and one memslot, but for cold memory that is not to stay like the
 * rest: that has a memslot of its own, @cold_slot. Only @size is what the VMM
 * itself touches.
 */
struct memory {
	char *host;
	uint64_t size;
	uint64_t cold_size;
	uint64_t cold_page;
	bool cold_slot;
};

int memory_create(struct memory *mem, int vm_fd, const struct options *opt);
/* The memslot that is cold memory's own; @size 0 deletes it. */
int memory_set_cold(const struct memory *mem, int vm_fd, uint64_t size, uint64_t ipa,
		    uint32_t flags);
void memory_destroy(struct memory *mem);

/* memory_save.c: for state_write(). */
int memory_save(const struct memory *mem, struct state *to, const struct kept *kept,
		const struct state *from, struct state_pages *pages);

/*
 * Host address of @size bytes at @ipa, or NULL if they are not all ordinary
 * memory: cold memory is no place for a device's buffers. To touch them may be to
 * wait for a page, so the server of missing pages has no use for it.
 */
static inline void *memory_at(const struct memory *mem, uint64_t ipa, uint64_t size)
{
	uint64_t offset = ipa - MEMORY_BASE;

	if (ipa < MEMORY_BASE || offset > mem->size || size > mem->size - offset)
		return NULL;
	return mem->host + offset;
}

static inline uint64_t memory_cold_ipa(const struct memory *mem)
{
	return MEMORY_BASE + mem->size;
}

#endif /* APFVM_MEMORY_H */
