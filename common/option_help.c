// SPDX-License-Identifier: GPL-2.0-only
/* The help, made of the table. */
#include <inttypes.h>
#include <string.h>

#include "option_table.h"

#define WIDTH	80
/* Where the text of a row begins. */
#define COLUMN	22

void option_value_name(const struct option_row *row, char *text, size_t size)
{
	size_t used = 0;
	unsigned int i;

	snprintf(text, size, "%s", row->value ? row->value : "");
	for (i = 0; row->type == OPTION_WORD && row->words[i] && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? "|" : "", row->words[i]);
}

void option_number_text(const struct option_row *row, uint64_t number, char *text, size_t size)
{
	static const char suffixes[] = "GMK";
	const char *suffix;

	for (suffix = suffixes; row->type == OPTION_SCALED && number && *suffix; suffix++) {
		unsigned int shift = option_suffix_shift(*suffix);

		if (number >> shift << shift == number) {
			snprintf(text, size, "%" PRIu64 "%c", number >> shift, *suffix);
			return;
		}
	}
	snprintf(text, size, "%" PRIu64, number);
}

/* "[16 to 65536, default 256]", or less of it, or nothing. */
static void limits_text(const struct option_row *row, char *text, size_t size)
{
	bool is_number = row->max && row->type != OPTION_TEXTS;
	char min[24], max[24], range[60] = "";

	option_number_text(row, row->min, min, sizeof(min));
	option_number_text(row, row->max, max, sizeof(max));
	if (row->type == OPTION_TEXTS)
		snprintf(range, sizeof(range), "up to %s times", max);
	else if (is_number && row->max == UINT64_MAX)
		snprintf(range, sizeof(range), "%s or more", min);
	else if (is_number)
		snprintf(range, sizeof(range), "%s to %s", min, max);
	*text = '\0';
	if (*range || row->preset)
		snprintf(text, size, "[%s%s%s%s]", range, *range && row->preset ? ", " : "",
			 row->preset ? "default " : "", row->preset ? row->preset : "");
}

/* Behind a blank, or in a new line. Return: the column after it. */
static size_t print_piece(FILE *to, size_t column, const char *text, size_t size)
{
	if (column > COLUMN && column + 1 + size > WIDTH) {
		fprintf(to, "\n%*s", COLUMN, "");
		column = COLUMN;
	}
	return column + fprintf(to, "%s%.*s", column > COLUMN ? " " : "", (int)size, text);
}

static size_t print_words(FILE *to, size_t column, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n ");

		column = print_piece(to, column, text, size);
		text += size;
		text += *text != '\0';
	}
	return column;
}

static void print_row(FILE *to, const char *name, const char *help, const char *limits)
{
	int width = fprintf(to, "  %s", name);
	size_t column;

	if (width >= COLUMN)
		fprintf(to, "\n%*s", COLUMN, "");
	else
		fprintf(to, "%*s", COLUMN - width, "");
	column = print_words(to, COLUMN, help);
	if (*limits)
		print_piece(to, column, limits, strlen(limits));
	fputc('\n', to);
}

static void print_rows(const struct option_table *table, FILE *to, const char *dashes,
		       const char *equals)
{
	char name[100], value[60], limits[120];
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];

		option_value_name(row, value, sizeof(value));
		snprintf(name, sizeof(name), "%s%s%s%s", dashes, row->name,
			 *value ? equals : "", value);
		limits_text(row, limits, sizeof(limits));
		print_row(to, name, row->help, limits);
	}
}

void option_print_spec(const struct option_table *table, FILE *to)
{
	print_rows(table, to, "", "=");
}

void option_print_help(const struct option_table *table, FILE *to)
{
	fputs(table->intro, to);
	print_rows(table, to, "--", " ");
	print_row(to, "--help", "this text", "");
	fputs(table->notes, to);
}
