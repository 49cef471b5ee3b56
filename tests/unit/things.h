/* SPDX-License-Identifier: GPL-2.0-only */
/* A table with a row of each type, for the tests of the reader. */
#ifndef APF_UNIT_THINGS_H
#define APF_UNIT_THINGS_H

#include "array_size.h"
#include "option_table.h"

enum colour {
	RED,
	GREEN,
};

struct things {
	uint64_t size;
	uint64_t all;
	unsigned int count;
	int cpu;
	enum colour colour;
	bool shiny;
	bool loud;
	const char *name;
	struct option_texts texts;
	uint64_t even;
	uint64_t fixed;
	uint32_t guard;
};

#define INTO	((struct things *)NULL)

static const char *const colours[] = { "red", "green", NULL };
static const char *const volumes[] = { "quiet", "loud", NULL };

static int take_even(const struct option_row *row, void *into, const char *text,
		     struct reason *why)
{
	struct things *things = into;

	if (option_number(row, into, text, why))
		return -1;
	return things->even % 2 ? option_reject_value(row, text, why, "is odd") : 0;
}

static const struct option_row rows[] = {
	{ "size", OPTION_SCALED, OPTION_AT(INTO->size), 16, 1ULL << 40, "BYTES", "a size", "4K" },
	{ "all", OPTION_NUMBER, OPTION_AT(INTO->all), 0, UINT64_MAX, "N", "any number" },
	{ "count", OPTION_NUMBER, OPTION_AT(INTO->count), 1, 8, "N", "a count", "3" },
	{ "cpu", OPTION_NUMBER, OPTION_AT(INTO->cpu), 0, 1023, "N", "a CPU" },
	{ "wait", OPTION_NUMBER, OPTION_AT(INTO->count), 1, UINT32_MAX, "MS", "a time" },
	{ "colour", OPTION_WORD, OPTION_AT(INTO->colour), .words = colours, .help = "a colour" },
	{ "volume", OPTION_WORD, OPTION_AT(INTO->loud), .words = volumes, .help = "a volume" },
	{ "shiny", OPTION_FLAG, OPTION_AT(INTO->shiny), .help = "whether it shines" },
	{ "name", OPTION_TEXT, OPTION_AT(INTO->name), .value = "STR", .preset = "-",
	  .help = "a name" },
	{ "text", OPTION_TEXTS, OPTION_AT(INTO->texts), .max = 2, .value = "STR",
	  .preset = "nothing",
	  .help = "texts" },
	{ "even", OPTION_OWN, OPTION_AT(INTO->even), 2, 10, "N", "an even number",
	  .take = take_even },
	{ "five", OPTION_CONST, OPTION_AT(INTO->fixed), .min = 5, .settles = 1, .help = "it is 5" },
	{ "six", OPTION_CONST, OPTION_AT(INTO->fixed), .min = 6, .settles = 1, .help = "it is 6" },
};

static const struct option_table table = {
	.intro = "intro\n", .rows = rows, .count = ARRAY_SIZE(rows), .notes = "notes\n",
};

#endif /* APF_UNIT_THINGS_H */
