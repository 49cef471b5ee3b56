// SPDX-License-Identifier: GPL-2.0-only
/* System calls whose buffers, and the lists of those, are missing. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define SEED		19
#define PARTS		4
#define COMM		"/proc/self/comm"

static void out(const void *at)
{
	cold_out(at, 1);
}

/* A buffer in parts, a page each, and the list of them on a page of its own. */
static struct iovec *parts(char *at, size_t page)
{
	struct iovec *iov = cold_alloc(1);
	unsigned int i;

	for (i = 0; i < PARTS; i++)
		iov[i] = (struct iovec) { at + (PARTS - 1 - i) * page, page };
	return iov;
}

static void fill_parts(const struct iovec *iov)
{
	unsigned int i;

	for (i = 0; i < PARTS; i++)
		fill(iov[i].iov_base, iov[i].iov_len, SEED + i);
}

static void check_parts(const struct iovec *iov, const char *what)
{
	unsigned int i;

	for (i = 0; i < PARTS; i++)
		check(!count_bad(iov[i].iov_base, iov[i].iov_len, SEED + i), "%s: part %u is wrong",
		      what, i);
}

static void parts_out(const struct iovec *iov)
{
	unsigned int i;
	struct iovec copy[PARTS];

	memcpy(copy, iov, sizeof(copy));
	for (i = 0; i < PARTS; i++)
		cold_out(copy[i].iov_base, copy[i].iov_len);
	out(iov);
}

/* Through a pipe, a socket and a file: all bytes, in their order, each time. */
static void scattered_and_gathered(unsigned int count)
{
	size_t page = cold_page();
	ssize_t all = PARTS * page;
	char *from = cold_alloc(PARTS), *to = cold_alloc(PARTS);
	struct iovec *source = parts(from, page), *sink = parts(to, page);
	struct msghdr *send = cold_alloc(1), *receive = cold_alloc(1);
	int pipes[2], sockets[2], file = memfd_create("file", MFD_CLOEXEC);

	check(!pipe(pipes) && !socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) && file >= 0,
	      "no files");
	fill_parts(source);
	*send = (struct msghdr) { .msg_iov = source, .msg_iovlen = PARTS };
	*receive = (struct msghdr) { .msg_iov = sink, .msg_iovlen = PARTS };
	while (count--) {
		parts_out(source);
		check(writev(pipes[1], source, PARTS) == all, "writev: %s", strerror(errno));
		parts_out(sink);
		check(readv(pipes[0], sink, PARTS) == all, "readv: %s", strerror(errno));
		check_parts(sink, "a pipe");
		memset(to, 0, all);
		parts_out(source);
		out(send);
		check(sendmsg(sockets[0], send, 0) == all, "sendmsg: %s", strerror(errno));
		parts_out(sink);
		out(receive);
		check(recvmsg(sockets[1], receive, 0) == all, "recvmsg: %s", strerror(errno));
		check_parts(sink, "a socket");
		memset(to, 0, all);
		parts_out(source);
		check(pwritev(file, source, PARTS, 0) == all, "pwritev: %s", strerror(errno));
		parts_out(sink);
		check(preadv(file, sink, PARTS, 0) == all, "preadv: %s", strerror(errno));
		check_parts(sink, "a file");
	}
}

/* No copy of the kernel's in between: the page itself goes through the pipe. */
static void spliced(unsigned int count)
{
	int first[2], second[2], file = memfd_create("spliced", MFD_CLOEXEC);
	char *from = cold_alloc(1), *to = cold_alloc(1);
	struct iovec *iov = cold_alloc(1);
	ssize_t page = cold_page();

	check(!pipe(first) && !pipe(second) && file >= 0, "no files");
	fill(from, page, SEED);
	*iov = (struct iovec) { from, page };
	while (count--) {
		loff_t *offset = cold_alloc(1);

		out(from);
		out(iov);
		check(vmsplice(first[1], iov, 1, 0) == page, "vmsplice: %s", strerror(errno));
		check(tee(first[0], second[1], page, 0) == page, "tee: %s", strerror(errno));
		out(from);
		out(offset);
		check(splice(first[0], NULL, file, offset, page, 0) == page, "splice: %s",
		      strerror(errno));
		out(to);
		check(read(second[0], to, page) == page, "read: %s", strerror(errno));
		check(!count_bad(to, page, SEED), "vmsplice and tee: not what was there");
		memset(to, 0, page);
		out(to);
		check(pread(file, to, page, 0) == page, "pread: %s", strerror(errno));
		check(!count_bad(to, page, SEED), "splice: not what was there");
	}
}

/* That a page has bytes it had not, of 4,096, is certain enough. */
static void random_bytes(unsigned int pages)
{
	size_t size = pages * cold_page(), i, zeros = 0;
	char *at = cold_alloc(pages);

	cold_out(at, size);
	check(getrandom(at, size, 0) == (ssize_t)size, "getrandom: %s", strerror(errno));
	for (i = 0; i < size; i++)
		zeros += !at[i];
	check(zeros < size / 64, "getrandom: %zu of %zu bytes are 0", zeros, size);
}

static void polled(unsigned int count)
{
	int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	check(!pipe(ends) && epoll >= 0 && write(ends[1], "x", 1) == 1, "no files");
	while (count--) {
		struct pollfd *fds = cold_alloc(1);
		struct epoll_event *event = cold_alloc(1);
		struct timespec *time = cold_alloc(1);
		fd_set *set = cold_alloc(1);

		fds[0] = (struct pollfd) { .fd = ends[0], .events = POLLIN };
		out(fds);
		out(time);
		check(ppoll(fds, 1, time, NULL) == 1 && fds[0].revents == POLLIN, "ppoll: %s",
		      strerror(errno));
		FD_SET(ends[0], set);
		out(set);
		check(select(ends[0] + 1, set, NULL, NULL, NULL) == 1 && FD_ISSET(ends[0], set),
		      "select: %s", strerror(errno));
		*event = (struct epoll_event) { .events = EPOLLIN, .data.u64 = SEED };
		out(event);
		check(!epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], event), "epoll_ctl: %s",
		      strerror(errno));
		out(event);
		check(epoll_wait(epoll, event, 1, 1000) == 1 && event->data.u64 == SEED,
		      "epoll_wait: %s", strerror(errno));
		epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL);
	}
}

/* Structures, and strings of names. */
static void filled_in(unsigned int count)
{
	while (count--) {
		char *name = cold_alloc(1), *text = cold_alloc(1);
		struct stat *st = cold_alloc(1);
		struct utsname *uts = cold_alloc(1);
		struct timespec *time = cold_alloc(1);
		int fd;

		memcpy(name, COMM, sizeof(COMM));
		out(name);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		check(fd >= 0, "open: %s", strerror(errno));
		out(text);
		check(read(fd, text, 100) == 9 && !strncmp(text, "apfcases", 8),
		      "read: '%.9s'", text);
		out(st);
		check(!fstat(fd, st) && S_ISREG(st->st_mode), "fstat: %s", strerror(errno));
		close(fd);
		out(name);
		check(!access(name, R_OK), "access: %s", strerror(errno));
		out(uts);
		check(!uname(uts) && !strcmp(uts->sysname, "Linux"), "uname: %s", strerror(errno));
		out(time);
		check(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time) &&
		      time->tv_sec + time->tv_nsec, "clock_gettime: %s", strerror(errno));
		out(text);
		check(getcwd(text, 100) && !strcmp(text, "/"), "getcwd: %s", strerror(errno));
	}
}

/* Of a task that waits for a page of its own. */
static void limited(unsigned int count)
{
	unsigned int overlap = 0;

	while (count--) {
		struct rlimit *new = cold_alloc(1), *old = cold_alloc(1), now;
		struct toucher *toucher = cold_alloc_shared(1);

		*toucher = (struct toucher) { .at = cold_alloc_shared(1) };
		*new = (struct rlimit) { 64, 128 };
		toucher_start(toucher, false);
		toucher_begun(toucher);
		overlap += cold_count() && !toucher->ended;
		out(new);
		out(old);
		if (!prlimit(toucher->pid, RLIMIT_NOFILE, new, old)) {
			check(old->rlim_cur > 64, "prlimit: the old limit is %lu", old->rlim_cur);
			check(prlimit(toucher->pid, RLIMIT_NOFILE, NULL, &now) ||
			      (now.rlim_cur == 64 && now.rlim_max == 128),
			      "prlimit: the new limit is %lu", now.rlim_cur);
		} else {
			check(errno == ESRCH && toucher->ended, "prlimit: %s", strerror(errno));
		}
		toucher_ended(toucher);
		check(!task_wait(toucher->pid), "the task under the limit ends with a status");
	}
	say_overlap(overlap);
}

const struct test_case io_cases[] = {
	{ "scattered_and_gathered", scattered_and_gathered, 2 },
	{ "spliced", spliced, 2 },
	{ "random_bytes", random_bytes, 4 },
	{ "polled", polled, 2 },
	{ "filled_in", filled_in, 2 },
	{ "limited", limited, 3 },
	{ NULL, NULL, 0 },
};
