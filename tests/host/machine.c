// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define GIC_DIST_IPA	UINT64_C(0x08000000)
#define GIC_REDIST_IPA	UINT64_C(0x080a0000)

__asm__(".pushsection .rodata\n"
	".balign 4\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	"	cbz	x1, 1f\n"
	"	msr	S3_0_C12_C12_1, x1\n"	/* ICC_EOIR1_EL1 */
	"	isb\n"
	"1:	str	wzr, [x0]\n"
	"	b	1b\n"
	"guest_code_end:\n"
	".popsection");

struct machine machine;
static int kvm = -1;
static void *memory;

void failed(const char *file, int line, const char *what)
{
	printf("%s:%d: not so: %s (%s)\n", file, line, what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void close_all(void)
{
	size_t run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (machine.run)
		munmap(machine.run, run_size);
	if (memory)
		munmap(memory, MEMORY_SIZE);
	if (machine.gic)
		close(machine.gic);
	if (machine.vcpu)
		close(machine.vcpu);
	if (machine.vm)
		close(machine.vm);
	machine = (struct machine) { .vm = 0 };
}

void machine_open(void)
{
	if (kvm < 0)
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	check(kvm >= 0);
	close_all();

	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(memory != MAP_FAILED);
	memcpy(memory, guest_code, guest_code_end - guest_code);
	machine.block = memory + (BLOCK_IPA - MEMORY_IPA);

	machine.vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(machine.vm >= 0);
	machine.vcpu = ioctl(machine.vm, KVM_CREATE_VCPU, 0);
	check(machine.vcpu >= 0);
	machine.run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			   PROT_READ | PROT_WRITE, MAP_SHARED, machine.vcpu, 0);
	check(machine.run != MAP_FAILED);
}

void set_slot(int vm, uint32_t slot, uint64_t ipa, void *host, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = ipa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	check(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
}

void add_memory(void)
{
	set_slot(machine.vm, 0, MEMORY_IPA, memory, MEMORY_SIZE);
}

void add_block_at(uint64_t ipa)
{
	set_slot(machine.vm, 1, ipa, machine.block, sysconf(_SC_PAGESIZE));
}

void init_vcpu_of(int vm, int vcpu)
{
	struct kvm_vcpu_init init;

	check(!ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init));
	init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
	check(!ioctl(vcpu, KVM_ARM_VCPU_INIT, &init));
}

void init_vcpu(void)
{
	init_vcpu_of(machine.vm, machine.vcpu);
}

void set_device_attr(int fd, uint32_t group, uint64_t attr, void *value)
{
	struct kvm_device_attr set = {
		.group = group, .attr = attr, .addr = (uintptr_t)value,
	};

	check(!ioctl(fd, KVM_SET_DEVICE_ATTR, &set));
}

int create_gic(int vm)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	uint64_t dist = GIC_DIST_IPA, redist = GIC_REDIST_IPA;

	check(!ioctl(vm, KVM_CREATE_DEVICE, &create));
	set_device_attr(create.fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	set_device_attr(create.fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	set_device_attr(create.fd, KVM_DEV_ARM_VGIC_GRP_CTRL,
			KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	return create.fd;
}

void add_gic(void)
{
	machine.gic = create_gic(machine.vm);
}

void machine_create(void)
{
	machine_open();
	init_vcpu();
	add_gic();
	add_memory();
	check(!try_set(KVM_REG_ARM_VENDOR_HYP_BMAP_2, BMAP_APF));
}

int set_reg(int vcpu, uint64_t reg, uint64_t value)
{
	struct kvm_one_reg one = { .id = reg, .addr = (uintptr_t)&value };

	return ioctl(vcpu, KVM_SET_ONE_REG, &one) ? errno : 0;
}

int try_set(uint64_t reg, uint64_t value)
{
	return set_reg(machine.vcpu, reg, value);
}

int try_get(uint64_t reg, uint64_t *value)
{
	struct kvm_one_reg one = { .id = reg, .addr = (uintptr_t)value };

	return ioctl(machine.vcpu, KVM_GET_ONE_REG, &one) ? errno : 0;
}

uint64_t get(uint64_t reg)
{
	uint64_t value;

	check(!try_get(reg, &value));

	return value;
}

static void gic_attr(unsigned long ioctl_nr, uint32_t group, uint64_t attr, void *value)
{
	struct kvm_device_attr access = {
		.group = group, .attr = attr, .addr = (uintptr_t)value,
	};

	check(!ioctl(machine.gic, ioctl_nr, &access));
}

uint32_t gicr_read(uint32_t offset)
{
	uint32_t value;

	gic_attr(KVM_GET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, offset, &value);

	return value;
}

void gicr_write(uint32_t offset, uint32_t value)
{
	gic_attr(KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, offset, &value);
}

uint64_t icc_read(uint32_t reg)
{
	uint64_t value;

	gic_attr(KVM_GET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, reg, &value);

	return value;
}

void icc_write(uint32_t reg, uint64_t value)
{
	gic_attr(KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, reg, &value);
}

int is_pending(uint32_t intid)
{
	return gicr_read(GICR_ISPENDR0) >> intid & 1;
}

void run_guest(uint32_t intid)
{
	check(!try_set(CORE_REG(regs.pc), MEMORY_IPA));
	check(!try_set(CORE_REG(regs.regs[0]), NOBODY_IPA));
	check(!try_set(CORE_REG(regs.regs[1]), intid));
	check(!ioctl(machine.vcpu, KVM_RUN, 0));
	check(machine.run->exit_reason == KVM_EXIT_MMIO);
	check(machine.run->mmio.phys_addr == NOBODY_IPA);

	/* The store is complete, and the PC behind it, when KVM_RUN is called again. */
	machine.run->immediate_exit = 1;
	check(ioctl(machine.vcpu, KVM_RUN, 0) && errno == EINTR);
	machine.run->immediate_exit = 0;
}
