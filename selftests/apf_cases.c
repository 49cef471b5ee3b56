// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: what is announced, what is not, and which token is ready. Interrupts
 * are masked in EL1 but in wait_ready() and take_interrupts(); EL0 runs with them
 * unmasked, unless a case says otherwise.
 */
#include <linux/bitmap.h>

#include <asm/ptrace.h>

#include "apf_test.h"
#include "gic.h"
#include "gic_v3.h"

#define ALL_TOKENS	(~0UL)

void guest_one_fault(void)
{
	guest_set_up();
	works_with(0);
	GUEST_DONE();
}

void guest_page_ends_wfi(void)
{
	guest_set_up();
	command(CMD_SERVE_AT, 0, WFI_EXITS);
	wait_ready(BIT(announced(0)));
	loads(0);
	GUEST_DONE();
}

void guest_store(void)
{
	guest_set_up();
	GUEST_ASSERT(!el0_run(0, 5, el0_store, 0));
	release(0);
	wait_ready(BIT(guest.token));
	GUEST_ASSERT(el0_run(0, 5, el0_store, 0));
	GUEST_ASSERT_EQ(READ_ONCE(*(u64 *)COLD_ADDR(0)), 5);
	GUEST_DONE();
}

void guest_out_of_order(void)
{
	static const unsigned int order[] = { 2, 0, 3, 1 };
	unsigned int i, token[ARRAY_SIZE(order)];

	guest_set_up();
	for (i = 0; i < ARRAY_SIZE(order); i++)
		token[i] = announced(i);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		release(order[i]);
		wait_ready(BIT(token[order[i]]));
		loads(order[i]);
	}
	GUEST_DONE();
}

void guest_one_batch(void)
{
	u64 tokens;

	guest_set_up();
	tokens = BIT(announced(0)) | BIT(announced(1)) | BIT(announced(2));
	command(CMD_RELEASE_ALL, 3, 0);
	wait_ready(tokens);
	GUEST_DONE();
}

static void announce_all(void)
{
	int i;

	for (i = 0; i < KVM_APF_TOKENS; i++)
		announced(i);
	GUEST_ASSERT_EQ(guest.waiting, ALL_TOKENS);
}

void guest_tokens_full(void)
{
	guest_set_up();
	announce_all();
	command(CMD_SERVE, KVM_APF_TOKENS, 0);
	loads(KVM_APF_TOKENS);
	command(CMD_RELEASE_ALL, KVM_APF_TOKENS, 0);
	wait_ready(ALL_TOKENS);
	works_with(KVM_APF_TOKENS + 1);
	GUEST_DONE();
}

/* check_announcement() sees to it that no token is reused before. */
void guest_ready_not_taken(void)
{
	unsigned int token;

	guest_set_up();
	guest.leave_ready = true;
	token = announced(0);
	release(0);
	take_interrupts();
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), BIT(token));
	GUEST_ASSERT_NE(announced(1), token);
	guest.leave_ready = false;
	release(1);
	wait_ready(BIT(token) | BIT(guest.token));
	GUEST_DONE();
}

/* Then only halts are left, which need no token of their own. */
void guest_no_ready_taken(void)
{
	guest_set_up();
	guest.leave_ready = true;
	announce_all();
	command(CMD_RELEASE_ALL, KVM_APF_TOKENS, 0);
	take_interrupts();
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), ALL_TOKENS);
	serve_at_halt(KVM_APF_TOKENS);
	loads(KVM_APF_TOKENS);
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), ALL_TOKENS);

	guest.leave_ready = false;
	guest.waiting = 0;
	WRITE_ONCE(block->ready, 0);
	works_with(KVM_APF_TOKENS + 1);
	GUEST_DONE();
}

void guest_declines(void)
{
	guest_set_up();
	guest.verdict = VERDICT_DECLINE;
	serve_at_halt(0);
	loads(0);
	GUEST_ASSERT_EQ(guest.announced, 1);
	GUEST_ASSERT_EQ(READ_ONCE(block->declined), 0);
	wait_ready(BIT(guest.token));

	guest.verdict = VERDICT_SLEEP;
	works_with(1);
	GUEST_DONE();
}

/* The word says that of another token. */
void guest_declines_another(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	WRITE_ONCE(block->declined, KVM_APF_TOKENS);
	GUEST_ASSERT_EQ(announced(0), token);
	release(0);
	wait_ready(BIT(token));
	loads(0);
	GUEST_DONE();
}

static void halts_masked(unsigned int page)
{
	gic_set_priority_mask(0x80);
	serve_at_halt(page);
	loads(page);
	gic_set_priority_mask(0xf0);
}

/*
 * A word left from a token's last use says nothing of the next, and neither does
 * the PC that it was for. A token is free again once the host has seen, at some
 * other fault, that its ready bit was taken.
 */
void guest_stale_declined(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	WRITE_ONCE(block->declined, token + 1);
	release(0);
	wait_ready(BIT(token));
	loads(0);
	halts_masked(1);
	GUEST_ASSERT_EQ(READ_ONCE(block->declined), token + 1);
	serve_at_halt(2);
	GUEST_ASSERT_EQ(announced(2), token);
	GUEST_ASSERT_EQ(READ_ONCE(block->declined), 0);

	guest.verdict = VERDICT_DECLINE;
	loads(2);
	wait_ready(BIT(token));
	halts_masked(3);
	guest.verdict = VERDICT_SLEEP;
	serve_at_halt(4);
	GUEST_ASSERT_EQ(announced(4), token);
	release(4);
	wait_ready(BIT(token));
	GUEST_DONE();
}

/* The first context sleeps, the second cannot. */
void guest_second_declines(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	guest.verdict = VERDICT_DECLINE;
	serve_at_halt(0);
	loads(0);
	wait_ready(BIT(token));
	GUEST_DONE();
}

/* The announcement stands, so there is no room for a second one. */
void guest_claims_nothing(void)
{
	guest_set_up();
	guest.verdict = VERDICT_IGNORE;
	serve_at_halt(0);
	loads(0);
	GUEST_ASSERT_EQ(guest.announced, 1);
	GUEST_ASSERT_EQ(READ_ONCE(block->missing), guest.token + 1);
	wait_ready(BIT(guest.token));
	serve_at_halt(1);
	loads(1);

	guest.verdict = VERDICT_SLEEP;
	WRITE_ONCE(block->missing, 0);
	works_with(2);
	GUEST_DONE();
}

void guest_el0_masked(void)
{
	guest_set_up();
	command(CMD_SERVE, 0, 0);
	GUEST_ASSERT(el0_run(0, 0, el0_load, PSR_I_BIT));
	GUEST_ASSERT_EQ(guest.value, COLD_WORD(0));
	GUEST_DONE();
}

void guest_el1_masked(void)
{
	guest_set_up();
	command(CMD_SERVE, 0, 0);
	loads_from_el1(0);
	GUEST_DONE();
}

void guest_el1_unmasked(void)
{
	guest_set_up();
	serve_at_halt(0);
	loads_unmasked(0);
	works_with(1);
	GUEST_DONE();
}

void guest_pmr(void)
{
	guest_set_up();
	halts_masked(0);
	works_with(1);
	GUEST_DONE();
}

void guest_ppi_disabled(void)
{
	guest_set_up();
	gic_irq_disable(APF_INTID);
	serve_at_halt(0);
	loads(0);
	gic_irq_enable(APF_INTID);
	works_with(1);
	GUEST_DONE();
}

void guest_group_disabled(void)
{
	guest_set_up();
	write_sysreg_s(0, SYS_ICC_IGRPEN1_EL1);
	serve_at_halt(0);
	loads(0);
	write_sysreg_s(1, SYS_ICC_IGRPEN1_EL1);
	works_with(1);
	GUEST_DONE();
}

void guest_distributor_off(void)
{
	u32 ctlr;

	guest_set_up();
	ctlr = readl(GICD_BASE_GVA + GICD_CTLR);
	writel(ctlr & ~(GICD_CTLR_ENABLE_G1A | GICD_CTLR_ENABLE_G1),
	       GICD_BASE_GVA + GICD_CTLR);
	serve_at_halt(0);
	loads(0);
	writel(ctlr, GICD_BASE_GVA + GICD_CTLR);
	works_with(1);
	GUEST_DONE();
}

/* Not yet deactivated, the PPI cannot come again. */
void guest_ppi_active(void)
{
	guest_set_up();
	gic_irq_set_active(APF_INTID);
	serve_at_halt(0);
	loads(0);
	gic_irq_clear_active(APF_INTID);
	works_with(1);
	GUEST_DONE();
}

/* The page comes while the vCPU waits for an interrupt that cannot come. */
void guest_ready_unseen(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	gic_irq_disable(APF_INTID);
	command(CMD_SERVE_AT, 0, WFI_EXITS);
	while (!READ_ONCE(block->ready))
		wfi();
	GUEST_ASSERT_EQ(READ_ONCE(block->ready), BIT(token));
	gic_irq_enable(APF_INTID);
	wait_ready(BIT(token));
	GUEST_DONE();
}

void guest_second_context(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	GUEST_ASSERT(!el0_run(0, 0, el0_load_too, 0));
	GUEST_ASSERT_EQ(guest.token, token);
	GUEST_ASSERT(!el0_run(0, 5, el0_store, 0));
	GUEST_ASSERT_EQ(guest.token, token);
	release(0);
	wait_ready(BIT(token));
	loads(0);
	GUEST_DONE();
}

void guest_kernel_declines(void)
{
	guest_set_up();
	enable_kernel();
	guest.verdict = VERDICT_DECLINE;
	serve_at_halt(0);
	loads_unmasked(0);
	GUEST_ASSERT_EQ(guest.announced, 1);
	wait_ready(BIT(guest.token));
	GUEST_DONE();
}

/* Where interrupts are masked, nothing is announced. */
void guest_kernel_sleeps(void)
{
	guest_set_up();
	enable_kernel();
	guest.verdict = VERDICT_WAIT;
	command(CMD_SERVE_AT, 0, WFI_EXITS);
	loads_unmasked(0);
	GUEST_ASSERT_EQ(guest.announced, 1);
	wait_ready(BIT(guest.token));

	command(CMD_SERVE, 1, 0);
	loads_from_el1(1);
	GUEST_ASSERT_EQ(guest.announced, 1);
	GUEST_DONE();
}
