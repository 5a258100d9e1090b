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
 * Passed where a caller does not have the mapping at hand yet.  It exists only
 * between the pass that adds the argument to a callback and the pass that
 * gives each call site the real mapping.
 */
#define MAPPING_NULL NULL

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

	if (IS_ENABLED(CONFIG_PAGE_XA) &&
	    ((unsigned long)own & PAGE_MAPPING_XA_MASK) == PAGE_MAPPING_XA)
		return mapping;

	/* Low bits set: no page-cache page. */
	VM_WARN_ONCE(own && mapping && own != mapping &&
		     !((unsigned long)own & PAGE_MAPPING_XA_MASK),
		     "page of %p where the callback got %p\n", own, mapping);
	return own;
}

#endif /* _LINUX_PAGE_MAPPING_H */
