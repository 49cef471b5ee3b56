/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions from EL0, and what runs there. Any other exception is bad. */

	.macro	vector to
	.balign	0x80
	b	\to
	.endm

	.text
	.balign	0x800
	.globl	vectors
vectors:
	.rept	8
	vector	bad
	.endr
	vector	from_el0
	vector	interrupt
	.rept	6
	vector	bad
	.endr

/* The word that EL0 has loaded is in x0. */
from_el0:
	mrs	x1, esr_el1
	lsr	x1, x1, #26
	cmp	x1, #0x15		// SVC
	b.ne	bad
	b	on_loaded

/* C keeps the registers from x19. */
interrupt:
	stp	x0, x1, [sp, #-160]!
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x30, [sp, #144]
	bl	on_interrupt
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x30, [sp, #144]
	ldp	x0, x1, [sp], #160
	eret

/* The way back is on_loaded(). */
	.globl	load_at_el0
load_at_el0:
	msr	spsr_el1, xzr
	adr	x1, el0_load
	msr	elr_el1, x1
	eret

	.globl	el0_load
el0_load:
	ldr	x0, [x0]
	svc	#0
