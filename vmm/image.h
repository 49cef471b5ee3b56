/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel, device tree and initial RAM disk: where they go in guest memory. */
#ifndef APFVM_IMAGE_H
#define APFVM_IMAGE_H

#include "memory.h"

#define IMAGE_DTB_SIZE	0x10000

struct image {
	uint64_t entry;
	uint64_t dtb;
	uint64_t initrd;
	uint64_t initrd_size;
};

/* @initrd may be NULL. The device tree's place is reserved, not filled. */
int image_load(struct image *image, const struct memory *mem,
	       const char *kernel, const char *initrd);

#endif /* APFVM_IMAGE_H */
