// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the cold memory is: the device tree says so, in a node below
 * /reserved-memory.
 */
#include <endian.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define NODES	"/proc/device-tree/reserved-memory/*/compatible"

static int read_reg(const char *compatible, struct cold *cold)
{
	char path[256];
	__u64 reg[3];

	snprintf(path, sizeof(path), "%.*sreg",
		 (int)(strlen(compatible) - strlen("compatible")), compatible);
	/* Two cells of address, two of size; a NUL goes behind them. */
	if (file_read(path, reg, sizeof(reg)) != 2 * sizeof(*reg))
		return -1;
	cold->base = be64toh(reg[0]);
	cold->size = be64toh(reg[1]);
	return 0;
}

/* A distribution's kernel keeps memory out of /dev/mem: tests/guests/cold gives it. */
const char *cold_file(void)
{
	return access("/dev/apf-cold", F_OK) ? "/dev/mem" : "/dev/apf-cold";
}

int cold_find(struct cold *cold)
{
	char compatible[64];
	int error = -1;
	glob_t nodes;
	size_t i;

	if (glob(NODES, 0, NULL, &nodes))
		return -1;
	for (i = 0; error && i < nodes.gl_pathc; i++) {
		const char *path = nodes.gl_pathv[i];

		if (file_read(path, compatible, sizeof(compatible)) < 0)
			continue;
		if (!strcmp(compatible, "arm64-apf,cold"))
			error = read_reg(path, cold);
	}
	globfree(&nodes);
	return error;
}
