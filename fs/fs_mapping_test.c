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
#include <linux/buffer_head.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/page-mapping.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/swap.h>

#define PROBE_MAGIC	0x50726f62
#define PROBE_PAGES	16
#define PROBE_CALLS	64
#define PROBE_TEXT	"a page of the probe"

enum probe_op {
	PROBE_READPAGE,
	PROBE_FILLER,
	PROBE_OPS,
};

static const char * const probe_name[PROBE_OPS] = {
	[PROBE_READPAGE]	= "->readpage()",
	[PROBE_FILLER]		= "filler",
};

/* One call of a callback: what it was given, and what the page says. */
struct probe_call {
	enum probe_op		op;
	void			*file;
	struct address_space	*mapping;
	struct address_space	*page_mapping;
	struct address_space	*fs_mapping;
	pgoff_t			index;
	bool			locked;
};

struct probe {
	struct vfsmount		*mnt;
	struct inode		*owner;		/* has the pages */
	struct inode		*inode;		/* borrows them */
	struct file		*file;
	struct address_space	*mapping;	/* what is to be passed */
	unsigned int		nr;
	struct probe_call	call[PROBE_CALLS];
};

/* The callbacks have no other way to the test that runs. */
static struct probe *probe;

static void probe_record(enum probe_op op, void *file,
			 struct address_space *mapping, struct page *page)
{
	struct probe_call *call;

	if (WARN_ON_ONCE(!probe) || probe->nr == PROBE_CALLS)
		return;
	call = &probe->call[probe->nr++];
	call->op = op;
	call->file = file;
	call->mapping = mapping;
	call->page_mapping = page->mapping;
	/* A wrong one is reported by the test, once a call. */
	call->fs_mapping = mapping == page->mapping ?
			   fs_page_mapping(mapping, page) : NULL;
	call->index = page->index;
	call->locked = PageLocked(page);
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
	probe_record(PROBE_READPAGE, file, mapping, page);
	return probe_fill(page);
}

static int probe_filler(void *data, struct address_space *mapping,
			struct page *page)
{
	probe_record(PROBE_FILLER, data, mapping, page);
	return probe_fill(page);
}

static const struct address_space_operations probe_aops = {
	.readpage	= probe_readpage,
	.set_page_dirty	= __set_page_dirty_no_writeback,
};

static const struct file_operations probe_fops = {
	.read_iter	= generic_file_read_iter,
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

	if (!p)
		return -ENOMEM;
	test->priv = p;
	mnt = kern_mount(&probe_fs_type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	p->mnt = mnt;

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
	if (!IS_ERR_OR_NULL(p->file)) {
		fput(p->file);
		flush_delayed_fput();
	}
	if (p->inode) {
		p->inode->i_mapping = &p->inode->i_data;
		iput(p->inode);
	}
	if (p->owner) {
		truncate_inode_pages(p->owner->i_mapping, 0);
		iput(p->owner);
	}
	kern_unmount(p->mnt);
}

/* At least @min calls were made, all of @op, each with the right mapping. */
static void probe_check(struct kunit *test, enum probe_op op, unsigned int min)
{
	struct probe *p = test->priv;
	unsigned int i;

	KUNIT_EXPECT_GE_MSG(test, p->nr, min, "%s was not reached",
			    probe_name[op]);
	KUNIT_EXPECT_LT(test, p->nr, (unsigned int)PROBE_CALLS);
	for (i = 0; i < p->nr; i++) {
		struct probe_call *call = &p->call[i];

		KUNIT_EXPECT_EQ(test, (int)call->op, (int)op);
		KUNIT_EXPECT_TRUE(test, call->locked);
		KUNIT_EXPECT_PTR_EQ_MSG(test, call->mapping, p->mapping,
					"call %u of %s, index %lu", i,
					probe_name[op], call->index);
		KUNIT_EXPECT_PTR_EQ(test, call->page_mapping, p->mapping);
		KUNIT_EXPECT_PTR_EQ(test, call->fs_mapping, p->mapping);
	}
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
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].file, (void *)p->file);
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
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].file, (void *)p->file);
	KUNIT_EXPECT_PTR_EQ(test, p->call[1].file, NULL);
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
	KUNIT_EXPECT_PTR_EQ(test, p->call[0].file, (void *)test);
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
	KUNIT_EXPECT_PTR_EQ(test, fs_page_mapping(MAPPING_NULL, page), mapping);

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
	{}
};

static struct kunit_suite fs_mapping_suite = {
	.name = "fs_mapping",
	.init = probe_init,
	.exit = probe_exit,
	.test_cases = fs_mapping_cases,
};

kunit_test_suites(&fs_mapping_suite);
