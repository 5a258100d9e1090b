// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of KSM for file-backed pages; part of mm/ksm-file.c.
 *
 * ksmd does not run yet: the cases call what it would call.
 */
#include "page-xa_test.h"

struct kft {
	struct vfsmount		*mnt;
	struct pxt_file		a;
	struct pxt_file		b;
	struct ksm_file_params	params;
	unsigned long		seqnr;
};

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
	mnt = kern_mount(&pxt_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	t->mnt = mnt;
	err = pxt_create(mnt, &t->a, 1);
	if (!err)
		err = pxt_create(mnt, &t->b, 1);
	return err;
}

static void kft_exit(struct kunit *test)
{
	struct kft *t = test->priv;

	if (!t)
		return;
	ksm_file_cand_free_all();
	iput(t->a.inode);
	iput(t->b.inode);
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
			ksm_file_digest(pxt_slot(&t->a, 1)));
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
	ksm_file_cand_add(ksm_file_digest(page), &item);
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
	node->digest = ksm_file_digest(page);
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

	KUNIT_EXPECT_EQ(test, ksm_file_unmerge_all(), 0);
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
	};
	unsigned long address = ksm_file_address;
	struct file *file;
	pgoff_t i;

	file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	file->f_mapping = t->a.mapping;
	vma.vm_file = file;
	/* Who writes through the area would not be noticed. */
	KUNIT_EXPECT_FALSE(test, ksm_file_vma(&vma));
	vma.vm_ops = &ops;
	KUNIT_EXPECT_TRUE(test, ksm_file_vma(&vma));

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

	ksm_file_unmerge_vma(&vma, vma.vm_start + PAGE_SIZE,
			     vma.vm_start + 5 * PAGE_SIZE);
	pxt_ordinary(test, &t->a, 3);
	pxt_ordinary(test, &t->a, 6);
	kft_shares(test, &t->a, 2, &t->a, 7);
	kft_counts(test, 1, 5, 0);
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
	KUNIT_CASE(ksm_file_locked),
	KUNIT_CASE(ksm_file_collision),
	KUNIT_CASE(ksm_file_collision_shared),
	KUNIT_CASE(ksm_file_limit),
	KUNIT_CASE(ksm_file_unmerge),
	KUNIT_CASE(ksm_file_area),
	{}
};

static struct kunit_suite ksm_file_suite = {
	.name = "ksm_file",
	.init = kft_init,
	.exit = kft_exit,
	.test_cases = ksm_file_cases,
};

kunit_test_suites(&ksm_file_suite);
