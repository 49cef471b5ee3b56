// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "devtree.h"
#include "util.h"

static void keep(struct devtree *tree, int error)
{
	if (!tree->error)
		tree->error = error;
}

void devtree_start(struct devtree *tree, void *blob, size_t size)
{
	tree->blob = blob;
	tree->error = fdt_create(blob, size);
	keep(tree, fdt_finish_reservemap(blob));
	devtree_begin(tree, "");
}

int devtree_finish(struct devtree *tree)
{
	devtree_end(tree);
	keep(tree, fdt_finish(tree->blob));
	if (tree->error)
		return say_error("cannot build the device tree: %s",
				 fdt_strerror(tree->error));
	return 0;
}

void devtree_begin(struct devtree *tree, const char *name)
{
	keep(tree, fdt_begin_node(tree->blob, name));
}

void devtree_begin_at(struct devtree *tree, const char *name, uint64_t unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, unit);
	devtree_begin(tree, full);
}

void devtree_end(struct devtree *tree)
{
	keep(tree, fdt_end_node(tree->blob));
}

void devtree_cell(struct devtree *tree, const char *name, uint32_t value)
{
	keep(tree, fdt_property_u32(tree->blob, name, value));
}

void devtree_cells(struct devtree *tree, const char *name,
		   const uint32_t *values, size_t count)
{
	void *place;
	size_t i;

	keep(tree, fdt_property_placeholder(tree->blob, name,
					    count * sizeof(*values), &place));
	for (i = 0; !tree->error && i < count; i++)
		fdt32_st((char *)place + i * sizeof(*values), values[i]);
}

void devtree_u64s(struct devtree *tree, const char *name,
		  const uint64_t *values, size_t count)
{
	void *place;
	size_t i;

	keep(tree, fdt_property_placeholder(tree->blob, name,
					    count * sizeof(*values), &place));
	for (i = 0; !tree->error && i < count; i++)
		fdt64_st((char *)place + i * sizeof(*values), values[i]);
}

void devtree_string(struct devtree *tree, const char *name, const char *value)
{
	keep(tree, fdt_property_string(tree->blob, name, value));
}

void devtree_bytes(struct devtree *tree, const char *name, const void *value,
		   size_t size)
{
	keep(tree, fdt_property(tree->blob, name, value, size));
}
