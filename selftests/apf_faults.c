// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: faults that wait for something else than a missing page, and pages that
 * are bad. An announced fault costs one
 * stage-2 abort whatever it was, and what is wrong with a page shows where the
 * guest touches it.
 */
#include <linux/bitmap.h>
#include <linux/userfaultfd.h>
#include <signal.h>

#include "apf_test.h"

#define STORED		5
#define HUGE_STRIDE	(SZ_2M / COLD_STRIDE)

enum {
	HOST_PROTECT,		/* page: for reading only */
	HOST_UNPROTECT,		/* page: but who has asked is not told */
	HOST_COUNT,		/* stage-2 aborts from here on, */
	HOST_ABORTS,		/* number: so many they were */
	HOST_DIRTY,		/* page: it and the next are dirty, and no other */
	HOST_POISON,		/* page: it comes, and is gone bad before the vCPU is told */
	HOST_ANSWER_POISON,	/* page: it does not come, it is bad */
	HOST_SOUND,		/* nobody has noticed yet */
	HOST_CURED,		/* page: it was bad, and was touched */
};

static u64 aborts_before;

static void check_dirty(struct apf_vm *v, u64 first)
{
	u64 log[BITS_TO_LONGS(COLD_PAGES * COLD_STRIDE / SZ_4K)] = {};
	u64 i, per_page = COLD_STRIDE / getpagesize();

	kvm_vm_get_dirty_log(v->vm, COLD_SLOT, log);
	for (i = 0; i < COLD_PAGES * per_page; i++)
		TEST_ASSERT(!!test_bit(i, log) ==
			    (i == first * per_page || i == (first + 1) * per_page),
			    "page %lu is %sdirty", i, test_bit(i, log) ? "" : "not ");
}

/* Who was sent SIGBUS, and where the guest was. */
static struct {
	struct apf_vm	*v;
	unsigned int	page;
	unsigned int	count;
	int		code;
	void		*addr;
	u64		pc;
} bus;

/* Of the vCPU's thread, when it is out of KVM_RUN. The page is cold again after it. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	bus.count++;
	bus.code = info->si_code;
	bus.addr = info->si_addr;
	vcpu_get_reg(bus.v->vcpu, ARM64_CORE_REG(regs.pc), &bus.pc);
	pages_forget_one(&bus.v->pages, bus.page);
}

static void expect_sigbus(struct apf_vm *v, unsigned int page)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	bus.v = v;
	bus.page = page;
	TEST_ASSERT(!sigaction(SIGBUS, &action, NULL), "sigaction: errno %d", errno);
}

static void come_and_go_bad(struct apf_vm *v, unsigned int page)
{
	expect_sigbus(v, page);
	pages_release(&v->pages, page);
	pages_poison(&v->pages, page);
}

static void answer_poison(struct apf_vm *v, unsigned int page)
{
	expect_sigbus(v, page);
	pages_wait_asked(&v->pages, 1);
	pages_poison(&v->pages, page);
	wait_for_threads();
}

static void check_sigbus(struct apf_vm *v, unsigned int page)
{
	TEST_ASSERT_EQ(bus.count, 1);
	TEST_ASSERT_EQ(bus.code, BUS_MCEERR_AR);
	TEST_ASSERT_EQ((u64)bus.addr, (u64)v->pages.memory + (u64)page * COLD_STRIDE);
	TEST_ASSERT_EQ(bus.pc, (u64)el0_load);
}

static void host_faults(struct apf_vm *v, u64 word)
{
	u32 number = word;

	switch (word >> 32) {
	case HOST_PROTECT:
		return pages_protect(&v->pages, number);
	case HOST_UNPROTECT:
		return pages_unprotect(&v->pages, number);
	case HOST_COUNT:
		aborts_before = apf_vm_stat(v, STAGE2_ABORTS);
		return;
	case HOST_ABORTS:
		TEST_ASSERT_EQ(apf_vm_stat(v, STAGE2_ABORTS) - aborts_before, number);
		return;
	case HOST_DIRTY:
		return check_dirty(v, number);
	case HOST_POISON:
		return come_and_go_bad(v, number);
	case HOST_ANSWER_POISON:
		return answer_poison(v, number);
	case HOST_SOUND:
		TEST_ASSERT_EQ(bus.count, 0);
		return;
	case HOST_CURED:
		return check_sigbus(v, number);
	}
}

/*
 * The page comes, and the access is made again. The first time, code may be missing
 * that the second time is there: so each is done for an even page first.
 */
static void comes(unsigned int page, const char *entry, unsigned int aborts)
{
	release(page);
	wait_ready(BIT(guest.token));
	GUEST_ASSERT(el0_run(page, STORED, entry, 0));
	if (page % 2)
		ask_host(HOST_ABORTS, aborts);
}

static void announced_once(unsigned int page, const char *entry)
{
	ask_host(HOST_COUNT, 0);
	GUEST_ASSERT(!el0_run(page, STORED, entry, 0));
	comes(page, entry, 1);
}

/* A page that is there, and mapped for reading, but not to be written now. */
static void protected(unsigned int page)
{
	works_with(page);
	ask_host(HOST_PROTECT, page);
	loads(page);
}

static void guest_write_protected(void)
{
	unsigned int page;

	guest_set_up();
	for (page = 0; page < 2; page++) {
		protected(page);
		announced_once(page, el0_store);
	}
	ask_host(HOST_DIRTY, 0);
	GUEST_DONE();
}

/* By the time the vCPU is told, another access has mapped the page for reading. */
static void guest_protected_and_mapped(void)
{
	unsigned int page;

	guest_set_up();
	for (page = 0; page < 2; page++) {
		protected(page);
		ask_host(HOST_COUNT, 0);
		GUEST_ASSERT(!el0_run(page, STORED, el0_store, 0));
		ask_host(HOST_UNPROTECT, page);
		loads(page);
		comes(page, el0_store, 2);
	}
	ask_host(HOST_DIRTY, 0);
	GUEST_DONE();
}

static void guest_minor(void)
{
	unsigned int page;

	guest_set_up();
	for (page = 0; page < 2; page++) {
		announced_once(page, el0_load);
		loads(page);
	}
	for (; page < 4; page++)
		announced_once(page, el0_store);
	ask_host(HOST_DIRTY, 2);
	GUEST_DONE();
}

static void guest_poisoned(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	ask_host(HOST_POISON, 0);
	wait_ready(BIT(token));
	ask_host(HOST_SOUND, 0);
	works_with(0);
	ask_host(HOST_CURED, 0);
	GUEST_DONE();
}

/*
 * A thread reports that the page cannot be had: then the next fault on it waits. So the
 * page is served at once.
 */
static void guest_answered_by_poison(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	ask_host(HOST_ANSWER_POISON, 0);
	wait_ready(BIT(token));
	ask_host(HOST_SOUND, 0);
	command(CMD_SERVE, 0, 0);
	if (!el0_run(0, 0, el0_load, 0))
		wait_ready(BIT(guest.token));
	loads(0);
	ask_host(HOST_CURED, 0);
	works_with(1);
	GUEST_DONE();
}

static void guest_two_pages(void)
{
	guest_set_up();
	works_with(0);
	works_with(1);
	GUEST_DONE();
}

static void guest_two_huge_pages(void)
{
	guest_set_up();
	works_with(0);
	loads(1);
	works_with(HUGE_STRIDE);
	loads(HUGE_STRIDE + 1);
	GUEST_DONE();
}

static void guest_protected_huge_page(void)
{
	guest_set_up();
	works_with(0);
	ask_host(HOST_PROTECT, 0);
	loads(1);
	GUEST_ASSERT(!el0_run(0, STORED, el0_store, 0));
	release(0);
	wait_ready(BIT(guest.token));
	GUEST_ASSERT(el0_run(0, STORED, el0_store, 0));
	loads(1);
	GUEST_DONE();
}

const struct apf_case fault_cases[] = {
	{
		.name = "write_protected",
		.guest = guest_write_protected,
		.host = host_faults,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.uffd_mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
		.uffd_features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		.expect = { [APF_ANNOUNCED] = 4, [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "write_protected_and_mapped",
		.guest = guest_protected_and_mapped,
		.host = host_faults,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.uffd_mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
		.uffd_features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		.expect = { [APF_ANNOUNCED] = 4, [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "write_protected_shmem",
		.guest = guest_write_protected,
		.host = host_faults,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.cold_source = VM_MEM_SRC_SHMEM,
		.uffd_mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
		.uffd_features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
				 UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
		.expect = { [APF_ANNOUNCED] = 4, [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "minor_faults",
		.guest = guest_minor,
		.host = host_faults,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.uffd_mode = UFFDIO_REGISTER_MODE_MINOR,
		.cold_source = VM_MEM_SRC_SHMEM,
		.uffd_features = UFFD_FEATURE_MINOR_SHMEM,
		.expect = { [APF_ANNOUNCED] = 4, [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "poisoned_before_it_is_mapped",
		.guest = guest_poisoned,
		.host = host_faults,
		.uffd_features = UFFD_FEATURE_POISON,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "answered_by_poison",
		.guest = guest_answered_by_poison,
		.host = host_faults,
		.uffd_features = UFFD_FEATURE_POISON,
		.expect = { [APF_ANNOUNCED] = 3, [APF_READY] = 3, [APF_BATCHES] = 3 },
		.differs = true,
		.with_threads = { [APF_ANNOUNCED] = 2, [APF_SYNC] = 1, [APF_SYNC_FAILED] = 1,
				  [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "shmem_missing",
		.guest = guest_two_pages,
		.cold_source = VM_MEM_SRC_SHMEM,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "hugetlb_missing",
		.guest = guest_two_huge_pages,
		.cold_source = VM_MEM_SRC_ANONYMOUS_HUGETLB_2MB,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "hugetlb_minor",
		.guest = guest_two_huge_pages,
		.cold_source = VM_MEM_SRC_SHARED_HUGETLB,
		.uffd_mode = UFFDIO_REGISTER_MODE_MINOR,
		.uffd_features = UFFD_FEATURE_MINOR_HUGETLBFS,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "hugetlb_write_protected",
		.guest = guest_protected_huge_page,
		.host = host_faults,
		.cold_source = VM_MEM_SRC_ANONYMOUS_HUGETLB_2MB,
		.uffd_mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
		.uffd_features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
				 UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{}
};
