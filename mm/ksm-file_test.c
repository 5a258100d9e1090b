// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of KSM for file-backed pages; part of mm/ksm-file.c.
 *
 * ksmd does not run yet: the cases call what it would call.
 */
#include "page-xa_test.h"

struct kft {
	struct vfsmount		*mnt;
	struct vfsmount		*other;	/* of @c: a user's own */
	struct user_namespace	*userns;
	struct pxt_file		a;
	struct pxt_file		b;
	struct pxt_file		c;
	struct mm_struct	*mm;	/* that has advised the files */
	struct vm_area_struct	*areas;
	struct ksm_file_params	params;
	unsigned long		seqnr;
	unsigned long		max_sharing;
	unsigned long		max_unshared;
};

static int kft_rules(u8 parts, bool only_zero)
{
	int err;

	mutex_lock(&ksm_thread_mutex);
	err = ksm_file_set_rules(parts, only_zero);
	mutex_unlock(&ksm_thread_mutex);
	return err;
}

/* An area with all of the file, of a process that has no pages yet. */
static int kft_advise(struct kft *t, struct pxt_file *f)
{
	struct vm_area_struct *vma;

	if (!t->mm)
		t->mm = mm_alloc();
	vma = t->mm ? vm_area_alloc(t->mm) : NULL;
	if (!vma)
		return -ENOMEM;
	vma->vm_start = pxt_addr(0);
	vma->vm_end = pxt_addr(PXT_PAGES);
	vma->vm_flags = VM_SHARED | VM_MAYREAD | VM_MERGEABLE;
	vma->vm_private_data = f->mapping;
	vma->vm_next = t->areas;
	t->areas = vma;
	i_mmap_lock_write(f->mapping);
	vma_interval_tree_insert(vma, &f->mapping->i_mmap);
	i_mmap_unlock_write(f->mapping);
	return 0;
}

static void kft_unadvise(struct kft *t)
{
	struct address_space *mapping;
	struct vm_area_struct *vma;

	while ((vma = t->areas)) {
		t->areas = vma->vm_next;
		mapping = vma->vm_private_data;
		i_mmap_lock_write(mapping);
		vma_interval_tree_remove(vma, &mapping->i_mmap);
		i_mmap_unlock_write(mapping);
		vm_area_free(vma);
	}
	if (t->mm)
		mmput(t->mm);
}

static int kft_init(struct kunit *test)
{
	struct kft *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct vfsmount *mnt;
	int err;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	t->params.max_sharing = 256;
	t->params.across_nodes = true;
	t->seqnr = ksm_file_seqnr;
	t->max_sharing = ksm_file_max_sharing;
	t->max_unshared = ksm_file_max_unshared;
	mnt = kern_mount(&pxt_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	t->mnt = mnt;
	err = pxt_create(mnt, &t->a, 1);
	if (!err)
		err = pxt_create(mnt, &t->b, 1);
	if (!err)
		err = kft_advise(t, &t->a);
	if (!err)
		err = kft_advise(t, &t->b);
	return err;
}

static void kft_exit(struct kunit *test)
{
	struct kft *t = test->priv;

	if (!t)
		return;
	ksm_file_cand_free_all();
	kft_unadvise(t);
	iput(t->a.inode);
	iput(t->b.inode);
	if (t->other) {
		iput(t->c.inode);
		if (t->userns)
			t->other->mnt_sb->s_user_ns = t->userns;
		kern_unmount(t->other);
	}
	ksm_file_max_sharing = t->max_sharing;
	ksm_file_max_unshared = t->max_unshared;
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, false), 0);
	if (t->mnt)
		kern_unmount(t->mnt);
	ksm_file_seqnr = t->seqnr;

	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_cands));
	KUNIT_EXPECT_EQ(test, ksm_file_nr_cands, 0UL);
	KUNIT_EXPECT_EQ(test, atomic_read(&ksm_file_node_table.ht.nelems), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&ksm_file_cand_table.nelems), 0);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARED), 0UL);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARING), 0UL);
}

/* What ksmd does when it comes across the page. */
static void kft_scan(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct kft *t = test->priv;
	struct ksm_file_item item = {
		.page		= pxt_read(test, f, index),
		.mapping	= f->mapping,
		.index		= index,
	};

	ksm_file_scan_page(&item, &t->params);
	KUNIT_EXPECT_FALSE(test, PageLocked(item.page));
	put_page(item.page);
	lru_add_drain_all();
}

/* The gauges, and how many candidates there are. */
static void kft_counts(struct kunit *test, unsigned long shared,
		       unsigned long sharing, unsigned long cands)
{
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARED), shared);
	KUNIT_EXPECT_EQ(test, pxa_node_state(NR_PXA_SHARING), sharing);
	KUNIT_EXPECT_EQ(test, ksm_file_nr_cands, cands);
	KUNIT_EXPECT_EQ(test, (unsigned long)
			atomic_read(&ksm_file_cand_table.nelems), cands);
}

/* The protected page in the slot, or NULL. */
static struct page *kft_shared(struct pxt_file *f, pgoff_t index)
{
	struct page *page = pxt_slot(f, index);

	return page && !xa_is_value(page) && PageXA(page) ? page : NULL;
}

static void kft_shares(struct kunit *test, struct pxt_file *f, pgoff_t i,
		       struct pxt_file *g, pgoff_t j)
{
	KUNIT_EXPECT_TRUE(test, kft_shared(f, i));
	KUNIT_EXPECT_PTR_EQ(test, pxt_slot(f, i), pxt_slot(g, j));
}

static struct ksm_file_node *kft_node(struct pxt_file *f, pgoff_t index)
{
	struct page *page = kft_shared(f, index);
	struct ksm_file_node *node = NULL;

	if (page) {
		lock_page(page);
		if (page_is_ksm_file(page))
			node = container_of(page_pxa(page),
					    struct ksm_file_node, pxa);
		unlock_page(page);
	}
	return node;
}

static u64 kft_digest(struct kunit *test, struct pxt_file *f,
		      struct page *page)
{
	struct kft *t = test->priv;
	struct ksm_file_domain domain;

	ksm_file_domain_get(&domain, page, f->mapping);
	return ksm_file_digest(page, &domain, &t->params);
}

/* The only candidate. */
static struct ksm_file_cand *kft_cand(void)
{
	return list_first_entry_or_null(&ksm_file_cands, struct ksm_file_cand,
					list);
}

static void kft_is_cand(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct ksm_file_item item = {
		.page		= pxt_slot(f, index),
		.mapping	= f->mapping,
		.index		= index,
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kft_cand());
	KUNIT_EXPECT_TRUE(test, ksm_file_cand_is(kft_cand(), &item));
}

static void kft_drop(struct pxt_file *f, pgoff_t index)
{
	truncate_inode_pages_range(f->mapping, (loff_t)index << PAGE_SHIFT,
				   ((loff_t)(index + 1) << PAGE_SHIFT) - 1);
}

static void ksm_file_two(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long merges = pxa_event(PXA_MERGE);

	kft_scan(test, &t->a, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 1);

	kft_scan(test, &t->b, 5);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->b, 5);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_MERGE), merges + 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kft_node(&t->a, 1));
	KUNIT_EXPECT_TRUE(test, kft_node(&t->a, 1)->hashed);
	KUNIT_EXPECT_EQ(test, kft_node(&t->a, 1)->digest,
			kft_digest(test, &t->a, pxt_slot(&t->a, 1)));
	/* The slots, and nobody else. */
	KUNIT_EXPECT_EQ(test, page_count(pxt_slot(&t->a, 1)), 2);
}

static void ksm_file_three(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_scan(test, &t->a, 0);
	kft_scan(test, &t->b, 3);
	kft_scan(test, &t->a, 7);
	kft_counts(test, 1, 2, 0);
	kft_shares(test, &t->a, 0, &t->b, 3);
	kft_shares(test, &t->a, 0, &t->a, 7);

	/* Another pass changes nothing. */
	kft_scan(test, &t->a, 0);
	kft_scan(test, &t->b, 3);
	kft_scan(test, &t->a, 7);
	kft_counts(test, 1, 2, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&ksm_file_node_table.ht.nelems), 1);
}

static void ksm_file_one_file(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_scan(test, &t->a, 4);
	kft_scan(test, &t->a, 2);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 4, &t->a, 2);
}

static void ksm_file_different(struct kunit *test)
{
	struct kft *t = test->priv;

	t->a.last[1] = 2;
	t->b.last[1] = 3;
	kft_scan(test, &t->a, 0);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 3);
	pxt_ordinary(test, &t->a, 0);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);

	/* Each finds its own kind. */
	t->b.last[8] = 2;
	kft_scan(test, &t->b, 8);
	kft_counts(test, 1, 1, 2);
	kft_shares(test, &t->a, 1, &t->b, 8);
}

static void ksm_file_not_eligible(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long dirty = pxa_event(PXA_REFUSED_DIRTY);
	unsigned long unsupported = pxa_event(PXA_REFUSED_UNSUPPORTED);
	struct page *page = pxt_read(test, &t->a, 1);

	SetPageDirty(page);
	kft_scan(test, &t->a, 1);
	ClearPageDirty(page);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_DIRTY), dirty + 1);

	SetPageError(page);
	kft_scan(test, &t->a, 1);
	ClearPageError(page);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_UNSUPPORTED),
			unsupported + 1);
	kft_counts(test, 0, 0, 0);
	put_page(page);
	pxt_ordinary(test, &t->a, 1);
}

/* Who is at work on a page is not disturbed. */
static void ksm_file_busy(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long pinned = pxa_event(PXA_REFUSED_PINNED);
	struct page *page;

	/* The candidate is pinned: it can't be protected. */
	kft_scan(test, &t->a, 1);
	page = pxt_read(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_PINNED), pinned + 1);
	kft_counts(test, 0, 0, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);
	put_page(page);

	/*
	 * Now the other one is the candidate.  The page at hand is pinned: the
	 * candidate is ordinary again.
	 */
	page = pxt_read(test, &t->a, 1);
	kft_scan(test, &t->a, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_PINNED), pinned + 2);
	kft_counts(test, 0, 0, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
	put_page(page);

	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->b, 1);
}

static void ksm_file_remembered(struct kunit *test)
{
	struct kft *t = test->priv;
	struct ksm_file_cand *cand;

	t->a.last[2] = 2;
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->a, 2);
	kft_counts(test, 0, 0, 2);
	/* Both were seen in the pass that ends. */
	ksm_file_cand_prune();
	kft_counts(test, 0, 0, 2);

	/* In the next one only the first is seen. */
	ksm_file_seqnr++;
	kft_scan(test, &t->a, 1);
	kft_counts(test, 0, 0, 2);
	cand = list_last_entry(&ksm_file_cands, struct ksm_file_cand, list);
	KUNIT_EXPECT_EQ(test, cand->index, (pgoff_t)1);
	KUNIT_EXPECT_EQ(test, cand->seqnr, ksm_file_seqnr);
	ksm_file_cand_prune();
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->a, 1);

	ksm_file_seqnr++;
	ksm_file_cand_prune();
	kft_counts(test, 0, 0, 0);

	/* What is forgotten is not found, but is found again later. */
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);
	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
}

/* The page of the candidate was truncated. */
static void ksm_file_stale_page(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_scan(test, &t->a, 1);
	kft_drop(&t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, !pxt_slot(&t->a, 1));

	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->b, 1);
}

/* The candidate's page was shared meanwhile, or is elsewhere. */
static void ksm_file_stale_place(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_scan(test, &t->a, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kft_cand());
	kft_cand()->index = 2;
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);
	pxt_ordinary(test, &t->a, 1);

	/* The mapping may be gone: nobody looks into it. */
	kft_cand()->mapping = (void *)(POISON_POINTER_DELTA + 0x100000);
	kft_scan(test, &t->a, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);

	/* There may be no such page. */
	kft_cand()->pfn = ULONG_MAX >> PAGE_SHIFT;
	kft_cand()->mapping = (void *)(POISON_POINTER_DELTA + 0x100000);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);

	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
}

/* Nobody advises the place of the candidate any more. */
static void ksm_file_stale_advice(struct kunit *test)
{
	struct kft *t = test->priv;
	struct vm_area_struct *vma;

	kft_scan(test, &t->a, 1);
	for (vma = t->areas; vma; vma = vma->vm_next)
		if (vma->vm_private_data == t->a.mapping)
			vma->vm_flags &= ~VM_MERGEABLE;
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);

	/* One of several areas is enough. */
	KUNIT_ASSERT_EQ(test, kft_advise(t, &t->a), 0);
	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->b, 1);
}

/* Somebody has the candidate's page locked; the next scan may succeed. */
static void ksm_file_locked(struct kunit *test)
{
	struct kft *t = test->priv;
	struct page *page;

	kft_scan(test, &t->a, 1);
	page = pxt_slot(&t->a, 1);
	lock_page(page);
	kft_scan(test, &t->b, 1);
	unlock_page(page);
	kft_counts(test, 0, 0, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);

	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
	/* Nor does it wait for a shared page. */
	page = kft_shared(&t->a, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	lock_page(page);
	kft_scan(test, &t->b, 2);
	unlock_page(page);
	kft_counts(test, 1, 1, 1);
	kft_scan(test, &t->b, 2);
	kft_counts(test, 1, 2, 0);
}

/* Equal digests, different contents: nothing is shared in the end. */
static void ksm_file_collision(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long changed = pxa_event(PXA_REFUSED_CHANGED);
	struct ksm_file_item item = {
		.mapping	= t->a.mapping,
		.index		= 1,
	};
	struct page *page;

	t->b.last[1] = 2;
	item.page = pxt_read(test, &t->a, 1);
	page = pxt_read(test, &t->b, 1);
	/* As if the page of b had been seen as (a, 1). */
	ksm_file_cand_add(kft_digest(test, &t->b, page), &item);
	put_page(item.page);
	put_page(page);
	kft_counts(test, 0, 0, 1);

	kft_scan(test, &t->b, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_CHANGED), changed + 1);
	kft_counts(test, 0, 0, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
	KUNIT_EXPECT_EQ(test, atomic_read(&ksm_file_node_table.ht.nelems), 0);
	KUNIT_EXPECT_EQ(test, page_count(pxt_slot(&t->a, 1)), 1);
	KUNIT_EXPECT_EQ(test, page_count(pxt_slot(&t->b, 1)), 1);
}

/* The same with a page that is already shared. */
static void ksm_file_collision_shared(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long changed = pxa_event(PXA_REFUSED_CHANGED);
	struct ksm_file_node *node;
	struct page *page;

	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->a, 2);
	node = kft_node(&t->a, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	t->b.last[1] = 2;
	page = pxt_read(test, &t->b, 1);
	ksm_file_node_unhash(node);
	node->digest = kft_digest(test, &t->b, page);
	ksm_file_node_hash(node);
	put_page(page);

	kft_scan(test, &t->b, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_CHANGED), changed + 1);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->a, 2);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, pxt_filled(pxt_slot(&t->a, 1), 1));
}

static void ksm_file_limit(struct kunit *test)
{
	struct kft *t = test->priv;
	struct ksm_file_node *first;

	t->params.max_sharing = 2;
	kft_scan(test, &t->a, 0);
	kft_scan(test, &t->a, 1);
	kft_counts(test, 1, 1, 0);
	first = kft_node(&t->a, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	KUNIT_EXPECT_TRUE(test, first->hashed);

	/* It is full: the next two make a second one. */
	kft_scan(test, &t->a, 2);
	KUNIT_EXPECT_FALSE(test, first->hashed);
	kft_counts(test, 1, 1, 1);
	kft_scan(test, &t->a, 3);
	kft_counts(test, 2, 2, 0);
	kft_shares(test, &t->a, 2, &t->a, 3);
	KUNIT_EXPECT_PTR_NE(test, pxt_slot(&t->a, 0), pxt_slot(&t->a, 2));

	/* As long as it is full it isn't found again. */
	kft_scan(test, &t->a, 0);
	KUNIT_EXPECT_FALSE(test, first->hashed);
	kft_drop(&t->a, 1);
	kft_counts(test, 2, 1, 0);
	kft_scan(test, &t->a, 0);
	KUNIT_EXPECT_TRUE(test, first->hashed);
	kft_scan(test, &t->b, 4);
	kft_counts(test, 2, 2, 0);
	kft_shares(test, &t->a, 0, &t->b, 4);
	KUNIT_EXPECT_EQ(test, first->pxa.nr, 2u);
}

static void ksm_file_unmerge(struct kunit *test)
{
	struct kft *t = test->priv;
	pgoff_t i;

	t->params.max_sharing = 3;
	for (i = 0; i < PXT_PAGES; i++) {
		t->a.last[i] = i % 3;
		t->b.last[i] = i % 3;
		kft_scan(test, &t->a, i);
		kft_scan(test, &t->b, i);
	}
	KUNIT_EXPECT_GE(test, pxa_node_state(NR_PXA_SHARED), 9UL);
	KUNIT_EXPECT_GE(test, pxa_node_state(NR_PXA_SHARING), 18UL);

	mutex_lock(&ksm_thread_mutex);
	KUNIT_EXPECT_EQ(test, ksm_file_unmerge_all(), 0);
	mutex_unlock(&ksm_thread_mutex);
	kft_counts(test, 0, 0, 0);
	for (i = 0; i < PXT_PAGES; i++) {
		pxt_ordinary(test, &t->a, i);
		pxt_ordinary(test, &t->b, i);
	}
	KUNIT_EXPECT_EQ(test, t->a.mapping->nrpages, (unsigned long)PXT_PAGES);
	KUNIT_EXPECT_EQ(test, t->b.mapping->nrpages, (unsigned long)PXT_PAGES);
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_cands));
	KUNIT_EXPECT_EQ(test, atomic_read(&ksm_file_node_table.ht.nelems), 0);
}

/* A file that is open for reading, as far as anybody looks at it. */
static struct file *kft_file(struct kunit *test, struct pxt_file *f)
{
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct dentry *dentry = kunit_kzalloc(test, sizeof(*dentry), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dentry);
	dentry->d_inode = f->inode;
	file->f_path.dentry = dentry;
	file->f_inode = f->inode;
	file->f_mapping = f->mapping;
	file->f_mode = FMODE_READ;
	return file;
}

/* A part of a file, as far as it is resident, and a few pages at a time. */
static void ksm_file_area(struct kunit *test)
{
	static const struct vm_operations_struct no_ops;
	static const struct vm_operations_struct ops = {
		.page_mkwrite	= filemap_page_mkwrite,
	};
	struct kft *t = test->priv;
	struct vm_area_struct vma = {
		.vm_start	= 0x100000,
		.vm_end		= 0x100000 + 10 * PAGE_SIZE,
		.vm_pgoff	= 2,
		.vm_ops		= &no_ops,
		.vm_flags	= VM_MAYREAD,
	};
	unsigned long address = ksm_file_address;
	struct file *file;
	pgoff_t i;

	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	file = kft_file(test, &t->a);
	vma.vm_file = file;
	/* Who writes through the area would not be noticed. */
	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	vma.vm_ops = &ops;
	KUNIT_EXPECT_TRUE(test, ksm_file_vma(&vma));
	/* Nor may anybody have it merged who can't read it. */
	vma.vm_flags = 0;
	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	vma.vm_flags = VM_MAYREAD;
	file->f_mode = FMODE_WRITE;
	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	file->f_mode = FMODE_READ;

	for (i = 0; i < PXT_PAGES; i++)
		if (i != 5)
			put_page(pxt_read(test, &t->a, i));
	ksm_file_address = vma.vm_start;
	KUNIT_EXPECT_EQ(test, ksm_file_scan_vma(&vma, 4, &t->params), 4u);
	/* (a, 2), (a, 3), (a, 4) and (a, 6) */
	KUNIT_EXPECT_EQ(test, ksm_file_address, vma.vm_start + 5 * PAGE_SIZE);
	kft_counts(test, 1, 3, 0);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_vma(&vma, 100, &t->params), 5u);
	KUNIT_EXPECT_EQ(test, ksm_file_address, vma.vm_end);
	kft_counts(test, 1, 8, 0);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 12);
	kft_shares(test, &t->a, 2, &t->a, 11);
	ksm_file_address = address;

	/* Nothing is nothing, at the start of a file as well. */
	vma.vm_pgoff = 0;
	KUNIT_EXPECT_EQ(test, ksm_file_unmerge_vma(&vma, vma.vm_start,
						   vma.vm_start), 0);
	vma.vm_pgoff = 2;
	kft_counts(test, 1, 8, 0);
	ksm_file_unmerge_vma(&vma, vma.vm_start + PAGE_SIZE,
			     vma.vm_start + 5 * PAGE_SIZE);
	pxt_ordinary(test, &t->a, 3);
	pxt_ordinary(test, &t->a, 6);
	kft_shares(test, &t->a, 2, &t->a, 7);
	kft_counts(test, 1, 5, 0);
}

/* Areas that are not advised have their price, as have pages. */
static void ksm_file_many_areas(struct kunit *test)
{
	static const struct vm_operations_struct ops = {
		.page_mkwrite	= filemap_page_mkwrite,
	};
	struct kft *t = test->priv;
	unsigned long address = ksm_file_address;
	unsigned int i, nr = 2 * KSM_FILE_AREAS;
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	struct file *file;
	int done[4];

	vma = kunit_kzalloc(test, (nr + 1) * sizeof(*vma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vma);
	file = kft_file(test, &t->a);
	put_page(pxt_read(test, &t->a, 0));
	mm = mm_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm);

	/* Side by side; only the last one is of a file, and advised. */
	for (i = 0; i <= nr; i++) {
		vma[i].vm_start = 0x100000 + i * PAGE_SIZE;
		vma[i].vm_end = vma[i].vm_start + PAGE_SIZE;
		vma[i].vm_flags = VM_MAYREAD | VM_MERGEABLE;
		vma[i].vm_mm = mm;
		vma[i].vm_next = i < nr ? &vma[i + 1] : NULL;
		vma[i].vm_prev = i ? &vma[i - 1] : NULL;
		rb_link_node(&vma[i].vm_rb, i ? &vma[i - 1].vm_rb : NULL,
			     i ? &vma[i - 1].vm_rb.rb_right :
				 &mm->mm_rb.rb_node);
	}
	vma[nr].vm_file = file;
	vma[nr].vm_ops = &ops;

	ksm_file_address = 0;
	for (i = 0; i < ARRAY_SIZE(done); i++)
		done[i] = ksm_file_scan_mm(mm, 10, &t->params);
	ksm_file_address = address;
	mm->mm_rb = RB_ROOT;
	mmput(mm);
	KUNIT_EXPECT_EQ(test, done[0], 1);
	KUNIT_EXPECT_EQ(test, done[1], 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->a, 0);
	KUNIT_EXPECT_EQ(test, done[2], 1);
	KUNIT_EXPECT_EQ(test, done[3], -1);
}

/* A program that the user may execute, but perhaps not read. */
static void ksm_file_exec_only(struct kunit *test)
{
	struct kft *t = test->priv;
	struct cred *user = prepare_creds();
	struct file *file;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, user);
	file = kft_file(test, &t->a);
	file->f_flags = O_RDONLY | __FMODE_EXEC;
	file->f_cred = user;

	/* root may read all */
	t->a.inode->i_mode = S_IFREG | 0111;
	KUNIT_EXPECT_TRUE(test, ksm_file_readable(file));
	user->fsuid = KUIDT_INIT(1000);
	user->fsgid = KGIDT_INIT(1000);
	cap_clear(user->cap_effective);
	KUNIT_EXPECT_FALSE(test, ksm_file_readable(file));
	/* Who opened it for reading had the right to. */
	file->f_flags = O_RDONLY;
	KUNIT_EXPECT_TRUE(test, ksm_file_readable(file));
	file->f_flags |= __FMODE_EXEC;
	t->a.inode->i_mode = S_IFREG | 0555;
	KUNIT_EXPECT_TRUE(test, ksm_file_readable(file));

	/*
	 * Opened by root on behalf of somebody who has opened a file of a
	 * filesystem on top: only if that is for all to read.
	 */
	user->fsuid = GLOBAL_ROOT_UID;
	user->cap_effective = CAP_FULL_SET;
	file->f_path.dentry->d_inode = t->b.inode;
	t->b.inode->i_mode = S_IFREG | 0711;
	KUNIT_EXPECT_FALSE(test, ksm_file_readable(file));
	t->b.inode->i_mode = S_IFREG | 0751;
	KUNIT_EXPECT_FALSE(test, ksm_file_readable(file));
	t->b.inode->i_mode = S_IFREG | 0755;
	KUNIT_EXPECT_TRUE(test, ksm_file_readable(file));
	file->f_flags = O_RDONLY;
	t->b.inode->i_mode = S_IFREG | 0711;
	KUNIT_EXPECT_TRUE(test, ksm_file_readable(file));
	t->a.inode->i_mode = S_IFREG | 0600;
	t->b.inode->i_mode = S_IFREG | 0600;
	put_cred(user);
}

/* File c is on a filesystem of another user namespace. */
static void kft_other(struct kunit *test)
{
	struct kft *t = test->priv;
	struct user_namespace *ns;
	struct vfsmount *mnt;

	ns = kunit_kzalloc(test, sizeof(*ns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ns);
	mnt = kern_mount(&pxt_fs_type);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mnt));
	t->other = mnt;
	KUNIT_ASSERT_EQ(test, pxt_create(mnt, &t->c, 1), 0);
	KUNIT_ASSERT_EQ(test, kft_advise(t, &t->c), 0);
	/* Nobody looks into it. */
	t->userns = mnt->mnt_sb->s_user_ns;
	mnt->mnt_sb->s_user_ns = ns;
}

static void ksm_file_userns(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_other(test);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->c, 1);
	kft_counts(test, 0, 0, 2);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->c, 1);
	/* Each finds its own kind, also when there are shared pages. */
	kft_scan(test, &t->c, 2);
	kft_scan(test, &t->b, 2);
	kft_counts(test, 2, 2, 0);
	kft_shares(test, &t->a, 1, &t->b, 2);
	kft_shares(test, &t->c, 1, &t->c, 2);
	kft_scan(test, &t->a, 3);
	kft_scan(test, &t->c, 3);
	kft_counts(test, 2, 4, 0);
	kft_shares(test, &t->a, 1, &t->a, 3);
	kft_shares(test, &t->c, 1, &t->c, 3);
}

static void ksm_file_widen(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_other(test);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->a, 2);
	kft_scan(test, &t->c, 1);
	kft_counts(test, 1, 1, 1);

	/* What was learnt is of no use any more, what is shared stays so. */
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST & ~KSM_FILE_USERNS,
					false), 0);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->a, 2);
	/* It is found by the others once the scan has come across it. */
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->c, 1);
	kft_counts(test, 1, 2, 0);
	kft_shares(test, &t->a, 1, &t->c, 1);
	kft_scan(test, &t->b, 5);
	kft_scan(test, &t->c, 6);
	kft_counts(test, 1, 4, 0);

	/* Back: all of them are broken, and find together as they may. */
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, false), 0);
	kft_counts(test, 0, 0, 0);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->a, 2);
	pxt_ordinary(test, &t->b, 5);
	pxt_ordinary(test, &t->c, 1);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->c, 1);
	kft_scan(test, &t->a, 2);
	kft_scan(test, &t->c, 6);
	kft_counts(test, 2, 2, 0);
	kft_shares(test, &t->a, 1, &t->a, 2);
	kft_shares(test, &t->c, 1, &t->c, 6);

	/* Nothing that is shared now is forbidden by the same rules. */
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, false), 0);
	kft_counts(test, 2, 2, 0);
}

/* A part that makes no difference breaks what was merged without it. */
static void ksm_file_narrow_by_parts(struct kunit *test)
{
	struct kft *t = test->priv;

	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_USERNS, false), 0);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 0);
	/* Not comparable: one part more, one less. */
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_MEMCG, false), 0);
	kft_counts(test, 0, 0, 0);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, kft_rules(0, false), 0);
	kft_counts(test, 1, 1, 0);
}

/*
 * Of what was merged under narrower rules nobody tells that it is of the same group
 * as a page that is merged into it under wider ones.
 */
static void ksm_file_narrow_again(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_USERNS | KSM_FILE_OWNER, false),
			0);
	kft_counts(test, 1, 1, 0);
	/* Not before the scan has come across it. */
	kft_scan(test, &t->a, 2);
	kft_counts(test, 1, 1, 1);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->a, 2);
	kft_counts(test, 1, 2, 0);
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, false), 0);
	kft_counts(test, 0, 0, 0);
}

/* Removal from the table takes as long as there are others with this digest. */
static void ksm_file_digest_bound(struct kunit *test)
{
	enum { NR = KSM_FILE_TRIES + 4 };
	struct ksm_file_node *nodes;
	int i;

	nodes = kunit_kzalloc(test, NR * sizeof(*nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, nodes);
	for (i = 0; i < NR; i++) {
		nodes[i].digest = 0x12345;
		ksm_file_node_hash(&nodes[i]);
		KUNIT_EXPECT_EQ(test, (int)nodes[i].hashed,
				(int)(i < KSM_FILE_TRIES));
	}
	ksm_file_node_unhash(&nodes[0]);
	ksm_file_node_hash(&nodes[NR - 1]);
	KUNIT_EXPECT_TRUE(test, nodes[NR - 1].hashed);
	for (i = 0; i < NR; i++)
		ksm_file_node_unhash(&nodes[i]);
	synchronize_rcu();
}

static void ksm_file_shrink(struct kunit *test)
{
	struct shrink_control sc = { .nr_to_scan = 2 };
	struct kft *t = test->priv;
	unsigned long nr = ksm_file_nr_cands;
	pgoff_t i;

	for (i = 0; i < 3; i++) {
		t->a.last[i] = 30 + i;
		kft_scan(test, &t->a, i);
	}
	kft_counts(test, 0, 0, 3);
	KUNIT_EXPECT_EQ(test, ksm_file_shrink_count(NULL, &sc), nr + 3);
	/* Whoever scans has the mutex. */
	mutex_lock(&ksm_thread_mutex);
	KUNIT_EXPECT_EQ(test, ksm_file_shrink_scan(NULL, &sc), SHRINK_STOP);
	mutex_unlock(&ksm_thread_mutex);
	kft_counts(test, 0, 0, 3);
	KUNIT_EXPECT_EQ(test, ksm_file_shrink_scan(NULL, &sc), 2ul);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->a, 2);
}

/* The last process of a pass exits: that is the end of it all the same. */
static void ksm_file_pass_end(struct kunit *test)
{
	struct kft *t = test->priv;
	struct mm_struct *mm[3];
	int i;

	KUNIT_ASSERT_TRUE(test, list_empty(&ksm_file_slot_list));
	for (i = 0; i < ARRAY_SIZE(mm); i++) {
		mm[i] = mm_alloc();
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mm[i]);
		KUNIT_ASSERT_EQ(test, ksm_file_enter(mm[i]), 0);
	}
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), 1);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), 1);
	ksm_file_exit(mm[2]);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), -1);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), 1);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), -1);
	ksm_file_exit(mm[0]);
	ksm_file_exit(mm[1]);
	KUNIT_EXPECT_EQ(test, ksm_file_scan_some(10, &t->params), -1);
	for (i = 0; i < ARRAY_SIZE(mm); i++)
		mmput(mm[i]);
}

static void ksm_file_owner(struct kunit *test)
{
	struct kft *t = test->priv;

	t->b.inode->i_uid = KUIDT_INIT(1000);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 2);
	t->b.inode->i_uid = KUIDT_INIT(0);
	t->b.inode->i_gid = KGIDT_INIT(1000);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 3);
	t->b.inode->i_gid = KGIDT_INIT(0);
	t->b.inode->i_mode = S_IFREG | 0644;
	kft_scan(test, &t->b, 1);
	kft_counts(test, 0, 0, 4);
	/* Who may write or execute it tells nothing. */
	t->b.inode->i_mode = S_IFREG | 0511;
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 3);
	kft_shares(test, &t->a, 1, &t->b, 1);
}

/* The candidate is in another domain than when it was seen. */
static void ksm_file_stale_domain(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long changed = pxa_event(PXA_REFUSED_CHANGED);

	kft_scan(test, &t->a, 1);
	t->a.inode->i_uid = KUIDT_INIT(1000);
	kft_scan(test, &t->b, 1);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_CHANGED), changed + 1);
	kft_counts(test, 0, 0, 1);
	kft_is_cand(test, &t->b, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);
	kft_scan(test, &t->b, 2);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->b, 1, &t->b, 2);
}

/* It changes after the shared page was found; or the digest is by chance. */
static void ksm_file_stale_item(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long changed = pxa_event(PXA_REFUSED_CHANGED);
	struct ksm_file_item item = { .mapping = t->b.mapping, .index = 1 };
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	struct ksm_file_node *node;
	struct page *page;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, alias);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->a, 2);
	node = kft_node(&t->a, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	page = kft_shared(&t->a, 1);
	item.page = pxt_read(test, &t->b, 1);

	t->b.inode->i_uid = KUIDT_INIT(1000);
	lock_page(page);
	KUNIT_EXPECT_EQ(test, ksm_file_merge_into(&item, page, &alias), -ESTALE);
	unlock_page(page);
	KUNIT_EXPECT_TRUE(test, alias);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_CHANGED), changed + 1);
	kft_counts(test, 1, 1, 0);
	pxt_ordinary(test, &t->b, 1);
	put_page(item.page);
	pxa_alias_free(alias);

	/* Looked up by the digest of the other domain. */
	ksm_file_node_unhash(node);
	node->digest = kft_digest(test, &t->b, page);
	ksm_file_node_hash(node);
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 1);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, node->hashed);
}

static void kft_zero(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct page *page = pxt_read(test, f, index);

	clear_highpage(page);
	put_page(page);
}

static void ksm_file_zero(struct kunit *test)
{
	struct kft *t = test->priv;

	kft_zero(test, &t->a, 1);
	kft_zero(test, &t->b, 2);
	kft_zero(test, &t->a, 3);
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, true), 0);
	/* Other pages are not even remembered. */
	kft_scan(test, &t->a, 5);
	kft_scan(test, &t->b, 5);
	kft_counts(test, 0, 0, 0);
	kft_scan(test, &t->a, 1);
	kft_scan(test, &t->b, 2);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 1, &t->b, 2);
	KUNIT_EXPECT_TRUE(test, ksm_file_is_zero(pxt_slot(&t->a, 1)));

	/* Any content; and back, which breaks that of other pages only. */
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, false), 0);
	kft_scan(test, &t->a, 3);
	kft_scan(test, &t->a, 5);
	kft_scan(test, &t->b, 5);
	kft_counts(test, 2, 3, 0);
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, true), 0);
	kft_counts(test, 1, 2, 0);
	kft_shares(test, &t->a, 1, &t->b, 2);
	kft_shares(test, &t->a, 1, &t->a, 3);
	pxt_ordinary(test, &t->a, 5);
	pxt_ordinary(test, &t->b, 5);
}

/* Both pages had nothing but zeroes when they were seen, and are equal again. */
static void ksm_file_zero_stale(struct kunit *test)
{
	struct kft *t = test->priv;
	struct ksm_file_item a = { .mapping = t->a.mapping, .index = 1 };
	struct ksm_file_item b = { .mapping = t->b.mapping, .index = 1 };
	struct pxa_alias *alias = pxa_alias_alloc(GFP_KERNEL);
	struct ksm_file_domain domain;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, alias);
	KUNIT_EXPECT_EQ(test, kft_rules(KSM_FILE_NARROWEST, true), 0);
	a.page = pxt_read(test, &t->a, 1);
	b.page = pxt_read(test, &t->b, 1);
	ksm_file_cand_add(kft_digest(test, &t->a, a.page), &a);
	ksm_file_domain_get(&domain, b.page, b.mapping);
	lock_page(a.page);
	KUNIT_EXPECT_EQ(test, ksm_file_merge_two(a.page, kft_cand(), &domain,
						 &t->params, &b, &alias),
			-ESTALE);
	unlock_page(a.page);
	put_page(a.page);
	put_page(b.page);
	pxa_alias_free(alias);
	kft_counts(test, 0, 0, 1);
	pxt_ordinary(test, &t->a, 1);
	pxt_ordinary(test, &t->b, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
}

static void ksm_file_bounds(struct kunit *test)
{
	struct kft *t = test->priv;
	unsigned long limit = pxa_event(PXA_REFUSED_LIMIT);
	pgoff_t i;

	/* Only the latest candidates are kept. */
	ksm_file_max_unshared = 3;
	for (i = 0; i < 8; i++) {
		t->a.last[i] = 10 + i;
		kft_scan(test, &t->a, i);
	}
	kft_counts(test, 0, 0, 3);
	t->b.last[0] = 10 + 4;
	kft_scan(test, &t->b, 0);
	kft_counts(test, 0, 0, 3);
	t->b.last[1] = 10 + 7;
	kft_scan(test, &t->b, 1);
	kft_counts(test, 1, 1, 2);
	kft_shares(test, &t->a, 7, &t->b, 1);

	/* No place more may share a page, until one is given up. */
	ksm_file_max_sharing = 2;
	t->b.last[2] = 10 + 7;
	t->b.last[3] = 10 + 7;
	kft_scan(test, &t->b, 2);
	kft_counts(test, 1, 2, 2);
	kft_scan(test, &t->b, 3);
	kft_counts(test, 1, 2, 2);
	pxt_ordinary(test, &t->b, 3);
	KUNIT_EXPECT_EQ(test, pxa_event(PXA_REFUSED_LIMIT), limit + 1);
	kft_drop(&t->b, 2);
	kft_scan(test, &t->b, 3);
	kft_counts(test, 1, 2, 2);
	kft_shares(test, &t->a, 7, &t->b, 3);
}

/* More nodes than a walk looks at under its lock; some of them are busy. */
static void ksm_file_walk(struct kunit *test)
{
	struct kft *t = test->priv;
	struct page *busy;
	pgoff_t i;

	for (i = 0; i < PXT_PAGES; i++) {
		t->a.last[i] = 10 + i;
		t->b.last[i] = 10 + i;
		kft_scan(test, &t->a, i);
		kft_scan(test, &t->b, i);
	}
	kft_counts(test, PXT_PAGES, PXT_PAGES, 0);
	busy = kft_shared(&t->a, 3);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, busy);
	lock_page(busy);
	KUNIT_EXPECT_TRUE(test, ksm_file_unmerge_round(true));
	unlock_page(busy);
	kft_counts(test, 1, 1, 0);
	kft_shares(test, &t->a, 3, &t->b, 3);
	KUNIT_EXPECT_FALSE(test, ksm_file_unmerge_round(true));
	kft_counts(test, 0, 0, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&ksm_file_nodes));
}

static int kft_parse(const char *text)
{
	char *copy = kstrdup(text, GFP_KERNEL);
	int parts = copy ? ksm_file_parse_parts(copy) : -ENOMEM;

	kfree(copy);
	return parts;
}

static void ksm_file_knobs(struct kunit *test)
{
	char *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, kft_parse("none"), 0);
	KUNIT_EXPECT_EQ(test, kft_parse(" none\n"), 0);
	KUNIT_EXPECT_EQ(test, kft_parse("memcg\n"), KSM_FILE_MEMCG);
	KUNIT_EXPECT_EQ(test, kft_parse("memcg, userns owner"),
			KSM_FILE_NARROWEST);
	KUNIT_EXPECT_EQ(test, kft_parse(""), -EINVAL);
	KUNIT_EXPECT_EQ(test, kft_parse(" ,\n"), -EINVAL);
	KUNIT_EXPECT_EQ(test, kft_parse("memcg none"), -EINVAL);
	KUNIT_EXPECT_EQ(test, kft_parse("memcgs"), -EINVAL);
	KUNIT_EXPECT_EQ(test, kft_parse("7"), -EINVAL);

	/* The default is the narrowest. */
	file_domain_show(NULL, NULL, buf);
	KUNIT_EXPECT_STREQ(test, buf, "userns memcg owner\n");
	KUNIT_EXPECT_EQ(test, (int)file_domain_store(NULL, NULL, "none", 4), 4);
	file_domain_show(NULL, NULL, buf);
	KUNIT_EXPECT_STREQ(test, buf, "none\n");
	KUNIT_EXPECT_EQ(test, (int)file_domain_store(NULL, NULL, "x", 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, ksm_file_parts, (u8)0);

	file_content_show(NULL, NULL, buf);
	KUNIT_EXPECT_STREQ(test, buf, "any\n");
	KUNIT_EXPECT_EQ(test, (int)file_content_store(NULL, NULL, "zero\n", 5),
			5);
	file_content_show(NULL, NULL, buf);
	KUNIT_EXPECT_STREQ(test, buf, "zero\n");
	KUNIT_EXPECT_EQ(test, (int)file_content_store(NULL, NULL, "1", 1),
			-EINVAL);
	KUNIT_EXPECT_TRUE(test, ksm_file_only_zero);
	KUNIT_EXPECT_EQ(test, ksm_file_parts, (u8)0);
}

static struct kunit_case ksm_file_cases[] = {
	KUNIT_CASE(ksm_file_two),
	KUNIT_CASE(ksm_file_three),
	KUNIT_CASE(ksm_file_one_file),
	KUNIT_CASE(ksm_file_different),
	KUNIT_CASE(ksm_file_not_eligible),
	KUNIT_CASE(ksm_file_busy),
	KUNIT_CASE(ksm_file_remembered),
	KUNIT_CASE(ksm_file_stale_page),
	KUNIT_CASE(ksm_file_stale_place),
	KUNIT_CASE(ksm_file_stale_advice),
	KUNIT_CASE(ksm_file_locked),
	KUNIT_CASE(ksm_file_collision),
	KUNIT_CASE(ksm_file_collision_shared),
	KUNIT_CASE(ksm_file_limit),
	KUNIT_CASE(ksm_file_unmerge),
	KUNIT_CASE(ksm_file_area),
	KUNIT_CASE(ksm_file_many_areas),
	KUNIT_CASE(ksm_file_exec_only),
	KUNIT_CASE(ksm_file_userns),
	KUNIT_CASE(ksm_file_widen),
	KUNIT_CASE(ksm_file_narrow_by_parts),
	KUNIT_CASE(ksm_file_narrow_again),
	KUNIT_CASE(ksm_file_digest_bound),
	KUNIT_CASE(ksm_file_shrink),
	KUNIT_CASE(ksm_file_pass_end),
	KUNIT_CASE(ksm_file_owner),
	KUNIT_CASE(ksm_file_stale_domain),
	KUNIT_CASE(ksm_file_stale_item),
	KUNIT_CASE(ksm_file_zero),
	KUNIT_CASE(ksm_file_zero_stale),
	KUNIT_CASE(ksm_file_bounds),
	KUNIT_CASE(ksm_file_walk),
	KUNIT_CASE(ksm_file_knobs),
	{}
};

static struct kunit_suite ksm_file_suite = {
	.name = "ksm_file",
	.init = kft_init,
	.exit = kft_exit,
	.test_cases = ksm_file_cases,
};

kunit_test_suites(&ksm_file_suite);
