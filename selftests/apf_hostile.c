// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: a guest that keeps to no rule. It writes to its block whatever it
 * likes and whenever it likes, moves it about, also into cold memory, answers
 * announcements or does not, and plays with its interrupt controller. It may slow
 * itself down, nothing else: each access ends, each page is what it has to be,
 * and afterwards everything works by the book.
 */
#include <linux/bitmap.h>

#include <asm/ptrace.h>

#include "apf_test.h"
#include "gic.h"
#include "gic_v3.h"

#define TOUCHES		1024
#define LEAK_KB		1024

enum {
	HOST_LAP,	/* all pages are cold again; is it enough? */
	HOST_CALM,	/* once no thread is at work; then all pages are held */
};

u64 hostile_seed = 1;

static u64 seed;
static bool enough, tame;
static unsigned int not_ended;

static u64 any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;

	return seed >> 11;
}

static bool one_in(unsigned int n)
{
	return !(any() % n);
}

static void scribble(void)
{
	u64 word = any() << 32 ^ any();

	switch (any() % 16) {
	case 0:
		WRITE_ONCE(block->ready, word);
		break;
	case 1:
		WRITE_ONCE(block->ready, 0);
		break;
	case 2:
		WRITE_ONCE(block->missing, word % (KVM_APF_TOKENS + 2));
		break;
	case 3:
		WRITE_ONCE(block->missing, word);
		break;
	case 4:
		WRITE_ONCE(block->declined, word % (KVM_APF_TOKENS + 2));
		break;
	case 5:
		WRITE_ONCE(block->declined, READ_ONCE(block->missing));
		break;
	case 6:
		WRITE_ONCE(block->pc, word);
		break;
	case 7:
		WRITE_ONCE(block->reserved[word % sizeof(block->reserved)], word >> 8);
		break;
	case 8:
		memset(block, 0, sizeof(*block));
		break;
	default:
		WRITE_ONCE(block->missing, 0);
	}
}

static void enable_somewhere(void)
{
	static const u64 bad[] = {
		0, BLOCK_ADDR(3), NO_MEMORY | KVM_APF_ENABLE_ON,
		READ_ONLY_BASE | KVM_APF_ENABLE_ON, GICR_BASE_GPA | KVM_APF_ENABLE_ON,
		KVM_APF_ENABLE_ADDR | KVM_APF_ENABLE_ON, BLOCK_ADDR(0) | 0x3f,
	};
	u64 addr = BLOCK_ADDR(any() % 16);

	if (one_in(4))
		addr = COLD_ADDR(any() % COLD_PAGES) + KVM_APF_BLOCK_SIZE;
	if (one_in(2))
		enable(bad[any() % ARRAY_SIZE(bad)]);
	else if (!enable(addr | (one_in(4) ? KVM_APF_ENABLE_KERNEL : 0) | KVM_APF_ENABLE_ON))
		block = (struct kvm_apf_block *)addr;
}

static void play_with_gic(void)
{
	switch (any() % 9) {
	case 0:
		return gic_set_priority_mask(any() % 256);
	case 1:
		return gic_irq_enable(APF_INTID);
	case 2:
		return gic_irq_disable(APF_INTID);
	case 3:
		write_sysreg_s(any() % 2, SYS_ICC_IGRPEN1_EL1);
		return;
	case 4:
		return gic_irq_set_pending(APF_INTID);
	case 5:
		return gic_irq_clear_pending(APF_INTID);
	case 6:
		return gic_irq_set_active(APF_INTID);
	case 7:
		return gic_irq_clear_active(APF_INTID);
	case 8:
		return gic_set_priority(APF_INTID, any() % 256);
	}
}

/* As the library sets it up. */
static void put_gic_in_order(void)
{
	for (; not_ended; not_ended--)
		gic_set_eoi(APF_INTID);
	gic_irq_clear_active(APF_INTID);
	gic_set_priority(APF_INTID, 0xa0);
	gic_set_priority_mask(0xf0);
	write_sysreg_s(1, SYS_ICC_IGRPEN1_EL1);
	gic_irq_enable(APF_INTID);
}

static void hostile_irq(struct ex_regs *regs)
{
	unsigned int intid = gic_get_and_ack_irq();

	if (intid == IAR_SPURIOUS)
		return;
	if (one_in(2))
		scribble();
	GUEST_ASSERT_EQ(intid, APF_INTID);
	if (one_in(256))
		not_ended++;
	else
		gic_set_eoi(intid);
	if (one_in(2))
		scribble();
	if ((regs->pstate & PSR_MODE_MASK) == PSR_MODE_EL0t && one_in(2))
		leave_el0(regs, false);
}

void hostile_on_irq(struct ex_regs *regs)
{
	if (tame)
		guest_on_irq(regs);
	else
		hostile_irq(regs);
}

static void check_word(unsigned int page, u64 word)
{
	__GUEST_ASSERT(word == COLD_WORD(page), "page %u: %lx", page, word);
}

static void touch_from_el1(unsigned int page, bool unmasked)
{
	u64 word;

	if (unmasked)
		local_irq_enable();
	word = READ_ONCE(*(u64 *)COLD_ADDR(page));
	local_irq_disable();
	check_word(page, word);
}

static void touch(unsigned int page)
{
	switch (any() % 16) {
	case 0:
		return touch_from_el1(page, false);
	case 1:
		return touch_from_el1(page, true);
	case 2:
		el0_run(page, COLD_WORD(page), el0_store, 0);
		return;
	case 3:
		if (el0_run(page, 0, el0_load, PSR_I_BIT))
			check_word(page, guest.value);
		return;
	default:
		if (el0_run(page, 0, el0_load, 0))
			check_word(page, guest.value);
	}
}

static void lap(void)
{
	int i;

	for (i = 0; i < TOUCHES; i++) {
		touch(any() % COLD_PAGES);
		if (one_in(4))
			scribble();
		if (one_in(128))
			play_with_gic();
		if (one_in(64))
			put_gic_in_order();
		if (one_in(128))
			enable_somewhere();
	}
}

void guest_hostile(void)
{
	/* An odd factor: none but 0 becomes 0, from which nothing else would come. */
	seed = hostile_seed * 0x9e3779b97f4a7c15;
	guest_set_up();
	while (!READ_ONCE(enough)) {
		lap();
		command(CMD_HOST, HOST_LAP, 0);
	}

	GUEST_ASSERT_EQ(enable(0), 0);
	put_gic_in_order();
	take_interrupts();
	tame = true;
	command(CMD_HOST, HOST_CALM, 0);
	enable_block(0);
	works_with(0);
	GUEST_DONE();
}

static u64 faults_wanted;

static void set_policy(struct apf_vm *v, enum page_policy policy)
{
	int i;

	for (i = 0; i < COLD_PAGES; i++)
		pages_policy(&v->pages, i, policy, 0);
}

void host_hostile(struct apf_vm *v, u64 number)
{
	if (number == HOST_LAP) {
		if (pages_served(&v->pages) >= faults_wanted)
			write_guest_global(v->vm, enough, true);
	} else {
		pages_settle(&v->pages);
		set_policy(v, PAGE_HOLD);
	}
	pages_forget(&v->pages);
}

/* Memory that the kernel cannot give back. */
static long unreclaimable_kb(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	TEST_ASSERT(f, "no /proc/meminfo");
	while (kb < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &kb);
	fclose(f);

	return kb;
}

/* Kernels that do often have KASAN too, which keeps for a while what was freed. */
static bool finds_leaks_itself(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

void run_hostile(const struct apf_case *c, u64 faults)
{
	long before = unreclaimable_kb(), grown;
	struct timespec start;
	struct apf_vm v;
	int i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	faults_wanted = faults;
	apf_vm_create(&v, c);
	sync_global_to_guest(v.vm, hostile_seed);
	set_policy(&v, PAGE_SERVE);
	apf_vm_run(&v);
	printf("# %s: pages %lu", c->name, pages_served(&v.pages));
	for (i = 0; i < APF_STATS; i++)
		printf(", %s %lu", apf_stat_names[i], apf_vm_stat(&v, i));
	apf_vm_destroy(&v);
	printf(", %ld s", timespec_elapsed(start).tv_sec);

	grown = unreclaimable_kb() - before;
	printf(", unreclaimable slab %+ld KiB\n", grown);
	TEST_ASSERT(grown < LEAK_KB || finds_leaks_itself(), "something leaks");
}
