// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: the memory that the block is in. It may be the last of its memslot,
 * in a huge page, gone, read-only or another, also with faults in flight.
 */
#include <linux/bitmap.h>
#include <sys/mman.h>

#include "apf_test.h"

#define LAST_BLOCK	(SZ_64K / KVM_APF_BLOCK_SIZE - 1)
#define PATTERN		0xa5

enum {
	HOST_AWAY,		/* the memslot is gone */
	HOST_READ_ONLY,
	HOST_BACK,		/* as it was */
	HOST_OTHER,		/* other memory of the same contents */
	HOST_UNTOUCHED,		/* nobody has written to the memory that was */
	HOST_HUGE,		/* the memory is one huge page */
};

static bool is_away;

static void take_away(struct apf_vm *v)
{
	if (!is_away)
		apf_vm_set_memory(v, BLOCK_SLOT, false);
	is_away = true;
}

static void set_slot(struct apf_vm *v, u32 flags, void *memory)
{
	struct userspace_mem_region *r = memslot2region(v->vm, BLOCK_SLOT);

	take_away(v);
	is_away = false;
	vm_set_user_memory_region(v->vm, BLOCK_SLOT, flags, r->region.guest_phys_addr,
				  r->region.memory_size, memory);
}

static void give_other(struct apf_vm *v)
{
	struct userspace_mem_region *r = memslot2region(v->vm, BLOCK_SLOT);
	void *other = mmap(NULL, r->region.memory_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(other != MAP_FAILED, "mmap: errno %d", errno);
	memcpy(other, r->host_mem, r->region.memory_size);
	memset(r->host_mem, PATTERN, r->region.memory_size);
	set_slot(v, 0, other);
}

static void check_untouched(const struct userspace_mem_region *r)
{
	const u8 *memory = r->host_mem;
	u64 i;

	for (i = 0; i < r->region.memory_size; i++)
		TEST_ASSERT(memory[i] == PATTERN, "the host has written to old memory");
}

/* What the kernel says of the mapping that has the address. */
static long anon_huge_kb(u64 addr)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	u64 from = 0, to = 0;
	char line[256];
	long kb = -1;

	TEST_ASSERT(f, "no /proc/self/smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			continue;
		if (from <= addr && addr < to && sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			break;
	}
	fclose(f);

	return kb;
}

static void host_memory(struct apf_vm *v, u64 number)
{
	struct userspace_mem_region *r = memslot2region(v->vm, BLOCK_SLOT);

	switch (number) {
	case HOST_AWAY:
		return take_away(v);
	case HOST_READ_ONLY:
		return set_slot(v, KVM_MEM_READONLY, r->host_mem);
	case HOST_BACK:
		return set_slot(v, 0, r->host_mem);
	case HOST_OTHER:
		return give_other(v);
	case HOST_UNTOUCHED:
		return check_untouched(r);
	case HOST_HUGE:
		__TEST_REQUIRE(anon_huge_kb((u64)r->host_mem) > 0, "no huge page to be had");
	}
}

static void host(u64 number)
{
	command(CMD_HOST, number, 0);
}

static void guest_at_end(void)
{
	guest_set_up();
	enable_block(LAST_BLOCK);
	GUEST_ASSERT(enable(BLOCK_ADDR(LAST_BLOCK + 1) | KVM_APF_ENABLE_ON));
	works_with(0);
	GUEST_DONE();
}

static void guest_in_huge_page(void)
{
	guest_set_up();
	works_with(0);
	host(HOST_HUGE);
	works_with(1);
	GUEST_DONE();
}

/* One fault in flight. What comes, and what is wanted, while @state holds. */
static void cannot_be_told(unsigned int page, u64 state)
{
	unsigned int token = announced(page);

	host(state);
	release(page);
	serve_at_sync(page + 1);
	loads(page + 1);
	stay_idle();
	host(HOST_BACK);
	GUEST_ASSERT_EQ(READ_ONCE(block->ready) & ~BIT(token), 0);
	wait_ready(BIT(token));
	works_with(page + 2);
}

static void guest_away(void)
{
	guest_set_up();
	cannot_be_told(0, HOST_AWAY);
	cannot_be_told(3, HOST_READ_ONLY);
	GUEST_DONE();
}

static void guest_other_memory(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	host(HOST_OTHER);
	release(0);
	wait_ready(BIT(token));
	works_with(1);
	host(HOST_UNTOUCHED);
	GUEST_DONE();
}

const struct apf_case memory_cases[] = {
	{
		.name = "block_at_end",
		.guest = guest_at_end,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "block_in_huge_page",
		.guest = guest_in_huge_page,
		.host = host_memory,
		.block_is_huge = true,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "block_away",
		.guest = guest_away,
		.host = host_memory,
		.expect = { [APF_ANNOUNCED] = 4, [APF_SYNC] = 2, [APF_SYNC_BLOCK] = 2,
			    [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "block_in_other_memory",
		.guest = guest_other_memory,
		.host = host_memory,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{}
};
