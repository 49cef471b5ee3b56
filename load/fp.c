// SPDX-License-Identifier: GPL-2.0-only
/*
 * A touch with a pattern in all FP and vector registers: in V0 to V31, and in
 * Z0 to Z31 and P0 to P15 where the CPU has SVE. Nothing may be lost of it,
 * whatever ran while the page was fetched.
 */
#include <string.h>
#include <sys/auxv.h>

#include "apfload.h"
#include "../common/content.h"

/* With the longest vectors of the architecture: 256 bytes. */
struct registers {
	u64 vector[32 * 32];
	u64 predicate[16 * 4];
};

#define EACH_VECTOR	".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15," \
			"16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
#define EACH_PREDICATE	".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
#define ACCESS		"cbz	%w[write], 1f\n"	\
			"str	%[value], [%[word]]\n"	\
			"b	2f\n"			\
			"1:	ldr	%[value], [%[word]]\n" \
			"2:\n"
#define VECTORS		"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",	\
			"v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", \
			"v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", \
			"v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"

static u64 access_with_v(u64 *word, u64 value, bool write, const struct registers *in,
			 struct registers *out)
{
	__asm__ volatile(EACH_VECTOR "ldr q\\r, [%[in], #(16 * \\r)]\n.endr\n"
			 ACCESS
			 EACH_VECTOR "str q\\r, [%[out], #(16 * \\r)]\n.endr\n"
			 : [value] "+r" (value)
			 : [word] "r" (word), [write] "r" (write), [in] "r" (in->vector),
			   [out] "r" (out->vector)
			 : "memory", VECTORS);
	return value;
}

static u64 access_with_z(u64 *word, u64 value, bool write, const struct registers *in,
			 struct registers *out)
{
	__asm__ volatile(".arch_extension sve\n"
			 EACH_VECTOR "ldr z\\r, [%[in], #\\r, mul vl]\n.endr\n"
			 EACH_PREDICATE "ldr p\\r, [%[inp], #\\r, mul vl]\n.endr\n"
			 ACCESS
			 EACH_VECTOR "str z\\r, [%[out], #\\r, mul vl]\n.endr\n"
			 EACH_PREDICATE "str p\\r, [%[outp], #\\r, mul vl]\n.endr\n"
			 : [value] "+r" (value)
			 : [word] "r" (word), [write] "r" (write), [in] "r" (in->vector),
			   [out] "r" (out->vector), [inp] "r" (in->predicate),
			   [outp] "r" (out->predicate)
			 : "memory", VECTORS);
	return value;
}

static bool has_sve(void)
{
	return getauxval(AT_HWCAP) & HWCAP_SVE;
}

unsigned int fp_vector_bytes(void)
{
	u64 bytes = 16;

	if (has_sve())
		__asm__ volatile(".arch_extension sve\n\trdvl	%0, #1" : "=r" (bytes));
	return bytes;
}

/* Of the task's own, and of this touch: what belongs to another one is seen. */
static void make_pattern(struct registers *in, u64 seed, u64 vector_bytes)
{
	u64 i;

	for (i = 0; i < 32 * vector_bytes / 8; i++)
		in->vector[i] = apf_word(seed, i);
	for (i = 0; has_sve() && i < 16 * vector_bytes / 64; i++)
		in->predicate[i] = apf_word(seed, ~i);
}

/* As access_word() in work.c. */
u64 fp_access(struct task *t, u64 *word, u64 value)
{
	unsigned int bytes = t->load->fp_bytes;
	struct registers in = { .vector = { 0 } }, out = { .vector = { 0 } };
	bool write = t->load->cfg.write;

	make_pattern(&in, (t->id + 1) * 0x10001ULL + t->touches, bytes);
	if (has_sve())
		value = access_with_z(word, value, write, &in, &out);
	else
		value = access_with_v(word, value, write, &in, &out);
	t->fp_bad += !!memcmp(&in, &out, sizeof(in));
	return value;
}
