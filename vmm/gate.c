// SPDX-License-Identifier: GPL-2.0-only
#include "gate.h"
#include "vm.h"

/*
 * What immediate_exit was set for has been done, once the gate is open. The lock
 * orders it with vcpu_kick(): either its immediate_exit stays, or the status
 * that it was set for is seen here.
 */
bool gate_enter(struct gate *gate, struct vcpu *vcpu)
{
	bool runs;

	pthread_mutex_lock(&gate->lock);
	while (gate->closed)
		pthread_cond_wait(&gate->changed, &gate->lock);
	vcpu_clear_kick(vcpu);
	runs = vm_status(vcpu->vm) < 0;
	if (runs)
		gate->inside++;
	pthread_mutex_unlock(&gate->lock);
	return runs;
}

void gate_hold(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->closed)
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->inside++;
	pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

bool gate_close(struct gate *gate, struct vm *vm)
{
	unsigned int i;
	bool empty;

	pthread_mutex_lock(&gate->lock);
	gate->closed++;
	pthread_mutex_unlock(&gate->lock);
	for (i = 0; i < vm->cpus; i++)
		vcpu_kick(&vm->vcpu[i]);
	pthread_mutex_lock(&gate->lock);
	while (gate->inside && !gate->given_up)
		pthread_cond_wait(&gate->changed, &gate->lock);
	empty = !gate->given_up;
	pthread_mutex_unlock(&gate->lock);
	return empty;
}

void gate_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->closed--;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_give_up(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->given_up = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}
