// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"
#include "state.h"
#include "util.h"

static const char magic[8] = "apfvm VM";

/* The name of a file that is not whole yet. */
static void temporary_name(const struct state *state, char *name, size_t size)
{
	snprintf(name, size, "%s.tmp", state->name);
}

static uint64_t cold_pages(const struct state *state)
{
	return state->header.cold_mib * MIB / state->header.page_size;
}

/* One more than there are: there may be none. */
static int alloc_cold(struct state *state)
{
	state->cold = calloc(cold_pages(state) + 1, 1);
	return state->cold ? 0 : say_error("%s: no memory", state->name);
}

int state_create(struct state *state, const char *name)
{
	char temporary[4096];

	state->name = name;
	state->fd = -1;
	memcpy(state->header.magic, magic, sizeof(magic));
	state->header.version = STATE_VERSION;
	state->header.page_size = sysconf(_SC_PAGESIZE);
	if (alloc_cold(state))
		return -1;
	temporary_name(state, temporary, sizeof(temporary));
	state->fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return state->fd < 0 ? say_errno("%s", temporary) : 0;
}

void state_close(struct state *state)
{
	if (state->fd >= 0)
		close(state->fd);
	state->fd = -1;
	free(state->cold);
	free(state->record);
	state->cold = NULL;
	state->record = NULL;
}

void state_put(struct state *state, const void *data, size_t size)
{
	size_t room = state->at + size > 2 * state->size ? state->at + size : 2 * state->size;

	if (state->failed)
		return;
	if (state->at + size > state->size) {
		char *record = realloc(state->record, room);

		if (!record) {
			state->failed = true;
			say_error("%s: no memory", state->name);
			return;
		}
		state->record = record;
		state->size = room;
	}
	memcpy(state->record + state->at, data, size);
	state->at += size;
}

/* What cannot be had is 0: no loop runs wild before somebody asks. */
void state_get(struct state *state, void *data, size_t size)
{
	if (!state->failed && size > state->size - state->at) {
		state->failed = true;
		say_error("%s: a record ends early", state->name);
	}
	if (state->failed) {
		memset(data, 0, size);
		return;
	}
	memcpy(data, state->record + state->at, size);
	state->at += size;
}

void state_put_name(struct state *state, const char *what)
{
	state_put(state, what, 4);
}

void state_get_name(struct state *state, const char *what)
{
	char found[4];

	state_get(state, found, sizeof(found));
	if (state->failed || !memcmp(found, what, sizeof(found)))
		return;
	state->failed = true;
	say_error("%s: no record '%s' where it should be", state->name, what);
}

int state_records_good(struct state *state)
{
	return state->failed ? -1 : 0;
}

static int write_at(const struct state *state, const void *data, size_t size, uint64_t at)
{
	if (lseek(state->fd, at, SEEK_SET) < 0 || write_all(state->fd, data, size))
		return say_errno("%s", state->name);
	return 0;
}

/* Header, cold pages, records; memory begins at a page behind them. */
static uint64_t records_at(const struct state *state)
{
	return sizeof(state->header) + cold_pages(state);
}

static int rename_to_name(const struct state *state)
{
	char temporary[4096];

	temporary_name(state, temporary, sizeof(temporary));
	if (fsync(state->fd) || rename(temporary, state->name))
		return say_errno("%s", state->name);
	return 0;
}

int state_write(struct state *state, const struct memory *mem, const struct kept *kept,
		const struct state *from, struct state_pages *pages)
{
	struct state_header *header = &state->header;

	if (state->failed)
		return -1;
	header->records = state->at;
	header->memory = align_up(records_at(state) + state->at, header->page_size);
	header->file_size = header->memory + mem->size + mem->cold_size;
	if (ftruncate(state->fd, header->file_size))
		return say_errno("%s", state->name);
	if (memory_save(mem, state, kept, from, pages) ||
	    write_at(state, header, sizeof(*header), 0) ||
	    write_at(state, state->cold, cold_pages(state), sizeof(*header)) ||
	    write_at(state, state->record, state->at, records_at(state)))
		return -1;
	return rename_to_name(state);
}

/* Do the parts that the header tells of fit into the file? No sum may overflow. */
static bool has_room(const struct state *state)
{
	const struct state_header *header = &state->header;
	const uint64_t size = header->file_size;

	return header->cpus >= 1 && header->cpus <= CPUS_MAX && header->mem_mib <= size / MIB &&
	       header->cold_mib <= size / MIB && header->records <= size &&
	       header->memory <= size && header->memory >= records_at(state) + header->records &&
	       header->memory + (header->mem_mib + header->cold_mib) * MIB == size;
}

static int check_header(const struct state *state, uint64_t file_size)
{
	const struct state_header *header = &state->header;

	if (memcmp(header->magic, magic, sizeof(magic)))
		return say_error("%s: not a VM saved by apfvm", state->name);
	if (header->version != STATE_VERSION)
		return say_error("%s: version %" PRIu32 ", and this apfvm knows only %d",
				 state->name, header->version, STATE_VERSION);
	if (header->page_size != (uint64_t)sysconf(_SC_PAGESIZE))
		return say_error("%s: saved on a host with pages of %" PRIu64 " bytes",
				 state->name, header->page_size);
	if (header->file_size != file_size)
		return say_error("%s: has %" PRIu64 " bytes and should have %" PRIu64,
				 state->name, file_size, header->file_size);
	return has_room(state) ? 0 : say_error("%s: damaged", state->name);
}

static int read_file(struct state *state)
{
	struct stat st;

	if (fstat(state->fd, &st))
		return say_errno("%s", state->name);
	if ((uint64_t)st.st_size < sizeof(state->header))
		return say_error("%s: not a VM saved by apfvm", state->name);
	if (read_all_at(state->fd, &state->header, sizeof(state->header), 0))
		return say_errno("%s", state->name);
	if (check_header(state, st.st_size) || alloc_cold(state))
		return -1;
	state->size = state->header.records;
	state->record = malloc(state->size);
	if (!state->record)
		return say_error("%s: no memory", state->name);
	if (read_all_at(state->fd, state->cold, cold_pages(state), sizeof(state->header)) ||
	    read_all_at(state->fd, state->record, state->size, records_at(state)))
		return say_errno("%s", state->name);
	return 0;
}

int state_open(struct state *state, const char *name)
{
	*state = (struct state) { .name = name };
	state->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (state->fd < 0)
		return say_errno("%s", name);
	if (read_file(state)) {
		state_close(state);
		return -1;
	}
	return 0;
}

int state_read_ordinary(const struct state *state, uint64_t offset, void *to, size_t size)
{
	return read_all_at(state->fd, to, size, state->header.memory + offset);
}

int state_read_cold(const struct state *state, uint64_t offset, void *to)
{
	return state_read_ordinary(state, state->header.mem_mib * MIB + offset, to,
				   state->header.page_size);
}
