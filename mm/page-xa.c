// SPDX-License-Identifier: GPL-2.0
/*
 * Page exclusive access (PXA): protected pages in the page cache
 *
 * A protected page stands for any number of page cache slots, its aliases.
 * Nobody writes to it: its content is uptodate, clean and does not change until
 * the last reference is gone.  Three rules carry everything else:
 *
 * - The page lock protects the list of aliases and, for those who hold it, ties
 *   it to the slots: a slot holds the page if and only if its alias is listed.
 * - A pte or migration entry that refers to the page implies an alias for the
 *   file and offset of that pte, and the pte is read-only and clean.
 * - The page turns ordinary in place only while nobody else can hold a
 *   reference, since a reader of a former alias must never see a later write.
 *
 * Where the content is also on disk, emptying a slot is a legal way out if a copy
 * can't be had.  A page with PG_swapbacked, of shmem, has no other copy: only
 * truncation and hardware errors empty its slots, breaking may fail, and reclaim
 * leaves it alone while it is shared.  It is clean as all protected pages are; a
 * page that takes its place is dirty.
 *
 * Lock order: mmap_lock, lock of the protected page, lock of the page that is
 * merged into it (trylock), i_mmap_rwsem, pte lock, i_pages lock; the last
 * three one file at a time.  Nobody waits for the lock of another page while a
 * protected page is locked, since files share it in no order.
 */

#include <linux/backing-dev.h>
#include <linux/cpu.h>
#include <linux/cred.h>
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/page-xa.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/user_namespace.h>
#include <linux/vmstat.h>

#include "internal.h"
#include "page-xa-debug.h"

#define CREATE_TRACE_POINTS
#include <trace/events/pxa.h>

/* The state that a page must be free of to be shared, beyond being clean. */
#define PXA_REFUSED_FLAGS						\
	(1UL << PG_error | 1UL << PG_reserved | 1UL << PG_private_2 |	\
	 1UL << PG_owner_priv_1)

static struct kmem_cache *pxa_alias_cache __ro_after_init;

/**
 * pxa_alias_alloc - allocate what a slot needs to share a page
 * @gfp: how to allocate
 *
 * Context: as @gfp allows; must not wait for I/O while a page is locked.
 * Return: an alias for pxa_protect() or pxa_merge(), or NULL.
 */
struct pxa_alias *pxa_alias_alloc(gfp_t gfp)
{
	return kmem_cache_alloc(pxa_alias_cache, gfp);
}

/**
 * pxa_alias_free - free an alias that was not used
 * @alias: from pxa_alias_alloc(), or NULL
 */
void pxa_alias_free(struct pxa_alias *alias)
{
	if (alias)
		kmem_cache_free(pxa_alias_cache, alias);
}

/**
 * pxa_refuse - count why a page was not shared
 * @reason: one of PXA_REFUSED_*
 *
 * Return: the matching errno. -EAGAIN: worth another try soon; -EBUSY: in use
 * in a way that may last; -ESTALE: not what the caller saw before; -ENOSPC: too
 * many aliases; -ENOMEM; -EINVAL: never.
 */
int pxa_refuse(enum vm_event_item reason)
{
	count_vm_event(reason);
	switch (reason) {
	case PXA_REFUSED_BUSY:
		return -EAGAIN;
	case PXA_REFUSED_PINNED:
	case PXA_REFUSED_DIRTY:
	case PXA_REFUSED_PRIVATE:
		return -EBUSY;
	case PXA_REFUSED_CHANGED:
		return -ESTALE;
	case PXA_REFUSED_LIMIT:
		return -ENOSPC;
	case PXA_REFUSED_NOMEM:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

/**
 * pxa_event - read one of the event counters
 * @item: PXA_*
 *
 * Return: the sum over all cpus.
 */
unsigned long pxa_event(enum vm_event_item item)
{
	unsigned long sum = 0;
	int cpu;

	/* Those of offline cpus were folded into an online one. */
	get_online_cpus();
	for_each_online_cpu(cpu)
		sum += per_cpu(vm_event_states, cpu).event[item];
	put_online_cpus();
	return sum;
}

/**
 * pxa_node_state - read a gauge exactly
 * @item: NR_PXA_SHARED or NR_PXA_SHARING
 *
 * Return: the number of pages, unlike global_node_page_state() with what the
 * cpus have not folded yet, but for a cpu that does so at this moment.
 */
unsigned long pxa_node_state(enum node_stat_item item)
{
	/* Not global_node_page_state(), which takes what is below 0 for 0. */
	long sum = atomic_long_read(&vm_node_stat[item]);
#ifdef CONFIG_SMP
	struct pglist_data *pgdat;
	int cpu;

	for_each_online_pgdat(pgdat)
		for_each_online_cpu(cpu)
			sum += per_cpu_ptr(pgdat->per_cpu_nodestats,
					   cpu)->vm_node_stat_diff[item];
#endif
	return max(sum, 0L);
}

bool __pxa_stat_hidden(const struct file *file)
{
	/* Who reads the file may, and does not ask for what is hidden. */
	return security_capable(file ? file->f_cred : current_cred(),
				&init_user_ns, CAP_SYS_ADMIN, CAP_OPT_NOAUDIT);
}

/**
 * pxa_hide_events - show only to the administrator how often pages were shared
 * @events: all of &enum vm_event_item, as they are going to be read
 * @file: the file of procfs that is read
 */
void pxa_hide_events(unsigned long *events, const struct file *file)
{
	if (__pxa_stat_hidden(file))
		memset(&events[PXA_MERGE], 0, (PXA_REFUSED_NOMEM - PXA_MERGE + 1) *
					      sizeof(*events));
}

#ifdef CONFIG_NUMA
/* Has somebody chosen the nodes that pages of this file of shmem are on? */
static bool pxa_shmem_placed(struct inode *inode)
{
	return !RB_EMPTY_ROOT(&SHMEM_I(inode)->policy.root);
}
#else
static bool pxa_shmem_placed(struct inode *inode)
{
	return false;
}
#endif

/**
 * mapping_pxa_allowed - may the pages of this mapping be shared?
 * @mapping: a mapping that cannot go away
 *
 * The filesystem must have opted in, see FS_ALLOW_PXA.  Beyond that the cached
 * pages must be a clean copy of what the filesystem can read again, or belong to
 * shmem, and nobody may know a page by other means than the slot.
 *
 * Return: true if they may.
 */
bool mapping_pxa_allowed(struct address_space *mapping)
{
	struct inode *inode = mapping->host;

	if (!inode || inode->i_mapping != mapping || !S_ISREG(inode->i_mode))
		return false;
	if (!(inode->i_sb->s_type->fs_flags & FS_ALLOW_PXA))
		return false;
	if (IS_DAX(inode) || IS_SWAPFILE(inode) || IS_ENCRYPTED(inode))
		return false;
	if (mapping_unevictable(mapping) || mapping_exiting(mapping))
		return false;
	/* Drivers that keep their objects in shmem may insist on a zone. */
	if (shmem_mapping(mapping))
		return !pxa_shmem_placed(inode) &&
		       gfp_zone(mapping_gfp_mask(mapping)) ==
		       gfp_zone(GFP_HIGHUSER_MOVABLE);
	return mapping->a_ops->readpage && !mapping->a_ops->freepage;
}

/**
 * pxa_page_allowed - may this page be shared, as far as its flags tell?
 * @page: a page with a reference
 *
 * Context: any; a hint unless the page is locked and cannot be redirtied.
 */
bool pxa_page_allowed(struct page *page)
{
	return PageUptodate(page) && !PageCompound(page) &&
	       !PageHWPoison(page) && !PageAnon(page) &&
	       !(READ_ONCE(page->flags) & PXA_REFUSED_FLAGS);
}

/**
 * pxa_find_alias - the alias of a protected page for one slot
 * @page: locked protected page
 * @mapping: the file's mapping; only compared
 * @index: offset in @mapping, in pages
 *
 * Return: the alias, or NULL if the slot does not hold the page.
 */
struct pxa_alias *pxa_find_alias(struct page *page,
				 struct address_space *mapping, pgoff_t index)
{
	struct pxa *pxa = page_pxa(page);
	struct pxa_alias *alias;

	hlist_for_each_entry(alias, &pxa->aliases, node)
		if (alias->mapping == mapping && alias->index == index)
			return alias;
	return NULL;
}

bool __pxa_cache_match(struct page *page, struct address_space *mapping,
		       pgoff_t index)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);

	/* The page lock ties slots and aliases; the slot is found faster. */
	return xa_load(&mapping->i_pages, index) == page;
}
EXPORT_SYMBOL_GPL(__pxa_cache_match);

/*
 * Walk the ptes of one slot.  @page is what the callback works on; neither its
 * mapping nor its index is looked at.  Returns false if the walk was stopped.
 */
static bool pxa_rmap_walk_alias(struct page *page,
				struct address_space *mapping, pgoff_t index,
				struct rmap_walk_control *rwc)
{
	struct vm_area_struct *vma;
	bool more = true;

	VM_BUG_ON_PAGE(!PageLocked(page), page);

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, index, index) {
		unsigned long addr = vma->vm_start +
			((index - vma->vm_pgoff) << PAGE_SHIFT);

		cond_resched();

		if (rwc->invalid_vma && rwc->invalid_vma(vma, rwc->arg))
			continue;

		more = rwc->rmap_one(page, vma, addr, rwc->arg) &&
		       !(rwc->done && rwc->done(page));
		if (!more)
			break;
	}
	i_mmap_unlock_read(mapping);
	return more;
}

/**
 * rmap_walk_pxa - walk all ptes that map a protected page
 * @page: locked protected page
 * @rwc: what to do
 */
void rmap_walk_pxa(struct page *page, struct rmap_walk_control *rwc)
{
	struct pxa *pxa = page_pxa(page);
	struct pxa_alias *alias;

	hlist_for_each_entry(alias, &pxa->aliases, node)
		if (!pxa_rmap_walk_alias(page, alias->mapping, alias->index,
					 rwc))
			break;
}

/* &rmap_walk_control.rmap_one: stop at the first area that maps @page. */
static bool pxa_find_mapped_one(struct page *page, struct vm_area_struct *vma,
				unsigned long addr, void *arg)
{
	/* mprotect() and mremap() take a pte away for a moment. */
	struct page_vma_mapped_walk pvmw = {
		.page = page,
		.vma = vma,
		.address = addr,
		.flags = PVMW_SYNC,
	};

	if (!page_vma_mapped_walk(&pvmw))
		return true;
	page_vma_mapped_walk_done(&pvmw);
	*(bool *)arg = true;
	return false;
}

/*
 * Is @page mapped in the place of one slot?  Without the lock that the walk takes
 * mapping_mapped() may be wrong: an area that grows is out of the tree meanwhile.
 */
static bool pxa_slot_mapped(struct page *page, struct address_space *mapping,
			    pgoff_t index)
{
	bool mapped = false;
	struct rmap_walk_control rwc = {
		.rmap_one = pxa_find_mapped_one,
		.arg = &mapped,
	};

	if (page_mapped(page))
		pxa_rmap_walk_alias(page, mapping, index, &rwc);
	return mapped;
}

/* Replace the ptes of one slot that map @page, by what @flags say. */
static void pxa_unmap_slot(struct page *page, struct address_space *mapping,
			   pgoff_t index, enum ttu_flags flags)
{
	struct rmap_walk_control rwc = {
		.rmap_one = try_to_unmap_one,
		.arg = (void *)(long)flags,
	};

	if (page_mapped(page))
		pxa_rmap_walk_alias(page, mapping, index, &rwc);
}

/* Turn migration entries of one slot for @old into ptes that map @new. */
static void pxa_remap_slot(struct page *old, struct page *new,
			   struct address_space *mapping, pgoff_t index)
{
	struct rmap_walk_control rwc = {
		.rmap_one = remove_migration_pte,
		.arg = old,
	};

	pxa_rmap_walk_alias(new, mapping, index, &rwc);
}

/* Has @page something that is going to be written back to its file? */
static bool pxa_page_dirty(struct page *page)
{
	return PageWriteback(page) ||
	       (PageDirty(page) && !PageSwapBacked(page));
}

/*
 * As reclaim does, and for its reason, no reclaim inside: btrfs allocates here. It
 * could evict the inode of @page, or one that shares the page it is merged into, and
 * wait for a lock that is held here, or swap to a loop device whose file needs one
 * of them. btrfs does not take an allocation that fails.
 */
static bool pxa_release_private(struct page *page,
				struct address_space *mapping)
{
	bool entered = pxa_debug_enter(page);
	unsigned int flags = memalloc_noreclaim_save();
	bool ret = try_to_release_page(mapping, page, GFP_NOFS);

	memalloc_noreclaim_restore(flags);
	pxa_debug_leave(entered);
	return ret;
}

/* Undo pxa_quiesce(); @page is also right for what was protected meanwhile. */
static void pxa_requite(struct page *page, struct address_space *mapping,
			pgoff_t index)
{
	pxa_remap_slot(page, page, mapping, index);
	putback_lru_page(page);
}

/*
 * Make sure that nobody can change @page, or refuse: it is then off the LRU,
 * not mapped, clean, and only the page cache, the caller's @refs references and
 * the one taken here (returned as an increased *refs) hold it.  No new
 * reference can turn up but by a lookup in the page cache.
 *
 * A full unmap is needed, write-protecting is not enough: the write fault takes
 * a reference under the pte lock only, and goes on to the page lock from there.
 */
static int pxa_quiesce(struct page *page, struct address_space *mapping,
		       pgoff_t index, int *refs)
{
	int err = 0;

	VM_BUG_ON_PAGE(!PageLocked(page), page);

	if (page->mapping != mapping || page->index != index)
		return pxa_refuse(PXA_REFUSED_BUSY);
	if (!mapping_pxa_allowed(mapping) || !pxa_page_allowed(page) ||
	    PageSwapBacked(page) != shmem_mapping(mapping) ||
	    index >= DIV_ROUND_UP(i_size_read(mapping->host), PAGE_SIZE))
		return pxa_refuse(PXA_REFUSED_UNSUPPORTED);
	if (pxa_page_dirty(page))
		return pxa_refuse(PXA_REFUSED_DIRTY);

	/* Before the costly part; a guess, since fork changes both meanwhile. */
	if (page_count(page) > *refs + 1 + page_has_private(page) +
			       page_mapcount(page))
		return pxa_refuse(PXA_REFUSED_PINNED);

	/* Else clearing PG_mlocked at the unmap would take a reference. */
	if (isolate_lru_page(page))
		return pxa_refuse(PXA_REFUSED_BUSY);
	++*refs;

	if (page_mapped(page))
		try_to_unmap(page, PXA_TTU_FLAGS);
	if (!page_has_private(page))
		return 0;
	/*
	 * Who has it pinned may be about to write and to set it dirty.  ext4
	 * does not write back what became dirty without buffers.
	 */
	if (page_count(page) != *refs + 2)
		err = pxa_refuse(PXA_REFUSED_PINNED);
	else if (!pxa_release_private(page, mapping))
		err = pxa_refuse(PXA_REFUSED_PRIVATE);
	if (err)
		pxa_requite(page, mapping, index);
	return err;
}

/*
 * Last check of pxa_quiesce(), under the i_pages lock.  On success the page is
 * frozen: no lookup gets a reference.
 */
static int pxa_freeze(struct xa_state *xas, struct page *page, int refs)
{
	if (xas_load(xas) != page || page_mapped(page))
		return -EAGAIN;
	/*
	 * A clean page may have kept its tag.  A slot must not: the tag stays
	 * when the page is replaced, and writeback would find the shared page.
	 */
	if (xas_get_mark(xas, PAGECACHE_TAG_DIRTY) ||
	    xas_get_mark(xas, PAGECACHE_TAG_WRITEBACK))
		return -EIO;
	if (!page_ref_freeze(page, refs + 1))
		return -EBUSY;
	/*
	 * Dirty bits of ptes were transferred by the unmap.  After the freeze:
	 * who had a reference may have set the page dirty before dropping it.
	 */
	if (pxa_page_dirty(page)) {
		page_ref_unfreeze(page, refs + 1);
		return -EIO;
	}
	xas_clear_mark(xas, PAGECACHE_TAG_TOWRITE);
	/* Of shmem; nobody is left who could set it again. */
	ClearPageDirty(page);
	return 0;
}

/* Only valid for what pxa_freeze() returned. */
static int pxa_refuse_freeze(int err)
{
	switch (err) {
	case -EAGAIN:
		return pxa_refuse(PXA_REFUSED_BUSY);
	case -EIO:
		return pxa_refuse(PXA_REFUSED_DIRTY);
	default:
		return pxa_refuse(PXA_REFUSED_PINNED);
	}
}

/* A page gets its first or loses its last slot, or @page is replaced. */
static void pxa_count_page(struct page *page, int n)
{
	mod_lruvec_page_state(page, NR_FILE_PAGES, n);
	if (PageSwapBacked(page))
		mod_lruvec_page_state(page, NR_SHMEM, n);
}

static void pxa_link(struct pxa *pxa, struct pxa_alias *alias,
		     struct address_space *mapping, pgoff_t index)
{
	alias->mapping = mapping;
	alias->index = index;
	hlist_add_head(&alias->node, &pxa->aliases);
	pxa->nr++;
}

/**
 * pxa_protect - turn an ordinary page cache page into a protected one
 * @page: locked page
 * @mapping: its mapping, as far as the caller knows
 * @index: its index in @mapping
 * @refs: number of references that the caller holds
 * @pxa: the owner's structure; @pxa->ops is set, the rest is filled in here
 * @alias: from pxa_alias_alloc(); consumed on success only
 *
 * On success the page has one alias, (@mapping, @index).
 *
 * Context: process context, may sleep; takes i_mmap_rwsem and i_pages lock.
 * Return: 0, or what pxa_refuse() says; then nothing has changed, except that
 * the filesystem may have given up clean private data.
 */
int pxa_protect(struct page *page, struct address_space *mapping,
		pgoff_t index, int refs, struct pxa *pxa,
		struct pxa_alias *alias)
{
	XA_STATE(xas, &mapping->i_pages, index);
	int err;

	VM_BUG_ON(!IS_ALIGNED((unsigned long)pxa, PAGE_MAPPING_XA_MASK + 1));

	err = pxa_quiesce(page, mapping, index, &refs);
	if (err)
		return err;

	pxa_debug_prepare(pxa);
	xas_lock_irq(&xas);
	err = pxa_freeze(&xas, page, refs);
	if (!err) {
		/* Both mean this slot, and nothing to the other aliases. */
		ClearPageReadahead(page);
		ClearPageMappedToDisk(page);

		INIT_HLIST_HEAD(&pxa->aliases);
		pxa->pfn = page_to_pfn(page);
		pxa->nr = 0;
		pxa_link(pxa, alias, mapping, index);
		page->index = PXA_INDEX;
		/* Published with the list complete, for lockless PageXA(). */
		smp_store_release(&page->mapping,
				  (void *)((unsigned long)pxa |
					   PAGE_MAPPING_XA));
		page_ref_unfreeze(page, refs + 1);
	}
	xas_unlock_irq(&xas);

	if (err) {
		err = pxa_refuse_freeze(err);
	} else {
		mod_node_page_state(page_pgdat(page), NR_PXA_SHARED, 1);
		trace_pxa_protect(page, mapping, index, 1);
		pxa_debug_protect(page, mapping, index);
	}
	pxa_requite(page, mapping, index);
	if (!err)
		pxa_debug_page(page, mapping, index);
	return err;
}

/**
 * pxa_merge - let a slot share a protected page in place of its own page
 * @old: locked ordinary page in the slot
 * @mapping: its mapping, as far as the caller knows
 * @index: its index in @mapping
 * @refs: number of references that the caller holds on @old
 * @page: locked protected page, with a reference of the caller
 * @alias: from pxa_alias_alloc(); consumed on success only
 *
 * The contents are compared here, once nobody can change @old any more.
 *
 * On success @old is in no page cache, and is freed when the caller drops its
 * references.
 *
 * Context: process context, may sleep; takes i_mmap_rwsem and i_pages lock.
 * Return: 0, or what pxa_refuse() says; then nothing has changed, except that
 * the filesystem may have given up clean private data of @old.
 */
int pxa_merge(struct page *old, struct address_space *mapping, pgoff_t index,
	      int refs, struct page *page, struct pxa_alias *alias)
{
	XA_STATE(xas, &mapping->i_pages, index);
	struct pxa *pxa = page_pxa(page);
	int err;

	if (PageHWPoison(page))
		return pxa_refuse(PXA_REFUSED_UNSUPPORTED);
	pxa_debug_page(page, mapping, index);

	if (PageSwapBacked(old) != PageSwapBacked(page))
		return pxa_refuse(PXA_REFUSED_UNSUPPORTED);

	err = pxa_quiesce(old, mapping, index, &refs);
	if (err)
		return err;

	/*
	 * From a reference that is older than the unmap somebody could still
	 * write; whoever comes later waits for the page lock.
	 */
	if (page_count(old) != refs + 1) {
		err = pxa_refuse(PXA_REFUSED_PINNED);
		goto undo;
	}
	/* The content must not be read before the count. */
	smp_rmb();
	if (!pages_identical(old, page)) {
		err = pxa_refuse(PXA_REFUSED_CHANGED);
		goto undo;
	}
	/* Since the test above: @old is the better copy then. */
	if (PageHWPoison(page)) {
		err = pxa_refuse(PXA_REFUSED_UNSUPPORTED);
		goto undo;
	}

	xas_lock_irq(&xas);
	err = pxa_freeze(&xas, old, refs);
	if (!err) {
		get_page(page);
		pxa_link(pxa, alias, mapping, index);
		xas_store(&xas, page);
		old->mapping = NULL;
		/* Leave old->index set: truncation lookup relies upon it */
		pxa_count_page(old, -1);
		page_ref_unfreeze(old, refs);
	}
	xas_unlock_irq(&xas);
	if (err) {
		err = pxa_refuse_freeze(err);
		goto undo;
	}

	pxa_remap_slot(old, page, mapping, index);
	mod_node_page_state(page_pgdat(page), NR_PXA_SHARING, 1);
	count_vm_event(PXA_MERGE);
	trace_pxa_merge(page, mapping, index, pxa->nr);
	pxa_debug_page(page, mapping, index);
	pxa_debug_left(old, mapping, index);

	if (PageActive(old) || PageReferenced(old))
		mark_page_accessed(page);
	/* It does not go back to the LRU, where this would be done. */
	ClearPageActive(old);
	ClearPageUnevictable(old);
	put_page(old);
	return 0;
undo:
	pxa_requite(old, mapping, index);
	return err;
}

/*
 * Take an alias off the list, under the i_pages lock of its mapping that also
 * covered the change of the slot.  Returns true if it was the last one: then
 * the page belongs to nobody.
 */
static bool pxa_unlink(struct page *page, struct pxa *pxa,
		       struct pxa_alias *alias)
{
	hlist_del(&alias->node);
	if (--pxa->nr)
		return false;
	pxa_count_page(page, -1);
	WRITE_ONCE(page->mapping, NULL);
	return true;
}

/* &rmap_walk_control.rmap_one: stop at an area whose pages stay in memory. */
static bool pxa_find_mlocked_one(struct page *page, struct vm_area_struct *vma,
				 unsigned long addr, void *arg)
{
	if (!(vma->vm_flags & VM_LOCKED))
		return true;
	*(bool *)arg = true;
	return false;
}

/* The alias that is gone may have been what kept the page unevictable. */
static void pxa_munlock(struct page *page)
{
	bool mlocked = false;
	struct rmap_walk_control rwc = {
		.rmap_one = pxa_find_mlocked_one,
		.arg = &mlocked,
	};

	rmap_walk_pxa(page, &rwc);
	if (!mlocked)
		munlock_vma_page(page);
}

/* After pxa_debug_release(). */
static void pxa_release(struct page *page, struct pxa *pxa)
{
	bool entered = pxa_debug_enter(page);

	pxa->ops->release(pxa);
	pxa_debug_leave(entered);
}

/* The rest of pxa_unlink(), without locks.  The mapping may be gone. */
static void pxa_unlinked(struct page *page, struct pxa *pxa,
			 struct pxa_alias *alias, bool last)
{
	mod_node_page_state(page_pgdat(page),
			    last ? NR_PXA_SHARED : NR_PXA_SHARING, -1);
	pxa_alias_free(alias);
	if (last) {
		pxa_debug_release(page, pxa);
		pxa_release(page, pxa);
	} else if (PageMlocked(page)) {
		pxa_munlock(page);
	}
}

/* Empty the slot of @alias, which must not be mapped. Returns true if last. */
static bool pxa_empty_slot(struct page *page, struct pxa *pxa,
			   struct pxa_alias *alias, void *shadow)
{
	XA_STATE(xas, &alias->mapping->i_pages, alias->index);
	struct address_space *mapping = alias->mapping;

	lockdep_assert_held(&mapping->i_pages.xa_lock);
	mapping_set_update(&xas, mapping);
	VM_BUG_ON_PAGE(xas_load(&xas) != page, page);

	trace_pxa_drop(page, mapping, alias->index, pxa->nr);
	xas_store(&xas, shadow);
	xas_init_marks(&xas);
	if (shadow) {
		mapping->nrexceptional++;
		/* See page_cache_delete(): never show both counters as 0. */
		smp_wmb();
	}
	mapping->nrpages--;
	return pxa_unlink(page, pxa, alias);
}

static void pxa_drop(struct page *page, struct pxa *pxa,
		     struct pxa_alias *alias)
{
	struct address_space *mapping = alias->mapping;
	bool last;

	pxa_debug_page(page, mapping, alias->index);
	/* Where nothing is mapped pxa_drop_lost() may have left entries. */
	if (pxa_slot_mapped(page, mapping, alias->index))
		unmap_mapping_pages(mapping, alias->index, 1, false);
	/* While @mapping exists; no new ptes come while the page is locked. */
	pxa_debug_left(page, mapping, alias->index);

	xa_lock_irq(&mapping->i_pages);
	last = pxa_empty_slot(page, pxa, alias, NULL);
	xa_unlock_irq(&mapping->i_pages);
	/* Inode eviction may have waited for this: @mapping may be freed. */

	count_vm_event(PXA_DROP);
	pxa_unlinked(page, pxa, alias, last);
	put_page(page);
}

/*
 * Drop what the hardware has lost.  If it was the only copy who has it mapped gets
 * a signal at the next access, from what PG_hwpoison leaves in place of the pte.
 */
static void pxa_drop_lost(struct page *page, struct pxa *pxa,
			  struct pxa_alias *alias)
{
	if (PageSwapBacked(page)) {
		mapping_set_error(alias->mapping, -EIO);
		pxa_unmap_slot(page, alias->mapping, alias->index,
			       PXA_TTU_FLAGS &
			       ~(TTU_MIGRATION | TTU_IGNORE_HWPOISON));
	}
	pxa_drop(page, pxa, alias);
}

/**
 * pxa_drop_alias - take a protected page out of one slot
 * @page: locked protected page, with a reference of the caller
 * @mapping: the file's mapping
 * @index: offset in @mapping, in pages
 *
 * As if the page had been reclaimed from this file: ptes are unmapped, the next
 * access reads from disk.  Of shmem it loses the content.  Never allocates and
 * never fails.
 *
 * Return: 0, or -ENOENT if the slot does not hold the page.
 */
int pxa_drop_alias(struct page *page, struct address_space *mapping,
		   pgoff_t index)
{
	struct pxa_alias *alias = pxa_find_alias(page, mapping, index);

	if (!alias)
		return -ENOENT;
	pxa_drop(page, page_pxa(page), alias);
	return 0;
}

/**
 * pxa_dissolve - turn a protected page with one alias into an ordinary one
 * @page: locked protected page
 * @refs: number of references that the caller holds
 *
 * Return: 0; -EBUSY if there are more aliases, or if somebody has a reference,
 * who may be a reader of a former alias: the page stays as it is then.
 */
int pxa_dissolve(struct page *page, int refs)
{
	struct pxa *pxa = page_pxa(page);
	struct pxa_alias *alias;
	struct address_space *mapping;
	bool isolated;
	pgoff_t index;
	int err = -EBUSY;

	if (pxa->nr != 1 || PageHWPoison(page) ||
	    page_count(page) > refs + 1 + page_mapcount(page))
		return -EBUSY;

	alias = hlist_entry(pxa->aliases.first, struct pxa_alias, node);
	mapping = alias->mapping;
	index = alias->index;
	pxa_debug_page(page, mapping, index);

	/*
	 * fork and munmap change both counts at once, but not under the page
	 * lock: only without ptes is the number of references exact.  See
	 * pxa_quiesce() for the isolation.
	 */
	isolated = PageMlocked(page) && !isolate_lru_page(page);
	pxa_unmap_slot(page, mapping, index, PXA_TTU_FLAGS);
	if (!page_mapped(page) && page_count(page) == refs + 1 + isolated) {
		hlist_del(&alias->node);
		pxa->nr = 0;
		page->index = index;
		if (PageSwapBacked(page))
			SetPageDirty(page);
		/* Who sees the mapping without lock also sees the index. */
		smp_store_release(&page->mapping, mapping);
		mod_node_page_state(page_pgdat(page), NR_PXA_SHARED, -1);
		/* Before ptes of shmem become writable again. */
		pxa_debug_release(page, pxa);
		err = 0;
	}
	pxa_remap_slot(page, page, mapping, index);
	if (isolated)
		putback_lru_page(page);
	if (!err) {
		pxa_alias_free(alias);
		pxa_release(page, pxa);
	}
	return err;
}

/**
 * pxa_copy_break - &pxa_ops.break_alias for owners of clean pages
 * @pxa: the owner's structure
 * @page: locked protected page; the caller holds one reference
 * @mapping: the file's mapping
 * @index: offset in @mapping, in pages; the alias is listed
 * @gfp: how to allocate the copy
 *
 * Return: 0: an ordinary page is in the slot; -ENOMEM: there was no memory, the
 * slot is empty, or still shares the page if that has PG_swapbacked; -EHWPOISON:
 * it is empty, since the content is lost.
 */
int pxa_copy_break(struct pxa *pxa, struct page *page,
		   struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	XA_STATE(xas, &mapping->i_pages, index);
	struct pxa_alias *alias = pxa_find_alias(page, mapping, index);
	struct page *new;
	bool last;

	if (PageHWPoison(page)) {
		pxa_drop_lost(page, pxa, alias);
		return -EHWPOISON;
	}
	if (!pxa_dissolve(page, 1)) {
		count_vm_event(PXA_BREAK);
		trace_pxa_break(page, mapping, index, 0);
		return 0;
	}

	new = __page_cache_alloc(gfp);
	if (!new || mem_cgroup_charge(new, current->mm, gfp)) {
		if (new)
			put_page(new);
		if (!PageSwapBacked(page))
			pxa_drop(page, pxa, alias);
		return -ENOMEM;
	}
	copy_highpage(new, page);
	if (PageHWPoison(page)) {
		/* Since the test above: who knows what was copied. */
		put_page(new);
		pxa_drop_lost(page, pxa, alias);
		return -EHWPOISON;
	}
	__SetPageLocked(new);
	new->mapping = mapping;
	new->index = index;
	flush_dcache_page(new);
	SetPageUptodate(new);
	if (PageSwapBacked(page)) {
		__SetPageSwapBacked(new);
		SetPageDirty(new);
	}

	pxa_unmap_slot(page, mapping, index, PXA_TTU_FLAGS);

	xas_lock_irq(&xas);
	VM_BUG_ON_PAGE(xas_load(&xas) != page, page);
	get_page(new);
	xas_store(&xas, new);
	pxa_count_page(new, 1);
	last = pxa_unlink(page, pxa, alias);
	xas_unlock_irq(&xas);

	count_vm_event(PXA_BREAK);
	trace_pxa_break(page, mapping, index, last ? 0 : pxa->nr);
	pxa_remap_slot(page, new, mapping, index);
	pxa_debug_left(page, mapping, index);
	lru_cache_add(new);
	unlock_page(new);
	put_page(new);

	pxa_unlinked(page, pxa, alias, last);
	put_page(page);
	return 0;
}

/**
 * pxa_break_alias - stop sharing one slot's page
 * @page: locked protected page; the caller holds one reference
 * @mapping: the file's mapping
 * @index: offset in @mapping, in pages
 *
 * The page stays locked and keeps the caller's reference. A lookup of the slot
 * then finds an ordinary page, or none if there was no memory for one.
 *
 * Context: process context, may sleep. The allocation does not enter the
 * filesystem, whose locks the caller may hold. Nor does it wait for a device, or
 * insist, since the page is locked for all files that share it: one of them may be
 * what a loop device is made of.
 * Return: 0; -ENOMEM or -EHWPOISON if the slot was emptied, but with -ENOMEM and
 * PG_swapbacked nothing has changed; -ENOENT if it does not hold the page.
 */
int pxa_break_alias(struct page *page, struct address_space *mapping,
		    pgoff_t index)
{
	struct pxa *pxa = page_pxa(page);
	bool entered;
	int err;

	if (!pxa_find_alias(page, mapping, index))
		return -ENOENT;
	pxa_debug_page(page, mapping, index);
	entered = pxa_debug_enter(page);
	err = pxa->ops->break_alias(pxa, page, mapping, index,
				    mapping_gfp_constraint(mapping,
							   ~(__GFP_FS | __GFP_IO)) |
				    __GFP_NOWARN | __GFP_NORETRY);
	pxa_debug_leave(entered);
	return err;
}

/**
 * pxa_make_room - wait for the memory of a copy
 * @gfp: as for a new page of the file
 *
 * For pages of shmem, which are not dropped where a copy can't be had. Reclaim
 * that enters filesystems, and the OOM killer, must not wait for a protected
 * page: this is what there is instead of an allocation that insists.
 *
 * Context: process context, may sleep; no page locked.
 * Return: 0 if there was memory a moment ago, else -ENOMEM.
 */
int pxa_make_room(gfp_t gfp)
{
	struct page *page;
	int err;

	page = __page_cache_alloc(gfp);
	if (!page)
		return -ENOMEM;
	err = mem_cgroup_charge(page, current->mm, gfp);
	put_page(page);
	return err;
}

/**
 * pxa_break_put - stop sharing one slot's page, and drop a reference to it
 * @page: page that was found in the slot; unlocked, with a reference
 * @mapping: the file's mapping, which can't go away
 * @index: offset in @mapping, in pages
 *
 * Context: as for pxa_make_room().
 * Return: 0 if the slot has something else now; for a page that has no other
 * copy -ENOMEM if it still shares the page, -EHWPOISON if the content was lost.
 */
int pxa_break_put(struct page *page, struct address_space *mapping,
		  pgoff_t index)
{
	unsigned int tries = PXA_TRIES;
	int err;

	do {
		err = 0;
		lock_page(page);
		if (PageXA(page))
			err = pxa_break_alias(page, mapping, index);
		unlock_page(page);
		if (err == -ENOENT || !PageSwapBacked(page))
			err = 0;
		/* What was freed may be gone before the page is locked again. */
	} while (err == -ENOMEM && --tries && !fatal_signal_pending(current) &&
		 !pxa_make_room(mapping_gfp_mask(mapping)));
	put_page(page);
	return err;
}

/**
 * pxa_break_range - stop sharing the pages of a range of a file
 * @mapping: the file's mapping
 * @start: first offset, in pages
 * @end: last offset, in pages, inclusive
 *
 * Context: process context, may sleep; no page locked. Nothing keeps pages from
 * being merged again right after. Ends early for a process that is killed.
 * Return: 0, or -ENOMEM at the first page that has no other copy and still is
 * shared.
 */
int pxa_break_range(struct address_space *mapping, pgoff_t start, pgoff_t end)
{
	struct page *pages[PAGEVEC_SIZE];
	pgoff_t indices[PAGEVEC_SIZE];
	unsigned int i, nr;
	int err = 0;

	while (start <= end && !err &&
	       (nr = find_get_entries(mapping, start, PAGEVEC_SIZE, pages,
				      indices))) {
		for (i = 0; i < nr; i++) {
			if (xa_is_value(pages[i]))
				continue;
			if (err || indices[i] > end || !PageXA(pages[i]))
				put_page(pages[i]);
			else if (pxa_break_put(pages[i], mapping,
					       indices[i]) == -ENOMEM)
				err = -ENOMEM;
		}
		start = indices[nr - 1] + 1;
		if (!start || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return err;
}

bool __pxa_break_lookup(struct page *page, struct address_space *mapping,
			pgoff_t index, int fgp_flags)
{
	if (fgp_flags & FGP_NOWAIT)
		return false;
	/* A page that has to stay would be found again, and again. */
	return pxa_break_alias(page, mapping, index) != -ENOMEM ||
	       !PageSwapBacked(page);
}

bool __pxa_filemap_fault(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *mapping = vma->vm_file->f_mapping;

	if ((vmf->flags & FAULT_FLAG_WRITE) && (vma->vm_flags & VM_SHARED)) {
		pxa_break_alias(page, mapping, vmf->pgoff);
		return false;
	}
	return __pxa_cache_match(page, mapping, vmf->pgoff);
}

/**
 * pxa_fault_again - is a write fault for which there was no memory to be repeated?
 * @vmf: the fault
 * @mapping: the file's mapping
 *
 * Others may have taken the room each time, below the limit of a group. VM_FAULT_OOM
 * would let pagefault_out_of_memory() of v5.9 kill a process of any group then.
 *
 * Context: as for pxa_make_room().
 * Return: true if there was memory a moment ago.
 */
bool pxa_fault_again(struct vm_fault *vmf, struct address_space *mapping)
{
	return (vmf->flags & FAULT_FLAG_USER) &&
	       !fatal_signal_pending(current) &&
	       !pxa_make_room(mapping_gfp_mask(mapping));
}

/**
 * pxa_wp_fault - write to a protected page through a shared mapping
 * @vmf: the fault; vmf->page is protected, vmf->pte mapped and locked
 *
 * Return: 0 with the pte unlocked; the access faults again, on an ordinary
 * page, and the filesystem is asked for permission then. VM_FAULT_OOM if it has
 * to stay shared, VM_FAULT_HWPOISON if the content was lost.
 */
vm_fault_t pxa_wp_fault(struct vm_fault *vmf)
	__releases(vmf->ptl)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct page *page = vmf->page;

	get_page(page);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	switch (pxa_break_put(page, mapping,
			      linear_page_index(vma, vmf->address))) {
	case -ENOMEM:
		return pxa_fault_again(vmf, mapping) ? 0 : VM_FAULT_OOM;
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		return 0;
	}
}

void __pxa_truncate(struct address_space *mapping, pgoff_t index,
		    struct page *page)
{
	if (PageXA(page))
		pxa_drop_alias(page, mapping, index);
}

bool __pxa_invalidate(struct address_space *mapping, pgoff_t index,
		      struct page *page)
{
	struct pxa_alias *alias;

	if (!PageXA(page) || PageSwapBacked(page))
		return false;
	alias = pxa_find_alias(page, mapping, index);
	/* Whether others have it mapped must make no difference that shows. */
	if (!alias || pxa_slot_mapped(page, mapping, index))
		return false;
	pxa_drop(page, page_pxa(page), alias);
	return true;
}

int __pxa_invalidate2(struct address_space *mapping, pgoff_t index,
		      struct page *page)
{
	struct page *now;

	if (PageXA(page) && PageSwapBacked(page)) {
		unlock_page(page);
		return -EBUSY;
	}
	if (PageXA(page) && !pxa_drop_alias(page, mapping, index)) {
		unlock_page(page);
		return 0;
	}
	/*
	 * If it was broken since the lookup, the slot has a copy of it. The lock is
	 * what keeps @page itself away.
	 */
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	now = xa_load(&mapping->i_pages, index);
	VM_BUG_ON_PAGE(now == page, page);
	unlock_page(page);
	if (!now || xa_is_value(now))
		return 0;
	return invalidate_inode_pages2_range(mapping, index, index);
}

/**
 * pxa_reclaim - reclaim a protected page
 * @page: locked protected page, isolated from the LRU, not mapped
 * @target_memcg: cgroup that reclaim works for, or NULL
 *
 * Only the slot that is emptied last gets a shadow entry: an eviction ages the
 * LRU once, however many files shared the page.
 *
 * Return: true if the page is in no page cache any more and has no reference
 * left; it is still locked. If false, some slots may have been emptied.
 */
bool pxa_reclaim(struct page *page, struct mem_cgroup *target_memcg)
{
	struct pxa *pxa = page_pxa(page);
	struct address_space *mapping;
	struct pxa_alias *alias;
	void *shadow = NULL;

	/* As an ordinary page it can be swapped when it comes by again. */
	if (PageSwapBacked(page)) {
		pxa_dissolve(page, 1);
		return false;
	}
	/* A reference besides the aliases' and that of the isolation? */
	if (page_mapped(page) || page_count(page) != 1 + pxa->nr)
		return false;
	pxa_debug_page(page, NULL, 0);

	for (;;) {
		alias = hlist_entry(pxa->aliases.first, struct pxa_alias, node);
		mapping = alias->mapping;
		if (pxa->nr == 1)
			break;

		xa_lock_irq(&mapping->i_pages);
		pxa_empty_slot(page, pxa, alias, NULL);
		xa_unlock_irq(&mapping->i_pages);
		pxa_unlinked(page, pxa, alias, false);
		put_page(page);
		cond_resched();
	}

	xa_lock_irq(&mapping->i_pages);
	if (!page_ref_freeze(page, 2)) {
		xa_unlock_irq(&mapping->i_pages);
		return false;
	}
	if (!mapping_exiting(mapping))
		shadow = workingset_eviction(page, target_memcg);
	pxa_empty_slot(page, pxa, alias, shadow);
	xa_unlock_irq(&mapping->i_pages);

	count_vm_event(PXA_RECLAIM);
	pxa_unlinked(page, pxa, alias, true);
	return true;
}

void __pxa_evict(struct page *page)
{
	struct pxa *pxa = page_pxa(page);
	unsigned int nr = pxa->nr;

	/* Dropping the last one releases @pxa. */
	while (nr--)
		pxa_drop_lost(page, pxa, hlist_entry(pxa->aliases.first,
						     struct pxa_alias, node));
}

/* Put @new in the place of @page into one slot; both are locked. */
static void pxa_migrate_slot(struct page *new, struct page *page,
			     const struct pxa_alias *alias)
{
	XA_STATE(xas, &alias->mapping->i_pages, alias->index);

	xas_lock_irq(&xas);
	VM_BUG_ON_PAGE(xas_load(&xas) != page, page);
	get_page(new);
	xas_store(&xas, new);
	xas_unlock_irq(&xas);
	put_page(page);
}

/**
 * pxa_migrate_page - move a protected page to another place in memory
 * @new: locked page that nobody else knows
 * @page: locked protected page, isolated from the LRU, not mapped
 * @mode: of the migration
 *
 * The slots get @new one after the other, each under the lock of its own file.
 * Both pages have the content that does not change, so it makes no difference
 * which of them is found meanwhile: no reference has to be kept from being
 * taken.  Who has one on @page is asked for only since the aim is to free it.
 *
 * Return: MIGRATEPAGE_SUCCESS: @new is protected in place of @page, which is in
 * no page cache any more; -EAGAIN: nothing has changed.
 */
int pxa_migrate_page(struct page *new, struct page *page,
		     enum migrate_mode mode)
{
	struct pxa *pxa = page_pxa(page);
	struct pxa_alias *alias;

	VM_BUG_ON_PAGE(!PageLocked(new), new);

	/* References besides the aliases' and that of the isolation? */
	if (page_mapped(page) || page_count(page) != 1 + pxa->nr ||
	    PageHWPoison(page) || mode == MIGRATE_SYNC_NO_COPY)
		return -EAGAIN;

	copy_highpage(new, page);
	if (PageHWPoison(page))
		return -EAGAIN;
	new->index = page->index;
	new->mapping = page->mapping;
	if (PageSwapBacked(page))
		__SetPageSwapBacked(new);
	migrate_page_states(new, page);
	WRITE_ONCE(pxa->pfn, page_to_pfn(new));
	pxa_debug_migrated(new);

	hlist_for_each_entry(alias, &pxa->aliases, node) {
		pxa_migrate_slot(new, page, alias);
		cond_resched();
	}

	pxa_count_page(page, -1);
	pxa_count_page(new, 1);
	mod_node_page_state(page_pgdat(page), NR_PXA_SHARED, -1);
	mod_node_page_state(page_pgdat(new), NR_PXA_SHARED, 1);
	mod_node_page_state(page_pgdat(page), NR_PXA_SHARING, 1L - pxa->nr);
	mod_node_page_state(page_pgdat(new), NR_PXA_SHARING, pxa->nr - 1L);
	WRITE_ONCE(page->mapping, NULL);
	return MIGRATEPAGE_SUCCESS;
}

/**
 * pxa_unpin - give a process an unshared page before it is pinned
 * @vma: the area, under mmap_lock
 * @addr: user address
 * @page: the page mapped there, with a reference, which is dropped
 *
 * Return: 0: the caller has to look the page up again; -ENOMEM or -EHWPOISON.
 */
int pxa_unpin(struct vm_area_struct *vma, unsigned long addr,
	      struct page *page)
{
	return pxa_break_put(page, vma->vm_file->f_mapping,
			     linear_page_index(vma, addr));
}

int __pxa_break_user(unsigned long addr, struct page *page)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err = 0;

	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (!vma || addr < vma->vm_start || !vma->vm_file) {
		put_page(page);
	} else if (vma->vm_flags & VM_MIXEDMAP) {
		/* The page is that of another file, and not to be replaced. */
		put_page(page);
		err = -EFAULT;
	} else {
		err = pxa_break_put(page, vma->vm_file->f_mapping,
				    linear_page_index(vma, addr));
	}
	mmap_read_unlock(mm);
	if (err == -EHWPOISON)
		err = -EFAULT;
	return err ?: -EAGAIN;
}

/**
 * pxa_read_private_page - read_mapping_page() of a page in this place only
 * @mapping: the file's mapping
 * @index: offset in @mapping, in pages
 * @file: for ->readpage()
 *
 * Return: a page that is not shared, and is not going to be as long as the
 * reference is held; or an ERR_PTR().
 */
struct page *pxa_read_private_page(struct address_space *mapping,
				   pgoff_t index, struct file *file)
{
	struct page *page;

	for (;;) {
		page = read_mapping_page(mapping, index, file);
		if (IS_ERR(page) ||
		    READ_ONCE(compound_head(page)->mapping) == mapping)
			return page;
		/* Or it was, and has just left this place by migration. */
		pxa_break_put(page, mapping, index);
	}
}

static int __init pxa_init(void)
{
	/* Three low bits of page->mapping are needed to tell who uses it. */
	BUILD_BUG_ON(__alignof__(struct address_space) <= PAGE_MAPPING_XA_MASK);
	BUILD_BUG_ON(__alignof__(struct anon_vma) <= PAGE_MAPPING_XA_MASK);
	BUILD_BUG_ON(__alignof__(struct pxa) <= PAGE_MAPPING_XA_MASK);
	BUILD_BUG_ON(PAGE_MAPPING_FLAGS & PAGE_MAPPING_XA);

	/* Reclaim of a protected page frees them, as it does nodes of i_pages. */
	pxa_alias_cache = KMEM_CACHE(pxa_alias, SLAB_PANIC | SLAB_ACCOUNT |
						SLAB_RECLAIM_ACCOUNT);
	return 0;
}
core_initcall(pxa_init);
