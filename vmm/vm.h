/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual machine: what KVM knows of it, its vCPUs and how it ends. */
#ifndef APFVM_VM_H
#define APFVM_VM_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "gate.h"
#include "gic.h"
#include "image.h"
#include "memory.h"
#include "mmio.h"
#include "options.h"

struct kvm_run;
struct state;

/**
 * struct vcpu - a vCPU and the thread that runs it
 * @vm:		its VM
 * @index:	0 to vm->cpus - 1; 0 boots, the others wait for PSCI CPU_ON
 * @fd:		KVM's
 * @run:	page shared with KVM
 * @thread:	valid while @started
 * @started:	there is a thread to kick and to join
 * @end:	why its thread ended by itself, an enum status, or -1
 * @bus_error:	host address of memory that could not be had, or 0; written by
 *		the SIGBUS handler on the vCPU's own thread
 */
struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	int end;
	uintptr_t bus_error;
};

struct vm {
	int kvm_fd;
	int fd;
	uint64_t counter_offset;
	size_t run_size;
	struct memory memory;
	struct gate gate;
	struct gic gic;
	struct mmio_bus bus;
	struct answer answer;
	bool sve;
	bool pin;
	unsigned int boot;
	unsigned int cpus;
	struct vcpu vcpu[CPUS_MAX];
	/* Why the VM ends: an enum status, or -1 as long as it does not. */
	int status;
	int ended_fd;
};

int vm_create(struct vm *vm, const struct options *opt);
void vm_destroy(struct vm *vm);
/* The guest has ended by a reset, no vCPU's thread is left: ready for the next boot. */
int vm_reset(struct vm *vm);

/* From any thread: the VM is to end with @status. The first reason counts. */
void vm_end(struct vm *vm, enum status status);
static inline int vm_status(const struct vm *vm)
{
	return __atomic_load_n(&vm->status, __ATOMIC_ACQUIRE);
}

/* Build the device tree in guest memory and let vCPU 0 start there. */
int vm_prepare_boot(struct vm *vm, const struct image *image,
		    const struct options *opt);

int vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned int index);
void vcpu_destroy(struct vcpu *vcpu);
/* As created: without a thread, and at its reset state. */
int vcpu_reset(struct vcpu *vcpu);
int vcpu_set_apf(const struct vcpu *vcpu, const struct options *opt);
/* General-purpose register @n; errno says what went wrong. */
int vcpu_get_x(const struct vcpu *vcpu, unsigned int n, uint64_t *value);
int vcpu_set_x(const struct vcpu *vcpu, unsigned int n, uint64_t value);
int vcpu_set_entry(struct vcpu *vcpu, uint64_t entry, uint64_t dtb);
int vcpu_start(struct vcpu *vcpu);
/*
 * Makes the vCPU's thread leave KVM_RUN, and end if vm_status() has a reason
 * already. Does not wait: that is vcpu_join().
 */
void vcpu_kick(struct vcpu *vcpu);
/* For gate_enter(): what it was kicked for is over. */
void vcpu_clear_kick(struct vcpu *vcpu);
void vcpu_join(struct vcpu *vcpu);
/* vcpu_state.c: of a vCPU without a thread; and into a new one. */
int vcpu_save(const struct vcpu *vcpu, struct state *state);
int vcpu_restore(const struct vcpu *vcpu, struct state *state);
/* Once per process, before the first vcpu_start(). */
void vcpu_catch_signals(void);

#endif /* APFVM_VM_H */
