// SPDX-License-Identifier: GPL-2.0-only
/* Memory of other processes, of files, and that the guest itself serves or locks. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cases.h"

#define SEED		29

/* Of another process's memory, which it waits for itself. */
static void read_from_outside(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		struct toucher *toucher = cold_alloc_shared(1);
		char *at = cold_alloc(1), *copy = cold_alloc(1);
		struct iovec here = { copy, cold_page() }, there = { at, cold_page() };

		fill(at, cold_page(), SEED);
		*toucher = (struct toucher) { .at = (uint64_t *)at };
		toucher_start(toucher, false);
		toucher_begun(toucher);
		overlap += cold_count() && !toucher->ended;
		check(process_vm_readv(toucher->pid, &here, 1, &there, 1, 0) ==
		      (ssize_t)cold_page() || toucher->ended, "process_vm_readv: %s",
		      strerror(errno));
		check(toucher->ended || !count_bad(copy, cold_page(), SEED),
		      "process_vm_readv: not what is there");
		toucher_ended(toucher);
		check(toucher->got == *(uint64_t *)at, "what is read in the process is wrong");
		task_wait(toucher->pid);
	}
	say_overlap(overlap);
}

/* A child with memory of its own, all out; nobody there touches it. */
static void cold_child(char *at, size_t size, uint32_t *gate)
{
	fill(at, size, SEED);
	cold_out(at, size);
	gate_open(&gate[0]);
	gate_wait(&gate[1]);
	_exit(count_bad(at, size, SEED + 1) ? 1 : 0);
}

static void cold_process_read_and_written(unsigned int pages)
{
	size_t size = pages * cold_page();
	char *at = cold_alloc(pages), *copy = cold_alloc(pages);
	struct iovec here = { copy, size }, there = { at, size };
	uint32_t *gate = cold_alloc_shared(1);
	pid_t pid = fork();

	if (!pid)
		cold_child(at, size, gate);
	gate_wait(gate);
	check(process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size,
	      "process_vm_readv: %s", strerror(errno));
	check(!count_bad(copy, size, SEED), "process_vm_readv: not what is there");
	fill(copy, size, SEED + 1);
	cold_out(copy, size);
	check(process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size,
	      "process_vm_writev: %s", strerror(errno));
	gate_open(&gate[1]);
	check(!task_wait(pid), "process_vm_writev: not what was to be there");
}

/* userfaultfd in the guest, whose server has its pages from memory that is missing. */
static void *serve_faults(void *arg)
{
	int fd = *(int *)arg;
	char *source = cold_alloc(1);
	struct uffd_msg msg;

	fill(source, cold_page(), SEED);
	while (read(fd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & -cold_page(),
			.src = (uintptr_t)source, .len = cold_page(),
		};

		cold_out(source, cold_page());
		check(!ioctl(fd, UFFDIO_COPY, &copy), "UFFDIO_COPY: %s", strerror(errno));
	}
	return NULL;
}

static void served_by_userfaultfd(unsigned int pages)
{
	size_t size = pages * cold_page(), i;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, size }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t server;

	check(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg),
	      "userfaultfd: %s", strerror(errno));
	pthread_create(&server, NULL, serve_faults, &fd);
	for (i = 0; i < pages; i++)
		check(!count_bad(at + i * cold_page(), cold_page(), SEED), "page %zu is wrong", i);
}

static void locked(unsigned int pages)
{
	size_t size = pages * cold_page();
	char *at = cold_alloc(pages);

	fill(at, size, SEED);
	cold_out(at, size);
	check(!mlock(at, size), "mlock: %s", strerror(errno));
	check(!count_bad(at, size, SEED), "not the same after mlock()");
	/* That does not keep the host from it. */
	cold_out(at, size);
	check(!munlock(at, size), "munlock: %s", strerror(errno));
	check(!count_bad(at, size, SEED), "not the same after munlock()");
}

/* A memfd's pages are out, for read() and for who has them mapped. */
static void of_a_memfd(unsigned int pages)
{
	size_t size = pages * cold_page();
	int fd = memfd_create("cold", MFD_CLOEXEC);
	char *at, *copy = cold_alloc(pages);

	check(fd >= 0 && !ftruncate(fd, size), "memfd: %s", strerror(errno));
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(at != MAP_FAILED, "mmap: %s", strerror(errno));
	fill(copy, size, SEED);
	cold_out(copy, size);
	check(pwrite(fd, copy, size, 0) == (ssize_t)size, "write: %s", strerror(errno));
	check(!count_bad(at, size, SEED), "written, and not there");
	cold_out(at, size);
	memset(copy, 0, size);
	check(pread(fd, copy, size, 0) == (ssize_t)size, "read: %s", strerror(errno));
	check(!count_bad(copy, size, SEED), "read, and not what is there");
	cold_out(at, size);
	check(!count_bad(at, size, SEED), "mapped, and not what is there");
	close(fd);
}

const struct test_case memory_cases[] = {
	{ "read_from_outside", read_from_outside, 4 },
	{ "cold_process_read_and_written", cold_process_read_and_written, 4 },
	{ "served_by_userfaultfd", served_by_userfaultfd, 4 },
	{ "locked", locked, 4 },
	{ "of_a_memfd", of_a_memfd, 4 },
	{ NULL, NULL, 0 },
};
