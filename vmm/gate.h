/* SPDX-License-Identifier: GPL-2.0-only */
/* Where vCPUs wait while something is done that none of them may run through. */
#ifndef APFVM_GATE_H
#define APFVM_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct vm;
struct vcpu;

/**
 * struct gate - between a vCPU's thread and KVM_RUN
 * @lock:	guards the rest, and each vCPU's immediate_exit
 * @changed:	@closed or @inside has changed
 * @closed:	nobody gets in
 * @inside:	how many are in
 */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;
	unsigned int inside;
};

#define GATE_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

/* Around KVM_RUN. Return: whether the VM still runs; else the vCPU is not in. */
bool gate_enter(struct gate *gate, struct vcpu *vcpu);
void gate_leave(struct gate *gate);

/*
 * Get all vCPUs out, and keep them out. One that waits for a page in KVM_RUN is
 * waited for.
 */
void gate_close(struct gate *gate, struct vm *vm);
void gate_open(struct gate *gate);

#endif /* APFVM_GATE_H */
