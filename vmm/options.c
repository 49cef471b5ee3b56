// SPDX-License-Identifier: GPL-2.0-only
/* From the command line to what the VM is made of. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "options.h"
#include "state.h"
#include "util.h"

uint64_t options_cold_page(const struct options *opt)
{
	if (opt->huge || opt->backing == BACKING_HUGETLB)
		return 2 * MIB;
	return sysconf(_SC_PAGESIZE);
}

/* The file stays open until the VM has ended. */
static int open_restore(struct options *opt, uint64_t given)
{
	static struct state state;

	if (!opt->restore_name)
		return 0;
	if (state_open(&state, opt->restore_name))
		return -1;
	opt->restore = &state;
	return options_take_file(opt, given);
}

/* Ranges can be read only once the size of the cold memory is known. */
static int parse_policies(struct options *opt)
{
	uint64_t page_size = options_cold_page(opt);
	bool ordinary = opt->restore || opt->evict.every_ms || opt->pageout;
	char why[160];
	unsigned int i;

	if (opt->policy.count && !opt->cold_mib && !ordinary)
		return say_error("--policy: there is no cold memory; give --cold MIB");
	if (opt->policy.count && (opt->cold_file || opt->pages_socket || opt->mapped))
		return say_error("--policy: not with --cold-file, --pages-socket or --mapped");
	policy_list_init(&opt->policies, opt->cold_mib * MIB / page_size,
			 ordinary ? opt->mem_mib * MIB / page_size : 0, page_size);
	for (i = 0; i < opt->policy.count; i++) {
		if (policy_list_add(&opt->policies, opt->policy.text[i], why, sizeof(why)))
			return say_error("--policy: %s", why);
	}
	return 0;
}

static int check(const struct options *opt)
{
	if (options_check_save(opt) || options_check_served(opt) || options_check_evict(opt))
		return -1;
	if (!opt->kernel && !opt->restore)
		return say_error("--kernel is missing; see --help");
	/* What follows the ordinary memory is to be aligned to 2 MiB. */
	if (opt->mem_mib % 2)
		return say_error("--mem: %" PRIu64 " is not an even number", opt->mem_mib);
	if (opt->cold_ro && !opt->cold_mib)
		return say_error("--cold-ro: there is no cold memory; give --cold MIB");
	if ((opt->churn.how || opt->dirty_log || opt->backing) && !opt->cold_mib)
		return say_error("--churn, --dirty-log and --cold-backing need --cold MIB");
	if (opt->cold_mib * MIB % options_cold_page(opt))
		return say_error("--cold: %" PRIu64 " MiB is no number of pages", opt->cold_mib);
	if (opt->churn.how && (opt->cold_ro || opt->append.count > 1))
		return say_error("--churn: not with --cold-ro, nor with several --append");
	return 0;
}

/* What follows from several options, or from the file of --restore. */
static int complete(struct options *opt, uint64_t given)
{
	if (open_restore(opt, given))
		return -1;
	if (!opt->evict.seeded)
		opt->evict.seed = opt->seed;
	if (opt->apf_answer && answer_parse(&opt->answer, opt->apf_answer))
		return -1;
	return check(opt) || parse_policies(opt) ? -1 : 0;
}

enum option_result options_parse(struct options *opt, int argc, char **argv)
{
	char text[320];
	struct reason why = { .text = text, .size = sizeof(text) };
	enum option_result result;
	uint64_t given;

	*opt = (struct options) { .mem_mib = 0 };
	result = option_read_line(&options_table, opt, argc, argv, &given, &why);
	if (result == OPTION_HELP)
		options_print_help(stdout);
	if (result == OPTION_WRONG)
		say_error("%s", text);
	if (result == OPTION_RUN && complete(opt, given))
		return OPTION_WRONG;
	return result;
}
