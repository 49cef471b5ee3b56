// SPDX-License-Identifier: GPL-2.0-only
/* Pages of a list: asked for before the guest does, which goes first; and the wire. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prefetch.h"
#include "unit.h"
#include "util.h"
#include "wire.h"

#define PAGES	1024
#define MS	UINT64_C(1000000)
#define LISTED	100
/* Of a page of 4,096 bytes, at 32,768,000 bits per second. */
#define MBIT	32
#define PAGE_NS	(UINT64_C(4096) * 8000 / MBIT)

struct fixture {
	struct policy_list list;
	struct pending pending;
	struct prefetch prefetch;
	struct wire wire;
	char name[40];
	int fd;
};

/* The text of a file, which is there until drop(). */
static struct fixture *with_text(const char *text)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[160];

	assert_non_null(f);
	policy_list_init(&f->list, PAGES, 0, 4096);
	assert_int_equal(policy_list_add(&f->list, "all:delay=5", why, sizeof(why)), 0);
	assert_int_equal(policy_list_add(&f->list, "1000-1024:never", why, sizeof(why)), 0);
	assert_int_equal(pending_init(&f->pending, &f->list, 1), 0);
	f->fd = memfd_create("marks", 0);
	assert_true(f->fd >= 0);
	assert_int_equal(write(f->fd, text, strlen(text)), strlen(text));
	snprintf(f->name, sizeof(f->name), "/proc/self/fd/%d", f->fd);
	wire_init(&f->wire, &f->pending, &f->prefetch, 4096, 0);
	return f;
}

/* The pages 0, 2, 4 and so on were asked for. */
static struct fixture *with_list(void)
{
	static char text[LISTED * 120];
	struct fixture *f;
	int i, n = 0;

	for (i = 0; i < LISTED; i++)
		n += sprintf(text + n, "{\"t\":%d,\"ev\":\"request\",\"page\":%d}\n"
			     "{\"t\":%d,\"ev\":\"serve\",\"page\":%d}\n", i, 2 * i, i, 2 * i + 1);
	f = with_text(text);
	assert_int_equal(prefetch_read(&f->prefetch, f->name, &f->list), 0);
	return f;
}

static void drop(struct fixture *f)
{
	prefetch_free(&f->prefetch);
	pending_free(&f->pending);
	close(f->fd);
	free(f);
}

static void expect(struct fixture *f, uint64_t now, uint32_t page, bool prefetched)
{
	struct arrival arrival;

	assert_true(wire_due(&f->wire) <= now);
	assert_true(wire_take(&f->wire, now, &arrival));
	assert_int_equal(arrival.page, page);
	assert_int_equal(arrival.answer, POLICY_SERVE);
	assert_int_equal(arrival.prefetched, prefetched);
}

static void expect_none(struct fixture *f, uint64_t now)
{
	struct arrival arrival;

	assert_false(wire_take(&f->wire, now, &arrival));
	assert_true(wire_due(&f->wire) > now);
}

/* As the server does it: the guest asks for @page. */
static void touch(struct fixture *f, uint32_t page, uint64_t now)
{
	assert_true(pending_add(&f->pending, page,
				prefetch_overtake(&f->prefetch, page, now)));
}

static void without_a_list_nothing_comes(void **state)
{
	struct fixture *f = with_text("");

	(void)state;
	prefetch_ask(&f->prefetch, 0);
	assert_true(wire_due(&f->wire) == PENDING_NEVER);
	touch(f, 3, MS);
	assert_false(prefetch_has_come(&f->prefetch, 3));
	expect_none(f, 6 * MS - 1);
	expect(f, 6 * MS, 3, false);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void a_list_has_requests_once_each_and_no_more(void **state)
{
	struct fixture *f = with_text("{\"t\":1,\"ev\":\"request\",\"page\":7}\n"
				      "{\"t\":2,\"ev\":\"request\",\"page\":1001}\n"
				      "{\"t\":2,\"ev\":\"serve\",\"page\":8}\n"
				      "{\"t\":3,\"ev\":\"request\",\"page\":7}\n"
				      "{\"t\":18446744073709551615,\"ev\":\"request\",\"page\":5}\n");

	(void)state;
	assert_int_equal(prefetch_read(&f->prefetch, f->name, &f->list), 0);
	prefetch_ask(&f->prefetch, 0);
	expect(f, 5 * MS, 7, true);
	expect(f, 5 * MS, 5, true);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void a_list_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "{\"t\":1,\"ev\":\"serve\",\"page\":7}\n",
		"{\"t\":1,\"ev\":\"request\",\"page\":1024}\n",
	};
	struct fixture *f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		f = with_text(wrong[i]);
		assert_int_equal(prefetch_read(&f->prefetch, f->name, &f->list), -1);
		drop(f);
	}
	f = with_text("");
	assert_int_equal(prefetch_read(&f->prefetch, "/proc/self/no", &f->list), -1);
	drop(f);
}

static void a_page_comes_after_its_delay_and_then_the_next_is_asked_for(void **state)
{
	struct fixture *f = with_list();
	uint32_t i;

	(void)state;
	prefetch_ask(&f->prefetch, 100);
	expect_none(f, 99 + 5 * MS);
	for (i = 0; i < PREFETCH_DEPTH; i++) {
		assert_false(prefetch_has_come(&f->prefetch, 2 * i));
		expect(f, 100 + 5 * MS, 2 * i, true);
		assert_true(prefetch_has_come(&f->prefetch, 2 * i));
		prefetch_ask(&f->prefetch, 6 * MS);
	}
	expect_none(f, 11 * MS - 1);
	for (; i < LISTED; i++)
		expect(f, 11 * MS, 2 * i, true);
	prefetch_ask(&f->prefetch, 20 * MS);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

/* Page 4 is on its way since 0, page 50 was asked for before; page 190 comes once only. */
static void what_the_guest_waits_for_goes_first(void **state)
{
	struct fixture *f = with_list();
	uint32_t i;

	(void)state;
	touch(f, 51, 0);
	prefetch_ask(&f->prefetch, MS);
	touch(f, 4, 2 * MS);
	touch(f, 190, 3 * MS);
	expect(f, 5 * MS, 51, false);
	expect_none(f, 6 * MS - 1);
	expect(f, 6 * MS, 4, false);
	expect(f, 6 * MS, 0, true);
	expect(f, 8 * MS, 190, false);
	expect(f, 8 * MS, 2, true);
	prefetch_ask(&f->prefetch, 8 * MS);
	for (i = 3; i < LISTED; i++) {
		if (2 * i != 190)
			expect(f, 20 * MS, 2 * i, true);
		prefetch_ask(&f->prefetch, 10 * MS);
	}
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void an_older_request_goes_before_later_ones(void **state)
{
	struct fixture *f = with_list();

	(void)state;
	prefetch_ask(&f->prefetch, MS);
	touch(f, 501, 0);
	touch(f, 503, 2 * MS);
	touch(f, 505, 3 * MS);
	touch(f, 8, 4 * MS);
	expect(f, 5 * MS, 501, false);
	expect(f, 60 * MS, 8, false);
	expect(f, 60 * MS, 503, false);
	expect(f, 60 * MS, 505, false);
	expect(f, 60 * MS, 0, true);
	drop(f);
}

static void a_wire_carries_one_page_after_the_other(void **state)
{
	struct fixture *f = with_text("");

	(void)state;
	wire_init(&f->wire, &f->pending, &f->prefetch, 4096, MBIT);
	touch(f, 1, 0);
	touch(f, 2, 0);
	touch(f, 3, 40 * MS);
	expect_none(f, 5 * MS);
	assert_true(wire_carries(&f->wire, 1) && wire_carries(&f->wire, 2));
	assert_false(wire_carries(&f->wire, 3));
	assert_true(wire_due(&f->wire) == 5 * MS + PAGE_NS);
	expect(f, 5 * MS + PAGE_NS, 1, false);
	assert_false(wire_carries(&f->wire, 1));
	expect_none(f, 5 * MS + 2 * PAGE_NS - 1);
	expect(f, 5 * MS + 2 * PAGE_NS, 2, false);
	/* Nothing is saved up while it is idle, nor lost where the server is late. */
	expect_none(f, 45 * MS + PAGE_NS - 1);
	expect(f, 45 * MS + PAGE_NS, 3, false);
	expect_none(f, PENDING_NEVER - 1);
	drop(f);
}

static void a_page_on_the_wire_is_not_overtaken(void **state)
{
	struct fixture *f = with_list();

	(void)state;
	wire_init(&f->wire, &f->pending, &f->prefetch, 4096, MBIT);
	touch(f, 501, 0);
	prefetch_ask(&f->prefetch, 0);
	expect_none(f, 5 * MS);
	expect(f, 5 * MS + PAGE_NS, 501, false);
	expect_none(f, 5 * MS + PAGE_NS);
	assert_true(wire_carries(&f->wire, 0));
	touch(f, 503, MS);
	expect(f, 5 * MS + 2 * PAGE_NS, 0, true);
	expect_none(f, 5 * MS + 2 * PAGE_NS);
	assert_true(wire_carries(&f->wire, 503));
	expect(f, 5 * MS + 3 * PAGE_NS, 503, false);
	expect(f, 5 * MS + 4 * PAGE_NS, 2, true);
	drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_list_nothing_comes),
		cmocka_unit_test(a_list_has_requests_once_each_and_no_more),
		cmocka_unit_test(a_list_that_is_none_is_refused),
		cmocka_unit_test(a_page_comes_after_its_delay_and_then_the_next_is_asked_for),
		cmocka_unit_test(what_the_guest_waits_for_goes_first),
		cmocka_unit_test(an_older_request_goes_before_later_ones),
		cmocka_unit_test(a_wire_carries_one_page_after_the_other),
		cmocka_unit_test(a_page_on_the_wire_is_not_overtaken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
