// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test: ENABLE, and what may come to the block, the vCPU and the VM with
 * faults in flight.
 */
#include <linux/bitmap.h>

#include "apf_test.h"
#include "gic.h"
#include "vgic.h"

#define NOT_SUPPORTED		(-1L)
#define INVALID_PARAMETER	(-3L)

#define PATTERN			0xa5

/* Whoever writes to the block from now on is seen. */
static void fill(struct kvm_apf_block *b, u8 byte)
{
	memset(b, byte, sizeof(*b));
}

static bool holds(const struct kvm_apf_block *b, u8 byte)
{
	const u8 *p = (const u8 *)b;
	unsigned int i;

	for (i = 0; i < sizeof(*b); i++)
		if (READ_ONCE(p[i]) != byte)
			return false;

	return true;
}

/* The word in force is a no-op, also for what is in flight. */
void guest_enabled_again(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	block->reserved[0] = PATTERN;
	GUEST_ASSERT_EQ(enable(BLOCK_ADDR(0) | KVM_APF_ENABLE_ON), 0);
	GUEST_ASSERT_EQ(block->reserved[0], PATTERN);
	block->reserved[0] = 0;
	release(0);
	wait_ready(BIT(token));
	loads(0);
	GUEST_DONE();
}

static void refused(u64 word)
{
	long ret = enable(word);

	__GUEST_ASSERT(ret == INVALID_PARAMETER, "ENABLE %lx: %ld", word, ret);
	GUEST_ASSERT(holds(BLOCK(0), PATTERN));
	GUEST_ASSERT(holds(BLOCK(1), PATTERN));
}

void guest_bad_enable(void)
{
	struct arm_smccc_res res;
	int bit;

	guest_set_up();
	fill(BLOCK(0), PATTERN);
	fill(BLOCK(1), PATTERN);

	for (bit = 2; bit < 6; bit++)
		refused(BLOCK_ADDR(1) | BIT(bit) | KVM_APF_ENABLE_ON);
	for (bit = 1; bit < 6; bit++) {
		refused(BLOCK_ADDR(1) | BIT(bit));
		refused(BIT(bit));
	}
	refused(BLOCK_ADDR(0));
	refused(BLOCK_ADDR(1));
	refused(NO_MEMORY | KVM_APF_ENABLE_ON);
	refused(READ_ONLY_BASE | KVM_APF_ENABLE_ON);
	refused(GICD_BASE_GPA | KVM_APF_ENABLE_ON);
	for (bit = 40; bit < 64; bit++)
		refused(BLOCK_ADDR(1) | BIT(bit) | KVM_APF_ENABLE_ON);
	refused(KVM_APF_ENABLE_ADDR | KVM_APF_ENABLE_ON);

	smccc_hvc(KVM_APF_SMCCC_ID, KVM_APF_ENABLE + 1, 0, 0, 0, 0, 0, 0, &res);
	GUEST_ASSERT_EQ((long)res.a0, NOT_SUPPORTED);

	fill(BLOCK(0), 0);
	works_with(0);
	GUEST_ASSERT(holds(BLOCK(1), PATTERN));
	GUEST_DONE();
}

void guest_moved(void)
{
	guest_set_up();
	announced(0);
	fill(BLOCK(1), PATTERN);
	enable_block(1);
	GUEST_ASSERT(holds(BLOCK(1), 0));
	fill(BLOCK(0), PATTERN);
	release(0);
	take_interrupts();
	GUEST_ASSERT(holds(BLOCK(1), 0));
	works_with(1);
	GUEST_ASSERT(holds(BLOCK(0), PATTERN));
	GUEST_DONE();
}

/* The page is still under way: the new block gets what it announces itself. */
void guest_moved_repeated(void)
{
	unsigned int token;

	guest_set_up();
	announced(0);
	enable_block(1);
	fill(BLOCK(0), PATTERN);
	token = announced(0);
	release(0);
	wait_ready(BIT(token));
	loads(0);
	GUEST_ASSERT(holds(BLOCK(0), PATTERN));
	GUEST_DONE();
}

void guest_disabled(void)
{
	guest_set_up();
	announced(0);
	GUEST_ASSERT_EQ(enable(0), 0);
	GUEST_ASSERT_EQ(enable(0), 0);
	fill(BLOCK(0), PATTERN);
	release(0);
	take_interrupts();
	serve_at_halt(1);
	loads(1);
	GUEST_ASSERT(holds(BLOCK(0), PATTERN));

	enable_block(0);
	GUEST_ASSERT(holds(BLOCK(0), 0));
	works_with(2);
	GUEST_DONE();
}

/* Nothing becomes ready of what was announced before. */
void guest_enabled_anew(void)
{
	guest_set_up();
	announced(0);
	GUEST_ASSERT_EQ(enable(0), 0);
	enable_block(0);
	release(0);
	take_interrupts();
	GUEST_ASSERT(holds(BLOCK(0), 0));
	works_with(1);
	GUEST_DONE();
}

/* The page comes while the block is no memory; its ready bit when it is again. */
void guest_block_gone(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	command(CMD_HOST, false, 0);
	take_interrupts();
	command(CMD_HOST, true, 0);
	wait_ready(BIT(token));
	loads(0);
	GUEST_DONE();
}

void host_block_gone(struct apf_vm *v, u64 there)
{
	TEST_ASSERT_EQ(apf_vm_stat(v, APF_READY), 0);
	apf_vm_set_memory(v, BLOCK_SLOT, there);
	if (!there)
		pages_release(&v->pages, 0);
}

/* A page that comes while there is nowhere to map it is ready all the same. */
void guest_memory_gone(void)
{
	unsigned int token;

	guest_set_up();
	token = announced(0);
	command(CMD_HOST, false, 0);
	wait_ready(BIT(token));
	command(CMD_HOST, true, 0);
	loads(0);
	works_with(1);
	GUEST_DONE();
}

void host_memory_gone(struct apf_vm *v, u64 there)
{
	apf_vm_set_memory(v, COLD_SLOT, there);
	if (!there)
		pages_release(&v->pages, 0);
}

static void guest_after_reset(void)
{
	GUEST_ASSERT(holds(BLOCK(0), PATTERN));
	guest_set_up();
	GUEST_ASSERT(holds(BLOCK(0), 0));
	works_with(1);
	GUEST_DONE();
}

/* By a reset the vCPU is told no more, of announced faults neither. */
void guest_vcpu_reset(void)
{
	guest_set_up();
	announced(0);
	fill(BLOCK(0), PATTERN);
	command(CMD_HOST, 0, 0);
	GUEST_FAIL("the vCPU was not reset");
}

void host_vcpu_reset(struct apf_vm *v, u64 number)
{
	apf_vm_start_at(v, guest_after_reset);
	pages_release(&v->pages, 0);
}

void guest_in_flight_at_end(void)
{
	int i;

	guest_set_up();
	for (i = 0; i < 8; i++)
		announced(i);
	GUEST_DONE();
}

/* A store is the VMM's to emulate, also where the page is not there. */
void guest_read_only(void)
{
	guest_set_up();
	GUEST_ASSERT(el0_run(0, 5, el0_store, 0));
	works_with(0);
	GUEST_ASSERT(el0_run(0, 5, el0_store, 0));
	loads(0);
	GUEST_DONE();
}

/* The page is ready, since nothing more is to be waited for, but cannot be had. */
void guest_beyond_file(void)
{
	guest_set_up();
	el0_run(0, 0, el0_load, 0);
	GUEST_FAIL("the load has not ended the run");
}

static void guest_not_offered(void)
{
	struct arm_smccc_res res;

	smccc_hvc(KVM_APF_SMCCC_ID, KVM_APF_FEATURES, 0, 0, 0, 0, 0, 0, &res);
	GUEST_ASSERT_EQ((long)res.a0, NOT_SUPPORTED);
	GUEST_ASSERT_EQ(enable(BLOCK_ADDR(0) | KVM_APF_ENABLE_ON), NOT_SUPPORTED);
	GUEST_DONE();
}

static bool is_listed(struct kvm_vcpu *vcpu, u64 reg)
{
	struct kvm_reg_list *list = vcpu_get_reg_list(vcpu);
	bool found = false;
	u64 i;

	for (i = 0; i < list->n; i++)
		found |= list->reg[i] == reg;
	free(list);

	return found;
}

static void check_bits(struct kvm_vcpu *vcpu, u64 reg, u64 supported)
{
	u64 value;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (supported & BIT(bit))
			continue;
		TEST_ASSERT(__vcpu_set_reg(vcpu, reg, supported | BIT(bit)) && errno == EINVAL,
			    "bit %d is not refused", bit);
	}
	vcpu_get_reg(vcpu, reg, &value);
	TEST_ASSERT_EQ(value, supported);
}

void run_one_reg(const struct apf_case *c, u64 faults)
{
	const u64 reg = KVM_REG_ARM_VENDOR_HYP_BMAP_2;
	const u64 apf = BIT(KVM_REG_ARM_VENDOR_HYP_BIT_APF);
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_not_offered);
	struct ucall uc;

	TEST_ASSERT(is_listed(vcpu, reg), "not in KVM_GET_REG_LIST");
	vcpu_set_reg(vcpu, reg, apf);
	check_bits(vcpu, reg, apf);
	vcpu_set_reg(vcpu, reg, 0);

	vcpu_run(vcpu);
	if (get_ucall(vcpu, &uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(uc);
	TEST_ASSERT_EQ(uc.cmd, UCALL_DONE);

	TEST_ASSERT(__vcpu_set_reg(vcpu, reg, apf) && errno == EBUSY, "changed after the start");
	vcpu_set_reg(vcpu, reg, 0);
	kvm_vm_free(vm);
}

/* Of the kernel, and of a VM that does not ask for APF but could. */
void run_capability(const struct apf_case *c, u64 faults)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, NULL);

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_ARM_APF), KVM_APF_VERSION);
	TEST_ASSERT_EQ(vm_check_cap(vm, KVM_CAP_ARM_APF), KVM_APF_VERSION);
	TEST_ASSERT(is_listed(vcpu, KVM_REG_ARM_APF_ENABLE), "not in KVM_GET_REG_LIST");
	TEST_ASSERT(is_listed(vcpu, KVM_REG_ARM_APF_INTID), "not in KVM_GET_REG_LIST");
	kvm_vm_free(vm);
}

/* At BLOCK_BASE, with the MMU off: R0 of FEATURES and of ENABLE, as two stores. */
static const u32 a32_code[] = {
	0xe3a0420e,	/* mov	r4, #NO_MEMORY */
	0xe59f001c,	/* ldr	r0, =KVM_APF_SMCCC_ID */
	0xe3a01000,	/* mov	r1, #KVM_APF_FEATURES */
	0xe1400070,	/* hvc	#0 */
	0xe5840000,	/* str	r0, [r4] */
	0xe59f000c,	/* ldr	r0, =KVM_APF_SMCCC_ID */
	0xe3a01001,	/* mov	r1, #KVM_APF_ENABLE */
	0xe59f2008,	/* ldr	r2, =BLOCK_ADDR(32) | KVM_APF_ENABLE_ON */
	0xe1400070,	/* hvc	#0 */
	0xe5840000,	/* str	r0, [r4] */
	KVM_APF_SMCCC_ID,
	BLOCK_ADDR(32) | KVM_APF_ENABLE_ON,
};

static struct kvm_vm *create_a32(struct kvm_vcpu **vcpu)
{
	struct kvm_vcpu_init init = {};
	struct kvm_vm *vm;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_EL1_32BIT));
	vm = vm_create(1);
	*vcpu = __vm_vcpu_add(vm, 0);
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] = BIT(KVM_ARM_VCPU_EL1_32BIT);
	vcpu_ioctl(*vcpu, KVM_ARM_VCPU_INIT, &init);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, BLOCK_BASE, BLOCK_SLOT,
				    SZ_64K / vm->page_size, 0);
	memcpy(addr_gpa2hva(vm, BLOCK_BASE), a32_code, sizeof(a32_code));
	vcpu_set_reg(*vcpu, ARM64_CORE_REG(regs.pc), BLOCK_BASE);
	vcpu_set_reg(*vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2,
		     BIT(KVM_REG_ARM_VENDOR_HYP_BIT_APF));

	return vm;
}

/* AArch32 at EL1 has its own exceptions: it gets no announcement, and is told so. */
void run_el1_32bit(const struct apf_case *c, u64 faults)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = create_a32(&vcpu);
	int gic = vgic_v3_setup(vm, 1, 64), i;

	__TEST_REQUIRE(gic >= 0, "no GICv3");
	for (i = 0; i < 2; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_MMIO);
		TEST_ASSERT_EQ(*(s32 *)vcpu->run->mmio.data, (s32)NOT_SUPPORTED);
	}
	close(gic);
	kvm_vm_free(vm);
}
