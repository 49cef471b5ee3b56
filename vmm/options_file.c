// SPDX-License-Identifier: GPL-2.0-only
/* What files and sockets that memory comes from mean for the other options. */
#include <inttypes.h>

#include "options.h"
#include "state.h"
#include "util.h"

int options_check_save(const struct options *opt)
{
	if (opt->save_after_ms && !opt->save)
		return say_error("--save-after: where to? Give --save FILE");
	if (opt->save_after_ms && opt->stop_after_ms)
		return say_error("--save-after and --stop-after exclude each other");
	if (opt->save && (opt->cold_file || opt->backing))
		return say_error("--save: cold memory has to be --cold-backing anon");
	if (opt->disks && (opt->save || opt->restore))
		return say_error("--disk: not with --save or --restore");
	return 0;
}

/* Of apfvm's own server. Pages that go missing again are not for the list. */
static int check_own_server(const struct options *opt)
{
	bool elsewhere = opt->cold_file || opt->pages_socket || opt->mapped;
	bool again = opt->evict.every_ms || opt->save;

	if ((opt->huge || opt->prefetch) && (!opt->restore || elsewhere || again))
		return say_error("--huge, --prefetch: for --restore, no --mapped, --evict, --save");
	if (opt->huge && opt->cold_mib)
		return say_error("--huge: the VM has cold memory");
	if (opt->bandwidth && elsewhere)
		return say_error("--bandwidth: not with --cold-file, --pages-socket or --mapped");
	return 0;
}

int options_check_served(const struct options *opt)
{
	if (opt->cold_file && (opt->backing || opt->pages_socket))
		return say_error("--cold-file: not with --cold-backing or --pages-socket");
	if ((opt->cold_file || opt->pages_socket) && !opt->cold_mib)
		return say_error("--cold-file and --pages-socket need --cold MIB");
	if (opt->pages_socket && (opt->restore || opt->save || opt->marks))
		return say_error("--pages-socket: not with --restore, --save or --marks");
	if (opt->mapped && (!opt->restore || opt->cold_mib))
		return say_error("--mapped: with --restore, of a VM without cold memory");
	return check_own_server(opt);
}

/* A page comes back by the VMM's own server, as small anonymous memory. */
int options_check_evict(const struct options *opt)
{
	if (opt->pageout && opt->restore)
		return say_error("--pageout: not with --restore");
	if (!opt->evict.every_ms && !opt->pageout)
		return 0;
	if (opt->cold_file || opt->backing || opt->pages_socket || opt->mapped)
		return say_error("--evict, --pageout: not with --mapped or cold memory elsewhere");
	if (opt->cold_ro)
		return say_error("--evict, --pageout: not with --cold-ro");
	if (opt->evict.range == EVICT_RANGE_COLD && !opt->cold_mib)
		return say_error("--evict: range=cold needs --cold MIB");
	return 0;
}

/* What the file says, and the command line may only repeat. */
static int from_file(const struct state *state, uint64_t given, const char *name,
		     uint64_t *field, uint64_t value)
{
	if (option_is_given(&options_table, given, name) && *field != value)
		return say_error("%s: --%s is %" PRIu64 " there, not %" PRIu64,
				 state->name, name, value, *field);
	*field = value;
	return 0;
}

int options_take_file(struct options *opt, uint64_t given)
{
	const struct state *state = opt->restore;
	const struct state_header *header = &state->header;

	if (opt->kernel || opt->initrd || option_is_given(&options_table, given, "append") ||
	    opt->cold_file || opt->backing || opt->apf != APF_DEFAULT || opt->apf_intid)
		return say_error("--restore: the VM has its kernel, command line, memory and APF");
	opt->cold_ro = header->cold_ro;
	opt->sve = header->sve;
	opt->no_gic = header->no_gic;
	opt->counter = header->counter;
	return from_file(state, given, "mem", &opt->mem_mib, header->mem_mib) ||
	       from_file(state, given, "cold", &opt->cold_mib, header->cold_mib) ||
	       from_file(state, given, "cpus", &opt->cpus, header->cpus) ||
	       from_file(state, given, "seed", &opt->seed, header->seed) ? -1 : 0;
}
