/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM's GICv3: a distributor and one redistributor per vCPU. */
#ifndef APFVM_GIC_H
#define APFVM_GIC_H

#include <stdbool.h>

#include "devtree.h"

struct state;

/* Shared peripheral interrupts have INTIDs from 32. */
#define GIC_SPI_BASE	32

/* All 0: there is none. Then no interrupt reaches the guest. */
struct gic {
	bool present;
	int vm_fd;
	int fd;
};

/* To be called when all vCPUs are there, and before any of them runs. */
int gic_create(struct gic *gic, int vm_fd);
void gic_destroy(struct gic *gic);
void gic_describe(struct devtree *tree, unsigned int cpus);
/* @level: state of the line of shared peripheral interrupt @spi. */
void gic_set_spi(const struct gic *gic, unsigned int spi, int level);

/* gic_state.c: of a GIC that no vCPU uses; and into a new one. */
int gic_save(const struct gic *gic, unsigned int cpus, struct state *state);
int gic_restore(const struct gic *gic, struct state *state);

#endif /* APFVM_GIC_H */
