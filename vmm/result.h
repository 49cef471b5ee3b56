/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The result channel: what the guest writes goes to a file, but a line
 * "@stats NAME", "@evict on", "@evict off" or "@save" is a command and is replaced by its
 * answer. NAME is made of letters, digits and "._-"; any other line is no command.
 */
#ifndef APFVM_RESULT_H
#define APFVM_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include "output.h"

#define RESULT_COMMAND_MAX	128

/* Each writes the answer, a whole line, to @out. save: the VM is to be saved. */
struct result_commands {
	void (*stats)(void *opaque, const char *name, struct output *out);
	void (*evict)(void *opaque, bool on, struct output *out);
	void (*save)(void *opaque, struct output *out);
};

/*
 * @line holds back the start of a line for as long as it may yet be a command;
 * of any other line, @passing, nothing is held back.
 */
struct result {
	struct output *out;
	const struct result_commands *commands;
	void *opaque;
	bool passing;
	size_t size;
	char line[RESULT_COMMAND_MAX + 1];
};

void result_init(struct result *r, struct output *out,
		 const struct result_commands *commands, void *opaque);
void result_write(struct result *r, const char *data, size_t size);
/*
 * The guest is gone. A line without an end is passed on, with one, and the last
 * line is the answer to "@stats end".
 */
void result_end(struct result *r);

struct state;

/* result_state.c: the line that has begun goes on where the VM is restored. */
void result_save(const struct result *r, struct state *state);
void result_restore(struct result *r, struct state *state);

#endif /* APFVM_RESULT_H */
