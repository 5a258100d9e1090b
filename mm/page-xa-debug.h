/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_PAGE_XA_DEBUG_H
#define _MM_PAGE_XA_DEBUG_H

#include <linux/page-xa.h>

#ifdef CONFIG_DEBUG_PXA

void pxa_debug_prepare(struct pxa *pxa);
void pxa_debug_protect(struct page *page, struct address_space *mapping,
		       pgoff_t index);
void pxa_debug_release(struct page *page, struct pxa *pxa);
void pxa_debug_migrated(struct page *page);
unsigned int pxa_debug_page(struct page *page, struct address_space *mapping,
			    pgoff_t index);
unsigned int pxa_debug_left(struct page *page, struct address_space *mapping,
			    pgoff_t index);
bool pxa_debug_enter(struct page *page);
void pxa_debug_leave(bool entered);

unsigned int pxa_check(struct page *page);
unsigned long pxa_check_all(void);
unsigned long pxa_debug_problems(void);
void pxa_debug_expect(bool expect);

#else

static inline void pxa_debug_prepare(struct pxa *pxa)
{
}

static inline void pxa_debug_protect(struct page *page,
				     struct address_space *mapping,
				     pgoff_t index)
{
}

static inline void pxa_debug_release(struct page *page, struct pxa *pxa)
{
}

static inline void pxa_debug_migrated(struct page *page)
{
}

static inline unsigned int pxa_debug_page(struct page *page,
					  struct address_space *mapping,
					  pgoff_t index)
{
	return 0;
}

static inline unsigned int pxa_debug_left(struct page *page,
					  struct address_space *mapping,
					  pgoff_t index)
{
	return 0;
}

static inline bool pxa_debug_enter(struct page *page)
{
	return false;
}

static inline void pxa_debug_leave(bool entered)
{
}

static inline unsigned long pxa_debug_problems(void)
{
	return 0;
}

static inline void pxa_debug_expect(bool expect)
{
}

#endif /* CONFIG_DEBUG_PXA */

#endif /* _MM_PAGE_XA_DEBUG_H */
