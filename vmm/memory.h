/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory: ordinary memory and, behind it, the cold region. */
#ifndef APFVM_MEMORY_H
#define APFVM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_BASE	UINT64_C(0x80000000)

/*
 * One mapping and one memslot, but cold memory that is read-only, @cold_ro, has
 * a memslot of its own. Only @size is what the VMM itself touches.
 */
struct memory {
	char *host;
	uint64_t size;
	uint64_t cold_size;
	bool cold_ro;
};

/* @cold_file: what cold memory holds, or NULL: that is up to a userfaultfd. */
int memory_create(struct memory *mem, int vm_fd, uint64_t size,
		  uint64_t cold_size, bool cold_ro, const char *cold_file);
void memory_destroy(struct memory *mem);

/*
 * Host address of @size bytes at @ipa, or NULL if they are not all ordinary
 * memory. Cold memory is no place for a device's buffers: the VMM would wait
 * for a page that it may have to answer for itself.
 */
void *memory_at(const struct memory *mem, uint64_t ipa, uint64_t size);

static inline uint64_t memory_cold_ipa(const struct memory *mem)
{
	return MEMORY_BASE + mem->size;
}

#endif /* APFVM_MEMORY_H */
