// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: an announcement is an interrupt, bit by bit. KVM takes it for the
 * guest, in software. Each case compares what the handler finds with what it
 * finds when the CPU takes an interrupt at the same instruction, in the same
 * state, and both with what the architecture says (DDI 0487, TakeException()).
 *
 * How: an ERET to the faulting instruction, with the PSTATE wanted. An interrupt
 * that is pending by then is taken before the instruction; without one, the
 * instruction faults, and KVM announces that.
 */
#include <linux/bitfield.h>

#include <asm/ptrace.h>

#include "apf_test.h"
#include "gic.h"

#define RIVAL		1	/* an SGI */

#define IRQ_EL1T	0x080
#define IRQ_EL1H	0x280
#define IRQ_EL0_64	0x480
#define IRQ_EL0_32	0x680

#define DAF		(PSR_D_BIT | PSR_A_BIT | PSR_F_BIT)
#define NZCV		(PSR_N_BIT | PSR_Z_BIT | PSR_C_BIT | PSR_V_BIT)
#define PSR_SS_BIT	BIT(21)

/* Taking an interrupt does not change these, but QEMU (7.2) clears them. */
#define NOT_EMULATED	(NZCV | PSR_DIT_BIT)

/* Of AArch32, as SPSR_EL1 has it. Not PSR_D_BIT, which is PSTATE.E there. */
#define A32_USR		0x10
#define A32_T		BIT(5)
#define A32_AF		(PSR_A_BIT | PSR_F_BIT)
#define A32_E		BIT(9)
#define A32_GE		GENMASK(19, 16)
#define A32_SSBS	BIT(23)
#define A32_Q		BIT(27)
/* ITSTATE: four instructions are left, the first of them if Z. */
#define A32_IT		(GENMASK(26, 25) | BIT(10))

#define SCTLR_DSSBS	BIT(44)
#define SCTLR_SPAN	BIT(23)
#define ISR_I		BIT(7)
#define MDSCR_SS	BIT(0)

static bool has_pan, has_ssbs, has_dit, has_uao, has_bti, has_mte, has_big_endian;

static u64 field(u64 reg, unsigned int shift)
{
	return reg >> shift & 0xf;
}

static void look_at_features(void)
{
	u64 pfr0 = read_sysreg(id_aa64pfr0_el1);
	u64 pfr1 = read_sysreg(id_aa64pfr1_el1);
	u64 mmfr0 = read_sysreg(id_aa64mmfr0_el1);

	has_dit = field(pfr0, ID_AA64PFR0_EL1_DIT_SHIFT);
	has_bti = field(pfr1, ID_AA64PFR1_EL1_BT_SHIFT);
	has_ssbs = field(pfr1, ID_AA64PFR1_EL1_SSBS_SHIFT);
	has_mte = field(pfr1, ID_AA64PFR1_EL1_MTE_SHIFT);
	has_pan = field(read_sysreg(id_aa64mmfr1_el1), ID_AA64MMFR1_EL1_PAN_SHIFT);
	has_uao = field(read_sysreg_s(SYS_ID_AA64MMFR2_EL1), ID_AA64MMFR2_EL1_UAO_SHIFT);
	has_big_endian = field(mmfr0, ID_AA64MMFR0_EL1_BIGEND_SHIFT) ||
			 field(mmfr0, ID_AA64MMFR0_EL1_BIGENDEL0_SHIFT);
}

/* Those bits of a PSTATE that are there. */
static u64 implemented(u64 pstate)
{
	u64 missing = (has_pan ? 0 : PSR_PAN_BIT) | (has_dit ? 0 : PSR_DIT_BIT);

	if (pstate & PSR_MODE32_BIT)
		missing |= (has_ssbs ? 0 : A32_SSBS) | (has_big_endian ? 0 : A32_E);
	else
		missing |= (has_ssbs ? 0 : PSR_SSBS_BIT) | (has_uao ? 0 : PSR_UAO_BIT) |
			   (has_mte ? 0 : PSR_TCO_BIT) | (has_bti ? 0 : PSR_BTYPE_MASK);

	return pstate & ~missing;
}

/* AArch64.TakeException() */
static u64 pstate_of_handler(u64 from, u64 sctlr)
{
	u64 pstate = PSR_MODE_EL1h | DAF | PSR_I_BIT;

	pstate |= from & (NZCV | PSR_DIT_BIT | PSR_PAN_BIT);
	if (has_pan && !(sctlr & SCTLR_SPAN))
		pstate |= PSR_PAN_BIT;
	if (has_ssbs && (sctlr & SCTLR_DSSBS))
		pstate |= PSR_SSBS_BIT;
	if (has_mte)
		pstate |= PSR_TCO_BIT;

	return pstate;
}

/**
 * struct place - where an interrupt is taken, and in which states
 * @code:	an instruction that loads from X0; NULL: cold memory itself
 * @vector:	its handler
 * @mode:	PSTATE there, together with
 * @flags:	each of so many
 * @step:	EL0 is single-stepped
 */
struct place {
	const char	*code;
	unsigned int	vector;
	u64		mode;
	const u64	*flags;
	unsigned int	n;
	bool		step;
};

static bool is_el1(const struct place *p)
{
	return p->mode == PSR_MODE_EL1t || p->mode == PSR_MODE_EL1h;
}

static void check_entry(const struct entry *e, const struct place *p, u64 x0, u64 pc, u64 pstate)
{
	unsigned int i;

	GUEST_ASSERT_EQ(e->vector, p->vector);
	GUEST_ASSERT_EQ(e->elr, pc);
	GUEST_ASSERT_EQ(e->spsr, pstate);
	GUEST_ASSERT_EQ(e->sp, entry_stack);
	GUEST_ASSERT_EQ(e->regs[0], x0);
	for (i = 1; i < ARRAY_SIZE(e->regs); i++)
		GUEST_ASSERT_EQ(e->regs[i], 0x1000 + i);
}

static void end_irq(unsigned int intid)
{
	acknowledge(intid);
	gic_set_eoi(intid);
}

static void pend_rival(void)
{
	gic_irq_set_pending(RIVAL);
	while (!(read_sysreg(isr_el1) & ISR_I))
		cpu_relax();
}

static void claim(u64 pc)
{
	u32 missing = READ_ONCE(block->missing);

	GUEST_ASSERT(missing);
	GUEST_ASSERT_EQ(READ_ONCE(block->pc), pc);
	WRITE_ONCE(block->missing, 0);
}

static unsigned int page;

static void compare(const struct place *p, u64 pstate, u64 sctlr)
{
	u64 x0 = is_el1(p) ? COLD_EL1_ADDR(page) : COLD_ADDR(page);
	u64 pc = (u64)p->code ?: x0;
	struct entry told, irq;
	u64 expected = pstate_of_handler(pstate, sctlr);

	page++;
	entry_from(x0, pc, pstate, 0x2000);
	told = entry_found;
	end_irq(APF_INTID);
	claim(pc);

	pend_rival();
	entry_from(x0, pc, pstate, 0x2000);
	irq = entry_found;
	end_irq(RIVAL);

	check_entry(&told, p, x0, pc, pstate);
	check_entry(&irq, p, x0, pc, pstate);
	GUEST_ASSERT_EQ(told.pstate, expected);
	GUEST_ASSERT_EQ(irq.pstate & ~NOT_EMULATED, expected & ~NOT_EMULATED);
}

/* With both values of what in SCTLR_EL1 decides the PSTATE of a handler. */
static void compare_all(const struct place *p)
{
	u64 vbar = read_sysreg(vbar_el1), plain = read_sysreg(sctlr_el1), sctlr;
	unsigned int i, k;

	write_sysreg(entry_vectors, vbar_el1);
	for (i = 0; i < 4; i++) {
		sctlr = plain & ~(SCTLR_DSSBS | SCTLR_SPAN);
		sctlr |= (i & 1 ? 0 : SCTLR_SPAN) | (has_ssbs && i & 2 ? SCTLR_DSSBS : 0);
		write_sysreg(sctlr, sctlr_el1);
		isb();
		for (k = 0; k < p->n; k++)
			compare(p, implemented(p->mode | p->flags[k]), sctlr);
	}
	write_sysreg(plain, sctlr_el1);
	write_sysreg(vbar, vbar_el1);
	isb();
}

static void set_up(const struct place *p)
{
	guest_set_up();
	if (is_el1(p))
		enable_kernel();
	gic_irq_enable(RIVAL);
	look_at_features();
	if (p->step) {
		write_sysreg(0, oslar_el1);
		write_sysreg(MDSCR_SS, mdscr_el1);
		isb();
	}
}

static void run(const struct place *p)
{
	set_up(p);
	compare_all(p);
	write_sysreg(0, mdscr_el1);
	isb();
	works_with(page);
	GUEST_DONE();
}

static const u64 a64_flags[] = {
	0, NZCV, PSR_PAN_BIT, PSR_UAO_BIT, PSR_DIT_BIT, PSR_SSBS_BIT, PSR_TCO_BIT, DAF,
	NZCV | PSR_PAN_BIT | PSR_UAO_BIT | PSR_DIT_BIT | PSR_SSBS_BIT | PSR_TCO_BIT,
};

static const u64 a32_flags[] = {
	0, NZCV | A32_Q, A32_GE, PSR_PAN_BIT, PSR_DIT_BIT, A32_SSBS, A32_E, A32_AF,
	NZCV | A32_Q | A32_GE | PSR_PAN_BIT | PSR_DIT_BIT | A32_SSBS | A32_E,
};

static const u64 t32_flags[] = { 0, NZCV | A32_Q | A32_GE, A32_IT | PSR_Z_BIT };

/* A fault of the load itself could lose BTYPE: only a fetch keeps it. */
static const u64 fetch_flags[] = {
	PSR_BTYPE_JC, PSR_BTYPE_C, PSR_BTYPE_J, PSR_BTYPE_J | NZCV,
};

static const u64 step_flags[] = { PSR_SS_BIT, PSR_SS_BIT | NZCV | DAF };

static void guest_el0(void)
{
	static const struct place p = {
		entry_load, IRQ_EL0_64, PSR_MODE_EL0t, a64_flags, ARRAY_SIZE(a64_flags),
	};

	run(&p);
}

static void guest_el1h(void)
{
	static const struct place p = {
		entry_load, IRQ_EL1H, PSR_MODE_EL1h, a64_flags, ARRAY_SIZE(a64_flags),
	};

	run(&p);
}

static void guest_el1t(void)
{
	static const struct place p = {
		entry_load, IRQ_EL1T, PSR_MODE_EL1t, a64_flags, ARRAY_SIZE(a64_flags),
	};

	run(&p);
}

static void guest_a32(void)
{
	static const struct place p = {
		entry_load_a32, IRQ_EL0_32, A32_USR, a32_flags, ARRAY_SIZE(a32_flags),
	};

	run(&p);
}

static void guest_t32(void)
{
	static const struct place p = {
		entry_load_t32, IRQ_EL0_32, A32_USR | A32_T, t32_flags, ARRAY_SIZE(t32_flags),
	};

	run(&p);
}

static void guest_fetch(void)
{
	static const struct place p = {
		NULL, IRQ_EL0_64, PSR_MODE_EL0t, fetch_flags, ARRAY_SIZE(fetch_flags),
	};

	run(&p);
}

static void guest_step(void)
{
	static const struct place p = {
		entry_load, IRQ_EL0_64, PSR_MODE_EL0t, step_flags, ARRAY_SIZE(step_flags),
		.step = true,
	};

	run(&p);
}

/* Four times for each of its flags, and one fault by the book. */
#define EXPECT(f)	.expect = { [APF_ANNOUNCED] = 4 * ARRAY_SIZE(f) + 1,	\
				    [APF_READY] = 1, [APF_BATCHES] = 1 }

const struct apf_case entry_cases[] = {
	{ .name = "entry_from_el0", .guest = guest_el0, EXPECT(a64_flags) },
	{ .name = "entry_from_el1h", .guest = guest_el1h, EXPECT(a64_flags) },
	{ .name = "entry_from_el1t", .guest = guest_el1t, EXPECT(a64_flags) },
	{ .name = "entry_from_a32", .guest = guest_a32, .needs_el0_32 = true, EXPECT(a32_flags) },
	{ .name = "entry_from_t32", .guest = guest_t32, .needs_el0_32 = true, EXPECT(t32_flags) },
	{ .name = "entry_from_fetch", .guest = guest_fetch, EXPECT(fetch_flags) },
	{ .name = "entry_from_step", .guest = guest_step, EXPECT(step_flags) },
	{}
};
