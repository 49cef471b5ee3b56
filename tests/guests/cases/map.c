// SPDX-License-Identifier: GPL-2.0-only
/* Mappings that change while another thread waits for a page in them. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define SEED		13
#define PAGES		4

/* A reader of the second page of @at, and how its access ended. */
struct reader {
	char *at;
	uint64_t got;
	bool writes;
	bool faulted;
	void *address;
	int code;
	uint32_t frame;
	uint32_t begun;
	uint32_t ended;
	sigjmp_buf back;
	pthread_t thread;
};

/* The only one that may get a signal by its access. */
static struct reader *reading;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	reading->faulted = true;
	reading->address = info->si_addr;
	reading->code = info->si_code;
	siglongjmp(reading->back, 1);
}

static void *read_page(void *arg)
{
	struct reader *reader = arg;
	uint64_t *word = (uint64_t *)(reader->at + cold_page());

	if (!sigsetjmp(reader->back, 1)) {
		__atomic_store_n(&reader->begun, 1, __ATOMIC_RELEASE);
		cold_out_now(reader->frame);
		if (reader->writes)
			store_once(word, SEED);
		else
			reader->got = load_once(word);
	}
	__atomic_store_n(&reader->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Return: whether it waits now, which it may not do for long. */
static bool reader_start(struct reader *reader, char *at, bool writes)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	*reader = (struct reader) {
		.at = at, .writes = writes, .frame = cold_frame(at + cold_page()),
	};
	reading = reader;
	check(!pthread_create(&reader->thread, NULL, read_page, reader), "no thread");
	while (!__atomic_load_n(&reader->begun, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	sleep_ms(1);
	return cold_count() && !__atomic_load_n(&reader->ended, __ATOMIC_ACQUIRE);
}

/*
 * What came of the access. @waited: the mapping changed in the middle of it, so it is
 * to have met what is there now, and that is a fault with @code; else what was there.
 */
static void reader_join(struct reader *reader, bool waited, int code)
{
	char *word = reader->at + cold_page();
	uint64_t wanted[1];
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	check(!pthread_timedjoin_np(reader->thread, NULL, &until), "the access does not end");
	check(reader->faulted == (waited && code), "the access %s a fault",
	      reader->faulted ? "met" : "did not meet");
	if (reader->faulted) {
		check(reader->address == word && reader->code == code,
		      "a fault at %p with code %d, not %p and %d", reader->address, reader->code,
		      word, code);
		return;
	}
	fill(wanted, sizeof(wanted), SEED);
	check(reader->writes || reader->got == wanted[0], "read 0x%lx", reader->got);
}

/* Each page has what it had, word for word. */
static char *filled(void)
{
	char *at = cold_alloc(PAGES);
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		fill(at + i * cold_page(), cold_page(), SEED);
	return at;
}

static void unmapped(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		char *at = filled();
		struct reader reader;
		bool waits = reader_start(&reader, at, count & 1);

		check(!munmap(at, PAGES * cold_page()), "munmap: %s", strerror(errno));
		reader_join(&reader, waits, SEGV_MAPERR);
		overlap += waits;
	}
	say_overlap(overlap);
}

/* Where it is now, everything is as it was. */
static void moved(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		size_t size = PAGES * cold_page();
		char *at = filled(), *to = cold_alloc(PAGES);
		struct reader reader;
		bool waits = reader_start(&reader, at, false);

		to = mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		check(to != MAP_FAILED, "mremap: %s", strerror(errno));
		check(!count_bad(to + cold_page(), cold_page(), SEED),
		      "not the same at its new place");
		reader_join(&reader, waits, SEGV_MAPERR);
		munmap(to, size);
		overlap += waits;
	}
	say_overlap(overlap);
}

static void protected(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		size_t size = PAGES * cold_page();
		bool writes = count & 1;
		char *at = filled();
		struct reader reader;
		bool waits = reader_start(&reader, at, writes);

		check(!mprotect(at, size, writes ? PROT_READ : PROT_NONE), "mprotect: %s",
		      strerror(errno));
		reader_join(&reader, waits, SEGV_ACCERR);
		check(!mprotect(at, size, PROT_READ), "mprotect: %s", strerror(errno));
		check(writes || !count_bad(at + cold_page(), cold_page(), SEED),
		      "not the same after mprotect()");
		munmap(at, size);
		overlap += waits;
	}
	say_overlap(overlap);
}

/* Zeros, for whoever comes later than the advice. */
static void given_up(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		size_t size = PAGES * cold_page();
		char *at = filled();
		struct reader reader;
		bool waits = reader_start(&reader, at, false);

		check(!madvise(at, size, MADV_DONTNEED), "madvise: %s", strerror(errno));
		if (waits) {
			pthread_join(reader.thread, NULL);
			check(!reader.faulted && !reader.got, "read 0x%lx, not 0", reader.got);
		} else {
			reader_join(&reader, false, 0);
		}
		check(!*(uint64_t *)(at + cold_page()), "what was given up is there");
		munmap(at, size);
		overlap += waits;
	}
	say_overlap(overlap);
}

/* The child has what the page held at the fork; the parent's write is its own. */
static void forked(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		char *at = filled();
		uint64_t *word = (uint64_t *)(at + cold_page());
		uint64_t before = *word;
		struct reader reader;
		bool waits = reader_start(&reader, at, true);
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(*word == before && !count_bad(at, cold_page(), SEED) ? 0 : 1);
		status = task_wait(pid);
		check(!waits || !status, "the child of the fork: status 0x%x", status);
		reader_join(&reader, waits, 0);
		check(*word == SEED, "what was written in the parent is lost");
		munmap(at, PAGES * cold_page());
		overlap += waits;
	}
	say_overlap(overlap);
}

/* A file that is cut while someone waits for a page of it. */
static void cut_off(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		size_t size = PAGES * cold_page();
		int fd = memfd_create("cut", MFD_CLOEXEC);
		struct reader reader;
		bool waits;
		char *at;

		check(fd >= 0 && !ftruncate(fd, size), "memfd: %s", strerror(errno));
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		fill(at + cold_page(), cold_page(), SEED);
		waits = reader_start(&reader, at, false);
		check(!ftruncate(fd, cold_page()), "ftruncate: %s", strerror(errno));
		reader_join(&reader, waits, BUS_ADRERR);
		munmap(at, size);
		close(fd);
		overlap += waits;
	}
	say_overlap(overlap);
}

const struct test_case map_cases[] = {
	{ "unmapped", unmapped, 4 },
	{ "moved", moved, 4 },
	{ "protected", protected, 4 },
	{ "given_up", given_up, 4 },
	{ "forked", forked, 4 },
	{ "cut_off", cut_off, 4 },
	{ NULL, NULL, 0 },
};
