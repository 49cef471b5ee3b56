/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guests share: hypercalls, cold memory, and how to say good or bad. */
#ifndef APF_GUEST_H
#define APF_GUEST_H

#include <asm/kvm_apf.h>
#include <stdint.h>

#include "../../common/array_size.h"

/* apfvm's memory map and seed, for --mem 256 --cold 8. */
#define SEED			1
#define NO_MEMORY		0x40000000UL
#define MEMORY_BASE		0x80000000UL
#define COLD_BASE		0x90000000UL
#define COLD_END		0x90800000UL

#define PAGE_SIZE		4096UL
/* How many cold pages a guest touches; tests/system/bare_tests.py knows it too. */
#define PAGES			8

#define SMCCC_SUCCESS		0
#define SMCCC_NOT_SUPPORTED	(-1L)
#define SMCCC_INVALID_PARAMETER	(-3L)

/* Answer of a hypercall: x0 to x3. */
struct answer {
	long x[4];
};

struct answer hypercall(uint32_t function, uint64_t a1, uint64_t a2);

/* The guest's end, and its verdict: apfvm's status is 0 or 3. */
_Noreturn void good(void);
_Noreturn void bad(void);

static inline void check(int holds)
{
	if (!holds)
		bad();
}

/*
 * Of memory that somebody else writes too, or that is none. Of all loads and
 * stores, KVM can decode only those without a write-back of the address.
 */
static inline uint64_t load64(const void *address)
{
	uint64_t value;

	asm volatile("ldr %0, %1" : "=r" (value) : "Q" (*(const uint64_t *)address) : "memory");
	return value;
}

static inline uint32_t load32(const void *address)
{
	uint32_t value;

	asm volatile("ldr %w0, %1" : "=r" (value) : "Q" (*(const uint32_t *)address) : "memory");
	return value;
}

static inline void store64(void *address, uint64_t value)
{
	asm volatile("str %1, %0" : "=Q" (*(uint64_t *)address) : "r" (value) : "memory");
}

static inline void store32(void *address, uint32_t value)
{
	asm volatile("str %w1, %0" : "=Q" (*(uint32_t *)address) : "r" (value) : "memory");
}

/* PSTATE.I, which is set at the start. */
static inline void unmask_interrupts(void)
{
	asm volatile("msr daifclr, #2" : : : "memory");
}

/*
 * The host reaches a block through its caches, the guest with its MMU off goes
 * around them: to be called before the guest reads what the host wrote, and
 * after it wrote itself.
 */
static inline void sync_block(struct kvm_apf_block *block)
{
	asm volatile("dsb sy\n\tdc civac, %0\n\tdsb sy" : : "r" (block) : "memory");
}

/* Read PAGES cold pages one after the other; they hold what they should, or bad(). */
void read_cold_pages(void);
/* Is APF offered by the vendor-specific hypervisor service's bitmap? */
int apf_advertised(void);
long apf_features(void);
long apf_enable(uint64_t word);

/* Each guest's own. */
void guest_main(void);

#endif /* APF_GUEST_H */
