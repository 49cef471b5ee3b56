/* SPDX-License-Identifier: GPL-2.0-only */
/* The GIC as far as APF needs it, and a guest's part of one announcement. */
#ifndef APF_GUEST_PPI_H
#define APF_GUEST_PPI_H

#include <asm/kvm_apf.h>
#include <stdint.h>

#define read_register(name) ({					\
	uint64_t value_;					\
								\
	asm volatile("mrs %0, " name : "=r" (value_) : : "memory"); \
	value_;							\
})

#define write_register(name, value) do {			\
	uint64_t value_ = (uint64_t)(value);			\
								\
	asm volatile("msr " name ", %0\n\tisb" : : "r" (value_) : "memory"); \
} while (0)

void set_up_gic(void);
void take_ppi(void);
/* Return: the token of the announcement of el0_load. */
uint32_t claim(struct kvm_apf_block *block);
void wait_until_ready(struct kvm_apf_block *block, uint32_t token);

#endif /* APF_GUEST_PPI_H */
