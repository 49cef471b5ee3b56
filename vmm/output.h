/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that something of the guest is written to. */
#ifndef APFVM_OUTPUT_H
#define APFVM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
	const char *name;
	int fd;
	bool failed;
};

/* @name: NULL for nowhere, "-" for standard output */
int output_open(struct output *out, const char *name);
/* Returns -1 if anything was lost. */
int output_close(struct output *out);
/* The first error is reported, and ends all further output. */
void output_write(struct output *out, const void *data, size_t size);

#endif /* APFVM_OUTPUT_H */
