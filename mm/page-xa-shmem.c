// SPDX-License-Identifier: GPL-2.0
/*
 * Protected pages of shmem
 *
 * Other than a page of a disk, one of shmem is the only copy of its content
 * while it is in the page cache.  So no slot is emptied for lack of memory: who
 * has to have an ordinary page waits for memory, with the page unlocked, or gets
 * an error.
 */

#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-xa.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>

#include "page-xa-shmem.h"

static bool pxa_shmem_reads(enum sgp_type sgp, struct vm_fault *vmf)
{
	if (vmf)
		return !(vmf->flags & FAULT_FLAG_WRITE) ||
		       !(vmf->vma->vm_flags & VM_SHARED);
	return sgp == SGP_READ;
}

/**
 * pxa_shmem_get - shmem_getpage_gfp() has found a protected page
 * @pagep: that page, locked and with a reference; NULL on error
 * @mapping: the file's mapping
 * @index: offset in @mapping, in pages
 * @sgp: what for, as far as it is no fault
 * @vmf: the fault, or NULL
 *
 * Return: 0: it is to be read, and only that, as it is.  -EEXIST: the caller has
 * to look again, for an ordinary page.  -ENOMEM: there was no memory for one.
 * -EIO: the content was lost.
 */
int pxa_shmem_get(struct page **pagep, struct address_space *mapping,
		  pgoff_t index, enum sgp_type sgp, struct vm_fault *vmf)
{
	struct page *page = *pagep;

	if (pxa_shmem_reads(sgp, vmf))
		return 0;
	*pagep = NULL;
	unlock_page(page);
	switch (pxa_break_put(page, mapping, index)) {
	case -ENOMEM:
		return vmf && pxa_fault_again(vmf, mapping) ? -EEXIST : -ENOMEM;
	case -EHWPOISON:
		return -EIO;
	default:
		return -EEXIST;
	}
}

/* Is there a protected page at this moment? */
static bool pxa_shmem_shared(struct address_space *mapping, pgoff_t index)
{
	struct page *page = find_get_page(mapping, index);
	bool shared = page && PageXA(page);

	if (page)
		put_page(page);
	return shared;
}

/**
 * pxa_shmem_read - shmem_getpage() for a read
 * @inode: of shmem
 * @index: offset in the file, in pages
 * @pagep: the page, locked and with a reference; NULL if there is none
 * @sgp: SGP_CACHE, for splice and the kernel itself, or SGP_READ
 *
 * A protected page is not unshared to be read.
 *
 * Return: as shmem_getpage(); with SGP_CACHE there is a page if it is 0.
 */
int pxa_shmem_read(struct inode *inode, pgoff_t index, struct page **pagep,
		   enum sgp_type sgp)
{
	if (sgp == SGP_CACHE && pxa_shmem_shared(inode->i_mapping, index)) {
		int err = shmem_getpage(inode, index, pagep, SGP_READ);

		if (err || *pagep)
			return err;
		/* A hole was punched meanwhile. */
	}
	return shmem_getpage(inode, index, pagep, sgp);
}

/**
 * pxa_shmem_getpage - shmem_getpage() of a page whose ends are to be zeroed
 * @inode: of shmem
 * @index: offset in the file, in pages
 * @pagep: the page, locked and with a reference; NULL if there is none
 *
 * For truncation, which can't fail.  A group at its limit has its OOM killer, as for
 * a write; where that does not help, the copy is taken from the reserves, and charged.
 */
void pxa_shmem_getpage(struct inode *inode, pgoff_t index, struct page **pagep)
{
	struct address_space *mapping = inode->i_mapping;
	unsigned int failed = 0;
	bool insist = false;

	for (;;) {
		unsigned int flags = 0;
		struct page *page;
		int err;

		shmem_getpage(inode, index, pagep, SGP_READ);
		page = *pagep;
		if (!page || !PageXA(page))
			return;
		*pagep = NULL;
		if (insist)
			flags = memalloc_noreclaim_save();
		err = pxa_break_alias(page, mapping, index);
		if (insist)
			memalloc_noreclaim_restore(flags);
		unlock_page(page);
		put_page(page);
		if (err == -ENOMEM)
			insist = pxa_make_room(mapping_gfp_mask(mapping)) ||
				 ++failed >= PXA_TRIES;
		cond_resched();
	}
}
