/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PAGE_XA_DEBUG_H
#define _LINUX_PAGE_XA_DEBUG_H

#include <linux/types.h>

/* What CONFIG_DEBUG_PXA adds to other structures, and to the use of pages. */

struct page;

#ifdef CONFIG_DEBUG_PXA

/**
 * struct pxa_debug - what is known of a protected page to check it by
 * @hash: of the content; protected by the page lock
 * @list: in the list of all protected pages
 * @seqnr: the last check of all pages that came across it
 * @inserted: vm_insert_page() has mapped it, too, in an area of no file
 */
struct pxa_debug {
	u64			hash;
	struct list_head	list;
	unsigned long		seqnr;
	bool			inserted;
};

void pxa_debug_lock_page(struct page *page);
void pxa_debug_never(struct page *page, const char *what);
void pxa_debug_insert(struct page *page);

#else

struct pxa_debug { };

static inline void pxa_debug_lock_page(struct page *page)
{
}

static inline void pxa_debug_never(struct page *page, const char *what)
{
}

static inline void pxa_debug_insert(struct page *page)
{
}

#endif /* CONFIG_DEBUG_PXA */

#endif /* _LINUX_PAGE_XA_DEBUG_H */
