// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
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
 * asked for page by page. A host kernel without huge pages refuses both pieces
 * of advice, rightly.
 */
static void advise(struct memory *mem)
{
	madvise(mem->host, mem->size, MADV_HUGEPAGE);
	if (mem->cold_size)
		madvise(mem->host + mem->size, mem->cold_size, MADV_NOHUGEPAGE);
}

static int add_slot(int vm_fd, const struct kvm_userspace_memory_region *slot)
{
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, slot) < 0)
		return say_errno("KVM_SET_USER_MEMORY_REGION");
	return 0;
}

/* Read-only in the host too: who asks for a page to write to it gets none. */
static int add_cold_ro(const struct memory *mem, int vm_fd)
{
	const struct kvm_userspace_memory_region slot = {
		.slot = 1,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = memory_cold_ipa(mem),
		.memory_size = mem->cold_size,
		.userspace_addr = (uintptr_t)mem->host + mem->size,
	};

	if (mprotect(mem->host + mem->size, mem->cold_size, PROT_READ))
		return say_errno("cannot protect the cold memory");
	return add_slot(vm_fd, &slot);
}

static int add_slots(const struct memory *mem, int vm_fd)
{
	const struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = MEMORY_BASE,
		.memory_size = mem->size + (mem->cold_ro ? 0 : mem->cold_size),
		.userspace_addr = (uintptr_t)mem->host,
	};

	if (add_slot(vm_fd, &slot))
		return -1;
	return mem->cold_ro ? add_cold_ro(mem, vm_fd) : 0;
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

int memory_create(struct memory *mem, int vm_fd, uint64_t size,
		  uint64_t cold_size, bool cold_ro, const char *cold_file)
{
	mem->size = size;
	mem->cold_size = cold_size;
	mem->cold_ro = cold_ro;
	mem->host = map_aligned(size + cold_size);
	if (!mem->host)
		return say_errno("cannot map %" PRIu64 " MiB of guest memory",
				 (size + cold_size) / MIB);
	advise(mem);
	if ((cold_file && map_cold_file(mem, cold_file)) || add_slots(mem, vm_fd)) {
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

void *memory_at(const struct memory *mem, uint64_t ipa, uint64_t size)
{
	uint64_t offset = ipa - MEMORY_BASE;

	if (ipa < MEMORY_BASE || offset > mem->size || size > mem->size - offset)
		return NULL;
	return mem->host + offset;
}
