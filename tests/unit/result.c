// SPDX-License-Identifier: GPL-2.0-only
/* The result channel: commands are answered, all else passes byte by byte. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "result.h"
#include "unit.h"
#include "util.h"

#define END	"<end>\n"

/*
 * The answers are "<NAME>", "<+>", "<->" and "<s>"; the last one, without a request, is END.
 */
static const struct row {
	const char *in;
	const char *out;
} rows[] = {
	/* Commands. */
	{ "@stats a\n",             "<a>\n" END },
	{ "@stats a\r\n",           "<a>\n" END },
	{ "@stats run-1.b_E\n",     "<run-1.b_E>\n" END },
	{ "@stats a\n@stats b\n",   "<a>\n<b>\n" END },
	{ "x\n@stats a\ny\n",       "x\n<a>\ny\n" END },
	{ "\n@stats a\n",           "\n<a>\n" END },
	{ "@stats end\n",           "<end>\n" END },
	{ "@evict on\n",            "<+>\n" END },
	{ "@evict off\r\n",         "<->\n" END },
	{ "@evict on\n@stats a\n",  "<+>\n<a>\n" END },
	{ "@save\n",               "<s>\n" END },
	{ "@save\r\n@stats a\n",   "<s>\n<a>\n" END },
	/* Not commands. */
	{ "",                       END },
	{ "\n\n",                   "\n\n" END },
	{ "{\"run\":1}\n",          "{\"run\":1}\n" END },
	{ "@stats\n",               "@stats\n" END },
	{ "@stats\x20\n",           "@stats\x20\n" END },
	{ "@stats \r\n",            "@stats \r\n" END },
	{ "@stats a\r\r\n",         "@stats a\r\r\n" END },
	{ "@stats a b\n",           "@stats a b\n" END },
	{ "@stats a\"b\n",          "@stats a\"b\n" END },
	{ "@stats  a\n",            "@stats  a\n" END },
	{ "@statsa\n",              "@statsa\n" END },
	{ "@stat a\n",              "@stat a\n" END },
	{ "@Stats a\n",             "@Stats a\n" END },
	{ " @stats a\n",            " @stats a\n" END },
	{ "x@stats a\n",            "x@stats a\n" END },
	{ "xy@stats a\n",           "xy@stats a\n" END },
	{ "@@stats a\n",            "@@stats a\n" END },
	{ "@evict\n",               "@evict\n" END },
	{ "@evict\x20\n",           "@evict\x20\n" END },
	{ "@evict o\n",             "@evict o\n" END },
	{ "@evict of\n",            "@evict of\n" END },
	{ "@evict onf\n",           "@evict onf\n" END },
	{ "@evict offf\n",          "@evict offf\n" END },
	{ "@evict on off\n",        "@evict on off\n" END },
	{ "@evicton\n",             "@evicton\n" END },
	{ "@evict a\n",             "@evict a\n" END },
	{ "@sav\n",                "@sav\n" END },
	{ "@saved\n",              "@saved\n" END },
	{ "@save a\n",             "@save a\n" END },
	{ "@save\r\r\n",           "@save\r\r\n" END },
	{ "@save",                 "@save\n" END },
	/* A line that the guest did not finish. */
	{ "x",                      "x\n" END },
	{ "x\ny",                   "x\ny\n" END },
	{ "@",                      "@\n" END },
	{ "@stats a",               "@stats a\n" END },
	{ "@stats a\n@st",          "<a>\n@st\n" END },
	{ "@evict on",              "@evict on\n" END },
};

struct fixture {
	struct output out;
	struct result result;
	char text[512];
};

static void answer(void *opaque, const char *name, struct output *out)
{
	char text[RESULT_COMMAND_MAX + 4];

	(void)opaque;
	output_write(out, text, snprintf(text, sizeof(text), "<%s>\n", name));
}

static void answer_evict(void *opaque, bool on, struct output *out)
{
	(void)opaque;
	output_write(out, on ? "<+>\n" : "<->\n", 4);
}

static void answer_save(void *opaque, struct output *out)
{
	(void)opaque;
	output_write(out, "<s>\n", 4);
}

static const struct result_commands commands = {
	.stats = answer, .evict = answer_evict, .save = answer_save,
};

static void start(struct fixture *f)
{
	f->out = (struct output) { .name = "result", .fd = memfd_create("result", 0) };
	assert_true(f->out.fd >= 0);
	result_init(&f->result, &f->out, &commands, NULL);
}

static const char *written(struct fixture *f)
{
	ssize_t n = pread(f->out.fd, f->text, sizeof(f->text) - 1, 0);

	assert_true(n >= 0);
	f->text[n] = '\0';
	return f->text;
}

static const char *finish(struct fixture *f)
{
	result_end(&f->result);
	written(f);
	assert_int_equal(output_close(&f->out), 0);
	return f->text;
}

/* What comes of a text that arrives in three pieces, cut at @a and at @b. */
static void check_cut(const struct row *row, size_t a, size_t b)
{
	size_t size = strlen(row->in);
	struct fixture f;

	start(&f);
	result_write(&f.result, row->in, a);
	result_write(&f.result, row->in + a, b - a);
	result_write(&f.result, row->in + b, size - b);
	if (strcmp(finish(&f), row->out))
		fail_msg("'%s' cut at %zu and %zu gives '%s'", row->in, a, b, f.text);
}

static void wherever_it_is_cut_the_same_comes_out(void **state)
{
	unsigned int i;
	size_t a, b;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (b = 0; b <= strlen(rows[i].in); b++) {
			for (a = 0; a <= b; a++)
				check_cut(&rows[i], a, b);
		}
	}
}

static void byte_by_byte_the_same_comes_out(void **state)
{
	unsigned int i;
	const char *c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture f;

		start(&f);
		for (c = rows[i].in; *c; c++)
			result_write(&f.result, c, 1);
		assert_string_equal(finish(&f), rows[i].out);
	}
}

static void only_what_may_be_a_command_is_held_back(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	result_write(&f.result, "@stats", 6);
	assert_string_equal(written(&f), "");
	result_write(&f.result, "x", 1);
	assert_string_equal(written(&f), "@statsx");
	result_write(&f.result, "y", 1);
	assert_string_equal(written(&f), "@statsxy");
	finish(&f);
}

static void a_command_is_answered_as_soon_as_its_line_ends(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	result_write(&f.result, "@stats a\n", 9);
	assert_string_equal(written(&f), "<a>\n");
	finish(&f);
}

static void a_zero_byte_is_a_byte(void **state)
{
	static const char in[] = "a\0b\n@stats a\0\n@stats c\n";
	static const char want[] = "a\0b\n@stats a\0\n<c>\n" END;
	struct fixture f;

	(void)state;
	start(&f);
	result_write(&f.result, in, sizeof(in) - 1);
	finish(&f);
	assert_memory_equal(f.text, want, sizeof(want));
}

/* A name of @length letters: is it a command? */
static bool is_command(size_t length)
{
	char line[2 * RESULT_COMMAND_MAX] = "@stats ";
	struct fixture f;

	memset(line + strlen(line), 'n', length);
	strcat(line, "\n");
	start(&f);
	result_write(&f.result, line, strlen(line));
	finish(&f);
	if (f.text[0] == '<')
		return true;
	assert_memory_equal(f.text, line, strlen(line));
	return false;
}

static void a_line_too_long_is_no_command_and_passes_whole(void **state)
{
	size_t longest = RESULT_COMMAND_MAX - strlen("@stats ") - 1;

	(void)state;
	assert_true(is_command(longest));
	assert_false(is_command(longest + 1));
	assert_false(is_command(longest + 2));
	assert_false(is_command(longest + RESULT_COMMAND_MAX / 2));
}

static void nowhere_takes_everything(void **state)
{
	struct output out;

	(void)state;
	assert_int_equal(output_open(&out, NULL), 0);
	output_write(&out, "x", 1);
	assert_int_equal(output_close(&out), 0);
}

static void what_was_in_the_file_is_gone(void **state)
{
	char name[] = "/tmp/apf-unit-XXXXXX";
	int fd = mkstemp(name);
	struct output out;
	char text[8] = "";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before", 6), 6);
	assert_int_equal(output_open(&out, name), 0);
	output_write(&out, "new", 3);
	assert_int_equal(output_close(&out), 0);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 3);
	assert_string_equal(text, "new");
	close(fd);
	unlink(name);
}

/* A file opened to be read takes nothing. */
static void what_is_lost_is_said_once_and_makes_close_fail(void **state)
{
	struct output out = { .name = "result", .fd = open("/dev/null", O_RDONLY) };
	FILE *real = stderr;
	char *said = NULL;
	size_t size;

	(void)state;
	stderr = open_memstream(&said, &size);
	assert_non_null(stderr);
	output_write(&out, "x", 1);
	output_write(&out, "y", 1);
	assert_int_equal(output_close(&out), -1);
	fclose(stderr);
	stderr = real;
	assert_string_equal(said, "apfvm: result: Bad file descriptor\n");
	free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wherever_it_is_cut_the_same_comes_out),
		cmocka_unit_test(byte_by_byte_the_same_comes_out),
		cmocka_unit_test(only_what_may_be_a_command_is_held_back),
		cmocka_unit_test(a_command_is_answered_as_soon_as_its_line_ends),
		cmocka_unit_test(a_zero_byte_is_a_byte),
		cmocka_unit_test(a_line_too_long_is_no_command_and_passes_whole),
		cmocka_unit_test(nowhere_takes_everything),
		cmocka_unit_test(what_was_in_the_file_is_gone),
		cmocka_unit_test(what_is_lost_is_said_once_and_makes_close_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
