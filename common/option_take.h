/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the option tables have among themselves. */
#ifndef APF_OPTION_TAKE_H
#define APF_OPTION_TAKE_H

#include "option_table.h"

bool option_has_value(const struct option_row *row);
/* @text: NULL if option_has_value() says no. */
int option_take(const struct option_row *row, void *into, const char *text,
		struct reason *why);
/* All but those of OPTION_TEXTS, which go in at the end, if nothing else is there. */
void option_preset(const struct option_table *table, void *into, struct reason *why);

#endif /* APF_OPTION_TAKE_H */
