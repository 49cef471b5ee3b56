/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PERIODIC_H
#define PERIODIC_H

#include <time.h>

void first_in_line(const char *who);
void sleep_to_next(struct timespec *next, long period_ns);

#endif /* PERIODIC_H */
