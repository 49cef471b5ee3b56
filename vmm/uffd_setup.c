// SPDX-License-Identifier: GPL-2.0-only
/* The userfaultfd of a VM's memory, with a server of its own or elsewhere. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pages.h"
#include "uffd.h"
#include "util.h"
#include "vm.h"

/* Only root may have one for faults that the kernel takes, as KVM's are. */
static int open_userfaultfd(struct uffd *u)
{
	u->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (u->fd < 0)
		return say_errno("userfaultfd (be root, or set vm.unprivileged_userfaultfd to 1)");
	return 0;
}

static bool wants_poison(const struct policy_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		if (list->policy[i].answer == POLICY_FAIL)
			return true;
	}
	return false;
}

/* The cold region, or all memory. */
static struct uffdio_range region(const struct uffd *u)
{
	uint64_t cold = (uint64_t)u->pages * u->page_size;

	return (struct uffdio_range) {
		.start = u->all ? u->ordinary : u->base,
		.len = cold + (u->all ? u->base - u->ordinary : 0),
	};
}

static int enable(const struct uffd *u, bool poison)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = poison ? UFFD_FEATURE_POISON : 0,
	};

	if (ioctl(u->fd, UFFDIO_API, &api))
		return say_errno(poison ? "userfaultfd: policy 'fail' needs Linux 6.6 or later" :
				 "UFFDIO_API");
	return 0;
}

/* What is registered already may be registered again. */
static int register_region(const struct uffd *u)
{
	struct uffdio_register reg = {
		.range = region(u),
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (reg.range.len && ioctl(u->fd, UFFDIO_REGISTER, &reg))
		return say_errno("UFFDIO_REGISTER");
	return 0;
}

int uffd_add_ordinary(struct uffd *u)
{
	u->all = true;
	return register_region(u);
}

static int hand_over(const struct uffd *u, const char *path)
{
	const struct pages_region region = {
		.base = u->base,
		.size = (uint64_t)u->pages * u->page_size,
		.ipa = u->ipa,
		.page_size = u->page_size,
		.seed = u->seed,
	};

	return pages_hand_over(path, u->fd, &region);
}

static int set_up(struct uffd *u, const struct options *opt)
{
	/* A page that does not come back again has two marks. */
	size_t pages = (size_t)opt->policies.pages + opt->policies.ordinary;
	size_t marks = opt->marks ? 2 * pages : 0;

	if (open_userfaultfd(u) || enable(u, wants_poison(&opt->policies)) || register_region(u))
		return -1;
	if (opt->prefetch && prefetch_read(&u->prefetch, opt->prefetch, &opt->policies))
		return -1;
	if (!opt->pages_socket)
		return uffd_prepare(u, &opt->policies, marks, opt->bandwidth);
	u->connection = hand_over(u, opt->pages_socket);
	return u->connection < 0 ? -1 : 0;
}

static void gave_up(void *vm)
{
	vm_end(vm, STATUS_ERROR);
}

int uffd_create(struct uffd *u, struct vm *vm, const struct options *opt)
{
	*u = (struct uffd) {
		.fd = -1,
		.connection = -1,
		.gave_up = gave_up,
		.opaque = vm,
		.ipa = memory_cold_ipa(&vm->memory),
		.ordinary = (uintptr_t)vm->memory.host,
		.base = (uintptr_t)vm->memory.host + vm->memory.size,
		.pages = opt->policies.pages,
		.from = opt->restore,
		.all = opt->restore,
		.page_size = vm->memory.cold_page,
		.seed = opt->seed,
	};
	if ((!u->pages && !u->from && !opt->evict.every_ms && !opt->pageout) ||
	    opt->cold_file || opt->mapped)
		return 0;
	if (set_up(u, opt)) {
		uffd_destroy(u);
		return -1;
	}
	return 0;
}

void uffd_destroy(struct uffd *u)
{
	uffd_free(u);
	if (u->connection >= 0)
		close(u->connection);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

/*
 * A vCPU may sit in a stage-2 fault where no signal but SIGKILL reaches it.
 * Only the end of the registration gets it out.
 */
void uffd_stop(struct uffd *u)
{
	struct uffdio_range range = region(u);

	uffd_pause(u);
	if (u->fd >= 0 && range.len && ioctl(u->fd, UFFDIO_UNREGISTER, &range))
		say_errno("UFFDIO_UNREGISTER");
}
