/* SPDX-License-Identifier: GPL-2.0 */
/* A file system for the KUnit tests of protected pages. */
#ifndef _MM_PAGE_XA_TEST_H
#define _MM_PAGE_XA_TEST_H

#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/page-xa.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/sched.h>
#include <linux/swap.h>

#define PXT_MAGIC	0x70786174
#define PXT_PAGES	16
#define PXT_BYTE	0x5a

/* One file: the test chooses the last byte of each page, the rest is equal. */
struct pxt_file {
	struct inode		*inode;
	struct address_space	*mapping;
	u8			last[PXT_PAGES];
};

static void pxt_fill(struct page *page, u8 last)
{
	u8 *addr = kmap_atomic(page);

	memset(addr, PXT_BYTE, PAGE_SIZE);
	addr[PAGE_SIZE - 1] = last;
	flush_dcache_page(page);
	kunmap_atomic(addr);
}

static bool pxt_filled(struct page *page, u8 last)
{
	u8 *addr = kmap_atomic(page);
	bool ret = !memchr_inv(addr, PXT_BYTE, PAGE_SIZE - 1) &&
		   addr[PAGE_SIZE - 1] == last;

	kunmap_atomic(addr);
	return ret;
}

static int pxt_readpage(struct file *file, struct address_space *mapping,
			struct page *page)
{
	struct pxt_file *f = mapping->host->i_private;

	pxt_fill(page, f->last[page->index]);
	SetPageUptodate(page);
	unlock_page(page);
	return 0;
}

/* What happens meanwhile. */
static void (*pxt_on_release)(struct page *page);
/* How a page with private data was given up last. */
static gfp_t pxt_release_gfp;
static unsigned int pxt_release_flags;

/* Private data is a bare flag here; a page with a number keeps it. */
static int pxt_releasepage(struct address_space *mapping, struct page *page,
			   gfp_t gfp)
{
	if (page_private(page))
		return 0;
	pxt_release_gfp = gfp;
	pxt_release_flags = current->flags;
	if (pxt_on_release)
		pxt_on_release(page);
	ClearPagePrivate(page);
	put_page(page);
	return 1;
}

static const struct address_space_operations pxt_aops = {
	.readpage	= pxt_readpage,
	.releasepage	= pxt_releasepage,
	.set_page_dirty	= __set_page_dirty_no_writeback,
};

static int pxt_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, PXT_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type pxt_fs_type = {
	.name			= "pxa_test",
	.init_fs_context	= pxt_init_fs_context,
	.kill_sb		= kill_anon_super,
	.fs_flags		= FS_ALLOW_PXA,
};

/* All pages of a new file have the same content, but what @last differs. */
static int pxt_create(struct vfsmount *mnt, struct pxt_file *f, u8 last)
{
	struct inode *inode = new_inode(mnt->mnt_sb);

	if (!inode)
		return -ENOMEM;
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFREG | 0600;
	inode->i_mapping->a_ops = &pxt_aops;
	inode->i_private = f;
	i_size_write(inode, PXT_PAGES << PAGE_SHIFT);
	memset(f->last, last, sizeof(f->last));
	f->inode = inode;
	f->mapping = inode->i_mapping;
	return 0;
}

/* Read a page in; the reference is the caller's only. */
static struct page *pxt_read(struct kunit *test, struct pxt_file *f,
			     pgoff_t index)
{
	struct page *page = read_mapping_page(f->mapping, index, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(page));
	lru_add_drain_all();
	return page;
}

/* What is in the slot, without a reference. */
static struct page *pxt_slot(struct pxt_file *f, pgoff_t index)
{
	return xa_load(&f->mapping->i_pages, index);
}

/* An ordinary page with the right content is in the slot. */
static void pxt_ordinary(struct kunit *test, struct pxt_file *f, pgoff_t index)
{
	struct page *page = pxt_slot(f, index);

	KUNIT_EXPECT_FALSE(test, !page || xa_is_value(page));
	if (!page || xa_is_value(page))
		return;
	KUNIT_EXPECT_FALSE(test, PageXA(page));
	KUNIT_EXPECT_PTR_EQ(test, page->mapping, f->mapping);
	KUNIT_EXPECT_EQ(test, page->index, index);
	KUNIT_EXPECT_TRUE(test, PageUptodate(page));
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_TRUE(test, pxt_filled(page, f->last[index]));
}

/* A multiple of what fault-around maps at once */
#define PXT_ADDR	0x10000000UL

static inline unsigned long pxt_addr(pgoff_t index)
{
	return PXT_ADDR + (index << PAGE_SHIFT);
}

/*
 * A process that has all of @file mapped, shared and writable, with @ops or those
 * of the file.  The reference to @file goes to the area, @mm is the caller's.
 */
static inline struct vm_area_struct *
pxt_map_file(struct kunit *test, struct mm_struct **mm, struct file *file,
	     const struct vm_operations_struct *ops)
{
	struct vm_area_struct *vma = NULL;
	int err = -ENOMEM;

	*mm = mm_alloc();
	if (*mm)
		vma = vm_area_alloc(*mm);
	if (vma) {
		vma->vm_start = pxt_addr(0);
		vma->vm_end = pxt_addr(PXT_PAGES);
		vma->vm_flags = VM_READ | VM_WRITE | VM_SHARED |
				VM_MAYREAD | VM_MAYWRITE | VM_MAYSHARE;
		vma->vm_file = file;
		vma->vm_ops = ops;
		err = ops ? 0 : call_mmap(file, vma);
		vma_set_page_prot(vma);
	}
	if (!err) {
		mmap_write_lock(*mm);
		err = insert_vm_struct(*mm, vma);
		mmap_write_unlock(*mm);
	}
	if (err) {
		fput(file);
		if (vma)
			vm_area_free(vma);
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	return vma;
}

/* As get_user_pages(), or with FOLL_PIN pin_user_pages(). */
static inline long pxt_get_mapped(struct mm_struct *mm, pgoff_t index,
				  unsigned int flags, struct page **page)
{
	long nr;

	mmap_read_lock(mm);
	if (flags & FOLL_PIN)
		nr = pin_user_pages_remote(mm, pxt_addr(index), 1,
					   flags & ~FOLL_PIN, page, NULL, NULL);
	else
		nr = get_user_pages_remote(mm, pxt_addr(index), 1, flags, page,
					   NULL, NULL);
	mmap_read_unlock(mm);
	return nr;
}

#endif /* _MM_PAGE_XA_TEST_H */
