// SPDX-License-Identifier: GPL-2.0
/*
 * What only some filesystems do with the blocks of a file whose pages are
 * shared: clones, dedupe, unsharing, exchange of extents, defragmentation,
 * snapshots, garbage collection, atomic writes, compression, quota files, verity.
 * Others skip.
 */
#include "pxa_util.h"
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif
#ifndef FALLOC_FL_UNSHARE_RANGE
#define FALLOC_FL_UNSHARE_RANGE 0x40
#endif

/* Those of v5.9, where they are not in the headers for programs. */
struct f2fs_range {
	__u64 start;
	__u64 len;
};

struct f2fs_move {
	__u32 dst_fd;
	__u64 pos_in;
	__u64 pos_out;
	__u64 len;
};

#define F2FS_ATOMIC_START	_IO(0xf5, 1)
#define F2FS_ATOMIC_COMMIT	_IO(0xf5, 2)
#define F2FS_ATOMIC_ABORT	_IO(0xf5, 5)
#define F2FS_GC			_IOW(0xf5, 6, __u32)
#define F2FS_DEFRAGMENT		_IOWR(0xf5, 8, struct f2fs_range)
#define F2FS_MOVE_RANGE		_IOWR(0xf5, 9, struct f2fs_move)

struct xfs_time {
	long tv_sec;
	__s32 tv_nsec;
};

struct xfs_swap {
	__s64 version;
	__s64 target;
	__s64 tmp;
	__s64 offset;
	__s64 length;
	char pad[16];
	/* struct xfs_bstat, of which only two times are looked at */
	__u64 ino;
	__u16 mode, nlink;
	__u32 uid, gid, rdev;
	__s32 blksize;
	__s64 size;
	struct xfs_time atime, mtime, ctime;
	__s64 blocks;
	char rest[40];
};

#define XFS_SWAPEXT		_IOWR('X', 109, struct xfs_swap)

struct ext4_move {
	__u32 reserved;
	__u32 donor_fd;
	__u64 orig_start;		/* these in blocks */
	__u64 donor_start;
	__u64 len;
	__u64 moved_len;
};

#define EXT4_MOVE_EXT		_IOWR('f', 15, struct ext4_move)
#define EXT4_INLINE_DATA_FL	0x10000000

static void only_on(unsigned long magic, const char *name)
{
	if (!on_fs(magic))
		pxa_skip("not %s", name);
}

/* -------------------------------------------------------------- clones -- */

/* @pages from page @from of @src become those at page @to of @dst. */
static void clone_pages(struct pfile *src, size_t from, size_t pages,
			struct pfile *dst, size_t to)
{
	struct file_clone_range r = {
		.src_fd = src->fd,
		.src_offset = from * psz,
		.src_length = pages * psz,
		.dest_offset = to * psz,
	};

	if (OP(ioctl(dst->fd, FICLONERANGE, &r))) {
		if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL)
			pxa_skip("no clones: %s", strerror(errno));
		FAIL("FICLONERANGE: %s", strerror(errno));
	}
	if ((to + pages) * psz > dst->size)
		pf_size(dst, (to + pages) * psz);
	memcpy(dst->shadow + to * psz, src->shadow + from * psz, pages * psz);
}

/* A file, and a clone of it one page further on that shares on disk. */
static void clone_new(struct pair *p)
{
	size_t i;

	pf_new(&p->a, "a", PAIR_PAGES);
	pf_new(&p->b, "b", PAIR_PAGES + 1);
	for (i = 0; i < PAIR_PAGES; i++)
		pf_page(&p->a, i, 100 + i);
	for (i = 0; i <= PAIR_PAGES; i++)
		pf_page(&p->b, i, 200 + i);
	pf_commit(&p->a);
	pf_commit(&p->b);
	clone_pages(&p->a, 0, PAIR_PAGES, &p->b, 1);
	pf_drop(&p->b);
}

static void clone_merge(struct pair *p)
{
	size_t i;

	merge_start();
	for (i = 0; i < PAIR_PAGES; i++)
		wait_shared(p->a.map + i * psz, p->b.map + (i + 1) * psz);
	wait_counters(PAIR_PAGES, PAIR_PAGES);
	merge_stop();
}

static void clone_setup(struct pair *p)
{
	clone_new(p);
	pair_map(p, PROT_READ | PROT_WRITE, MAP_SHARED);
	clone_merge(p);
}

/* Shared on disk and in memory: both end with the write, for one file only. */
static void clone_then_merge(void)
{
	struct pair p;

	clone_setup(&p);
	pf_store(&p.a, p.a.map, psz + 7, 1, 50);
	pf_write(&p.b, 3 * psz + 100, 50, 51);
	pf_write(&p.a, 5 * psz, psz, 52);
	must_not_share(p.a.map + psz, p.b.map + 2 * psz);
	must_share(p.a.map + 3 * psz, p.b.map + 4 * psz);
	pair_check(&p);
}

static void clone_then_merge_direct(void)
{
	struct pair p;

	clone_setup(&p);
	pf_write_direct(&p.a, 2 * psz, 2 * psz, 50);
	pair_check(&p);
}

static void clone_then_merge_punch(void)
{
	struct pair p;

	clone_setup(&p);
	if (pf_fallocate(&p.a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 psz + 100, 2 * psz))
		pxa_skip("no holes");
	pf_truncate(&p.b, 5 * psz + 17);
	pair_check(&p);
}

static void clone_from_merged(void)
{
	struct pfile c;
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_new(&c, "c", 2);
	pf_page(&c, 0, 1);
	pf_page(&c, 1, 2);
	pf_commit(&c);
	pf_map(&c, PROT_READ, MAP_SHARED);
	clone_pages(&p.b, 3, 2, &c, 0);
	pair_still_shared(&p, -1);
	pf_store(&p.b, p.b.map, 3 * psz + 9, 1, 50);
	pf_check_cold(&c);
	pair_check(&p);
}

/* The pages that are replaced are shared; those of the other file stay. */
static void clone_onto_merged(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	clone_pages(&p.b, 0, 2, &p.a, 1);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz, 1, 50);
	pair_check(&p);
}

/* Both at once: the source is what the destination shares its pages with. */
static void clone_merged_onto_merged(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	clone_pages(&p.a, 1, 2, &p.b, 3);
	pf_check(&p.b);
	clone_pages(&p.b, 4, 1, &p.b, 0);
	pf_write(&p.a, 2 * psz + 1, 1, 50);
	pair_check(&p);
}

static int dedupe_pages(struct pfile *src, size_t from, size_t pages,
			struct pfile *dst, size_t to)
{
	struct file_dedupe_range *r = calloc(1, sizeof(*r) + sizeof(r->info[0]));
	int status;

	r->src_offset = from * psz;
	r->src_length = pages * psz;
	r->dest_count = 1;
	r->info[0].dest_fd = dst->fd;
	r->info[0].dest_offset = to * psz;
	if (OP(ioctl(src->fd, FIDEDUPERANGE, r)) ||
	    r->info[0].status == -EOPNOTSUPP || r->info[0].status == -EINVAL)
		pxa_skip("no FIDEDUPERANGE");
	status = r->info[0].status;
	if (status == FILE_DEDUPE_RANGE_SAME)
		REQ(r->info[0].bytes_deduped == pages * psz);
	free(r);
	return status;
}

static void dedupe_merged(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(dedupe_pages(&p.a, 1, 2, &p.b, 3) == FILE_DEDUPE_RANGE_SAME);
	REQ(dedupe_pages(&p.b, 6, 1, &p.a, 5) == FILE_DEDUPE_RANGE_SAME);
	REQ(dedupe_pages(&p.a, 2, 1, &p.b, 3) == FILE_DEDUPE_RANGE_DIFFERS);
	REQ(dedupe_pages(&p.b, 0, 1, &p.a, 1) == FILE_DEDUPE_RANGE_DIFFERS);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pf_write(&p.b, 4 * psz + 6, 10, 51);
	pair_check(&p);
}

static void dedupe_while_merging(void)
{
	struct pair p;
	int round;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	for (round = 0; round < 30; round++) {
		REQ(dedupe_pages(&p.a, 1, 2, &p.b, 3) == FILE_DEDUPE_RANGE_SAME);
		REQ(dedupe_pages(&p.b, 6, 1, &p.a, 5) == FILE_DEDUPE_RANGE_SAME);
		pf_store(&p.a, p.a.map, round, 1, 50 + round);
		pf_write(&p.b, 7 * psz + round, 1, 50 + round);
		msleep(round);
	}
	merge_stop();
	pair_check(&p);
}

static void unshare_range(void)
{
	struct pair p;

	clone_setup(&p);
	if (pf_fallocate(&p.a, FALLOC_FL_UNSHARE_RANGE, 100, 4 * psz))
		pxa_skip("no FALLOC_FL_UNSHARE_RANGE");
	must_not_share(p.a.map, p.b.map + psz);
	must_share(p.a.map + 6 * psz, p.b.map + 7 * psz);
	REQ(OP(fsync(p.a.fd)) == 0);
	pf_write(&p.b, psz, 3 * psz, 50);
	pair_check(&p);
}

/* ---------------------------------------------------------------- ext4 -- */

/*
 * What e4defrag does: a file gets blocks of another for its data.  Here its pages
 * are those of the other, too.  That has unwritten blocks afterwards.
 */
static void ext4_move_extents(void)
{
	struct ext4_move m = { 0 };
	struct stat st;
	struct pair p;

	only_on(EXT4_SUPER_MAGIC, "ext4");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(fstat(p.a.fd, &st) == 0);
	m.donor_fd = p.b.fd;
	m.orig_start = psz / st.st_blksize;
	m.donor_start = 3 * psz / st.st_blksize;
	m.len = 2 * psz / st.st_blksize;
	if (OP(ioctl(p.a.fd, EXT4_MOVE_EXT, &m))) {
		if (errno == ENOTTY)
			pxa_skip("not ext4");
		FAIL("EXT4_IOC_MOVE_EXT: %s", strerror(errno));
	}
	REQ(m.moved_len == m.len);
	pf_check(&p.a);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	memset(p.b.shadow + 3 * psz, 0, 2 * psz);
	pf_unmap(&p.b);
	pf_drop(&p.b);
	pf_store(&p.a, p.a.map, psz + 11, 1, 50);
	pair_check(&p);
}

static bool has_flag(struct pfile *f, int flag)
{
	int flags;

	REQ(ioctl(f->fd, FS_IOC_GETFLAGS, &flags) == 0);
	return flags & flag;
}

/* Two files of the same few bytes, which are in the inodes, and a page shared. */
static void inline_pair(struct pair *p, const char *a, const char *b)
{
	pf_new(&p->a, a, 1);
	pf_new(&p->b, b, 1);
	pf_page(&p->a, 0, 1);
	pf_page(&p->b, 0, 1);
	pf_size(&p->a, 60);
	pf_size(&p->b, 60);
	pf_commit(&p->a);
	pf_commit(&p->b);
	if (!has_flag(&p->a, EXT4_INLINE_DATA_FL))
		pxa_skip("the filesystem has no inline data");
	pair_map(p, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(p->a.map, p->b.map);
	merge_stop();
	REQ(has_flag(&p->a, EXT4_INLINE_DATA_FL));
}

static void ext4_inline_data(void)
{
	struct pair p, q;

	only_on(EXT4_SUPER_MAGIC, "ext4");
	inline_pair(&p, "a", "b");
	/* a outgrows its inode, b shrinks in it */
	pf_truncate(&p.a, 2 * psz);
	/*
	 * Without sharing, too, ext4 of v5.10.262 has the block of a in the cache of
	 * the disk until now.
	 */
	sync();
	pf_check(&p.b);
	pf_write(&p.a, psz + 5, 10, 8);
	pf_truncate(&p.b, 20);
	pair_check(&p);
	pf_truncate(&p.b, 50);
	pf_write(&p.a, 50, psz, 9);
	pair_check(&p);

	inline_pair(&q, "c", "d");
	/* c stays as it is, d gets a block */
	pf_write(&q.a, 10, 20, 7);
	must_not_share(q.a.map, q.b.map);
	pf_check(&q.b);
	/* the last: ext4 itself writes the block of before once more, by a sync() */
	pf_store(&q.b, q.b.map, 30, 5, 9);
	REQ(has_flag(&q.a, EXT4_INLINE_DATA_FL));
	pair_check(&q);
	pair_check(&p);
}

static void journal_data(struct pfile *f, bool on)
{
	int flags;

	REQ(ioctl(f->fd, FS_IOC_GETFLAGS, &flags) == 0);
	flags = on ? flags | FS_JOURNAL_DATA_FL : flags & ~FS_JOURNAL_DATA_FL;
	REQ(OP(ioctl(f->fd, FS_IOC_SETFLAGS, &flags)) == 0);
	REQ(has_flag(f, FS_JOURNAL_DATA_FL) == on);
}

/* The bytes of a file go to the journal, too, before and after pages are shared. */
static void ext4_journal_data(void)
{
	struct pair p;

	only_on(EXT4_SUPER_MAGIC, "ext4");
	pair_new(&p);
	journal_data(&p.a, true);
	pf_write(&p.a, psz, psz, 40);
	pf_write(&p.b, 3 * psz, psz, 40);
	/* committed to the journal, and then written to their place */
	pf_drop(&p.a);
	sync();
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pair_merge(&p);
	journal_data(&p.b, true);
	pair_still_shared(&p, -1);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pf_write(&p.b, 4 * psz + 6, 10, 51);
	must_not_share(p.a.map + 2 * psz, p.b.map + 4 * psz);
	must_share(p.a.map + 5 * psz, p.b.map + 6 * psz);
	/* while the pages are part of a transaction */
	merge_start();
	merge_scans(2);
	merge_stop();
	pf_truncate(&p.b, 6 * psz + 100);
	pf_check(&p.a);
	journal_data(&p.a, false);
	pf_store(&p.a, p.a.map, 5 * psz + 7, 1, 52);
	pair_check(&p);
}

/* --------------------------------------------------------------- verity -- */

/*
 * A file with shared pages becomes one that is verified when it is read, and what is
 * read again may be shared again.  Both files are whole.
 */
static void verity(void)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = psz,
	};
	struct {
		struct fsverity_digest head;
		unsigned char digest[64];
	} measured = { .head.digest_size = sizeof(measured.digest) };
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	/* nobody may have it open for writing */
	pf_unmap(&p.a);
	close(p.a.fd);
	p.a.fd = open(p.a.path, O_RDONLY);
	REQ(p.a.fd >= 0);
	pf_map(&p.a, PROT_READ, MAP_SHARED);
	pf_check(&p.a);
	pair_still_shared(&p, -1);
	if (OP(ioctl(p.a.fd, FS_IOC_ENABLE_VERITY, &arg))) {
		if (errno == ENOTTY || errno == EOPNOTSUPP)
			pxa_skip("no fs-verity");
		FAIL("FS_IOC_ENABLE_VERITY: %s", strerror(errno));
	}
	REQ(ioctl(p.a.fd, FS_IOC_MEASURE_VERITY, &measured) == 0);
	/* v5.9 has dropped the pages, v5.10 trusts them */
	if (before_5_10())
		must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	else
		pair_still_shared(&p, -1);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_unmap(&p.a);
	drop_caches();
	pf_map(&p.a, PROT_READ, MAP_SHARED);
	pf_check(&p.a);
	merge_start();
	wait_counters(PAIR_SHARED, PAIR_SHARED);
	merge_stop();
	pair_still_shared(&p, -1);
	pf_write(&p.b, 3 * psz + 7, 20, 9);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, PAIR_SHARED - 1);
	pf_check(&p.a);
	pf_check_cold(&p.b);
	drop_caches();
	pf_check(&p.a);
}

/* ----------------------------------------------------------------- xfs -- */

static void xfs_swapext(void)
{
	unsigned char *tmp;
	struct xfs_swap s;
	struct stat st;
	struct pair p;

	only_on(XFS_SUPER_MAGIC, "xfs");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(fstat(p.a.fd, &st) == 0);
	memset(&s, 0, sizeof(s));
	s.target = p.a.fd;
	s.tmp = p.b.fd;
	s.length = p.a.size;
	s.mtime.tv_sec = st.st_mtim.tv_sec;
	s.mtime.tv_nsec = st.st_mtim.tv_nsec;
	s.ctime.tv_sec = st.st_ctim.tv_sec;
	s.ctime.tv_nsec = st.st_ctim.tv_nsec;
	if (OP(ioctl(p.a.fd, XFS_SWAPEXT, &s)))
		FAIL("XFS_IOC_SWAPEXT: %s", strerror(errno));
	tmp = p.a.shadow;
	p.a.shadow = p.b.shadow;
	p.b.shadow = tmp;
	pf_check(&p.a);
	pf_check(&p.b);
	/* they are merged again, where the pages are now */
	merge_start();
	wait_shared(p.a.map + 3 * psz, p.b.map + psz);
	merge_stop();
	pf_store(&p.a, p.a.map, 3 * psz + 11, 1, 50);
	pair_check(&p);
}

/* ---------------------------------------------------------------- f2fs -- */

static void f2fs_defragment(void)
{
	struct f2fs_range r = { 0 };
	struct pair p;

	only_on(F2FS_SUPER_MAGIC, "f2fs");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	r.len = p.a.size;
	if (OP(ioctl(p.a.fd, F2FS_DEFRAGMENT, &r))) {
		if (errno == EINVAL)
			pxa_skip("updates are in place, see mode=lfs");
		FAIL("F2FS_IOC_DEFRAGMENT: %s", strerror(errno));
	}
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pair_check(&p);
}

static void f2fs_move_range(void)
{
	struct f2fs_move m = { 0 };
	struct pair p;

	only_on(F2FS_SUPER_MAGIC, "f2fs");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	m.dst_fd = p.b.fd;
	m.pos_in = psz;
	m.pos_out = 5 * psz;
	m.len = 2 * psz;
	if (OP(ioctl(p.a.fd, F2FS_MOVE_RANGE, &m)))
		FAIL("F2FS_IOC_MOVE_RANGE: %s", strerror(errno));
	/* leaves a hole; what is cached of the source is dropped, if at all, later */
	memcpy(p.b.shadow + 5 * psz, p.a.shadow + psz, 2 * psz);
	memset(p.a.shadow + psz, 0, 2 * psz);
	pf_unmap(&p.a);
	pf_drop(&p.a);
	drop_caches();
	pair_check(&p);
}

/* Segments are collected while the pages of their blocks are shared. */
static void f2fs_gc(void)
{
	enum { N = 64 };
	struct pfile f[2];
	__u32 sync = 1;
	int i, j, round, done = 0;

	only_on(F2FS_SUPER_MAGIC, "f2fs");
	for (j = 0; j < 2; j++) {
		pf_new(&f[j], j ? "b" : "a", N + j);
		for (i = 0; i < N; i++)
			pf_page(&f[j], i + j, 100 + i);
		pf_commit(&f[j]);
		pf_map(&f[j], PROT_READ | PROT_WRITE, MAP_SHARED);
	}
	merge_start();
	wait_shared(f[0].map + 9 * psz, f[1].map + 10 * psz);
	for (round = 0; round < 20; round++) {
		/* makes some blocks of a segment invalid */
		pf_write(&f[round % 2], (round * 3) * psz, 10, 500 + round);
		REQ(OP(fsync(f[round % 2].fd)) == 0);
		if (!OP(ioctl(f[0].fd, F2FS_GC, &sync)))
			done++;
		else if (errno != EAGAIN && errno != EBUSY && errno != ENODATA)
			FAIL("F2FS_IOC_GARBAGE_COLLECT: %s", strerror(errno));
	}
	merge_stop();
	ksft_print_msg("%d of 20 rounds collected something\n", done);
	for (j = 0; j < 2; j++)
		pf_check_cold(&f[j]);
}

/* Pages of an atomic write are not dirty, and not what is on disk. */
static void f2fs_atomic(bool commit)
{
	unsigned char old[64];
	struct pair p;

	only_on(F2FS_SUPER_MAGIC, "f2fs");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (OP(ioctl(p.a.fd, F2FS_ATOMIC_START)))
		FAIL("F2FS_IOC_START_ATOMIC_WRITE: %s", strerror(errno));
	memcpy(old, p.a.shadow + psz, sizeof(old));
	pf_write(&p.a, psz, sizeof(old), 50);
	merge_start();
	merge_scans(4);
	merge_stop();
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pf_check(&p.b);
	/* what was mapped shows what was not committed for as long as it is */
	if (!commit)
		pf_unmap(&p.a);
	if (OP(ioctl(p.a.fd, commit ? F2FS_ATOMIC_COMMIT : F2FS_ATOMIC_ABORT)))
		FAIL("end of the atomic write: %s", strerror(errno));
	if (!commit)
		memcpy(p.a.shadow + psz, old, sizeof(old));
	pair_check(&p);
}

static void f2fs_atomic_commit(void) { f2fs_atomic(true); }
static void f2fs_atomic_abort(void) { f2fs_atomic(false); }

/* The kernel reads a quota file by way of its page cache. */
static void f2fs_quota_file(void)
{
	/* header and information of an empty file of format vfsv1 */
	static const __u32 head[] = {
		0xd9c01f11, 1, 604800, 604800, 0, 2, 0, 0,
	};
	char line[1000], dev[300] = "", dir[300];
	__u64 dq[9];			/* struct if_dqblk */
	struct pfile a, b;
	FILE *mounts;
	int err;

	only_on(F2FS_SUPER_MAGIC, "f2fs");
	pf_new(&a, "aquota.user", 1);
	pf_new(&b, "copy", 2);
	pf_page(&b, 0, 1);
	pf_page(&b, 1, 2);
	memcpy(a.shadow, head, sizeof(head));
	pf_commit(&a);
	pf_commit(&b);
	mounts = fopen("/proc/mounts", "r");
	REQ(mounts);
	while (fgets(line, sizeof(line), mounts)) {
		char from[300];
		size_t n;

		if (sscanf(line, "%299s %299s", from, dir) != 2)
			continue;
		n = strlen(dir);
		if (!strncmp(a.path, dir, n) && a.path[n] == '/' && n > 1)
			strcpy(dev, from);
	}
	fclose(mounts);
	err = OP(syscall(__NR_quotactl, QCMD(Q_QUOTAON, USRQUOTA), dev,
			 4 /* QFMT_VFS_V1 */, a.path));
	if (err && (errno == ENOSYS || errno == ESRCH || errno == ENOTBLK))
		pxa_skip("no quota: %s", strerror(errno));
	if (err)
		FAIL("Q_QUOTAON %s: %s", dev, strerror(errno));
	/* It has an entry for root now, that a write in place does not change. */
	REQ(OP(syscall(__NR_quotactl, QCMD(Q_SYNC, USRQUOTA), dev, 0, NULL)) == 0);
	sync();
	REQ(OP(pread(a.fd, b.shadow + psz, psz, 0)) == (ssize_t)psz);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map, b.map + psz);
	merge_stop();
	must_share(a.map, b.map + psz);
	err = OP(syscall(__NR_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), dev, 12345,
			 dq));
	if (err && errno != ESRCH)
		FAIL("Q_GETQUOTA: %s", strerror(errno));
	/* and writes it */
	REQ(OP(chown(b.path, 12345, 0)) == 0);
	REQ(OP(syscall(__NR_quotactl, QCMD(Q_SYNC, USRQUOTA), dev, 0, NULL)) == 0);
	pf_check(&b);
	REQ(OP(syscall(__NR_quotactl, QCMD(Q_QUOTAOFF, USRQUOTA), dev, 0, NULL)) == 0);
	pf_check_cold(&b);
}

/* --------------------------------------------------------------- btrfs -- */

static void btrfs_defrag(void)
{
	struct btrfs_ioctl_defrag_range_args r;
	struct pair p;

	only_on(BTRFS_SUPER_MAGIC, "btrfs");
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	/* extents of one page each */
	for (size_t i = 0; i < PAIR_PAGES; i += 2) {
		pf_write(&p.a, i * psz, psz, 60 + i);
		REQ(OP(fsync(p.a.fd)) == 0);
	}
	memset(&r, 0, sizeof(r));
	r.len = UINT64_MAX;
	r.flags = BTRFS_DEFRAG_RANGE_START_IO;
	r.extent_thresh = 1 << 20;
	if (OP(ioctl(p.a.fd, BTRFS_IOC_DEFRAG_RANGE, &r)))
		FAIL("BTRFS_IOC_DEFRAG_RANGE: %s", strerror(errno));
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pair_check(&p);
}

/* @path: of sizeof(pxa_scratch) bytes, gets that of the root */
static int mount_root(char *path)
{
	struct stat st;
	int fd;

	/* the inode of the root of a subvolume is 256 */
	strcpy(path, pxa_scratch);
	do {
		*strrchr(path, '/') = '\0';
		REQ(path[0] && stat(path, &st) == 0);
	} while (st.st_ino != 256);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	REQ(fd >= 0);
	return fd;
}

/* A file and itself in a snapshot have pages of their own, and blocks in common. */
static int snapshot_pair(struct pair *p, bool readonly)
{
	struct btrfs_ioctl_vol_args_v2 v;
	char root[sizeof(pxa_scratch)];
	int fd, i;

	only_on(BTRFS_SUPER_MAGIC, "btrfs");
	pf_new(&p->a, "a", PAIR_PAGES);
	for (i = 0; i < PAIR_PAGES; i++)
		pf_page(&p->a, i, 100 + i);
	pf_commit(&p->a);
	fd = mount_root(root);
	memset(&v, 0, sizeof(v));
	v.fd = fd;
	v.flags = readonly ? BTRFS_SUBVOL_RDONLY : 0;
	strcpy(v.name, "pxa-snapshot");
	if (OP(ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, &v)))
		FAIL("BTRFS_IOC_SNAP_CREATE_V2: %s", strerror(errno));
	memset(&p->b, 0, sizeof(p->b));
	snprintf(p->b.path, sizeof(p->b.path), "%s/pxa-snapshot%s", root,
		 p->a.path + strlen(root));
	p->b.fd = open(p->b.path, readonly ? O_RDONLY : O_RDWR);
	REQ(p->b.fd >= 0);
	p->b.size = p->a.size;
	p->b.cap = p->a.cap;
	p->b.shadow = malloc(p->a.cap);
	memcpy(p->b.shadow, p->a.shadow, p->a.cap);
	pf_map(&p->a, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_map(&p->b, readonly ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(p->a.map + psz, p->b.map + psz);
	wait_counters(PAIR_PAGES, PAIR_PAGES);
	merge_stop();
	return fd;
}

static void snapshot_destroy(struct pair *p, int fd)
{
	struct btrfs_ioctl_vol_args d;

	pf_close(&p->b);
	memset(&d, 0, sizeof(d));
	strcpy(d.name, "pxa-snapshot");
	REQ(OP(ioctl(fd, BTRFS_IOC_SNAP_DESTROY, &d)) == 0);
	pf_check_cold(&p->a);
}

static void btrfs_snapshot(void)
{
	struct pair p;
	int fd = snapshot_pair(&p, false);

	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pf_write(&p.b, 3 * psz, 10, 51);
	pair_check(&p);
	snapshot_destroy(&p, fd);
}

/* The snapshot is sent from its pages. */
static void btrfs_send(void)
{
	enum { STREAM = 1 << 20 };
	struct btrfs_ioctl_send_args args;
	struct pair p;
	int fd = snapshot_pair(&p, true);
	int pipefd[2], from, status;
	unsigned char *stream;
	size_t i, len = 0;
	ssize_t n;
	pid_t pid;

	from = openat(fd, "pxa-snapshot", O_RDONLY | O_DIRECTORY);
	REQ(from >= 0);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	REQ(pipe(pipefd) == 0);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		memset(&args, 0, sizeof(args));
		args.send_fd = pipefd[1];
		_exit(ioctl(from, BTRFS_IOC_SEND, &args) ? errno : 0);
	}
	close(pipefd[1]);
	stream = malloc(STREAM);
	while ((n = OP(read(pipefd[0], stream + len, STREAM - len))) > 0)
		len += n;
	REQ(n == 0 && len < STREAM);
	REQ(OP(waitpid(pid, &status, 0)) == pid);
	if (status)
		FAIL("BTRFS_IOC_SEND: %s", strerror(WEXITSTATUS(status)));
	for (i = 0; i < PAIR_PAGES; i++)
		if (!memmem(stream, len, p.b.shadow + i * psz, psz))
			FAIL("page %zu is not in what was sent", i);
	/* it looks up locked pages: what it read is the snapshot's alone now */
	pf_touch(&p.a);
	pf_touch(&p.b);
	for (i = 0; i < PAIR_PAGES; i++)
		must_not_share(p.a.map + i * psz, p.b.map + i * psz);
	pair_check(&p);
	close(from);
	snapshot_destroy(&p, fd);
}

/* Relocation copies extents while pages that were read from them are shared. */
static void btrfs_balance(void)
{
	struct btrfs_ioctl_balance_args b;
	char root[sizeof(pxa_scratch)];
	struct pair p;
	int fd;

	only_on(BTRFS_SUPER_MAGIC, "btrfs");
	fd = mount_root(root);
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	memset(&b, 0, sizeof(b));
	b.flags = BTRFS_BALANCE_DATA;
	if (ioctl(fd, BTRFS_IOC_BALANCE_V2, &b)) {
		if (errno == ENOSPC)
			pxa_skip("balance: no space");
		FAIL("BTRFS_IOC_BALANCE_V2: %s", strerror(errno));
	}
	merge_stop();
	pf_check(&p.a);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pair_check(&p);
}

/* --------------------------------------------------------- compression -- */

static void soft_page(struct pfile *f, size_t page, unsigned long content)
{
	size_t i;

	pf_page(f, page, content);
	for (i = 64; i < psz; i++)
		f->shadow[page * psz + i] = f->shadow[page * psz + i % 64];
}

static void compr_new(struct pfile *f, const char *name, size_t pages)
{
	int flags;

	pf_new(f, name, pages);
	if (ioctl(f->fd, FS_IOC_GETFLAGS, &flags))
		pxa_skip("no flags: %s", strerror(errno));
	flags |= FS_COMPR_FL;
	if (ioctl(f->fd, FS_IOC_SETFLAGS, &flags))
		pxa_skip("no compression: %s", strerror(errno));
}

/* Clusters and extents with one shared page among others. */
static void compressed(void)
{
	enum { N = 40 };
	struct pfile f[2];
	struct stat st;
	int i, j;

	for (j = 0; j < 2; j++) {
		compr_new(&f[j], j ? "b" : "a", N);
		for (i = 0; i < N; i++)
			soft_page(&f[j], i, (i - j) % 3 ? 100 + i - j :
						      300 + 100 * j + i);
		pf_commit(&f[j]);
		REQ(fstat(f[j].fd, &st) == 0);
		ksft_print_msg("%s: %lld blocks of 512 bytes for %zu pages\n",
			       f[j].path, (long long)st.st_blocks,
			       f[j].size / psz);
		pf_map(&f[j], PROT_READ | PROT_WRITE, MAP_SHARED);
	}
	merge_start();
	for (i = 1; i < N - 1; i++)
		if (i % 3)
			wait_shared(f[0].map + i * psz, f[1].map + (i + 1) * psz);
	merge_stop();
	/* parts of compressed extents, by all ways */
	pf_store(&f[0], f[0].map, 4 * psz + 3, 1, 50);
	pf_write(&f[1], 11 * psz + 10, 30, 51);
	pf_write(&f[0], 20 * psz, 2 * psz, 52);
	pf_write_direct(&f[1], 17 * psz, psz, 53);
	for (j = 0; j < 2; j++) {
		pf_check(&f[j]);
		pf_check_cold(&f[j]);
	}
	merge_start();
	wait_shared(f[0].map + 28 * psz, f[1].map + 29 * psz);
	if (pf_fallocate(&f[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 28 * psz + 100, 5 * psz))
		ksft_print_msg("no holes\n");
	pf_truncate(&f[1], 35 * psz + 5);
	merge_stop();
	for (j = 0; j < 2; j++)
		pf_check_cold(&f[j]);
}

/* Writes and writeback of clusters of which other pages get shared. */
static void compressed_under_ksmd(void)
{
	enum { N = 32 };
	struct pfile f[2];
	int i, j, round;

	for (j = 0; j < 2; j++) {
		compr_new(&f[j], j ? "b" : "a", N);
		for (i = 0; i < N; i++)
			soft_page(&f[j], i, 100 + (i + j) % 5);
		pf_commit(&f[j]);
		pf_map(&f[j], PROT_READ | PROT_WRITE, MAP_SHARED);
	}
	merge_start();
	wait_shared(f[0].map + 1 * psz, f[1].map);
	for (round = 0; round < 60; round++) {
		struct pfile *w = &f[round % 2];

		i = round * 7 % N;
		soft_page(w, i, 100 + round % 5);
		if (round % 3) {
			REQ(OP(pwrite(w->fd, w->shadow + i * psz, psz, i * psz)) ==
			    (ssize_t)psz);
		} else {
			op_begin("store through a mapping");
			memcpy(w->map + i * psz, w->shadow + i * psz, psz);
			op_end();
		}
		if (round % 4 == 0)
			REQ(OP(fsync(w->fd)) == 0);
		if (round % 5 == 0)
			pf_check(&f[0]);
	}
	merge_stop();
	for (j = 0; j < 2; j++)
		pf_check_cold(&f[j]);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(clone_then_merge),
	T(clone_then_merge_direct),
	T(clone_then_merge_punch),
	T(clone_from_merged),
	T(clone_onto_merged),
	T(clone_merged_onto_merged),
	T(dedupe_merged),
	T(dedupe_while_merging),
	T(unshare_range),
	T(ext4_move_extents),
	T(ext4_inline_data),
	T(ext4_journal_data),
	T(verity),
	T(xfs_swapext),
	T(f2fs_defragment),
	T(f2fs_move_range),
	T(f2fs_gc),
	T(f2fs_atomic_commit),
	T(f2fs_atomic_abort),
	T(f2fs_quota_file),
	T(btrfs_defrag),
	T(btrfs_snapshot),
	T(btrfs_send),
	T(btrfs_balance),
	T(compressed),
	T(compressed_under_ksmd),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
