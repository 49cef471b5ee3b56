// SPDX-License-Identifier: GPL-2.0-only
/* apfpages: serves the cold memory of a VM that runs in another process. */
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "pages.h"
#include "uffd.h"
#include "util.h"

static const char help[] =
"usage: apfpages --socket PATH [--policy RANGE:SPEC]...\n"
"Wait at PATH for an apfvm with --pages-socket PATH, and serve its cold memory\n"
"until it is gone. Policies are those of apfvm; see there.\n"
"\n"
"Exit status: 0 the VMM is gone, 1 error, 2 bad usage.\n";

struct arguments {
	const char *socket;
	const char *policy[POLICY_MAX];
	unsigned int policies;
};

static int parse(struct arguments *args, int argc, char **argv)
{
	static const struct option table[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "policy", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 's':
			args->socket = optarg;
			break;
		case 'p':
			if (args->policies == POLICY_MAX - 1)
				return say_error("--policy: given too often");
			args->policy[args->policies++] = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			return -1;
		}
	}
	if (optind < argc)
		return say_error("%s: there are only options", argv[optind]);
	return args->socket ? 0 : say_error("give --socket PATH");
}

/* Ranges can be read only once the VMM has said how many pages there are. */
static int take_policies(struct policy_list *list, const struct arguments *args,
			 const struct pages_region *region)
{
	unsigned int i;
	char why[256];

	policy_list_init(list, region->size / region->page_size, 0, region->page_size);
	for (i = 0; i < args->policies; i++) {
		if (policy_list_add(list, args->policy[i], why, sizeof(why)))
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
	    uffd_prepare(&u, &policies, 0) || uffd_start(&u))
		return EXIT_FAILURE;
	while (!vmm_is_gone(connection, -1))
		;
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments args = { .policies = 0 };

	return parse(&args, argc, argv) ? 2 : serve(&args);
}
