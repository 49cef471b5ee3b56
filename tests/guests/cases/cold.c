// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages out: frames from /proc/self/pagemap, and apfvm's device, whose place is in
 * the device tree.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

#define DEVICE		"/proc/device-tree/pageout@*/reg"
#define PAGEMAP		"/proc/self/pagemap"
#define PAGEMAP_PRESENT	(UINT64_C(1) << 63)
#define PAGEMAP_PFN	((UINT64_C(1) << 55) - 1)
/* The device's unit, whatever the page size. */
#define FRAME		4096

uint32_t *cold_register;

static uint64_t device_base(void)
{
	uint64_t reg[2] = { 0 };
	glob_t found;
	int fd;

	check(!glob(DEVICE, 0, NULL, &found), "no device pages out: apfvm needs --pageout");
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	check(fd >= 0 && read(fd, reg, sizeof(reg)) == sizeof(reg), "%s: %s",
	      found.gl_pathv[0], strerror(errno));
	close(fd);
	globfree(&found);
	return be64toh(reg[0]);
}

void cold_open(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *map = mmap(NULL, cold_page(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 device_base());

	check(map != MAP_FAILED, "/dev/mem: %s", strerror(errno));
	close(fd);
	cold_register = map;
}

size_t cold_page(void)
{
	return sysconf(_SC_PAGESIZE);
}

static void *alloc(size_t pages, int flags)
{
	void *at = mmap(NULL, pages * cold_page(), PROT_READ | PROT_WRITE,
			flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(at != MAP_FAILED, "mmap: %s", strerror(errno));
	memset(at, 0, pages * cold_page());
	return at;
}

void *cold_alloc(size_t pages)
{
	return alloc(pages, MAP_PRIVATE);
}

void *cold_alloc_shared(size_t pages)
{
	return alloc(pages, MAP_SHARED);
}

uint32_t cold_frame(const void *at)
{
	int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	/* After a fork(), shared memory is mapped only once it is touched. */
	touch(at);
	check(fd >= 0 && pread(fd, &entry, sizeof(entry),
			       (uintptr_t)at / cold_page() * sizeof(entry)) == sizeof(entry),
	      PAGEMAP ": %s", strerror(errno));
	close(fd);
	check(entry & PAGEMAP_PRESENT, "%p has no frame that could be paged out", at);
	return (entry & PAGEMAP_PFN) * (cold_page() / FRAME);
}

void cold_out(const void *at, size_t size)
{
	size_t page = cold_page();
	uintptr_t first = (uintptr_t)at & -page, end = (uintptr_t)at + size;

	for (; first < end; first += page)
		cold_out_now(cold_frame((void *)first));
}

void touch_all(const void *at, size_t pages)
{
	const char *byte = at;
	size_t i;

	for (i = 0; i < pages; i++)
		touch(byte + i * cold_page());
}

uint32_t cold_count(void)
{
	uint32_t count;

	/* One load by a general register, or KVM cannot tell what is wanted. */
	__asm__ volatile("ldr %w0, [%1]" : "=r" (count) : "r" (cold_register) : "memory");
	return count;
}
