// SPDX-License-Identifier: GPL-2.0-only
/* Puts the parts together, and takes them apart. */
#include <inttypes.h>
#include <stdlib.h>

#include "../common/counter.h"
#include "machine.h"
#include "util.h"

static void console_output(void *opaque, const void *data, size_t size)
{
	output_write(opaque, data, size);
}

static void result_output(void *opaque, const void *data, size_t size)
{
	result_write(opaque, data, size);
}

void machine_print_stats(struct machine *m, const char *name, FILE *to)
{
	struct evict_counts evicted = evict_read_counts(&m->evict);
	struct uffd_counts counts;
	uint64_t waiting, changes, dirty, now = counter_read();

	dirty = churn_read_dirty(&m->churn, &changes);
	counts = uffd_read_counts(&m->uffd, &waiting);
	fprintf(to, "{\"stats\":\"%s\",\"cntvct\":%" PRIu64 ",\"began\":%" PRIu64
		",\"vcpus\":", name, now, m->began);
	if (stats_print(&m->stats, to))
		vm_end(&m->vm, STATUS_ERROR);
	fprintf(to, ",\"uffd\":{\"requests\":%" PRIu64 ",\"repeated\":%" PRIu64
		",\"served\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"waiting\":%" PRIu64
		",\"prefetched\":%" PRIu64 "},\"cold\":{\"changes\":%" PRIu64 ",\"dirty\":%" PRIu64
		"},\"evict\":{\"rounds\":%" PRIu64 ",\"pages\":%" PRIu64 ",\"out\":%" PRIu64
		"}}\n", counts.requests, counts.repeated, counts.served, counts.failed,
		waiting, counts.prefetched, changes, dirty, evicted.rounds, evicted.pages,
		evicted.out);
}

static void on_stats(void *opaque, const char *name, struct output *out)
{
	struct machine *m = opaque;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to) {
		machine_print_stats(m, name, to);
		fclose(to);
	}
	if (!text) {
		say_error("no memory for statistics '%s'", name);
		vm_end(&m->vm, STATUS_ERROR);
		return;
	}
	output_write(out, text, size);
	free(text);
}

/* A guest's job may say so whether there is an evictor or not. */
static void on_evict(void *opaque, bool on, struct output *out)
{
	struct machine *m = opaque;
	uint64_t now = counter_read();
	char text[80];
	int size = snprintf(text, sizeof(text), "{\"evictor\":\"%s\",\"cntvct\":%" PRIu64 "}\n",
			    !evict_set(&m->evict, on) ? "none" : on ? "on" : "off", now);

	output_write(out, text, size);
}

/* The vCPU that says so does not run again before it is restored: see gate_enter(). */
static void on_save(void *opaque, struct output *out)
{
	struct machine *m = opaque;
	char text[32];

	output_write(out, text, snprintf(text, sizeof(text), "{\"saving\":%s}\n",
					 m->saves ? "true" : "false"));
	if (m->saves)
		vm_end(&m->vm, STATUS_SAVED);
}

/* In this order they become hvc0 and hvc1. */
static int create_consoles(struct machine *m)
{
	static const struct result_commands commands = {
		.stats = on_stats, .evict = on_evict, .save = on_save,
	};

	result_init(&m->result, &m->result_out, &commands, m);
	if (virtio_console_create(&m->console[0], &m->vm, 0, console_output,
				  &m->console_out))
		return -1;
	if (virtio_console_create(&m->console[1], &m->vm, 1, result_output,
				  &m->result)) {
		virtio_console_destroy(&m->console[0]);
		return -1;
	}
	return 0;
}

static void destroy_consoles(struct machine *m)
{
	virtio_console_destroy(&m->console[1]);
	virtio_console_destroy(&m->console[0]);
}

static void destroy_disks(struct machine *m)
{
	while (m->disks)
		virtio_blk_destroy(&m->disk[--m->disks]);
}

/* In this order they become vda and vdb. */
static int create_disks(struct machine *m, const struct options *opt)
{
	while (m->disks < opt->disks) {
		if (virtio_blk_create(&m->disk[m->disks], &m->vm, CONSOLES + m->disks,
				      &opt->disk[m->disks])) {
			destroy_disks(m);
			return -1;
		}
		m->disks++;
	}
	return 0;
}

int machine_load(struct machine *m, const struct options *opt)
{
	struct image image;

	if (opt->restore)
		return machine_restore(m, opt);
	if (image_load(&image, &m->vm.memory, opt->kernel, opt->initrd))
		return -1;
	return vm_prepare_boot(&m->vm, &image, opt);
}

int machine_create(struct machine *m, const struct options *opt)
{
	m->saves = opt->save;
	if (vm_create(&m->vm, opt))
		return -1;
	if (pageout_create(&m->pageout, &m->vm, &m->evict, opt) || create_consoles(m))
		goto destroy_vm;
	if (create_disks(m, opt))
		goto destroy_consoles;
	if (machine_load(m, opt))
		goto destroy_disks;
	if (stats_create(&m->stats, &m->vm))
		goto destroy_disks;
	if (uffd_create(&m->uffd, &m->vm, opt))
		goto destroy_stats;
	if (churn_create(&m->churn, &m->vm, &m->uffd, opt))
		goto destroy_uffd;
	if (evict_create(&m->evict, &m->vm, &m->uffd, opt))
		goto destroy_churn;
	return 0;
destroy_churn:
	churn_destroy(&m->churn);
destroy_uffd:
	uffd_destroy(&m->uffd);
destroy_stats:
	stats_destroy(&m->stats);
destroy_disks:
	destroy_disks(m);
destroy_consoles:
	destroy_consoles(m);
destroy_vm:
	vm_destroy(&m->vm);
	return -1;
}

void machine_destroy(struct machine *m)
{
	evict_destroy(&m->evict);
	churn_destroy(&m->churn);
	uffd_destroy(&m->uffd);
	stats_destroy(&m->stats);
	destroy_disks(m);
	destroy_consoles(m);
	vm_destroy(&m->vm);
}
