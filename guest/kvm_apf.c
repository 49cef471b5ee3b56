// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults (APF) for KVM/arm64, the guest's side.
 *
 * The host announces by a PPI that the memory which the interrupted instruction
 * wants is not there. The task goes to sleep on its way back to user space, and
 * the CPU runs others. A second PPI says which pages have come. <asm/kvm_apf.h>
 * has the contract. In order:
 *
 *   apf_interrupt()
 *     apf_take_missing()	claim the announcement, and only then
 *       apf_add_sleeper()	register the task as a waiter of the token
 *     apf_take_ready()		wake the waiters of all tokens that are ready
 *   apf_sleep()		in the task, before it returns to user space
 *
 * A token means something only together with the CPU that was told. So tokens'
 * slots are per CPU; a sleeper remembers the CPU, and may move.
 *
 * Nothing is allocated when a fault is announced. A sleeper that is registered
 * but does not sleep yet borrows an entry from its CPU; once it sleeps, it waits
 * on its own stack. If all entries are lent, the announcement is declined.
 */

#define pr_fmt(fmt) "kvm-apf: " fmt

#include <linux/acpi.h>
#include <linux/arm-smccc.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irqdomain.h>
#include <linux/list.h>
#include <linux/of.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

#include <asm/hypervisor.h>
#include <asm/irq_regs.h>

#include <uapi/asm/kvm_apf.h>

/* Tasks announced on a CPU whose way to user space is not finished yet. */
#define APF_ENTRIES	64

/**
 * struct apf_waiter - a task that waits for the page of a token
 * @link:	in the token's slot, while @waiting
 * @task:	the task; it cannot exit while @waiting, since it unregisters
 *		on its way out, at the latest in exit_task_work()
 * @waiting:	cleared, under the CPU's lock, by whoever unlinks it
 */
struct apf_waiter {
	struct list_head	link;
	struct task_struct	*task;
	bool			waiting;
};

struct apf_cpu;

/**
 * struct apf_entry - a task between its announcement and its sleep
 * @work:	brings the task into apf_sleep()
 * @waiter:	registered in place of the one on the task's stack
 * @cpu:	whose entry it is
 * @token:	what it waits for
 */
struct apf_entry {
	struct callback_head	work;
	struct apf_waiter	waiter;
	struct apf_cpu		*cpu;
	unsigned int		token;
};

enum apf_counter {
	APF_INTERRUPTS,
	APF_ANNOUNCED,
	APF_SPURIOUS,
	APF_DECLINED,
	APF_READY,
	APF_SLEPT,
	APF_WOKEN,
	APF_KILLED,
	APF_COUNTERS
};

/* Names under debugfs, kvm-apf/. Each counter sums over all CPUs. */
static const char * const apf_counter_names[APF_COUNTERS] = {
	[APF_INTERRUPTS]	= "interrupts",	/* PPIs taken */
	[APF_ANNOUNCED]		= "announced",	/* claimed, the task is to sleep */
	[APF_SPURIOUS]		= "spurious",	/* claimed, for another context */
	[APF_DECLINED]		= "declined",	/* claimed, cannot sleep */
	[APF_READY]		= "ready",	/* ready bits taken */
	[APF_SLEPT]		= "slept",	/* sleeps; less, if the page was quick */
	[APF_WOKEN]		= "woken",	/* waiters that a ready bit released */
	[APF_KILLED]		= "killed",	/* waiters that left before */
};

/**
 * struct apf_cpu - APF state of a CPU
 * @block:	what is shared with the host; kmalloc'ed: 64 bytes are 64-byte
 *		aligned, physically contiguous, and in the linear map
 * @lock:	guards @slot, @lent and @entry. Innermost: the scheduler's locks
 *		are taken inside it. Raw, as it is taken in the interrupt handler
 * @slot:	the waiters of each token
 * @lent:	entries in use
 * @entry:	see above
 * @counter:	see apf_counter_names; written by whoever runs on this CPU
 */
struct apf_cpu {
	struct kvm_apf_block	*block;
	raw_spinlock_t		lock;
	struct list_head	slot[KVM_APF_TOKENS];
	DECLARE_BITMAP(lent, APF_ENTRIES);
	struct apf_entry	entry[APF_ENTRIES];
	unsigned long		counter[APF_COUNTERS];
};

static DEFINE_PER_CPU(struct apf_cpu, apf_cpu);
static unsigned int apf_irq;

#define apf_count(which)	this_cpu_inc(apf_cpu.counter[which])

/* Unlink and wake. The caller has the lock of the waiter's CPU. */
static void apf_wake(struct apf_waiter *waiter)
{
	list_del(&waiter->link);
	apf_count(APF_WOKEN);
	/*
	 * After this the waiter's stack may go, but for the lock, which the
	 * sleeper takes before it leaves. wake_up_process() has the barrier
	 * that pairs with set_current_state() in apf_wait().
	 */
	WRITE_ONCE(waiter->waiting, false);
	wake_up_process(waiter->task);
}

static void apf_wake_token(struct apf_cpu *cpu, unsigned int token)
{
	struct apf_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, &cpu->slot[token], link)
		apf_wake(waiter);
}

static void apf_register(struct apf_cpu *cpu, unsigned int token,
			 struct apf_waiter *waiter)
{
	waiter->task = current;
	waiter->waiting = true;
	list_add_tail(&waiter->link, &cpu->slot[token]);
}

/*
 * The task is on its way to user space and holds nothing: from here the waiter
 * on its own stack takes over. Return: false if the page came before that.
 */
static bool apf_move_in(struct apf_entry *entry, struct apf_waiter *waiter)
{
	struct apf_cpu *cpu = entry->cpu;
	bool waiting;

	guard(raw_spinlock_irqsave)(&cpu->lock);

	waiting = entry->waiter.waiting;
	if (waiting) {
		list_del(&entry->waiter.link);
		apf_register(cpu, entry->token, waiter);
	}
	__clear_bit(entry - cpu->entry, cpu->lent);

	return waiting;
}

/* The lock also keeps the waiter's stack until apf_wake() is through with it. */
static void apf_leave(struct apf_cpu *cpu, struct apf_waiter *waiter)
{
	guard(raw_spinlock_irqsave)(&cpu->lock);

	if (!waiter->waiting)
		return;

	/* Killed. The ready bit, when it comes, wakes nobody. */
	list_del(&waiter->link);
	apf_count(APF_KILLED);
}

/* In exit_task_work() the fatal signal has been taken off already. */
static bool apf_dying(void)
{
	return fatal_signal_pending(current) || (current->flags & PF_EXITING);
}

static void apf_wait(struct apf_waiter *waiter)
{
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (!READ_ONCE(waiter->waiting) || apf_dying())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static void apf_sleep(struct callback_head *work)
{
	struct apf_entry *entry = container_of(work, struct apf_entry, work);
	struct apf_cpu *cpu = entry->cpu;
	struct apf_waiter waiter;

	if (!apf_move_in(entry, &waiter))
		return;

	apf_count(APF_SLEPT);
	apf_wait(&waiter);
	apf_leave(cpu, &waiter);
}

/* Return: false if this task cannot sleep, or no entry is left. */
static bool apf_add_sleeper(struct apf_cpu *cpu, unsigned int token)
{
	struct apf_entry *entry;
	unsigned int n;

	guard(raw_spinlock)(&cpu->lock);

	n = find_first_zero_bit(cpu->lent, APF_ENTRIES);
	if (n == APF_ENTRIES)
		return false;

	entry = &cpu->entry[n];
	entry->cpu = cpu;
	entry->token = token;
	init_task_work(&entry->work, apf_sleep);
	/* Interrupts are off: the task cannot get to apf_sleep() before us. */
	if (task_work_add(current, &entry->work, TWA_RESUME))
		return false;

	__set_bit(n, cpu->lent);
	apf_register(cpu, token, &entry->waiter);

	return true;
}

/*
 * Claim before anything is done about it: a vCPU exit may come between any two
 * instructions here, and the host looks at @missing then. What else the
 * announcement says is read before the claim, since the host may write the next
 * one right after. One CPU, so program order is order enough.
 */
static void apf_take_missing(struct apf_cpu *cpu, struct pt_regs *regs)
{
	struct kvm_apf_block *block = cpu->block;
	__le32 missing = READ_ONCE(block->missing);
	u64 pc = le64_to_cpu(READ_ONCE(block->pc));
	unsigned int token = le32_to_cpu(missing) - 1;

	if (!missing || cmpxchg(&block->missing, missing, 0) != missing)
		return;

	/* Taken late: that context will fault again, and be announced again. */
	if (token >= KVM_APF_TOKENS || !user_mode(regs) ||
	    instruction_pointer(regs) != pc) {
		apf_count(APF_SPURIOUS);
		return;
	}

	if (apf_add_sleeper(cpu, token)) {
		apf_count(APF_ANNOUNCED);
	} else {
		WRITE_ONCE(block->declined, missing);
		apf_count(APF_DECLINED);
	}
}

static void apf_take_ready(struct apf_cpu *cpu)
{
	unsigned long ready = le64_to_cpu(xchg(&cpu->block->ready, 0));
	unsigned int token;

	if (!ready)
		return;

	guard(raw_spinlock)(&cpu->lock);

	for_each_set_bit(token, &ready, KVM_APF_TOKENS) {
		apf_count(APF_READY);
		apf_wake_token(cpu, token);
	}
}

/* Missing first: a token may be announced and ready in the same interrupt. */
static irqreturn_t apf_interrupt(int irq, void *dev)
{
	struct apf_cpu *cpu = dev;

	apf_count(APF_INTERRUPTS);
	apf_take_missing(cpu, get_irq_regs());
	apf_take_ready(cpu);

	return IRQ_HANDLED;
}

static long apf_hypercall(unsigned long function, unsigned long arg,
			  struct arm_smccc_res *res)
{
	arm_smccc_1_1_invoke(KVM_APF_SMCCC_ID, function, arg, res);

	return res->a0;
}

static int apf_online(unsigned int n)
{
	struct apf_cpu *cpu = per_cpu_ptr(&apf_cpu, n);
	struct arm_smccc_res res;

	enable_percpu_irq(apf_irq, IRQ_TYPE_EDGE_RISING);
	if (apf_hypercall(KVM_APF_ENABLE,
			  virt_to_phys(cpu->block) | KVM_APF_ENABLE_ON, &res)) {
		disable_percpu_irq(apf_irq);
		pr_warn("CPU %u: the host refused its block: %ld\n", n, (long)res.a0);
	}

	return 0;
}

/* The host owes nothing any more once APF is disabled: wake all that wait here. */
static int apf_offline(unsigned int n)
{
	struct apf_cpu *cpu = per_cpu_ptr(&apf_cpu, n);
	struct arm_smccc_res res;
	unsigned int token;

	apf_hypercall(KVM_APF_ENABLE, 0, &res);
	disable_percpu_irq(apf_irq);

	guard(raw_spinlock_irqsave)(&cpu->lock);
	for (token = 0; token < KVM_APF_TOKENS; token++)
		apf_wake_token(cpu, token);

	return 0;
}

static void __init apf_init_cpu(struct apf_cpu *cpu)
{
	unsigned int token;

	raw_spin_lock_init(&cpu->lock);
	for (token = 0; token < KVM_APF_TOKENS; token++)
		INIT_LIST_HEAD(&cpu->slot[token]);
}

static void __init apf_free_blocks(void)
{
	unsigned int n;

	for_each_possible_cpu(n)
		kfree(per_cpu(apf_cpu, n).block);
}

static int __init apf_init_cpus(void)
{
	unsigned int n;

	for_each_possible_cpu(n) {
		struct apf_cpu *cpu = per_cpu_ptr(&apf_cpu, n);

		apf_init_cpu(cpu);
		cpu->block = kzalloc_node(sizeof(*cpu->block), GFP_KERNEL,
					  cpu_to_node(n));
		if (!cpu->block) {
			apf_free_blocks();
			return -ENOMEM;
		}
	}

	return 0;
}

static const struct of_device_id apf_gics[] __initconst = {
	{ .compatible = "arm,gic-v3" },
	{ .compatible = "arm,gic-400" },
	{ .compatible = "arm,cortex-a15-gic" },
	{}
};

static unsigned int __init apf_map_dt(u32 intid)
{
	struct device_node *gic = of_find_matching_node(NULL, apf_gics);
	struct irq_fwspec fwspec = {
		.fwnode		= of_node_to_fwnode(gic),
		.param_count	= 3,
		/* A PPI, its number, its type: arm,gic.yaml. */
		.param		= { 1, intid - 16, IRQ_TYPE_EDGE_RISING },
	};
	unsigned int irq;

	if (!gic)
		return 0;

	irq = irq_create_fwspec_mapping(&fwspec);
	of_node_put(gic);

	return irq;
}

#ifdef CONFIG_ACPI
static unsigned int __init apf_map_acpi(u32 intid)
{
	int irq = acpi_register_gsi(NULL, intid, ACPI_EDGE_SENSITIVE,
				    ACPI_ACTIVE_HIGH);

	return max(irq, 0);
}
#else
static unsigned int __init apf_map_acpi(u32 intid)
{
	return 0;
}
#endif

/* The host names an INTID, since nothing in DT or ACPI describes it. */
static unsigned int __init apf_map(u32 intid)
{
	return acpi_disabled ? apf_map_dt(intid) : apf_map_acpi(intid);
}

static int apf_counter_get(void *which, u64 *sum)
{
	unsigned long total = 0;
	unsigned int n;

	for_each_possible_cpu(n)
		total += READ_ONCE(per_cpu(apf_cpu, n).counter[(unsigned long)which]);
	*sum = total;

	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(apf_counter_fops, apf_counter_get, NULL, "%llu\n");

static void __init apf_init_debugfs(void)
{
	struct dentry *dir = debugfs_create_dir("kvm-apf", NULL);
	unsigned long n;

	for (n = 0; n < APF_COUNTERS; n++)
		debugfs_create_file_unsafe(apf_counter_names[n], 0444, dir,
					   (void *)n, &apf_counter_fops);
}

static int __init apf_start(void)
{
	int ret;

	ret = request_percpu_irq(apf_irq, apf_interrupt, "kvm-apf", &apf_cpu);
	if (ret)
		return ret;

	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "kvm-apf:online",
				apf_online, apf_offline);
	if (ret < 0)
		free_percpu_irq(apf_irq, &apf_cpu);

	return min(ret, 0);
}

static bool apf_unwanted __initdata;

static int __init apf_parse_unwanted(char *arg)
{
	apf_unwanted = true;

	return 0;
}
early_param("no-kvmapf", apf_parse_unwanted);

static int __init apf_init(void)
{
	struct arm_smccc_res res;
	int ret;

	if (apf_unwanted || !kvm_arm_hyp_service_available(KVM_APF_SMCCC_FUNC))
		return 0;
	if (apf_hypercall(KVM_APF_FEATURES, 0, &res) || !res.a1)
		return 0;

	apf_irq = apf_map(res.a2);
	if (!apf_irq)
		return -ENXIO;

	ret = apf_init_cpus();
	if (ret)
		return ret;

	ret = apf_start();
	if (ret) {
		apf_free_blocks();
		return ret;
	}

	apf_init_debugfs();
	pr_info("faults announced by INTID %lu\n", res.a2);

	return 0;
}
late_initcall(apf_init);
