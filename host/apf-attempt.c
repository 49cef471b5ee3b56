// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: the attempt to get a page without waiting. It tells
 * whether the page is there; if it is not, whether it can come; and, in memory with a
 * userfaultfd, it asks for the page already.
 */

#include <linux/hugetlb_inline.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include <asm/kvm_emulate.h>

#include "apf.h"
#include "apf-work.h"

/* What a fault asks for. @hva is in current->mm. */
struct apf_request {
	const struct kvm_memory_slot	*slot;
	gfn_t				gfn;
	unsigned long			hva;
	bool				write;
};

static kvm_pfn_t apf_get_pfn(const struct apf_request *req, bool atomic,
			     bool *would_block, bool *writable)
{
	return __gfn_to_pfn_memslot(req->slot, req->gfn, atomic, false, would_block,
				    req->write, writable, NULL);
}

static kvm_pfn_t apf_wait_for_pfn(const struct apf_request *req, bool *writable)
{
	return apf_get_pfn(req, false, NULL, writable);
}

/* Does the page cache lack the page, so that it has to be read? */
static bool apf_has_to_be_read(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_entry(mapping, index);
	bool ret;

	/* Shared memory: it was never there, and is zeroed; or its entry is that of swap. */
	if (!folio || xa_is_value(folio))
		return folio || !shmem_mapping(mapping);

	ret = !folio_test_uptodate(folio);
	folio_put(folio);

	return ret;
}

/*
 * In this memory, faults may wait in spite of FAULT_FLAG_RETRY_NOWAIT:
 * shmem_swapin_folio() locks the folio that it reads, and filemap_fault() reads a page
 * itself if no read-ahead does.
 */
static bool apf_may_read_in_place(const struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	return file && !is_vm_hugetlb_page(vma) &&
	       (shmem_mapping(file->f_mapping) || vma->vm_flags & VM_RAND_READ ||
		!file->f_ra.ra_pages);
}

/**
 * kvm_apf_see_vma - what the attempt has to know of the memory that is missing
 * @vcpu:	the vCPU, in its fault handler
 * @vma:	of the page, with the mmap lock held
 */
void kvm_apf_see_vma(struct kvm_vcpu *vcpu, const struct vm_area_struct *vma)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;

	if (apf)
		apf->reads_in_place = apf_may_read_in_place(vma);
}

/* Would the attempt wait? The VMA may be another by now: then it may, as without APF. */
static bool apf_attempt_would_wait(unsigned long hva)
{
	struct vm_area_struct *vma;
	bool ret = false;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, hva);
	if (vma && apf_may_read_in_place(vma))
		ret = apf_has_to_be_read(vma->vm_file->f_mapping,
					 linear_page_index(vma, hva));
	mmap_read_unlock(current->mm);

	return ret;
}

/*
 * Ask for the page, without waiting. Return: whether waiting would bring it. Then, in
 * memory with a userfaultfd, the work is posted. get_user_pages() returns 0 if it would,
 * and an error if nothing would; hva_to_pfn() does not tell the two apart.
 */
static bool apf_attempt(struct apf_work *work, const struct apf_request *req)
{
	long got;

	if (work)
		apf_uffd_begin(work);
	got = get_user_pages_unlocked(req->hva, 1, NULL,
				      apf_gup_flags(req->write) | FOLL_NOWAIT);
	apf_uffd_finish();

	return !got;
}

/*
 * Try to get a page for which there is no token, and prepare a token's work.
 * Return: the page or an error; or KVM_PFN_APF_PENDING if it has to be waited for.
 */
static kvm_pfn_t apf_try_new(struct kvm_vcpu *vcpu, const struct apf_request *req,
			     bool *writable)
{
	struct apf_work *work = apf_work_prepare(vcpu, req->gfn, req->hva, req->write);

	if (work && vcpu->arch.apf->reads_in_place && apf_attempt_would_wait(req->hva))
		return KVM_PFN_APF_PENDING;
	if (apf_attempt(work, req))
		return KVM_PFN_APF_PENDING;

	/* It is there now, or cannot be had. */
	return apf_wait_for_pfn(req, writable);
}

/* Try to get a page that the vCPU can do nothing about but wait, or that has a token. */
static kvm_pfn_t apf_try_again(const struct apf_request *req, bool *writable)
{
	bool would_block = false;
	kvm_pfn_t pfn = apf_get_pfn(req, false, &would_block, writable);

	return would_block ? KVM_PFN_APF_PENDING : pfn;
}

/*
 * For apf_map(). If the page is gone again, or has gone bad: the guest is somewhere else
 * now and may never touch the page; if it does, that access reports the error.
 */
static kvm_pfn_t apf_try_mapping(const struct apf_request *req, bool *writable)
{
	kvm_pfn_t pfn = apf_try_again(req, writable);

	return is_error_noslot_pfn(pfn) ? KVM_PFN_APF_PENDING : pfn;
}

/* The page is not there at once. */
static kvm_pfn_t apf_get_slow(struct kvm_vcpu *vcpu, const struct apf_request *req,
			      bool *writable)
{
	bool masked = *vcpu_cpsr(vcpu) & PSR_I_BIT;
	int token = apf_find_token(vcpu, req->gfn, req->hva);
	kvm_pfn_t pfn;

	/* The vCPU cannot take an interrupt, so a pending one would make halts spin. */
	if (token >= 0 || masked)
		pfn = apf_try_again(req, writable);
	else
		pfn = apf_try_new(vcpu, req, writable);

	if (pfn != KVM_PFN_APF_PENDING) {
		apf_work_unprepare(vcpu);
		return pfn;
	}

	if (masked)
		vcpu->stat.apf_sync_masked++;
	else if (apf_fault(vcpu, req->gfn, token))
		return KVM_PFN_APF_PENDING;

	/* The sum of all apf_sync_*. */
	vcpu->stat.apf_sync++;
	apf_work_unprepare(vcpu);

	return apf_wait_for_pfn(req, writable);
}

/**
 * kvm_apf_faultin_pfn - get the page of a stage-2 fault, or have it fetched
 * @vcpu:	the vCPU that faulted
 * @slot:	memslot of @gfn; not device memory
 * @gfn:	the page
 * @nested:	the fault was taken on behalf of a nested guest
 * @write_fault: the access was a write
 * @writable:	set to whether the page may be mapped for writing
 *
 * Return: as __gfn_to_pfn_memslot(); or KVM_PFN_APF_PENDING if the page is under way,
 * and the fault handler has to go back to the run loop.
 */
kvm_pfn_t kvm_apf_faultin_pfn(struct kvm_vcpu *vcpu,
			      const struct kvm_memory_slot *slot, gfn_t gfn,
			      bool nested, bool write_fault, bool *writable)
{
	struct kvm_vcpu_apf *apf = vcpu->arch.apf;
	const struct apf_request req = {
		.slot	= slot,
		.gfn	= gfn,
		.hva	= __gfn_to_hva_memslot(slot, gfn),
		.write	= write_fault,
	};
	kvm_pfn_t pfn;

	lockdep_assert_held(&vcpu->mutex);
	lockdep_assert(srcu_read_lock_held(&vcpu->kvm->srcu));

	if (apf && apf->mapping)
		return apf_try_mapping(&req, writable);

	vcpu->stat.stage2_aborts++;
	if (!apf || nested || kvm_slot_can_be_private(slot))
		return apf_wait_for_pfn(&req, writable);

	pfn = apf_get_pfn(&req, true, NULL, writable);
	if (!is_error_noslot_pfn(pfn))
		return pfn;

	return apf_get_slow(vcpu, &req, writable);
}
