/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between a kernel that has this driver built in, with the hook in its
 * entry code, and a kernel that loads it as a module. No other file of the driver
 * depends on them.
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
 * Can a module wait until no task is in its text any more? A task that was preempted
 * there may be, and only Tasks RCU tells. A kernel that is not preemptible has no such
 * task, and its synchronize_rcu_tasks() is synchronize_rcu().
 */
#define APF_MAY_UNLOAD	(!IS_ENABLED(CONFIG_PREEMPTION) || IS_ENABLED(CONFIG_TASKS_RCU))

/* Of the kernel's command line, a module gets only its own parameters. */
#ifdef MODULE
#define early_param(...)
#endif

/* Only a kernel with the driver built in has the hook at the end of an interrupt of EL1. */
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
