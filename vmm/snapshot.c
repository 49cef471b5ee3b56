// SPDX-License-Identifier: GPL-2.0-only
/* --save and --restore: which states there are, and in which order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../common/counter.h"
#include "machine.h"
#include "state.h"
#include "util.h"

static void fill_header(struct state_header *header, const struct machine *m,
			const struct options *opt)
{
	*header = (struct state_header) {
		.cpus = m->vm.cpus,
		.mem_mib = opt->mem_mib,
		.cold_mib = opt->cold_mib,
		.seed = opt->seed,
		.counter = counter_read() - m->vm.counter_offset,
		.cold_ro = opt->cold_ro,
		.no_gic = opt->no_gic,
		.sve = opt->sve,
	};
}

static int save_records(const struct machine *m, struct state *state)
{
	unsigned int i;

	for (i = 0; i < m->vm.cpus; i++) {
		if (vcpu_save(&m->vm.vcpu[i], state))
			return -1;
	}
	if (gic_save(&m->vm.gic, m->vm.cpus, state))
		return -1;
	for (i = 0; i < CONSOLES; i++)
		virtio_mmio_save(&m->console[i].virtio, state);
	result_save(&m->result, state);
	return 0;
}

/* What is in the file, and what was under way, for people and for tests. */
static int describe(struct machine *m, const struct state *state,
		    const struct state_pages *pages)
{
	char name[4096];
	FILE *to;
	int bad;

	snprintf(name, sizeof(name), "%s.json", state->name);
	to = fopen(name, "we");
	if (!to)
		return say_errno("%s", name);
	fprintf(to, "{\"saved\":{\"version\":%d,\"cpus\":%u,\"mem_mib\":%" PRIu64
		",\"cold_mib\":%" PRIu64 ",\"ordinary_pages\":%" PRIu64
		",\"cold_pages\":%" PRIu64 "}}\n", STATE_VERSION, m->vm.cpus,
		state->header.mem_mib, state->header.cold_mib, pages->ordinary,
		pages->cold);
	machine_print_stats(m, "saved", to);
	bad = ferror(to);
	return fclose(to) || bad ? say_errno("%s", name) : 0;
}

int machine_save(struct machine *m, const struct options *opt)
{
	struct state state = { .fd = -1 };
	struct state_pages pages = { .ordinary = 0 };
	int ret;

	fill_header(&state.header, m, opt);
	ret = state_create(&state, opt->save);
	if (!ret)
		ret = save_records(m, &state);
	if (!ret)
		ret = state_write(&state, &m->vm.memory, m->uffd.kept, opt->restore, &pages);
	if (!ret)
		ret = describe(m, &state, &pages);
	state_close(&state);
	return ret;
}

/* KVM wants no order; APF takes effect when all of it is there. */
int machine_restore(struct machine *m, const struct options *opt)
{
	struct state *state = opt->restore;
	unsigned int i;

	for (i = 0; i < m->vm.cpus; i++) {
		if (vcpu_restore(&m->vm.vcpu[i], state))
			return -1;
	}
	if (gic_restore(&m->vm.gic, state))
		return -1;
	for (i = 0; i < CONSOLES; i++) {
		if (virtio_mmio_restore(&m->console[i].virtio, state))
			return -1;
	}
	result_restore(&m->result, state);
	return state_records_good(state);
}
