/* SPDX-License-Identifier: GPL-2.0-only */
/* What cmocka wants included before it. */
#ifndef APF_UNIT_H
#define APF_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* APF_UNIT_H */
