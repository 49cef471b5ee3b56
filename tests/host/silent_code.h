/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's code in silent.c, from its first instruction to behind its last. */
#ifndef SILENT_CODE_H
#define SILENT_CODE_H

extern const char silent_code[];
extern const char silent_code_end[];

#endif /* SILENT_CODE_H */
