// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: several vCPUs with pages under way at the same time. They take turns: each
 * runs until its pages are under way and lets the next one start, and goes on when that
 * one is done. So the guest's variables belong to one vCPU at a time.
 */
#include <linux/bitmap.h>

#include "apf_test.h"

#define ALL_TOKENS	(~0UL)

static unsigned int vcpu_of_turn;
/* Of all its messages, so many are read before the pages come. */
static unsigned int reads, posts;
static void (*answer_all)(struct apf_pages *p);

/* The guest's variable, where the host finds it. */
#define IN_GUEST(v, variable)	\
	((typeof(variable) *)addr_gva2hva((v)->vm, (vm_vaddr_t)&(variable)))

static void run_next(struct apf_vm *v)
{
	struct kvm_apf_block *its_block = *IN_GUEST(v, block);
	struct apf_guest its_state = *IN_GUEST(v, guest);

	*IN_GUEST(v, guest) = guest;
	apf_vm_select(v, ++vcpu_of_turn);
	apf_vm_run(v);
	apf_vm_check_counts(v);
	apf_vm_select(v, --vcpu_of_turn);
	*IN_GUEST(v, guest) = its_state;
	*IN_GUEST(v, block) = its_block;
}

static void host_turn(struct apf_vm *v, u64 number)
{
	struct apf_pages *p = &v->pages;

	if (vcpu_of_turn < v->c->vcpus - 1)
		return run_next(v);

	while (uffd_threads && uffd_queue(p->uffd).all < posts)
		;
	TEST_ASSERT_EQ(uffd_queue(p->uffd).all, posts);
	pages_take(p, reads);
	TEST_ASSERT_EQ(uffd_queue(p->uffd).unread, posts - reads);
	answer_all(p);
	TEST_ASSERT_EQ(uffd_queue(p->uffd).all, 0);
}

static void run(const struct apf_case *c)
{
	struct apf_vm v;

	apf_vm_create(&v, c);
	apf_vm_run(&v);
	apf_vm_check_counts(&v);
	apf_vm_destroy(&v);
}

static void answer_once(struct apf_pages *p)
{
	pages_give(p, 0);
}

static void guest_same_page(void)
{
	guest_set_up();
	announced(0);
	command(CMD_HOST, 0, 0);
	wait_ready(BIT(guest.token));
	loads(0);
	GUEST_DONE();
}

static void run_same_page(const struct apf_case *c, u64 faults)
{
	reads = 2;
	posts = 2;
	answer_all = answer_once;
	run(c);
}

/* A fixed permutation: 167 and the number of pages have no common divisor. */
static void answer_scrambled(struct apf_pages *p)
{
	unsigned int i;

	for (i = 0; i < COLD_PAGES; i++)
		pages_give(p, (i * 167 + 13) % COLD_PAGES);
}

/* Each page is asked for by two vCPUs, in different orders. */
static unsigned int page_of(unsigned int vcpu, unsigned int n)
{
	unsigned int first = vcpu % 4 * KVM_APF_TOKENS;

	return first + (vcpu < 4 ? n : (n * 5 + 3) % KVM_APF_TOKENS);
}

static void guest_all_tokens(void)
{
	unsigned int i, vcpu = guest_get_vcpuid();

	guest_set_up();
	for (i = 0; i < KVM_APF_TOKENS; i++)
		announced(page_of(vcpu, i));
	command(CMD_HOST, 0, 0);
	wait_ready(ALL_TOKENS);
	for (i = 0; i < KVM_APF_TOKENS; i++)
		loads(page_of(vcpu, i));
	GUEST_DONE();
}

static void run_all_tokens(const struct apf_case *c, u64 faults)
{
	posts = c->vcpus * KVM_APF_TOKENS;
	reads = posts / 2 + 1;
	answer_all = answer_scrambled;
	run(c);
}

const struct apf_case many_cases[] = {
	{
		.name = "same_page_of_two_vcpus",
		.guest = guest_same_page,
		.host = host_turn,
		.run = run_same_page,
		.unread = true,
		.vcpus = 2,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "all_tokens_of_all_vcpus",
		.guest = guest_all_tokens,
		.host = host_turn,
		.run = run_all_tokens,
		.unread = true,
		.vcpus = APF_VCPUS,
		.expect = { [APF_ANNOUNCED] = 64, [APF_READY] = 64, [APF_BATCHES] = 1 },
	},
	{}
};
