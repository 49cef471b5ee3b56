// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/memfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "state.h"
#include "util.h"

#define HUGE	(2 * MIB)

/*
 * KVM maps a 2 MiB page as such only if host address and IPA are congruent, so
 * the mapping is made larger than asked for and trimmed to an aligned start.
 */
static char *map_aligned(uint64_t size)
{
	char *raw, *start;

	raw = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	start = (char *)align_up((uintptr_t)raw, HUGE);
	if (start > raw)
		munmap(raw, start - raw);
	munmap(start + size, raw + HUGE - start);
	return start;
}

/*
 * Huge pages spare the boot thousands of stage-2 faults. The cold region is
 * asked for page by page, as is all memory of a VM that was restored. A host
 * kernel without huge pages refuses both pieces of advice, rightly.
 */
static void advise(struct memory *mem, const struct options *opt)
{
	madvise(mem->host, mem->size, opt->restore ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	if (opt->mergeable)
		madvise(mem->host, mem->size + mem->cold_size, MADV_MERGEABLE);
	if (mem->cold_size && opt->churn.how != CHURN_COLLAPSE)
		madvise(mem->host + mem->size, mem->cold_size, MADV_NOHUGEPAGE);
}

static int add_slot(int vm_fd, const struct kvm_userspace_memory_region *slot)
{
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, slot) < 0)
		return say_errno("KVM_SET_USER_MEMORY_REGION");
	return 0;
}

int memory_set_cold(const struct memory *mem, int vm_fd, uint64_t size, uint64_t ipa,
		    uint32_t flags)
{
	const struct kvm_userspace_memory_region slot = {
		.slot = MEMORY_COLD_SLOT,
		.flags = flags,
		.guest_phys_addr = ipa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem->host + mem->size,
	};

	return add_slot(vm_fd, &slot);
}

/* Read-only in the host too: who asks for a page to write to it gets none. */
static int add_cold(const struct memory *mem, int vm_fd, const struct options *opt)
{
	uint32_t flags = opt->dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0;

	if (opt->cold_ro && mprotect(mem->host + mem->size, mem->cold_size, PROT_READ))
		return say_errno("cannot protect the cold memory");
	if (opt->cold_ro)
		flags |= KVM_MEM_READONLY;
	return memory_set_cold(mem, vm_fd, mem->cold_size, memory_cold_ipa(mem), flags);
}

static int add_slots(const struct memory *mem, int vm_fd, const struct options *opt)
{
	const struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = MEMORY_BASE,
		.memory_size = mem->size + (mem->cold_slot ? 0 : mem->cold_size),
		.userspace_addr = (uintptr_t)mem->host,
	};

	if (add_slot(vm_fd, &slot))
		return -1;
	return mem->cold_slot ? add_cold(mem, vm_fd, opt) : 0;
}

/* In place of the anonymous memory that is there. */
static int map_cold_file(const struct memory *mem, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *cold;

	if (fd < 0)
		return say_errno("--cold-file %s", path);
	cold = mmap(mem->host + mem->size, mem->cold_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0);
	close(fd);
	return cold == MAP_FAILED ? say_errno("cannot map %s", path) : 0;
}

/* Page by page, as the file's pages come. What the guest writes stays its own. */
static int map_saved(const struct memory *mem, const struct state *from)
{
	void *all = mmap(mem->host, mem->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, from->fd, from->header.memory);

	return all == MAP_FAILED ? say_errno("cannot map %s", from->name) : 0;
}

/* In place of the anonymous memory, too. */
static int map_shared(char *at, uint64_t size, enum backing backing, const char *option)
{
	unsigned int flags = backing == BACKING_HUGETLB ? MFD_HUGETLB | MFD_HUGE_2MB : 0;
	int fd = memfd_create("guest", MFD_CLOEXEC | flags);
	void *there;

	if (fd < 0 || ftruncate(fd, size)) {
		if (fd >= 0)
			close(fd);
		return say_errno("%s", option);
	}
	there = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
		     fd, 0);
	close(fd);
	return there == MAP_FAILED ? say_errno("%s: cannot map memory", option) : 0;
}

static int map_files(const struct memory *mem, const struct options *opt)
{
	if (opt->mapped)
		return map_saved(mem, opt->restore);
	if (opt->cold_file)
		return map_cold_file(mem, opt->cold_file);
	if (opt->huge)
		return map_shared(mem->host, mem->size, BACKING_HUGETLB, "--huge");
	if (opt->backing)
		return map_shared(mem->host + mem->size, mem->cold_size, opt->backing,
				  "--cold-backing");
	return 0;
}

/* What is missing then is what was paged out. */
static int populate(const struct memory *mem, const struct options *opt)
{
	if (opt->pageout && madvise(mem->host, mem->size, MADV_POPULATE_WRITE))
		return say_errno("--pageout: no memory, or a kernel before 5.14");
	return 0;
}

int memory_create(struct memory *mem, int vm_fd, const struct options *opt)
{
	mem->size = opt->mem_mib * MIB;
	mem->cold_size = opt->cold_mib * MIB;
	mem->cold_page = options_cold_page(opt);
	mem->cold_slot = opt->cold_ro || opt->churn.how || opt->dirty_log;
	mem->host = map_aligned(mem->size + mem->cold_size);
	if (!mem->host)
		return say_errno("cannot map %" PRIu64 " MiB of guest memory",
				 (mem->size + mem->cold_size) / MIB);
	advise(mem, opt);
	if (map_files(mem, opt) || populate(mem, opt) || add_slots(mem, vm_fd, opt)) {
		memory_destroy(mem);
		return -1;
	}
	return 0;
}

void memory_destroy(struct memory *mem)
{
	if (mem->host)
		munmap(mem->host, mem->size + mem->cold_size);
	mem->host = NULL;
}
