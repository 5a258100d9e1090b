/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file a page-cache callback works for.
 *
 * The kernel hands the mapping to the page-cache callbacks: the context of a
 * call knows it (file -> inode -> mapping, vma -> file -> mapping, writeback ->
 * mapping), whereas page->mapping cannot tell it for a page that stands for
 * several files.  Such a page is called protected.  Its page->mapping is tagged
 * and does not point to a struct address_space.
 */
#ifndef _LINUX_PAGE_MAPPING_H
#define _LINUX_PAGE_MAPPING_H

#include <linux/mm_types.h>
#include <linux/mmdebug.h>

/*
 * Value of the low bits of page->mapping of a protected page.  Test for
 * equality under the mask: the bit alone is also set in the words that some
 * other users keep in page->mapping.
 */
#define PAGE_MAPPING_XA		0x4UL
#define PAGE_MAPPING_XA_MASK	0x7UL

/*
 * Passed for a page that belongs to no file: an orphan, which truncation could
 * not strip of its buffers.  For try_to_free_buffers() only.
 */
#define MAPPING_ORPHAN	NULL

/* <linux/mm.h> declares it, too late for those who include this first. */
struct address_space *page_mapping(struct page *page);

/* Is it the tagged word of a protected page? */
static inline bool mapping_is_xa(struct address_space *own)
{
	return IS_ENABLED(CONFIG_PAGE_XA) &&
	       ((unsigned long)own & PAGE_MAPPING_XA_MASK) == PAGE_MAPPING_XA;
}

/**
 * fs_page_mapping - the mapping a page-cache callback works for
 * @mapping:	the mapping that was passed to the callback
 * @page:	the page that was passed with it
 *
 * For a filesystem callback that looks for the file of @page.  Only a
 * protected page needs what was passed down: it stands for several files, and
 * @mapping says for which one the callback was called.  For any other page
 * page->mapping stays canonical, even if @mapping is NULL or is another one.
 *
 * The owner of the address_space operations is what a caller passes.  This is
 * page->mapping for a page-cache page.  It is not for a page that is read from
 * a swap file: @mapping is the mapping of the swap file then, and the page
 * belongs to an anonymous mapping, or to none yet.  Such a callback uses
 * page_file_mapping() and not this function.
 *
 * With CONFIG_DEBUG_VM a page-cache page of another mapping than the one that
 * was passed is reported.  A page without mapping is not: it was truncated
 * after the callback unlocked it.
 *
 * Context: @page is locked, or the caller holds another lock that keeps
 *	    page->mapping stable.
 * Return: the mapping, NULL if @page was truncated.
 */
static inline struct address_space *
fs_page_mapping(struct address_space *mapping, struct page *page)
{
	struct address_space *own = page->mapping;

	if (mapping_is_xa(own))
		return mapping;

	/* Low bits set: no page-cache page. */
	VM_WARN_ONCE(own && own != mapping &&
		     !((unsigned long)own & PAGE_MAPPING_XA_MASK),
		     "page of %p where the callback got %p\n", own, mapping);
	return own;
}

/**
 * mm_page_mapping - the mapping whose page cache a page is in
 * @passed:	the mapping that was passed with the page
 * @page:	the page, or a part of a compound one
 *
 * The flavour of fs_page_mapping() for the generic functions that keep the page
 * cache in order, as __set_page_dirty_nobuffers() does.  These meet pages of
 * the swap cache, tails of compound pages and anonymous pages as well:
 * page_mapping() tells, for all but a protected page.
 *
 * Context: any.  Unless @page is locked the result may change.
 * Return: the mapping, NULL if @page is in no page cache.
 */
static inline struct address_space *
mm_page_mapping(struct address_space *passed, struct page *page)
{
	return mapping_is_xa(page->mapping) ? passed : page_mapping(page);
}

/**
 * fs_page_io_mapping - the mapping of a page whose I/O has ended
 * @page:	the page
 *
 * For completion handlers of bios and buffer heads.  There is no way to pass
 * them the mapping.  They need none: a page under I/O is locked, for reads, or
 * under writeback.  Nobody protects such a page for sharing, so page->mapping
 * is the only file it belongs to.
 *
 * Context: any, interrupts included.
 * Return: the mapping, NULL if @page was truncated.
 */
static inline struct address_space *fs_page_io_mapping(struct page *page)
{
	VM_BUG_ON_PAGE(mapping_is_xa(page->mapping), page);
	return page->mapping;
}

#endif /* _LINUX_PAGE_MAPPING_H */
