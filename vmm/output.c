// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "util.h"

int output_open(struct output *out, const char *name)
{
	*out = (struct output) { .name = name, .fd = -1 };
	if (!name)
		return 0;
	if (!strcmp(name, "-"))
		out->fd = dup(STDOUT_FILENO);
	else
		out->fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return out->fd < 0 ? say_errno("%s", name) : 0;
}

int output_close(struct output *out)
{
	if (out->fd >= 0 && close(out->fd) && !out->failed)
		return say_errno("%s", out->name);
	out->fd = -1;
	return out->failed ? -1 : 0;
}

void output_write(struct output *out, const void *data, size_t size)
{
	if (out->fd < 0 || out->failed)
		return;
	if (write_all(out->fd, data, size)) {
		out->failed = true;
		say_errno("%s", out->name);
	}
}
