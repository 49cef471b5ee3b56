/* SPDX-License-Identifier: GPL-2.0-only */
/* Between EL1 in C and EL0: vectors.S. */
#ifndef APF_GUEST_VECTORS_H
#define APF_GUEST_VECTORS_H

#include <stdint.h>

/* For VBAR_EL1. */
extern const char vectors[];

/* Load a word at EL0, by the instruction el0_load, with interrupts unmasked. */
_Noreturn void load_at_el0(uint64_t ipa);
extern const char el0_load[];

/* Called at EL1: an interrupt of EL0 came; the word was loaded. */
void on_interrupt(void);
_Noreturn void on_loaded(uint64_t word);

#endif /* APF_GUEST_VECTORS_H */
