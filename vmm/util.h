/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages, clocks and whole reads and writes, for every part of the VMM. */
#ifndef APFVM_UTIL_H
#define APFVM_UTIL_H

#include <stddef.h>
#include <stdint.h>

#include "../common/array_size.h"

#define MIB		(UINT64_C(1) << 20)

/*
 * Wakes a thread out of KVM_RUN or ppoll(). Its handler does nothing: the
 * interrupted call is what counts.
 */
#define SIGNAL_KICK	SIGUSR1
/* From outside, with --save: save the VM now. */
#define SIGNAL_SAVE	SIGUSR2

/* The program that messages begin with, apfvm if it says nothing else. */
extern const char *say_program;

/* Print "PROGRAM: MESSAGE" on stderr and return -1, for `return say_error(...)`. */
int say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with ": " and the text of errno behind it. */
int say_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A remark which is no error. */
void say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

int write_all(int fd, const void *data, size_t size);
int read_all_at(int fd, void *data, size_t size, uint64_t offset);

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t clock_ns(void);

static inline uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

#endif /* APFVM_UTIL_H */
