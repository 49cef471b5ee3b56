// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: the guest's EL1, which has EL0 touch cold memory. EL0 has no stack
 * and keeps all registers but x0, so whoever sent it there goes on at el0_exit.
 */
#include <linux/bitmap.h>

#include <asm/ptrace.h>

#include "apf_test.h"
#include "arch_timer.h"
#include "gic.h"
#include "gic_v3.h"

#define TIMER_INTID	27
#define IDLE_MS		50
#define IDLE_WAKES	8

#define EL1_MASKED	(PSR_MODE_EL1h | PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT)

struct apf_guest guest = { .ignored = KVM_APF_TOKENS };
struct kvm_apf_block *block = BLOCK(0);

asm(".pushsection .text\n"
	"	.globl	el0_load, el0_load_too, el0_store\n"
	"el0_enter:\n"
	"	msr	elr_el1, x2\n"
	"	msr	spsr_el1, x3\n"
	"	eret\n"
	"el0_exit:\n"
	"	ret\n"
	"el0_load:\n"
	"	ldr	x0, [x0]\n"
	"	svc	#0\n"
	"el0_load_too:\n"
	"	ldr	x0, [x0]\n"
	"	svc	#0\n"
	"el0_store:\n"
	"	str	x1, [x0]\n"
	"	svc	#0\n"
	".popsection\n");

/* Go on in EL1, behind el0_enter(). */
void leave_el0(struct ex_regs *regs, bool at_its_end)
{
	guest.value = regs->regs[0];
	regs->regs[0] = at_its_end;
	regs->pc = (u64)el0_exit;
	regs->pstate = EL1_MASKED;
}

void guest_on_svc(struct ex_regs *regs)
{
	leave_el0(regs, true);
}

bool el0_run(unsigned int page, u64 value, const char *entry, u64 pstate)
{
	guest.page = page;

	return el0_enter(COLD_ADDR(page), value, entry, pstate);
}

static bool from_el0(const struct ex_regs *regs)
{
	return (regs->pstate & PSR_MODE_MASK) == PSR_MODE_EL0t;
}

/*
 * EL1 is told only if it wants to, and a token stands for one page until its ready bit is taken.
 * The bit may be there already: the page can come before the interrupt is taken.
 */
static void check_announcement(struct ex_regs *regs, unsigned int token)
{
	GUEST_ASSERT(token < KVM_APF_TOKENS);
	GUEST_ASSERT(guest.kernel || from_el0(regs));
	GUEST_ASSERT_EQ(READ_ONCE(block->pc), regs->pc);
	if (guest.waiting & BIT(token))
		GUEST_ASSERT_EQ(guest.page_of[token], guest.page);

	guest.page_of[token] = guest.page;
	guest.waiting |= BIT(token);
	guest.token = token;
	guest.announced++;
}

/* WFI ends by the PPI also while that is masked. */
static void wait_here(unsigned int token)
{
	while (!(READ_ONCE(block->ready) & BIT(token)))
		wfi();
}

static void take_announcement(struct ex_regs *regs)
{
	__le32 missing = READ_ONCE(block->missing);
	unsigned int token = missing - 1;

	if (!missing)
		return;

	if (guest.verdict == VERDICT_IGNORE && token == guest.ignored)
		return;

	check_announcement(regs, token);
	if (guest.verdict == VERDICT_IGNORE) {
		guest.ignored = token;
		return;
	}

	GUEST_ASSERT_EQ(__sync_val_compare_and_swap(&block->missing, missing, 0), missing);
	if (guest.verdict == VERDICT_DECLINE)
		WRITE_ONCE(block->declined, token + 1);
	else if (guest.verdict == VERDICT_WAIT)
		wait_here(token);
	else
		leave_el0(regs, false);
}

static void take_ready(void)
{
	u64 ready = __atomic_exchange_n(&block->ready, 0, __ATOMIC_SEQ_CST);

	/* Nothing is ready that was not announced. */
	GUEST_ASSERT_EQ(ready & ~guest.waiting, 0);
	guest.waiting &= ~ready;
	guest.taken |= ready;
}

void acknowledge(unsigned int intid)
{
	GUEST_ASSERT_EQ(gic_get_and_ack_irq(), intid);
}

void take_messages(struct ex_regs *regs)
{
	take_announcement(regs);
	if (!guest.leave_ready)
		take_ready();
}

void guest_on_irq(struct ex_regs *regs)
{
	acknowledge(APF_INTID);
	gic_set_eoi(APF_INTID);
	take_messages(regs);
}

void take_interrupts(void)
{
	local_irq_enable();
	isb();
	local_irq_disable();
}

void wait_ready(u64 tokens)
{
	while ((READ_ONCE(guest.taken) & tokens) != tokens) {
		wfi();
		take_interrupts();
	}
	GUEST_ASSERT_EQ(guest.taken, tokens);
	guest.taken = 0;
}

long enable(u64 word)
{
	struct arm_smccc_res res;

	smccc_hvc(KVM_APF_SMCCC_ID, KVM_APF_ENABLE, word, 0, 0, 0, 0, 0, &res);

	return res.a0;
}

void enable_block(unsigned int n)
{
	GUEST_ASSERT_EQ(enable(BLOCK_ADDR(n) | KVM_APF_ENABLE_ON), 0);
	block = BLOCK(n);
	guest.waiting = 0;
}

void enable_kernel(void)
{
	GUEST_ASSERT_EQ(enable(BLOCK_ADDR(0) | KVM_APF_ENABLE_KERNEL | KVM_APF_ENABLE_ON), 0);
	guest.kernel = true;
}

/* EL0's load is announced. Returns its token. */
unsigned int announced(unsigned int page)
{
	u64 before = guest.announced;

	GUEST_ASSERT(!el0_run(page, 0, el0_load, 0));
	GUEST_ASSERT_EQ(guest.announced, before + 1);

	return guest.token;
}

void loads(unsigned int page)
{
	GUEST_ASSERT(el0_run(page, 0, el0_load, 0));
	GUEST_ASSERT_EQ(guest.value, COLD_WORD(page));
}

void loads_from_el1(unsigned int page)
{
	GUEST_ASSERT_EQ(READ_ONCE(*(u64 *)COLD_ADDR(page)), COLD_WORD(page));
}

void loads_unmasked(unsigned int page)
{
	local_irq_enable();
	loads_from_el1(page);
	local_irq_disable();
}

void release(unsigned int page)
{
	command(CMD_RELEASE, page, 0);
}

/* The page comes when the vCPU halts for it, and no earlier. */
void serve_at_halt(unsigned int page)
{
	command(CMD_SERVE_AT, page, APF_HALTED);
}

/* The page comes when the vCPU waits for it in KVM's fault handler. */
void serve_at_sync(unsigned int page)
{
	command(CMD_SERVE_AT, page, APF_SYNC);
}

/* The vCPU waits for the page itself, and may be ahead of the thread that fetches it. */
void loads_at_sync(unsigned int page)
{
	serve_at_sync(page);
	loads(page);
	command(CMD_HOST, 0, 0);
}

/*
 * With nothing to do. A WFI may end early, once for each page that comes, but the
 * vCPU does not spin.
 */
void stay_idle(void)
{
	unsigned int wakes = 0;

	gic_set_priority(TIMER_INTID, 0);
	gic_irq_enable(TIMER_INTID);
	timer_set_next_tval_ms(VIRTUAL, IDLE_MS);
	timer_set_ctl(VIRTUAL, CTL_ENABLE);
	do {
		wfi();
		wakes++;
	} while (!(timer_get_ctl(VIRTUAL) & CTL_ISTATUS));
	timer_set_ctl(VIRTUAL, 0);
	/* The library would disable all that are enabled. */
	writel(BIT(TIMER_INTID), GICR_BASE_GVA + SZ_64K + GICR_ICENABLER0);
	__GUEST_ASSERT(wakes <= IDLE_WAKES, "WFI has ended %u times", wakes);
}

/* One fault by the book, to see that nothing is left of what was before. */
void works_with(unsigned int page)
{
	unsigned int token = announced(page);

	release(page);
	wait_ready(BIT(token));
	loads(page);
}

void guest_set_up(void)
{
	struct arm_smccc_res res;

	smccc_hvc(KVM_APF_SMCCC_ID, KVM_APF_FEATURES, 0, 0, 0, 0, 0, 0, &res);
	GUEST_ASSERT_EQ(res.a0, 0);
	GUEST_ASSERT_EQ(res.a1, KVM_APF_VERSION);
	GUEST_ASSERT_EQ(res.a2, APF_INTID);
	GUEST_ASSERT_EQ(res.a3, 0);

	gic_init(GIC_V3, APF_VCPUS);
	gic_irq_enable(APF_INTID);
	enable_block(guest_get_vcpuid());
}
