/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM's binary statistics of all vCPUs (Documentation/virt/kvm/api.rst, 4.133). */
#ifndef APFVM_STATS_H
#define APFVM_STATS_H

#include <stdio.h>

#include "vm.h"

struct stats {
	unsigned int cpus;
	int fd[CPUS_MAX];
	uint64_t data_offset;
	size_t data_size;
	unsigned int count;
	struct stats_entry {
		char *name;
		size_t offset;
	} *entry;
	char *data;
};

int stats_create(struct stats *stats, const struct vm *vm);
void stats_destroy(struct stats *stats);
/* Prints a JSON array with one object per vCPU. */
int stats_print(struct stats *stats, FILE *to);

#endif /* APFVM_STATS_H */
