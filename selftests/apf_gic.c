// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: announcements among other interrupts. What IAR returns first, what a
 * running priority holds back, and a PPI that is pending and cannot be taken.
 */
#include <linux/bitmap.h>

#include "apf_test.h"
#include "gic.h"
#include "gic_v3.h"

#define PRIORITY	0xa0	/* as the library sets them all */
#define PMR		0xf0
#define RPR_IDLE	0xff
#define BPR_LEAST	0	/* all bits of a priority count */
#define MAX_TAKEN	8

static struct taken {
	unsigned int	intid;
	unsigned int	rpr;
} taken[MAX_TAKEN];

static unsigned int nr_taken;

static unsigned int rpr(void)
{
	return read_sysreg_s(SYS_ICC_RPR_EL1);
}

static void pend(unsigned int intid, unsigned int priority)
{
	gic_set_priority(intid, priority);
	gic_irq_enable(intid);
	gic_irq_set_pending(intid);
}

/*
 * Each look at what is active makes the vCPU exit: its list registers are read
 * back, and written again.
 */
static void take_all(bool split)
{
	unsigned int intid;

	while ((intid = gic_get_and_ack_irq()) != IAR_SPURIOUS) {
		GUEST_ASSERT(nr_taken < MAX_TAKEN);
		taken[nr_taken++] = (struct taken){ intid, rpr() };
		GUEST_ASSERT(gic_irq_get_active(intid));
		gic_set_eoi(intid);
		GUEST_ASSERT_EQ(rpr(), RPR_IDLE);
		GUEST_ASSERT_EQ(gic_irq_get_active(intid), split);
		if (split)
			gic_set_dir(intid);
		GUEST_ASSERT(!gic_irq_get_active(intid));
	}
	GUEST_ASSERT_EQ(rpr(), RPR_IDLE);
}

/* In the order of their SGIs, from 1. */
static const struct rivals {
	const u8	*priorities;
	unsigned int	n;
	bool		split;
} *rivals;

static void pend_rivals(void)
{
	unsigned int i;

	for (i = 0; i < rivals->n; i++)
		pend(i + 1, rivals->priorities[i]);
}

/* They come between the announcement and the guest's look at IAR. */
static void rivals_on_irq(struct ex_regs *regs)
{
	if (!rivals)
		return guest_on_irq(regs);
	nr_taken = 0;
	pend_rivals();
	take_all(rivals->split);
	take_messages(regs);
}

/* Whichever has the least value among those not seen yet. */
static void check_order(unsigned int from, unsigned int mask)
{
	unsigned int i, last = 0;
	u8 priority;

	for (i = from; i < nr_taken; i++) {
		priority = rivals->priorities[taken[i].intid - 1];
		__GUEST_ASSERT(priority >= last, "SGI %u", taken[i].intid);
		GUEST_ASSERT_EQ(taken[i].rpr, priority & mask);
		last = priority;
	}
}

static unsigned int priority_of_ppi(void)
{
	const unsigned int aligned = APF_INTID & ~3;
	u32 four = readl(GICR_BASE_GVA + SZ_64K + GICR_IPRIORITYR0 + aligned);

	return four >> 8 * (APF_INTID - aligned) & 0xff;
}

/* The PPI first, then the others in the order of their priorities, each once. */
static void is_first(unsigned int page, const struct rivals *r, unsigned int priority,
		     unsigned int bpr)
{
	unsigned int mask = bpr ? 0xff << bpr & 0xff : 0xff;

	rivals = r;
	gic_set_priority(APF_INTID, priority);
	gic_set_eoi_split(r->split);
	write_sysreg_s(bpr, SYS_ICC_BPR1_EL1);
	isb();
	announced(page);
	GUEST_ASSERT_EQ(nr_taken, r->n + 1);
	GUEST_ASSERT_EQ(taken[0].intid, APF_INTID);
	GUEST_ASSERT_EQ(taken[0].rpr, 0);
	check_order(1, mask);
	GUEST_ASSERT_EQ(priority_of_ppi(), priority);
}

/* Nothing is above priority 0, but then nothing is lost either. */
static void is_one_of_two(unsigned int page)
{
	static const u8 highest[] = { 0x00 };
	static const struct rivals one = { highest, ARRAY_SIZE(highest) };

	rivals = &one;
	announced(page);
	GUEST_ASSERT_EQ(nr_taken, 2);
	GUEST_ASSERT_EQ(taken[0].intid + taken[1].intid, APF_INTID + 1);
	GUEST_ASSERT_EQ(taken[0].rpr | taken[1].rpr, 0);
}

/* Five and the PPI are more than some GICs have list registers. */
static void guest_first(void)
{
	static const u8 many[] = { 0x10, 0x08, 0xa0, 0x98, 0xa8 };
	static const u8 few[] = { 0x10, 0x08 };
	static const struct rivals all = { many, ARRAY_SIZE(many) };
	static const struct rivals split = { few, ARRAY_SIZE(few), .split = true };
	static const unsigned int priorities[] = { PRIORITY, 0xe8, 0x00 };
	unsigned int i, page = 0;

	guest_set_up();
	for (i = 0; i < ARRAY_SIZE(priorities); i++) {
		is_first(page++, &all, priorities[i], BPR_LEAST);
		is_first(page++, &all, priorities[i], 6);
		is_first(page++, &split, priorities[i], BPR_LEAST);
		is_first(page++, &split, priorities[i], 6);
	}
	gic_set_eoi_split(false);
	is_one_of_two(page);
	GUEST_DONE();
}

static void is_in_turn(unsigned int page)
{
	static const u8 around[] = { 0xa8, 0x98 };
	static const struct rivals two = { around, ARRAY_SIZE(around) };
	static const struct taken order[] = { { 2, 0x98 }, { APF_INTID, PRIORITY }, { 1, 0xa8 } };

	nr_taken = 0;
	rivals = &two;
	release(page);
	pend_rivals();
	take_all(false);
	GUEST_ASSERT_EQ(nr_taken, ARRAY_SIZE(order));
	GUEST_ASSERT(!memcmp(taken, order, sizeof(order)));
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), BIT(guest.token));
	WRITE_ONCE(block->ready, 0);
}

/* A page that is there can wait, whether KVM has seen the announcement active or not. */
static void guest_ready_in_turn(void)
{
	static const struct rivals none = {};

	guest_set_up();
	announced(0);
	is_in_turn(0);
	rivals = &none;
	announced(1);
	is_in_turn(1);
	GUEST_DONE();
}

/* An interrupt acknowledged and not ended holds back all others. */
static void guest_running_priority(void)
{
	guest_set_up();
	enable_kernel();
	pend(1, PRIORITY);
	acknowledge(1);
	serve_at_halt(0);
	loads(0);
	serve_at_halt(1);
	loads_unmasked(1);
	gic_set_eoi(1);
	works_with(2);
	GUEST_DONE();
}

/*
 * And another is pending: it ends each halt at once, and cannot be taken. The
 * same for the next page, at the same instruction.
 */
static void guest_stuck(void)
{
	guest_set_up();
	enable_kernel();
	pend(1, PRIORITY);
	acknowledge(1);
	pend(2, PRIORITY);
	loads_at_sync(0);
	loads_at_sync(1);
	serve_at_sync(2);
	loads_unmasked(2);
	gic_set_eoi(1);
	acknowledge(2);
	gic_set_eoi(2);
	works_with(3);
	GUEST_DONE();
}

/* Ways to keep the PPI from being taken. */
struct hold {
	void	(*hold)(void);
	void	(*let)(void);
};

static void mask(void)
{
	gic_set_priority_mask(0x80);
}

static void unmask(void)
{
	gic_set_priority_mask(PMR);
}

static void disable(void)
{
	gic_irq_disable(APF_INTID);
}

static void reenable(void)
{
	gic_irq_enable(APF_INTID);
}

static void group_off(void)
{
	write_sysreg_s(0, SYS_ICC_IGRPEN1_EL1);
}

static void group_on(void)
{
	write_sysreg_s(1, SYS_ICC_IGRPEN1_EL1);
}

static void run_another(void)
{
	disable();
	pend(1, PRIORITY);
	acknowledge(1);
	reenable();
}

/* Then nothing ends a halt but the page. */
static const struct hold quiet[] = {
	{ mask, unmask },
	{ disable, reenable },
};

static void end_another(void)
{
	gic_set_eoi(1);
}

/* To KVM these are pending interrupts, which end a halt: three of them do. */
static const struct hold loud[] = {
	{ group_off, group_on },
	{ run_another, end_another },
};

static const struct hold *now;

/* The first time: without a look at IAR, and back to where it came from. */
static void unread_on_irq(struct ex_regs *regs)
{
	if (!now)
		return guest_on_irq(regs);
	now->hold();
	now = NULL;
}

static void claim_by_hand(void)
{
	unsigned int token = READ_ONCE(block->missing) - 1;

	GUEST_ASSERT(token < KVM_APF_TOKENS);
	WRITE_ONCE(block->missing, 0);
	guest.waiting |= BIT(token);
	wait_ready(BIT(token));
}

static void leaves_unread(unsigned int page, const struct hold *h)
{
	now = h;
	loads(page);
	GUEST_ASSERT(!now);
	GUEST_ASSERT(gic_irq_get_pending(APF_INTID));
	h->let();
	claim_by_hand();
}

/* The vCPU comes back to the fault with the announcement still pending. */
static void guest_unread(void)
{
	unsigned int i, page = 0;

	guest_set_up();
	for (i = 0; i < ARRAY_SIZE(quiet); i++, page++) {
		serve_at_halt(page);
		leaves_unread(page, &quiet[i]);
	}
	for (i = 0; i < ARRAY_SIZE(loud); i++, page++) {
		serve_at_sync(page);
		leaves_unread(page, &loud[i]);
	}
	works_with(page);
	GUEST_DONE();
}

/* The page is ready, the guest cannot be told, and has nothing to do. */
static void guest_idle(void)
{
	unsigned int i, token;

	guest_set_up();
	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		token = announced(i);
		quiet[i].hold();
		command(CMD_SERVE_AT, i, WFI_EXITS);
		stay_idle();
		GUEST_ASSERT_EQ(READ_ONCE(block->ready), BIT(token));
		quiet[i].let();
		wait_ready(BIT(token));
	}
	GUEST_DONE();
}

const struct apf_case gic_cases[] = {
	{
		.name = "first",
		.guest = guest_first,
		.on_irq = rivals_on_irq,
		.expect = { [APF_ANNOUNCED] = 13 },
	},
	{
		.name = "ready_in_turn",
		.guest = guest_ready_in_turn,
		.on_irq = rivals_on_irq,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "running_priority",
		.guest = guest_running_priority,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 2, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "stuck",
		.guest = guest_stuck,
		.host = host_wait_for_threads,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 12, [APF_SYNC] = 3,
			    [APF_SYNC_STUCK] = 3, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "unread",
		.guest = guest_unread,
		.on_irq = unread_on_irq,
		.expect = { [APF_ANNOUNCED] = 5, [APF_HALTED] = 8, [APF_SYNC] = 2,
			    [APF_SYNC_STUCK] = 2, [APF_READY] = 5, [APF_BATCHES] = 5 },
	},
	{
		.name = "idle",
		.guest = guest_idle,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{}
};
