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
 *		takes all bits at once, by an atomic exchange for 0. The host
 *		uses token n again only when it has seen the bit taken.
 * @pc:		written by the host together with @missing: PC (a guest virtual
 *		address) of the instruction that faulted. The guest compares it
 *		with the PC its handler interrupted.
 * @missing:	token + 1, written by the host only while it is 0. The guest
 *		claims it, by an atomic compare-and-exchange for 0, before it
 *		acts on it.
 * @declined:	token + 1, written by the guest: claimed, but the interrupted
 *		context cannot sleep. The host clears it, and halts the vCPU
 *		when that fault repeats.
 * @reserved:	0, for both.
 *
 * All fields are little-endian. The host touches the block only from the
 * vCPU's own thread, while that vCPU is not in the guest: host and guest never
 * use it concurrently, so it needs no padding to any cache line size. The
 * guest uses atomics because the PPI may be taken between two of its own
 * instructions.
 *
 * Order of one fault: host writes @pc, @missing and pends the PPI; guest claims
 * @missing; later, host sets a bit of @ready and pends the PPI; guest takes
 * @ready. Whatever was announced gets its bit in @ready, for as long as APF
 * stays enabled on the vCPU. A bit that nobody waits for means nothing.
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
 * FEATURES: x0 = SMCCC_RET_SUCCESS, x1 = version, x2 = INTID of the PPI, or
 * x0 = SMCCC_RET_NOT_SUPPORTED.
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
 * Bit of KVM_REG_ARM_VENDOR_HYP_BMAP_2. A VMM that sets it before the first
 * vCPU runs turns APF on for the VM: the halt level at once, the announce level
 * as soon as the guest calls ENABLE.
 */
#define KVM_REG_ARM_VENDOR_HYP_BIT_APF	16

/*
 * Registers for the VMM, 64 bits each, for KVM_GET_ONE_REG and KVM_SET_ONE_REG.
 * They are in KVM_GET_REG_LIST wherever this kernel could offer APF, whatever
 * the bitmap says: not where it runs protected VMs, not with nested
 * virtualisation; there they do not exist, -ENOENT. To save a VM, get them with
 * all the others; to restore it, set them, in any order with respect to the
 * others, to the vGIC and to the memory, any number of times.
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
