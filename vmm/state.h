/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A saved VM in a file: the header, the cold pages that it has (a byte each),
 * records of whatever has a state, ordinary memory, cold memory. Where memory is
 * zero, or has no page, the file has a hole. All of it in the byte order of the
 * CPU, and for the host kernel and apfvm that wrote it, or the like.
 *
 * It is written under another name and renamed, so what has the name is whole.
 */
#ifndef APFVM_STATE_H
#define APFVM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

struct kept;

#define STATE_VERSION	2

/*
 * @counter is what the guest's virtual counter was: it goes on from there.
 * @memory and @file_size are in bytes of the file.
 */
struct state_header {
	char magic[8];
	uint32_t version;
	uint32_t cpus;
	uint64_t mem_mib;
	uint64_t cold_mib;
	uint64_t seed;
	uint64_t page_size;
	uint64_t counter;
	uint32_t cold_ro;
	uint32_t no_gic;
	uint64_t sve;
	uint64_t records;
	uint64_t memory;
	uint64_t file_size;
};

/**
 * struct state - one such file, being written or being read
 * @name:	its name
 * @fd:		the file, or -1
 * @header:	see above
 * @cold:	which cold pages are in it
 * @record:	the records, @size bytes of them, read or written as far as @at
 * @failed:	a record could not be kept, or ends early: one message is enough
 */
struct state {
	const char *name;
	int fd;
	struct state_header header;
	uint8_t *cold;
	char *record;
	size_t size;
	size_t at;
	bool failed;
};

/* Pages written, for what is said about the file. */
struct state_pages {
	uint64_t ordinary;
	uint64_t cold;
};

/* @state has its header but for what is the file's own; nothing is written yet. */
int state_create(struct state *state, const char *name);
/*
 * All of memory, with what is not there taken from @kept, or else from @from, which
 * the VM was restored from; both may be NULL. The end: after it, or after an error,
 * state_close().
 */
int state_write(struct state *state, const struct memory *mem, const struct kept *kept,
		const struct state *from, struct state_pages *pages);

int state_open(struct state *state, const char *name);
void state_close(struct state *state);

/*
 * Records follow each other without a gap. Each begins with a word that says what
 * it is; @what is four letters.
 */
void state_put(struct state *state, const void *data, size_t size);
void state_get(struct state *state, void *data, size_t size);
void state_put_name(struct state *state, const char *what);
void state_get_name(struct state *state, const char *what);
/* Returns -1, once it has been said, if a record was bad. */
int state_records_good(struct state *state);

/*
 * A page into @to, by its place in ordinary or in cold memory. Ordinary memory may come
 * in pages of another @size.
 */
int state_read_ordinary(const struct state *state, uint64_t offset, void *to, size_t size);
int state_read_cold(const struct state *state, uint64_t offset, void *to);
static inline bool state_has_cold(const struct state *state, uint64_t offset)
{
	return state->cold[offset / state->header.page_size];
}

#endif /* APFVM_STATE_H */
