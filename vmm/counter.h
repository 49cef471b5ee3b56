/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef APFVM_COUNTER_H
#define APFVM_COUNTER_H

#include <stdint.h>

/*
 * The virtual counter. The VM's counter offset is 0, so this is also what the
 * guest reads. The ISB keeps the read from being done ahead of its turn.
 */
static inline uint64_t counter_read(void)
{
	uint64_t value;

	asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (value) : : "memory");
	return value;
}

#endif /* APFVM_COUNTER_H */
