/* SPDX-License-Identifier: GPL-2.0-only */
/* All parts of a running apfvm. */
#ifndef APFVM_MACHINE_H
#define APFVM_MACHINE_H

#include <stdio.h>

#include "churn.h"
#include "evict.h"
#include "output.h"
#include "pageout.h"
#include "result.h"
#include "stats.h"
#include "uffd.h"
#include "virtio_blk.h"
#include "virtio_console.h"
#include "vm.h"

#define CONSOLES	2

struct machine {
	struct vm vm;
	struct uffd uffd;
	struct churn churn;
	struct evict evict;
	struct pageout pageout;
	struct stats stats;
	struct result result;
	struct virtio_console console[CONSOLES];
	struct virtio_blk disk[DISKS_MAX];
	unsigned int disks;
	bool saves;
	/* The guest's counter when its vCPUs began to run. */
	uint64_t began;
	struct output console_out;
	struct output result_out;
};

int machine_create(struct machine *m, const struct options *opt);
void machine_destroy(struct machine *m);
/* What the guest begins with: its kernel, or, if it was saved, what it had then. */
int machine_load(struct machine *m, const struct options *opt);

/* A line of JSON; the VM ends if it cannot be had. */
void machine_print_stats(struct machine *m, const char *name, FILE *to);

/*
 * snapshot.c. To be saved, the machine has neither threads of vCPUs nor a server
 * of missing pages any more, but for its registration. To be restored, it is as
 * created for opt->restore.
 */
int machine_save(struct machine *m, const struct options *opt);
int machine_restore(struct machine *m, const struct options *opt);

#endif /* APFVM_MACHINE_H */
