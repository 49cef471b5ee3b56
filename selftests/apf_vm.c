// SPDX-License-Identifier: GPL-2.0-only
/* apf_test: the VM of a case, one vCPU, and what it leaves KVM_RUN for. */
#include <linux/bitfield.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>

#include "apf_test.h"
#include "vgic.h"

#define PTE_EL0		BIT(6)

const char * const apf_stat_names[APF_STATS] = {
	[APF_ANNOUNCED]	= "apf_announced",
	[APF_REPEATED]	= "apf_repeated",
	[APF_DECLINED]	= "apf_declined",
	[APF_HALTED]	= "apf_halted",
	[APF_SYNC]	= "apf_sync",
	[APF_SYNC_MASKED]	= "apf_sync_masked",
	[APF_SYNC_TOKEN]	= "apf_sync_token",
	[APF_SYNC_THREAD]	= "apf_sync_thread",
	[APF_SYNC_BLOCK]	= "apf_sync_block",
	[APF_SYNC_STUCK]	= "apf_sync_stuck",
	[APF_SYNC_FAILED]	= "apf_sync_failed",
	[APF_READY]	= "apf_ready",
	[APF_BATCHES]	= "apf_batches",
	[WFI_EXITS]	= "wfi_exit_stat",
	[STAGE2_ABORTS]	= "stage2_aborts",
};

static unsigned int vcpus_of(const struct apf_case *c)
{
	return c->vcpus ?: 1;
}

static off_t find_stat(const struct kvm_stats_header *header, struct kvm_stats_desc *all,
		       const char *name)
{
	struct kvm_stats_desc *desc;
	unsigned int i;

	for (i = 0; i < header->num_desc; i++) {
		desc = get_stats_descriptor(all, i, (struct kvm_stats_header *)header);
		if (!strcmp(desc->name, name))
			return header->data_offset + desc->offset;
	}
	TEST_FAIL("KVM has no statistic %s", name);
}

static void open_stats(struct apf_vm *v)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *all;
	int i;

	v->stats_fd = vcpu_get_stats_fd(v->vcpu);
	read_stats_header(v->stats_fd, &header);
	all = read_stats_descriptors(v->stats_fd, &header);
	for (i = 0; i < APF_STATS; i++)
		v->stats[i] = find_stat(&header, all, apf_stat_names[i]);
	free(all);
}

void apf_vm_select(struct apf_vm *v, unsigned int vcpu)
{
	close(v->stats_fd);
	v->vcpu = v->vcpus[vcpu];
	open_stats(v);
}

u64 apf_vm_stat(struct apf_vm *v, enum apf_stat stat)
{
	u64 value;

	TEST_ASSERT_EQ(pread(v->stats_fd, &value, sizeof(value), v->stats[stat]),
		       (ssize_t)sizeof(value));

	return value;
}

void host_wait_for_threads(struct apf_vm *v, u64 number)
{
	wait_for_threads();
}

void apf_vm_check_counts(struct apf_vm *v)
{
	const u64 *expect = v->c->differs && uffd_threads ? v->c->with_threads : v->c->expect;
	bool same = true;
	u64 got;
	int i;

	for (i = 0; i < APF_COUNTS; i++) {
		got = apf_vm_stat(v, i);
		if (got == expect[i])
			continue;
		printf("# %s: %s is %lu, not %lu\n", v->c->name, apf_stat_names[i], got,
		       expect[i]);
		same = false;
	}
	TEST_ASSERT(same, "KVM's counts are not as expected");
	TEST_ASSERT_EQ(v->mmio_writes, v->c->mmio_writes);
	TEST_ASSERT(uffd_threads || !count_threads(""), "KVM has made a thread");
}

static void map(struct kvm_vm *vm, u64 addr, bool el0)
{
	virt_pg_map(vm, addr, addr);
	if (el0)
		*virt_get_pte_hva(vm, addr) |= PTE_EL0;
}

static void add_memory(struct apf_vm *v, u64 addr, u32 slot, size_t size, u32 flags)
{
	enum vm_mem_backing_src_type source = VM_MEM_SRC_ANONYMOUS;

	if (slot == COLD_SLOT)
		source = v->c->cold_source;
	if (slot == BLOCK_SLOT && v->c->block_is_huge) {
		source = VM_MEM_SRC_ANONYMOUS_THP;
		size = get_trans_hugepagesz();
		__TEST_REQUIRE(size <= COLD_BASE - BLOCK_BASE, "huge pages of %zu", size);
	}
	vm_userspace_mem_region_add(v->vm, source, addr, slot, size / v->vm->page_size, flags);
}

/* Cold memory takes some of those that the administrator has set aside. */
static void require_huge_pages(enum vm_mem_backing_src_type source)
{
	size_t size = get_backing_src_pagesz(source);
	unsigned long pages = 0;
	char line[128];
	FILE *f;

	if (source == VM_MEM_SRC_ANONYMOUS || source == VM_MEM_SRC_SHMEM)
		return;

	f = fopen("/proc/meminfo", "r");
	TEST_ASSERT(f, "no /proc/meminfo");
	while (fgets(line, sizeof(line), f))
		sscanf(line, "HugePages_Free: %lu", &pages);
	fclose(f);
	__TEST_REQUIRE(COLD_SIZE % size == 0 && pages >= COLD_SIZE / size,
		       "%lu free huge pages of %zu bytes", pages, size);
}

static void add_memories(struct apf_vm *v)
{
	u64 i;

	add_memory(v, BLOCK_BASE, BLOCK_SLOT, SZ_64K,
		   v->c->ring_full ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	for (i = 0; i < SZ_64K; i += v->vm->page_size)
		map(v->vm, BLOCK_BASE + i, false);
	add_memory(v, READ_ONLY_BASE, READ_ONLY_SLOT, SZ_64K, KVM_MEM_READONLY);
	require_huge_pages(v->c->cold_source);
	add_memory(v, COLD_BASE, COLD_SLOT, COLD_SIZE, v->c->cold_flags);
	for (i = 0; i < COLD_PAGES; i++) {
		map(v->vm, COLD_ADDR(i), true);
		virt_pg_map(v->vm, COLD_EL1_ADDR(i), COLD_ADDR(i));
	}
}

static void install_handlers(struct apf_vm *v)
{
	handler_fn on_irq = v->c->on_irq ?: guest_on_irq;
	unsigned int i;

	vm_init_descriptor_tables(v->vm);
	for (i = 0; i < vcpus_of(v->c); i++)
		vcpu_init_descriptor_tables(v->vcpus[i]);
	vm_install_sync_handler(v->vm, VECTOR_SYNC_LOWER_64, ESR_EC_SVC64, guest_on_svc);
	vm_install_exception_handler(v->vm, VECTOR_IRQ_LOWER_64, on_irq);
	vm_install_exception_handler(v->vm, VECTOR_IRQ_CURRENT, on_irq);
}

static void make_cold(struct apf_vm *v)
{
	struct userspace_mem_region *cold = memslot2region(v->vm, COLD_SLOT);

	if (v->c->beyond_file)
		TEST_ASSERT(!ftruncate(cold->fd, 0), "ftruncate: errno %d", errno);
	else
		pages_create(&v->pages, v, cold->host_mem, cold->host_alias);
}

static bool has_el0_32(struct kvm_vcpu *vcpu)
{
	u64 pfr0;

	vcpu_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1), &pfr0);

	return FIELD_GET(ID_AA64PFR0_EL1_EL0, pfr0) == ID_AA64PFR0_EL1_EL0_AARCH32;
}

/* KVM makes a vCPU's ring together with it. */
static void create_vm(struct apf_vm *v)
{
	unsigned int i;

	v->vm = vm_create(vcpus_of(v->c));
	if (v->c->ring_full) {
		__TEST_REQUIRE(kvm_has_cap(KVM_CAP_DIRTY_LOG_RING_ACQ_REL), "no dirty ring");
		vm_enable_dirty_ring(v->vm, getpagesize());
	}
	for (i = 0; i < vcpus_of(v->c); i++)
		v->vcpus[i] = vm_vcpu_add(v->vm, i, v->c->guest);
	v->vcpu = v->vcpus[0];
}

void apf_vm_create(struct apf_vm *v, const struct apf_case *c)
{
	memset(v, 0, sizeof(*v));
	v->c = c;
	create_vm(v);
	__TEST_REQUIRE(!c->needs_el0_32 || has_el0_32(v->vcpu), "no AArch32 in EL0");
	add_memories(v);
	install_handlers(v);
	vcpu_set_reg(v->vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2,
		     BIT(KVM_REG_ARM_VENDOR_HYP_BIT_APF));
	v->gic_fd = vgic_v3_setup(v->vm, vcpus_of(c), 64);
	__TEST_REQUIRE(v->gic_fd >= 0, "no GICv3");
	open_stats(v);
	make_cold(v);
}

/* Take a memslot away, and give it back. */
void apf_vm_set_memory(struct apf_vm *v, enum apf_slot slot, bool there)
{
	struct userspace_mem_region *r = memslot2region(v->vm, slot);

	vm_set_user_memory_region(v->vm, slot, r->region.flags, r->region.guest_phys_addr,
				  there ? r->region.memory_size : 0, r->host_mem);
}

/* The vCPU after a reset, its stack still the old one. */
void apf_vm_start_at(struct apf_vm *v, void (*code)(void))
{
	u64 sp;

	vcpu_get_reg(v->vcpu, ARM64_CORE_REG(sp_el1), &sp);
	aarch64_vcpu_setup(v->vcpu, NULL);
	vcpu_init_descriptor_tables(v->vcpu);
	vcpu_set_reg(v->vcpu, ARM64_CORE_REG(sp_el1), sp);
	vcpu_arch_set_entry_point(v->vcpu, code);
}

static void obey(struct apf_vm *v, enum apf_command cmd, u64 arg0, u64 arg1)
{
	switch (cmd) {
	case CMD_RELEASE:
		return pages_release(&v->pages, arg0);
	case CMD_RELEASE_ALL:
		return pages_release_all(&v->pages, arg0);
	case CMD_SERVE:
		return pages_policy(&v->pages, arg0, PAGE_SERVE, 0);
	case CMD_SERVE_AT:
		return pages_policy(&v->pages, arg0, PAGE_SERVE_AT, arg1);
	case CMD_FORGET:
		return pages_forget(&v->pages);
	case CMD_HOST:
		return v->c->host(v, arg0);
	}
}

/* The only exits that are no ucall: a full ring, and stores to a read-only memslot. */
static void take_exit(struct apf_vm *v)
{
	struct kvm_run *run = v->vcpu->run;

	if (run->exit_reason == KVM_EXIT_DIRTY_RING_FULL && v->c->ring_full)
		return v->c->ring_full(v);

	TEST_ASSERT_EQ(run->exit_reason, KVM_EXIT_MMIO);
	TEST_ASSERT(run->mmio.is_write, "read of %llx", run->mmio.phys_addr);
	TEST_ASSERT(run->mmio.phys_addr >= COLD_BASE, "write to %llx", run->mmio.phys_addr);
	v->mmio_writes++;
}

/* Until the guest is done, or cannot go on as was expected. */
void apf_vm_run(struct apf_vm *v)
{
	struct ucall uc;

	for (;;) {
		if (_vcpu_run(v->vcpu)) {
			TEST_ASSERT(v->c->run_errno == errno, "KVM_RUN: errno %d", errno);
			return;
		}
		switch (get_ucall(v->vcpu, &uc)) {
		case UCALL_SYNC:
			obey(v, uc.args[0], uc.args[1], uc.args[2]);
			break;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		case UCALL_DONE:
			TEST_ASSERT(!v->c->run_errno, "KVM_RUN has not failed");
			return;
		case UCALL_NONE:
			take_exit(v);
			break;
		default:
			TEST_FAIL("Unknown ucall %lu", uc.cmd);
		}
	}
}

/*
 * While pages are held: the VM must not wait for its threads. They end with the
 * userfaultfd.
 */
void apf_vm_destroy(struct apf_vm *v)
{
	close(v->stats_fd);
	close(v->gic_fd);
	kvm_vm_free(v->vm);
	TEST_ASSERT(uffd_threads || !v->pages.memory || !uffd_queue(v->pages.uffd).all,
		    "userfaults are left of a VM that is gone");
	pages_destroy(&v->pages);
	wait_for_threads();
}

void apf_vm_close_vcpus(struct apf_vm *v)
{
	int size = ioctl(v->vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
	unsigned int i;

	close(v->stats_fd);
	for (i = 0; i < vcpus_of(v->c); i++) {
		munmap(v->vcpus[i]->run, size);
		close(v->vcpus[i]->fd);
	}
}

void apf_vm_close(struct apf_vm *v)
{
	close(v->gic_fd);
	close(v->vm->fd);
}
