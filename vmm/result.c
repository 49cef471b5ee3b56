// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "result.h"

static const char command[] = "@stats ";

#define COMMAND_SIZE	(sizeof(command) - 1)

void result_init(struct result *r, struct output *out, result_stats_fn stats,
		 void *opaque)
{
	*r = (struct result) { .out = out, .stats = stats, .opaque = opaque };
}

static bool may_be_command(const struct result *r)
{
	size_t n = r->size < COMMAND_SIZE ? r->size : COMMAND_SIZE;

	return r->size < RESULT_COMMAND_MAX && !memcmp(r->line, command, n);
}

static void flush(struct result *r)
{
	output_write(r->out, r->line, r->size);
	r->size = 0;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

/*
 * The name behind "@stats ", or NULL if that is not what the line says. A
 * terminal that is not raw puts a carriage return before the end of the line.
 */
static const char *stats_name(struct result *r)
{
	char *name = r->line + COMMAND_SIZE;
	size_t i, n = r->size - 1;

	if (n <= COMMAND_SIZE || memcmp(r->line, command, COMMAND_SIZE))
		return NULL;
	n -= COMMAND_SIZE;
	if (name[n - 1] == '\r')
		n--;
	for (i = 0; i < n; i++) {
		if (!is_name(name[i]))
			return NULL;
	}
	if (!n)
		return NULL;
	name[n] = '\0';
	return name;
}

static void end_line(struct result *r)
{
	const char *name = stats_name(r);

	if (name) {
		r->stats(r->opaque, name, r->out);
		r->size = 0;
	} else {
		flush(r);
	}
}

/* Passes on what belongs to the line that is passing; returns how much that is. */
static size_t pass(struct result *r, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);
	size_t n = end ? (size_t)(end - data) + 1 : size;

	output_write(r->out, data, n);
	r->passing = !end;
	return n;
}

static void hold(struct result *r, char c)
{
	r->line[r->size++] = c;
	if (c == '\n') {
		end_line(r);
	} else if (!may_be_command(r)) {
		flush(r);
		r->passing = true;
	}
}

void result_write(struct result *r, const char *data, size_t size)
{
	while (size) {
		size_t n = 1;

		if (r->passing)
			n = pass(r, data, size);
		else
			hold(r, *data);
		data += n;
		size -= n;
	}
}

void result_end(struct result *r)
{
	bool unfinished = r->passing || r->size;

	flush(r);
	r->passing = false;
	if (unfinished)
		output_write(r->out, "\n", 1);
	r->stats(r->opaque, "end", r->out);
}
