// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <string.h>

#include "result.h"

static const char stats[] = "@stats ";
static const char evict[] = "@evict ";
static const char save[] = "@save";

void result_init(struct result *r, struct output *out,
		 const struct result_commands *commands, void *opaque)
{
	*r = (struct result) { .out = out, .commands = commands, .opaque = opaque };
}

/* As far as the line goes yet. */
static bool begins_as(const struct result *r, const char *command)
{
	size_t size = strlen(command);

	return !memcmp(r->line, command, r->size < size ? r->size : size);
}

static bool may_be_command(const struct result *r)
{
	return r->size < RESULT_COMMAND_MAX && (begins_as(r, stats) || begins_as(r, evict) ||
						 begins_as(r, save));
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

/* Without its end, before which a terminal that is not raw puts a carriage return. */
static size_t line_length(const struct result *r)
{
	size_t n = r->size - 1;

	return n && r->line[n - 1] == '\r' ? n - 1 : n;
}

/* The length of the name behind @command, or 0 if that is not what the line says. */
static size_t name_behind(const struct result *r, const char *command)
{
	size_t i, size = strlen(command), n = line_length(r);
	const char *name = r->line + size;

	if (n <= size || !begins_as(r, command))
		return 0;
	n -= size;
	for (i = 0; i < n; i++) {
		if (!is_name(name[i]))
			return 0;
	}
	return n;
}

static bool answer_stats(struct result *r)
{
	size_t n = name_behind(r, stats);
	char *name = r->line + strlen(stats);

	if (!n)
		return false;
	name[n] = '\0';
	r->commands->stats(r->opaque, name, r->out);
	return true;
}

static bool answer_evict(struct result *r)
{
	size_t n = name_behind(r, evict);
	const char *name = r->line + strlen(evict);
	bool on = n == 2 && !memcmp(name, "on", n);

	if (!on && !(n == 3 && !memcmp(name, "off", n)))
		return false;
	r->commands->evict(r->opaque, on, r->out);
	return true;
}

static bool answer_save(struct result *r)
{
	if (line_length(r) != strlen(save) || !begins_as(r, save))
		return false;
	r->commands->save(r->opaque, r->out);
	return true;
}

static void end_line(struct result *r)
{
	if (answer_stats(r) || answer_evict(r) || answer_save(r))
		r->size = 0;
	else
		flush(r);
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
	r->commands->stats(r->opaque, "end", r->out);
}
