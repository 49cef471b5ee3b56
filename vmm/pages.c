// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pages.h"
#include "util.h"

#define LINE \
	"{\"base\":%" PRIu64 ",\"size\":%" PRIu64 ",\"ipa\":%" PRIu64 \
	",\"page_size\":%" PRIu64 ",\"seed\":%" PRIu64 "}\n"
#define LINE_READ \
	"{\"base\":%" SCNu64 ",\"size\":%" SCNu64 ",\"ipa\":%" SCNu64 \
	",\"page_size\":%" SCNu64 ",\"seed\":%" SCNu64 "}\n"

/* Room for one file descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static int open_socket(const char *path, struct sockaddr_un *address)
{
	int fd;

	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return say_error("%s: too long a name for a socket", path);
	memcpy(address->sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? say_errno("socket") : fd;
}

static int send_with_fd(int to, char *text, size_t size, int fd)
{
	struct iovec iov = { .iov_base = text, .iov_len = size };
	union control control = { .header = {
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(fd)),
	} };
	const struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(to, &message, 0) == (ssize_t)size ? 0 : -1;
}

int pages_hand_over(const char *path, int uffd, const struct pages_region *region)
{
	struct sockaddr_un address;
	char line[256];
	int fd = open_socket(path, &address);
	int size = snprintf(line, sizeof(line), LINE, region->base, region->size,
			    region->ipa, region->page_size, region->seed);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		say_errno("%s: no server of pages, such as apfpages, is there", path);
	else if (send_with_fd(fd, line, size, uffd))
		say_errno("%s: the server of pages takes nothing", path);
	else
		return fd;
	close(fd);
	return -1;
}

static int receive_with_fd(int from, char *text, size_t size, int *fd)
{
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	union control control = { .header = { .cmsg_len = 0 } };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return say_errno("what the VMM says");
	text[n] = '\0';
	if (message.msg_controllen < CMSG_LEN(sizeof(*fd)) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return say_error("the VMM hands over no userfaultfd");
	memcpy(fd, CMSG_DATA(&control.header), sizeof(*fd));
	return 0;
}

static bool is_power_of_2(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int parse(const char *line, struct pages_region *region)
{
	if (sscanf(line, LINE_READ, &region->base, &region->size, &region->ipa,
		   &region->page_size, &region->seed) != 5 ||
	    !is_power_of_2(region->page_size) || region->page_size < 4096 ||
	    !region->size || region->size % region->page_size)
		return say_error("the VMM says '%s', which is not understood", line);
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1)) {
		say_errno("%s", path);
		close(fd);
		return -1;
	}
	return fd;
}

int pages_wait(const char *path, int *uffd, struct pages_region *region)
{
	int listener = listen_at(path), fd;
	char line[256];

	if (listener < 0)
		return -1;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	unlink(path);
	if (fd < 0)
		return say_errno("%s", path);
	if (receive_with_fd(fd, line, sizeof(line), uffd))
		goto close_fd;
	if (!parse(line, region))
		return fd;
	close(*uffd);
close_fd:
	close(fd);
	return -1;
}
