// SPDX-License-Identifier: GPL-2.0-only
#include <asm/kvm_apf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/psci.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"
#include "vm.h"

#define CORE_REG(field)	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
			 KVM_REG_ARM_CORE_REG(field))
#define APF_BIT		(UINT64_C(1) << KVM_REG_ARM_VENDOR_HYP_BIT_APF)

/* Nothing ended the VM yet: go on. */
#define RUNNING		(-1)

/* For the SIGBUS handler: the vCPU of this thread. */
static __thread struct vcpu *self;

static int get_reg(const struct vcpu *vcpu, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg);
}

static int set_reg(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);
}

int vcpu_get_x(const struct vcpu *vcpu, unsigned int n, uint64_t *value)
{
	return get_reg(vcpu, CORE_REG(regs.regs[0]) + 2 * n, value);
}

int vcpu_set_x(const struct vcpu *vcpu, unsigned int n, uint64_t value)
{
	return set_reg(vcpu, CORE_REG(regs.regs[0]) + 2 * n, value);
}

static int init(const struct vcpu *vcpu)
{
	struct kvm_vcpu_init init;

	if (ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return say_errno("KVM_ARM_PREFERRED_TARGET");
	init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
	if (vcpu->vm->sve)
		init.features[0] |= 1 << KVM_ARM_VCPU_SVE;
	if (vcpu->index)
		init.features[0] |= 1 << KVM_ARM_VCPU_POWER_OFF;
	if (ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return say_errno("KVM_ARM_VCPU_INIT of vCPU %u", vcpu->index);
	return 0;
}

/* Once: of all vector lengths that the machine has. */
static int finalize(const struct vcpu *vcpu)
{
	int feature = KVM_ARM_VCPU_SVE;

	if (vcpu->vm->sve && ioctl(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &feature))
		return say_errno("KVM_ARM_VCPU_FINALIZE");
	return 0;
}

int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned int index)
{
	*vcpu = (struct vcpu) { .vm = vm, .index = index, .end = RUNNING };
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return say_errno("KVM_CREATE_VCPU %u", index);
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		say_errno("cannot map vCPU %u", index);
		close(vcpu->fd);
		return -1;
	}
	if (init(vcpu) || finalize(vcpu)) {
		vcpu_destroy(vcpu);
		return -1;
	}
	return 0;
}

int vcpu_reset(struct vcpu *vcpu)
{
	vcpu->bus_error = 0;
	vcpu->end = RUNNING;
	return init(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->vm->run_size);
	close(vcpu->fd);
}

/* Of the whole VM, so that to name it for each vCPU is to name it again. */
static int set_apf_intid(const struct vcpu *vcpu, uint64_t intid)
{
	if (intid && set_reg(vcpu, KVM_REG_ARM_APF_INTID, intid))
		return say_errno("--apf-intid %" PRIu64 ": this host kernel refuses it", intid);
	return 0;
}

/* The version that KVM could offer to this VM, 0: none. */
static int apf_version(const struct vcpu *vcpu)
{
	int version = ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_APF);

	return version > 0 ? version : 0;
}

static int check_apf_version(int version)
{
	if (!version)
		return say_error("--apf on: this host's KVM has no asynchronous page faults: %s",
				 "it needs CONFIG_KVM_ARM_APF=y, and not kvm-arm.mode=protected");
	if (version != KVM_APF_VERSION)
		return say_error("--apf on: KVM has version %d of it, apfvm knows %d: rebuild it",
				 version, KVM_APF_VERSION);
	return 0;
}

static int set_apf_mode(const struct vcpu *vcpu, enum apf_mode mode)
{
	int version = apf_version(vcpu);
	uint64_t bits;

	if (mode == APF_DEFAULT || (mode == APF_OFF && !version))
		return 0;
	if (mode == APF_ON && check_apf_version(version))
		return -1;
	if (get_reg(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, &bits))
		return say_errno("cannot read the hypercalls that are offered");
	bits = mode == APF_ON ? bits | APF_BIT : bits & ~APF_BIT;
	if (set_reg(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, bits))
		return say_errno("--apf %s: this host kernel refuses it",
				 mode == APF_ON ? "on" : "off");
	return 0;
}

int vcpu_set_apf(const struct vcpu *vcpu, const struct options *opt)
{
	if (set_apf_mode(vcpu, opt->apf))
		return -1;
	return set_apf_intid(vcpu, opt->apf_intid);
}

/* KVM's reset state is what the boot protocol wants: EL1h, DAIF masked, MMU off. */
int vcpu_set_entry(struct vcpu *vcpu, uint64_t entry, uint64_t dtb)
{
	if (set_reg(vcpu, CORE_REG(regs.pc), entry) ||
	    set_reg(vcpu, CORE_REG(regs.regs[0]), dtb))
		return say_errno("cannot set the entry point");
	return 0;
}

static int handle_system_event(const struct vcpu *vcpu)
{
	uint32_t type = vcpu->run->system_event.type;

	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return STATUS_OFF;
	case KVM_SYSTEM_EVENT_RESET:
	case KVM_SYSTEM_EVENT_CRASH:
		return STATUS_RESET;
	default:
		say_error("vCPU %u: unknown system event %" PRIu32, vcpu->index, type);
		return STATUS_ERROR;
	}
}

static int handle_exit(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		mmio_access(&vcpu->vm->bus, run->mmio.phys_addr, run->mmio.data,
			    run->mmio.len, run->mmio.is_write);
		return RUNNING;
	case KVM_EXIT_HYPERCALL:
		return answer_call(&vcpu->vm->answer, vcpu) ? STATUS_ERROR : RUNNING;
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_system_event(vcpu);
	case KVM_EXIT_ARM_NISV:
		say_error("vCPU %u: no memory at IPA 0x%llx, and KVM cannot decode the access",
			  vcpu->index, run->arm_nisv.fault_ipa);
		return STATUS_ERROR;
	default:
		say_error("vCPU %u: unexpected KVM exit, reason %" PRIu32,
			  vcpu->index, run->exit_reason);
		return STATUS_ERROR;
	}
}

static int memory_error(const struct vcpu *vcpu, uint64_t ipa)
{
	say_error("vCPU %u: the guest touched a page that cannot be had, IPA 0x%" PRIx64,
		  vcpu->index, ipa);
	return STATUS_MEMORY;
}

static uint64_t bus_error_ipa(const struct vcpu *vcpu)
{
	return MEMORY_BASE + (vcpu->bus_error - (uintptr_t)vcpu->vm->memory.host);
}

/* KVM names the IPA only in some cases; the PC says who asked for it. */
static int run_error(const struct vcpu *vcpu, int error)
{
	const struct kvm_run *run = vcpu->run;
	uint64_t pc = 0;

	if (error != EFAULT && error != EHWPOISON) {
		say_error("vCPU %u: KVM_RUN: %s", vcpu->index, strerror(error));
		return STATUS_ERROR;
	}
	if (run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		return memory_error(vcpu, run->memory_fault.gpa);
	get_reg(vcpu, CORE_REG(regs.pc), &pc);
	say_error("vCPU %u: the guest touched a page that cannot be had, PC 0x%" PRIx64
		  ", IPA not known", vcpu->index, pc);
	return STATUS_MEMORY;
}

static int run_loop(struct vcpu *vcpu)
{
	int status = RUNNING;

	while (status == RUNNING && gate_enter(&vcpu->vm->gate, vcpu)) {
		int error = ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;

		gate_leave(&vcpu->vm->gate);

		if (vcpu->bus_error)
			status = memory_error(vcpu, bus_error_ipa(vcpu));
		else if (!error)
			status = handle_exit(vcpu);
		else if (error != EINTR && error != EAGAIN)
			status = run_error(vcpu, error);
	}
	return status;
}

static void *thread(void *arg)
{
	struct vcpu *vcpu = arg;
	sigset_t kick;
	int status;

	self = vcpu;
	sigemptyset(&kick);
	sigaddset(&kick, SIGNAL_KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	status = run_loop(vcpu);
	vcpu->end = status;
	if (status != RUNNING)
		vm_end(vcpu->vm, status);
	return NULL;
}

static int pin_to_cpu(const struct vcpu *vcpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(vcpu->index, &set);
	errno = pthread_setaffinity_np(vcpu->thread, sizeof(set), &set);
	return errno ? say_errno("--pin: vCPU %u", vcpu->index) : 0;
}

int vcpu_start(struct vcpu *vcpu)
{
	int error = pthread_create(&vcpu->thread, NULL, thread, vcpu);

	if (error)
		return say_error("cannot start a thread for vCPU %u: %s",
				 vcpu->index, strerror(error));
	vcpu->started = true;
	return vcpu->vm->pin ? pin_to_cpu(vcpu) : 0;
}

/*
 * The signal ends a KVM_RUN under way; immediate_exit, set before, ends one
 * that the thread was about to begin when the signal came.
 */
void vcpu_kick(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_mutex_lock(&vcpu->vm->gate.lock);
	vcpu->run->immediate_exit = 1;
	pthread_mutex_unlock(&vcpu->vm->gate.lock);
	pthread_kill(vcpu->thread, SIGNAL_KICK);
}

void vcpu_clear_kick(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 0;
}

void vcpu_join(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

static void on_kick(int signal)
{
	(void)signal;
}

static bool is_guest_memory(const struct memory *mem, uintptr_t address)
{
	return address - (uintptr_t)mem->host < mem->size + mem->cold_size;
}

/*
 * KVM sends SIGBUS for a page that cannot be had, and KVM_RUN then ends, with
 * EINTR. A second one before that is seen, or one elsewhere, comes from an
 * access by the VMM itself: with the default action, its repetition kills.
 */
static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)context;
	if (self && !self->bus_error && is_guest_memory(&self->vm->memory, address))
		self->bus_error = address;
	else
		sigaction(signal, &(struct sigaction) { .sa_handler = SIG_DFL }, NULL);
}

void vcpu_catch_signals(void)
{
	struct sigaction kick = { .sa_handler = on_kick };
	struct sigaction bus = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	sigaction(SIGNAL_KICK, &kick, NULL);
	sigaction(SIGBUS, &bus, NULL);
}
