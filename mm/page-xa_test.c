// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of protected pages, mm/page-xa.c, and of the page cache code that
 * meets them.
 *
 * The pages are those of two files of a small file system.  Most cases start
 * from one protected page in three slots: (a, 1), (b, 5) and (a, 9).
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kernel-page-flags.h>
#include <linux/kmsg_dump.h>
#include <linux/migrate.h>
#include <linux/pagevec.h>
#include <linux/pipe_fs_i.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include <trace/events/pxa.h>

#include "internal.h"
#include "page-xa-debug.h"
#include "page-xa_test.h"

/* An owner with nothing of its own. */
struct pxt_owner {
	struct pxa		pxa;
	unsigned int		broken;
	unsigned int		released;
	bool			nomem;
	bool			corrupts;	/* the content */
	struct page		*waits;		/* for the lock of this page */
};

struct pxt {
	struct vfsmount		*mnt;
	struct vfsmount		*plain_mnt;
	struct pxt_file		a;
	struct pxt_file		b;
	struct pxt_file		plain;		/* must not be shared */
	struct pxt_owner	owner;
	struct pxt_owner	second;		/* of what is refused */
	struct page		*page;		/* protected; a reference */
	struct mm_struct	*mm;		/* see pxt_mmap() */
	struct vm_area_struct	*vma;
	unsigned long		shared;		/* gauges at the start */
	unsigned long		sharing;
	unsigned long		problems;	/* that CONFIG_DEBUG_PXA found */
};

static void pxt_corrupt(struct page *page, u8 byte)
{
	u8 *addr = kmap_atomic(page);

	addr[PAGE_SIZE / 2] = byte;
	kunmap_atomic(addr);
}

static int pxt_break(struct pxa *pxa, struct page *page,
		     struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	struct pxt_owner *owner = container_of(pxa, struct pxt_owner, pxa);

	owner->broken++;
	if (owner->corrupts)
		pxt_corrupt(page, 0);
	if (owner->waits) {
		lock_page(owner->waits);
		unlock_page(owner->waits);
	}
	if (owner->nomem) {
		pxa_drop_alias(page, mapping, index);
		return -ENOMEM;
	}
	return pxa_copy_break(pxa, page, mapping, index, gfp);
}

static void pxt_release(struct pxa *pxa)
{
	container_of(pxa, struct pxt_owner, pxa)->released++;
}

static const struct pxa_ops pxt_pxa_ops = {
	.break_alias	= pxt_break,
	.release	= pxt_release,
	.immutable	= true,
};

/* The same file system, but it has not opted in. */
static struct file_system_type pxt_plain_fs_type = {
	.name			= "pxa_test_plain",
	.init_fs_context	= pxt_init_fs_context,
	.kill_sb		= kill_anon_super,
};

static int pxt_init(struct kunit *test)
{
	struct pxt *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct vfsmount *mnt;
	int err;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->owner.pxa.ops = &pxt_pxa_ops;
	t->second.pxa.ops = &pxt_pxa_ops;
	t->shared = pxa_node_state(NR_PXA_SHARED);
	t->sharing = pxa_node_state(NR_PXA_SHARING);
	t->problems = pxa_debug_problems();

	mnt = kern_mount(&pxt_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	t->mnt = mnt;
	mnt = kern_mount(&pxt_plain_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	t->plain_mnt = mnt;

	err = pxt_create(t->mnt, &t->a, 1);
	if (!err)
		err = pxt_create(t->mnt, &t->b, 1);
	if (!err)
		err = pxt_create(t->plain_mnt, &t->plain, 1);
	return err;
}

static void pxt_exit(struct kunit *test)
{
	struct pxt *t = test->priv;

	if (!t)
		return;
	pxt_on_release = NULL;
	pxa_debug_expect(false);
	if (t->page) {
		/* A case that was aborted may have left it locked. */
		if (PageLocked(t->page))
			unlock_page(t->page);
		put_page(t->page);
	}
	if (t->mm) {
		mmput(t->mm);
		flush_delayed_fput();
	}
	iput(t->a.inode);
	iput(t->b.inode);
	iput(t->plain.inode);
	if (t->plain_mnt)
		kern_unmount(t->plain_mnt);
	if (t->mnt)
		kern_unmount(t->mnt);
	/* Eviction has emptied all slots. */
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARED), t->shared);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARING), t->sharing);
	KUNIT_EXPECT_EQ(test, pxa_debug_problems(), t->problems);
}

/* The gauges have grown by this much since the start of the case. */
static void pxt_gauges(struct kunit *test, unsigned long shared,
		       unsigned long sharing)
{
	struct pxt *t = test->priv;

	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARED) - t->shared,
			shared);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARING) - t->sharing,
			sharing);
}

/* Nothing is in the slot, not even a shadow entry. */
static void pxt_empty(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	KUNIT_EXPECT_TRUE(test, !pxt_slot(f, index));
}

/* pxa_protect() with an alias of its own; the page is not locked. */
static int pxt_try_protect(struct pxt *t, struct page *page,
			   struct pxt_file *f, pgoff_t index)
{
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	int ret;

	lock_page(page);
	ret = pxa_protect(page, f->mapping, index, 1, &t->owner.pxa, alias);
	unlock_page(page);
	if (ret)
		pxa_alias_free(alias);
	lru_add_drain_all();
	return ret;
}

/* pxa_merge() into the protected page; neither page is locked. */
static int pxt_try_merge(struct pxt *t, struct page *old, struct pxt_file *f,
			 pgoff_t index)
{
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	int ret;

	lock_page(old);
	lock_page(t->page);
	ret = pxa_merge(old, f->mapping, index, 1, t->page, alias);
	unlock_page(t->page);
	unlock_page(old);
	if (ret)
		pxa_alias_free(alias);
	lru_add_drain_all();
	return ret;
}

/* Make the page at @index the protected one of the case. */
static void pxt_protect(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct pxt *t = test->priv;
	struct page *page = pxt_read(test, f, index);
	int ret = pxt_try_protect(t, page, f, index);

	if (ret)
		put_page(page);
	else
		t->page = page;
	KUNIT_ASSERT_EQ(test, ret, 0);
}

static void pxt_merge(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct pxt *t = test->priv;
	struct page *page = pxt_read(test, f, index);
	int ret = pxt_try_merge(t, page, f, index);

	put_page(page);
	KUNIT_ASSERT_EQ(test, ret, 0);
}

static void pxt_share(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_protect(test, &t->a, 1);
	pxt_merge(test, &t->b, 5);
	pxt_merge(test, &t->a, 9);
	pxt_gauges(test, 1, 2);
}

static bool pxt_has_alias(struct pxt *t, struct pxt_file *f, pgoff_t index)
{
	bool ret;

	lock_page(t->page);
	ret = PageXA(t->page) && pxa_find_alias(t->page, f->mapping, index);
	unlock_page(t->page);
	return ret;
}

/* Is the slot, or is it not, one of those that share the protected page? */
static void pxt_shares(struct kunit *test, struct pxt_file *f, pgoff_t index,
		       bool shares)
{
	struct pxt *t = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, (bool)(pxt_slot(f, index) == t->page), shares,
			    "slot %lu", index);
	KUNIT_EXPECT_EQ_MSG(test, pxt_has_alias(t, f, index), shares,
			    "alias %lu", index);
}

/* The protected page is whole, and has that many aliases. */
static void pxt_intact(struct kunit *test, unsigned int nr)
{
	struct pxt *t = test->priv;
	struct page *page = t->page;

	KUNIT_EXPECT_TRUE(test, PageXA(page));
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_TRUE(test, PageUptodate(page));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, t->owner.pxa.nr, nr);
	KUNIT_EXPECT_EQ(test, t->owner.pxa.pfn, page_to_pfn(page));
	KUNIT_EXPECT_EQ(test, t->owner.released, 0u);
	KUNIT_EXPECT_TRUE(test, pxt_filled(page, 1));
	lru_add_drain_all();
	KUNIT_EXPECT_EQ(test, page_count(page), (int)nr + 1);
}

/* The page belongs to nobody; only the reference of the case is left. */
static void pxt_gone(struct kunit *test)
{
	struct pxt *t = test->priv;

	KUNIT_EXPECT_FALSE(test, PageXA(t->page));
	KUNIT_EXPECT_TRUE(test, !t->page->mapping);
	KUNIT_EXPECT_EQ(test, t->owner.pxa.nr, 0u);
	KUNIT_EXPECT_TRUE(test, hlist_empty(&t->owner.pxa.aliases));
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
	lru_add_drain_all();
	KUNIT_EXPECT_EQ(test, page_count(t->page), 1);
	pxt_gauges(test, 0, 0);
}

static int pxt_break_alias(struct pxt *t, struct pxt_file *f, pgoff_t index)
{
	int ret;

	lock_page(t->page);
	ret = pxa_break_alias(t->page, f->mapping, index);
	unlock_page(t->page);
	lru_add_drain_all();
	return ret;
}

static int pxt_drop_alias(struct pxt *t, struct pxt_file *f, pgoff_t index)
{
	int ret;

	lock_page(t->page);
	ret = pxa_drop_alias(t->page, f->mapping, index);
	unlock_page(t->page);
	return ret;
}

static struct file *pxt_open(struct kunit *test, struct pxt_file *f)
{
	static const struct file_operations fops;
	struct pxt *t = test->priv;
	struct file *file;

	ihold(f->inode);
	file = alloc_file_pseudo(f->inode, t->mnt, "f", O_RDWR, &fops);
	if (IS_ERR(file))
		iput(f->inode);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	return file;
}

/* ---------------------------------------------------------------- tags -- */

static void pxa_tag_values(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long file = (unsigned long)t->a.mapping;
	const struct {
		unsigned long	word;
		bool		xa;
		unsigned long	mapping;
	} tag[] = {
		{ 0, false, 0 },
		{ file, false, file },
		{ file | PAGE_MAPPING_ANON, false, 0 },
		{ file | PAGE_MAPPING_MOVABLE, false, file },
		{ file | PAGE_MAPPING_KSM, false, 0 },
		{ file | PAGE_MAPPING_XA, true, 0 },
		{ file | PAGE_MAPPING_XA | PAGE_MAPPING_ANON, false, 0 },
		{ file | PAGE_MAPPING_XA | PAGE_MAPPING_MOVABLE, false, 0 },
		{ file | PAGE_MAPPING_XA | PAGE_MAPPING_KSM, false, 0 },
		{ 0x5A110C8D, false, 0 },	/* bits 0 and 2 of a number */
		{ 0x5A110C8D5A110C8D, false, 0 },
	};
	struct page *page = alloc_page(GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	for (i = 0; i < ARRAY_SIZE(tag); i++) {
		page->mapping = (struct address_space *)tag[i].word;
		KUNIT_EXPECT_EQ_MSG(test, PageXA(page), tag[i].xa,
				    "word %lx", tag[i].word);
		KUNIT_EXPECT_EQ_MSG(test, (unsigned long)page_mapping(page),
				    tag[i].mapping, "word %lx", tag[i].word);
	}
	page->mapping = NULL;
	put_page(page);
}

static void pxa_tag_tail(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	/* Where an ordinary page has its mapping; otherwise this is no test. */
	KUNIT_EXPECT_EQ(test, (unsigned long)page[1].mapping &
			PAGE_MAPPING_XA_MASK, PAGE_MAPPING_XA);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_FALSE(test, PageXA(page + i));
		KUNIT_EXPECT_TRUE(test, !page_mapping(page + i));
	}
	__free_pages(page, 2);
}

static void pxa_tag_protected(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *other = pxt_read(test, &t->a, 2);

	pxt_share(test);
	KUNIT_EXPECT_TRUE(test, PageXA(t->page));
	KUNIT_EXPECT_TRUE(test, !page_mapping(t->page));
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(t->a.mapping, t->page),
			    t->a.mapping);
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(t->b.mapping, t->page),
			    t->b.mapping);
	KUNIT_EXPECT_FALSE(test, PageAnon(t->page));
	KUNIT_EXPECT_FALSE(test, PageKsm(t->page));
	KUNIT_EXPECT_FALSE(test, __PageMovable(t->page));

	KUNIT_EXPECT_FALSE(test, PageXA(other));
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(t->a.mapping, other),
			    t->a.mapping);
#ifdef CONFIG_PROC_PAGE_MONITOR
	/* What /proc/kpageflags says. */
	KUNIT_EXPECT_TRUE(test, stable_page_flags(t->page) & BIT(KPF_KSM));
	KUNIT_EXPECT_FALSE(test, stable_page_flags(t->page) & BIT(KPF_ANON));
	KUNIT_EXPECT_FALSE(test, stable_page_flags(other) & BIT(KPF_KSM));
#endif
	put_page(other);
}

/* Never called: having it is what counts. */
static void pxt_freepage(struct address_space *mapping, struct page *page)
{
}

static void pxa_allowed(struct kunit *test)
{
	static const struct address_space_operations freepage_aops = {
		.readpage	= pxt_readpage,
		.freepage	= pxt_freepage,
	};
	static const struct address_space_operations no_aops;
	struct pxt *t = test->priv;
	struct inode *inode = t->a.inode;
	struct address_space *mapping = t->a.mapping;

	KUNIT_EXPECT_TRUE(test, mapping_pxa_allowed(mapping));
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(t->plain.mapping));

	inode->i_flags |= S_SWAPFILE;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	inode->i_flags &= ~S_SWAPFILE;

	inode->i_flags |= S_ENCRYPTED;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	inode->i_flags &= ~S_ENCRYPTED;

	inode->i_mode = S_IFBLK | 0600;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	inode->i_mode = S_IFREG | 0600;

	mapping_set_unevictable(mapping);
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	mapping_clear_unevictable(mapping);

	inode->i_mapping = t->b.mapping;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	inode->i_mapping = mapping;

	mapping->a_ops = &freepage_aops;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	mapping->a_ops = &no_aops;
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(mapping));
	mapping->a_ops = &pxt_aops;

	KUNIT_EXPECT_TRUE(test, mapping_pxa_allowed(mapping));
}

/* ------------------------------------------------------ protect, merge -- */

/* What must not change when a page is not shared. */
struct pxt_state {
	struct page		*slot;
	struct address_space	*mapping;
	pgoff_t			index;
	unsigned long		flags;
	int			count;
	unsigned long		nrpages;
	unsigned long		file_pages;
	unsigned long		shared;
	unsigned long		sharing;
	unsigned long		merges;
};

static void pxt_state(struct pxt_state *s, struct page *page,
		      struct pxt_file *f, pgoff_t index)
{
	lru_add_drain_all();
	s->slot = pxt_slot(f, index);
	s->mapping = page->mapping;
	s->index = page->index;
	s->flags = page->flags & ~(1UL << PG_waiters);
	s->count = page_count(page);
	s->nrpages = f->mapping->nrpages;
	s->file_pages = pxa_node_state(NR_FILE_PAGES);
	s->shared = pxa_node_state(NR_PXA_SHARED);
	s->sharing = pxa_node_state(NR_PXA_SHARING);
	s->merges = pxa_event(PXA_MERGE);
}

static void pxt_unchanged(struct kunit *test, const struct pxt_state *s,
			  struct page *page, struct pxt_file *f, pgoff_t index)
{
	struct pxt_state now;

	pxt_state(&now, page, f, index);
	KUNIT_EXPECT_PTR_EQ(test, now.slot, s->slot);
	KUNIT_EXPECT_PTR_EQ(test, now.mapping, s->mapping);
	KUNIT_EXPECT_EQ(test, now.index, s->index);
	KUNIT_EXPECT_EQ(test, now.flags, s->flags);
	KUNIT_EXPECT_EQ(test, now.count, s->count);
	KUNIT_EXPECT_EQ(test, now.nrpages, s->nrpages);
	KUNIT_EXPECT_EQ(test, now.file_pages, s->file_pages);
	KUNIT_EXPECT_EQ(test, now.shared, s->shared);
	KUNIT_EXPECT_EQ(test, now.sharing, s->sharing);
	KUNIT_EXPECT_EQ(test, now.merges, s->merges);
}

/* What says something of one place must not be said of others. */
static void pxa_protect_marks(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page = pxt_read(test, &t->a, 1);

	SetPageReadahead(page);
	SetPageMappedToDisk(page);
	put_page(page);
	pxt_share(test);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	KUNIT_EXPECT_FALSE(test, PageReadahead(page));
	KUNIT_EXPECT_FALSE(test, PageMappedToDisk(page));
}

static void pxa_protect_dissolve(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page = pxt_read(test, &t->a, 3);
	struct pxt_state before;
	int ret;

	t->page = page;
	pxt_state(&before, page, &t->a, 3);
	KUNIT_EXPECT_EQ(test, before.count, 2);
	KUNIT_EXPECT_EQ(test, before.nrpages, 1UL);

	KUNIT_ASSERT_EQ(test, pxt_try_protect(t, page, &t->a, 3), 0);
	pxt_intact(test, 1);
	pxt_shares(test, &t->a, 3, true);
	pxt_gauges(test, 1, 0);
	KUNIT_EXPECT_GT(test, page->index, (pgoff_t)PXT_PAGES);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 1UL);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES),
			before.file_pages);

	lock_page(page);
	ret = pxa_dissolve(page, 1);
	unlock_page(page);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
	pxt_unchanged(test, &before, page, &t->a, 3);
	pxt_ordinary(test, &t->a, 3);
}

/* A reader of a former alias must not see what is written later. */
static void pxa_dissolve_refused(struct kunit *test)
{
	struct pxt *t = test->priv;
	int ret;

	pxt_protect(test, &t->a, 1);
	get_page(t->page);
	lock_page(t->page);
	ret = pxa_dissolve(t->page, 1);
	unlock_page(t->page);
	put_page(t->page);
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	pxt_intact(test, 1);
	pxt_shares(test, &t->a, 1, true);

	pxt_merge(test, &t->b, 5);
	lock_page(t->page);
	ret = pxa_dissolve(t->page, 1);
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	pxt_intact(test, 2);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->b, 5, true);
}

static void pxa_aliases(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pxa_alias *alias, *found;
	unsigned int n = 0;

	pxt_share(test);
	pxt_intact(test, 3);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->b, 5, true);
	pxt_shares(test, &t->a, 9, true);
	/* Right mapping or right index is not enough. */
	pxt_shares(test, &t->a, 5, false);
	pxt_shares(test, &t->b, 1, false);
	pxt_shares(test, &t->b, 9, false);
	pxt_shares(test, &t->plain, 1, false);

	lock_page(t->page);
	hlist_for_each_entry(alias, &page_pxa(t->page)->aliases, node) {
		n++;
		found = pxa_find_alias(t->page, alias->mapping, alias->index);
		KUNIT_EXPECT_PTR_EQ(test, alias, found);
	}
	KUNIT_EXPECT_TRUE(test, page_cache_match(t->page, t->a.mapping, 1));
	KUNIT_EXPECT_TRUE(test, page_cache_match(t->page, t->b.mapping, 5));
	KUNIT_EXPECT_FALSE(test, page_cache_match(t->page, t->b.mapping, 1));
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, n, 3u);
}

static void pxa_merge_pages(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long merges = pxa_event(PXA_MERGE);
	struct pxt_state before;
	struct page *old;

	pxt_protect(test, &t->a, 1);
	old = pxt_read(test, &t->b, 5);
	pxt_state(&before, old, &t->b, 5);
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, &t->b, 5), 0);

	pxt_intact(test, 2);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->b, 5, true);
	pxt_gauges(test, 1, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_MERGE), merges + 1);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, before.nrpages);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES),
			before.file_pages - 1);

	/* Nobody but the case knows it, so that it is freed now. */
	KUNIT_EXPECT_EQ(test, page_count(old), 1);
	KUNIT_EXPECT_TRUE(test, !old->mapping);
	KUNIT_EXPECT_FALSE(test, PageLRU(old));
	put_page(old);

	/* Reading it is as before. */
	old = pxt_read(test, &t->b, 5);
	KUNIT_EXPECT_PTR_EQ(test, old, t->page);
	put_page(old);
}

/* Neither merges with the protected page nor can be protected itself. */
static void pxt_refused(struct kunit *test, struct page *old,
			struct pxt_file *f, pgoff_t index,
			enum vm_event_item event, int err)
{
	struct pxt *t = test->priv;
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	unsigned int nr = t->owner.pxa.nr;
	struct pxt_state before;
	unsigned long refused;
	int ret;

	pxt_state(&before, old, f, index);
	refused = pxa_event(event);

	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, f, index), err);
	KUNIT_EXPECT_EQ(test, pxa_event(event), refused + 1);
	pxt_unchanged(test, &before, old, f, index);
	pxt_shares(test, f, index, false);
	pxt_intact(test, nr);

	/* Its content doesn't matter there. */
	if (event != PXA_REFUSED_CHANGED) {
		lock_page(old);
		ret = pxa_protect(old, f->mapping, index, 1, &t->second.pxa,
				  alias);
		unlock_page(old);
		KUNIT_ASSERT_EQ(test, ret, err);
		KUNIT_EXPECT_EQ(test, pxa_event(event), refused + 2);
		pxt_unchanged(test, &before, old, f, index);
	}
	pxa_alias_free(alias);
}

/* Once the obstacle is gone, the page is merged. */
static void pxt_accepted(struct kunit *test, struct page *old,
			 struct pxt_file *f, pgoff_t index)
{
	struct pxt *t = test->priv;

	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, f, index), 0);
	pxt_shares(test, f, index, true);
	put_page(old);
	pxt_intact(test, t->owner.pxa.nr);
}

/* The file system would give it up, but is not asked for nothing. */
static void pxt_set_private(struct page *page)
{
	get_page(page);
	SetPagePrivate(page);
	set_page_private(page, 0);
}

static void pxa_refused_pinned(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	get_page(old);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_PINNED, -EBUSY);
	put_page(old);
	pxt_accepted(test, old, &t->b, 2);
}

/* As if fork had mapped the page once more between two looks at its counts. */
static void pxa_refused_pinned_mapped(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	get_page(old);
	atomic_inc(&old->_mapcount);
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, &t->b, 2), -EBUSY);
	atomic_dec(&old->_mapcount);
	KUNIT_EXPECT_TRUE(test, PagePrivate(old));
	put_page(old);
	pxt_accepted(test, old, &t->b, 2);
}

static void pxa_refused_dirty(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	SetPageDirty(old);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_DIRTY, -EBUSY);
	ClearPageDirty(old);
	set_bit(PG_writeback, &old->flags);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_DIRTY, -EBUSY);
	clear_bit(PG_writeback, &old->flags);
	pxt_accepted(test, old, &t->b, 2);
}

/* The lock is taken in interrupts, xa_set_mark() would not disable them. */
static void pxt_mark(struct pxt_file *f, pgoff_t index, bool on, xa_mark_t mark)
{
	struct xarray *xa = &f->mapping->i_pages;

	xa_lock_irq(xa);
	if (on)
		__xa_set_mark(xa, index, mark);
	else
		__xa_clear_mark(xa, index, mark);
	xa_unlock_irq(xa);
}

/* Tags stay with the slot: writeback would find the shared page. */
static void pxa_refused_tag(struct kunit *test)
{
	static const xa_mark_t marks[] = {
		PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK,
	};
	struct pxt *t = test->priv;
	struct page *old;
	int i;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		pxt_mark(&t->b, 2, true, marks[i]);
		pxt_refused(test, old, &t->b, 2, PXA_REFUSED_DIRTY, -EBUSY);
		KUNIT_EXPECT_TRUE(test, xa_get_mark(&t->b.mapping->i_pages, 2,
						    marks[i]));
		pxt_mark(&t->b, 2, false, marks[i]);
	}
	pxt_mark(&t->b, 2, true, PAGECACHE_TAG_TOWRITE);
	pxt_accepted(test, old, &t->b, 2);
	KUNIT_EXPECT_FALSE(test, xa_get_mark(&t->b.mapping->i_pages, 2,
					     PAGECACHE_TAG_TOWRITE));
}

static void pxa_refused_changed(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	t->b.last[2] = 2;
	old = pxt_read(test, &t->b, 2);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_CHANGED, -ESTALE);
	KUNIT_EXPECT_TRUE(test, pxt_filled(old, 2));
	pxt_fill(old, 1);
	pxt_accepted(test, old, &t->b, 2);
}

static void pxa_refused_private(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	get_page(old);
	SetPagePrivate(old);
	set_page_private(old, 1);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_PRIVATE, -EBUSY);
	/* Now the file system gives it up. */
	set_page_private(old, 0);
	pxt_accepted(test, old, &t->b, 2);
}

static void pxt_get_page(struct page *page)
{
	get_page(page);
}

static void pxt_set_dirty(struct page *page)
{
	SetPageDirty(page);
}

/* What is found out only after the file system gave up its private data. */
static void pxa_refused_late(struct kunit *test)
{
	unsigned long pinned = pxa_event(PXA_REFUSED_PINNED);
	unsigned long dirty = pxa_event(PXA_REFUSED_DIRTY);
	struct pxt *t = test->priv;
	struct pxa_alias *alias;
	struct page *old;
	int ret;

	pxt_share(test);

	/* Who has a reference may be writing: the content says nothing. */
	t->b.last[2] = 2;
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	pxt_on_release = pxt_get_page;
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, &t->b, 2), -EBUSY);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_PINNED), pinned + 1);
	put_page(old);
	pxt_ordinary(test, &t->b, 2);

	pxt_set_private(old);
	alias = pxa_alias_alloc(GFP_KERNEL);
	lock_page(old);
	ret = pxa_protect(old, t->b.mapping, 2, 1, &t->second.pxa, alias);
	unlock_page(old);
	lru_add_drain_all();
	put_page(old);
	KUNIT_ASSERT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_PINNED), pinned + 2);
	pxt_ordinary(test, &t->b, 2);

	t->b.last[2] = 1;
	pxt_fill(old, 1);
	pxt_set_private(old);
	pxt_on_release = pxt_set_dirty;
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, &t->b, 2), -EBUSY);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_DIRTY), dirty + 1);
	KUNIT_EXPECT_TRUE(test, PageDirty(old));
	pxt_ordinary(test, &t->b, 2);

	ClearPageDirty(old);
	pxt_set_private(old);
	lock_page(old);
	ret = pxa_protect(old, t->b.mapping, 2, 1, &t->second.pxa, alias);
	unlock_page(old);
	lru_add_drain_all();
	KUNIT_ASSERT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_DIRTY), dirty + 2);
	pxa_alias_free(alias);
	pxt_ordinary(test, &t->b, 2);

	ClearPageDirty(old);
	pxt_on_release = NULL;
	pxt_accepted(test, old, &t->b, 2);
}

static struct page *pxt_shared;

static void pxt_fail_memory(struct page *page)
{
	SetPageHWPoison(pxt_shared);
}

/* The memory of the shared page fails while the other one is made ready. */
static void pxa_refused_poisoned(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return;
	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	pxt_shared = t->page;
	pxt_on_release = pxt_fail_memory;
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, old, &t->b, 2), -EINVAL);
	KUNIT_EXPECT_TRUE(test, PageHWPoison(pxt_shared));
	ClearPageHWPoison(pxt_shared);
	pxt_ordinary(test, &t->b, 2);

	pxt_on_release = NULL;
	pxt_accepted(test, old, &t->b, 2);
}

/* What the filesystem allocates enters neither a filesystem nor reclaim. */
static void pxa_release_context(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_release_gfp = __GFP_FS;
	pxt_release_flags = 0;
	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_set_private(old);
	pxt_accepted(test, old, &t->b, 2);
	KUNIT_EXPECT_FALSE(test, pxt_release_gfp & __GFP_FS);
	KUNIT_EXPECT_TRUE(test, pxt_release_flags & PF_MEMALLOC);
	KUNIT_EXPECT_FALSE(test, current->flags & PF_MEMALLOC);
}

/* The last reference of a page that nobody looks at is that of its slot. */
static void pxa_unpoison(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return;
	pxt_protect(test, &t->a, 1);
	page = t->page;
	SetPageHWPoison(page);
	put_page(page);
	KUNIT_ASSERT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, unpoison_memory(page_to_pfn(page)), 0);
	KUNIT_ASSERT_EQ(test, page_count(page), 1);
	get_page(page);
	KUNIT_EXPECT_TRUE(test, PageHWPoison(page));
	ClearPageHWPoison(page);
	pxt_shares(test, &t->a, 1, true);
	pxt_intact(test, 1);
}

/* A pipe may have a page of the file for its own, but not that of several. */
static void pxa_steal(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pipe_buffer buf = {
		.len	= PAGE_SIZE,
		.ops	= &page_cache_pipe_buf_ops,
	};

	pxt_share(test);
	buf.page = t->page;
	KUNIT_EXPECT_FALSE(test, pipe_buf_try_steal(NULL, &buf));
	KUNIT_EXPECT_FALSE(test, PageLocked(t->page));
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
	pxt_intact(test, 3);
}

static void pxa_refused_file(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->plain, 2);
	pxt_refused(test, old, &t->plain, 2, PXA_REFUSED_UNSUPPORTED, -EINVAL);
	put_page(old);

	old = pxt_read(test, &t->b, 2);
	t->b.inode->i_flags |= S_SWAPFILE;
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_UNSUPPORTED, -EINVAL);
	t->b.inode->i_flags &= ~S_SWAPFILE;
	pxt_accepted(test, old, &t->b, 2);
}

static void pxa_refused_page(struct kunit *test)
{
	static const int flag[] = {
		PG_error, PG_reserved, PG_private_2, PG_owner_priv_1,
		PG_swapbacked,
	};
	struct pxt *t = test->priv;
	struct page *old;
	int i;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	/* Which LRU list it is on depends on PG_swapbacked. */
	KUNIT_ASSERT_EQ(test, isolate_lru_page(old), 0);
	for (i = 0; i < ARRAY_SIZE(flag); i++) {
		KUNIT_EXPECT_TRUE(test, pxa_page_allowed(old));
		set_bit(flag[i], &old->flags);
		/* Which is right for another mapping. */
		KUNIT_EXPECT_TRUE(test, pxa_page_allowed(old) ==
				  (flag[i] == PG_swapbacked));
		pxt_refused(test, old, &t->b, 2, PXA_REFUSED_UNSUPPORTED,
			    -EINVAL);
		clear_bit(flag[i], &old->flags);
	}
	putback_lru_page(old);
	lru_add_drain_all();
	ClearPageUptodate(old);
	pxt_refused(test, old, &t->b, 2, PXA_REFUSED_UNSUPPORTED, -EINVAL);
	SetPageUptodate(old);
	pxt_accepted(test, old, &t->b, 2);
}

static void pxa_refused_eof(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *last, *beyond;

	pxt_share(test);
	last = pxt_read(test, &t->b, 8);
	beyond = pxt_read(test, &t->b, 9);
	i_size_write(t->b.inode, (8 << PAGE_SHIFT) + 1);
	pxt_refused(test, beyond, &t->b, 9, PXA_REFUSED_UNSUPPORTED, -EINVAL);
	put_page(beyond);
	pxt_accepted(test, last, &t->b, 8);
}

/* The caller's idea of where the page is may be out of date. */
static void pxa_refused_moved(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = pxt_read(test, &t->b, 2);
	pxt_refused(test, old, &t->b, 3, PXA_REFUSED_BUSY, -EAGAIN);
	pxt_refused(test, old, &t->a, 2, PXA_REFUSED_BUSY, -EAGAIN);
	pxt_accepted(test, old, &t->b, 2);
}

/* ------------------------------------------------------- break and drop -- */

static void pxa_break_copies(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long files, breaks = pxa_event(PXA_BREAK);
	struct page *copy;

	pxt_share(test);
	files = pxa_node_state(NR_FILE_PAGES);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), 0);

	pxt_ordinary(test, &t->b, 5);
	copy = pxt_slot(&t->b, 5);
	KUNIT_EXPECT_PTR_NE(test, copy, t->page);
	KUNIT_EXPECT_EQ(test, page_count(copy), 1);
	KUNIT_EXPECT_TRUE(test, PageLRU(copy));
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, 1UL);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files + 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_BREAK), breaks + 1);

	/* What is written there is written nowhere else. */
	pxt_fill(copy, 7);
	pxt_intact(test, 2);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, false);
	pxt_gauges(test, 1, 1);

	/* It is no alias any more. */
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), -ENOENT);
	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(&t->b, 5), copy);
	pxt_intact(test, 2);
}

static void pxa_break_last_in_place(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 1), 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	pxt_intact(test, 1);
	pxt_gauges(test, 1, 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), 0);

	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(&t->b, 5), t->page);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 9);
	pxt_ordinary(test, &t->b, 5);
	KUNIT_EXPECT_EQ(test, page_count(t->page), 2);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
	pxt_gauges(test, 0, 0);
}

static void pxa_break_last_copies(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 1), 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	/* Perhaps of somebody who found it as (a, 9), and reads on. */
	get_page(t->page);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), 0);
	put_page(t->page);

	pxt_ordinary(test, &t->b, 5);
	KUNIT_EXPECT_PTR_NE(test, pxt_slot(&t->b, 5), t->page);
	pxt_gone(test);
}

static void pxa_drop_aliases(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long drops = pxa_event(PXA_DROP);
	struct page *page;

	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 2), -ENOENT);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 1), 0);
	pxt_empty(test, &t->a, 1);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 1UL);
	pxt_intact(test, 2);
	pxt_gauges(test, 1, 1);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 1), -ENOENT);

	/* It is read again. */
	t->a.last[1] = 4;
	page = pxt_read(test, &t->a, 1);
	put_page(page);
	pxt_ordinary(test, &t->a, 1);

	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 9), 0);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->b, 5), 0);
	pxt_empty(test, &t->a, 9);
	pxt_empty(test, &t->b, 5);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, 0UL);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_DROP), drops + 3);
	pxt_gone(test);
}

static void pxa_break_ranges(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page = pxt_read(test, &t->a, 0);

	pxt_share(test);
	put_page(page);
	pxt_merge(test, &t->a, 3);
	pxt_merge(test, &t->a, 4);
	pxa_break_range(t->a.mapping, 2, 3);
	pxt_intact(test, 4);
	pxt_ordinary(test, &t->a, 3);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 4, true);

	pxa_break_range(t->a.mapping, 0, ULONG_MAX);
	pxt_intact(test, 1);
	pxt_shares(test, &t->b, 5, true);
	pxt_ordinary(test, &t->a, 0);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 4);
	pxt_ordinary(test, &t->a, 9);
	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(&t->a, 0), page);
}

/* ------------------------------------------------------------- lookups -- */

static void pxt_found(struct kunit *test, struct page *page,
		      struct pxt_file *f, pgoff_t index)
{
	struct pxt *t = test->priv;

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(page));
	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	unlock_page(page);
	put_page(page);
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	KUNIT_EXPECT_PTR_EQ(test, page, pxt_slot(f, index));
	pxt_ordinary(test, f, index);
}

static void pxa_lookup_breaks(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxt_merge(test, &t->b, 6);
	pxt_found(test, find_lock_page(t->a.mapping, 1), &t->a, 1);
	pxt_intact(test, 3);
	pxt_found(test, find_or_create_page(t->b.mapping, 5, GFP_KERNEL),
		  &t->b, 5);
	pxt_intact(test, 2);
	pxt_found(test, find_lock_entry(t->a.mapping, 9), &t->a, 9);
	pxt_intact(test, 1);
	pxt_found(test, grab_cache_page_write_begin(t->b.mapping, 6, 0),
		  &t->b, 6);
	pxt_gone(test);
}

static void pxa_lookup_nowait(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	page = grab_cache_page_nowait(t->a.mapping, 9);
	KUNIT_EXPECT_TRUE(test, !page);
	if (page) {
		unlock_page(page);
		put_page(page);
	}
	pxt_intact(test, 3);
	pxt_shares(test, &t->a, 9, true);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 0u);
}

/* Who only reads does not break anything. */
static void pxa_lookup_reads(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	page = find_get_page(t->a.mapping, 1);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	put_page(page);
	page = read_mapping_page(t->b.mapping, 5, NULL);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	put_page(page);
	pxt_intact(test, 3);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 0u);
}

/* Without memory for a copy the slot is empty, which is filled again. */
static void pxa_lookup_nomem(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	t->owner.nomem = true;
	page = find_lock_page(t->a.mapping, 1);
	KUNIT_EXPECT_TRUE(test, !page);
	pxt_empty(test, &t->a, 1);
	pxt_intact(test, 2);

	page = find_or_create_page(t->a.mapping, 9, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	KUNIT_EXPECT_PTR_EQ(test, page->mapping, t->a.mapping);
	KUNIT_EXPECT_FALSE(test, PageUptodate(page));
	unlock_page(page);
	put_page(page);
	pxt_intact(test, 1);

	page = pxt_read(test, &t->a, 9);
	put_page(page);
	pxt_ordinary(test, &t->a, 9);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 2u);
}

static void pxa_lookup_private(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	page = pxa_read_private_page(t->a.mapping, 1, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	pxt_ordinary(test, &t->a, 1);
	pxt_intact(test, 2);

	/* As long as it is held nobody shares it. */
	get_page(page);
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, page, &t->a, 1), -EBUSY);
	put_page(page);
	pxt_accepted(test, page, &t->a, 1);

	page = pxa_read_private_page(t->a.mapping, 3, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	pxt_ordinary(test, &t->a, 3);
	put_page(page);
}

/* ---------------------------------------------- truncate and invalidate -- */

/* (a, 0) to (a, 9) in the cache, of them 1, 3, 4 and 9 shared with (b, 5) */
static void pxt_mixed(struct kunit *test)
{
	struct pxt *t = test->priv;
	pgoff_t i;

	pxt_share(test);
	pxt_merge(test, &t->a, 3);
	pxt_merge(test, &t->a, 4);
	for (i = 0; i < 10; i++) {
		t->a.last[i] = i + 10;
		put_page(pxt_read(test, &t->a, i));
	}
	/* What the shared page says. */
	t->a.last[1] = 1;
	t->a.last[3] = 1;
	t->a.last[4] = 1;
	t->a.last[9] = 1;
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 10UL);
	pxt_intact(test, 5);
}

static void pxa_truncate_all(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_mixed(test);
	truncate_inode_pages(t->a.mapping, 0);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 0UL);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->a.mapping->i_pages));
	pxt_shares(test, &t->b, 5, true);
	pxt_intact(test, 1);
	pxt_gauges(test, 1, 0);
	truncate_inode_pages(t->b.mapping, 0);
	pxt_empty(test, &t->b, 5);
	pxt_gone(test);
}

static void pxa_truncate_range(struct kunit *test)
{
	struct pxt *t = test->priv;
	pgoff_t i;

	pxt_mixed(test);
	truncate_inode_pages_range(t->a.mapping, 2 << PAGE_SHIFT,
				   (4 << PAGE_SHIFT) - 1);
	for (i = 0; i < 10; i++) {
		if (i == 2 || i == 3)
			pxt_empty(test, &t->a, i);
		else if (i == 1 || i == 4 || i == 9)
			pxt_shares(test, &t->a, i, true);
		else
			pxt_ordinary(test, &t->a, i);
	}
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 8UL);
	pxt_intact(test, 4);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 0u);
}

/* The rest of the page is cleared, for this file only. */
static void pxa_truncate_partial(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	u8 *addr;

	pxt_mixed(test);
	truncate_inode_pages(t->a.mapping, (4 << PAGE_SHIFT) + 100);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 5UL);
	pxt_intact(test, 3);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 3, true);
	pxt_shares(test, &t->b, 5, true);
	page = pxt_slot(&t->a, 4);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	KUNIT_EXPECT_PTR_EQ(test, page->mapping, t->a.mapping);
	addr = kmap_atomic(page);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(addr, PXT_BYTE, 100));
	KUNIT_EXPECT_TRUE(test, !memchr_inv(addr + 100, 0, PAGE_SIZE - 100));
	kunmap_atomic(addr);
}

struct pxt_unlock {
	struct delayed_work	work;
	struct page		*page;
};

static void pxt_unlock_page(struct work_struct *work)
{
	struct pxt_unlock *u = container_of(to_delayed_work(work),
					    struct pxt_unlock, work);

	unlock_page(u->page);
}

/* Truncation leaves out what is locked, and comes back to wait for it. */
static void pxa_truncate_locked(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pxt_unlock u;

	pxt_mixed(test);
	u.page = t->page;
	lock_page(u.page);
	INIT_DELAYED_WORK_ONSTACK(&u.work, pxt_unlock_page);
	schedule_delayed_work(&u.work, HZ / 10);
	truncate_inode_pages(t->a.mapping, 0);
	flush_delayed_work(&u.work);
	destroy_delayed_work_on_stack(&u.work);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 0UL);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->a.mapping->i_pages));
	pxt_shares(test, &t->b, 5, true);
	pxt_intact(test, 1);
}

/* What it does with the pages before and after such a page. */
static void pxa_delete_batch(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pagevec pvec;
	int i;

	pxt_share(test);
	pagevec_init(&pvec);
	pagevec_add(&pvec, pxt_read(test, &t->a, 0));
	pagevec_add(&pvec, pxt_read(test, &t->a, 2));
	for (i = 0; i < pagevec_count(&pvec); i++)
		lock_page(pvec.pages[i]);
	delete_from_page_cache_batch(t->a.mapping, &pvec);
	for (i = 0; i < pagevec_count(&pvec); i++) {
		KUNIT_EXPECT_TRUE(test, !pvec.pages[i]->mapping);
		unlock_page(pvec.pages[i]);
	}
	pagevec_release(&pvec);
	pxt_empty(test, &t->a, 0);
	pxt_empty(test, &t->a, 2);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 2UL);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 9, true);
	pxt_intact(test, 3);
}

static void pxa_invalidate_clean(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *held;

	pxt_mixed(test);
	held = pxt_slot(&t->a, 2);
	SetPageDirty(held);
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(t->a.mapping, 1, 8),
			7UL);
	ClearPageDirty(held);
	pxt_ordinary(test, &t->a, 0);
	pxt_empty(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 2);
	pxt_empty(test, &t->a, 3);
	pxt_empty(test, &t->a, 4);
	pxt_empty(test, &t->a, 8);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 3UL);
	pxt_intact(test, 2);
	pxt_gauges(test, 1, 1);
}

static void pxa_invalidate2_range(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_mixed(test);
	KUNIT_EXPECT_EQ(test, invalidate_inode_pages2_range(t->a.mapping, 1,
							    8), 0);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 2UL);
	pxt_ordinary(test, &t->a, 0);
	pxt_empty(test, &t->a, 1);
	pxt_empty(test, &t->a, 3);
	pxt_empty(test, &t->a, 4);
	pxt_shares(test, &t->a, 9, true);
	pxt_intact(test, 2);

	KUNIT_EXPECT_EQ(test, invalidate_inode_pages2(t->a.mapping), 0);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 0UL);
	pxt_intact(test, 1);
	KUNIT_EXPECT_EQ(test, invalidate_inode_pages2(t->b.mapping), 0);
	pxt_gone(test);
}

/* The sharing ends between the lookup and the lock of the page. */
static void pxa_invalidate2_broken(struct kunit *test)
{
	struct pxt *t = test->priv;
	int err = 0;

	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 1), 0);
	lock_page(t->page);
	KUNIT_EXPECT_TRUE(test, pxa_invalidate2(t->a.mapping, 1, t->page,
						&err));
	KUNIT_EXPECT_FALSE(test, PageLocked(t->page));
	KUNIT_EXPECT_EQ(test, err, 0);
	pxt_empty(test, &t->a, 1);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
	pxt_intact(test, 2);

	/* And the page has become an ordinary one of the other file. */
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), 0);
	KUNIT_EXPECT_PTR_EQ(test, t->page->mapping, t->b.mapping);
	lock_page(t->page);
	KUNIT_EXPECT_TRUE(test, pxa_invalidate2(t->a.mapping, 9, t->page,
						&err));
	KUNIT_EXPECT_EQ(test, err, 0);
	pxt_empty(test, &t->a, 9);
	pxt_ordinary(test, &t->b, 5);
	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(&t->b, 5), t->page);
}

/* Truncation must keep off the copy: it looks at the slot again. */
static void pxa_truncate_broken(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long count = 0;
	bool mine;

	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 1), 0);
	lock_page(t->page);
	KUNIT_EXPECT_TRUE(test, pxa_truncate(t->a.mapping, 1, t->page));
	KUNIT_EXPECT_TRUE(test, pxa_invalidate(t->a.mapping, 1, t->page,
					       &count));
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, count, 0UL);
	pxt_ordinary(test, &t->a, 1);
	pxt_intact(test, 2);

	/* Other pages are not its business. */
	lock_page(pxt_slot(&t->a, 1));
	mine = pxa_truncate(t->a.mapping, 1, pxt_slot(&t->a, 1));
	unlock_page(pxt_slot(&t->a, 1));
	KUNIT_EXPECT_FALSE(test, mine);
	pxt_ordinary(test, &t->a, 1);
}

/* ------------------------------------------------- reclaim, evict, rmap -- */

static void pxa_reclaim_page(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long reclaims = pxa_event(PXA_RECLAIM);
	unsigned long files;
	struct page *page;
	bool done;

	pxt_share(test);
	page = t->page;
	files = pxa_node_state(NR_FILE_PAGES);
	lock_page(page);
	KUNIT_EXPECT_EQ(test, isolate_lru_page(page), 0);
	/* Both the case and the isolation have a reference: one too many. */
	KUNIT_EXPECT_FALSE(test, pxa_reclaim(page, NULL));
	KUNIT_EXPECT_EQ(test, t->owner.pxa.nr, 3u);
	put_page(page);

	t->page = NULL;
	done = pxa_reclaim(page, NULL);
	if (!done) {
		putback_lru_page(page);
		unlock_page(page);
	}
	KUNIT_ASSERT_TRUE(test, done);
	KUNIT_EXPECT_EQ(test, page_count(page), 0);
	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	KUNIT_EXPECT_TRUE(test, !page->mapping);
	page_ref_unfreeze(page, 1);
	ClearPageActive(page);
	unlock_page(page);
	put_page(page);

	/* One eviction, one shadow: in the slot that was shared first. */
	KUNIT_EXPECT_TRUE(test, xa_is_value(pxt_slot(&t->a, 1)));
	pxt_empty(test, &t->a, 9);
	pxt_empty(test, &t->b, 5);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 0UL);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrexceptional, 1UL);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, 0UL);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrexceptional, 0UL);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_RECLAIM), reclaims + 1);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files - 1);
	pxt_gauges(test, 0, 0);

	put_page(pxt_read(test, &t->a, 1));
	pxt_ordinary(test, &t->a, 1);
}

#ifdef CONFIG_TRACEPOINTS
/* Somebody finds the page in one of the slots that are left. */
static void pxt_drop_found(void *arg, struct page *page,
			   struct address_space *mapping, pgoff_t index,
			   unsigned int nr)
{
	struct pxt *t = arg;

	if (nr == 2) {
		get_page(page);
		t->page = page;
	}
}

/* Who has found it since the references were counted goes on with it. */
static void pxa_reclaim_found(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	bool done;

	pxt_share(test);
	page = t->page;
	KUNIT_ASSERT_EQ(test, isolate_lru_page(page), 0);
	t->page = NULL;
	put_page(page);
	KUNIT_ASSERT_EQ(test, register_trace_pxa_drop(pxt_drop_found, t), 0);
	lock_page(page);
	done = pxa_reclaim(page, NULL);
	unlock_page(page);
	unregister_trace_pxa_drop(pxt_drop_found, t);
	tracepoint_synchronize_unregister();
	if (done)
		t->page = NULL;
	else
		putback_lru_page(page);
	KUNIT_ASSERT_FALSE(test, done);
	KUNIT_ASSERT_PTR_EQ(test, t->page, page);

	pxt_shares(test, &t->a, 1, true);
	pxt_empty(test, &t->a, 9);
	pxt_empty(test, &t->b, 5);
	pxt_intact(test, 1);
	pxt_gauges(test, 1, 0);
}
#endif

static void pxa_evict_page(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	page = pxt_read(test, &t->b, 2);
	lock_page(page);
	KUNIT_EXPECT_FALSE(test, pxa_evict(page));
	unlock_page(page);
	put_page(page);
	pxt_ordinary(test, &t->b, 2);

	lock_page(t->page);
	KUNIT_EXPECT_TRUE(test, pxa_evict(t->page));
	unlock_page(t->page);
	pxt_gone(test);
	pxt_empty(test, &t->a, 1);
	pxt_empty(test, &t->a, 9);
	pxt_empty(test, &t->b, 5);

	put_page(pxt_read(test, &t->b, 5));
	pxt_ordinary(test, &t->b, 5);
	KUNIT_EXPECT_PTR_NE(test, pxt_slot(&t->b, 5), t->page);
}

/* ------------------------------------------------------------ migration -- */

static struct page *pxt_new_place(struct page *page, unsigned long private)
{
	return alloc_page(GFP_HIGHUSER_MOVABLE);
}

/*
 * Migrate an isolated page; the case has given up its reference.  Returns how
 * many pages were left where they are, after putting them back.
 */
static int pxt_migrate(struct list_head *pages)
{
	int ret = migrate_pages(pages, pxt_new_place, NULL, 0, MIGRATE_SYNC,
				MR_SYSCALL);

	if (ret)
		putback_movable_pages(pages);
	lru_add_drain_all();
	return ret;
}

/* Migrate the page of the case, and take that which is in its place. */
static int pxt_migrate_page(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page = t->page;
	LIST_HEAD(pages);
	int ret;

	KUNIT_ASSERT_EQ(test, isolate_lru_page(page), 0);
	list_add(&page->lru, &pages);
	inc_node_page_state(page, NR_ISOLATED_FILE);
	t->page = NULL;
	put_page(page);
	ret = pxt_migrate(&pages);
	page = pxt_slot(&t->a, 1);
	KUNIT_ASSERT_TRUE(test, page && !xa_is_value(page));
	get_page(page);
	t->page = page;
	return ret;
}

/* All three slots have the page, and it is still one that can be unshared. */
static void pxt_migrated(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
	pxt_intact(test, 3);
	pxt_gauges(test, 1, 2);
	KUNIT_EXPECT_TRUE(test, PageLRU(t->page));
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	pxt_ordinary(test, &t->a, 9);
	pxt_intact(test, 2);
}

static void pxa_migrate(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;
	unsigned long files;

	pxt_share(test);
	old = t->page;
	SetPageActive(old);
	files = pxa_node_state(NR_FILE_PAGES);
	KUNIT_EXPECT_EQ(test, pxt_migrate_page(test), 0);
	KUNIT_EXPECT_PTR_NE(test, t->page, old);
	KUNIT_EXPECT_TRUE(test, PageActive(t->page));
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files);
	pxt_migrated(test);
}

/* It would not become free. */
static void pxa_migrate_pinned(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;

	pxt_share(test);
	old = t->page;
	get_page(old);
	KUNIT_EXPECT_EQ(test, pxt_migrate_page(test), 1);
	put_page(old);
	KUNIT_EXPECT_PTR_EQ(test, t->page, old);
	pxt_migrated(test);
}

#ifdef CONFIG_COMPACTION
/* Let compaction isolate one page. */
static void pxt_isolate(struct page *page, gfp_t gfp, struct list_head *pages)
{
	struct compact_control cc = {
		.order			= -1,
		.zone			= page_zone(page),
		.mode			= MIGRATE_SYNC,
		.ignore_skip_hint	= true,
		.no_set_skip_hint	= true,
		.gfp_mask		= gfp,
	};
	unsigned long pfn = page_to_pfn(page);

	INIT_LIST_HEAD(&cc.migratepages);
	isolate_migratepages_range(&cc, pfn, pfn + 1);
	list_splice(&cc.migratepages, pages);
}

/* It takes it for a page of a file, not for an anonymous one that is pinned. */
static void pxa_compact(struct kunit *test)
{
	struct pxt *t = test->priv;
	LIST_HEAD(pages);
	struct page *old;

	pxt_share(test);
	old = t->page;
	pxt_isolate(old, GFP_NOFS, &pages);
	KUNIT_EXPECT_TRUE(test, list_empty(&pages));
	putback_movable_pages(&pages);
	lru_add_drain_all();
	pxt_isolate(old, GFP_KERNEL, &pages);
	KUNIT_ASSERT_FALSE(test, list_empty(&pages));

	t->page = NULL;
	put_page(old);
	KUNIT_EXPECT_EQ(test, pxt_migrate(&pages), 0);
	t->page = pxt_slot(&t->a, 1);
	get_page(t->page);
	KUNIT_EXPECT_PTR_NE(test, t->page, old);
	pxt_migrated(test);
}
#endif

/* ---------------------------------------------------------------- dedupe -- */

static loff_t pxt_dedupe(struct kunit *test, pgoff_t from, pgoff_t to)
{
	struct pxt *t = test->priv;
	struct file *in = pxt_open(test, &t->a);
	struct file *out = pxt_open(test, &t->b);
	loff_t len = PAGE_SIZE;
	int err;

	lock_two_nondirectories(t->a.inode, t->b.inode);
	err = generic_remap_file_range_prep(in, (loff_t)from << PAGE_SHIFT,
					    out, (loff_t)to << PAGE_SHIFT,
					    &len, REMAP_FILE_DEDUP);
	unlock_two_nondirectories(t->a.inode, t->b.inode);
	fput(in);
	fput(out);
	flush_delayed_fput();
	return err ?: len;
}

/* Equal data that is shared is equal. */
static void pxa_dedupe(struct kunit *test)
{
	struct pxt *t = test->priv;

	t->b.last[2] = 2;
	pxt_share(test);
	KUNIT_EXPECT_EQ(test, pxt_dedupe(test, 1, 5), (loff_t)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, pxt_dedupe(test, 9, 3), (loff_t)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, pxt_dedupe(test, 9, 2), (loff_t)-EBADE);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 9);
	pxt_ordinary(test, &t->b, 5);
}

/* An area that is in the tree of a file, but in no mm. */
static void pxt_map(struct vm_area_struct *vma, struct pxt_file *f,
		    pgoff_t pgoff, unsigned long start, unsigned long npages)
{
	memset(vma, 0, sizeof(*vma));
	vma->vm_start = start;
	vma->vm_end = start + (npages << PAGE_SHIFT);
	vma->vm_pgoff = pgoff;
	vma->vm_flags = VM_READ | VM_SHARED;
	i_mmap_lock_write(f->mapping);
	vma_interval_tree_insert(vma, &f->mapping->i_mmap);
	i_mmap_unlock_write(f->mapping);
}

static void pxt_unmap(struct vm_area_struct *vma, struct pxt_file *f)
{
	i_mmap_lock_write(f->mapping);
	vma_interval_tree_remove(vma, &f->mapping->i_mmap);
	i_mmap_unlock_write(f->mapping);
}

struct pxt_walk {
	struct vm_area_struct	vma[3];
	unsigned long		addr[8];
	unsigned int		nr;
	unsigned int		stop;
	struct vm_area_struct	*skip;
};

static bool pxt_walk_one(struct page *page, struct vm_area_struct *vma,
			 unsigned long addr, void *arg)
{
	struct pxt_walk *w = arg;

	if (w->nr < ARRAY_SIZE(w->addr))
		w->addr[w->nr] = addr;
	return ++w->nr != w->stop;
}

static bool pxt_walk_skip(struct vm_area_struct *vma, void *arg)
{
	struct pxt_walk *w = arg;

	return vma == w->skip;
}

static bool pxt_walked(struct pxt_walk *w, unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, w->nr, ARRAY_SIZE(w->addr)); i++)
		if (w->addr[i] == addr)
			return true;
	return false;
}

static void pxa_rmap_walk(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pxt_walk *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct rmap_walk_control rwc = {
		.rmap_one	= pxt_walk_one,
		.invalid_vma	= pxt_walk_skip,
		.arg		= w,
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	pxt_share(test);
	/* Both (a, 1) and (a, 9); (b, 5); (a, 2) up to (a, 8). */
	pxt_map(&w->vma[0], &t->a, 0, 0x1000000, PXT_PAGES);
	pxt_map(&w->vma[1], &t->b, 5, 0x2000000, 1);
	pxt_map(&w->vma[2], &t->a, 2, 0x3000000, 7);

	lock_page(t->page);
	rmap_walk(t->page, &rwc);
	KUNIT_EXPECT_EQ(test, w->nr, 3u);
	KUNIT_EXPECT_TRUE(test, pxt_walked(w, 0x1000000 + 1 * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, pxt_walked(w, 0x1000000 + 9 * PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, pxt_walked(w, 0x2000000));

	/* It ends when the callback says so, also between two files. */
	w->nr = 0;
	w->stop = 2;
	rmap_walk(t->page, &rwc);
	KUNIT_EXPECT_EQ(test, w->nr, 2u);

	w->nr = 0;
	w->stop = 0;
	w->skip = &w->vma[0];
	rmap_walk(t->page, &rwc);
	KUNIT_EXPECT_EQ(test, w->nr, 1u);
	KUNIT_EXPECT_TRUE(test, pxt_walked(w, 0x2000000));
	unlock_page(t->page);

	pxt_unmap(&w->vma[0], &t->a);
	pxt_unmap(&w->vma[1], &t->b);
	pxt_unmap(&w->vma[2], &t->a);
	pxt_intact(test, 3);
}

/* ------------------------------------------------------------ with ptes -- */

/* Map all of file a, shared and writable, in an mm that no task has. */
static void pxt_mmap(struct kunit *test)
{
	static const struct vm_operations_struct ops = {
		.fault		= filemap_fault,
		.map_pages	= filemap_map_pages,
		.page_mkwrite	= filemap_page_mkwrite,
	};
	struct pxt *t = test->priv;

	t->vma = pxt_map_file(test, &t->mm, pxt_open(test, &t->a), &ops);
}

/* Fault a page of file a in and get or, with FOLL_PIN, pin it. */
static struct page *pxt_gup(struct kunit *test, pgoff_t index,
			    unsigned int flags)
{
	struct pxt *t = test->priv;
	struct page *page = NULL;

	KUNIT_ASSERT_EQ(test, pxt_get_mapped(t->mm, index, flags, &page), 1L);
	return page;
}

static void pxt_touch(struct kunit *test, pgoff_t index)
{
	put_page(pxt_gup(test, index, 0));
}

/* Is the page mapped at this place, and by what pte? */
static bool pxt_pte(struct pxt *t, struct page *page, pgoff_t index, pte_t *pte)
{
	struct page_vma_mapped_walk pvmw = {
		.page		= page,
		.vma		= t->vma,
		.address	= pxt_addr(index),
	};

	if (!page_vma_mapped_walk(&pvmw))
		return false;
	*pte = *pvmw.pte;
	page_vma_mapped_walk_done(&pvmw);
	return true;
}

static void pxt_pte_mkclean(struct kunit *test, struct page *page,
			    pgoff_t index)
{
	struct pxt *t = test->priv;
	struct page_vma_mapped_walk pvmw = {
		.page		= page,
		.vma		= t->vma,
		.address	= pxt_addr(index),
	};

	KUNIT_ASSERT_TRUE(test, page_vma_mapped_walk(&pvmw));
	set_pte_at(t->mm, pvmw.address, pvmw.pte, pte_mkclean(*pvmw.pte));
	page_vma_mapped_walk_done(&pvmw);
}

static void pxa_mm_fault_around(struct kunit *test)
{
	struct pxt *t = test->priv;
	pgoff_t i;

	pxt_mmap(test);
	pxt_share(test);
	for (i = 0; i < PXT_PAGES; i++)
		put_page(pxt_read(test, &t->a, i));
	pxt_touch(test, 2);
	for (i = 0; i < PXT_PAGES; i++)
		if (i != 1 && i != 9)
			KUNIT_EXPECT_EQ(test, 1,
					page_mapcount(pxt_slot(&t->a, i)));
	/* (a, 1) and (a, 9) */
	KUNIT_EXPECT_EQ(test, page_mapcount(t->page), 2);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 0u);
}

/* Who has it pinned sees what is stored through the mapping later. */
static void pxa_mm_pin(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page, *pinned;

	pxt_mmap(test);
	pxt_share(test);
	page = pxt_gup(test, 1, 0);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	put_page(page);
	KUNIT_EXPECT_EQ(test, t->owner.broken, 0u);

	pinned = pxt_gup(test, 1, FOLL_PIN);
	KUNIT_EXPECT_PTR_NE(test, pinned, t->page);
	KUNIT_EXPECT_PTR_EQ(test, pinned, pxt_slot(&t->a, 1));
	page = pxt_gup(test, 1, FOLL_WRITE);
	KUNIT_EXPECT_PTR_EQ(test, page, pinned);
	put_page(page);
	unpin_user_page(pinned);
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
}

/* Taken from a page table just before its last slot lost it: look again. */
static void pxa_mm_left(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_mmap(test);
	pxt_share(test);
	page = pxt_gup(test, 1, 0);
	KUNIT_ASSERT_PTR_EQ(test, page, t->page);
	KUNIT_EXPECT_FALSE(test, page_was_xa(page));
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->b, 5), 0);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 9), 0);
	lock_page(page);
	KUNIT_EXPECT_EQ(test, pxa_break_alias(page, t->a.mapping, 1), 0);
	unlock_page(page);
	KUNIT_EXPECT_FALSE(test, PageXA(page));
	KUNIT_EXPECT_TRUE(test, page_was_xa(page));
	KUNIT_EXPECT_TRUE(test, pxa_pin_unshares(t->vma, page, FOLL_PIN));
	KUNIT_EXPECT_FALSE(test, pxa_pin_unshares(t->vma, page, FOLL_WRITE));
	put_page(page);

	page = pxt_gup(test, 2, 0);
	KUNIT_EXPECT_FALSE(test, page_was_xa(page));
	truncate_inode_pages(t->a.mapping, 0);
	KUNIT_EXPECT_PTR_EQ(test, page->mapping, (struct address_space *)NULL);
	KUNIT_EXPECT_FALSE(test, page_was_xa(page));
	KUNIT_EXPECT_FALSE(test, pxa_pin_unshares(t->vma, page, FOLL_PIN));
	put_page(page);
}

struct pxt_invalidate_work {
	struct work_struct	work;
	struct address_space	*mapping;
};

static void pxt_invalidate_work(struct work_struct *work)
{
	struct pxt_invalidate_work *w =
		container_of(work, struct pxt_invalidate_work, work);

	invalidate_mapping_pages(w->mapping, 1, 1);
}

/* An area that changes its size is not in the tree of the file meanwhile. */
static void pxa_mm_area_away(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct address_space *mapping = t->a.mapping;
	struct pxt_invalidate_work w = { .mapping = mapping };
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	pxt_touch(test, 1);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, t->page, 1, &pte));

	INIT_WORK_ONSTACK(&w.work, pxt_invalidate_work);
	i_mmap_lock_write(mapping);
	vma_interval_tree_remove(t->vma, &mapping->i_mmap);
	schedule_work(&w.work);
	msleep(100);
	vma_interval_tree_insert(t->vma, &mapping->i_mmap);
	i_mmap_unlock_write(mapping);
	flush_work(&w.work);
	destroy_work_on_stack(&w.work);

	/* It is mapped, so it stays. */
	KUNIT_EXPECT_TRUE(test, pxt_pte(t, t->page, 1, &pte));
	pxt_shares(test, &t->a, 1, true);
}

static void pxa_mm_write(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	pxt_touch(test, 9);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, t->page, 9, &pte));
	KUNIT_EXPECT_FALSE(test, pte_write(pte));

	page = pxt_gup(test, 9, FOLL_WRITE);
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	KUNIT_EXPECT_PTR_EQ(test, page, pxt_slot(&t->a, 9));
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
	KUNIT_EXPECT_FALSE(test, pxt_pte(t, t->page, 9, &pte));
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, page, 9, &pte));
	KUNIT_EXPECT_TRUE(test, pte_write(pte));
	pxt_shares(test, &t->a, 9, false);
	pxt_shares(test, &t->a, 1, true);
	pxt_shares(test, &t->b, 5, true);
}

/* (a, 2) was written to, and is clean again as far as the page tells. */
static struct page *pxt_written(struct kunit *test)
{
	struct page *page = pxt_gup(test, 2, FOLL_WRITE);

	lru_add_drain_all();
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	ClearPageDirty(page);
	return page;
}

/* Only the pte knows that the page is dirty. */
static void pxa_mm_dirty_pte(struct kunit *test)
{
	unsigned long dirty = pxa_event(PXA_REFUSED_DIRTY);
	struct pxt *t = test->priv;
	struct page *page;
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	page = pxt_written(test);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, page, 2, &pte));
	KUNIT_EXPECT_TRUE(test, pte_dirty(pte));

	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, page, &t->a, 2), -EBUSY);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_DIRTY), dirty + 1);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	KUNIT_EXPECT_TRUE(test, pxt_pte(t, page, 2, &pte));
	pxt_shares(test, &t->a, 2, false);
	put_page(page);
	pxt_intact(test, 3);
}

/* Nor does a pte that was writable remain so. */
static void pxa_mm_never_writable(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	page = pxt_written(test);
	pxt_pte_mkclean(test, page, 2);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, page, 2, &pte));
	KUNIT_EXPECT_TRUE(test, pte_write(pte));

	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, page, &t->a, 2), 0);
	put_page(page);
	pxt_shares(test, &t->a, 2, true);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, t->page, 2, &pte));
	KUNIT_EXPECT_FALSE(test, pte_write(pte));
	KUNIT_EXPECT_FALSE(test, pte_dirty(pte));
}

/* What a file has mapped itself is spared, what others have is not. */
static void pxa_mm_invalidate(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_mmap(test);
	pxt_share(test);
	pxt_touch(test, 1);
	/* By fault-around */
	unmap_mapping_pages(t->a.mapping, 9, 1, false);
	lru_add_drain_all();
	KUNIT_ASSERT_EQ(test, page_mapcount(t->page), 1);
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(t->a.mapping, 1, 1),
			0UL);
	pxt_shares(test, &t->a, 1, true);
	/* Mapped, but not there; and in a file that is mapped too. */
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(t->a.mapping, 9, 9),
			1UL);
	pxt_empty(test, &t->a, 9);
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(t->b.mapping, 5, 5),
			1UL);
	pxt_empty(test, &t->b, 5);
	pxt_shares(test, &t->a, 1, true);
	KUNIT_EXPECT_EQ(test, page_mapcount(t->page), 1);
}

/* The ptes follow a page that migrates, or stay if it can't. */
static void pxa_mm_migrate(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *old;
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	pxt_touch(test, 1);
	pxt_touch(test, 9);
	lru_add_drain_all();
	old = t->page;
	KUNIT_ASSERT_EQ(test, page_mapcount(old), 2);

	get_page(old);
	KUNIT_EXPECT_EQ(test, pxt_migrate_page(test), 1);
	put_page(old);
	KUNIT_EXPECT_PTR_EQ(test, t->page, old);
	KUNIT_EXPECT_EQ(test, page_mapcount(old), 2);

	KUNIT_EXPECT_EQ(test, pxt_migrate_page(test), 0);
	KUNIT_EXPECT_PTR_NE(test, t->page, old);
	KUNIT_EXPECT_EQ(test, page_mapcount(t->page), 2);
	KUNIT_EXPECT_TRUE(test, pxt_pte(t, t->page, 1, &pte));
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, t->page, 9, &pte));
	KUNIT_EXPECT_FALSE(test, pte_write(pte));
	pxt_shares(test, &t->a, 9, true);
	pxt_shares(test, &t->b, 5, true);
}

/* Pages of many nodes are at home in none: no faults to find that out. */
static void pxa_mm_prot_numa(struct kunit *test)
{
	struct pxt *t = test->priv;
	unsigned long shared, ordinary;

	pxt_mmap(test);
	pxt_share(test);
	pxt_touch(test, 1);
	pxt_touch(test, 2);
	mmap_write_lock(t->mm);
	shared = change_protection(t->vma, pxt_addr(1), pxt_addr(2), PAGE_NONE,
				   MM_CP_PROT_NUMA);
	ordinary = change_protection(t->vma, pxt_addr(2), pxt_addr(3),
				     PAGE_NONE, MM_CP_PROT_NUMA);
	mmap_write_unlock(t->mm);
	KUNIT_EXPECT_EQ(test, shared, 0UL);
	KUNIT_EXPECT_EQ(test, ordinary, 1UL);
}

/* ----------------------------------------------------------------- debug -- */

static bool pxt_logged(struct kunit *test, const char *text)
{
	struct kmsg_dumper iter = { .active = true };
	char *line = kunit_kzalloc(test, 1024, GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_TRUE(test, line);
	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, 1023, &len)) {
		line[len] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

static void pxa_dump(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	KUNIT_EXPECT_FALSE(test, pxt_logged(test, "pxa flags: "));
	__dump_page(t->page, NULL);
	KUNIT_EXPECT_TRUE(test, pxt_logged(test, "pxa flags: "));
	pxt_intact(test, 3);
}

#ifdef CONFIG_DEBUG_PXA

/* So many problems were found since the start of the case, or the last call. */
static void pxt_problems(struct kunit *test, unsigned long problems)
{
	struct pxt *t = test->priv;
	unsigned long now = pxa_debug_problems();

	KUNIT_EXPECT_EQ(test, now - t->problems, problems);
	t->problems = now;
}

/* Check the protected page: it has so many problems. */
static void pxt_check(struct kunit *test, unsigned int problems)
{
	struct pxt *t = test->priv;
	unsigned int found;

	lock_page(t->page);
	found = pxa_check(t->page);
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, found, problems);
	pxt_problems(test, problems);
}

/* The slot does not have the protected page any more: is it mapped there? */
static void pxt_left(struct kunit *test, struct pxt_file *f, pgoff_t index,
		     unsigned int problems)
{
	struct pxt *t = test->priv;
	unsigned int found;

	lock_page(t->page);
	found = pxa_debug_left(t->page, f->mapping, index);
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, found, problems);
	pxt_problems(test, problems);
}

static pte_t pxt_set_pte(struct kunit *test, pgoff_t index, pte_t pte)
{
	struct pxt *t = test->priv;
	unsigned long addr = pxt_addr(index);
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep, old;

	ptep = get_locked_pte(t->mm, addr, &ptl);
	KUNIT_ASSERT_TRUE(test, ptep);
	old = *ptep;
	set_pte_at(t->mm, addr, ptep, pte);
	pte_unmap_unlock(ptep, ptl);
	return old;
}

static pte_t pxt_migration_pte(struct pxt *t)
{
	pte_t pte;

	lock_page(t->page);
	pte = swp_entry_to_pte(make_migration_entry(t->page, 0));
	unlock_page(t->page);
	return pte;
}

/* The pte of the protected page there, which has to have one. */
static pte_t pxt_shared_pte(struct kunit *test, pgoff_t index)
{
	struct pxt *t = test->priv;
	pte_t pte;

	pxt_touch(test, index);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, t->page, index, &pte));
	return pte;
}

static void pxa_debug_no_problem(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_mmap(test);
	pxt_share(test);
	pxt_shared_pte(test, 1);
	pxt_shared_pte(test, 9);
	pxt_check(test, 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	pxt_left(test, &t->a, 9, 0);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->b, 5), 0);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->a, 1), 0);
	KUNIT_EXPECT_EQ(test, pxa_check_all(), 0UL);
	pxt_gone(test);
}

static void pxa_debug_hashes(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	int ret;

	pxt_share(test);
	page = pxt_read(test, &t->b, 2);
	pxa_debug_expect(true);

	pxt_corrupt(t->page, 1);
	pxt_check(test, 1);
	/* Each change is reported once. */
	pxt_check(test, 0);
	pxt_corrupt(t->page, 2);
	KUNIT_EXPECT_EQ(test, pxa_check_all(), 1UL);
	pxt_problems(test, 1);

	pxt_corrupt(t->page, PXT_BYTE);
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, page, &t->b, 2), 0);
	pxt_problems(test, 1);
	put_page(page);

	pxt_corrupt(t->page, 3);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	pxt_problems(test, 1);
	pxt_corrupt(t->page, 4);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->b, 5), 0);
	pxt_problems(test, 1);
	KUNIT_EXPECT_EQ(test, pxt_drop_alias(t, &t->b, 2), 0);
	pxt_problems(test, 0);

	pxt_corrupt(t->page, 5);
	lock_page(t->page);
	ret = pxa_dissolve(t->page, 1);
	unlock_page(t->page);
	KUNIT_EXPECT_EQ(test, ret, 0);
	pxt_problems(test, 1);
	KUNIT_EXPECT_EQ(test, pxa_check_all(), 0UL);
}

/* The last check, when no alias is left. */
static void pxa_debug_hash_released(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_protect(test, &t->a, 1);
	pxa_debug_expect(true);
	/* One reference more, or it would become ordinary in place. */
	get_page(t->page);
	t->owner.corrupts = true;
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 1), 0);
	put_page(t->page);
	pxt_problems(test, 1);
	pxt_gone(test);
}

static void pxa_debug_hash_reclaimed(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	bool done;

	pxt_share(test);
	pxa_debug_expect(true);
	page = t->page;
	pxt_corrupt(page, 1);
	lock_page(page);
	KUNIT_EXPECT_EQ(test, isolate_lru_page(page), 0);
	put_page(page);
	t->page = NULL;
	done = pxa_reclaim(page, NULL);
	if (done)
		page_ref_unfreeze(page, 1);
	ClearPageActive(page);
	unlock_page(page);
	put_page(page);
	KUNIT_EXPECT_TRUE(test, done);
	pxt_problems(test, 1);
}

static void pxa_debug_hash_migrated(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxa_debug_expect(true);
	pxt_corrupt(t->page, 1);
	KUNIT_EXPECT_EQ(test, pxt_migrate_page(test), 0);
	pxt_problems(test, 1);
	pxt_check(test, 0);
}

/* Somebody makes it dirty, who believes that it is a page without a file. */
static void pxa_debug_set_dirty(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxa_debug_expect(true);
	set_page_dirty(t->page);
	pxt_problems(test, 1);
	ClearPageDirty(t->page);
	pxt_check(test, 0);
}

/* Somebody who believes to know its file. */
static void pxa_debug_set_dirty_mapping(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxa_debug_expect(true);
	SetPageDirty(t->page);
	/* it is, so no more comes of it */
	set_page_dirty_mapping(t->a.mapping, t->page);
	pxt_problems(test, 1);
	ClearPageDirty(t->page);
	pxt_check(test, 0);
}

static void pxa_debug_writeback(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxa_debug_expect(true);
	set_page_writeback(t->page);
	pxt_problems(test, 1);
	end_page_writeback(t->page);
	pxt_check(test, 0);
}

/* What keeps a page from being shared must not come later. */
static void pxa_debug_state(struct kunit *test)
{
	static const xa_mark_t marks[] = { PAGECACHE_TAG_DIRTY,
		PAGECACHE_TAG_WRITEBACK, PAGECACHE_TAG_TOWRITE };
	struct pxt *t = test->priv;
	unsigned int i;

	pxt_share(test);
	pxa_debug_expect(true);
	ClearPageUptodate(t->page);
	pxt_check(test, 1);
	SetPageUptodate(t->page);
	SetPageError(t->page);
	pxt_check(test, 1);
	ClearPageError(t->page);
	SetPagePrivate(t->page);
	pxt_check(test, 1);
	ClearPagePrivate(t->page);
	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		pxt_mark(&t->b, 5, true, marks[i]);
		pxt_check(test, 1);
		pxt_mark(&t->b, 5, false, marks[i]);
	}
	pxt_check(test, 0);
}

/* An owner that may write to its page: the content is its own business. */
static void pxa_debug_not_immutable(struct kunit *test)
{
	static const struct pxa_ops ops = {
		.break_alias	= pxt_break,
		.release	= pxt_release,
	};
	struct pxt *t = test->priv;

	t->owner.pxa.ops = &ops;
	pxt_share(test);
	pxt_corrupt(t->page, 1);
	pxt_check(test, 0);
	set_page_dirty(t->page);
	pxt_check(test, 0);
	ClearPageDirty(t->page);
}

static void pxa_debug_aliases(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct pxa *pxa = &t->owner.pxa;
	struct pxa_alias *alias;

	pxt_share(test);
	pxa_debug_expect(true);
	pxa->nr++;
	pxt_check(test, 1);
	pxa->nr -= 2;
	pxt_check(test, 1);
	pxa->nr++;
	pxt_check(test, 0);

	/* A slot that is empty, and one that has another page. */
	put_page(pxt_read(test, &t->a, 4));
	lock_page(t->page);
	alias = pxa_find_alias(t->page, t->a.mapping, 9);
	unlock_page(t->page);
	KUNIT_ASSERT_TRUE(test, alias);
	alias->index = 3;
	pxt_check(test, 1);
	alias->index = 4;
	pxt_check(test, 1);
	alias->index = 9;
	pxt_check(test, 0);

	pxa->pfn++;
	pxt_check(test, 1);
	pxa->pfn--;
	SetPageDirty(t->page);
	pxt_check(test, 1);
	ClearPageDirty(t->page);
	pxt_check(test, 0);
}

static void pxa_debug_ptes(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;
	pte_t pte;

	pxt_mmap(test);
	pxt_share(test);
	page = pxt_read(test, &t->b, 2);
	pxt_shared_pte(test, 1);
	pte = pxt_shared_pte(test, 9);
	pxa_debug_expect(true);

	pxt_set_pte(test, 9, pte_mkwrite(pte));
	pxt_check(test, 1);
	/* At a merge too, before and after, into whichever slot. */
	KUNIT_EXPECT_EQ(test, pxt_try_merge(t, page, &t->b, 2), 0);
	pxt_problems(test, 2);
	/* And at a break. */
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 2), 0);
	pxt_problems(test, 1);
	put_page(page);
	pxt_set_pte(test, 9, pte_mkdirty(pte));
	pxt_check(test, 1);
	pxt_set_pte(test, 9, pte);
	pxt_check(test, 0);

	/* Somewhere there is one more, or one less. */
	atomic_inc(&t->page->_mapcount);
	pxt_check(test, 1);
	atomic_sub(2, &t->page->_mapcount);
	pxt_check(test, 1);
	atomic_inc(&t->page->_mapcount);

	/* It is not mapped then, but counted so. */
	pxt_set_pte(test, 9, pxt_migration_pte(t));
	pxt_check(test, 2);
	pxt_set_pte(test, 9, pte);
	pxt_check(test, 0);

	/* A socket may have one more. */
	pxa_debug_insert(t->page);
	atomic_inc(&t->page->_mapcount);
	pxt_check(test, 0);
	atomic_sub(2, &t->page->_mapcount);
	pxt_check(test, 1);
	atomic_inc(&t->page->_mapcount);
}

static void pxa_debug_stale(struct kunit *test)
{
	struct pxt *t = test->priv;
	pte_t pte, stale;

	pxt_mmap(test);
	pxt_share(test);
	stale = pxt_shared_pte(test, 9);
	pxt_left(test, &t->b, 4, 0);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	KUNIT_ASSERT_TRUE(test, pxt_pte(t, pxt_slot(&t->a, 9), 9, &pte));
	pxt_left(test, &t->a, 9, 0);

	pxa_debug_expect(true);
	pxt_set_pte(test, 9, stale);
	pxt_left(test, &t->a, 9, 1);
	pxt_set_pte(test, 9, pxt_migration_pte(t));
	pxt_left(test, &t->a, 9, 1);
	pxt_set_pte(test, 9, pte);
	pxt_left(test, &t->a, 9, 0);
}

static void pxa_debug_page_locks(struct kunit *test)
{
	struct pxt *t = test->priv;
	struct page *page;

	pxt_share(test);
	page = pxt_read(test, &t->b, 3);
	pxa_debug_expect(true);

	/* Who breaks a page may have others locked, and lock more after. */
	lock_page(page);
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->a, 9), 0);
	unlock_page(page);
	lock_page(page);
	unlock_page(page);
	pxt_problems(test, 0);

	/* What is called on its behalf may not. */
	t->owner.waits = page;
	KUNIT_EXPECT_EQ(test, pxt_break_alias(t, &t->b, 5), 0);
	t->owner.waits = NULL;
	put_page(page);
	if (IS_ENABLED(CONFIG_LOCKDEP))
		pxt_problems(test, 1);
	else
		kunit_info(test, "page locks: not checked without LOCKDEP\n");
}

static void pxa_debug_atomic(struct kunit *test)
{
	struct pxt *t = test->priv;

	pxt_share(test);
	pxa_debug_expect(true);
	lock_page(t->page);
	pxa_debug_leave(pxa_debug_enter(t->page));
	pxt_problems(test, 0);
	local_irq_disable();
	pxa_debug_leave(pxa_debug_enter(t->page));
	local_irq_enable();
	unlock_page(t->page);
	pxt_problems(test, 1);
}

#endif /* CONFIG_DEBUG_PXA */

static struct kunit_case pxa_cases[] = {
	KUNIT_CASE(pxa_tag_values),
	KUNIT_CASE(pxa_tag_tail),
	KUNIT_CASE(pxa_tag_protected),
	KUNIT_CASE(pxa_allowed),
	KUNIT_CASE(pxa_protect_marks),
	KUNIT_CASE(pxa_protect_dissolve),
	KUNIT_CASE(pxa_dissolve_refused),
	KUNIT_CASE(pxa_aliases),
	KUNIT_CASE(pxa_merge_pages),
	KUNIT_CASE(pxa_refused_pinned),
	KUNIT_CASE(pxa_refused_pinned_mapped),
	KUNIT_CASE(pxa_refused_dirty),
	KUNIT_CASE(pxa_refused_tag),
	KUNIT_CASE(pxa_refused_changed),
	KUNIT_CASE(pxa_refused_private),
	KUNIT_CASE(pxa_refused_late),
	KUNIT_CASE(pxa_refused_poisoned),
	KUNIT_CASE(pxa_release_context),
	KUNIT_CASE(pxa_unpoison),
	KUNIT_CASE(pxa_steal),
	KUNIT_CASE(pxa_refused_file),
	KUNIT_CASE(pxa_refused_page),
	KUNIT_CASE(pxa_refused_eof),
	KUNIT_CASE(pxa_refused_moved),
	KUNIT_CASE(pxa_break_copies),
	KUNIT_CASE(pxa_break_last_in_place),
	KUNIT_CASE(pxa_break_last_copies),
	KUNIT_CASE(pxa_drop_aliases),
	KUNIT_CASE(pxa_break_ranges),
	KUNIT_CASE(pxa_lookup_breaks),
	KUNIT_CASE(pxa_lookup_nowait),
	KUNIT_CASE(pxa_lookup_reads),
	KUNIT_CASE(pxa_lookup_nomem),
	KUNIT_CASE(pxa_lookup_private),
	KUNIT_CASE(pxa_truncate_all),
	KUNIT_CASE(pxa_truncate_range),
	KUNIT_CASE(pxa_truncate_partial),
	KUNIT_CASE(pxa_truncate_broken),
	KUNIT_CASE(pxa_truncate_locked),
	KUNIT_CASE(pxa_delete_batch),
	KUNIT_CASE(pxa_invalidate_clean),
	KUNIT_CASE(pxa_invalidate2_range),
	KUNIT_CASE(pxa_invalidate2_broken),
	KUNIT_CASE(pxa_reclaim_page),
#ifdef CONFIG_TRACEPOINTS
	KUNIT_CASE(pxa_reclaim_found),
#endif
	KUNIT_CASE(pxa_evict_page),
	KUNIT_CASE(pxa_migrate),
	KUNIT_CASE(pxa_migrate_pinned),
#ifdef CONFIG_COMPACTION
	KUNIT_CASE(pxa_compact),
#endif
	KUNIT_CASE(pxa_dedupe),
	KUNIT_CASE(pxa_rmap_walk),
	KUNIT_CASE(pxa_mm_fault_around),
	KUNIT_CASE(pxa_mm_pin),
	KUNIT_CASE(pxa_mm_left),
	KUNIT_CASE(pxa_mm_area_away),
	KUNIT_CASE(pxa_mm_write),
	KUNIT_CASE(pxa_mm_dirty_pte),
	KUNIT_CASE(pxa_mm_never_writable),
	KUNIT_CASE(pxa_mm_invalidate),
	KUNIT_CASE(pxa_mm_migrate),
	KUNIT_CASE(pxa_mm_prot_numa),
	KUNIT_CASE(pxa_dump),
#ifdef CONFIG_DEBUG_PXA
	KUNIT_CASE(pxa_debug_no_problem),
	KUNIT_CASE(pxa_debug_hashes),
	KUNIT_CASE(pxa_debug_hash_released),
	KUNIT_CASE(pxa_debug_hash_reclaimed),
	KUNIT_CASE(pxa_debug_hash_migrated),
	KUNIT_CASE(pxa_debug_set_dirty),
	KUNIT_CASE(pxa_debug_set_dirty_mapping),
	KUNIT_CASE(pxa_debug_writeback),
	KUNIT_CASE(pxa_debug_state),
	KUNIT_CASE(pxa_debug_not_immutable),
	KUNIT_CASE(pxa_debug_aliases),
	KUNIT_CASE(pxa_debug_ptes),
	KUNIT_CASE(pxa_debug_stale),
	KUNIT_CASE(pxa_debug_page_locks),
	KUNIT_CASE(pxa_debug_atomic),
#endif
	{}
};

static struct kunit_suite pxa_suite = {
	.name = "page_xa",
	.init = pxt_init,
	.exit = pxt_exit,
	.test_cases = pxa_cases,
};

kunit_test_suites(&pxa_suite);
