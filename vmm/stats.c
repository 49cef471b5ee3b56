// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stats.h"
#include "util.h"

/*
 * Taken once, at the start: later the ioctl would wait until the vCPU is out
 * of KVM_RUN, while reading the file waits for nobody.
 */
static int open_all(struct stats *stats, const struct vm *vm)
{
	while (stats->cpus < vm->cpus) {
		int fd = ioctl(vm->vcpu[stats->cpus].fd, KVM_GET_STATS_FD, NULL);

		if (fd < 0)
			return say_errno("KVM_GET_STATS_FD");
		stats->fd[stats->cpus++] = fd;
	}
	return 0;
}

static int add_entry(struct stats *stats, const struct kvm_stats_desc *desc,
		     const char *raw_name, size_t name_size)
{
	struct stats_entry *entry = &stats->entry[stats->count];
	size_t end = desc->offset + sizeof(uint64_t);

	/* Histograms are left out. */
	if (desc->size != 1)
		return 0;
	entry->name = strndup(raw_name, name_size);
	if (!entry->name)
		return say_error("no memory for the statistics");
	entry->offset = desc->offset;
	stats->count++;
	if (stats->data_size < end)
		stats->data_size = end;
	return 0;
}

static int read_entries(struct stats *stats, const struct kvm_stats_header *header)
{
	size_t step = sizeof(struct kvm_stats_desc) + header->name_size;
	char *raw = malloc(step * header->num_desc);
	unsigned int i;
	int ret = -1;

	stats->entry = calloc(header->num_desc, sizeof(*stats->entry));
	if (!raw || !stats->entry) {
		say_error("no memory for the statistics");
		goto out;
	}
	if (read_all_at(stats->fd[0], raw, step * header->num_desc,
			header->desc_offset)) {
		say_errno("cannot read what statistics there are");
		goto out;
	}
	ret = 0;
	for (i = 0; !ret && i < header->num_desc; i++) {
		const struct kvm_stats_desc *desc = (void *)(raw + i * step);

		ret = add_entry(stats, desc, (const char *)(desc + 1), header->name_size);
	}
out:
	free(raw);
	return ret;
}

/* All vCPUs of a VM have the same statistics, in the same places. */
static int read_layout(struct stats *stats)
{
	struct kvm_stats_header header;

	if (read_all_at(stats->fd[0], &header, sizeof(header), 0))
		return say_errno("cannot read the statistics' header");
	if (read_entries(stats, &header))
		return -1;
	stats->data_offset = header.data_offset;
	stats->data = malloc(stats->data_size);
	return stats->data ? 0 : say_error("no memory for the statistics");
}

int stats_create(struct stats *stats, const struct vm *vm)
{
	memset(stats, 0, sizeof(*stats));
	if (open_all(stats, vm) || read_layout(stats)) {
		stats_destroy(stats);
		return -1;
	}
	return 0;
}

void stats_destroy(struct stats *stats)
{
	while (stats->count)
		free(stats->entry[--stats->count].name);
	free(stats->entry);
	free(stats->data);
	while (stats->cpus)
		close(stats->fd[--stats->cpus]);
}

static int print_vcpu(struct stats *stats, unsigned int cpu, FILE *to)
{
	unsigned int i;

	if (read_all_at(stats->fd[cpu], stats->data, stats->data_size,
			stats->data_offset))
		return say_errno("cannot read the statistics of vCPU %u", cpu);
	fputs(cpu ? ",{" : "{", to);
	for (i = 0; i < stats->count; i++) {
		uint64_t value;

		memcpy(&value, stats->data + stats->entry[i].offset, sizeof(value));
		fprintf(to, "%s\"%s\":%" PRIu64, i ? "," : "",
			stats->entry[i].name, value);
	}
	fputs("}", to);
	return 0;
}

int stats_print(struct stats *stats, FILE *to)
{
	unsigned int cpu;

	fputs("[", to);
	for (cpu = 0; cpu < stats->cpus; cpu++) {
		if (print_vcpu(stats, cpu, to))
			return -1;
	}
	fputs("]", to);
	return 0;
}
