/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a page of cold memory holds: a function of its address and a seed, so
 * that whoever serves a page and whoever touches it agree on every byte
 * without a copy of it anywhere.
 */
#ifndef APF_CONTENT_H
#define APF_CONTENT_H

#include <linux/types.h>

/*
 * The 8-byte word (in the byte order of the CPU, little-endian in the lab) at
 * IPA @ipa. An odd multiplier makes it a bijection of the address: no two words
 * of a region are equal, and a page served for another one is seen at its first
 * word. Two instructions, because the check is part of what is measured.
 */
static inline __u64 apf_word(__u64 seed, __u64 ipa)
{
	return (ipa ^ seed) * 0x9e3779b97f4a7c15ULL;
}

#endif /* APF_CONTENT_H */
