// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: its start and its end, CPUs that
 * come and go, and the counters. discover.c has what is asked of the host first,
 * fault.c what happens at a fault.
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
 * If the host refuses a CPU that is there when all are to start, none does. One that
 * comes later is a CPU without announcements: that is no reason not to have it.
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

	/* The host zeroes the block: no handler may look at it before. */
	if (apf_hypercall(KVM_APF_ENABLE, virt_to_phys(cpu->block) | apf_flags, &res))
		return apf_refused(n, res.a0);

	enable_percpu_irq(apf_irq, IRQ_TYPE_EDGE_RISING);

	return 0;
}

/* Disable first: from then on no ready bit comes, and no new waiter. */
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

/* Nobody is left to wake, but a tasklet may yet find that. */
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

/* Names under debugfs, kvm-apf/. Each counter sums over all CPUs. */
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

/* On all CPUs, now and as they come: between the two, no CPU comes. */
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
 * The next kernel has another use for the memory that our blocks are in, and a
 * host that is not told goes on writing there. A kexec takes all CPUs but one
 * offline; that one is why this is here. After a crash nothing can be told any
 * more, and need not be: the crash kernel leaves our memory alone, has disabled
 * the PPI before it has a task, and tells the host of blocks of its own.
 */
static int apf_reboot(struct notifier_block *nb, unsigned long code, void *cmd)
{
	apf_stop();

	return NOTIFY_DONE;
}

static struct notifier_block apf_reboot_nb = { .notifier_call = apf_reboot };

/*
 * Before tasks are frozen, and those that wait for a page could not be. On the
 * way out of hibernation it is the kernel that loads the image which stops here.
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

/* The same, by the name that x86 has for it. */
static int __init __maybe_unused apf_parse_unwanted(char *arg)
{
	apf_wanted = false;

	return 0;
}
early_param("no-kvmapf", apf_parse_unwanted);

/* Who loads a module wants to know; a kernel that has it built in just goes on. */
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

	/* Last, since it cannot fail. Until then the kernel's faults are declined. */
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
 * No interrupt and no new task can come any more when apf_stop() is through, and
 * all that wait are woken. They come out of apf_sleep() on their own time: the one
 * counter stands, the other can only rise to it, so that what is read CPU by CPU is
 * never too low. After its count, a task is a few instructions from the end of our
 * text, but it may be preempted there. It is out when it next sleeps, or is in user
 * space. Only then may text and data go.
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
