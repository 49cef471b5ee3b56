// SPDX-License-Identifier: GPL-2.0-only
/*
 * orphan IMAGE: end a VM while a thread waits for its page, which never comes,
 * in a process that lives on and keeps the userfaultfd open. KVM's knob "threads"
 * is on: else no thread waits for such a page.
 *
 * Exit status 0: nobody waited for the thread, and it was still at work when VM,
 * vCPU and guest memory were gone. It ends with the userfaultfd, at the end.
 */
#include <err.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../vmm/options.h"
#include "../../vmm/uffd.h"
#include "../../vmm/util.h"
#include "../../vmm/vm.h"

#define PATIENCE_S	10
#define PAGE_SIZE	4096

static int is_kvms_thread(const char *path)
{
	char name[64] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strcmp(name, "kvm-apf\n");
}

static int count_threads(void)
{
	glob_t tasks;
	size_t i;
	int n = 0;

	if (glob("/proc/self/task/*/comm", 0, NULL, &tasks))
		errx(1, "/proc is not mounted");
	for (i = 0; i < tasks.gl_pathc; i++)
		n += is_kvms_thread(tasks.gl_pathv[i]);
	globfree(&tasks);
	return n;
}

static void wait_for_threads(int wanted)
{
	int tries;

	for (tries = 0; tries < 100 * PATIENCE_S; tries++) {
		if (count_threads() == wanted)
			return;
		usleep(10000);
	}
	errx(1, "%d threads, not %d", count_threads(), wanted);
}

static void launch(struct vm *vm, struct uffd *uffd, const struct options *opt)
{
	struct image image;

	if (vm_create(vm, opt) || image_load(&image, &vm->memory, opt->kernel, NULL) ||
	    vm_prepare_boot(vm, &image, opt) || uffd_create(uffd, vm, opt))
		errx(1, "cannot set up the VM");
	vcpu_catch_signals();
	if (uffd_start(uffd) || vcpu_start(&vm->vcpu[0]))
		errx(1, "cannot start the VM");
}

int main(int argc, char **argv)
{
	static struct options opt = {
		.mem_mib = 256, .cold_mib = 8, .cpus = 1, .apf = APF_ON,
		.append = { .count = 1, .text = { "" } },
	};
	static struct uffd uffd;
	static struct vm vm;
	char why[160];

	if (argc != 2)
		errx(2, "usage: orphan IMAGE");
	opt.kernel = argv[1];
	policy_list_init(&opt.policies, opt.cold_mib * MIB / PAGE_SIZE, 0, PAGE_SIZE);
	if (policy_list_add(&opt.policies, "all:never", why, sizeof(why)))
		errx(1, "%s", why);
	launch(&vm, &uffd, &opt);
	wait_for_threads(1);

	/* Without uffd_stop() first, which would end the thread's wait. */
	alarm(PATIENCE_S);
	vm_end(&vm, STATUS_STOPPED);
	vcpu_kick(&vm.vcpu[0]);
	vcpu_join(&vm.vcpu[0]);
	vm_destroy(&vm);
	alarm(0);
	wait_for_threads(1);

	uffd_stop(&uffd);
	uffd_destroy(&uffd);
	wait_for_threads(0);
	return 0;
}
