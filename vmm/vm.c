// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../common/counter.h"
#include "util.h"
#include "vm.h"

static int open_kvm(struct vm *vm)
{
	int ret;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return say_errno("/dev/kvm");
	ret = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (ret != KVM_API_VERSION) {
		say_error("/dev/kvm has API version %d, not %d", ret, KVM_API_VERSION);
		goto close_kvm;
	}
	ret = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (ret < 0) {
		say_errno("KVM_GET_VCPU_MMAP_SIZE");
		goto close_kvm;
	}
	vm->run_size = ret;
	return 0;
close_kvm:
	close(vm->kvm_fd);
	return -1;
}

/*
 * With offset 0 guest and host read the same counter: one time base for both. In
 * a VM that was restored, the counter goes on from where it was.
 */
static int set_counter_offset(const struct vm *vm)
{
	struct kvm_arm_counter_offset offset = { .counter_offset = vm->counter_offset };

	if (ioctl(vm->fd, KVM_ARM_SET_COUNTER_OFFSET, &offset) < 0)
		return say_errno("KVM_ARM_SET_COUNTER_OFFSET (Linux 6.4 and later have it)");
	return 0;
}

static int create_vcpus(struct vm *vm, const struct options *opt)
{
	vm->sve = opt->sve;
	vm->pin = opt->pin;
	while (vm->cpus < opt->cpus) {
		struct vcpu *vcpu = &vm->vcpu[vm->cpus];

		if (vcpu_create(vcpu, vm, vm->cpus))
			return -1;
		vm->cpus++;
		if (vcpu_set_apf(vcpu, opt))
			return -1;
	}
	return 0;
}

static void destroy_vcpus(struct vm *vm)
{
	while (vm->cpus)
		vcpu_destroy(&vm->vcpu[--vm->cpus]);
}

int vm_create(struct vm *vm, const struct options *opt)
{
	vm->status = -1;
	vm->gate = (struct gate)GATE_INIT;
	if (open_kvm(vm))
		return -1;
	vm->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->ended_fd < 0) {
		say_errno("eventfd");
		goto close_kvm;
	}
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0) {
		say_errno("KVM_CREATE_VM");
		goto close_ended;
	}
	if (opt->restore)
		vm->counter_offset = counter_read() - opt->counter;
	vm->answer = opt->answer;
	if (set_counter_offset(vm) || answer_take_over(&vm->answer, vm->fd))
		goto close_vm;
	if (memory_create(&vm->memory, vm->fd, opt))
		goto close_vm;
	if (create_vcpus(vm, opt))
		goto destroy_memory;
	if (!opt->no_gic && gic_create(&vm->gic, vm->fd))
		goto destroy_memory;
	return 0;
destroy_memory:
	destroy_vcpus(vm);
	memory_destroy(&vm->memory);
close_vm:
	close(vm->fd);
close_ended:
	close(vm->ended_fd);
close_kvm:
	close(vm->kvm_fd);
	return -1;
}

void vm_destroy(struct vm *vm)
{
	gic_destroy(&vm->gic);
	destroy_vcpus(vm);
	close(vm->fd);
	memory_destroy(&vm->memory);
	close(vm->ended_fd);
	close(vm->kvm_fd);
}

int vm_reset(struct vm *vm)
{
	unsigned int i;
	eventfd_t ends;

	if (eventfd_read(vm->ended_fd, &ends))
		return say_errno("eventfd");
	vm->status = -1;
	vm->boot++;
	for (i = 0; i < vm->cpus; i++) {
		if (vcpu_reset(&vm->vcpu[i]))
			return -1;
	}
	return 0;
}

void vm_end(struct vm *vm, enum status status)
{
	int none = -1;

	if (!__atomic_compare_exchange_n(&vm->status, &none, status, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	if (eventfd_write(vm->ended_fd, 1))
		say_errno("eventfd");
}
