/* SPDX-License-Identifier: GPL-2.0-only */
/* When each page was asked for and answered: a timeline for --marks. */
#ifndef APFVM_MARKS_H
#define APFVM_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "../common/counter.h"

enum mark_event {
	MARK_REQUEST,
	MARK_SERVE,
	MARK_FAIL,
	MARK_PREFETCH,
};

struct mark {
	uint64_t time;
	uint32_t event;
	uint32_t page;
};

/* @size is 0 if nobody wants marks. */
struct marks {
	struct mark *mark;
	size_t count;
	size_t size;
	size_t lost;
};

int marks_create(struct marks *marks, size_t size);
void marks_destroy(struct marks *marks);
int marks_save(const struct marks *marks, const char *name);

static inline void marks_add(struct marks *marks, enum mark_event event,
			     uint32_t page)
{
	if (marks->count == marks->size) {
		marks->lost++;
		return;
	}
	marks->mark[marks->count++] = (struct mark) {
		.time = counter_read(),
		.event = event,
		.page = page,
	};
}

#endif /* APFVM_MARKS_H */
