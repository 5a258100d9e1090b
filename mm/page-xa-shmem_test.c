// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of protected pages of shmem, mm/page-xa-shmem.c: nothing but
 * truncation may take their content away.
 *
 * Each case starts from one protected page in three slots of two files: (a, 1),
 * (b, 5) and (a, 9).
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/migrate.h>
#include <linux/mman.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "page-xa-debug.h"
#include "page-xa-shmem.h"
#include "page-xa_test.h"

struct pxs_owner {
	struct pxa		pxa;
	unsigned int		released;
	unsigned int		nomem;		/* so many times */
	bool			full;		/* but for the reserves */
};

struct pxs {
	struct file		*file_a;
	struct file		*file_b;
	struct pxt_file		a;
	struct pxt_file		b;
	struct pxs_owner	owner;
	struct page		*page;		/* protected; a reference */
	struct mm_struct	*mm;
	struct vm_area_struct	*vma;		/* of all of file a */
	unsigned long		shared;		/* gauges at the start */
	unsigned long		sharing;
	unsigned long		problems;
};

static int pxs_break(struct pxa *pxa, struct page *page,
		     struct address_space *mapping, pgoff_t index, gfp_t gfp)
{
	struct pxs_owner *owner = container_of(pxa, struct pxs_owner, pxa);

	if (owner->nomem) {
		owner->nomem--;
		return -ENOMEM;
	}
	if (owner->full && !(current->flags & PF_MEMALLOC))
		return -ENOMEM;
	return pxa_copy_break(pxa, page, mapping, index, gfp);
}

static void pxs_release(struct pxa *pxa)
{
	container_of(pxa, struct pxs_owner, pxa)->released++;
}

static const struct pxa_ops pxs_pxa_ops = {
	.break_alias	= pxs_break,
	.release	= pxs_release,
	.immutable	= true,
};

static int pxs_open(struct pxt_file *f, struct file **file)
{
	struct file *new;

	new = shmem_kernel_file_setup("pxa_test", PXT_PAGES << PAGE_SHIFT, 0);
	if (IS_ERR(new))
		return PTR_ERR(new);
	*file = new;
	f->inode = file_inode(new);
	f->mapping = f->inode->i_mapping;
	memset(f->last, 1, sizeof(f->last));
	return 0;
}

/* A page with content, as write(2) leaves it; the reference is the caller's. */
static struct page *pxs_write(struct kunit *test, struct pxt_file *f,
			      pgoff_t index)
{
	struct page *page = shmem_read_mapping_page(f->mapping, index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	lock_page(page);
	pxt_fill(page, f->last[index]);
	set_page_dirty(page);
	unlock_page(page);
	lru_add_drain_all();
	return page;
}

/* pxa_merge() into the protected page; neither page is locked. */
static int pxs_try_merge(struct pxs *t, struct page *old, struct pxt_file *f,
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
	return ret;
}

static void pxs_merge(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct page *old = pxs_write(test, f, index);
	struct pxs *t = test->priv;
	int ret = pxs_try_merge(t, old, f, index);

	put_page(old);
	KUNIT_ASSERT_EQ(test, ret, 0);
	lru_add_drain_all();
}

static int pxs_init(struct kunit *test)
{
	struct pxs *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct pxa_alias *alias;
	struct page *page;
	int err;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->owner.pxa.ops = &pxs_pxa_ops;
	t->shared = pxa_node_state(NR_PXA_SHARED);
	t->sharing = pxa_node_state(NR_PXA_SHARING);
	t->problems = pxa_debug_problems();
	err = pxs_open(&t->a, &t->file_a);
	if (!err)
		err = pxs_open(&t->b, &t->file_b);
	if (err)
		return err;

	page = pxs_write(test, &t->a, 1);
	t->page = page;
	alias = pxa_alias_alloc(GFP_KERNEL);
	lock_page(page);
	err = pxa_protect(page, t->a.mapping, 1, 1, &t->owner.pxa, alias);
	unlock_page(page);
	if (err) {
		pxa_alias_free(alias);
		return err;
	}
	lru_add_drain_all();
	pxs_merge(test, &t->b, 5);
	pxs_merge(test, &t->a, 9);
	return 0;
}

static void pxs_exit(struct kunit *test)
{
	struct pxs *t = test->priv;

	if (!t)
		return;
	t->owner.nomem = 0;
	if (t->page) {
		/* A case that was aborted may have left it locked. */
		if (PageLocked(t->page))
			unlock_page(t->page);
		put_page(t->page);
	}
	if (t->mm)
		mmput(t->mm);
	if (t->file_a)
		fput(t->file_a);
	if (t->file_b)
		fput(t->file_b);
	flush_delayed_fput();
	/* Eviction has emptied all slots. */
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARED), t->shared);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARING), t->sharing);
	KUNIT_EXPECT_EQ(test, pxa_debug_problems(), t->problems);
}

/* The protected page is whole, and has that many aliases. */
static void pxs_intact(struct kunit *test, unsigned int nr)
{
	struct pxs *t = test->priv;
	struct page *page = t->page;

	lru_add_drain_all();
	KUNIT_EXPECT_TRUE(test, PageXA(page));
	KUNIT_EXPECT_TRUE(test, PageSwapBacked(page));
	KUNIT_EXPECT_TRUE(test, PageUptodate(page));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, t->owner.pxa.nr, nr);
	KUNIT_EXPECT_TRUE(test, pxt_filled(page, 1));
	KUNIT_EXPECT_EQ(test, page_count(page),
			(int)nr + 1 + page_mapcount(page));
}

/* An ordinary page that reclaim has to swap, with the right content. */
static void pxs_ordinary(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct page *page = pxt_slot(f, index);

	pxt_ordinary(test, f, index);
	if (!page || xa_is_value(page))
		return;
	KUNIT_EXPECT_TRUE(test, PageSwapBacked(page));
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
}

static void pxs_shares(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct pxs *t = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(f, index), t->page);
}

static int pxs_break_alias(struct pxs *t, struct pxt_file *f, pgoff_t index)
{
	int ret;

	lock_page(t->page);
	ret = pxa_break_alias(t->page, f->mapping, index);
	unlock_page(t->page);
	lru_add_drain_all();
	return ret;
}

static void pxs_counts(struct kunit *test)
{
	struct pxs *t = test->priv;
	unsigned long shmem = pxa_node_state(NR_SHMEM);
	unsigned long files = pxa_node_state(NR_FILE_PAGES);

	pxs_intact(test, 3);
	/* What a file is charged for are its slots. */
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 2UL);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, 1UL);

	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->b, 5), 0);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_SHMEM), shmem + 1);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files + 1);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, 1UL);
	pxs_ordinary(test, &t->b, 5);

	pxs_merge(test, &t->b, 5);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_SHMEM), shmem);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files);

	shmem_truncate_range(t->a.inode, 0, -1);
	shmem_truncate_range(t->b.inode, 0, -1);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_SHMEM), shmem - 1);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_FILE_PAGES), files - 1);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
}

/* Who is left alone has the page itself, if nobody looks at it. */
static void pxs_last_one(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page = t->page;

	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->b, 5), 0);
	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->a, 9), 0);
	pxs_intact(test, 1);
	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->a, 1), 0);
	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(&t->a, 1), page);
	pxs_ordinary(test, &t->a, 1);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
}

/* Pages of a disk have another copy. */
static void pxs_no_mix(struct kunit *test)
{
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	struct vfsmount *mnt = kern_mount(&pxt_fs_type);
	struct pxs *t = test->priv;
	struct pxt_file f;
	struct page *page;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mnt));
	KUNIT_ASSERT_EQ(test, pxt_create(mnt, &f, 1), 0);
	page = pxt_read(test, &f, 3);
	lock_page(page);
	lock_page(t->page);
	KUNIT_EXPECT_EQ(test, pxa_merge(page, f.mapping, 3, 1, t->page, alias),
			-EINVAL);
	unlock_page(t->page);
	unlock_page(page);
	put_page(page);
	pxt_ordinary(test, &f, 3);
	pxs_intact(test, 3);
	pxa_alias_free(alias);
	iput(f.inode);
	kern_unmount(mnt);
}

static void pxs_zone(struct kunit *test)
{
	struct pxs *t = test->priv;
	gfp_t gfp = mapping_gfp_mask(t->b.mapping);

	KUNIT_EXPECT_TRUE(test, mapping_pxa_allowed(t->b.mapping));
	mapping_set_gfp_mask(t->b.mapping, GFP_KERNEL | __GFP_DMA32);
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(t->b.mapping));
	mapping_set_gfp_mask(t->b.mapping, gfp);
	mapping_set_unevictable(t->b.mapping);
	KUNIT_EXPECT_FALSE(test, mapping_pxa_allowed(t->b.mapping));
	mapping_clear_unevictable(t->b.mapping);
}

/* Who reads gets the shared page, who may write an ordinary one. */
static void pxs_getpage(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;

	KUNIT_ASSERT_EQ(test, shmem_getpage(t->a.inode, 9, &page, SGP_READ), 0);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	unlock_page(page);
	put_page(page);
	pxs_intact(test, 3);

	KUNIT_ASSERT_EQ(test, shmem_getpage(t->a.inode, 9, &page, SGP_WRITE),
			0);
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	unlock_page(page);
	put_page(page);
	pxs_ordinary(test, &t->a, 9);
	pxs_intact(test, 2);

	page = shmem_read_mapping_page(t->b.mapping, 5);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	put_page(page);
	pxs_ordinary(test, &t->b, 5);
	pxs_intact(test, 1);
}

struct pxs_read_work {
	struct work_struct	work;
	struct inode		*inode;
	struct page		*page;
	int			ret;
};

static void pxs_read_work(struct work_struct *work)
{
	struct pxs_read_work *w =
		container_of(work, struct pxs_read_work, work);

	w->ret = pxa_shmem_read(w->inode, 9, &w->page, SGP_CACHE);
}

/* Who splices waits for the page, which is gone then: a pipe takes no hole. */
static void pxs_read_hole(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct pxs_read_work w = { .inode = t->a.inode };
	int ms;

	INIT_WORK_ONSTACK(&w.work, pxs_read_work);
	lock_page(t->page);
	schedule_work(&w.work);
	for (ms = 0; ms < 10000 && !PageWaiters(t->page); ms += 20)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, PageWaiters(t->page));
	KUNIT_EXPECT_EQ(test, pxa_drop_alias(t->page, t->a.mapping, 9), 0);
	unlock_page(t->page);
	flush_work(&w.work);
	destroy_work_on_stack(&w.work);

	KUNIT_EXPECT_EQ(test, w.ret, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w.page);
	KUNIT_EXPECT_PTR_NE(test, w.page, t->page);
	KUNIT_EXPECT_TRUE(test, PageUptodate(w.page));
	unlock_page(w.page);
	put_page(w.page);
	pxs_intact(test, 2);
}

static void pxs_nomem(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page = NULL;

	t->owner.nomem = UINT_MAX;
	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->a, 9), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, !find_lock_page(t->a.mapping, 9));
	KUNIT_EXPECT_EQ(test, shmem_getpage(t->a.inode, 9, &page, SGP_WRITE),
			-ENOMEM);
	KUNIT_EXPECT_TRUE(test, !page);
	KUNIT_EXPECT_EQ(test, pxa_break_range(t->a.mapping, 0, ULONG_MAX),
			-ENOMEM);
	pxs_shares(test, &t->a, 1);
	pxs_shares(test, &t->a, 9);
	pxs_shares(test, &t->b, 5);
	pxs_intact(test, 3);

	/* There is memory when it is waited for. */
	t->owner.nomem = 2;
	KUNIT_EXPECT_EQ(test, pxa_break_range(t->a.mapping, 0, ULONG_MAX), 0);
	pxs_ordinary(test, &t->a, 1);
	pxs_ordinary(test, &t->a, 9);
	pxs_intact(test, 1);
}

static void pxs_invalidate(struct kunit *test)
{
	struct pxs *t = test->priv;

	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(t->a.mapping, 0, -1),
			0UL);
	pxs_intact(test, 3);
	KUNIT_EXPECT_EQ(test, invalidate_inode_pages2(t->b.mapping), -EBUSY);
	pxs_intact(test, 3);
	pxs_shares(test, &t->b, 5);
}

static void pxs_reclaim(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page = t->page;

	lock_page(page);
	KUNIT_EXPECT_TRUE(test, pxa_unswappable(page));
	KUNIT_ASSERT_EQ(test, isolate_lru_page(page), 0);
	t->page = NULL;
	put_page(page);
	KUNIT_EXPECT_FALSE(test, pxa_reclaim(page, NULL));
	KUNIT_ASSERT_EQ(test, t->owner.pxa.nr, 3u);

	/* Nobody shares it any more: it becomes a page that can be swapped. */
	KUNIT_EXPECT_EQ(test, pxa_break_alias(page, t->a.mapping, 9), 0);
	KUNIT_EXPECT_EQ(test, pxa_break_alias(page, t->b.mapping, 5), 0);
	KUNIT_EXPECT_FALSE(test, pxa_unswappable(page));
	KUNIT_EXPECT_FALSE(test, pxa_reclaim(page, NULL));
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
	unlock_page(page);
	putback_lru_page(page);
	lru_add_drain_all();
	pxs_ordinary(test, &t->a, 1);
	pxs_ordinary(test, &t->a, 9);
	pxs_ordinary(test, &t->b, 5);
}

static void pxs_truncate(struct kunit *test)
{
	struct pxs *t = test->priv;

	/* A hole of whole pages */
	KUNIT_EXPECT_EQ(test, vfs_fallocate(t->file_a, FALLOC_FL_PUNCH_HOLE |
					    FALLOC_FL_KEEP_SIZE,
					    9 << PAGE_SHIFT, PAGE_SIZE), 0);
	KUNIT_EXPECT_TRUE(test, !pxt_slot(&t->a, 9));
	pxs_shares(test, &t->a, 1);
	pxs_shares(test, &t->b, 5);
	pxs_intact(test, 2);
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, 1UL);
}

/* The end of the page is zeroed in one file, memory or not. */
static void pxs_truncate_partial(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;
	u8 *addr;

	t->owner.nomem = 50;
	shmem_truncate_range(t->b.inode, (5 << PAGE_SHIFT) + 100, -1);
	KUNIT_EXPECT_EQ(test, t->owner.nomem, 0u);
	pxs_shares(test, &t->a, 1);
	pxs_shares(test, &t->a, 9);
	pxs_intact(test, 2);

	page = pxt_slot(&t->b, 5);
	KUNIT_ASSERT_TRUE(test, page && !xa_is_value(page));
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	addr = kmap_atomic(page);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(addr, PXT_BYTE, 100));
	KUNIT_EXPECT_TRUE(test, !memchr_inv(addr + 100, 0, PAGE_SIZE - 100));
	kunmap_atomic(addr);
}

/* Nor does it wait for memory that never comes, as in a group at its limit. */
static void pxs_truncate_full(struct kunit *test)
{
	struct pxs *t = test->priv;

	t->owner.full = true;
	shmem_truncate_range(t->b.inode, (5 << PAGE_SHIFT) + 100, -1);
	KUNIT_EXPECT_FALSE(test, current->flags & PF_MEMALLOC);
	KUNIT_EXPECT_PTR_NE(test, pxt_slot(&t->b, 5), t->page);
	t->owner.full = false;
	pxs_intact(test, 2);
}

/* The hardware has lost it: that is known to whoever asks. */
static void pxs_evict(struct kunit *test)
{
	struct pxs *t = test->priv;

	lock_page(t->page);
	KUNIT_EXPECT_FALSE(test, pxa_evict(t->page));
	unlock_page(t->page);
	KUNIT_EXPECT_TRUE(test, !pxt_slot(&t->a, 1));
	KUNIT_EXPECT_TRUE(test, !pxt_slot(&t->a, 9));
	KUNIT_EXPECT_TRUE(test, !pxt_slot(&t->b, 5));
	KUNIT_EXPECT_EQ(test, filemap_check_errors(t->a.mapping), -EIO);
	KUNIT_EXPECT_EQ(test, filemap_check_errors(t->b.mapping), -EIO);
	KUNIT_EXPECT_EQ(test, t->owner.released, 1u);
}

static struct page *pxs_new_place(struct page *page, unsigned long private)
{
	return alloc_page(GFP_HIGHUSER_MOVABLE);
}

static void pxs_migrate(struct kunit *test)
{
	unsigned long shmem = pxa_node_state(NR_SHMEM);
	struct pxs *t = test->priv;
	struct page *page = t->page;
	LIST_HEAD(pages);
	int ret;

	KUNIT_ASSERT_EQ(test, isolate_lru_page(page), 0);
	list_add(&page->lru, &pages);
	inc_node_page_state(page, NR_ISOLATED_ANON);
	t->page = NULL;
	put_page(page);
	ret = migrate_pages(&pages, pxs_new_place, NULL, 0, MIGRATE_SYNC,
			    MR_SYSCALL);
	if (ret)
		putback_movable_pages(&pages);
	KUNIT_ASSERT_EQ(test, ret, 0);
	lru_add_drain_all();

	KUNIT_EXPECT_PTR_NE(test, pxt_slot(&t->a, 1), page);
	t->page = pxt_slot(&t->a, 1);
	get_page(t->page);
	pxs_shares(test, &t->a, 9);
	pxs_shares(test, &t->b, 5);
	pxs_intact(test, 3);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_SHMEM), shmem);
}

/* --------------------------------------------------------------- an area -- */

/* Map all of file a, shared and writable, in an mm that no task has. */
static void pxs_mmap(struct kunit *test)
{
	struct pxs *t = test->priv;

	t->vma = pxt_map_file(test, &t->mm, get_file(t->file_a), NULL);
}

static struct page *pxs_gup(struct kunit *test, pgoff_t index,
			    unsigned int flags)
{
	struct pxs *t = test->priv;
	struct page *page = NULL;
	long nr = pxt_get_mapped(t->mm, index, flags, &page);

	return nr == 1 ? page : ERR_PTR(nr);
}

/* Is the slot mapped, by a pte that lets user space write? */
static bool pxs_writable(struct kunit *test, pgoff_t index)
{
	struct pxs *t = test->priv;
	struct page_vma_mapped_walk pvmw = {
		.page		= pxt_slot(&t->a, index),
		.vma		= t->vma,
		.address	= pxt_addr(index),
	};
	bool ret;

	KUNIT_ASSERT_TRUE(test, page_vma_mapped_walk(&pvmw));
	ret = pte_write(*pvmw.pte);
	page_vma_mapped_walk_done(&pvmw);
	return ret;
}

static void pxs_mm_read(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;

	pxs_mmap(test);
	page = pxs_gup(test, 9, 0);
	KUNIT_EXPECT_PTR_EQ(test, page, t->page);
	if (!IS_ERR(page))
		put_page(page);
	KUNIT_EXPECT_FALSE(test, pxs_writable(test, 9));

	/* mprotect() to the same, and to more than there was before. */
	mmap_write_lock(t->mm);
	change_protection(t->vma, t->vma->vm_start, t->vma->vm_end,
			  vm_get_page_prot(VM_READ | VM_SHARED), 0);
	change_protection(t->vma, t->vma->vm_start, t->vma->vm_end,
			  t->vma->vm_page_prot, 0);
	mmap_write_unlock(t->mm);
	KUNIT_EXPECT_FALSE(test, pxs_writable(test, 9));
	pxs_intact(test, 3);
}

/* A page that is mapped and written when it is merged loses the right. */
static void pxs_mm_merge(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;

	pxs_mmap(test);
	put_page(pxs_write(test, &t->a, 2));
	page = pxs_gup(test, 2, FOLL_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	put_page(page);
	KUNIT_EXPECT_TRUE(test, pxs_writable(test, 2));
	pxs_merge(test, &t->a, 2);
	pxs_shares(test, &t->a, 2);
	KUNIT_EXPECT_FALSE(test, pxs_writable(test, 2));
	pxs_intact(test, 4);
}

struct pxs_merge_work {
	struct work_struct	work;
	struct pxs		*t;
	struct page		*old;		/* (a, 2) */
	int			ret;
};

static void pxs_merge_work(struct work_struct *work)
{
	struct pxs_merge_work *w =
		container_of(work, struct pxs_merge_work, work);

	w->ret = pxs_try_merge(w->t, w->old, &w->t->a, 2);
}

/*
 * Until its ptes are gone a page may be written to.  That it was is not seen
 * afterwards: it is dirty anyway.
 */
static void pxs_mm_merge_stored(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct address_space *mapping = t->a.mapping;
	struct pxs_merge_work w = { .t = t };
	struct page *page;

	/* No check of the shared page is to wait for the areas of this file. */
	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->a, 1), 0);
	KUNIT_EXPECT_EQ(test, pxs_break_alias(t, &t->a, 9), 0);
	pxs_mmap(test);
	w.old = pxs_write(test, &t->a, 2);
	page = pxs_gup(test, 2, FOLL_WRITE);
	KUNIT_ASSERT_PTR_EQ(test, page, w.old);
	put_page(page);
	KUNIT_ASSERT_TRUE(test, pxs_writable(test, 2));

	INIT_WORK_ONSTACK(&w.work, pxs_merge_work);
	i_mmap_lock_write(mapping);
	schedule_work(&w.work);
	/* The unmap waits now; this is stored through the pte. */
	msleep(100);
	t->a.last[2] = 2;
	pxt_fill(w.old, 2);
	i_mmap_unlock_write(mapping);
	flush_work(&w.work);
	destroy_work_on_stack(&w.work);
	put_page(w.old);

	KUNIT_EXPECT_EQ(test, w.ret, -ESTALE);
	lru_add_drain_all();
	pxs_ordinary(test, &t->a, 2);
	KUNIT_EXPECT_TRUE(test, pxs_writable(test, 2));
	pxs_intact(test, 1);
}

static vm_fault_t pxs_write_fault(struct pxs *t, pgoff_t index)
{
	vm_fault_t ret;

	mmap_read_lock(t->mm);
	ret = handle_mm_fault(t->vma, pxt_addr(index),
			      FAULT_FLAG_WRITE | FAULT_FLAG_USER, NULL);
	mmap_read_unlock(t->mm);
	lru_add_drain_all();
	return ret;
}

/* Others are faster, each time: no reason to kill anybody. */
static void pxs_mm_write_again(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;

	/* Not mapped: shmem looks it up once more. */
	pxs_mmap(test);
	t->owner.nomem = PXA_TRIES;
	KUNIT_EXPECT_EQ(test, pxs_write_fault(t, 1) & VM_FAULT_ERROR, 0u);
	KUNIT_EXPECT_EQ(test, t->owner.nomem, 0u);
	pxs_ordinary(test, &t->a, 1);
	pxs_intact(test, 2);

	/* Mapped: the store faults once more. */
	page = pxs_gup(test, 9, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	put_page(page);
	t->owner.nomem = PXA_TRIES;
	KUNIT_EXPECT_EQ(test, pxs_write_fault(t, 9) & VM_FAULT_ERROR, 0u);
	KUNIT_EXPECT_EQ(test, t->owner.nomem, 0u);
	pxs_intact(test, 2);
	KUNIT_EXPECT_EQ(test, pxs_write_fault(t, 9) & VM_FAULT_ERROR, 0u);
	pxs_ordinary(test, &t->a, 9);
	pxs_intact(test, 1);
}

static void pxs_mm_write(struct kunit *test)
{
	struct pxs *t = test->priv;
	struct page *page;

	pxs_mmap(test);
	page = pxs_gup(test, 9, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	put_page(page);
	t->owner.nomem = UINT_MAX;
	page = pxs_gup(test, 9, FOLL_WRITE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(page), (long)-ENOMEM);
	page = pxs_gup(test, 1, FOLL_WRITE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(page), (long)-ENOMEM);
	pxs_intact(test, 3);

	t->owner.nomem = 1;
	page = pxs_gup(test, 9, FOLL_WRITE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	KUNIT_EXPECT_PTR_NE(test, page, t->page);
	put_page(page);
	KUNIT_EXPECT_TRUE(test, pxs_writable(test, 9));
	lru_add_drain_all();
	pxs_ordinary(test, &t->a, 9);
	pxs_intact(test, 2);
}

static struct kunit_case pxs_cases[] = {
	KUNIT_CASE(pxs_counts),
	KUNIT_CASE(pxs_last_one),
	KUNIT_CASE(pxs_no_mix),
	KUNIT_CASE(pxs_zone),
	KUNIT_CASE(pxs_getpage),
	KUNIT_CASE(pxs_read_hole),
	KUNIT_CASE(pxs_nomem),
	KUNIT_CASE(pxs_invalidate),
	KUNIT_CASE(pxs_reclaim),
	KUNIT_CASE(pxs_truncate),
	KUNIT_CASE(pxs_truncate_partial),
	KUNIT_CASE(pxs_truncate_full),
	KUNIT_CASE(pxs_evict),
	KUNIT_CASE(pxs_migrate),
	KUNIT_CASE(pxs_mm_read),
	KUNIT_CASE(pxs_mm_merge),
	KUNIT_CASE(pxs_mm_merge_stored),
	KUNIT_CASE(pxs_mm_write),
	KUNIT_CASE(pxs_mm_write_again),
	{}
};

static struct kunit_suite pxs_suite = {
	.name = "page_xa_shmem",
	.init = pxs_init,
	.exit = pxs_exit,
	.test_cases = pxs_cases,
};

kunit_test_suites(&pxs_suite);
