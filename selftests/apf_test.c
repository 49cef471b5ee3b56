// SPDX-License-Identifier: GPL-2.0-only
/*
 * apf_test - asynchronous page faults, <asm/kvm_apf.h>
 *
 * A table of cases. In each, a guest without an operating system plays the
 * contract by hand, and what KVM counted has to be as the table says.
 */
#include <signal.h>
#include <sys/wait.h>

#include "apf_test.h"

#define TIMEOUT_S	60
#define DEFAULT_FAULTS	20000

bool uffd_threads;

static const struct apf_case apf_cases[] = {
	{
		.name = "one_fault",
		.guest = guest_one_fault,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "page_ends_wfi",
		.guest = guest_page_ends_wfi,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "store",
		.guest = guest_store,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "out_of_order",
		.guest = guest_out_of_order,
		.expect = { [APF_ANNOUNCED] = 4, [APF_READY] = 4, [APF_BATCHES] = 4 },
	},
	{
		.name = "one_batch",
		.guest = guest_one_batch,
		.expect = { [APF_ANNOUNCED] = 3, [APF_READY] = 3, [APF_BATCHES] = 1 },
	},
	{
		.name = "tokens_full",
		.guest = guest_tokens_full,
		.expect = { [APF_ANNOUNCED] = 65, [APF_SYNC] = 1, [APF_SYNC_TOKEN] = 1,
			    [APF_READY] = 65, [APF_BATCHES] = 2 },
	},
	{
		.name = "ready_not_taken",
		.guest = guest_ready_not_taken,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "no_ready_taken",
		.guest = guest_no_ready_taken,
		.expect = { [APF_ANNOUNCED] = 65, [APF_HALTED] = 1, [APF_READY] = 65,
			    [APF_BATCHES] = 2 },
	},
	{
		.name = "declines",
		.guest = guest_declines,
		.expect = { [APF_ANNOUNCED] = 2, [APF_DECLINED] = 1, [APF_HALTED] = 1,
			    [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "declines_another",
		.guest = guest_declines_another,
		.expect = { [APF_ANNOUNCED] = 2, [APF_REPEATED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "stale_declined",
		.guest = guest_stale_declined,
		.expect = { [APF_ANNOUNCED] = 4, [APF_REPEATED] = 1, [APF_DECLINED] = 1,
			    [APF_HALTED] = 3, [APF_READY] = 3, [APF_BATCHES] = 3 },
	},
	{
		.name = "second_declines",
		.guest = guest_second_declines,
		.expect = { [APF_ANNOUNCED] = 2, [APF_REPEATED] = 1, [APF_DECLINED] = 1,
			    [APF_HALTED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "claims_nothing",
		.guest = guest_claims_nothing,
		.expect = { [APF_ANNOUNCED] = 2, [APF_HALTED] = 2, [APF_READY] = 2,
			    [APF_BATCHES] = 2 },
	},
	{
		.name = "el0_masked",
		.guest = guest_el0_masked,
		.expect = { [APF_SYNC] = 1, [APF_SYNC_MASKED] = 1 },
	},
	{
		.name = "el1_masked",
		.guest = guest_el1_masked,
		.expect = { [APF_SYNC] = 1, [APF_SYNC_MASKED] = 1 },
	},
	{
		.name = "el1_unmasked",
		.guest = guest_el1_unmasked,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "pmr",
		.guest = guest_pmr,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "ppi_disabled",
		.guest = guest_ppi_disabled,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "group_disabled",
		.guest = guest_group_disabled,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "distributor_off",
		.guest = guest_distributor_off,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "ppi_active",
		.guest = guest_ppi_active,
		.expect = { [APF_ANNOUNCED] = 1, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "ready_unseen",
		.guest = guest_ready_unseen,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "second_context",
		.guest = guest_second_context,
		.expect = { [APF_ANNOUNCED] = 3, [APF_REPEATED] = 2, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "kernel_declines",
		.guest = guest_kernel_declines,
		.expect = { [APF_ANNOUNCED] = 1, [APF_DECLINED] = 1, [APF_HALTED] = 1,
			    [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "kernel_sleeps",
		.guest = guest_kernel_sleeps,
		.expect = { [APF_ANNOUNCED] = 1, [APF_SYNC] = 1, [APF_SYNC_MASKED] = 1,
			    [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "enabled_again",
		.guest = guest_enabled_again,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "bad_enable",
		.guest = guest_bad_enable,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "moved",
		.guest = guest_moved,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "moved_repeated",
		.guest = guest_moved_repeated,
		.expect = { [APF_ANNOUNCED] = 2, [APF_REPEATED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "disabled",
		.guest = guest_disabled,
		.expect = { [APF_ANNOUNCED] = 2, [APF_HALTED] = 1, [APF_READY] = 1,
			    [APF_BATCHES] = 1 },
	},
	{
		.name = "enabled_anew",
		.guest = guest_enabled_anew,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "block_gone",
		.guest = guest_block_gone,
		.host = host_block_gone,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "memory_gone",
		.guest = guest_memory_gone,
		.host = host_memory_gone,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 2, [APF_BATCHES] = 2 },
	},
	{
		.name = "vcpu_reset",
		.guest = guest_vcpu_reset,
		.host = host_vcpu_reset,
		.expect = { [APF_ANNOUNCED] = 2, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "in_flight_at_end",
		.guest = guest_in_flight_at_end,
		.expect = { [APF_ANNOUNCED] = 8 },
	},
	{
		.name = "read_only",
		.guest = guest_read_only,
		.cold_flags = KVM_MEM_READONLY,
		.mmio_writes = 2,
		.expect = { [APF_ANNOUNCED] = 1, [APF_READY] = 1, [APF_BATCHES] = 1 },
	},
	{
		.name = "beyond_file",
		.guest = guest_beyond_file,
		.beyond_file = true,
		.cold_source = VM_MEM_SRC_SHMEM,
		.run_errno = EFAULT,
	},
	{
		.name = "one_reg",
		.run = run_one_reg,
	},
	{
		.name = "capability",
		.run = run_capability,
	},
	{
		.name = "el1_32bit",
		.run = run_el1_32bit,
	},
	{
		.name = "hostile",
		.guest = guest_hostile,
		.host = host_hostile,
		.on_irq = hostile_on_irq,
		.run = run_hostile,
	},
	{}
};

static const struct apf_case * const tables[] = {
	apf_cases, gic_cases, entry_cases, memory_cases, life_cases, dirty_cases, fault_cases,
	uffd_cases, end_cases, many_cases,
};

static void run_guest(const struct apf_case *c)
{
	struct apf_vm v;

	apf_vm_create(&v, c);
	apf_vm_run(&v);
	apf_vm_check_counts(&v);
	apf_vm_destroy(&v);
}

/*
 * In a process of its own: a failed assertion ends the process, and so does the
 * alarm, if a vCPU or a page never comes back.
 */
static int run_case(const struct apf_case *c, u64 faults)
{
	pid_t child = fork();
	int status;

	TEST_ASSERT(child >= 0, "fork: errno %d", errno);
	if (!child) {
		alarm(TIMEOUT_S + faults / 100);
		if (c->run)
			c->run(c, faults);
		else
			run_guest(c);
		exit(KSFT_PASS);
	}

	TEST_ASSERT(waitpid(child, &status, 0) == child, "waitpid: errno %d", errno);
	if (WIFSIGNALED(status))
		ksft_print_msg("%s: ended by signal %d%s\n", c->name, WTERMSIG(status),
			       WTERMSIG(status) == SIGALRM ? ", it hung" : "");
	if (!WIFEXITED(status))
		return KSFT_FAIL;

	return WEXITSTATUS(status) == KSFT_SKIP ? KSFT_SKIP :
	       WEXITSTATUS(status) ? KSFT_FAIL : KSFT_PASS;
}

static bool wanted(const struct apf_case *c, const char *only)
{
	return !only || !strcmp(c->name, only);
}

static unsigned int count_table(const struct apf_case *c, const char *only)
{
	unsigned int n = 0;

	for (; c->name; c++)
		n += wanted(c, only);

	return n;
}

static void run_table(const struct apf_case *c, const char *only, u64 faults)
{
	for (; c->name; c++)
		if (wanted(c, only))
			ksft_test_result_report(run_case(c, faults), "%s\n", c->name);
}

static void run_cases(const char *only, u64 faults)
{
	unsigned int i, plan = 0;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		plan += count_table(tables[i], only);

	ksft_print_header();
	ksft_set_plan(plan);
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		run_table(tables[i], only, faults);
}

static void help(const char *name)
{
	puts("");
	printf("usage: %s [-hT] [-t case] [-n faults] [-s seed]\n", name);
	puts("");
	puts(" -t: run this case only");
	puts(" -T: threads of KVM wait for userfaults");
	printf(" -n: page faults of the hostile guest (default: %d)\n", DEFAULT_FAULTS);
	printf(" -s: what it does, a number (default: %lu)\n", hostile_seed);
	puts("");
}

int main(int argc, char *argv[])
{
	u64 faults = DEFAULT_FAULTS;
	const char *only = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "hTt:n:s:")) != -1) {
		switch (opt) {
		case 't':
			only = optarg;
			break;
		case 'T':
			uffd_threads = true;
			break;
		case 'n':
			faults = atoi_positive("Faults", optarg);
			break;
		case 's':
			hostile_seed = atoi_positive("Seed", optarg);
			break;
		case 'h':
		default:
			help(argv[0]);
			return opt == 'h' ? 0 : 1;
		}
	}

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_APF));
	run_cases(only, faults);
	ksft_finished();
}
