// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: the dirty ring. A page that has come for a store is logged as dirty
 * when KVM maps it, and so is the block whenever KVM writes to it. All tokens'
 * pages may come at once. Whatever was written has to be in the ring, which never
 * holds more than it has room for.
 */
#include <linux/bitmap.h>

#include <asm/barrier.h>

#include "apf_test.h"

#define RING_RESERVED	64	/* entries that KVM keeps for the time after soft full */
#define FIRST_PAGE	KVM_APF_TOKENS
#define LAST_PAGE	(KVM_APF_TOKENS + 1)
#define STORED_PAGES	(LAST_PAGE + 1)
#define LATE_PAGES	32

enum {
	HOST_WARM,		/* pages are there, but those that are stored to from EL0 */
	HOST_COUNT,		/* how much is in the ring? */
	HOST_CHECK,		/* all that was written was in it */
};

static u64 ring_used, ring_limit;

static struct {
	u32	next;			/* entry to harvest */
	u64	first_harvest;
	bool	released;
	bool	block;			/* is dirty */
	u64	dirty[BITS_TO_LONGS(COLD_PAGES)];
} ring;

static struct kvm_dirty_gfn *ring_entry(struct apf_vm *v, u32 index)
{
	struct kvm_dirty_gfn *gfns = vcpu_map_dirty_ring(v->vcpu);

	return &gfns[index % v->vcpu->dirty_gfns_count];
}

static bool is_dirty(struct apf_vm *v, u32 index)
{
	/* Pairs with smp_wmb() in kvm_dirty_ring_push(). */
	return smp_load_acquire(&ring_entry(v, index)->flags) == KVM_DIRTY_GFN_F_DIRTY;
}

static u64 count_used(struct apf_vm *v)
{
	u64 used = 0;

	vcpu_map_dirty_ring(v->vcpu);
	while (used < v->vcpu->dirty_gfns_count && is_dirty(v, ring.next + used))
		used++;

	return used;
}

static void take_entry(const struct kvm_dirty_gfn *entry)
{
	if (entry->slot == BLOCK_SLOT) {
		TEST_ASSERT_EQ(entry->offset, 0);
		ring.block = true;
		return;
	}
	TEST_ASSERT_EQ(entry->slot, COLD_SLOT);
	TEST_ASSERT_EQ(entry->offset * getpagesize() % COLD_STRIDE, 0);
	__set_bit(entry->offset * getpagesize() / COLD_STRIDE, ring.dirty);
}

static void harvest(struct apf_vm *v)
{
	u64 i, used = count_used(v);
	struct kvm_dirty_gfn *entry;

	if (!ring.first_harvest)
		ring.first_harvest = used;
	for (i = 0; i < used; i++) {
		entry = ring_entry(v, ring.next++);
		take_entry(entry);
		/* Pairs with the load in kvm_dirty_gfn_harvested(). */
		smp_store_release(&entry->flags, KVM_DIRTY_GFN_F_RESET);
	}
	TEST_ASSERT_EQ(kvm_vm_reset_dirty_ring(v->vm), used);
}

static void warm_pages(struct apf_vm *v)
{
	int i;

	for (i = FIRST_PAGE; i < STORED_PAGES; i++) {
		pages_policy(&v->pages, i, PAGE_SERVE, 0);
		TEST_ASSERT_EQ(READ_ONCE(*(u64 *)(v->pages.memory + i * COLD_STRIDE)),
			       COLD_WORD(i));
	}
}

static void check_dirty(struct apf_vm *v)
{
	int i;

	harvest(v);
	for (i = 0; i < COLD_PAGES; i++)
		TEST_ASSERT(test_bit(i, ring.dirty) == (i < STORED_PAGES),
			    "page %d was %swritten, and is %sin the ring", i,
			    i < STORED_PAGES ? "" : "not ", test_bit(i, ring.dirty) ? "" : "not ");
	TEST_ASSERT(ring.block, "the block is not in the ring");
	/* Where KVM has begun to map pages, the block is written, too. */
	TEST_ASSERT_EQ(ring.first_harvest,
		       v->vcpu->dirty_gfns_count - RING_RESERVED + !ring.released);
}

static void host_ring(struct apf_vm *v, u64 number)
{
	switch (number) {
	case HOST_WARM:
		return warm_pages(v);
	case HOST_COUNT:
		write_guest_global(v->vm, ring_used, count_used(v));
		write_guest_global(v->vm, ring_limit, v->vcpu->dirty_gfns_count - RING_RESERVED);
		return;
	case HOST_CHECK:
		return check_dirty(v);
	}
}

static void harvest_at_once(struct apf_vm *v)
{
	harvest(v);
}

/* The VMM goes back in with a full ring, and with all pages there. */
static void harvest_late(struct apf_vm *v)
{
	if (!ring.released)
		pages_release_all(&v->pages, KVM_APF_TOKENS);
	else
		harvest(v);
	ring.released = true;
}

static void host(u64 number)
{
	command(CMD_HOST, number, 0);
}

static void store(unsigned int page)
{
	WRITE_ONCE(*(u64 *)COLD_ADDR(page), page);
}

/*
 * Each ENABLE of another block dirties its page. The block is mapped for writing
 * by then, so that the guest's own accesses to it do not count.
 */
static void fill_ring(u64 left)
{
	unsigned int n = 0;

	WRITE_ONCE(block->declined, 0);
	for (host(HOST_COUNT); ring_used + left < ring_limit; ring_used++)
		enable_block(++n % 2);
}

/* All tokens' pages are to be written, and all but @left entries are used. */
static void stores_announced(u64 left)
{
	int i;

	host(HOST_WARM);
	store(FIRST_PAGE);
	guest_set_up();
	fill_ring(KVM_APF_TOKENS + 1 + left);
	for (i = 0; i < KVM_APF_TOKENS; i++)
		GUEST_ASSERT(!el0_run(i, i, el0_store, 0));
	GUEST_ASSERT_EQ(guest.waiting, ~0UL);
	store(LAST_PAGE);
}

static void stores_done(void)
{
	int i;

	wait_ready(~0UL);
	for (i = 0; i < KVM_APF_TOKENS; i++)
		GUEST_ASSERT(el0_run(i, i, el0_store, 0));
	host(HOST_CHECK);
	GUEST_DONE();
}

static void guest_ring_full(void)
{
	stores_announced(0);
	stores_done();
}

static void guest_ring_fills_up(void)
{
	stores_announced(LATE_PAGES);
	command(CMD_RELEASE_ALL, KVM_APF_TOKENS, 0);
	stores_done();
}

const struct apf_case dirty_cases[] = {
	{
		.name = "dirty_ring_full",
		.guest = guest_ring_full,
		.host = host_ring,
		.ring_full = harvest_late,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.expect = { [APF_ANNOUNCED] = 64, [APF_READY] = 64, [APF_BATCHES] = 1 },
	},
	{
		.name = "dirty_ring_fills_up",
		.guest = guest_ring_fills_up,
		.host = host_ring,
		.ring_full = harvest_at_once,
		.cold_flags = KVM_MEM_LOG_DIRTY_PAGES,
		.expect = { [APF_ANNOUNCED] = 64, [APF_READY] = 64, [APF_BATCHES] = 2 },
	},
	{}
};
