/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest begins with: the header that makes it an arm64 Image
 * (Documentation/arch/arm64/booting.rst), and a stack. The VMM's memory is
 * zeroed, so .bss is too.
 */

	.section .head, "ax"
	b	start
	.word	0
	.quad	0			// text_offset
	.quad	image_size
	.quad	0			// flags: little-endian
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.word	0

start:
	adrp	x0, stack_end
	add	sp, x0, :lo12:stack_end
	bl	guest_main
	b	good

	.section .stack, "aw", %nobits
	.balign	16
	.skip	4096
stack_end:
