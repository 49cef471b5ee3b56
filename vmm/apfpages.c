// SPDX-License-Identifier: GPL-2.0-only
/* apfpages: serves the cold memory of a VM that runs in another process. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "pages.h"
#include "uffd.h"
#include "util.h"

struct arguments {
	const char *socket;
	struct option_texts policy;
};

#define INTO	((struct arguments *)NULL)

static const struct option_row rows[] = {
	{ "socket", OPTION_TEXT, OPTION_AT(INTO->socket), .value = "PATH",
	  .help = "where to wait for the VMM" },
	{ "policy", OPTION_TEXTS, OPTION_AT(INTO->policy), .max = POLICY_MAX - 1,
	  .value = "RANGE:SPEC",
	  .help = "how missing pages are answered, as apfvm --help describes it" },
};

static const struct option_table table = {
	.intro =
"usage: apfpages --socket PATH [--policy RANGE:SPEC]...\n"
"Wait at PATH for an apfvm with --pages-socket PATH, and serve its cold memory\n"
"until that apfvm is gone.\n"
"\n",
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.notes =
"\n"
"Exit status: 0 the VMM is gone, 1 error, 2 bad usage.\n",
};

static enum option_result parse(struct arguments *args, int argc, char **argv)
{
	char text[200];
	struct reason why = { .text = text, .size = sizeof(text) };
	enum option_result result;
	uint64_t given;

	result = option_read_line(&table, args, argc, argv, &given, &why);
	if (result == OPTION_RUN && !args->socket) {
		option_reject(&why, "--socket PATH is missing; see --help");
		result = OPTION_WRONG;
	}
	if (result == OPTION_HELP)
		option_print_help(&table, stdout);
	if (result == OPTION_WRONG)
		say_error("%s", text);
	return result;
}

/* Ranges can be read only once the VMM has said how many pages there are. */
static int take_policies(struct policy_list *list, const struct arguments *args,
			 const struct pages_region *region)
{
	unsigned int i;
	char why[256];

	policy_list_init(list, region->size / region->page_size, 0, region->page_size);
	for (i = 0; i < args->policy.count; i++) {
		if (policy_list_add(list, args->policy.text[i], why, sizeof(why)))
			return say_error("--policy: %s", why);
	}
	return 0;
}

/* The VMM's end is all that comes over the connection. */
static bool vmm_is_gone(int connection, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = connection, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* A VMM that ends gives its memory up before its connection. */
static void give_up(void *opaque)
{
	const int *connection = opaque;

	exit(vmm_is_gone(*connection, 1000) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int serve(const struct arguments *args)
{
	static struct policy_list policies;
	struct pages_region region;
	struct uffd u = { .connection = -1, .gave_up = give_up };
	int connection = pages_wait(args->socket, &u.fd, &region);

	u.opaque = &connection;
	if (connection < 0)
		return EXIT_FAILURE;
	u.base = region.base;
	u.ipa = region.ipa;
	u.pages = region.size / region.page_size;
	u.page_size = region.page_size;
	u.seed = region.seed;
	if (take_policies(&policies, args, &region) ||
	    uffd_prepare(&u, &policies, 0, 0) || uffd_start(&u))
		return EXIT_FAILURE;
	while (!vmm_is_gone(connection, -1))
		;
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments args = { .socket = NULL };

	say_program = "apfpages";
	switch (parse(&args, argc, argv)) {
	case OPTION_HELP:
		return EXIT_SUCCESS;
	case OPTION_WRONG:
		return 2;
	case OPTION_RUN:
		break;
	}
	return serve(&args);
}
