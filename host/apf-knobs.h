/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous page faults: knobs for tests, which force what hardware or bad luck does
 * rarely. apf-knobs.c lists them. Without CONFIG_KVM_ARM_APF_KNOBS they are empty
 * functions.
 */
#ifndef __APF_KNOBS_H__
#define __APF_KNOBS_H__

#include <linux/types.h>

struct kvm_vcpu;

enum apf_knob {
	APF_KNOB_PEND_ONLY,
	APF_KNOB_DROP_PPI,
	APF_KNOB_LATE_PPI,
	APF_KNOB_RIVAL,
	APF_KNOB_FAIL_ALLOC,
	APF_KNOB_FAIL_BLOCK,
	APF_KNOB_FAIL_READ,
	APF_KNOB_FAIL_TELL,
	APF_KNOB_FAIL_READY,
	APF_KNOB_FAIL_FETCH,
	APF_KNOB_HOLD_DONE,
	APF_KNOB_THREADS,
	APF_KNOB_HOLD_HALT,
	APF_KNOBS
};

/* Paths that are rarely taken. They are counted, so that a test can tell that it took one. */
enum apf_path {
	APF_PATH_REENTERED,	/* the guest was told, and faulted again before it took the PPI */
	APF_PATH_STUCK,		/* waited: the vCPU could not take a pending interrupt */
	APF_PATH_UNREADABLE,	/* waited: the host could not read the block */
	APF_PATH_UNTOLD,	/* waited: the host could not write the block */
	APF_PATH_RETRIED,	/* repeated a write of ready bits that had failed */
	APF_PATH_NO_HALT,	/* the page came between fault and halt */
	APF_PATH_STALE_DECLINED,	/* found @declined left from the token's last use */
	APF_PATH_GIVEN_UP,	/* a page under way did not belong to the guest any more */
	APF_PATHS
};

#ifdef CONFIG_KVM_ARM_APF_KNOBS

/* Per vCPU. @late counts down the faults until the PPI of an announcement is pended. */
struct apf_knob_state {
	unsigned int	late;
};

unsigned int apf_knob(enum apf_knob knob);
bool apf_knob_every(enum apf_knob knob);
bool apf_knob_needs_thread(void);
void apf_knob_hold(enum apf_knob knob);
void apf_knob_rival(struct kvm_vcpu *vcpu);
bool apf_knob_withhold(struct kvm_vcpu *vcpu);
bool apf_knob_late(struct kvm_vcpu *vcpu);
void apf_path(enum apf_path path);

#else

struct apf_knob_state {};

static inline unsigned int apf_knob(enum apf_knob knob)
{
	return 0;
}

static inline bool apf_knob_every(enum apf_knob knob)
{
	return false;
}

static inline bool apf_knob_needs_thread(void)
{
	return false;
}

static inline void apf_knob_hold(enum apf_knob knob)
{
}

static inline void apf_knob_rival(struct kvm_vcpu *vcpu)
{
}

static inline bool apf_knob_withhold(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool apf_knob_late(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void apf_path(enum apf_path path)
{
}

#endif /* CONFIG_KVM_ARM_APF_KNOBS */

#endif /* __APF_KNOBS_H__ */
