/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of one vCPU, in pieces: put together in whatever order a test wants. */
#ifndef APF_MACHINE_H
#define APF_MACHINE_H

#include <asm/kvm.h>
#include <asm/kvm_apf.h>
#include <linux/kvm.h>
#include <stdint.h>

#include "../../common/array_size.h"

#define MEMORY_IPA	UINT64_C(0x80000000)
#define MEMORY_SIZE	0x10000
#define BLOCK_IPA	(MEMORY_IPA + 0x8000)
/* Where nothing is: a store there ends KVM_RUN. */
#define NOBODY_IPA	UINT64_C(0x0a000000)
#define BMAP_APF	(UINT64_C(1) << KVM_REG_ARM_VENDOR_HYP_BIT_APF)
#define ENABLE_WORD	(BLOCK_IPA | KVM_APF_ENABLE_KERNEL | KVM_APF_ENABLE_ON)

/* Offsets of a redistributor's registers, in its SGI frame. */
#define GICR_IGROUPR0	0x10080
#define GICR_ISPENDR0	0x10200
#define GICR_ISACTIVER0	0x10300
#define GICR_IPRIORITYR	0x10400
#define GICR_ICFGR1	0x10c04

#define SYSREG(op0, op1, crn, crm, op2) \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ICC_AP1R0_EL1	SYSREG(3, 0, 12, 9, 0)

#define CORE_REG(field)	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
			 KVM_REG_ARM_CORE_REG(field))

/* In the guest; x0: an address where nobody is, x1: an INTID or 0. */
extern const char guest_code[], guest_code_end[];

/* The VM that the case is about. */
extern struct machine {
	int vm;
	int vcpu;
	int gic;
	struct kvm_run *run;
	struct kvm_apf_block *block;
} machine;

/* Ends the case, as one that failed. */
_Noreturn void failed(const char *file, int line, const char *what);
#define check(holds) do { if (!(holds)) failed(__FILE__, __LINE__, #holds); } while (0)

/* These four are for any VM: they take its file, or that of its vCPU. */
int create_gic(int vm);
void set_slot(int vm, uint32_t slot, uint64_t ipa, void *host, uint64_t size);
void init_vcpu_of(int vm, int vcpu);
/* Returns 0, or errno. */
int set_reg(int vcpu, uint64_t reg, uint64_t value);

/* VM, and a vCPU that is not initialised. Closes what was before. */
void machine_open(void);

/* The rest of it; each is a step of all_orders(). */
void add_gic(void);
void add_memory(void);
void init_vcpu(void);

/* The block's page a second time, at @ipa. */
void add_block_at(uint64_t ipa);

/* All of it, with APF asked for. */
void machine_create(void);

/* These two return 0, or errno. */
int try_set(uint64_t reg, uint64_t value);
int try_get(uint64_t reg, uint64_t *value);
uint64_t get(uint64_t reg);
void set_device_attr(int fd, uint32_t group, uint64_t attr, void *value);

uint32_t gicr_read(uint32_t offset);
void gicr_write(uint32_t offset, uint32_t value);
uint64_t icc_read(uint32_t reg);
void icc_write(uint32_t reg, uint64_t value);
int is_pending(uint32_t intid);

/* In the guest: EOI of @intid, if that is not 0, and out again. */
void run_guest(uint32_t intid);

#endif /* APF_MACHINE_H */
