/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic timer's virtual counter: the one clock that tasks of the guest,
 * the guest's trace, the VMM and the host's trace have in common, as long as
 * the VMM gives the guest a counter offset of 0. It does, except for a VM that was
 * restored.
 */
#ifndef APF_COUNTER_H
#define APF_COUNTER_H

#include <linux/types.h>

typedef __u64 u64;

/* ISB: without it the counter may be read before earlier instructions end. */
static inline u64 counter_read(void)
{
	u64 value;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (value) : : "memory");
	return value;
}

static inline u64 counter_hz(void)
{
	u64 hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r" (hz));
	return hz;
}

static inline double counter_ms(u64 ticks)
{
	return (double)ticks * 1000.0 / (double)counter_hz();
}

#endif /* APF_COUNTER_H */
