// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: vectors that keep what the first instruction of a handler finds, and
 * the way there and back. While they are in force, nothing else is interrupted.
 */
#include <linux/build_bug.h>

#include "apf_test.h"

static_assert(offsetof(struct entry, sp) == 248);
static_assert(offsetof(struct entry, vector) == 272);

struct entry entry_found;
u64 entry_stack;

asm(".pushsection .text\n"
	"	.globl	entry_from, entry_vectors, entry_load, entry_load_a32, entry_load_t32\n"
	"entry_from:\n"
	"	stp	x29, x30, [sp, #-96]!\n"
	"	stp	x19, x20, [sp, #16]\n"
	"	stp	x21, x22, [sp, #32]\n"
	"	stp	x23, x24, [sp, #48]\n"
	"	stp	x25, x26, [sp, #64]\n"
	"	stp	x27, x28, [sp, #80]\n"
	"	adrp	x4, entry_stack\n"
	"	mov	x5, sp\n"
	"	str	x5, [x4, #:lo12:entry_stack]\n"
	"	msr	elr_el1, x1\n"
	"	msr	spsr_el1, x2\n"
	"	msr	sp_el0, x3\n"
	"	.irp	n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"	mov	x\\n, #0x1000 + \\n\n"
	"	.endr\n"
	"	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30\n"
	"	mov	x\\n, #0x1000 + \\n\n"
	"	.endr\n"
	"	eret\n"
	"entry_load:\n"
	"	ldr	x0, [x0]\n"
	"	svc	#0\n"
	"entry_load_a32:\n"
	"	.inst	0xe5900000\n"	/* ldr r0, [r0] */
	"	.inst	0xef000000\n"	/* svc #0 */
	"entry_load_t32:\n"
	"	.inst	0xdf006800\n"	/* ldr r0, [r0]; svc #0 */

	/* X0 has the vector. An SVC at the end: its SPSR_EL1 is all of PSTATE. */
	"entry_keep:\n"
	"	msr	tpidrro_el0, x1\n"
	"	adrp	x1, entry_found\n"
	"	add	x1, x1, #:lo12:entry_found\n"
	"	str	x0, [x1, #272]\n"
	"	stp	x2, x3, [x1, #16]\n"
	"	stp	x4, x5, [x1, #32]\n"
	"	stp	x6, x7, [x1, #48]\n"
	"	stp	x8, x9, [x1, #64]\n"
	"	stp	x10, x11, [x1, #80]\n"
	"	stp	x12, x13, [x1, #96]\n"
	"	stp	x14, x15, [x1, #112]\n"
	"	stp	x16, x17, [x1, #128]\n"
	"	stp	x18, x19, [x1, #144]\n"
	"	stp	x20, x21, [x1, #160]\n"
	"	stp	x22, x23, [x1, #176]\n"
	"	stp	x24, x25, [x1, #192]\n"
	"	stp	x26, x27, [x1, #208]\n"
	"	stp	x28, x29, [x1, #224]\n"
	"	mov	x2, sp\n"
	"	stp	x30, x2, [x1, #240]\n"
	"	mrs	x2, elr_el1\n"
	"	mrs	x3, spsr_el1\n"
	"	stp	x2, x3, [x1, #256]\n"
	"	mrs	x2, tpidr_el0\n"
	"	mrs	x3, tpidrro_el0\n"
	"	stp	x2, x3, [x1]\n"
	"	svc	#0\n"

	/* Of that SVC, or of whatever should not have happened. */
	"entry_sync:\n"
	"	mrs	x2, esr_el1\n"
	"	lsr	x2, x2, #26\n"
	"	cmp	x2, #0x15\n"
	"	b.ne	1f\n"
	"	mrs	x2, spsr_el1\n"
	"	str	x2, [x1, #280]\n"
	"	adrp	x2, entry_stack\n"
	"	ldr	x2, [x2, #:lo12:entry_stack]\n"
	"	mov	sp, x2\n"
	"	ldp	x19, x20, [sp, #16]\n"
	"	ldp	x21, x22, [sp, #32]\n"
	"	ldp	x23, x24, [sp, #48]\n"
	"	ldp	x25, x26, [sp, #64]\n"
	"	ldp	x27, x28, [sp, #80]\n"
	"	ldp	x29, x30, [sp], #96\n"
	"	mov	x0, #0x3c5\n"		/* EL1h, all masked */
	"	msr	spsr_el1, x0\n"
	"	msr	elr_el1, x30\n"
	"	eret\n"
	"1:	msr	tpidr_el0, x0\n"
	"	mov	x0, #0x200\n"
	"	b	entry_keep\n"

	"	.balign	0x800\n"
	"entry_vectors:\n"
	"	.set	vector, 0\n"
	"	.rept	16\n"
	"	.balign	0x80\n"
	"	.if	vector == 0x200\n"
	"	b	entry_sync\n"
	"	.endif\n"
	"	msr	tpidr_el0, x0\n"
	"	mov	x0, #vector\n"
	"	b	entry_keep\n"
	"	.set	vector, vector + 0x80\n"
	"	.endr\n"
	".popsection\n");
