/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where vCPUs, and the VMM's own accesses to guest memory, wait while something is
 * done that none of them may run through.
 */
#ifndef APFVM_GATE_H
#define APFVM_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct vm;
struct vcpu;

/**
 * struct gate - between a vCPU's thread and KVM_RUN, a device and guest memory
 * @lock:	guards the rest, and each vCPU's immediate_exit
 * @changed:	one of those below has changed
 * @closed:	by how many; nobody gets in
 * @inside:	how many are in
 * @given_up:	nobody closes it any more
 */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int closed;
	unsigned int inside;
	bool given_up;
};

#define GATE_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

/* Around KVM_RUN. Return: whether the VM still runs; else the vCPU is not in. */
bool gate_enter(struct gate *gate, struct vcpu *vcpu);
/*
 * Around an access of the VMM itself to guest memory, which may wait for a page.
 * Not within another one, nor within KVM_RUN.
 */
void gate_hold(struct gate *gate);
/* After gate_enter() and after gate_hold(). */
void gate_leave(struct gate *gate);

/*
 * Get all out, and keep them out until gate_open(), which is to be called in any
 * case. Who waits for a page inside is waited for, so the page's server must not
 * depend on the gate, and the caller holds no lock that is taken inside. Two
 * threads may have closed it at a time. Return: whether all are out; they are not
 * if the gate was given up.
 */
bool gate_close(struct gate *gate, struct vm *vm);
void gate_open(struct gate *gate);
/* The VM ends: a page that is waited for inside may never come. */
void gate_give_up(struct gate *gate);

#endif /* APFVM_GATE_H */
