/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes the guest's device tree, front to back. The first error sticks, and
 * devtree_finish() reports it: the writers in between need not look.
 */
#ifndef APFVM_DEVTREE_H
#define APFVM_DEVTREE_H

#include <stddef.h>
#include <stdint.h>

/* phandle of the interrupt controller */
#define DEVTREE_GIC		1

/* Cells of an interrupt specifier */
#define DEVTREE_SPI		0
#define DEVTREE_PPI		1
#define DEVTREE_LEVEL_HIGH	4

struct devtree {
	void *blob;
	int error;
};

void devtree_start(struct devtree *tree, void *blob, size_t size);
int devtree_finish(struct devtree *tree);

void devtree_begin(struct devtree *tree, const char *name);
/* A node named NAME@UNIT */
void devtree_begin_at(struct devtree *tree, const char *name, uint64_t unit);
void devtree_end(struct devtree *tree);

void devtree_cell(struct devtree *tree, const char *name, uint32_t value);
void devtree_cells(struct devtree *tree, const char *name,
		   const uint32_t *values, size_t count);
void devtree_u64s(struct devtree *tree, const char *name,
		  const uint64_t *values, size_t count);
void devtree_string(struct devtree *tree, const char *name, const char *value);
void devtree_bytes(struct devtree *tree, const char *name, const void *value,
		   size_t size);

#endif /* APFVM_DEVTREE_H */
