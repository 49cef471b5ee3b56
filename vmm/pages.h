/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cold memory served by another process, apfpages: the VMM connects to a Unix
 * socket and hands its userfaultfd over, with one line of JSON that says what it
 * is for. The connection stays as long as the VM does; nothing else is said.
 */
#ifndef APFVM_PAGES_H
#define APFVM_PAGES_H

#include <stdint.h>

/**
 * struct pages_region - what a userfaultfd is for
 * @base:	address in the VMM, in bytes, as all that follow
 * @size:	multiple of @page_size
 * @ipa:	of the first page: what the pages hold follows from it
 * @page_size:	of the host
 * @seed:	the other thing that it follows from
 */
struct pages_region {
	uint64_t base;
	uint64_t size;
	uint64_t ipa;
	uint64_t page_size;
	uint64_t seed;
};

/* The VMM's side. Returns the connection, or -1 after it has been said why. */
int pages_hand_over(const char *path, int uffd, const struct pages_region *region);

/*
 * The server's. Waits for one VMM at @path, where there must be no socket that
 * anyone listens to. Returns the connection, or -1.
 */
int pages_wait(const char *path, int *uffd, struct pages_region *region);

#endif /* APFVM_PAGES_H */
