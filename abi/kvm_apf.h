/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Asynchronous page faults (APF) for KVM/arm64: the contract between the host,
 * the guest's driver and the VMM.
 *
 * When a stage-2 fault would block, the host announces it, and the guest runs
 * another task. When the page is there, the host tells the guest. One PPI and one
 * 64-byte block per vCPU, in guest memory, carry both messages. A fault costs no
 * hypercall.
 */
#ifndef _UAPI_ASM_KVM_APF_H
#define _UAPI_ASM_KVM_APF_H

#include <linux/types.h>

/* A vCPU has tokens 0 to KVM_APF_TOKENS - 1. Each has one bit in @ready. */
#define KVM_APF_TOKENS		64

/* Size and alignment of struct kvm_apf_block in bytes. */
#define KVM_APF_BLOCK_SIZE	64

/**
 * struct kvm_apf_block - what host and guest tell each other, one per vCPU
 * @ready:	the host sets bit n when the page of token n is there. The guest
 *		takes all bits at once. The host uses token n again only after it
 *		has seen that the guest took the bit.
 * @pc:		PC (a guest virtual address) of the instruction that faulted.
 *		The guest compares it with the PC that its handler interrupted.
 * @missing:	token + 1 of an announcement, or 0 if there is none. The guest
 *		claims the announcement before it acts on it.
 * @declined:	token + 1 if the guest has claimed the token, but the interrupted
 *		context cannot sleep. The host halts the vCPU when that fault
 *		repeats.
 * @reserved:	0. Neither side uses it.
 *
 * All fields are little-endian. To the guest the block is Normal, Inner
 * Shareable, Write-Back memory. Host and guest may access it at the same time:
 * while APF is enabled on the vCPU, the host may write at any moment, from any
 * CPU, whether the vCPU runs or not. Each access is aligned and single-copy
 * atomic at the size of its field. Neither side relies on what shares a cache
 * line with the block.
 *
 *   field	who writes	what it writes, when, and in which order
 *
 *   @ready	host		1 in some bits, at any moment: atomic OR, release
 *		guest		0, at any moment: atomic exchange, acquire
 *   @pc	host		after it has read @missing as 0 with acquire, and
 *				before it writes @missing
 *   @missing	host		token + 1, after it has read 0 there: store, release
 *		guest		0, to claim: atomic compare-and-exchange for the
 *				value that it has read, release
 *   @declined	host		0: before it writes @missing, or when it has read
 *				a token there after a fault of this vCPU
 *		guest		token + 1: after it has claimed that token, and
 *				before the vCPU continues with the instruction
 *
 * So the host may write @pc only while @missing is 0; while @missing is not 0, @pc
 * is constant. The guest reads @missing with acquire, then reads @pc, then claims.
 * The release of the claim orders the guest's read of @pc before the claim, and the
 * host's acquire orders its next write of @pc after the claim. Nothing else orders
 * a claim and the next announcement. For one vCPU, only one context of the guest at
 * a time claims, or takes @ready. A host that writes only from the vCPU's thread,
 * while the vCPU is outside the guest, keeps these rules, too.
 *
 * Order of one fault: The host writes @pc and @missing, and pends the PPI. The guest
 * claims @missing. Later the host sets a bit of @ready and pends the PPI, and the
 * guest takes @ready. The host may set the bit before the guest has claimed. So at
 * each PPI the guest looks at @missing first, and at @ready last. Each announcement
 * gets its bit in @ready, as long as APF stays enabled on the vCPU. The guest ignores
 * a bit for which nobody waits. While a vCPU is off or suspended, the host writes
 * nothing; it writes what it owes when the vCPU runs again.
 */
struct kvm_apf_block {
	__le64	ready;
	__le64	pc;
	__le32	missing;
	__le32	declined;
	__u8	reserved[40];
};

/*
 * SMCCC: a fast call, SMC64, owner 6 (vendor-specific hypervisor service), by the
 * guest's conduit. x1 selects the sub-function. Of the function numbers, 2 to 63
 * belong to pKVM, and 64 and 65 are in use upstream.
 */
#define KVM_APF_SMCCC_FUNC		80
#define KVM_APF_SMCCC_ID		0xc6000050

/*
 * FEATURES returns
 * x0 = SMCCC_RET_SUCCESS; or SMCCC_RET_NOT_SUPPORTED, and x1 to x3 mean nothing.
 * x1 = version. A guest that does not know the version does not use APF: it calls
 *	no other sub-function.
 * x2 = INTID of the PPI, as the VM's GIC architecture encodes it. GICv2, GICv3 and
 *	GICv4: 16 to 31. GICv5: an INTID of 32 bits, whose type is that of a PPI.
 * x3 = feature bits of this version, 0 now. A guest ignores the bits that it does
 *	not know; a host uses them only to offer what a guest may leave unused.
 */
#define KVM_APF_FEATURES		0
#define KVM_APF_VERSION			1

/*
 * ENABLE takes the ENABLE word of the calling vCPU in x2:
 *
 *   [63:6] bits 63:6 of the IPA of the block, which the host zeroes
 *   [5:2]  reserved, 0
 *   [1]    1: announce faults from EL1, too; the guest declines where it cannot
 *          sleep
 *   [0]    1: enable. 0: disable; all other bits must be 0, too
 *
 * It returns x0 = SMCCC_RET_SUCCESS, SMCCC_RET_NOT_SUPPORTED, or
 * SMCCC_RET_INVALID_PARAMETER if a reserved bit is set or the address is not that
 * of writable memory. An error changes nothing. A call with the word that is in
 * force does nothing. A vCPU on which APF is disabled gets no more messages, not even
 * for faults that were announced before. So the guest disables first, and then wakes
 * all tasks that wait for messages to that vCPU.
 */
#define KVM_APF_ENABLE			1
#define KVM_APF_ENABLE_ON		1ULL
#define KVM_APF_ENABLE_KERNEL		2ULL
#define KVM_APF_ENABLE_ADDR		(~(__u64)(KVM_APF_BLOCK_SIZE - 1))

/*
 * For KVM_CHECK_EXTENSION. On the file of a VM it returns KVM_APF_VERSION if this
 * kernel can offer APF to that VM, else 0. The VMM asks after KVM_ARM_VCPU_INIT, which
 * decides whether the VM has nested virtualisation. On /dev/kvm it returns whether
 * the kernel can offer APF to VMs in general. KVM_ENABLE_CAP does not accept it.
 *
 * The number is provisional, and far from the numbers in use upstream: "APF" in
 * ASCII.
 */
#ifndef KVM_CAP_ARM_APF
#define KVM_CAP_ARM_APF			0x415046
#endif

/*
 * Bit of KVM_REG_ARM_VENDOR_HYP_BMAP_2. A VMM that sets it before the first vCPU
 * runs turns APF on for the VM. vCPUs halt for missing pages from the start, and KVM
 * announces faults as soon as the guest calls ENABLE. Both need an in-kernel GIC.
 */
#define KVM_REG_ARM_VENDOR_HYP_BIT_APF	16

/*
 * Registers for the VMM, 64 bits each, for KVM_GET_ONE_REG and KVM_SET_ONE_REG.
 * KVM_GET_REG_LIST has them wherever KVM_CAP_ARM_APF is not 0, whatever the bitmap
 * register says. They do not exist (-ENOENT) if the kernel was built without
 * CONFIG_KVM_ARM_APF or runs protected VMs, or if the VM has nested virtualisation.
 * To save a VM, the VMM gets them with all other registers. To restore it, the VMM
 * sets them, any number of times, and in any order with respect to the other
 * registers, the vGIC and the memory.
 *
 * KVM_REG_ARM_APF_INTID, of the whole VM: the PPI of both messages, an INTID from 16
 * to 31. It is 16 at first. The VMM gives this PPI to no other device, and KVM ignores
 * KVM_IRQ_LINE for it. -EINVAL: the value is not a PPI, or is a timer's, or is owned
 * by another device of KVM, such as the PMU. -EBUSY: a vCPU has run, and the value
 * differs. If another device takes the PPI after this register was set, vCPUs only
 * halt, and the kernel's log says so.
 *
 * KVM_REG_ARM_APF_ENABLE, per vCPU: the ENABLE word, see above. It is 0 after
 * KVM_ARM_VCPU_INIT. Get returns the word in force, or a word that was set and has not
 * taken effect yet. Set is possible while the vCPU is not in KVM_RUN, and takes effect
 * when the vCPU next runs. -EINVAL: a reserved bit is set, or the word is not 0 and
 * does not enable. An error changes nothing.
 *
 * Setting the register wakes all tasks, even if the word is the one in force. The
 * host forgets the faults that were announced before. Instead it sets every bit of
 * @ready and pends the PPI. A task whose page is not there yet faults again, and that
 * fault is announced again. The host leaves @missing as it is: the guest's handler
 * claims it first, and takes @ready after that. Setting 0 writes to no memory and so
 * wakes nobody: it is meant for a vCPU on which APF was never enabled, or will be
 * enabled later.
 *
 * The host checks the address when it first uses the block. As long as there is no
 * writable memory, faults wait as without APF, and the host writes what it owes when
 * it can. In a VM that does not offer APF, KVM keeps the word, and it has no effect.
 */
#define KVM_REG_ARM_APF_ENABLE		KVM_REG_ARM_FW_REG(80)
#define KVM_REG_ARM_APF_INTID		KVM_REG_ARM_FW_REG(81)

#endif /* _UAPI_ASM_KVM_APF_H */
