// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: userfaults that were posted, while nobody waits for them. The message is
 * read late or never, the page comes unasked, and whatever the message stands for goes
 * away: the userfaultfd, its registration, the memory, the memslot.
 */
#include <linux/bitmap.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "apf_test.h"

enum {
	HOST_POSTED,		/* unread, all: so many userfaults are not answered */
	HOST_TAKE,		/* number of messages that are read now */
	HOST_GIVE,		/* page, whether it was asked for or not */
	HOST_CLOSE,		/* the userfaultfd */
	HOST_UNREGISTER,	/* all of cold memory */
	HOST_FORK,
	HOST_FORK_ENDS,
	HOST_MOVE,		/* all of cold memory */
	HOST_FOLLOW,		/* the memslot, where cold memory is now */
	HOST_WAKE,		/* page, where it was */
	HOST_FORGET,		/* page */
	HOST_UNMAP,		/* page */
	HOST_SLOT,		/* 0: it is away, 1: it is back */
};

static void posted(unsigned int unread, unsigned int all)
{
	ask_host(HOST_POSTED, unread << 16 | all);
}

static void unregister(struct apf_pages *p)
{
	struct uffdio_range range = { .start = (u64)p->memory, .len = COLD_SIZE };

	TEST_ASSERT(!ioctl(p->uffd, UFFDIO_UNREGISTER, &range),
		    "UFFDIO_UNREGISTER: errno %d", errno);
}

static char *old_memory;

static void move(struct apf_pages *p)
{
	void *to = mmap(NULL, COLD_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(to != MAP_FAILED, "mmap: errno %d", errno);
	old_memory = p->memory;
	pages_wait_asked(p, 1);
	TEST_ASSERT(mremap(old_memory, COLD_SIZE, COLD_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to) == to, "mremap: errno %d", errno);
	pages_wait_event(p, UFFD_EVENT_REMAP);
	TEST_ASSERT(p->memory == to, "moved to %p, not to %p", p->memory, to);
}

static void follow(struct apf_vm *v)
{
	struct userspace_mem_region *r = memslot2region(v->vm, COLD_SLOT);

	apf_vm_set_memory(v, COLD_SLOT, false);
	vm_set_user_memory_region(v->vm, COLD_SLOT, r->region.flags, r->region.guest_phys_addr,
				  r->region.memory_size, v->pages.memory);
}

static void wake_old(struct apf_pages *p, unsigned int page)
{
	struct uffdio_range range = {
		.start = (u64)old_memory + (u64)page * COLD_STRIDE,
		.len = getpagesize(),
	};

	check_posted(p, 0, uffd_threads ? 2 : 1);
	TEST_ASSERT(!ioctl(p->uffd, UFFDIO_WAKE, &range), "UFFDIO_WAKE: errno %d", errno);
	pages_settle(p);
}

static void unmap(struct apf_pages *p, unsigned int page)
{
	pages_wait_asked(p, 1);
	TEST_ASSERT(!munmap(p->memory + (u64)page * COLD_STRIDE, getpagesize()),
		    "munmap: errno %d", errno);
	pages_wait_event(p, UFFD_EVENT_UNMAP);
	check_posted(p, 0, 1);
	pages_wake(p, page);
	wait_for_threads();
}

static void forget(struct apf_pages *p, unsigned int page)
{
	pages_wait_asked(p, 1);
	pages_forget_one(p, page);
	pages_wait_event(p, UFFD_EVENT_REMOVE);
	check_posted(p, 0, 1);
}

static void host_uffd(struct apf_vm *v, u64 word)
{
	struct apf_pages *p = &v->pages;
	u32 number = word;

	switch (word >> 32) {
	case HOST_POSTED:
		return check_posted(p, number >> 16, number & 0xffff);
	case HOST_TAKE:
		return pages_take(p, number);
	case HOST_GIVE:
		return pages_give(p, number);
	case HOST_CLOSE:
		pages_close(p);
		return wait_for_threads();
	case HOST_UNREGISTER:
		unregister(p);
		return wait_for_threads();
	case HOST_FORK:
		pages_wait_asked(p, number);
		return make_child(p);
	case HOST_FORK_ENDS:
		return end_child();
	case HOST_MOVE:
		return move(p);
	case HOST_FOLLOW:
		return follow(v);
	case HOST_WAKE:
		return wake_old(p, number);
	case HOST_FORGET:
		return forget(p, number);
	case HOST_UNMAP:
		return unmap(p, number);
	case HOST_SLOT:
		return apf_vm_set_memory(v, COLD_SLOT, number);
	}
}

/* Half of the messages were read. It completes all, and what asks no more finds zeroes. */
static void goes_away(u64 what)
{
	unsigned int page;

	post(POSTED);
	ask_host(HOST_TAKE, POSTED / 2);
	posted(POSTED / 2, POSTED);
	ask_host(what, 0);
	wait_ready(BIT(POSTED) - 1);
	for (page = 0; page < POSTED + 1; page++) {
		GUEST_ASSERT(el0_run(page, 0, el0_load, 0));
		GUEST_ASSERT_EQ(guest.value, 0);
	}
	GUEST_DONE();
}

static void guest_closed(void)
{
	goes_away(HOST_CLOSE);
}

static void guest_unregistered(void)
{
	goes_away(HOST_UNREGISTER);
}

static void guest_late_reader(void)
{
	post(3);
	stay_idle();
	posted(3, 3);
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), 0);
	ask_host(HOST_TAKE, 3);
	posted(0, 3);
	ask_host(HOST_GIVE, 2);
	ask_host(HOST_GIVE, 0);
	ask_host(HOST_GIVE, 1);
	posted(0, 0);
	wait_ready(BIT(3) - 1);
	loads(0);
	loads(1);
	loads(2);
	GUEST_DONE();
}

/* Nothing is left to be read. */
static void guest_unasked(void)
{
	post(2);
	posted(2, 2);
	ask_host(HOST_GIVE, 1);
	posted(1, 1);
	wait_ready(BIT(1));
	loads(1);
	ask_host(HOST_GIVE, 0);
	posted(0, 0);
	wait_ready(BIT(0));
	loads(0);
	GUEST_DONE();
}

static void slot_away(unsigned int read)
{
	post(2);
	ask_host(HOST_TAKE, read);
	ask_host(HOST_SLOT, 0);
	posted(2 - read, 2);
	ask_host(HOST_GIVE, 0);
	posted(read ? 0 : 1, 1);
	wait_ready(BIT(0));
	ask_host(HOST_SLOT, 1);
	loads(0);
	GUEST_DONE();
}

static void guest_slot_away_unread(void)
{
	slot_away(0);
}

static void guest_slot_away_read(void)
{
	slot_away(2);
}

static void guest_forked(void)
{
	post(2);
	ask_host(HOST_FORK, 2);
	posted(0, 2);
	release(0);
	wait_ready(BIT(0));
	loads(0);
	works_with(2);
	ask_host(HOST_FORK_ENDS, 0);
	posted(0, 1);
	release(1);
	wait_ready(BIT(1));
	loads(1);
	GUEST_DONE();
}

/* Where it was, nobody is told any more; with threads, one still waits there. */
static void guest_moved_away(void)
{
	unsigned int old, new;

	guest_set_up();
	old = announced(0);
	ask_host(HOST_MOVE, 0);
	ask_host(HOST_FOLLOW, 0);
	new = announced(0);
	wait_ready(BIT(old));
	ask_host(HOST_WAKE, 0);
	posted(0, 1);
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), 0);
	release(0);
	wait_ready(BIT(new));
	loads(0);
	GUEST_ASSERT_NE(old, new);
	GUEST_DONE();
}

static void guest_forgotten(void)
{
	post(1);
	ask_host(HOST_FORGET, 0);
	release(0);
	wait_ready(BIT(0));
	loads(0);
	GUEST_DONE();
}

static void guest_unmapped(void)
{
	post(1);
	ask_host(HOST_UNMAP, 0);
	wait_ready(BIT(0));
	loads(0);
	GUEST_ASSERT(false);
}

const struct apf_case uffd_cases[] = {
	{
		.name = "uffd_closed",
		.guest = guest_closed,
		.host = host_uffd,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = POSTED, [APF_READY] = POSTED,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "uffd_unregistered",
		.guest = guest_unregistered,
		.host = host_uffd,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = POSTED, [APF_READY] = POSTED,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "read_late",
		.guest = guest_late_reader,
		.host = host_uffd,
		.unread = true,
		.uffd_features = UFFD_FEATURE_THREAD_ID,
		.expect = { [APF_ANNOUNCED] = 3, [APF_READY] = 3, [APF_BATCHES] = 3 },
	},
	{
		.name = "answered_unasked",
		.guest = guest_unasked,
		.host = host_uffd,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "slot_away_unread",
		.guest = guest_slot_away_unread,
		.host = host_uffd,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "slot_away_read",
		.guest = guest_slot_away_read,
		.host = host_uffd,
		.unread = true,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "vmm_forks",
		.guest = guest_forked,
		.host = host_uffd,
		.uffd_features = UFFD_FEATURE_EVENT_FORK,
		.expect = { [APF_ANNOUNCED] = 3, [APF_READY] = 3, [APF_BATCHES] = 3 },
	},
	{
		.name = "memory_moved",
		.guest = guest_moved_away,
		.host = host_uffd,
		.uffd_features = UFFD_FEATURE_EVENT_REMAP,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "memory_forgotten",
		.guest = guest_forgotten,
		.host = host_uffd,
		.uffd_features = UFFD_FEATURE_EVENT_REMOVE,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "memory_unmapped",
		.guest = guest_unmapped,
		.host = host_uffd,
		.uffd_features = UFFD_FEATURE_EVENT_UNMAP,
		.run_errno = EFAULT,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{}
};
