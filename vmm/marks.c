// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "marks.h"
#include "util.h"

/* Populated, so that no mark costs a page fault while the guest waits. */
int marks_create(struct marks *marks, size_t size)
{
	void *place;

	*marks = (struct marks) { .size = size };
	if (!size)
		return 0;
	place = mmap(NULL, size * sizeof(*marks->mark), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (place == MAP_FAILED)
		return say_errno("no memory for %zu marks", size);
	marks->mark = place;
	return 0;
}

void marks_destroy(struct marks *marks)
{
	if (marks->mark)
		munmap(marks->mark, marks->size * sizeof(*marks->mark));
	marks->mark = NULL;
}

int marks_save(const struct marks *marks, const char *name)
{
	static const char *const event[] = { "request", "serve", "fail", "prefetch" };
	FILE *to = fopen(name, "we");
	size_t i;
	int bad;

	if (!to)
		return say_errno("%s", name);
	for (i = 0; i < marks->count; i++)
		fprintf(to, "{\"t\":%" PRIu64 ",\"ev\":\"%s\",\"page\":%" PRIu32 "}\n",
			marks->mark[i].time, event[marks->mark[i].event],
			marks->mark[i].page);
	bad = ferror(to);
	if (fclose(to) || bad)
		return say_errno("%s", name);
	if (marks->lost)
		say_note("%s: no room for %zu more marks", name, marks->lost);
	return 0;
}
