// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/apf-cold: the cold memory of apfvm's device tree, for tests on kernels whose
 * /dev/mem does not give memory away (STRICT_DEVMEM). Offsets are physical addresses, as
 * in /dev/mem.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>

static struct resource apf_cold;

static int apf_cold_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;
	u64 begin = (u64)vma->vm_pgoff << PAGE_SHIFT;

	if (begin < apf_cold.start || size > apf_cold.end + 1 - begin)
		return -EINVAL;

	return remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, size, vma->vm_page_prot);
}

static const struct file_operations apf_cold_fops = {
	.owner	= THIS_MODULE,
	.mmap	= apf_cold_mmap,
};

static struct miscdevice apf_cold_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "apf-cold",
	.fops	= &apf_cold_fops,
	.mode	= 0600,
};

static int __init apf_cold_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "arm64-apf,cold");
	int ret = of_address_to_resource(node, 0, &apf_cold);

	of_node_put(node);
	if (ret)
		return ret;

	return misc_register(&apf_cold_device);
}
module_init(apf_cold_init);

static void __exit apf_cold_exit(void)
{
	misc_deregister(&apf_cold_device);
}
module_exit(apf_cold_exit);

MODULE_DESCRIPTION("The cold memory of a guest of apfvm, for tests");
MODULE_LICENSE("GPL");
