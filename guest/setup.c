// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: start and end of the driver, CPU
 * hotplug, and the counters. discover.c asks what the host offers, and fault.c handles
 * the faults.
 */

#define pr_fmt(fmt) "kvm-apf: " fmt

#include <linux/arm-smccc.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "kvm_apf.h"

struct apf_cpu __percpu *apf_cpus;
static unsigned int apf_irq;
static u64 apf_flags;

static enum cpuhp_state apf_state;

/*
 * The host refused a CPU. If that CPU is online when the driver starts, the driver does
 * not start at all. A CPU that comes later goes online without announcements.
 */
static int apf_refused(unsigned int n, long error)
{
	if (!apf_state)
		return -ENODEV;

	pr_warn("CPU %u: the host refused its block: %ld\n", n, error);

	return 0;
}

static int apf_online(unsigned int n)
{
	struct apf_cpu *cpu = per_cpu_ptr(apf_cpus, n);
	struct arm_smccc_res res;

	/* The host zeroes the block here, and the handler must not look at it before. */
	if (apf_hypercall(KVM_APF_ENABLE, virt_to_phys(cpu->block) | apf_flags, &res))
		return apf_refused(n, res.a0);

	enable_percpu_irq(apf_irq, IRQ_TYPE_EDGE_RISING);

	return 0;
}

/* Disable first. After that the host sets no ready bit, and there is no new waiter. */
static int apf_offline(unsigned int n)
{
	struct arm_smccc_res res;

	apf_hypercall(KVM_APF_ENABLE, 0, &res);
	disable_percpu_irq(apf_irq);
	apf_wake_all(per_cpu_ptr(apf_cpus, n));

	return 0;
}

static int __init apf_init_cpu(struct apf_cpu *cpu, int node)
{
	unsigned int token;

	raw_spin_lock_init(&cpu->lock);
	for (token = 0; token < KVM_APF_TOKENS; token++)
		INIT_LIST_HEAD(&cpu->slot[token]);
	INIT_LIST_HEAD(&cpu->ready);
	tasklet_setup(&cpu->more, apf_wake_more);

	cpu->block = kzalloc_node(sizeof(*cpu->block), GFP_KERNEL, node);

	return cpu->block ? 0 : -ENOMEM;
}

/* No waiter is left, but a tasklet may still have to run to see that. */
static void apf_free_cpus(void)
{
	unsigned int n;

	for_each_possible_cpu(n) {
		tasklet_kill(&per_cpu_ptr(apf_cpus, n)->more);
		kfree(per_cpu_ptr(apf_cpus, n)->block);
	}
	free_percpu(apf_cpus);
}

static int __init apf_alloc_cpus(void)
{
	unsigned int n;

	apf_cpus = alloc_percpu(struct apf_cpu);
	if (!apf_cpus)
		return -ENOMEM;

	for_each_possible_cpu(n) {
		if (apf_init_cpu(per_cpu_ptr(apf_cpus, n), cpu_to_node(n))) {
			apf_free_cpus();
			return -ENOMEM;
		}
	}

	return 0;
}

/* Names of files in debugfs, below kvm-apf/. Each shows the sum over all CPUs. */
static const char * const apf_counter_names[APF_COUNTERS] = {
	[APF_INTERRUPTS]	= "interrupts",
	[APF_ANNOUNCED]		= "announced",
	[APF_SPURIOUS]		= "spurious",
	[APF_DECLINED]		= "declined",
	[APF_KERNEL]		= "kernel",
	[APF_READY]		= "ready",
	[APF_SLEPT]		= "slept",
	[APF_WOKEN]		= "woken",
	[APF_KILLED]		= "killed",
	[APF_RETURNED]		= "returned",
};

static unsigned long apf_total(enum apf_counter which)
{
	unsigned long total = 0;
	unsigned int n;

	for_each_possible_cpu(n)
		total += READ_ONCE(per_cpu_ptr(apf_cpus, n)->counter[which]);

	return total;
}

static int apf_counter_get(void *which, u64 *sum)
{
	*sum = apf_total((unsigned long)which);

	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(apf_counter_fops, apf_counter_get, NULL, "%llu\n");

static struct dentry *apf_dir;

static void __init apf_init_debugfs(void)
{
	unsigned long n;

	apf_dir = debugfs_create_dir("kvm-apf", NULL);
	for (n = 0; n < APF_COUNTERS; n++)
		debugfs_create_file_unsafe(apf_counter_names[n], 0444, apf_dir,
					   (void *)n, &apf_counter_fops);
}

/* Enable on all CPUs, and on those that come later. The lock keeps CPUs from coming now. */
static int apf_start(void)
{
	int ret;

	cpus_read_lock();
	ret = cpuhp_setup_state_cpuslocked(CPUHP_AP_ONLINE_DYN, "kvm-apf:online",
					   apf_online, apf_offline);
	apf_state = max(ret, 0);
	cpus_read_unlock();

	return min(ret, 0);
}

static void apf_stop(void)
{
	if (apf_state)
		cpuhp_remove_state(apf_state);
	apf_state = 0;
}

/*
 * Disable before kexec. The next kernel uses the memory of our blocks for something
 * else, and the host goes on writing there until it is told. kexec takes all CPUs but
 * one offline, so this is for the last one. After a crash the driver cannot tell the
 * host, and need not: the crash kernel leaves our memory alone, disables the PPI before
 * it has tasks, and gives the host blocks of its own.
 */
static int apf_reboot(struct notifier_block *nb, unsigned long code, void *cmd)
{
	apf_stop();

	return NOTIFY_DONE;
}

static struct notifier_block apf_reboot_nb = { .notifier_call = apf_reboot };

/*
 * Stop before tasks are frozen, since tasks that wait for a page cannot be frozen. On
 * the way out of hibernation, the kernel that loads the image stops here.
 */
static int apf_suspend(struct notifier_block *nb, unsigned long event, void *unused)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		apf_stop();
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		if (apf_start())
			pr_warn("not enabled again after suspend\n");
		break;
	}

	return NOTIFY_DONE;
}

static struct notifier_block apf_suspend_nb = { .notifier_call = apf_suspend };

static int __init apf_register(void)
{
	int ret = request_percpu_irq(apf_irq, apf_interrupt, "kvm-apf", apf_cpus);

	if (ret)
		return ret;

	ret = apf_start();
	if (ret) {
		free_percpu_irq(apf_irq, apf_cpus);
		return ret;
	}

	register_reboot_notifier(&apf_reboot_nb);
	register_pm_notifier(&apf_suspend_nb);

	return 0;
}

static bool apf_wanted = true;
module_param_named(enable, apf_wanted, bool, 0444);
MODULE_PARM_DESC(enable, "Use what the host offers");

/* The name that x86 has for the same parameter. */
static int __init __maybe_unused apf_parse_unwanted(char *arg)
{
	apf_wanted = false;

	return 0;
}
early_param("no-kvmapf", apf_parse_unwanted);

/* Only whoever loads a module wants to know why. */
static int __init apf_refuse(const char *why)
{
	if (APF_IS_MODULE)
		pr_info("not loaded: %s\n", why);

	return -ENODEV;
}

static int __init apf_set_up(void)
{
	int ret = apf_alloc_cpus();

	if (ret)
		return ret;

	apf_flags = KVM_APF_ENABLE_ON;
	if (!apf_kernel_refused())
		apf_flags |= KVM_APF_ENABLE_KERNEL;
	ret = apf_register();
	if (ret) {
		apf_free_cpus();
		return ret;
	}

	/* Last, since it cannot fail. Until then the driver declines the kernel's faults. */
	if (!apf_kernel_refused())
		apf_kernel_start();

	return 0;
}

static int __init apf_init(void)
{
	const char *why_not;
	u32 intid;
	int ret;

	if (!apf_wanted)
		return apf_refuse("its parameter says enable=0");

	why_not = apf_ask_host(&intid);
	if (why_not)
		return apf_refuse(why_not);

	apf_irq = apf_map(intid);
	if (!apf_irq)
		return apf_refuse("the host's interrupt is taken, or unknown to the GIC");

	ret = apf_set_up();
	if (ret) {
		irq_dispose_mapping(apf_irq);
		return ret == -ENODEV ? apf_refuse("the host refused to enable them") : ret;
	}

	if (!APF_MAY_UNLOAD)
		__module_get(THIS_MODULE);
	apf_init_debugfs();
	why_not = apf_kernel_refused();
	pr_info("faults announced by INTID %u, of user tasks%s%s\n", intid,
		why_not ? " only: " : " and of the kernel", why_not ?: "");

	return 0;
}
late_initcall(apf_init);

/*
 * After apf_stop(), no interrupt and no new task comes, and all waiting tasks have been
 * woken. They leave apf_sleep() some time later. APF_ANNOUNCED does not change any
 * more, and APF_RETURNED only rises to it, so it is safe to sum both CPU by CPU. A task
 * that has been counted is a few instructions from the end of our text, but may be
 * preempted there. It has left our text when it next sleeps or runs in user space, and
 * synchronize_rcu_tasks() waits for that. Only then may text and data be freed.
 */
static void __exit apf_exit(void)
{
	unregister_pm_notifier(&apf_suspend_nb);
	unregister_reboot_notifier(&apf_reboot_nb);
	debugfs_remove(apf_dir);
	apf_stop();
	while (apf_total(APF_RETURNED) != apf_total(APF_ANNOUNCED))
		fsleep(1000);
	synchronize_rcu_tasks();
	free_percpu_irq(apf_irq, apf_cpus);
	irq_dispose_mapping(apf_irq);
	apf_free_cpus();
}
module_exit(apf_exit);

MODULE_DESCRIPTION("KVM/arm64 asynchronous page faults, guest side");
MODULE_LICENSE("GPL");
