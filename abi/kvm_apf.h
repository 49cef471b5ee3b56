/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Asynchronous page faults (APF) for KVM/arm64: the contract between the host,
 * the guest's driver and the VMM.
 *
 * The host announces a stage-2 fault that would block, the guest runs another
 * task, and the host tells it when the page is there. Both messages travel by
 * one PPI and by one 64-byte block per vCPU, in guest memory. A fault costs no
 * hypercall.
 */
#ifndef _UAPI_ASM_KVM_APF_H
#define _UAPI_ASM_KVM_APF_H

#include <linux/types.h>

/* Tokens of one vCPU: 0 to KVM_APF_TOKENS - 1. One bit of @ready each. */
#define KVM_APF_TOKENS		64

/* Size and alignment, in bytes, of struct kvm_apf_block. */
#define KVM_APF_BLOCK_SIZE	64

/**
 * struct kvm_apf_block - what host and guest tell each other, one per vCPU
 * @ready:	bit n set by the host: the page of token n is there. The guest
 *		takes all bits at once. The host uses token n again only when it
 *		has seen the bit taken.
 * @pc:		PC (a guest virtual address) of the instruction that faulted.
 *		The guest compares it with the PC its handler interrupted.
 * @missing:	token + 1 of an announcement, 0: none. The guest claims it before
 *		it acts on it.
 * @declined:	token + 1: the guest has claimed the token, but the interrupted
 *		context cannot sleep. The host halts the vCPU when that fault
 *		repeats.
 * @reserved:	0, for both.
 *
 * All fields are little-endian. To the guest the block is Normal, Inner
 * Shareable, Write-Back memory. Host and guest may use it at the same time:
 * while APF is enabled on the vCPU, the host may write at any moment, from any
 * CPU, whether the vCPU runs or not. Each access is aligned and single-copy
 * atomic at the size of its field. Neither side assumes anything of cache lines.
 *
 *   field	who writes	what, when, and how it is ordered
 *
 *   @ready	host		1 in some bits, at any moment: atomic OR, release
 *		guest		0, at any moment: atomic exchange, acquire
 *   @pc	host		after it has read @missing as 0 with acquire, and
 *				before it writes @missing
 *   @missing	host		token + 1, where it has read 0: store, release
 *		guest		0, to claim: atomic compare-and-exchange for the
 *				value that it has read, release
 *   @declined	host		0: before it writes @missing, or when it has read
 *				a token there after a fault of this vCPU
 *		guest		token + 1: after it has claimed that token, and
 *				before the vCPU goes on with the instruction
 *
 * So @pc is the host's while @missing is 0, and it is constant while @missing is
 * not. The guest reads @missing with acquire, then @pc, then claims. The release
 * of the claim orders that read of @pc before the claim; the host's acquire
 * orders its next @pc after it. That is all that orders a claim and the next
 * announcement. Only one context of the guest at a time claims, or takes @ready,
 * for a vCPU. A host that writes from the vCPU's thread alone, while the vCPU is
 * not in the guest, keeps these rules, too.
 *
 * Order of one fault: host writes @pc, @missing and pends the PPI; guest claims
 * @missing; later, host sets a bit of @ready and pends the PPI; guest takes
 * @ready. The bit may be set before the guest has claimed: so at each PPI the
 * guest looks at @missing first, and at @ready last. Whatever was announced gets
 * its bit in @ready, for as long as APF stays enabled on the vCPU. A bit that
 * nobody waits for means nothing. While a vCPU is off, or suspended, the host
 * writes nothing; what it owes it writes when the vCPU runs again.
 */
struct kvm_apf_block {
	__le64	ready;
	__le64	pc;
	__le32	missing;
	__le32	declined;
	__u8	reserved[40];
};

/*
 * SMCCC: fast call, SMC64, owner 6 (vendor-specific hypervisor service), over
 * the guest's conduit. x1 is the sub-function. Function numbers 2 to 63 belong
 * to pKVM, 64 and 65 are taken upstream.
 */
#define KVM_APF_SMCCC_FUNC		80
#define KVM_APF_SMCCC_ID		0xc6000050

/*
 * FEATURES: x0 = SMCCC_RET_SUCCESS, or SMCCC_RET_NOT_SUPPORTED and nothing else.
 * x1 = version. A guest that does not know the version leaves APF alone: it calls
 *	no other sub-function.
 * x2 = INTID of the PPI, as the VM's GIC architecture encodes it. GICv2, GICv3 and
 *	GICv4: 16 to 31. GICv5: an INTID of 32 bits, whose type is that of a PPI.
 * x3 = feature bits of this version, 0 now. A guest ignores bits it does not know;
 *	a host offers by them only what a guest need not use.
 */
#define KVM_APF_FEATURES		0
#define KVM_APF_VERSION			1

/*
 * ENABLE: x2 = the ENABLE word, for the calling vCPU:
 *
 *   [63:6] bits 63:6 of the IPA of its block, which the host zeroes
 *   [5:2]  reserved, 0
 *   [1]    faults from EL1 are announced too; the guest declines where it
 *          cannot sleep
 *   [0]    1: enable. 0: disable, and all else must be 0 too
 *
 * x0 = SMCCC_RET_SUCCESS, or SMCCC_RET_NOT_SUPPORTED, or
 * SMCCC_RET_INVALID_PARAMETER for a reserved bit or an address that is not
 * writable memory; after an error the state is as it was. The word in force
 * again is a no-op. A disabled vCPU gets no message any more, of announced
 * faults neither: the guest disables first, then wakes all that wait there.
 */
#define KVM_APF_ENABLE			1
#define KVM_APF_ENABLE_ON		1ULL
#define KVM_APF_ENABLE_KERNEL		2ULL
#define KVM_APF_ENABLE_ADDR		(~(__u64)(KVM_APF_BLOCK_SIZE - 1))

/*
 * For KVM_CHECK_EXTENSION. On the file of a VM: KVM_APF_VERSION if this kernel
 * could offer APF to that VM, else 0; ask after KVM_ARM_VCPU_INIT, which says
 * whether the VM has nested virtualisation. On /dev/kvm: whether it could to VMs
 * in general. Not for KVM_ENABLE_CAP.
 *
 * The number is provisional, and far from those that are given out upstream:
 * "APF" in ASCII.
 */
#ifndef KVM_CAP_ARM_APF
#define KVM_CAP_ARM_APF			0x415046
#endif

/*
 * Bit of KVM_REG_ARM_VENDOR_HYP_BMAP_2. A VMM that sets it before the first
 * vCPU runs turns APF on for the VM: the halt level at once, the announce level
 * as soon as the guest calls ENABLE. KVM needs an in-kernel GIC for either.
 */
#define KVM_REG_ARM_VENDOR_HYP_BIT_APF	16

/*
 * Registers for the VMM, 64 bits each, for KVM_GET_ONE_REG and KVM_SET_ONE_REG.
 * They are in KVM_GET_REG_LIST wherever KVM_CAP_ARM_APF is not 0, whatever the
 * bitmap says: not where the kernel was built without CONFIG_KVM_ARM_APF or runs
 * protected VMs, not with nested virtualisation; there they do not exist, -ENOENT.
 * To save a VM, get them with all the others; to restore it, set them, in any order
 * with respect to the others, to the vGIC and to the memory, any number of times.
 *
 * KVM_REG_ARM_APF_INTID, of the whole VM: the PPI of both messages, an INTID
 * from 16 to 31; 16 at first. The VMM has it to itself: it describes it to the
 * guest as no other device's, and KVM ignores what KVM_IRQ_LINE says of it.
 * -EINVAL: not a PPI, or that of a timer, or owned by another device of KVM,
 * such as the PMU. -EBUSY: a vCPU has run, and the value differs. If another
 * device takes the PPI after this was set, vCPUs only halt, and the kernel's log
 * says so.
 *
 * KVM_REG_ARM_APF_ENABLE, per vCPU: the ENABLE word, see there; 0 after
 * KVM_ARM_VCPU_INIT. Get: the word in force, or what was set and did not take
 * effect yet. Set, while the vCPU is not in KVM_RUN: takes effect when it next is.
 * -EINVAL: a reserved bit, or not 0 though it does not enable; nothing changes.
 *
 * Setting it wakes all, also if the word is the one in force: of faults that
 * were announced before, the host knows nothing any more, and instead it sets
 * every bit of @ready, with the PPI. A task whose page is not there yet faults
 * again and is announced again. The host leaves @missing as it is: who handles the
 * PPI claims it first and takes @ready after. Setting 0 writes to no memory, so
 * nobody is woken: it is for a vCPU that never was enabled, or is to be.
 *
 * Whether the address is that of memory shows when the block is first used. As
 * long as it is not, faults wait as without APF, and what is to be written there
 * is written when it can be. In a VM that does not offer APF the word is kept,
 * and means nothing.
 */
#define KVM_REG_ARM_APF_ENABLE		KVM_REG_ARM_FW_REG(80)
#define KVM_REG_ARM_APF_INTID		KVM_REG_ARM_FW_REG(81)

#endif /* _UAPI_ASM_KVM_APF_H */
