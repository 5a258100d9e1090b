// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit test of the mapping that the kernel passes to page-cache callbacks.
 *
 * A probe filesystem records what its callbacks are given in each situation in
 * which the kernel calls them.  Each situation has to reach its callback, and
 * each call has to carry the mapping of the file: the file of the context, not
 * what the callback might find in page->mapping.
 *
 * The file of the tests borrows the mapping of a second inode, as the file of
 * a block device does, and those of some filesystems on top of another one.
 * Whoever passes &inode->i_data, or the mapping of the inode of the dentry,
 * passes another one.
 */
#include <kunit/test.h>
#include <linux/backing-dev.h>
#include <linux/buffer_head.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/highmem.h>
#include <linux/iomap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mount.h>
#include <linux/mpage.h>
#include <linux/page-mapping.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/pseudo_fs.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#include "../mm/internal.h"

#define PROBE_MAGIC	0x50726f62
#define PROBE_PAGES	16
#define PROBE_CALLS	64
#define PROBE_ADDR	0x10000000UL
#define PROBE_TEXT	"a page of the probe"

enum probe_op {
	PROBE_READPAGE,
	PROBE_FILLER,
	PROBE_WRITEPAGE,
	PROBE_WRITEPAGE_T,
	PROBE_SET_PAGE_DIRTY,
	PROBE_INVALIDATEPAGE,
	PROBE_RELEASEPAGE,
	PROBE_FREEPAGE,
	PROBE_LAUNDER_PAGE,
	PROBE_IS_PARTIALLY_UPTODATE,
	PROBE_IS_DIRTY_WRITEBACK,
	PROBE_ISOLATE_PAGE,
	PROBE_PUTBACK_PAGE,
	PROBE_OPS,
};

static const char * const probe_name[PROBE_OPS] = {
	[PROBE_READPAGE]		= "->readpage()",
	[PROBE_FILLER]			= "filler",
	[PROBE_WRITEPAGE]		= "->writepage()",
	[PROBE_WRITEPAGE_T]		= "writepage_t",
	[PROBE_SET_PAGE_DIRTY]		= "->set_page_dirty()",
	[PROBE_INVALIDATEPAGE]		= "->invalidatepage()",
	[PROBE_RELEASEPAGE]		= "->releasepage()",
	[PROBE_FREEPAGE]		= "->freepage()",
	[PROBE_LAUNDER_PAGE]		= "->launder_page()",
	[PROBE_IS_PARTIALLY_UPTODATE]	= "->is_partially_uptodate()",
	[PROBE_IS_DIRTY_WRITEBACK]	= "->is_dirty_writeback()",
	[PROBE_ISOLATE_PAGE]		= "->isolate_page()",
	[PROBE_PUTBACK_PAGE]		= "->putback_page()",
};

/* One call of a callback: what it was given, and what the page says. */
struct probe_call {
	enum probe_op		op;
	void			*data;
	struct address_space	*mapping;
	struct address_space	*page_mapping;
	struct address_space	*fs_mapping;
	pgoff_t			index;
	bool			locked;
	unsigned long		arg[2];		/* the numbers of the call */
};

struct probe {
	struct vfsmount		*mnt;
	struct inode		*owner;		/* has the pages */
	struct inode		*inode;		/* borrows them */
	struct file		*file;
	struct address_space	*mapping;	/* what is to be passed */
	struct mm_struct	*mm;
	struct vm_area_struct	*vma;
	struct delayed_work	unlock;
	struct page		*locked;	/* what the work unlocks */
	unsigned int		nr;
	struct probe_call	call[PROBE_CALLS];
};

/* The callbacks have no other way to the test that runs. */
static struct probe *probe;

/* The call is not kept if nobody waits for it, or for one too many. */
static void probe_record(enum probe_op op, void *data,
			 struct address_space *mapping, struct page *page,
			 unsigned long arg0, unsigned long arg1)
{
	struct probe_call *call;

	if (!probe || probe->nr == PROBE_CALLS)
		return;
	call = &probe->call[probe->nr++];
	call->op = op;
	call->data = data;
	call->mapping = mapping;
	/* These pages are in no file, and page->mapping has bits set. */
	call->page_mapping = op == PROBE_ISOLATE_PAGE ||
			     op == PROBE_PUTBACK_PAGE ?
			     page_mapping(page) : page->mapping;
	/* A wrong one is reported by the test, once a call. */
	call->fs_mapping = mapping == page->mapping ?
			   fs_page_mapping(mapping, page) : NULL;
	call->index = page->index;
	call->locked = PageLocked(page);
	call->arg[0] = arg0;
	call->arg[1] = arg1;
}

static int probe_fill(struct page *page)
{
	void *addr = kmap_atomic(page);

	clear_page(addr);
	memcpy(addr, PROBE_TEXT, sizeof(PROBE_TEXT));
	kunmap_atomic(addr);
	SetPageUptodate(page);
	unlock_page(page);
	return 0;
}

static int probe_readpage(struct file *file, struct address_space *mapping,
			  struct page *page)
{
	probe_record(PROBE_READPAGE, file, mapping, page, 0, 0);
	return probe_fill(page);
}

static int probe_filler(void *data, struct address_space *mapping,
			struct page *page)
{
	probe_record(PROBE_FILLER, data, mapping, page, 0, 0);
	return probe_fill(page);
}

static int probe_filler_error(void *data, struct address_space *mapping,
			      struct page *page)
{
	probe_record(PROBE_FILLER, data, mapping, page, 0, 0);
	unlock_page(page);
	return -EIO;
}

static int probe_written(struct page *page)
{
	set_page_writeback(page);
	unlock_page(page);
	end_page_writeback(page);
	return 0;
}

static int probe_writepage(struct address_space *mapping, struct page *page,
			   struct writeback_control *wbc)
{
	probe_record(PROBE_WRITEPAGE, NULL, mapping, page, wbc->for_reclaim, 0);
	return probe_written(page);
}

static int probe_writepage_t(struct address_space *mapping, struct page *page,
			     struct writeback_control *wbc, void *data)
{
	probe_record(PROBE_WRITEPAGE_T, data, mapping, page, 0, 0);
	return probe_written(page);
}

/* What was passed may be wrong, which the test is to survive. */
static int probe_set_page_dirty(struct address_space *mapping,
				struct page *page)
{
	probe_record(PROBE_SET_PAGE_DIRTY, NULL, mapping, page, 0, 0);
	return __set_page_dirty_nobuffers(page->mapping, page);
}

static void probe_invalidatepage(struct address_space *mapping,
				 struct page *page, unsigned int offset,
				 unsigned int length)
{
	probe_record(PROBE_INVALIDATEPAGE, NULL, mapping, page, offset, length);
	if (!offset && length == PAGE_SIZE)
		detach_page_private(page);
}

static int probe_releasepage(struct address_space *mapping, struct page *page,
			     gfp_t gfp)
{
	probe_record(PROBE_RELEASEPAGE, NULL, mapping, page,
		     (__force unsigned long)gfp, 0);
	detach_page_private(page);
	return 1;
}

static void probe_freepage(struct address_space *mapping, struct page *page)
{
	probe_record(PROBE_FREEPAGE, NULL, mapping, page, 0, 0);
}

static int probe_launder_page(struct address_space *mapping, struct page *page)
{
	probe_record(PROBE_LAUNDER_PAGE, NULL, mapping, page, 0, 0);
	clear_page_dirty_for_io(page);
	return 0;
}

static int probe_is_partially_uptodate(struct address_space *mapping,
				       struct page *page, unsigned long from,
				       unsigned long count)
{
	probe_record(PROBE_IS_PARTIALLY_UPTODATE, NULL, mapping, page, from,
		     count);
	return 1;
}

static void probe_is_dirty_writeback(struct address_space *mapping,
				     struct page *page, bool *dirty,
				     bool *writeback)
{
	probe_record(PROBE_IS_DIRTY_WRITEBACK, NULL, mapping, page, *dirty,
		     *writeback);
}

static const struct address_space_operations probe_aops = {
	.readpage		= probe_readpage,
	.writepage		= probe_writepage,
	.set_page_dirty		= probe_set_page_dirty,
	.write_begin		= simple_write_begin,
	.write_end		= simple_write_end,
	.invalidatepage		= probe_invalidatepage,
	.releasepage		= probe_releasepage,
	.freepage		= probe_freepage,
	.launder_page		= probe_launder_page,
	.is_partially_uptodate	= probe_is_partially_uptodate,
	.is_dirty_writeback	= probe_is_dirty_writeback,
};

#ifdef CONFIG_COMPACTION
static bool probe_isolate_page(struct address_space *mapping,
			       struct page *page, isolate_mode_t mode)
{
	probe_record(PROBE_ISOLATE_PAGE, NULL, mapping, page,
		     (__force unsigned long)mode, 0);
	return true;
}

static void probe_putback_page(struct address_space *mapping,
			       struct page *page)
{
	probe_record(PROBE_PUTBACK_PAGE, NULL, mapping, page, 0, 0);
}

static int probe_migratepage(struct address_space *mapping,
			     struct page *newpage, struct page *page,
			     enum migrate_mode mode)
{
	return -EBUSY;
}

/* Of pages that are in no file, and do not migrate. */
static const struct address_space_operations probe_movable_aops = {
	.migratepage		= probe_migratepage,
	.isolate_page		= probe_isolate_page,
	.putback_page		= probe_putback_page,
};
#endif

static const struct file_operations probe_fops = {
	.read_iter	= generic_file_read_iter,
	.write_iter	= generic_file_write_iter,
	.splice_read	= generic_file_splice_read,
	.mmap		= generic_file_mmap,
};

static const struct inode_operations probe_symlink_iops = {
	.get_link	= page_get_link,
};

static int probe_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, PROBE_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type probe_fs_type = {
	.name			= "fs_mapping_probe",
	.init_fs_context	= probe_init_fs_context,
	.kill_sb		= kill_anon_super,
};

static struct inode *probe_inode(struct kunit *test, umode_t mode)
{
	struct probe *p = test->priv;
	struct inode *inode = new_inode(p->mnt->mnt_sb);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, inode);
	inode->i_ino = get_next_ino();
	inode->i_mode = mode | 0600;
	inode->i_fop = &probe_fops;
	inode->i_mapping->a_ops = &probe_aops;
	i_size_write(inode, PROBE_PAGES << PAGE_SHIFT);
	return inode;
}

static int probe_init(struct kunit *test)
{
	struct probe *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct vfsmount *mnt;
	int err;

	if (!p)
		return -ENOMEM;
	test->priv = p;
	mnt = kern_mount(&probe_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	p->mnt = mnt;
	/* Dirty pages are accounted, and written back. */
	err = super_setup_bdi(mnt->mnt_sb);
	if (err)
		return err;

	p->owner = probe_inode(test, S_IFREG);
	p->inode = probe_inode(test, S_IFREG);
	p->inode->i_mapping = &p->owner->i_data;
	p->mapping = p->owner->i_mapping;

	ihold(p->inode);
	p->file = alloc_file_pseudo(p->inode, mnt, "probe", O_RDWR,
				    &probe_fops);
	if (IS_ERR(p->file)) {
		iput(p->inode);
		KUNIT_ASSERT_FALSE(test, IS_ERR(p->file));
	}
	/* No readahead: one page is read at a time. */
	p->file->f_ra.ra_pages = 0;
	probe = p;
	return 0;
}

static void probe_exit(struct kunit *test)
{
	struct probe *p = test->priv;

	probe = NULL;
	if (!p || !p->mnt)
		return;
	if (p->mm)
		mmput(p->mm);
	if (!IS_ERR_OR_NULL(p->file)) {
		fput(p->file);
		flush_delayed_fput();
	}
	if (p->inode) {
		p->inode->i_mapping = &p->inode->i_data;
		iput(p->inode);
	}
	if (p->owner) {
		p->owner->i_mapping->a_ops = &probe_aops;
		truncate_inode_pages(p->owner->i_mapping, 0);
		iput(p->owner);
	}
	kern_unmount(p->mnt);
}

/* The @n-th call of @op, NULL if there were not as many. */
static struct probe_call *probe_nth(struct kunit *test, enum probe_op op,
				    unsigned int n)
{
	struct probe *p = test->priv;
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (p->call[i].op == op && !n--)
			return &p->call[i];
	return NULL;
}

static unsigned int probe_count(struct kunit *test, enum probe_op op)
{
	unsigned int n = 0;

	while (probe_nth(test, op, n))
		n++;
	return n;
}

static void probe_check_call(struct kunit *test, unsigned int i)
{
	struct probe *p = test->priv;
	struct probe_call *call = &p->call[i];

	KUNIT_EXPECT_PTR_EQ_MSG(test, call->mapping, p->mapping,
				"call %u, %s, index %lu", i,
				probe_name[call->op], call->index);
	switch (call->op) {
	case PROBE_FREEPAGE:
		/* It has left the page cache. */
		KUNIT_EXPECT_PTR_EQ(test, call->page_mapping,
				    (struct address_space *)NULL);
		KUNIT_EXPECT_TRUE(test, call->locked);
		break;
	case PROBE_ISOLATE_PAGE:
	case PROBE_PUTBACK_PAGE:
		KUNIT_EXPECT_PTR_EQ(test, call->page_mapping, p->mapping);
		KUNIT_EXPECT_TRUE(test, call->locked);
		break;
	case PROBE_SET_PAGE_DIRTY:
		/* The only one that may be called without the lock. */
		KUNIT_EXPECT_PTR_EQ(test, call->page_mapping, p->mapping);
		break;
	default:
		KUNIT_EXPECT_PTR_EQ(test, call->page_mapping, p->mapping);
		KUNIT_EXPECT_PTR_EQ(test, call->fs_mapping, p->mapping);
		KUNIT_EXPECT_TRUE(test, call->locked);
	}
}

/* At least @min calls of @op were made, and all calls have the right mapping. */
static void probe_check(struct kunit *test, enum probe_op op, unsigned int min)
{
	struct probe *p = test->priv;
	unsigned int i;

	KUNIT_EXPECT_GE_MSG(test, probe_count(test, op), min,
			    "%s was not reached", probe_name[op]);
	KUNIT_EXPECT_LT(test, p->nr, (unsigned int)PROBE_CALLS);
	for (i = 0; i < p->nr; i++)
		probe_check_call(test, i);
}

/* The numbers that the @n-th call of @op was given */
static void probe_args(struct kunit *test, enum probe_op op, unsigned int n,
		       unsigned long arg0, unsigned long arg1)
{
	struct probe_call *call = probe_nth(test, op, n);

	KUNIT_ASSERT_TRUE_MSG(test, call, "no call %u of %s", n,
			      probe_name[op]);
	KUNIT_EXPECT_EQ(test, call->arg[0], arg0);
	KUNIT_EXPECT_EQ(test, call->arg[1], arg1);
}

static ssize_t probe_read(struct kunit *test, loff_t pos)
{
	struct probe *p = test->priv;
	char text[sizeof(PROBE_TEXT)] = "";
	ssize_t n = kernel_read(p->file, text, sizeof(text), &pos);

	KUNIT_EXPECT_STREQ(test, (char *)text, (char *)PROBE_TEXT);
	return n;
}

/* generic_file_buffered_read() */
static void readpage_read(struct kunit *test)
{
	struct probe *p = test->priv;

	KUNIT_EXPECT_EQ(test, probe_read(test, 3 * PAGE_SIZE),
			(ssize_t)sizeof(PROBE_TEXT));
	probe_check(test, PROBE_READPAGE, 1);
	KUNIT_EXPECT_EQ(test, p->nr, 1u);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)3);
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].data, (void *)p->file);
}

/* read_pages(), without ->readahead() and ->readpages() */
static void readpage_readahead(struct kunit *test)
{
	struct probe *p = test->priv;

	p->file->f_ra.ra_pages = 8;
	KUNIT_EXPECT_EQ(test, probe_read(test, 0),
			(ssize_t)sizeof(PROBE_TEXT));
	/* More than the one page of the read: they were read ahead. */
	probe_check(test, PROBE_READPAGE, 2);
}

/* filemap_fault(), as __do_fault() calls it */
static void readpage_fault(struct kunit *test)
{
	struct probe *p = test->priv;
	struct vm_area_struct *vma;
	struct vm_fault vmf = {
		.pgoff		= 5,
		.gfp_mask	= GFP_KERNEL,
	};
	vm_fault_t ret;

	vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vma);
	vma->vm_start = PAGE_SIZE;
	vma->vm_end = vma->vm_start + (PROBE_PAGES << PAGE_SHIFT);
	vma->vm_flags = VM_READ | VM_SHARED;
	vma->vm_mm = &init_mm;
	vma->vm_file = p->file;
	KUNIT_ASSERT_EQ(test, 0, generic_file_mmap(p->file, vma));
	vmf.vma = vma;
	vmf.address = vma->vm_start + (vmf.pgoff << PAGE_SHIFT);

	ret = vma->vm_ops->fault(&vmf);
	KUNIT_ASSERT_EQ(test, ret, (vm_fault_t)(VM_FAULT_LOCKED |
						VM_FAULT_MAJOR));
	unlock_page(vmf.page);
	put_page(vmf.page);
	probe_check(test, PROBE_READPAGE, 1);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)5);
}

static void probe_put(struct kunit *test, struct page *page)
{
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(page));
	KUNIT_EXPECT_TRUE(test, PageUptodate(page));
	put_page(page);
}

/* do_read_cache_page(), without a filler */
static void readpage_read_cache_page(struct kunit *test)
{
	struct probe *p = test->priv;

	probe_put(test, read_cache_page(p->mapping, 1, NULL, p->file));
	probe_put(test, read_mapping_page(p->mapping, 2, NULL));
	probe_put(test, read_cache_page_gfp(p->mapping, 3, GFP_KERNEL));
	probe_check(test, PROBE_READPAGE, 3);
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].data, (void *)p->file);
	KUNIT_EXPECT_PTR_EQ(test, p->call[1].data, NULL);
}

/* do_read_cache_page() of a page whose first read failed */
static void readpage_again(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page;

	page = find_or_create_page(p->mapping, 7, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	SetPageError(page);
	unlock_page(page);
	put_page(page);
	probe_put(test, read_mapping_page(p->mapping, 7, NULL));
	page = find_or_create_page(p->mapping, 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	unlock_page(page);
	put_page(page);
	probe_read(test, 8 * PAGE_SIZE);
	probe_check(test, PROBE_READPAGE, 2);
}

/* do_read_cache_page(), with a filler */
static void filler_read_cache_page(struct kunit *test)
{
	struct probe *p = test->priv;

	probe_put(test, read_cache_page(p->mapping, 4, probe_filler, test));
	probe_check(test, PROBE_FILLER, 1);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)4);
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].data, (void *)test);
}

static void filler_read_cache_pages(struct kunit *test)
{
	struct probe *p = test->priv;
	LIST_HEAD(pages);
	int i;

	for (i = 0; i < 3; i++) {
		struct page *page = __page_cache_alloc(GFP_KERNEL);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
		page->index = 10 + i;
		list_add(&page->lru, &pages);
	}
	KUNIT_EXPECT_EQ(test, 0, read_cache_pages(p->mapping, &pages,
						  probe_filler, test));
	probe_check(test, PROBE_FILLER, 3);
	KUNIT_EXPECT_EQ(test, p->nr, 3u);
}

static void readpage_symlink(struct kunit *test)
{
	struct probe *p = test->priv;
	DEFINE_DELAYED_CALL(done);
	struct inode *inode;
	struct dentry *dentry;
	const char *link;

	inode = probe_inode(test, S_IFLNK);
	inode->i_op = &probe_symlink_iops;
	inode_nohighmem(inode);
	p->mapping = inode->i_mapping;
	dentry = d_alloc_anon(p->mnt->mnt_sb);
	if (!dentry)
		iput(inode);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dentry);
	d_instantiate(dentry, inode);

	link = vfs_get_link(dentry, &done);
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(link));
	if (!IS_ERR_OR_NULL(link))
		KUNIT_EXPECT_STREQ(test, (char *)link, (char *)PROBE_TEXT);
	do_delayed_call(&done);
	dput(dentry);
	probe_check(test, PROBE_READPAGE, 1);
}

static void readpage_splice(struct kunit *test)
{
	struct probe *p = test->priv;
	struct pipe_inode_info *pipe = alloc_pipe_info();
	loff_t pos = 6 * PAGE_SIZE;
	ssize_t n;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pipe);
	pipe->readers = 1;
	pipe_lock(pipe);
	n = p->file->f_op->splice_read(p->file, &pos, pipe, 2 * PAGE_SIZE, 0);
	pipe_unlock(pipe);
	free_pipe_info(pipe);
	KUNIT_EXPECT_EQ(test, n, (ssize_t)(2 * PAGE_SIZE));
	probe_check(test, PROBE_READPAGE, 2);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)6);
}

#ifdef CONFIG_BLOCK
static int probe_get_block(struct inode *inode, sector_t block,
			   struct buffer_head *bh, int create)
{
	set_buffer_mapped(bh);
	return 0;
}

/* nobh_truncate_page(): the rest of a block is zeroed */
static void readpage_truncate(struct kunit *test)
{
	struct probe *p = test->priv;

	KUNIT_EXPECT_EQ(test, 0, nobh_truncate_page(p->mapping, PAGE_SIZE + 1,
						    probe_get_block));
	probe_check(test, PROBE_READPAGE, 1);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)1);
}
#endif

/* ------------------------------------------------ pages for the others -- */

/* A page of the file that has been read, with a reference; nothing recorded. */
static struct page *probe_page(struct kunit *test, pgoff_t index)
{
	struct probe *p = test->priv;
	struct page *page = read_mapping_page(p->mapping, index, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	/* Pages that wait to be put on a list have a reference more. */
	lru_add_drain_all();
	p->nr = 0;
	return page;
}

static struct page *probe_dirty(struct kunit *test, pgoff_t index)
{
	struct probe *p = test->priv;
	struct page *page = probe_page(test, index);

	lock_page(page);
	set_page_dirty(page);
	unlock_page(page);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	p->nr = 0;
	return page;
}

/* With something that is to be released before the page is free. */
static struct page *probe_private(struct kunit *test, pgoff_t index)
{
	struct page *page = probe_page(test, index);

	lock_page(page);
	attach_page_private(page, page);
	unlock_page(page);
	return page;
}

/* Take a page that only the caller and the page cache have from its list. */
static void probe_isolate(struct kunit *test, struct page *page,
			  struct list_head *list)
{
	int err = isolate_lru_page(page);

	put_page(page);
	KUNIT_ASSERT_EQ(test, err, 0);
	list_add(&page->lru, list);
}

/* Let reclaim have a page; true if it is free. */
static bool probe_reclaim(struct kunit *test, struct page *page)
{
	LIST_HEAD(list);

	ClearPageReferenced(page);
	probe_isolate(test, page, &list);
	return reclaim_pages(&list) == 1;
}

/* Unlock the page when somebody waits for it, or will do so. */
static void probe_unlock(struct work_struct *work)
{
	struct probe *p = container_of(work, struct probe, unlock.work);

	unlock_page(p->locked);
}

static void probe_unlock_later(struct probe *p, struct page *page)
{
	p->locked = page;
	INIT_DELAYED_WORK(&p->unlock, probe_unlock);
	schedule_delayed_work(&p->unlock, HZ / 20);
}

/* ----------------------------------------------------------- writepage -- */

static void writepage_one_page(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_dirty(test, 2);

	lock_page(page);
	KUNIT_EXPECT_EQ(test, 0, write_one_page(p->mapping, page));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	put_page(page);
	probe_check(test, PROBE_WRITEPAGE, 1);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_WRITEPAGE), 1u);
}

/* generic_writepages(), as fsync() comes to it */
static void writepage_write_and_wait(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_dirty(test, 3));
	put_page(probe_dirty(test, 5));
	KUNIT_EXPECT_EQ(test, 0, filemap_write_and_wait(p->mapping));
	probe_check(test, PROBE_WRITEPAGE, 2);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_WRITEPAGE), 2u);
}

/* and as the flusher threads do */
static void writepage_sync_inode(struct kunit *test)
{
	struct probe *p = test->priv;
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
		.range_end	= LLONG_MAX,
	};

	put_page(probe_dirty(test, 4));
	KUNIT_EXPECT_EQ(test, 0, sync_inode(p->owner, &wbc));
	probe_check(test, PROBE_WRITEPAGE, 1);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_WRITEPAGE), 1u);
}

static void writepage_t_write_cache_pages(struct kunit *test)
{
	struct probe *p = test->priv;
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
		.range_end	= LLONG_MAX,
	};

	put_page(probe_dirty(test, 1));
	put_page(probe_dirty(test, 2));
	KUNIT_EXPECT_EQ(test, 0, write_cache_pages(p->mapping, &wbc,
						   probe_writepage_t, test));
	probe_check(test, PROBE_WRITEPAGE_T, 2);
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].data, (void *)test);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_WRITEPAGE), 0u);
}

/* pageout(): kswapd, at the end of a list that is dirty */
static void writepage_reclaim(struct kunit *test)
{
	struct page *page = probe_dirty(test, 6);
	struct pglist_data *pgdat = page_pgdat(page);
	bool dirty = test_and_set_bit(PGDAT_DIRTY, &pgdat->flags);
	bool freed;

	SetPageReclaim(page);
	current->flags |= PF_KSWAPD;
	freed = probe_reclaim(test, page);
	current->flags &= ~PF_KSWAPD;
	if (!dirty)
		clear_bit(PGDAT_DIRTY, &pgdat->flags);
	KUNIT_EXPECT_TRUE(test, freed);
	probe_check(test, PROBE_WRITEPAGE, 1);
	probe_args(test, PROBE_WRITEPAGE, 0, true, 0);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_FREEPAGE), 1u);
}

#ifdef CONFIG_BLOCK
static int probe_no_block(struct inode *inode, sector_t block,
			  struct buffer_head *bh, int create)
{
	return -EIO;
}

/* What mpage_writepages() cannot write it leaves to ->writepage(). */
static void writepage_mpage(struct kunit *test)
{
	struct probe *p = test->priv;
	struct writeback_control wbc = {
		.sync_mode	= WB_SYNC_ALL,
		.nr_to_write	= LONG_MAX,
		.range_end	= LLONG_MAX,
	};

	put_page(probe_dirty(test, 7));
	KUNIT_EXPECT_EQ(test, 0, mpage_writepages(p->mapping, &wbc,
						  probe_no_block));
	probe_check(test, PROBE_WRITEPAGE, 1);
}
#endif

#ifdef CONFIG_MIGRATION
static struct page *probe_new_page(struct page *page, unsigned long private)
{
	return alloc_page(GFP_KERNEL);
}

/* Migrate a page of a file without ->migratepage(). */
static void probe_migrate(struct kunit *test, struct page *page)
{
	LIST_HEAD(list);

	probe_isolate(test, page, &list);
	mod_node_page_state(page_pgdat(page), NR_ISOLATED_ANON +
			    page_is_file_lru(page), 1);
	KUNIT_EXPECT_EQ(test, 0, migrate_pages(&list, probe_new_page, NULL, 0,
					       MIGRATE_SYNC, MR_SYSCALL));
	if (!list_empty(&list))
		putback_movable_pages(&list);
}

/* writeout() */
static void writepage_migrate(struct kunit *test)
{
	struct page *page = probe_dirty(test, 8);

	probe_migrate(test, page);
	probe_check(test, PROBE_WRITEPAGE, 1);
	probe_args(test, PROBE_WRITEPAGE, 0, true, 0);
}
#endif

/* ------------------------------------------------------ set_page_dirty -- */

static void set_page_dirty_page(struct kunit *test)
{
	struct page *page = probe_page(test, 1);

	set_page_dirty(page);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	lock_page(page);
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 2);
}

static void set_page_dirty_with_mapping(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_page(test, 1);

	set_page_dirty_mapping(p->mapping, page);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

static void set_page_dirty_locked(struct kunit *test)
{
	struct page *page = probe_page(test, 2);

	KUNIT_EXPECT_TRUE(test, set_page_dirty_lock(page));
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
	KUNIT_EXPECT_TRUE(test, probe_nth(test, PROBE_SET_PAGE_DIRTY,
					  0)->locked);
}

/* simple_write_end(), as write() comes to it */
static void set_page_dirty_write(struct kunit *test)
{
	struct probe *p = test->priv;
	loff_t pos = 3 * PAGE_SIZE + 100;

	KUNIT_EXPECT_EQ(test, kernel_write(p->file, PROBE_TEXT, 10, &pos),
			(ssize_t)10);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

#ifdef CONFIG_BLOCK
static void set_page_dirty_nobh_write(struct kunit *test)
{
	struct probe *p = test->priv;
	loff_t pos = 4 * PAGE_SIZE;
	struct page *page;
	void *fsdata;

	KUNIT_ASSERT_EQ(test, 0, nobh_write_begin(p->mapping, pos, PAGE_SIZE, 0,
						  &page, &fsdata,
						  probe_get_block));
	KUNIT_EXPECT_EQ(test, (int)PAGE_SIZE,
			nobh_write_end(p->file, p->mapping, pos, PAGE_SIZE,
				       PAGE_SIZE, page, fsdata));
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

static void set_page_dirty_nobh_truncate(struct kunit *test)
{
	struct probe *p = test->priv;

	KUNIT_EXPECT_EQ(test, 0, nobh_truncate_page(p->mapping, PAGE_SIZE + 1,
						    probe_get_block));
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}
#endif

/* filemap_page_mkwrite(), as do_page_mkwrite() calls it */
static void set_page_dirty_mkwrite(struct kunit *test)
{
	struct probe *p = test->priv;
	struct vm_area_struct vma = { .vm_file = p->file };
	struct vm_fault vmf = {
		.vma	= &vma,
		.page	= probe_page(test, 5),
	};

	KUNIT_EXPECT_EQ(test, filemap_page_mkwrite(&vmf),
			(vm_fault_t)VM_FAULT_LOCKED);
	unlock_page(vmf.page);
	put_page(vmf.page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* Map the file shared and writable, in an mm that no task has. */
static void probe_mmap(struct kunit *test)
{
	static const struct vm_operations_struct ops = {
		.fault	= filemap_fault,
	};
	struct probe *p = test->priv;
	struct vm_area_struct *vma;
	int err;

	p->mm = mm_alloc();
	KUNIT_ASSERT_TRUE(test, p->mm);
	vma = vm_area_alloc(p->mm);
	KUNIT_ASSERT_TRUE(test, vma);
	vma->vm_start = PROBE_ADDR;
	vma->vm_end = PROBE_ADDR + (PROBE_PAGES << PAGE_SHIFT);
	vma->vm_flags = VM_READ | VM_WRITE | VM_SHARED |
			VM_MAYREAD | VM_MAYWRITE | VM_MAYSHARE;
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_file = get_file(p->file);
	vma->vm_ops = &ops;

	mmap_write_lock(p->mm);
	err = insert_vm_struct(p->mm, vma);
	mmap_write_unlock(p->mm);
	if (err) {
		fput(p->file);
		vm_area_free(vma);
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	p->vma = vma;
}

/* Write through the mapping.  The pte is dirty, what the page is was recorded. */
static struct page *probe_write_pte(struct kunit *test, pgoff_t index)
{
	struct probe *p = test->priv;
	struct page *page = NULL;
	long nr;

	mmap_read_lock(p->mm);
	nr = get_user_pages_remote(p->mm, PROBE_ADDR + (index << PAGE_SHIFT), 1,
				   FOLL_WRITE, &page, NULL, NULL);
	mmap_read_unlock(p->mm);
	KUNIT_ASSERT_EQ(test, nr, 1L);
	lru_add_drain_all();
	KUNIT_EXPECT_PTR_EQ(test, page->mapping, p->mapping);
	KUNIT_EXPECT_EQ(test, page_mapcount(page), 1);
	return page;
}

/* The page of a store through a mapping; calls are recorded from then on. */
static struct page *probe_stored(struct kunit *test, pgoff_t index)
{
	struct probe *p = test->priv;
	struct page *page;

	probe_mmap(test);
	page = probe_write_pte(test, index);
	p->nr = 0;
	return page;
}

/* fault_dirty_shared_page() */
static void set_page_dirty_fault(struct kunit *test)
{
	probe_mmap(test);
	put_page(probe_write_pte(test, 6));
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* zap_pte_range(), under the lock of the page table */
static void set_page_dirty_zap(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_stored(test, 7);

	unmap_mapping_pages(p->mapping, 7, 1, false);
	KUNIT_EXPECT_EQ(test, page_mapcount(page), 0);
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* try_to_unmap_one() */
static void set_page_dirty_unmap(struct kunit *test)
{
	struct page *page = probe_stored(test, 8);
	unsigned long flags;

	lock_page(page);
	/* A page that was used of late is spared. */
	KUNIT_EXPECT_EQ(test, page_referenced(page, 1, NULL, &flags), 1);
	KUNIT_EXPECT_TRUE(test, try_to_unmap(page, TTU_IGNORE_MLOCK));
	unlock_page(page);
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* clear_page_dirty_for_io(), and who knows the mapping */
static void set_page_dirty_writeback(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page;
	bool dirty;
	int known;

	probe_mmap(test);
	for (known = 0; known < 2; known++) {
		page = probe_write_pte(test, 9 + known);
		p->nr = 0;
		lock_page(page);
		KUNIT_EXPECT_TRUE(test, known ?
			clear_page_dirty_for_io_mapping(p->mapping, page) :
			clear_page_dirty_for_io(page));
		KUNIT_EXPECT_FALSE(test, PageDirty(page));
		dirty = clear_page_dirty_for_io_mapping(p->mapping, page);
		KUNIT_EXPECT_FALSE(test, dirty);
		unlock_page(page);
		put_page(page);
		probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
	}
}

/* write_one_page(), of a page that was stored to through a mapping */
static void set_page_dirty_write_one(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_stored(test, 9);

	lock_page(page);
	KUNIT_EXPECT_EQ(test, 0, write_one_page(p->mapping, page));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
	probe_check(test, PROBE_WRITEPAGE, 1);
}

/* pagecache_isize_extended(): the file grew behind a block of the page */
static void set_page_dirty_extend(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_stored(test, 10);

	p->inode->i_blkbits = PAGE_SHIFT - 2;
	pagecache_isize_extended(p->inode, 10 * PAGE_SIZE + 1, 11 * PAGE_SIZE);
	put_page(page);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* unpin_user_pages_dirty_lock(), for who wrote through a pin */
static void set_page_dirty_unpin(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = NULL;
	long nr;

	probe_mmap(test);
	mmap_read_lock(p->mm);
	nr = pin_user_pages_remote(p->mm, PROBE_ADDR, 1, FOLL_WRITE, &page,
				   NULL, NULL);
	mmap_read_unlock(p->mm);
	KUNIT_ASSERT_EQ(test, nr, 1L);
	ClearPageDirty(page);
	p->nr = 0;
	unpin_user_pages_dirty_lock(&page, 1, true);
	probe_check(test, PROBE_SET_PAGE_DIRTY, 1);
}

/* ------------------------------------------------------ invalidatepage -- */

/* Pages that can be locked at once */
static void invalidatepage_truncate(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 1));
	put_page(probe_private(test, 2));
	p->nr = 0;
	truncate_inode_pages(p->mapping, 0);
	KUNIT_EXPECT_EQ(test, p->mapping->nrpages, 0UL);
	probe_check(test, PROBE_INVALIDATEPAGE, 2);
	probe_args(test, PROBE_INVALIDATEPAGE, 0, 0, PAGE_SIZE);
}

/* Truncate a page that is locked first, and has to be waited for. */
static void probe_truncate_locked(struct kunit *test, struct page *page)
{
	struct probe *p = test->priv;

	lock_page(page);
	probe_unlock_later(p, page);
	truncate_inode_pages(p->mapping, 0);
	cancel_delayed_work_sync(&p->unlock);
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	put_page(page);
	KUNIT_EXPECT_EQ(test, p->mapping->nrpages, 0UL);
}

static void invalidatepage_truncate_locked(struct kunit *test)
{
	probe_truncate_locked(test, probe_private(test, 3));
	probe_check(test, PROBE_INVALIDATEPAGE, 1);
	probe_args(test, PROBE_INVALIDATEPAGE, 0, 0, PAGE_SIZE);
}

/* The page with the new end of the file */
static void invalidatepage_truncate_partial(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 4));
	truncate_inode_pages(p->mapping, 4 * PAGE_SIZE + 100);
	probe_check(test, PROBE_INVALIDATEPAGE, 1);
	probe_args(test, PROBE_INVALIDATEPAGE, 0, 100, PAGE_SIZE - 100);
}

/* The two ends of a hole */
static void invalidatepage_punch(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 5));
	put_page(probe_private(test, 7));
	p->nr = 0;
	truncate_inode_pages_range(p->mapping, 5 * PAGE_SIZE + 10,
				   7 * PAGE_SIZE + 99);
	probe_check(test, PROBE_INVALIDATEPAGE, 2);
	probe_args(test, PROBE_INVALIDATEPAGE, 0, 10, PAGE_SIZE - 10);
	probe_args(test, PROBE_INVALIDATEPAGE, 1, 0, 100);
}

/* and a hole inside of a page */
static void invalidatepage_punch_inside(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 6));
	truncate_inode_pages_range(p->mapping, 6 * PAGE_SIZE + 10,
				   6 * PAGE_SIZE + 99);
	probe_check(test, PROBE_INVALIDATEPAGE, 1);
	probe_args(test, PROBE_INVALIDATEPAGE, 0, 10, 90);
}

static void invalidatepage_error_remove(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_private(test, 8);

	lock_page(page);
	KUNIT_EXPECT_EQ(test, 0, generic_error_remove_page(p->mapping, page));
	unlock_page(page);
	put_page(page);
	probe_check(test, PROBE_INVALIDATEPAGE, 1);
}

/* A page with private data that is in no file yet */
static struct page *probe_new_private(struct kunit *test, pgoff_t index)
{
	struct page *page = __page_cache_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	page->index = index;
	attach_page_private(page, page);
	return page;
}

/* Somebody else has read the page. */
static void invalidatepage_read_cache_pages(struct kunit *test)
{
	struct probe *p = test->priv;
	LIST_HEAD(pages);

	put_page(probe_page(test, 10));
	list_add(&probe_new_private(test, 10)->lru, &pages);
	KUNIT_EXPECT_EQ(test, 0, read_cache_pages(p->mapping, &pages,
						  probe_filler, test));
	probe_check(test, PROBE_INVALIDATEPAGE, 1);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_FILLER), 0u);
}

/* The pages behind one that could not be read */
static void invalidatepage_read_cache_pages_error(struct kunit *test)
{
	struct probe *p = test->priv;
	LIST_HEAD(pages);

	list_add(&probe_new_private(test, 11)->lru, &pages);
	list_add(&probe_new_private(test, 12)->lru, &pages);
	list_add_tail(&probe_new_private(test, 10)->lru, &pages);
	KUNIT_EXPECT_EQ(test, -EIO, read_cache_pages(p->mapping, &pages,
						     probe_filler_error, test));
	probe_check(test, PROBE_INVALIDATEPAGE, 2);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_FILLER), 1u);
}

/* --------------------------------------------------------- releasepage -- */

static void releasepage_try_to_release(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_private(test, 1);

	lock_page(page);
	KUNIT_EXPECT_TRUE(test, try_to_release_page(p->mapping, page,
						    GFP_NOFS));
	unlock_page(page);
	put_page(page);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, GFP_NOFS, 0);
}

static void releasepage_invalidate(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 2));
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(p->mapping, 0, -1), 1UL);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, 0, 0);
}

static void releasepage_invalidate2(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_private(test, 3));
	KUNIT_EXPECT_EQ(test, 0, invalidate_inode_pages2(p->mapping));
	KUNIT_EXPECT_EQ(test, p->mapping->nrpages, 0UL);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, GFP_KERNEL, 0);
}

static void releasepage_reclaim(struct kunit *test)
{
	struct page *page = probe_private(test, 4);

	KUNIT_EXPECT_TRUE(test, probe_reclaim(test, page));
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, GFP_KERNEL, 0);
}

#ifdef CONFIG_MIGRATION
/* fallback_migrate_page() */
static void releasepage_migrate(struct kunit *test)
{
	struct page *page = probe_private(test, 5);

	probe_migrate(test, page);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, GFP_KERNEL, 0);
}
#endif

/* Splice a page of the file out of the page cache. */
static void probe_steal(struct kunit *test, bool private)
{
	struct probe *p = test->priv;
	struct pipe_inode_info *pipe = alloc_pipe_info();
	struct pipe_buffer *buf;
	loff_t pos = 6 * PAGE_SIZE;
	bool stolen;
	ssize_t n;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pipe);
	pipe->readers = 1;
	pipe_lock(pipe);
	n = p->file->f_op->splice_read(p->file, &pos, pipe, PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, n, (ssize_t)PAGE_SIZE);
	if (n == PAGE_SIZE) {
		lru_add_drain_all();
		buf = &pipe->bufs[pipe->tail & (pipe->ring_size - 1)];
		if (private)
			attach_page_private(buf->page, buf->page);
		p->nr = 0;
		stolen = pipe_buf_try_steal(pipe, buf);
		KUNIT_EXPECT_TRUE(test, stolen);
		if (stolen)
			unlock_page(buf->page);
	}
	pipe_unlock(pipe);
	free_pipe_info(pipe);
}

static void releasepage_steal(struct kunit *test)
{
	probe_steal(test, true);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, GFP_KERNEL, 0);
}

#ifdef CONFIG_BLOCK
/* shrink_active_list() with too many buffers: it does not wait for anything. */
static void releasepage_shrink_active(struct kunit *test)
{
	struct page *page = probe_private(test, 7);
	int over = buffer_heads_over_limit;
	unsigned int noreclaim;

	mark_page_accessed(page);
	mark_page_accessed(page);
	lru_add_drain_all();
	KUNIT_EXPECT_TRUE(test, PageActive(page));
	buffer_heads_over_limit = 1;
	noreclaim = memalloc_noreclaim_save();
	try_to_free_pages(node_zonelist(page_to_nid(page), GFP_KERNEL), 0,
			  GFP_KERNEL, NULL);
	memalloc_noreclaim_restore(noreclaim);
	buffer_heads_over_limit = over;
	put_page(page);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, 0, 0);
}

/* A page with buffers, all of which are invalidated. */
static void releasepage_block_invalidate(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *page = probe_page(test, 8);
	struct buffer_head *bh = alloc_page_buffers(page, PAGE_SIZE, false);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bh);
	bh->b_this_page = bh;
	lock_page(page);
	attach_page_private(page, bh);
	block_invalidatepage(p->mapping, page, 0, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, PagePrivate(page));
	detach_page_private(page);
	unlock_page(page);
	put_page(page);
	free_buffer_head(bh);
	probe_check(test, PROBE_RELEASEPAGE, 1);
	probe_args(test, PROBE_RELEASEPAGE, 0, 0, 0);
}
#endif

/* ------------------------------------------------------------ freepage -- */

static void freepage_truncate(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_page(test, 1));
	put_page(probe_page(test, 2));
	truncate_inode_pages(p->mapping, 0);
	probe_check(test, PROBE_FREEPAGE, 2);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_FREEPAGE), 2u);
}

static void freepage_truncate_locked(struct kunit *test)
{
	probe_truncate_locked(test, probe_page(test, 3));
	probe_check(test, PROBE_FREEPAGE, 1);
}

static void freepage_delete(struct kunit *test)
{
	struct page *page = probe_page(test, 4);

	lock_page(page);
	delete_from_page_cache(page);
	unlock_page(page);
	put_page(page);
	probe_check(test, PROBE_FREEPAGE, 1);
}

static void freepage_replace(struct kunit *test)
{
	struct probe *p = test->priv;
	struct page *old = probe_page(test, 5);
	struct page *new = __page_cache_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, new);
	SetPageUptodate(new);
	lock_page(old);
	lock_page(new);
	KUNIT_EXPECT_EQ(test, 0, replace_page_cache_page(old, new, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, new->mapping, p->mapping);
	lru_cache_add(new);
	unlock_page(new);
	unlock_page(old);
	put_page(new);
	put_page(old);
	probe_check(test, PROBE_FREEPAGE, 1);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)5);
}

/* remove_mapping() */
static void freepage_invalidate(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_page(test, 6));
	KUNIT_EXPECT_EQ(test, invalidate_mapping_pages(p->mapping, 0, -1), 1UL);
	probe_check(test, PROBE_FREEPAGE, 1);
}

static void freepage_invalidate2(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_page(test, 7));
	KUNIT_EXPECT_EQ(test, 0, invalidate_inode_pages2(p->mapping));
	probe_check(test, PROBE_FREEPAGE, 1);
}

static void freepage_steal(struct kunit *test)
{
	probe_steal(test, false);
	probe_check(test, PROBE_FREEPAGE, 1);
}

static void freepage_reclaim(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, probe_reclaim(test, probe_page(test, 8)));
	probe_check(test, PROBE_FREEPAGE, 1);
}

/* -------------------------------------------------------- launder_page -- */

static void launder_page_invalidate2(struct kunit *test)
{
	struct probe *p = test->priv;

	put_page(probe_dirty(test, 1));
	put_page(probe_dirty(test, 2));
	p->nr = 0;
	KUNIT_EXPECT_EQ(test, 0, invalidate_inode_pages2_range(p->mapping, 2,
							       3));
	probe_check(test, PROBE_LAUNDER_PAGE, 1);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_LAUNDER_PAGE), 1u);
	KUNIT_EXPECT_EQ(test, p->call[0].index, (pgoff_t)2);
}

/* ------------------------------------------------ is_partially_uptodate -- */

/* A page of which the filesystem says that some blocks are up to date. */
static void probe_partial(struct kunit *test, pgoff_t index)
{
	struct probe *p = test->priv;
	struct page *page = find_or_create_page(p->mapping, index, GFP_KERNEL);
	void *addr;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	addr = kmap_atomic(page);
	memcpy(addr, PROBE_TEXT, sizeof(PROBE_TEXT));
	kunmap_atomic(addr);
	unlock_page(page);
	put_page(page);
	p->owner->i_blkbits = PAGE_SHIFT - 2;
	p->inode->i_blkbits = PAGE_SHIFT - 2;
}

static void is_partially_uptodate_read(struct kunit *test)
{
	probe_partial(test, 3);
	KUNIT_EXPECT_EQ(test, probe_read(test, 3 * PAGE_SIZE),
			(ssize_t)sizeof(PROBE_TEXT));
	probe_check(test, PROBE_IS_PARTIALLY_UPTODATE, 1);
	probe_args(test, PROBE_IS_PARTIALLY_UPTODATE, 0, 0,
		   sizeof(PROBE_TEXT));
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_READPAGE), 0u);
}

#ifdef CONFIG_FS_IOMAP
static int probe_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			     unsigned int flags, struct iomap *iomap,
			     struct iomap *srcmap)
{
	iomap->type = IOMAP_UNWRITTEN;
	iomap->addr = IOMAP_NULL_ADDR;
	iomap->offset = pos;
	iomap->length = length;
	return 0;
}

static const struct iomap_ops probe_iomap_ops = {
	.iomap_begin	= probe_iomap_begin,
};

/* page_cache_seek_hole_data(): a block after the other, until one is data. */
static void is_partially_uptodate_seek(struct kunit *test)
{
	struct probe *p = test->priv;

	probe_partial(test, 4);
	KUNIT_EXPECT_EQ(test, iomap_seek_data(p->inode, 0, &probe_iomap_ops),
			(loff_t)(4 * PAGE_SIZE));
	probe_check(test, PROBE_IS_PARTIALLY_UPTODATE, 1);
	probe_args(test, PROBE_IS_PARTIALLY_UPTODATE, 0, 0, PAGE_SIZE / 4);
}
#endif

/* --------------------------------------------------- is_dirty_writeback -- */

static void is_dirty_writeback_reclaim(struct kunit *test)
{
	struct page *page = probe_private(test, 5);

	KUNIT_EXPECT_TRUE(test, probe_reclaim(test, page));
	probe_check(test, PROBE_IS_DIRTY_WRITEBACK, 1);
	probe_args(test, PROBE_IS_DIRTY_WRITEBACK, 0, false, false);
}

/* ------------------------------------------- isolate_page, putback_page -- */

#ifdef CONFIG_COMPACTION
/* A movable page of a driver, isolated: one reference, and the test's */
static struct page *probe_isolated(struct kunit *test, struct list_head *list)
{
	struct probe *p = test->priv;
	struct page *page = alloc_page(GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	p->mapping->a_ops = &probe_movable_aops;
	lock_page(page);
	__SetPageMovable(page, p->mapping);
	unlock_page(page);
	err = isolate_movable_page(page, ISOLATE_UNEVICTABLE);
	KUNIT_EXPECT_EQ(test, err, 0);
	if (!err)
		list_add(&page->lru, list);
	return page;
}

static void probe_put_movable(struct page *page)
{
	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	put_page(page);
}

static void isolate_page_movable(struct kunit *test)
{
	LIST_HEAD(list);
	struct page *page = probe_isolated(test, &list);

	probe_check(test, PROBE_ISOLATE_PAGE, 1);
	probe_args(test, PROBE_ISOLATE_PAGE, 0,
		   (__force unsigned long)ISOLATE_UNEVICTABLE, 0);
	putback_movable_pages(&list);
	probe_put_movable(page);
}

static void putback_page_movable(struct kunit *test)
{
	LIST_HEAD(list);
	struct page *page = probe_isolated(test, &list);

	putback_movable_pages(&list);
	probe_put_movable(page);
	probe_check(test, PROBE_PUTBACK_PAGE, 1);
	KUNIT_EXPECT_EQ(test, probe_count(test, PROBE_PUTBACK_PAGE), 1u);
}

/* A page that did not migrate */
static void putback_page_migrate(struct kunit *test)
{
	LIST_HEAD(list);
	struct page *page = probe_isolated(test, &list);

	KUNIT_EXPECT_EQ(test, 1, migrate_pages(&list, probe_new_page, NULL, 0,
					       MIGRATE_SYNC, MR_SYSCALL));
	KUNIT_EXPECT_TRUE(test, list_empty(&list));
	probe_put_movable(page);
	probe_check(test, PROBE_PUTBACK_PAGE, 1);
}
#endif

/* Who is the canonical one: the page or what was passed? */
static void fs_page_mapping_page(struct kunit *test)
{
	struct probe *p = test->priv;
	struct address_space *mapping = p->mapping;
	struct page *page = alloc_page(GFP_KERNEL);
	void *tagged;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	page->mapping = mapping;
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(mapping, page), mapping);

	/* truncated */
	page->mapping = NULL;
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(mapping, page),
			    (struct address_space *)NULL);

	/* a page of a swap file is anonymous, which is not reported */
	tagged = (void *)mapping + PAGE_MAPPING_ANON;
	page->mapping = tagged;
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(mapping, page),
			    (struct address_space *)tagged);

	if (IS_ENABLED(CONFIG_PAGE_XA)) {
		struct inode *other = p->inode;

		/* What it points to does not matter. */
		page->mapping = (void *)&other->i_data + PAGE_MAPPING_XA;
		KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(mapping, page),
				    mapping);
	}

	page->mapping = NULL;
	put_page(page);
}

static struct kunit_case fs_mapping_cases[] = {
	KUNIT_CASE(fs_page_mapping_page),
	KUNIT_CASE(readpage_read),
	KUNIT_CASE(readpage_readahead),
	KUNIT_CASE(readpage_fault),
	KUNIT_CASE(readpage_read_cache_page),
	KUNIT_CASE(readpage_again),
	KUNIT_CASE(readpage_symlink),
	KUNIT_CASE(readpage_splice),
#ifdef CONFIG_BLOCK
	KUNIT_CASE(readpage_truncate),
#endif
	KUNIT_CASE(filler_read_cache_page),
	KUNIT_CASE(filler_read_cache_pages),
	KUNIT_CASE(writepage_one_page),
	KUNIT_CASE(writepage_write_and_wait),
	KUNIT_CASE(writepage_sync_inode),
	KUNIT_CASE(writepage_t_write_cache_pages),
	KUNIT_CASE(writepage_reclaim),
#ifdef CONFIG_BLOCK
	KUNIT_CASE(writepage_mpage),
#endif
#ifdef CONFIG_MIGRATION
	KUNIT_CASE(writepage_migrate),
#endif
	KUNIT_CASE(set_page_dirty_page),
	KUNIT_CASE(set_page_dirty_with_mapping),
	KUNIT_CASE(set_page_dirty_locked),
	KUNIT_CASE(set_page_dirty_write),
#ifdef CONFIG_BLOCK
	KUNIT_CASE(set_page_dirty_nobh_write),
	KUNIT_CASE(set_page_dirty_nobh_truncate),
#endif
	KUNIT_CASE(set_page_dirty_mkwrite),
	KUNIT_CASE(set_page_dirty_fault),
	KUNIT_CASE(set_page_dirty_zap),
	KUNIT_CASE(set_page_dirty_unmap),
	KUNIT_CASE(set_page_dirty_writeback),
	KUNIT_CASE(set_page_dirty_write_one),
	KUNIT_CASE(set_page_dirty_extend),
	KUNIT_CASE(set_page_dirty_unpin),
	KUNIT_CASE(invalidatepage_truncate),
	KUNIT_CASE(invalidatepage_truncate_locked),
	KUNIT_CASE(invalidatepage_truncate_partial),
	KUNIT_CASE(invalidatepage_punch),
	KUNIT_CASE(invalidatepage_punch_inside),
	KUNIT_CASE(invalidatepage_error_remove),
	KUNIT_CASE(invalidatepage_read_cache_pages),
	KUNIT_CASE(invalidatepage_read_cache_pages_error),
	KUNIT_CASE(releasepage_try_to_release),
	KUNIT_CASE(releasepage_invalidate),
	KUNIT_CASE(releasepage_invalidate2),
	KUNIT_CASE(releasepage_reclaim),
#ifdef CONFIG_MIGRATION
	KUNIT_CASE(releasepage_migrate),
#endif
	KUNIT_CASE(releasepage_steal),
#ifdef CONFIG_BLOCK
	KUNIT_CASE(releasepage_shrink_active),
	KUNIT_CASE(releasepage_block_invalidate),
#endif
	KUNIT_CASE(freepage_truncate),
	KUNIT_CASE(freepage_truncate_locked),
	KUNIT_CASE(freepage_delete),
	KUNIT_CASE(freepage_replace),
	KUNIT_CASE(freepage_invalidate),
	KUNIT_CASE(freepage_invalidate2),
	KUNIT_CASE(freepage_steal),
	KUNIT_CASE(freepage_reclaim),
	KUNIT_CASE(launder_page_invalidate2),
	KUNIT_CASE(is_partially_uptodate_read),
#ifdef CONFIG_FS_IOMAP
	KUNIT_CASE(is_partially_uptodate_seek),
#endif
	KUNIT_CASE(is_dirty_writeback_reclaim),
#ifdef CONFIG_COMPACTION
	KUNIT_CASE(isolate_page_movable),
	KUNIT_CASE(putback_page_movable),
	KUNIT_CASE(putback_page_migrate),
#endif
	{}
};

static struct kunit_suite fs_mapping_suite = {
	.name = "fs_mapping",
	.init = probe_init,
	.exit = probe_exit,
	.test_cases = fs_mapping_cases,
};

kunit_test_suites(&fs_mapping_suite);
