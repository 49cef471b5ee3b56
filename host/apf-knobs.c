// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the knobs, in debugfs, below kvm/apf/. Each acts on the
 * whole host; 0 turns it off:
 *
 *   knobs/pend_only	1: KVM only pends the PPI, with its raised priority, and does
 *			not take the interrupt for the guest; 2: the same, with the
 *			guest's priority
 *   knobs/drop_ppi	n: the PPIs of the next n announcements are lost
 *   knobs/late_ppi	n: the PPI of each announcement is only pended, at the vCPU's
 *			n-th fault after it
 *   knobs/rival	n: INTID n is pended together with each announcement
 *   knobs/fail_alloc	n: each n-th allocation fails
 *   knobs/fail_block	n: each n-th access to a block fails, of any kind
 *   knobs/fail_read	n: each n-th read of a block at a fault fails
 *   knobs/fail_tell	n: each n-th write of an announcement, or of 0 to @declined, fails
 *   knobs/fail_ready	n: each n-th write of ready bits fails
 *   knobs/fail_fetch	n: each n-th thread fails to get its page, and reports that
 *   knobs/hold_done	n: a thread that has its page reports it n ms later
 *   knobs/threads	1: threads fetch pages of userfaultfd memory, too. With
 *			fail_fetch and hold_done they always do
 *   knobs/hold_halt	n: a halt begins n ms after the fault
 *
 *   taken/		how often each knob had an effect
 *   paths/		how often each path of enum apf_path was taken
 */

#include <linux/atomic.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kvm_host.h>

#include "apf.h"

static const char * const apf_knob_names[APF_KNOBS] = {
	[APF_KNOB_PEND_ONLY]	= "pend_only",
	[APF_KNOB_DROP_PPI]	= "drop_ppi",
	[APF_KNOB_LATE_PPI]	= "late_ppi",
	[APF_KNOB_RIVAL]	= "rival",
	[APF_KNOB_FAIL_ALLOC]	= "fail_alloc",
	[APF_KNOB_FAIL_BLOCK]	= "fail_block",
	[APF_KNOB_FAIL_READ]	= "fail_read",
	[APF_KNOB_FAIL_TELL]	= "fail_tell",
	[APF_KNOB_FAIL_READY]	= "fail_ready",
	[APF_KNOB_FAIL_FETCH]	= "fail_fetch",
	[APF_KNOB_HOLD_DONE]	= "hold_done",
	[APF_KNOB_THREADS]	= "threads",
	[APF_KNOB_HOLD_HALT]	= "hold_halt",
};

static const char * const apf_path_names[APF_PATHS] = {
	[APF_PATH_REENTERED]	= "reentered",
	[APF_PATH_STUCK]	= "stuck",
	[APF_PATH_UNREADABLE]	= "unreadable",
	[APF_PATH_UNTOLD]	= "untold",
	[APF_PATH_RETRIED]	= "retried",
	[APF_PATH_NO_HALT]	= "no_halt",
	[APF_PATH_STALE_DECLINED] = "stale_declined",
	[APF_PATH_GIVEN_UP]	= "given_up",
};

static atomic_t apf_knob_values[APF_KNOBS];
static atomic_t apf_knob_calls[APF_KNOBS];
static atomic_t apf_knob_taken[APF_KNOBS];
static atomic_t apf_paths[APF_PATHS];

void apf_path(enum apf_path path)
{
	atomic_inc(&apf_paths[path]);
}

/* The value of a knob. A value other than 0 counts as an effect. */
unsigned int apf_knob(enum apf_knob knob)
{
	unsigned int value = atomic_read(&apf_knob_values[knob]);

	if (value)
		atomic_inc(&apf_knob_taken[knob]);

	return value;
}

/* With the knob at n, is this the n-th call since the last one that was true? */
bool apf_knob_every(enum apf_knob knob)
{
	unsigned int n = atomic_read(&apf_knob_values[knob]);

	if (!n || atomic_inc_return(&apf_knob_calls[knob]) % n)
		return false;

	atomic_inc(&apf_knob_taken[knob]);

	return true;
}

/* Knobs that act where a thread fetches a page: then all pages are fetched by threads. */
bool apf_knob_needs_thread(void)
{
	return atomic_read(&apf_knob_values[APF_KNOB_FAIL_FETCH]) ||
	       atomic_read(&apf_knob_values[APF_KNOB_HOLD_DONE]) ||
	       apf_knob(APF_KNOB_THREADS);
}

void apf_knob_hold(enum apf_knob knob)
{
	unsigned int ms = apf_knob(knob);

	if (ms)
		msleep(ms);
}

/* An announcement is about to be pended. */
void apf_knob_rival(struct kvm_vcpu *vcpu)
{
	unsigned int intid = apf_knob(APF_KNOB_RIVAL);

	if (intid)
		kvm_vgic_inject_irq(vcpu->kvm, vcpu, intid, true, NULL);
}

/* Return: true if the PPI of this announcement must not be pended now. */
bool apf_knob_withhold(struct kvm_vcpu *vcpu)
{
	if (atomic_dec_if_positive(&apf_knob_values[APF_KNOB_DROP_PPI]) >= 0) {
		atomic_inc(&apf_knob_taken[APF_KNOB_DROP_PPI]);
		return true;
	}

	vcpu->arch.apf->knobs.late = apf_knob(APF_KNOB_LATE_PPI);

	return vcpu->arch.apf->knobs.late;
}

/*
 * Called at each fault. Return: whether a PPI is still withheld. The knob imitates
 * hardware that has not taken the PPI yet, where the vGIC would report it as pending.
 */
bool apf_knob_late(struct kvm_vcpu *vcpu)
{
	struct apf_knob_state *state = &vcpu->arch.apf->knobs;

	if (!state->late)
		return false;

	state->late--;
	if (!state->late)
		vgic_apf_pend(vcpu);

	return true;
}

static int apf_knob_get(void *which, u64 *value)
{
	*value = atomic_read(&apf_knob_values[(unsigned long)which]);

	return 0;
}

/* Counting starts anew with the value. */
static int apf_knob_set(void *which, u64 value)
{
	if (value > INT_MAX)
		return -EINVAL;

	atomic_set(&apf_knob_calls[(unsigned long)which], 0);
	atomic_set(&apf_knob_values[(unsigned long)which], value);

	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(apf_knob_fops, apf_knob_get, apf_knob_set, "%llu\n");

static void __init apf_counter_folder(struct dentry *parent, const char *folder,
				      const char * const *names,
				      atomic_t *values, unsigned int n)
{
	struct dentry *dir = debugfs_create_dir(folder, parent);

	while (n--)
		debugfs_create_atomic_t(names[n], 0400, dir, &values[n]);
}

/* KVM has made its folder by now, if KVM is there at all. */
static int __init apf_knobs_init(void)
{
	struct dentry *kvm = debugfs_lookup("kvm", NULL);
	struct dentry *dir, *knobs;
	unsigned long n;

	if (!kvm)
		return 0;

	dir = debugfs_create_dir("apf", kvm);
	dput(kvm);
	knobs = debugfs_create_dir("knobs", dir);
	for (n = 0; n < APF_KNOBS; n++)
		debugfs_create_file_unsafe(apf_knob_names[n], 0600, knobs, (void *)n,
					   &apf_knob_fops);
	apf_counter_folder(dir, "taken", apf_knob_names, apf_knob_taken, APF_KNOBS);
	apf_counter_folder(dir, "paths", apf_path_names, apf_paths, APF_PATHS);

	return 0;
}
late_initcall(apf_knobs_init);
