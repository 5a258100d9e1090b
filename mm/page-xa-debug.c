// SPDX-License-Identifier: GPL-2.0
/*
 * CONFIG_DEBUG_PXA: check what mm/page-xa.c promises
 *
 * What a protected page is like is checked at each merge, break, drop, dissolve
 * and reclaim, its content at a migration too, and all of it for all of them by
 * reading debugfs file pxa/check:
 *
 * - its content is what it was when it became protected,
 * - it is clean, uptodate and without private data, and so are the marks of its
 *   slots,
 * - its aliases are as many as counted, and the slot of each holds the page,
 * - its ptes belong to its aliases, are read-only and clean, and no migration
 *   entry was forgotten.
 *
 * After a slot has changed hands, no area of its file has a pte or migration
 * entry left for the page that the slot has lost.
 *
 * lockdep does not know page locks.  While code of others runs on behalf of a
 * page that is shared, a lockdep map stands for the lock of that page: lockdep
 * learns what is taken inside, and lock_page() can ask whether the task must
 * not wait.  That two i_pages locks are never nested is for lockdep alone: all
 * are of one class, and would be reported as recursion.
 *
 * A problem is counted, traced and reported with the page and, where there is
 * one, the alias.  Stale entries of a TLB are out of sight here, they show by
 * the content that changes.
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmdebug.h>
#include <linux/mutex.h>
#include <linux/page-xa.h>
#include <linux/pagemap.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/xxhash.h>

#include <trace/events/pxa.h>

#include "page-xa-debug.h"

/* All protected pages; those that were checked last are at the end. */
static DEFINE_SPINLOCK(pxa_debug_lock);
static LIST_HEAD(pxa_debug_list);
static unsigned long pxa_debug_seqnr;

static atomic_long_t pxa_debug_count;

/* A test that provokes problems, and only wants them counted. */
static struct task_struct *pxa_debug_expected_by;

#ifdef CONFIG_LOCKDEP
/* Stands for the lock of a protected page while others' code runs. */
static struct lockdep_map pxa_debug_map =
	STATIC_LOCKDEP_MAP_INIT("pxa_page_lock", &pxa_debug_map);
#endif

/**
 * pxa_debug_problems - number of problems found since boot
 *
 * Return: that number.
 */
unsigned long pxa_debug_problems(void)
{
	return atomic_long_read(&pxa_debug_count);
}

/**
 * pxa_debug_expect - for tests: do not report what current provokes
 * @expect: false to report again
 *
 * Problems are still counted and traced.
 */
void pxa_debug_expect(bool expect)
{
	WRITE_ONCE(pxa_debug_expected_by, expect ? current : NULL);
}

/* Always returns 1, to be added up. @mapping is NULL if it is about no slot. */
static unsigned int pxa_problem(struct page *page,
				struct address_space *mapping, pgoff_t index,
				const char *what)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	atomic_long_inc(&pxa_debug_count);
	trace_pxa_problem(page, mapping, index, what);
	if (READ_ONCE(pxa_debug_expected_by) == current || !__ratelimit(&limit))
		return 1;

	if (mapping)
		pr_err("pxa: %s: pfn %lx, alias dev %s ino %lu index %lu\n",
		       what, page_to_pfn(page), mapping->host->i_sb->s_id,
		       mapping->host->i_ino, index);
	dump_page(page, what);
	/* Last, since this may be a panic. */
	WARN(1, "pxa: %s: pfn %lx\n", what, page_to_pfn(page));
	return 1;
}

/* -------------------------------------------------------------- content -- */

static u64 pxa_debug_hash(struct page *page)
{
	void *addr = kmap_atomic(page);
	u64 hash = xxh64(addr, PAGE_SIZE, 0);

	kunmap_atomic(addr);
	return hash;
}

static unsigned int pxa_debug_content(struct page *page, struct pxa *pxa,
				      struct address_space *mapping,
				      pgoff_t index)
{
	u64 hash;

	/* Nobody may read what the hardware has given up. */
	if (!pxa->ops->immutable || PageHWPoison(page))
		return 0;
	hash = pxa_debug_hash(page);
	if (hash == pxa->debug.hash)
		return 0;
	/* Each change is one problem. */
	pxa->debug.hash = hash;
	return pxa_problem(page, mapping, index, "the content has changed");
}

/**
 * pxa_debug_migrated - a protected page has got a new place in memory
 * @page: the new page, locked and protected, no slot has it yet
 */
void pxa_debug_migrated(struct page *page)
{
	pxa_debug_content(page, page_pxa(page), NULL, 0);
}

/*
 * The structure of a page that may not be locked, or NULL.  RCU keeps it in memory,
 * not in use.
 */
static struct pxa *pxa_debug_peek(struct page *page)
{
	unsigned long mapping = (unsigned long)READ_ONCE(page->mapping);

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "a page is looked at without RCU");
	if ((mapping & PAGE_MAPPING_XA_MASK) != PAGE_MAPPING_XA)
		return NULL;
	return (struct pxa *)(mapping & ~PAGE_MAPPING_XA_MASK);
}

/**
 * pxa_debug_insert - a page is about to be mapped in an area that is not of its file
 * @page: page with a reference
 *
 * A socket has received it, say. Of a protected page nobody can tell from now on
 * whether all its ptes are those of its aliases.
 *
 * Context: any.
 */
void pxa_debug_insert(struct page *page)
{
	struct pxa *pxa;

	rcu_read_lock();
	pxa = pxa_debug_peek(page);
	if (pxa)
		WRITE_ONCE(pxa->debug.inserted, true);
	rcu_read_unlock();
}

/**
 * pxa_debug_never - something happens to a page that must not, if it is protected
 * @page: head page
 * @what: what it is
 *
 * Tells who it was, unlike the checks that find out later.
 *
 * Context: any.
 */
void pxa_debug_never(struct page *page, const char *what)
{
	struct pxa *pxa;
	bool immutable;

	rcu_read_lock();
	pxa = pxa_debug_peek(page);
	immutable = pxa && pxa->ops->immutable;
	rcu_read_unlock();
	if (immutable)
		pxa_problem(page, NULL, 0, what);
}

/* ----------------------------------------------------------------- ptes -- */

struct pxa_debug_ptes {
	int			mapped;
	int			writable;
	int			dirty;
	int			migration;
};

static void pxa_debug_vma(struct page *page, struct vm_area_struct *vma,
			  unsigned long addr, struct pxa_debug_ptes *ptes)
{
	struct page_vma_mapped_walk pvmw = {
		.page = page,
		.vma = vma,
		.address = addr,
		.flags = PVMW_SYNC,
	};
	struct page_vma_mapped_walk migration = {
		.page = page,
		.vma = vma,
		.address = addr,
		.flags = PVMW_SYNC | PVMW_MIGRATION,
	};

	if (page_vma_mapped_walk(&pvmw)) {
		ptes->mapped++;
		ptes->writable += !!pte_write(*pvmw.pte);
		ptes->dirty += !!pte_dirty(*pvmw.pte);
		page_vma_mapped_walk_done(&pvmw);
	}
	if (page_vma_mapped_walk(&migration)) {
		ptes->migration++;
		page_vma_mapped_walk_done(&migration);
	}
}

/* Add up the ptes for @page in one slot, whoever it belongs to. */
static void pxa_debug_slot(struct page *page, struct address_space *mapping,
			   pgoff_t index, struct pxa_debug_ptes *ptes)
{
	struct vm_area_struct *vma;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, index, index) {
		pxa_debug_vma(page, vma, vma->vm_start +
			      ((index - vma->vm_pgoff) << PAGE_SHIFT), ptes);
		cond_resched();
	}
	i_mmap_unlock_read(mapping);
}

/*
 * Other ptes than the aliases and vm_insert_page() account for?  fork() and
 * munmap() change the number without the page lock, so that only what stays is
 * believed.
 */
static bool pxa_debug_astray(struct page *page, struct pxa *pxa)
{
	int try, count, extra = 0;

	for (try = 0; try < 3; try++) {
		struct pxa_debug_ptes ptes = { };
		struct pxa_alias *alias;

		count = page_mapcount(page);
		hlist_for_each_entry(alias, &pxa->aliases, node)
			pxa_debug_slot(page, alias->mapping, alias->index,
				       &ptes);
		if (page_mapcount(page) != count || ptes.mapped == count)
			return false;
		if (try && count - ptes.mapped != extra)
			return false;
		extra = count - ptes.mapped;
	}
	return extra < 0 || !READ_ONCE(pxa->debug.inserted);
}

/**
 * pxa_debug_left - a slot has lost a page: nothing may map it there any more
 * @page: locked page that the slot has lost
 * @mapping: the file's mapping; must not go away
 * @index: offset in @mapping, in pages
 *
 * Return: the number of problems.
 */
unsigned int pxa_debug_left(struct page *page, struct address_space *mapping,
			    pgoff_t index)
{
	struct pxa_debug_ptes ptes = { };
	unsigned int n = 0;

	VM_BUG_ON_PAGE(!PageLocked(page), page);
	pxa_debug_slot(page, mapping, index, &ptes);
	if (ptes.mapped)
		n += pxa_problem(page, mapping, index,
				 "mapped where it has left the slot");
	if (ptes.migration)
		n += pxa_problem(page, mapping, index,
				 "migration entry where it has left the slot");
	return n;
}

/* ------------------------------------------------------- the whole page -- */

static bool pxa_debug_marked(struct address_space *mapping, pgoff_t index)
{
	return xa_get_mark(&mapping->i_pages, index, PAGECACHE_TAG_DIRTY) ||
	       xa_get_mark(&mapping->i_pages, index, PAGECACHE_TAG_WRITEBACK) ||
	       xa_get_mark(&mapping->i_pages, index, PAGECACHE_TAG_TOWRITE);
}

static unsigned int pxa_debug_alias(struct page *page, struct pxa *pxa,
				    struct pxa_alias *alias, int *mapped)
{
	struct address_space *mapping = alias->mapping;
	struct pxa_debug_ptes ptes = { };
	pgoff_t index = alias->index;
	unsigned int n = 0;

	if (xa_load(&mapping->i_pages, index) != page)
		n += pxa_problem(page, mapping, index,
				 "alias of a slot that does not hold the page");
	if (pxa->ops->immutable && pxa_debug_marked(mapping, index))
		n += pxa_problem(page, mapping, index,
				 "the slot is marked for writeback");
	pxa_debug_slot(page, mapping, index, &ptes);
	if (ptes.writable)
		n += pxa_problem(page, mapping, index, "a pte is writable");
	if (ptes.dirty)
		n += pxa_problem(page, mapping, index, "a pte is dirty");
	if (ptes.migration)
		n += pxa_problem(page, mapping, index,
				 "a migration entry was forgotten");
	*mapped += ptes.mapped;
	return n;
}

/**
 * pxa_debug_page - is a protected page what it should be?
 * @page: locked protected page, not frozen
 * @mapping: of the alias that something is about to happen to, or has; or NULL
 * @index: of that alias
 *
 * Context: process context, may sleep; takes each i_mmap_rwsem and i_pages lock
 * in turn.
 * Return: the number of problems.
 */
unsigned int pxa_debug_page(struct page *page, struct address_space *mapping,
			    pgoff_t index)
{
	struct pxa *pxa = page_pxa(page);
	unsigned int nr = 0, n = 0;
	struct pxa_alias *alias;
	int mapped = 0;

	if (pxa->pfn != page_to_pfn(page))
		n += pxa_problem(page, mapping, index, "pxa of another page");
	if (pxa->ops->immutable && (PageDirty(page) || PageWriteback(page)))
		n += pxa_problem(page, mapping, index, "dirty or written back");
	if (pxa->ops->immutable && page_has_private(page))
		n += pxa_problem(page, mapping, index, "has private data");
	if (pxa->ops->immutable && !PageHWPoison(page) &&
	    !pxa_page_allowed(page))
		n += pxa_problem(page, mapping, index,
				 "not uptodate, or with flags of a filesystem");
	n += pxa_debug_content(page, pxa, mapping, index);

	hlist_for_each_entry(alias, &pxa->aliases, node) {
		/* A list that is damaged may have no end. */
		if (++nr > pxa->nr)
			break;
		n += pxa_debug_alias(page, pxa, alias, &mapped);
	}
	if (nr != pxa->nr)
		n += pxa_problem(page, mapping, index,
				 "number of aliases is wrong");
	else if (mapped != page_mapcount(page) && pxa_debug_astray(page, pxa))
		n += pxa_problem(page, mapping, index,
				 "mapped where it has no alias");
	return n;
}

/**
 * pxa_check - is a protected page what it should be?
 * @page: locked protected page, not frozen
 *
 * Return: the number of problems.
 */
unsigned int pxa_check(struct page *page)
{
	return pxa_debug_page(page, NULL, 0);
}

/**
 * pxa_debug_prepare - a page is about to become protected
 * @pxa: the owner's structure, which nobody else knows yet
 */
void pxa_debug_prepare(struct pxa *pxa)
{
	pxa->debug.inserted = false;
}

/**
 * pxa_debug_protect - a page has become protected
 * @page: locked protected page
 * @mapping: of its only alias
 * @index: of its only alias
 */
void pxa_debug_protect(struct page *page, struct address_space *mapping,
		       pgoff_t index)
{
	struct pxa *pxa = page_pxa(page);

	if (pxa->ops->immutable)
		pxa->debug.hash = pxa_debug_hash(page);
	spin_lock(&pxa_debug_lock);
	pxa->debug.seqnr = pxa_debug_seqnr;
	list_add_tail(&pxa->debug.list, &pxa_debug_list);
	spin_unlock(&pxa_debug_lock);
}

/**
 * pxa_debug_release - a page is about to belong to its owner no more
 * @page: locked page; nobody can have changed it yet
 * @pxa: the owner's structure
 */
void pxa_debug_release(struct page *page, struct pxa *pxa)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	pxa_debug_content(page, pxa, NULL, 0);
	spin_lock(&pxa_debug_lock);
	list_del(&pxa->debug.list);
	spin_unlock(&pxa_debug_lock);
}

/* Some page that this pass has not seen yet, with a reference. */
static struct page *pxa_debug_next(unsigned long seqnr, struct pxa **found)
{
	struct page *page = NULL;
	struct pxa *pxa;

	spin_lock(&pxa_debug_lock);
	while (!page) {
		pxa = list_first_entry_or_null(&pxa_debug_list, struct pxa,
					       debug.list);
		if (!pxa || pxa->debug.seqnr == seqnr)
			break;
		pxa->debug.seqnr = seqnr;
		list_move_tail(&pxa->debug.list, &pxa_debug_list);
		page = pfn_to_page(READ_ONCE(pxa->pfn));
		/* Else it is about to be freed, or it was migrated, and is another one. */
		if (!get_page_unless_zero(page)) {
			page = NULL;
		} else if (page_to_pfn(page) != READ_ONCE(pxa->pfn)) {
			put_page(page);
			page = NULL;
		}
		*found = pxa;
	}
	spin_unlock(&pxa_debug_lock);
	return page;
}

/**
 * pxa_check_all - check all protected pages
 *
 * Context: process context, may sleep; no page locked.
 * Return: the number of problems.
 */
unsigned long pxa_check_all(void)
{
	static DEFINE_MUTEX(mutex);
	unsigned long n = 0, seqnr;
	struct page *page;
	struct pxa *pxa;

	mutex_lock(&mutex);
	spin_lock(&pxa_debug_lock);
	seqnr = ++pxa_debug_seqnr;
	spin_unlock(&pxa_debug_lock);

	while (!fatal_signal_pending(current) &&
	       (page = pxa_debug_next(seqnr, &pxa))) {
		lock_page(page);
		if (PageXA(page) && page_pxa(page) == pxa)
			n += pxa_check(page);
		unlock_page(page);
		put_page(page);
		cond_resched();
	}
	mutex_unlock(&mutex);
	return n;
}

/* ---------------------------------------------------------------- locks -- */

#ifdef CONFIG_LOCKDEP

static bool pxa_debug_entered(void)
{
	/* Without lockdep all locks count as held. */
	return debug_locks && !current->lockdep_recursion &&
	       lock_is_held(&pxa_debug_map);
}

static bool pxa_debug_map_acquire(void)
{
	if (pxa_debug_entered())
		return false;
	/*
	 * As by trylock: the page was locked before, when fewer locks were held,
	 * or it was reclaim that tried to.
	 */
	lock_acquire_exclusive(&pxa_debug_map, 0, 1, NULL, _THIS_IP_);
	return true;
}

static void pxa_debug_map_release(void)
{
	lock_map_release(&pxa_debug_map);
}

#else

static bool pxa_debug_entered(void)
{
	return false;
}

static bool pxa_debug_map_acquire(void)
{
	return false;
}

static void pxa_debug_map_release(void)
{
}

#endif /* CONFIG_LOCKDEP */

/**
 * pxa_debug_enter - code of an owner or a filesystem is about to be called
 * @page: locked page that is protected, or is going to be
 *
 * It may sleep, but not wait for another page's lock.
 *
 * Return: what pxa_debug_leave() wants to know.
 */
bool pxa_debug_enter(struct page *page)
{
	VM_BUG_ON_PAGE(!PageLocked(page), page);
	/* might_sleep() alone is silent in kernels that do not count preemption. */
	if (irqs_disabled() || in_interrupt())
		pxa_problem(page, NULL, 0, "may sleep where this is forbidden");
	else
		might_sleep();
	return pxa_debug_map_acquire();
}

/**
 * pxa_debug_leave - that code has returned
 * @entered: what pxa_debug_enter() has returned
 */
void pxa_debug_leave(bool entered)
{
	if (entered)
		pxa_debug_map_release();
}

/**
 * pxa_debug_lock_page - somebody is going to wait for a page lock
 * @page: that page
 */
void pxa_debug_lock_page(struct page *page)
{
	if (unlikely(pxa_debug_entered()))
		pxa_problem(page, NULL, 0,
			    "waited for while a protected page is locked");
}
EXPORT_SYMBOL_GPL(pxa_debug_lock_page);

/* -------------------------------------------------------------- debugfs -- */

static int pxa_check_get(void *data, u64 *value)
{
	*value = pxa_check_all();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(pxa_check_fops, pxa_check_get, NULL, "%llu\n");

static int pxa_problems_get(void *data, u64 *value)
{
	*value = pxa_debug_problems();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(pxa_problems_fops, pxa_problems_get, NULL, "%llu\n");

static int __init pxa_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("pxa", NULL);

	debugfs_create_file("check", 0400, dir, NULL, &pxa_check_fops);
	debugfs_create_file("problems", 0400, dir, NULL, &pxa_problems_fops);
	return 0;
}
late_initcall(pxa_debug_init);
