// SPDX-License-Identifier: GPL-2.0-only
/* apf_test: what the kernel tells of this process, its threads and its userfaultfd. */
#include <dirent.h>
#include <fcntl.h>

#include "apf_test.h"

/* Of this process, by /proc/self/task/TID/stat: "TID (kvm-apf) D ..."; or 0: another's. */
static char thread_state(const char *task)
{
	char path[64], stat[64] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/stat", task);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, stat, sizeof(stat) - 1) < 0)
		stat[0] = '\0';
	close(fd);

	state = strstr(stat, "(kvm-apf) ");

	return state ? state[strlen("(kvm-apf) ")] : 0;
}

/*
 * KVM's threads that fetch pages, but those in one of these states: none, where the
 * vCPUs post userfaults themselves.
 */
unsigned int count_threads(const char *states)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int n = 0;
	char state;

	TEST_ASSERT(tasks, "No /proc to see threads in");
	while ((entry = readdir(tasks))) {
		state = thread_state(entry->d_name);
		n += state && !strchr(states, state);
	}
	closedir(tasks);

	return n;
}

struct uffd_queue uffd_queue(int uffd)
{
	struct uffd_queue queue = {};
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uffd);
	f = fopen(path, "r");
	if (!f)
		return queue;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "pending: %u", &queue.unread) != 1 &&
		    sscanf(line, "total: %u", &queue.all) == 1)
			break;
	}
	fclose(f);

	return queue;
}
