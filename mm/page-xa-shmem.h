/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/shmem.c does with protected pages, see mm/page-xa-shmem.c. */
#ifndef _MM_PAGE_XA_SHMEM_H
#define _MM_PAGE_XA_SHMEM_H

#include <linux/page-xa.h>
#include <linux/shmem_fs.h>
#include <linux/xarray.h>

/**
 * pxa_shmem_found - is this a protected page?
 * @page: page cache entry, from find_lock_entry()
 *
 * Return: true if it is; then it is for pxa_shmem_get().
 */
static inline bool pxa_shmem_found(struct page *page)
{
	return IS_ENABLED(CONFIG_PAGE_XA) && page && !xa_is_value(page) &&
	       PageXA(page);
}

/**
 * pxa_shmem_truncate - take a protected page out of a slot that is truncated
 * @mapping: the mapping that is truncated
 * @index: the slot
 * @page: locked page found there
 *
 * Return: true if that was all to do.  Otherwise @page is ordinary, or the slot
 * has got another page or swap entry, as also happens without protected pages.
 */
static inline bool pxa_shmem_truncate(struct address_space *mapping,
				      pgoff_t index, struct page *page)
{
	return IS_ENABLED(CONFIG_PAGE_XA) && PageXA(page) &&
	       !pxa_drop_alias(page, mapping, index);
}

#ifdef CONFIG_PAGE_XA

int pxa_shmem_get(struct page **pagep, struct address_space *mapping,
		  pgoff_t index, enum sgp_type sgp, struct vm_fault *vmf);
int pxa_shmem_read(struct inode *inode, pgoff_t index, struct page **pagep,
		   enum sgp_type sgp);
void pxa_shmem_getpage(struct inode *inode, pgoff_t index,
		       struct page **pagep);

#else

static inline int pxa_shmem_read(struct inode *inode, pgoff_t index,
				 struct page **pagep, enum sgp_type sgp)
{
	return shmem_getpage(inode, index, pagep, sgp);
}

static inline int pxa_shmem_get(struct page **pagep,
				struct address_space *mapping, pgoff_t index,
				enum sgp_type sgp, struct vm_fault *vmf)
{
	return 0;
}

static inline void pxa_shmem_getpage(struct inode *inode, pgoff_t index,
				     struct page **pagep)
{
	shmem_getpage(inode, index, pagep, SGP_READ);
}

#endif /* CONFIG_PAGE_XA */

#endif /* _MM_PAGE_XA_SHMEM_H */
