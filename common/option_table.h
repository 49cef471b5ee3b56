/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of options. A row says all there is to say about one option: its name, its
 * type and bounds, where its value goes, what the help calls the value, and the help
 * text. The same rows describe what a command line takes ("--mem 256"), and the words
 * of a spec within one option ("every=20,pages=64").
 *
 * Why not glibc's argp: it knows neither types nor bounds, so each program would still
 * have its own switch and its own checks, and argp has nothing for specs.
 */
#ifndef APF_OPTION_TABLE_H
#define APF_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_ROWS_MAX		64
#define OPTION_TEXTS_MAX	16

/*
 * Numbers are decimal, or hexadecimal with 0x in front. They have no sign, no blanks
 * and no fraction.
 */
enum option_type {
	OPTION_FLAG,	/* bool, true if given: takes no value */
	OPTION_CONST,	/* takes no value either: @min goes into the field */
	OPTION_NUMBER,	/* from @min to @max; the field has 4 or 8 bytes */
	OPTION_SCALED,	/* such a number, which may have a suffix K, M or G */
	OPTION_TEXT,	/* const char *: the argument itself, not a copy */
	OPTION_TEXTS,	/* struct option_texts: may be given up to @max times */
	OPTION_WORD,	/* the index in @words; the field is a bool or an enum */
	OPTION_OWN,	/* whatever @take makes of it */
};

struct option_texts {
	unsigned int count;
	const char *text[OPTION_TEXTS_MAX];
};

/* Where a reader puts the reason why it has refused something. */
struct reason {
	char *text;
	size_t size;
	bool in_spec;	/* the readers set it: "every=0 is ..." or "--every 0 is ..." */
};

/**
 * struct option_row - one option
 * @name:	without the dashes
 * @type:	what its value is
 * @offset:	place of the field in the program's struct, see OPTION_AT()
 * @size:	the field's size
 * @min:	smallest number, or what OPTION_CONST puts into the field
 * @max:	largest number, or how often OPTION_TEXTS may be given
 * @value:	what the help calls the value: its unit, if it has one. NULL: OPTION_OWN
 *		has no value, and OPTION_WORD is shown with its words
 * @help:	text of the help, where a line end counts as a blank; bounds and preset are put
 *		behind it
 * @preset:	the value if the option is not given, in the form of the command line
 * @words:	of OPTION_WORD, with NULL at the end
 * @take:	of OPTION_OWN: reads @text, which is NULL without @value
 * @settles:	of a spec: bits for what this word decides. Two words with a bit in
 *		common exclude each other
 */
struct option_row {
	const char *name;
	enum option_type type;
	size_t offset;
	size_t size;
	uint64_t min;
	uint64_t max;
	const char *value;
	const char *help;
	const char *preset;
	const char *const *words;
	int (*take)(const struct option_row *row, void *into, const char *text,
		    struct reason *why);
	unsigned int settles;
};

/* @field: of a struct at address 0, such as ((struct options *)NULL)->mem_mib. */
#define OPTION_AT(field)	.offset = (size_t)&(field), .size = sizeof(field)

/* @intro and @notes: the help's text before and after the rows. */
struct option_table {
	const char *intro;
	const struct option_row *rows;
	unsigned int count;
	const char *notes;
};

enum option_result {
	OPTION_RUN,
	OPTION_HELP,
	OPTION_WRONG,
};

/*
 * Put presets and values into the struct @into. @given: a bit for each row that was
 * given, for option_is_given(). On a command line an option that is given twice has its
 * last value, and --help comes with the table; in a spec each word is given once.
 * option_read_spec() returns 0, or -1 with the reason in @why.
 */
enum option_result option_read_line(const struct option_table *table, void *into, int argc,
				    char **argv, uint64_t *given, struct reason *why);
int option_read_spec(const struct option_table *table, void *into, const char *text,
		     uint64_t *given, struct reason *why);
/* The program ends here with its help, status 0, or with the reason, status 2. */
void option_read_or_exit(const struct option_table *table, void *into, int argc, char **argv,
			 uint64_t *given);

/* @name has to be that of a row. */
bool option_is_given(const struct option_table *table, uint64_t given, const char *name);

/* option_help.c: intro, rows and notes of a command line, or the rows of a spec. */
void option_print_help(const struct option_table *table, FILE *to);
void option_print_spec(const struct option_table *table, FILE *to);
/* "interleaved|blocked", or @value, or nothing. */
void option_value_name(const struct option_row *row, char *text, size_t size);
/* With a suffix if it may have one, and is a multiple of it. */
void option_number_text(const struct option_row *row, uint64_t number, char *text, size_t size);

/* For OPTION_OWN. Return: -1, or option_number(): 0, or -1. */
int option_reject(struct reason *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Option and value are named first, so that @format begins with a verb. */
int option_reject_value(const struct option_row *row, const char *text, struct reason *why,
			const char *format, ...) __attribute__((format(printf, 4, 5)));
int option_number(const struct option_row *row, void *into, const char *text,
		  struct reason *why);
/* By how much a suffix shifts a number to the left: K, M or G; 0 if it is none. */
unsigned int option_suffix_shift(char suffix);

/* The place and the bounds of a row fit its type. The readers assert it. */
bool option_row_is_sound(const struct option_row *row);

#endif /* APF_OPTION_TABLE_H */
