/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the pages of the cold region are answered: `--policy RANGE:SPEC`. Pure
 * text to numbers; knows neither KVM nor userfaultfd.
 */
#ifndef APFVM_POLICY_H
#define APFVM_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "../common/option_table.h"

#define POLICY_MAX		16
#define POLICY_BATCH_MAX	256
#define POLICY_DELAY_MAX_MS	3600000

enum policy_answer {
	POLICY_SERVE,
	POLICY_NEVER,
	POLICY_FAIL,
};

enum policy_order {
	POLICY_FIFO,
	POLICY_LIFO,
	POLICY_SHUFFLE,
};

/**
 * struct policy - how one range of pages is answered
 * @start:	first page
 * @end:	page after the last
 * @batch:	answer that many at once; 1: each by itself
 * @answer:	what to answer
 * @order:	order of the answers in a batch
 * @delay_ns:	time between request and answer
 */
struct policy {
	uint32_t start;
	uint32_t end;
	uint32_t batch;
	enum policy_answer answer;
	enum policy_order order;
	uint64_t delay_ns;
};

/*
 * Entry 0 is the default, for all pages: so every page has a policy. Ordinary
 * memory of a VM that was restored counts as @ordinary pages behind the @pages of
 * cold memory.
 */
struct policy_list {
	unsigned int count;
	uint32_t pages;
	uint32_t ordinary;
	uint32_t page_size;
	struct policy policy[POLICY_MAX];
};

void policy_list_init(struct policy_list *list, uint32_t pages, uint32_t ordinary,
		      uint32_t page_size);
/* The words of SPEC. */
extern const struct option_table policy_words;

/* Returns 0, or -1 with the reason in @why and the list as it was. */
int policy_list_add(struct policy_list *list, const char *text, char *why,
		    size_t size);

/* Index of the policy of @page: the last one given that covers it. */
static inline unsigned int policy_find(const struct policy_list *list,
				       uint32_t page)
{
	unsigned int i = list->count - 1;

	while (page < list->policy[i].start || page >= list->policy[i].end)
		i--;
	return i;
}

#endif /* APFVM_POLICY_H */
