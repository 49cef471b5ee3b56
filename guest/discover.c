// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults, the guest's side: ask the host what it offers, and map the
 * PPI that it names. The driver checks each of the host's answers before it uses it.
 */

#include <linux/acpi.h>
#include <linux/arm-smccc.h>
#include <linux/init.h>
#include <linux/irqdomain.h>
#include <linux/of.h>

#include <asm/hypervisor.h>

#include "kvm_apf.h"

/* PPIs of a GIC before version 5. */
#define APF_FIRST_PPI	16
#define APF_LAST_PPI	31

long apf_hypercall(unsigned long function, unsigned long arg,
		   struct arm_smccc_res *res)
{
	arm_smccc_1_1_invoke(KVM_APF_SMCCC_ID, function, arg, res);

	return res->a0;
}

/**
 * apf_ask_host - ask the host what it offers
 * @intid:	set to the PPI of both messages, 16 to 31
 *
 * The driver knows none of the feature bits in x3, and ignores them.
 *
 * Return: NULL, or why this driver cannot use what the host offers.
 */
const char * __init apf_ask_host(u32 *intid)
{
	struct arm_smccc_res res;

	if (!kvm_arm_hyp_service_available(KVM_APF_SMCCC_FUNC) ||
	    apf_hypercall(KVM_APF_FEATURES, 0, &res))
		return "the host offers no asynchronous page faults";
	if (res.a1 != KVM_APF_VERSION)
		return "the host has another version of asynchronous page faults";
	if (res.a2 < APF_FIRST_PPI || res.a2 > APF_LAST_PPI)
		return "the host names an interrupt that is no PPI";

	*intid = res.a2;

	return NULL;
}

static const struct of_device_id apf_gics[] __initconst = {
	{ .compatible = "arm,gic-v3" },
	{ .compatible = "arm,gic-400" },
	{ .compatible = "arm,cortex-a15-gic" },
	{}
};

static unsigned int __init apf_map_of(struct device_node *gic, u32 intid)
{
	struct irq_fwspec fwspec = {
		.fwnode		= of_fwnode_handle(gic),
		.param_count	= 3,
		/* Kind (PPI), number and trigger type, as in arm,gic.yaml. */
		.param		= { 1, intid - APF_FIRST_PPI, IRQ_TYPE_EDGE_RISING },
	};
	struct irq_domain *domain = irq_find_host(gic);

	if (!domain || irq_find_mapping(domain, intid))
		return 0;

	return irq_create_fwspec_mapping(&fwspec);
}

static unsigned int __init apf_map_dt(u32 intid)
{
	struct device_node *gic = of_find_matching_node(NULL, apf_gics);
	unsigned int irq = gic ? apf_map_of(gic, intid) : 0;

	of_node_put(gic);

	return irq;
}

#ifdef CONFIG_ACPI
static unsigned int __init apf_map_acpi(u32 intid)
{
	unsigned int others;
	int irq;

	if (!acpi_gsi_to_irq(intid, &others))
		return 0;

	irq = acpi_register_gsi(NULL, intid, ACPI_EDGE_SENSITIVE, ACPI_ACTIVE_HIGH);

	return max(irq, 0);
}
#else
static unsigned int __init apf_map_acpi(u32 intid)
{
	return 0;
}
#endif

/**
 * apf_map - map the PPI, which neither DT nor ACPI describes
 * @intid:	INTID of the PPI
 *
 * Return: the Linux interrupt number, or 0. If the INTID is mapped already, it belongs
 * to another device, and the driver must not use or dispose of that mapping.
 */
unsigned int __init apf_map(u32 intid)
{
	return acpi_disabled ? apf_map_dt(intid) : apf_map_acpi(intid);
}
