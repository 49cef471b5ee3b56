// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM knows of a vCPU, all of it: whatever register there is comes along,
 * also one that apfvm has never heard of.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "state.h"
#include "util.h"
#include "vm.h"

/* SVE's registers are the largest. */
#define REG_SIZE_MAX	256

static uint32_t reg_size(uint64_t id)
{
	return 1U << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static struct kvm_reg_list *list_regs(const struct vcpu *vcpu)
{
	struct kvm_reg_list none = { .n = 0 }, *list;

	if (!ioctl(vcpu->fd, KVM_GET_REG_LIST, &none) || errno != E2BIG) {
		say_errno("KVM_GET_REG_LIST");
		return NULL;
	}
	list = malloc(sizeof(*list) + none.n * sizeof(list->reg[0]));
	if (!list) {
		say_error("no memory for the registers of vCPU %u", vcpu->index);
		return NULL;
	}
	list->n = none.n;
	if (!ioctl(vcpu->fd, KVM_GET_REG_LIST, list))
		return list;
	say_errno("KVM_GET_REG_LIST");
	free(list);
	return NULL;
}

static int save_reg(const struct vcpu *vcpu, struct state *state, uint64_t id)
{
	char value[REG_SIZE_MAX];
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	if (ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg))
		return say_errno("vCPU %u: cannot get register %" PRIx64, vcpu->index, id);
	state_put(state, &id, sizeof(id));
	state_put(state, value, reg_size(id));
	return 0;
}

static int save_regs(const struct vcpu *vcpu, struct state *state)
{
	struct kvm_reg_list *list = list_regs(vcpu);
	uint64_t i, n;
	int ret = 0;

	if (!list)
		return -1;
	n = list->n;
	state_put(state, &n, sizeof(n));
	for (i = 0; !ret && i < n; i++)
		ret = save_reg(vcpu, state, list->reg[i]);
	free(list);
	return ret;
}

/*
 * A load or store of a device is complete only in the next KVM_RUN: else it would
 * be made a second time. With immediate_exit nothing but that happens there.
 */
static int complete_exit(const struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	if (!ioctl(vcpu->fd, KVM_RUN, 0) || errno != EINTR)
		return say_errno("vCPU %u: KVM_RUN", vcpu->index);
	return 0;
}

int vcpu_save(const struct vcpu *vcpu, struct state *state)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;

	if (complete_exit(vcpu))
		return -1;
	state_put_name(state, "vcpu");
	if (save_regs(vcpu, state))
		return -1;
	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) ||
	    ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp_state))
		return say_errno("vCPU %u: cannot get its events", vcpu->index);
	state_put(state, &events, sizeof(events));
	state_put(state, &mp_state, sizeof(mp_state));
	return 0;
}

static int restore_reg(const struct vcpu *vcpu, struct state *state)
{
	char value[REG_SIZE_MAX];
	struct kvm_one_reg reg = { .addr = (uintptr_t)value };

	state_get(state, &reg.id, sizeof(reg.id));
	if (reg_size(reg.id) > sizeof(value))
		return say_error("%s: a register of %u bytes", state->name, reg_size(reg.id));
	state_get(state, value, reg_size(reg.id));
	if (state_records_good(state))
		return -1;
	/* vcpu_create() has taken all lengths that there are, and that is final. */
	if (reg.id == KVM_REG_ARM64_SVE_VLS)
		return 0;
	if (ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg))
		return say_errno("vCPU %u: this host kernel refuses register %llx",
				 vcpu->index, reg.id);
	return 0;
}

int vcpu_restore(const struct vcpu *vcpu, struct state *state)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	uint64_t n;

	state_get_name(state, "vcpu");
	state_get(state, &n, sizeof(n));
	while (n--) {
		if (restore_reg(vcpu, state))
			return -1;
	}
	state_get(state, &events, sizeof(events));
	state_get(state, &mp_state, sizeof(mp_state));
	if (state_records_good(state))
		return -1;
	if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) ||
	    ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp_state))
		return say_errno("vCPU %u: cannot set its events", vcpu->index);
	return 0;
}
