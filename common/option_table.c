// SPDX-License-Identifier: GPL-2.0-only
/* What the rows of a table mean: values, bounds, and the words of a spec. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "option_table.h"
#include "option_take.h"

int option_reject(struct reason *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return -1;
}

int option_reject_value(const struct option_row *row, const char *text, struct reason *why,
			const char *format, ...)
{
	va_list args;
	int used;

	used = snprintf(why->text, why->size, why->in_spec ? "%s=%s " : "--%s %s ", row->name,
			text);
	if (used < 0 || (size_t)used >= why->size)
		return -1;
	va_start(args, format);
	vsnprintf(why->text + used, why->size - used, format, args);
	va_end(args);
	return -1;
}

unsigned int option_suffix_shift(char suffix)
{
	switch (suffix) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

/* strtoull() takes blanks, signs and octal numbers. Return: 0, -EINVAL or -ERANGE. */
static int read_number(const char *text, bool scaled, uint64_t *value)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned int shift;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, hexadecimal ? 16 : 10);
	shift = scaled ? option_suffix_shift(*end) : 0;
	if (!isdigit((unsigned char)*text) || end[shift ? 1 : 0])
		return -EINVAL;
	if (errno || *value > UINT64_MAX >> shift)
		return -ERANGE;
	*value <<= shift;
	return 0;
}

/* The program's own type of 8 bytes may be another than uint64_t. */
static void store(const struct option_row *row, void *into, uint64_t value)
{
	char *field = (char *)into + row->offset;
	uint32_t word = value;
	bool flag = value;

	if (row->size == sizeof(value))
		memcpy(field, &value, sizeof(value));
	else if (row->size == sizeof(word))
		memcpy(field, &word, sizeof(word));
	else
		memcpy(field, &flag, sizeof(flag));
}

int option_number(const struct option_row *row, void *into, const char *text,
		  struct reason *why)
{
	/* A number without a unit is called N, or N|all. */
	const char *unit = row->value && *row->value != 'N' ? row->value : "";
	char min[24], max[24];
	uint64_t value;
	int error;

	error = read_number(text, row->type == OPTION_SCALED, &value);
	if (!error && value >= row->min && value <= row->max) {
		store(row, into, value);
		return 0;
	}
	option_number_text(row, row->min, min, sizeof(min));
	option_number_text(row, row->max, max, sizeof(max));
	return option_reject_value(row, text, why, "is not between %s and %s%s%s%s", min, max,
				   *unit ? " " : "", unit,
				   error == -EINVAL ? ": it is not a number" : "");
}

static int take_word(const struct option_row *row, void *into, const char *text,
		     struct reason *why)
{
	char words[120] = "";
	unsigned int i;
	size_t used = 0;

	for (i = 0; row->words[i]; i++) {
		if (!strcmp(text, row->words[i])) {
			store(row, into, i);
			return 0;
		}
		if (used < sizeof(words))
			used += snprintf(words + used, sizeof(words) - used, "%s%s",
					 i ? ", " : "", row->words[i]);
	}
	return option_reject_value(row, text, why, "is none of %s", words);
}

static int take_texts(const struct option_row *row, void *into, const char *text,
		      struct reason *why)
{
	struct option_texts *texts = (void *)((char *)into + row->offset);

	if (texts->count == row->max)
		return option_reject(why, "--%s: given more than %u times", row->name,
				     texts->count);
	texts->text[texts->count++] = text;
	return 0;
}

int option_take(const struct option_row *row, void *into, const char *text,
		struct reason *why)
{
	switch (row->type) {
	case OPTION_FLAG:
		store(row, into, true);
		return 0;
	case OPTION_CONST:
		store(row, into, row->min);
		return 0;
	case OPTION_NUMBER:
	case OPTION_SCALED:
		return option_number(row, into, text, why);
	case OPTION_TEXT:
		memcpy((char *)into + row->offset, &text, sizeof(text));
		return 0;
	case OPTION_TEXTS:
		return take_texts(row, into, text, why);
	case OPTION_WORD:
		return take_word(row, into, text, why);
	case OPTION_OWN:
		return row->take(row, into, text, why);
	}
	return option_reject(why, "--%s has no type", row->name);
}

bool option_has_value(const struct option_row *row)
{
	return row->value || row->type == OPTION_WORD;
}

static bool number_is_sound(const struct option_row *row)
{
	return row->value && row->min <= row->max &&
	       (row->size == sizeof(uint64_t) ||
		(row->size == sizeof(uint32_t) && row->max <= UINT32_MAX));
}

bool option_row_is_sound(const struct option_row *row)
{
	if (!row->name || !row->help)
		return false;
	switch (row->type) {
	case OPTION_FLAG:
		return row->size == sizeof(bool) && !row->value && !row->preset;
	case OPTION_CONST:
		return (row->size == sizeof(uint64_t) || row->size == sizeof(uint32_t)) &&
		       !row->value && !row->preset;
	case OPTION_NUMBER:
	case OPTION_SCALED:
		return number_is_sound(row);
	case OPTION_TEXT:
		return row->value && row->size == sizeof(const char *);
	case OPTION_TEXTS:
		return row->value && row->size == sizeof(struct option_texts) &&
		       row->max > 0 && row->max <= OPTION_TEXTS_MAX;
	case OPTION_WORD:
		return row->words && !row->value &&
		       (row->size == sizeof(uint32_t) || row->size == sizeof(bool));
	case OPTION_OWN:
		return row->take;
	}
	return false;
}

static bool table_is_sound(const struct option_table *table)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		if (!option_row_is_sound(&table->rows[i]))
			return false;
	}
	return table->count <= OPTION_ROWS_MAX;
}

void option_preset(const struct option_table *table, void *into, struct reason *why)
{
	unsigned int i;

	assert(table_is_sound(table));
	for (i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];

		if (row->preset && row->type != OPTION_TEXTS &&
		    option_take(row, into, row->preset, why))
			assert(!"a preset is out of bounds");
	}
}

bool option_is_given(const struct option_table *table, uint64_t given, const char *name)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		if (!strcmp(table->rows[i].name, name))
			return given >> i & 1;
	}
	assert(!"there is no such row");
	return false;
}

static int reject_unknown(const struct option_table *table, const char *word,
			  struct reason *why)
{
	char known[200] = "", value[60];
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < table->count && used < sizeof(known); i++) {
		option_value_name(&table->rows[i], value, sizeof(value));
		used += snprintf(known + used, sizeof(known) - used, "%s%s%s%s", i ? ", " : "",
				 table->rows[i].name, *value ? "=" : "", value);
	}
	return option_reject(why, "'%s' is none of %s", word, known);
}

/* @settled: bits of all words so far. */
static int read_word(const struct option_table *table, void *into, char *text,
		     uint64_t *given, unsigned int *settled, struct reason *why)
{
	char *value = strchr(text, '=');
	unsigned int i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < table->count && strcmp(text, table->rows[i].name); i++)
		;
	if (i == table->count)
		return reject_unknown(table, text, why);
	if (option_has_value(&table->rows[i]) != !!value)
		return option_reject(why, value ? "'%s' takes no value" :
				     "'%s' needs a value", text);
	if ((*given >> i & 1) || (*settled & table->rows[i].settles))
		return option_reject(why,
				     "'%s' contradicts or repeats what stands before it, or is given more than once",
				     text);
	*given |= UINT64_C(1) << i;
	*settled |= table->rows[i].settles;
	return option_take(&table->rows[i], into, value, why);
}

int option_read_spec(const struct option_table *table, void *into, const char *text,
		     uint64_t *given, struct reason *why)
{
	char *copy = strdup(text), *rest = copy, *word;
	unsigned int settled = 0;
	int ret = 0;

	if (!copy)
		return option_reject(why, "no memory");
	*given = 0;
	why->in_spec = true;
	option_preset(table, into, why);
	while (!ret && (word = strsep(&rest, ",")))
		ret = read_word(table, into, word, given, &settled, why);
	free(copy);
	return ret;
}
