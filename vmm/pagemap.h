/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages of our own memory there are, asked of the kernel: to touch one that is
 * missing is to wait for it. See Documentation/admin-guide/mm/pagemap.rst.
 */
#ifndef APFVM_PAGEMAP_H
#define APFVM_PAGEMAP_H

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "util.h"

/* Present, or swapped out. */
#define PAGEMAP_THERE	(UINT64_C(3) << 62)

static inline int pagemap_open(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* An entry for each of @pages pages from @address on. */
static inline int pagemap_read(int fd, const void *address, uint64_t pages, uint64_t *entry)
{
	uint64_t at = (uintptr_t)address / sysconf(_SC_PAGESIZE) * sizeof(*entry);

	return read_all_at(fd, entry, pages * sizeof(*entry), at);
}

#endif /* APFVM_PAGEMAP_H */
