/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PAGE_XA_H
#define _LINUX_PAGE_XA_H

#include <linux/fs.h>
#include <linux/migrate_mode.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page-xa-debug.h>
#include <linux/page-mapping.h>
#include <linux/pagemap.h>

/*
 * Page exclusive access (PXA): an owner holds the only right to write to a
 * page and may lose it at any time.  page->mapping of a protected page carries
 * a struct pxa tagged with PAGE_MAPPING_XA; the (mapping, index) pairs that the
 * page stands for are its aliases.  See Documentation/vm/page-xa.rst.
 */

/*
 * Bits of page->mapping that tell that it is no mapping of a file.  Without
 * protected pages bit 2 may belong to a pointer that is aligned to 4 bytes.
 */
#define PAGE_MAPPING_NO_FILE	\
	(PAGE_MAPPING_ANON | (IS_ENABLED(CONFIG_PAGE_XA) ? PAGE_MAPPING_XA : 0))

struct mem_cgroup;
struct pxa;
struct rmap_walk_control;
struct vm_area_struct;
struct vm_fault;

/**
 * struct pxa_ops - what the owner of a protected page provides
 * @break_alias: take one alias out of the protection, so that an ordinary page
 *	(or none) is in its page cache slot afterwards. Called with the page
 *	locked and the alias found; may sleep, must not take another page's
 *	lock except that of a page nobody else knows. Returns 0, or -ENOMEM or
 *	-EHWPOISON if the alias was dropped instead; with -ENOMEM it stays if
 *	the page has PG_swapbacked. An owner of clean pages uses
 *	pxa_copy_break(); one whose page is dirty or carries private data has
 *	to hand over the page itself, and must not rely on dropping it.
 * @release: the last alias is gone, @pxa is no longer reachable from the page.
 *	Called with the page locked; may sleep. The memory of @pxa must stay
 *	valid for an RCU grace period.
 * @immutable: the content stays the same while the page is protected and the
 *	page is never dirty, so that CONFIG_DEBUG_PXA may check this
 */
struct pxa_ops {
	int (*break_alias)(struct pxa *pxa, struct page *page,
			   struct address_space *mapping, pgoff_t index,
			   gfp_t gfp);
	void (*release)(struct pxa *pxa);
	bool immutable;
};

/**
 * struct pxa - one protected page, embedded in its owner's own structure
 * @aliases: list of &struct pxa_alias; protected by the page lock
 * @pfn: the page
 * @nr: number of aliases; written under the page lock
 * @ops: the owner's operations
 * @debug: for CONFIG_DEBUG_PXA
 *
 * page->mapping holds a tagged pointer to it, so it must be aligned to 8 bytes.
 */
struct pxa {
	struct hlist_head	aliases;
	unsigned long		pfn;
	unsigned int		nr;
	const struct pxa_ops	*ops;
	struct pxa_debug	debug;
} __aligned(8);

/**
 * struct pxa_alias - one page cache slot that holds a protected page
 * @node: entry of &pxa.aliases
 * @mapping: the file's mapping
 * @index: page offset in @mapping
 *
 * A slot holds the page if and only if its alias is listed, as far as anyone
 * who holds the page lock can see. The page lock therefore also pins @mapping:
 * inode eviction has to take it to empty the slot.
 */
struct pxa_alias {
	struct hlist_node	node;
	struct address_space	*mapping;
	pgoff_t			index;
};

/**
 * PageXA - is this page protected?
 * @page: any page
 *
 * An equality test on all three tag bits: other users of the mapping word have
 * bit 2 set together with bit 0, and tail pages store plain numbers there.
 *
 * Context: any. Only stable while the page is locked, or frozen; a reference
 * that was taken before the page was protected prevents it from being so.
 * Return: true if it is.
 */
static __always_inline bool PageXA(struct page *page)
{
	if (!IS_ENABLED(CONFIG_PAGE_XA))
		return false;
	page = compound_head(page);
	return ((unsigned long)READ_ONCE(page->mapping) &
		PAGE_MAPPING_XA_MASK) == PAGE_MAPPING_XA;
}

/*
 * page->index of a protected page.  Huge, so that a walk that wrongly goes on
 * from there ends instead of starting over.
 */
#define PXA_INDEX	((pgoff_t)(~0UL >> 1))

/* How often a break that must not fail is tried once there is memory for it. */
#define PXA_TRIES	16

/**
 * page_was_xa - was this page a protected one, until its last slot has lost it?
 * @page: a page with a reference
 *
 * Who has taken it from a page table must not conclude that it was truncated:
 * what the slot has now is somewhere else.
 *
 * Context: any.
 * Return: true if it was, and belongs to no file.
 */
static __always_inline bool page_was_xa(struct page *page)
{
	return IS_ENABLED(CONFIG_PAGE_XA) && !READ_ONCE(page->mapping) &&
	       page->index == PXA_INDEX;
}

/**
 * page_pxa - the struct pxa of a protected page
 * @page: a locked page for which PageXA() is true
 *
 * Return: the structure of its owner.
 */
static inline struct pxa *page_pxa(struct page *page)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	VM_BUG_ON_PAGE(!PageXA(page), page);
	return (struct pxa *)((unsigned long)page->mapping &
			      ~PAGE_MAPPING_XA_MASK);
}

#ifdef CONFIG_MMU

/**
 * pxa_wrprotect - what a pte of this page may look like
 * @pte: as the area wants it
 * @page: locked page, or one that can't become protected now
 *
 * Areas of shmem have writable ptes without asking for it by a fault.
 *
 * Return: @pte, but read-only if @page is protected.
 */
static inline pte_t pxa_wrprotect(pte_t pte, struct page *page)
{
	return pte_write(pte) && PageXA(page) ? pte_wrprotect(pte) : pte;
}

/**
 * pxa_change_pte - the same for a change of an area's permissions
 * @vma: the area
 * @addr: address of the page
 * @pte: as the area wants it; the lock of the page table is held
 *
 * Return: @pte, but read-only if it maps a protected page.
 */
static inline pte_t pxa_change_pte(struct vm_area_struct *vma,
				   unsigned long addr, pte_t pte)
{
	struct page *page = NULL;

	if (IS_ENABLED(CONFIG_PAGE_XA) && pte_write(pte) &&
	    (vma->vm_flags & VM_SHARED))
		page = vm_normal_page(vma, addr, pte);
	return page ? pxa_wrprotect(pte, page) : pte;
}

#endif /* CONFIG_MMU */

/**
 * pxa_unswappable - has this page to stay in memory?
 * @page: locked page
 *
 * Swap has one owner for each slot of shmem, and a shared page many.
 *
 * Return: true if reclaim need not try.
 */
static inline bool pxa_unswappable(struct page *page)
{
	return PageXA(page) && PageSwapBacked(page) && page_pxa(page)->nr > 1;
}

#ifdef CONFIG_PAGE_XA

bool mapping_pxa_allowed(struct address_space *mapping);
bool pxa_page_allowed(struct page *page);
struct pxa_alias *pxa_find_alias(struct page *page,
				 struct address_space *mapping, pgoff_t index);
struct pxa_alias *pxa_alias_alloc(gfp_t gfp);
void pxa_alias_free(struct pxa_alias *alias);
int pxa_refuse(enum vm_event_item reason);
int pxa_protect(struct page *page, struct address_space *mapping,
		pgoff_t index, int refs, struct pxa *pxa,
		struct pxa_alias *alias);
int pxa_merge(struct page *old, struct address_space *mapping, pgoff_t index,
	      int refs, struct page *page, struct pxa_alias *alias);
int pxa_copy_break(struct pxa *pxa, struct page *page,
		   struct address_space *mapping, pgoff_t index, gfp_t gfp);
int pxa_break_alias(struct page *page, struct address_space *mapping,
		    pgoff_t index);
int pxa_make_room(gfp_t gfp);
bool pxa_fault_again(struct vm_fault *vmf, struct address_space *mapping);
int pxa_break_put(struct page *page, struct address_space *mapping,
		  pgoff_t index);
int pxa_drop_alias(struct page *page, struct address_space *mapping,
		   pgoff_t index);
int pxa_dissolve(struct page *page, int refs);
int pxa_break_range(struct address_space *mapping, pgoff_t start,
		    pgoff_t end);
unsigned long pxa_node_state(enum node_stat_item item);
unsigned long pxa_event(enum vm_event_item item);
bool __pxa_stat_hidden(const struct file *file);
void pxa_hide_events(unsigned long *events, const struct file *file);

/**
 * pxa_stat_hidden - is this gauge nothing for who reads it?
 * @item: any
 * @file: file of procfs that is read, or NULL for current
 *
 * Return: true if it tells about protected pages, and the reader is not the
 * administrator.
 */
static inline bool pxa_stat_hidden(enum node_stat_item item,
				   const struct file *file)
{
	return (item == NR_PXA_SHARED || item == NR_PXA_SHARING) &&
	       __pxa_stat_hidden(file);
}

bool __pxa_cache_match(struct page *page, struct address_space *mapping,
		       pgoff_t index);
bool __pxa_break_lookup(struct page *page, struct address_space *mapping,
			pgoff_t index, int fgp_flags);
bool __pxa_filemap_fault(struct vm_fault *vmf, struct page *page);
vm_fault_t pxa_wp_fault(struct vm_fault *vmf);
void __pxa_truncate(struct address_space *mapping, pgoff_t index,
		    struct page *page);
bool __pxa_invalidate(struct address_space *mapping, pgoff_t index,
		      struct page *page);
int __pxa_invalidate2(struct address_space *mapping, pgoff_t index,
		      struct page *page);
bool pxa_reclaim(struct page *page, struct mem_cgroup *target_memcg);
void __pxa_evict(struct page *page);
int pxa_migrate_page(struct page *new, struct page *page,
		     enum migrate_mode mode);
void rmap_walk_pxa(struct page *page, struct rmap_walk_control *rwc);
int pxa_unpin(struct vm_area_struct *vma, unsigned long addr,
	      struct page *page);
int __pxa_break_user(unsigned long addr, struct page *page);
struct page *pxa_read_private_page(struct address_space *mapping,
				   pgoff_t index, struct file *file);

#else

static inline bool pxa_stat_hidden(enum node_stat_item item,
				   const struct file *file)
{
	return false;
}

static inline void pxa_hide_events(unsigned long *events,
				   const struct file *file)
{
}

static inline bool __pxa_cache_match(struct page *page,
				     struct address_space *mapping,
				     pgoff_t index)
{
	return false;
}

static inline bool __pxa_break_lookup(struct page *page,
				      struct address_space *mapping,
				      pgoff_t index, int fgp_flags)
{
	return true;
}

static inline bool __pxa_filemap_fault(struct vm_fault *vmf, struct page *page)
{
	return false;
}

static inline vm_fault_t pxa_wp_fault(struct vm_fault *vmf)
{
	return 0;
}

static inline void __pxa_truncate(struct address_space *mapping, pgoff_t index,
				  struct page *page)
{
}

static inline bool __pxa_invalidate(struct address_space *mapping,
				    pgoff_t index, struct page *page)
{
	return false;
}

static inline int __pxa_invalidate2(struct address_space *mapping,
				    pgoff_t index, struct page *page)
{
	return 0;
}

static inline bool pxa_reclaim(struct page *page,
			       struct mem_cgroup *target_memcg)
{
	return false;
}

static inline void __pxa_evict(struct page *page)
{
}

static inline int pxa_migrate_page(struct page *new, struct page *page,
				   enum migrate_mode mode)
{
	return -EAGAIN;
}

static inline void rmap_walk_pxa(struct page *page,
				 struct rmap_walk_control *rwc)
{
}

static inline int pxa_unpin(struct vm_area_struct *vma, unsigned long addr,
			    struct page *page)
{
	return 0;
}

static inline int __pxa_break_user(unsigned long addr, struct page *page)
{
	return 0;
}

static inline struct page *pxa_read_private_page(struct address_space *mapping,
						 pgoff_t index,
						 struct file *file)
{
	return read_mapping_page(mapping, index, file);
}

#endif /* CONFIG_PAGE_XA */

/**
 * page_cache_match - does this locked page belong to (mapping, index)?
 * @page: locked page, found at @index of @mapping
 * @mapping: the mapping it was looked up in
 * @index: the index it was looked up at
 *
 * Like the test of page->mapping that detects truncation, but true for a
 * protected page too, for callers that only read.
 */
static inline bool page_cache_match(struct page *page,
				    struct address_space *mapping,
				    pgoff_t index)
{
	return likely(page->mapping == mapping) ||
	       (PageXA(page) && __pxa_cache_match(page, mapping, index));
}

/**
 * pxa_break_lookup - a locked lookup found a page of another mapping
 * @page: locked page with a reference, page->mapping is not @mapping
 * @mapping: where it was looked up
 * @index: where it was looked up
 * @fgp_flags: FGP_* flags of the lookup
 *
 * Breaks the sharing of this slot, so that repeating the lookup finds an
 * ordinary page or none. The page stays locked and referenced.
 *
 * Return: false if the caller must not repeat the lookup but give up, since
 * breaking may sleep and FGP_NOWAIT forbids it.
 */
static inline bool pxa_break_lookup(struct page *page,
				    struct address_space *mapping,
				    pgoff_t index, int fgp_flags)
{
	return !PageXA(page) ||
	       __pxa_break_lookup(page, mapping, index, fgp_flags);
}

/**
 * pxa_filemap_fault - may this fault map a page of another mapping?
 * @vmf: the fault; vmf->pgoff is the index in the file of vmf->vma
 * @page: locked page found there, page->mapping is not that of the file
 *
 * Return: true if it is a protected page, shared with this slot, and the fault
 * only reads. Otherwise the lookup has to be repeated; for a write fault of a
 * shared mapping the sharing has been broken.
 */
static inline bool pxa_filemap_fault(struct vm_fault *vmf, struct page *page)
{
	return PageXA(page) && __pxa_filemap_fault(vmf, page);
}

/**
 * pxa_foreign - was this page found in a slot that it may not belong to?
 * @mapping: the mapping it was looked up in
 * @page: locked page found there
 *
 * True for a protected page, which never has @mapping in page->mapping, and
 * for what was one when it was looked up: its page->index tells nothing.
 */
static inline bool pxa_foreign(struct address_space *mapping,
			       struct page *page)
{
	return IS_ENABLED(CONFIG_PAGE_XA) &&
	       unlikely(page->mapping != mapping) && !PageCompound(page);
}

/**
 * pxa_truncate - remove a protected page from one slot
 * @mapping: the mapping that is truncated
 * @index: the slot
 * @page: locked page found there
 *
 * Return: true if the slot does not hold @page, or not any more, so that the
 * caller has nothing left to do with @page. Another page may be there.
 */
static inline bool pxa_truncate(struct address_space *mapping, pgoff_t index,
				struct page *page)
{
	if (!pxa_foreign(mapping, page))
		return false;
	__pxa_truncate(mapping, index, page);
	return true;
}

/**
 * pxa_invalidate - drop a protected page from one slot unless it is mapped
 * @mapping: the mapping that is invalidated
 * @index: the slot
 * @page: locked page found there
 * @count: incremented if the slot was emptied
 *
 * Return: true if the caller has nothing left to do with @page.
 */
static inline bool pxa_invalidate(struct address_space *mapping, pgoff_t index,
				  struct page *page, unsigned long *count)
{
	if (!pxa_foreign(mapping, page))
		return false;
	*count += __pxa_invalidate(mapping, index, page);
	return true;
}

/**
 * pxa_invalidate2 - empty a slot in which a protected page was found
 * @mapping: the mapping that is invalidated
 * @index: the slot
 * @page: page found there, locked; unlocked on return if the result is true
 * @error: set to a negative errno if the slot could not be emptied
 *
 * Also when the sharing was broken since the lookup: then the slot has a copy
 * of @page, which is as outdated.
 *
 * Return: true if the caller has nothing left to do with @page.
 */
static inline bool pxa_invalidate2(struct address_space *mapping,
				   pgoff_t index, struct page *page,
				   int *error)
{
	int err;

	if (!pxa_foreign(mapping, page))
		return false;
	err = __pxa_invalidate2(mapping, index, page);
	if (err)
		*error = err;
	return true;
}

/**
 * pxa_evict - take a page with a hardware error away from everybody
 * @page: locked page
 *
 * A protected page is in no slot and no pte any more.
 *
 * Return: true if it was protected and each file reads its content again from
 * disk; false also if it was protected and had no other copy.
 */
static inline bool pxa_evict(struct page *page)
{
	if (!PageXA(page))
		return false;
	__pxa_evict(page);
	return !PageSwapBacked(page);
}

/**
 * pxa_pin_unshares - does pinning this page require that it is unshared?
 * @vma: the area that maps it, or NULL if it is not known
 * @page: a mapped page
 * @flags: FOLL_* flags
 *
 * The holder of a long-lived or DMA pin expects to see later writes through
 * the same mapping, which a shared page never shows. What a socket has received
 * is not written to.
 *
 * Return: true if it has to be unshared by pxa_unpin() first.
 */
static inline bool pxa_pin_unshares(struct vm_area_struct *vma,
				    struct page *page, unsigned int flags)
{
	return (flags & (FOLL_PIN | FOLL_LONGTERM)) &&
	       (PageXA(page) || page_was_xa(page)) &&
	       !(vma && (vma->vm_flags & VM_MIXEDMAP));
}

/**
 * pxa_break_user - give current an unshared page at a user address
 * @addr: user address in current->mm
 * @page: page found there, with a reference
 *
 * Return: 0 if @page is not protected, and was not a moment ago.  Else the reference
 * is gone, and -EAGAIN: the sharing is broken and the caller has to look the page up
 * again; -ENOMEM; -EFAULT if this is no place of the page in its file, or the content
 * was lost.
 */
static inline int pxa_break_user(unsigned long addr, struct page *page)
{
	if (likely(!PageXA(page) && !page_was_xa(page)))
		return 0;
	return __pxa_break_user(addr, page);
}

#endif /* _LINUX_PAGE_XA_H */
