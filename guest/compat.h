/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that this driver is built for: one that has
 * it built in, with the hook in its entry, and one that loads it as a module. This
 * is the only place that knows.
 */
#ifndef __KVM_APF_COMPAT_H__
#define __KVM_APF_COMPAT_H__

#include <linux/kconfig.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct apf_cpu;
struct pt_regs;

#define APF_IS_MODULE	__is_defined(MODULE)

/*
 * Whether a module can wait until no task is in its text any more, where it does
 * not sleep: a preempted task may be, unless Tasks RCU tells. A kernel that is not
 * preemptible has no such task, and synchronize_rcu_tasks() means synchronize_rcu().
 */
#define APF_MAY_UNLOAD	(!IS_ENABLED(CONFIG_PREEMPTION) || IS_ENABLED(CONFIG_TASKS_RCU))

/* A module sees nothing of the kernel's command line but its own parameters. */
#ifdef MODULE
#define early_param(...)
#endif

/* The hook at the end of an interrupt of EL1 comes with the driver built in. */
#ifdef CONFIG_KVM_APF_GUEST
bool apf_add_kernel_sleeper(struct apf_cpu *cpu, unsigned int token,
			    struct pt_regs *regs);
const char *apf_kernel_refused(void);
void apf_kernel_start(void);
#else
static inline bool apf_add_kernel_sleeper(struct apf_cpu *cpu, unsigned int token,
					  struct pt_regs *regs)
{
	return false;
}

static inline const char *apf_kernel_refused(void)
{
	return "this kernel has no hook at the end of an interrupt of EL1";
}

static inline void apf_kernel_start(void)
{
}
#endif

#endif /* __KVM_APF_COMPAT_H__ */
