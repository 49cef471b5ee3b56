// SPDX-License-Identifier: GPL-2.0-only
/* The command line: glibc's getopt_long() finds the options, the table's rows read them. */
#include <assert.h>
#include <err.h>
#include <getopt.h>
#include <stdlib.h>

#include "option_table.h"
#include "option_take.h"

/* Beyond all characters, so that no short option is taken for a row. */
#define ID_FIRST	256

static void fill_names(const struct option_table *table, struct option *names)
{
	unsigned int i;

	for (i = 0; i < table->count; i++)
		names[i] = (struct option) {
			.name = table->rows[i].name, .val = ID_FIRST + i,
			.has_arg = option_has_value(&table->rows[i]) ? required_argument :
								       no_argument,
		};
	names[i] = (struct option) { .name = "help", .val = ID_FIRST + i };
	names[i + 1] = (struct option) { .name = NULL };
}

static int reject_option(const struct option *names, char **argv, struct reason *why)
{
	if (optopt >= ID_FIRST)
		return option_reject(why, "--%s takes no value", names[optopt - ID_FIRST].name);
	if (optopt)
		return option_reject(why, "-%c: there is no such option; see --help", optopt);
	return option_reject(why, "%s: there is no such option; see --help", argv[optind - 1]);
}

static int reject_missing(const struct option_table *table, struct reason *why)
{
	const struct option_row *row = &table->rows[optopt - ID_FIRST];
	char value[60];

	option_value_name(row, value, sizeof(value));
	return option_reject(why, "--%s needs a value: %s", row->name, value);
}

static void preset_texts(const struct option_table *table, void *into)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct option_row *row = &table->rows[i];
		struct option_texts *texts = (void *)((char *)into + row->offset);

		if (row->type == OPTION_TEXTS && row->preset && !texts->count)
			texts->text[texts->count++] = row->preset;
	}
}

static int read_option(const struct option_table *table, void *into, int id, uint64_t *given,
		       struct reason *why)
{
	*given |= UINT64_C(1) << (id - ID_FIRST);
	return option_take(&table->rows[id - ID_FIRST], into, optarg, why);
}

enum option_result option_read_line(const struct option_table *table, void *into, int argc,
				    char **argv, uint64_t *given, struct reason *why)
{
	struct option names[OPTION_ROWS_MAX + 2];
	int id, error = 0;

	option_preset(table, into, why);
	fill_names(table, names);
	*given = 0;
	why->in_spec = false;
	/* 0: begin anew, also if a command line was read before. */
	optind = 0;
	while (!error && (id = getopt_long(argc, argv, ":", names, NULL)) != -1) {
		if (id == ID_FIRST + (int)table->count)
			return OPTION_HELP;
		if (id == ':')
			error = reject_missing(table, why);
		else if (id == '?')
			error = reject_option(names, argv, why);
		else
			error = read_option(table, into, id, given, why);
	}
	if (!error && optind < argc)
		error = option_reject(why, "'%s': there are only options; see --help",
				      argv[optind]);
	if (error)
		return OPTION_WRONG;
	preset_texts(table, into);
	return OPTION_RUN;
}

void option_read_or_exit(const struct option_table *table, void *into, int argc, char **argv,
			 uint64_t *given)
{
	char text[200];
	struct reason why = { .text = text, .size = sizeof(text) };

	switch (option_read_line(table, into, argc, argv, given, &why)) {
	case OPTION_HELP:
		option_print_help(table, stdout);
		exit(0);
	case OPTION_WRONG:
		errx(2, "%s", text);
	case OPTION_RUN:
		break;
	}
}
