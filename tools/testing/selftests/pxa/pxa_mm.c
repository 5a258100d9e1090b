// SPDX-License-Identifier: GPL-2.0
/*
 * What else happens to mapped pages: fork, mremap, mprotect, mlock, madvise,
 * /proc, compaction and migration.
 */
#include "pxa_util.h"

#ifndef MPOL_MF_MOVE
#define MPOL_MF_MOVE	(1 << 1)
#endif

static void madv_dontneed_refault(void)
{
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (i = 0; i < 3; i++) {
		REQ(OP(madvise(p.a.map, p.a.map_len, MADV_DONTNEED)) == 0);
		REQ(OP(madvise(p.b.map + 2 * psz, 3 * psz, MADV_DONTNEED)) == 0);
		/* a refault finds the shared page again */
		pair_still_shared(&p, -1);
		check_counters(PAIR_SHARED, PAIR_SHARED);
		pf_check(&p.a);
		pf_check(&p.b);
	}
	pf_store(&p.a, p.a.map, psz, 3, 50);
	REQ(OP(madvise(p.a.map, p.a.map_len, MADV_DONTNEED)) == 0);
	pf_check(&p.a);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

static void madv_dontneed_private(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	op_store(p.a.map + psz, 1);
	REQ(OP(madvise(p.a.map, p.a.map_len, MADV_DONTNEED)) == 0);
	REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
	must_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

static void wait_child(pid_t pid)
{
	int status;

	op_begin("end of the child");
	REQ(waitpid(pid, &status, 0) == pid);
	op_end();
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		FAIL("the child ended with status %x", status);
}

static void fork_child_reads(void)
{
	struct pair p;
	pid_t pid;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pid = fork();
	if (!pid) {
		if (memcmp(p.a.map, p.a.shadow, p.a.size) ||
		    memcmp(p.b.map, p.b.shadow, p.b.size))
			_exit(1);
		_exit(0);
	}
	wait_child(pid);
	pair_still_shared(&p, -1);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pair_check(&p);
}

static void fork_child_stores_private(void)
{
	struct pair p;
	pid_t pid;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pid = fork();
	if (!pid) {
		memset(p.a.map + psz, 1, psz);
		p.b.map[3 * psz] ^= 1;
		if (p.a.map[psz] != 1 || p.a.map[2 * psz - 1] != 1 ||
		    memcmp(p.b.map + 3 * psz + 1, p.b.shadow + 3 * psz + 1, psz - 1))
			_exit(1);
		_exit(0);
	}
	wait_child(pid);
	REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
	REQ(!memcmp(p.b.map, p.b.shadow, p.b.size));
	pair_still_shared(&p, -1);
	pair_check(&p);
}

static void fork_child_stores_shared(void)
{
	struct pair p;
	pid_t pid;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid = fork();
	if (!pid) {
		op_store(p.a.map + psz + 9, 0x77);
		_exit(0);
	}
	wait_child(pid);
	p.a.shadow[psz + 9] = 0x77;
	pf_check(&p.a);
	pf_check(&p.b);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

static void fork_parent_stores(void)
{
	int go[2], i, sum;
	struct pair p;
	pid_t pid[8];
	char c;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(pipe(go) == 0);
	for (i = 0; i < 8; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			for (sum = 0, c = 0; sum < PAIR_PAGES; sum++)
				c += p.a.map[sum * psz] + p.b.map[sum * psz];
			sum = read(go[0], &c, 1);
			_exit(p.a.map[psz] != 0x11 ||
			      memcmp(p.b.map, p.b.shadow, p.b.size));
		}
	}
	msleep(50);
	op_store(p.a.map + psz, 0x11);
	p.a.shadow[psz] = 0x11;
	REQ(write(go[1], "12345678", 8) == 8);
	for (i = 0; i < 8; i++)
		wait_child(pid[i]);
	pair_check(&p);
}

static void mremap_move(void)
{
	unsigned char *to, *p2;
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	to = mmap(NULL, p.a.map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(to != MAP_FAILED);
	p2 = OP(mremap(p.a.map, p.a.map_len, p.a.map_len,
		       MREMAP_MAYMOVE | MREMAP_FIXED, to));
	REQ(p2 == to);
	p.a.map = p2;
	pf_check(&p.a);
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

static void mremap_shrink_and_grow(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(OP(mremap(p.a.map, p.a.map_len, 2 * psz, 0)) == p.a.map);
	p.a.map_len = 2 * psz;
	must_share(p.a.map + psz, p.b.map + 3 * psz);
	p.a.map = OP(mremap(p.a.map, 2 * psz, PAIR_PAGES * psz, MREMAP_MAYMOVE));
	REQ(p.a.map != MAP_FAILED);
	p.a.map_len = PAIR_PAGES * psz;
	pf_check(&p.a);
	pf_check(&p.b);
	pair_check(&p);
}

/* An old size of 0 asks for another area of the same, of which nothing is lost. */
static void mremap_duplicate(void)
{
	unsigned char *again;
	struct pair p;
	size_t i;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	again = OP(mremap(p.a.map, 0, p.a.map_len, MREMAP_MAYMOVE));
	REQ(again != MAP_FAILED && again != p.a.map);
	pair_still_shared(&p, -1);
	must_share(again + psz, p.b.map + 3 * psz);
	pf_store(&p.a, again, psz + 1, 1, 50);
	for (i = 0; i < p.a.size; i++)
		if (op_load(again + i) != p.a.shadow[i])
			FAIL("byte %zu of the new area is %#x", i, again[i]);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	REQ(munmap(again, p.a.map_len) == 0);
	pair_check(&p);
}

static void mprotect_then_store(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(mprotect(p.a.map, p.a.map_len, PROT_READ | PROT_WRITE) == 0);
	REQ(mprotect(p.b.map + 3 * psz, psz, PROT_READ | PROT_WRITE) == 0);
	pair_still_shared(&p, -1);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	pf_store(&p.b, p.b.map, 3 * psz + 2, 1, 51);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

/* rw with dirty ptes, written back, merged, ro and rw again: still no write. */
static void mprotect_dirty_pte(void)
{
	struct pair p;

	pair_new(&p);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_store(&p.a, p.a.map, psz, psz, 60);
	pf_store(&p.b, p.b.map, 3 * psz, psz, 60);
	REQ(!OP(fsync(p.a.fd)) && !OP(fsync(p.b.fd)));
	pair_merge(&p);
	REQ(mprotect(p.a.map, p.a.map_len, PROT_READ) == 0);
	REQ(mprotect(p.a.map, p.a.map_len, PROT_READ | PROT_WRITE) == 0);
	pf_store(&p.a, p.a.map, psz, 1, 61);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

/*
 * Are all pages of the file in the page cache, or none of them?  A mapping without
 * ptes has to ask there.
 */
static void cached(struct pfile *f, bool all)
{
	unsigned char vec[PAIR_PAGES];
	void *m;
	int i;

	m = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	REQ(m != MAP_FAILED);
	REQ(OP(mincore(m, f->size, vec)) == 0);
	for (i = 0; i < PAIR_PAGES; i++)
		if ((vec[i] & 1) != all)
			FAIL("mincore: page %d of %s is %s", i, f->path,
			     all ? "not resident" : "resident");
	munmap(m, f->size);
}

static void mlock_and_write(void)
{
	long base, mlocked;
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	base = vmstat("nr_mlock");
	if (OP(mlock(p.a.map, p.a.map_len)))
		pxa_skip("mlock: %s", strerror(errno));
	pf_check(&p.a);
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	pf_write(&p.a, 2 * psz, 10, 51);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_truncate(&p.a, 5 * psz + 100);
	pf_check(&p.a);
	pf_check(&p.b);
	REQ(OP(munlock(p.a.map, p.a.map_len)) == 0);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	drop_caches();
	mlocked = vmstat("nr_mlock");
	if (mlocked > base)
		FAIL("nr_mlock was %ld, is %ld", base, mlocked);
	pair_check(&p);
}

static long mlocked(void)
{
	write_str("/proc/sys/vm/stat_refresh", "1");
	return vmstat("nr_mlock");
}

static void mlocked_is(long want)
{
	long is = mlocked();

	if (is != want)
		FAIL("nr_mlock is %ld, must be %ld", is, want);
}

/*
 * Locked by way of a, which then has pages of its own or none.  What is locked
 * are the pages, so that the shared ones must not stay so, unless b is locked.
 */
static void mlock_then_unshare(bool both)
{
	long base = mlocked();
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (OP(mlock(p.a.map, p.a.map_len)) ||
	    (both && OP(mlock(p.b.map, p.b.map_len))))
		pxa_skip("mlock: %s", strerror(errno));
	pf_write(&p.a, psz, 10, 50);
	pf_store(&p.a, p.a.map, 2 * psz, 10, 51);
	pf_truncate(&p.a, 5 * psz);
	check_counters(-1, 0);
	REQ(OP(munlock(p.a.map, p.a.map_len)) == 0);
	mlocked_is(base + (both ? PAIR_PAGES : 0));
	if (both)
		REQ(OP(munlock(p.b.map, p.b.map_len)) == 0);
	mlocked_is(base);
	pair_check(&p);
}

/*
 * Locked before the merge: pages are merged nevertheless, and the lock stays,
 * whatever page is below.
 */
static void mlock_then_merge(void)
{
	long base = mlocked();
	struct pair p;

	pair_new(&p);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (mlock(p.a.map, p.a.map_len) || mlock(p.b.map, p.b.map_len))
		pxa_skip("mlock: %s", strerror(errno));
	mlocked_is(base + 2 * PAIR_PAGES);
	pair_merge(&p);
	mlocked_is(base + 2 * PAIR_PAGES - (pxa_expect ? PAIR_SHARED : 0));
	drop_caches();
	pair_still_shared(&p, -1);
	cached(&p.a, true);
	cached(&p.b, true);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	mlocked_is(base + 2 * PAIR_PAGES - (pxa_expect ? PAIR_SHARED - 1 : 0));
	pf_check(&p.a);
	pf_check(&p.b);
	REQ(munlock(p.a.map, p.a.map_len) == 0);
	REQ(munlock(p.b.map, p.b.map_len) == 0);
	mlocked_is(base);
	pair_check(&p);
}

/*
 * A locked page that the other file has given up is written in place, as one that is
 * not locked: the owner of locked memory does not have to pay for a copy.
 */
static void mlock_then_alone(void)
{
	uint64_t locked, other;
	struct pair p;

	pair_new(&p);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (mlock(p.a.map + psz, psz))
		pxa_skip("mlock: %s", strerror(errno));
	pair_merge(&p);
	/* No page waits to be put on the LRU when a pass begins. */
	merge_start();
	merge_settle();
	merge_stop();
	pf_truncate(&p.b, 0);
	pf_touch(&p.a);
	locked = page_pfn(p.a.map + psz);
	other = page_pfn(p.a.map + 2 * psz);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	pf_store(&p.a, p.a.map, 2 * psz + 1, 1, 51);
	if (page_pfn(p.a.map + 2 * psz) != other)
		FAIL("a page that nobody shares any more was copied");
	if (page_pfn(p.a.map + psz) != locked)
		FAIL("a locked page that nobody shares any more was copied");
	check_counters(pxa_expect ? PAIR_SHARED - 2 : 0, 0);
	pair_check(&p);
}

static void mlock_one_then_unshare(void) { mlock_then_unshare(false); }
static void mlock_both_then_unshare(void) { mlock_then_unshare(true); }

static void madv_hugepage(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	if (OP(madvise(p.a.map, p.a.map_len, MADV_HUGEPAGE)) && errno != EINVAL)
		FAIL("MADV_HUGEPAGE: %s", strerror(errno));
	pf_check(&p.a);
	pair_check(&p);
}

static void other_advice(void)
{
	static const int advice[] = {
		MADV_WILLNEED, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_COLD, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP,
	};
	struct pair p;
	size_t i;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		OP(madvise(p.a.map, p.a.map_len, advice[i]));
		pf_check(&p.a);
		pf_check(&p.b);
	}
	pair_check(&p);
}

/* The pages are gone from the file, not only from the mapping. */
static void madv_remove(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (OP(madvise(p.a.map + psz, psz, MADV_REMOVE))) {
		if (errno == EOPNOTSUPP || errno == EINVAL)
			pxa_skip("MADV_REMOVE: %s", strerror(errno));
		FAIL("MADV_REMOVE: %s", strerror(errno));
	}
	memset(p.a.shadow + psz, 0, psz);
	check_counters(-1, PAIR_SHARED - 1);
	pf_check(&p.a);
	pf_check(&p.b);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_still_shared(&p, 1);
	pf_store(&p.a, p.a.map, psz + 5, 1, 50);
	pair_check(&p);
}

static void mincore_says_resident(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	cached(&p.a, true);
	cached(&p.b, true);
	pair_still_shared(&p, -1);
	/* those of a are dropped, and b has them still */
	if (!on_tmpfs()) {
		pf_unmap(&p.a);
		pf_unmap(&p.b);
		pf_drop(&p.a);
		cached(&p.a, false);
		cached(&p.b, true);
	}
	pair_check(&p);
}

/* The ptes of all files count. */
static void kpagecount(void)
{
	unsigned char *more;
	struct pair p;
	long n;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	n = page_ptes(p.a.map + psz);
	if (n < 0)
		pxa_skip("no /proc/kpagecount, or not of this page");
	REQ(n == (pxa_expect ? 2 : 1));
	more = mmap(NULL, p.a.size, PROT_READ, MAP_SHARED, p.a.fd, 0);
	REQ(more != MAP_FAILED);
	(void)op_load(more + psz);
	REQ(page_ptes(p.a.map + psz) == (pxa_expect ? 3 : 2));
	REQ(page_ptes(p.b.map + 3 * psz) == (pxa_expect ? 3 : 1));
	pf_unmap(&p.b);
	REQ(page_ptes(p.a.map + psz) == 2);
	munmap(more, p.a.size);
	REQ(page_ptes(p.a.map + psz) == 1);
	pair_check(&p);
}

#define IDLE_BITMAP	"/sys/kernel/mm/page_idle/bitmap"

static bool is_idle(uint64_t pfn)
{
	int fd = open(IDLE_BITMAP, O_RDONLY);
	uint64_t v;

	REQ(fd >= 0);
	if (pread(fd, &v, sizeof(v), pfn / 64 * 8) != sizeof(v))
		pxa_skip("page %llx has no bit in " IDLE_BITMAP,
			 (unsigned long long)pfn);
	close(fd);
	return v >> pfn % 64 & 1;
}

static void mark_idle(uint64_t pfn)
{
	int fd = open(IDLE_BITMAP, O_WRONLY);
	uint64_t v = 1ULL << pfn % 64;

	REQ(fd >= 0);
	if (pwrite(fd, &v, sizeof(v), pfn / 64 * 8) != sizeof(v))
		pxa_skip("page %llx has no bit in " IDLE_BITMAP,
			 (unsigned long long)pfn);
	close(fd);
	/* Else it was not on the LRU. */
	if (!is_idle(pfn))
		FAIL("page %llx is not idle, and nobody has touched it",
		     (unsigned long long)pfn);
}

/* Who uses the page by way of one file is found by the reverse map of all. */
static void page_idle(void)
{
	unsigned char *here, *there;
	struct pair p;
	uint64_t pfn;
	int i;

	if (access(IDLE_BITMAP, R_OK | W_OK))
		pxa_skip("no " IDLE_BITMAP);
	pair_setup(&p, PROT_READ, MAP_SHARED);
	/* a scan takes what was merged last to the LRU before it begins */
	merge_start();
	merge_scans(3);
	merge_stop();
	for (i = 0; i < 4; i++) {
		here = i & 1 ? p.b.map + 3 * psz : p.a.map + psz;
		there = i & 1 ? p.a.map + psz : p.b.map + 3 * psz;
		must_share(here, there);
		pfn = page_pfn(there);
		/*
		 * A pte that is there may be used by way of the TLB, without a
		 * trace.  What tells is the pte that the fault makes.
		 */
		REQ(OP(madvise(here, psz, MADV_DONTNEED)) == 0);
		REQ(OP(madvise(there, psz, MADV_DONTNEED)) == 0);
		mark_idle(pfn);
		(void)op_load(there);
		REQ(page_pfn(there) == pfn);
		if (is_idle(pfn))
			FAIL("page %llx is idle, and was used by way of %s",
			     (unsigned long long)pfn, i & 1 ? "a" : "b");
	}
	pair_check(&p);
}

/* Sum of one field over the mappings of @path. */
static long smaps(const char *path, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t len = strlen(field);
	char line[1024];
	bool here = false;
	long sum = 0;

	REQ(f);
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, ' ') &&
		    strchr(line, '-') < strchr(line, ' '))
			here = strstr(line, path);
		else if (here && !strncmp(line, field, len) && line[len] == ':')
			sum += atol(line + len + 1);
	}
	fclose(f);
	return sum;
}

static void smaps_is_sane(void)
{
	long kb = PAIR_PAGES * psz / 1024;
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(smaps(p.a.path, "Rss") == kb);
	REQ(smaps(p.b.path, "Rss") == kb);
	REQ(smaps(p.a.path, "Anonymous") == 0);
	if (!on_tmpfs())
		REQ(smaps(p.a.path, "Shared_Dirty") +
		    smaps(p.a.path, "Private_Dirty") == 0);
	REQ(smaps(p.a.path, "Pss") > 0 && smaps(p.a.path, "Pss") <= kb);
	if (pxa_expect)
		REQ(smaps(p.a.path, "Pss") < kb);
	/* rss counts pages mapped, however many of them are the same */
	pf_store(&p.a, mmap(NULL, p.a.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    p.a.fd, 0), psz, 1, 50);
	pair_check(&p);
}

static void compaction(void)
{
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (write_str("/proc/sys/vm/compact_memory", "1") == -ENOENT)
		pxa_skip("no compaction");
	for (i = 0; i < 5; i++) {
		op_begin("compaction");
		write_str("/proc/sys/vm/compact_memory", "1");
		op_end();
		REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
		REQ(!memcmp(p.b.map, p.b.shadow, p.b.size));
		pf_check(&p.a);
		pf_check(&p.b);
	}
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	pf_write(&p.b, 4 * psz, 1, 51);
	pair_check(&p);
}

/* Compaction has something to do: every other page of the cache goes away. */
static void compaction_fragmented(void)
{
	enum { N = 256 };
	struct pfile f[2];
	size_t i, j;

	if (access("/proc/sys/vm/compact_memory", W_OK))
		pxa_skip("no compaction");
	for (j = 0; j < 2; j++) {
		pf_new(&f[j], j ? "b" : "a", N);
		for (i = 0; i < N; i++)
			pf_page(&f[j], i, 1 + (i + 7 * j) % 100);
		pf_commit(&f[j]);
		pf_map(&f[j], PROT_READ | PROT_WRITE, MAP_SHARED);
	}
	merge_start();
	wait_shared(f[0].map + 7 * psz, f[1].map);
	merge_settle();
	merge_stop();
	for (i = 0; i < N; i += 2)
		madvise(f[0].map + i * psz, psz, MADV_PAGEOUT);
	for (i = 0; i < 3; i++) {
		op_begin("compaction");
		write_str("/proc/sys/vm/compact_memory", "1");
		op_end();
		pf_check(&f[0]);
		pf_check(&f[1]);
	}
	pf_store(&f[0], f[0].map, 9 * psz, 9, 500);
	pf_check_cold(&f[0]);
	pf_check_cold(&f[1]);
}

static void move_pages(void)
{
#ifdef __NR_move_pages
	void *pages[PAIR_PAGES];
	int nodes[PAIR_PAGES], status[PAIR_PAGES], i;
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	for (i = 0; i < PAIR_PAGES; i++) {
		pages[i] = p.a.map + i * psz;
		nodes[i] = 0;
	}
	if (OP(syscall(__NR_move_pages, 0, PAIR_PAGES, pages, nodes, status,
		       MPOL_MF_MOVE)) && errno == ENOSYS)
		pxa_skip("no move_pages");
	pf_check(&p.a);
	pair_check(&p);
#else
	pxa_skip("no move_pages");
#endif
}

static void munmap_and_map_again(void)
{
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	for (i = 0; i < 5; i++) {
		pf_unmap(&p.a);
		pf_map(&p.a, PROT_READ, i & 1 ? MAP_SHARED : MAP_PRIVATE);
		pair_still_shared(&p, -1);
		check_counters(PAIR_SHARED, PAIR_SHARED);
	}
	pair_check(&p);
}

/* A process ends, and with it all that ksmd knew of its mappings. */
static void process_exit(void)
{
	int done[2], status;
	struct pair p;
	pid_t pid;
	char c;

	pair_new(&p);
	REQ(pipe(done) == 0);
	pid = fork();
	if (!pid) {
		pair_map(&p, PROT_READ, MAP_SHARED);
		pair_merge(&p);
		if (write(done[1], "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	op_begin("merge in a child");
	alarm(2 * MERGE_SECONDS);
	REQ(read(done[0], &c, 1) == 1);
	REQ(waitpid(pid, &status, 0) == pid && status == 0);
	op_end();
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_write(&p.a, psz, 5, 50);
	check_counters(-1, PAIR_SHARED - 1);
	pair_check(&p);
}

/* Objects of a slab cache, or -1 if that is not told. */
static long slab_objects(const char *cache)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512], name[64];
	long active, found = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", name, &active) == 2 &&
		    !strcmp(name, cache))
			found = active;
	if (f)
		fclose(f);
	return found;
}

/* What ksmd knows of a process must not outlive it. */
static void address_spaces_are_freed(bool unmap)
{
	enum { N = 100 };
	int i, status, ready[2], end[2];
	struct pair p;
	long before;
	char c = 0;
	void *m;

	pair_new(&p);
	REQ(pipe(ready) == 0 && pipe(end) == 0);
	before = slab_objects("mm_struct");
	if (before < 0)
		pxa_skip("no mm_struct in /proc/slabinfo");
	for (i = 0; i < N; i++) {
		if (fork())
			continue;
		close(end[1]);
		m = mmap(NULL, p.a.size, PROT_READ, MAP_SHARED, p.a.fd, 0);
		if (m == MAP_FAILED || madvise(m, p.a.size, MADV_MERGEABLE) ||
		    (unmap && munmap(m, p.a.size)) ||
		    write(ready[1], &c, 1) != 1 || read(end[0], &c, 1))
			_exit(1);
		_exit(0);
	}
	op_begin("start of the processes");
	alarm(MERGE_SECONDS);
	for (i = 0; i < N; i++)
		REQ(read(ready[0], &c, 1) == 1);
	op_end();
	if (pxa_expect) {
		merge_start();
		merge_scans(3);
	}
	close(end[1]);
	op_begin("end of the processes");
	alarm(MERGE_SECONDS);
	for (i = 0; i < N; i++)
		REQ(wait(&status) > 0 && status == 0);
	op_end();
	if (pxa_expect) {
		merge_scans(3);
		merge_stop();
	}
	/* those that wait in the cache for their next use are counted too */
	ksft_print_msg("mm_struct: %ld, were %ld\n",
		       slab_objects("mm_struct"), before);
	if (slab_objects("mm_struct") - before >= N / 2)
		FAIL("%ld objects in mm_struct, were %ld",
		     slab_objects("mm_struct"), before);
	pair_check(&p);
}

static void address_spaces_of_the_dead(void)
{
	address_spaces_are_freed(false);
}

static void address_spaces_of_the_unmapped(void)
{
	address_spaces_are_freed(true);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(madv_dontneed_refault),
	T(madv_dontneed_private),
	T(fork_child_reads),
	T(fork_child_stores_private),
	T(fork_child_stores_shared),
	T(fork_parent_stores),
	T(mremap_move),
	T(mremap_shrink_and_grow),
	T(mremap_duplicate),
	T(mprotect_then_store),
	T(mprotect_dirty_pte),
	T(mlock_and_write),
	T(mlock_then_merge),
	T(mlock_then_alone),
	T(mlock_one_then_unshare),
	T(mlock_both_then_unshare),
	T(madv_hugepage),
	T(other_advice),
	T(madv_remove),
	T(mincore_says_resident),
	T(kpagecount),
	T(page_idle),
	T(smaps_is_sane),
	T(compaction),
	T(compaction_fragmented),
	T(move_pages),
	T(munmap_and_map_again),
	T(process_exit),
	T(address_spaces_of_the_dead),
	T(address_spaces_of_the_unmapped),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
