// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of tmpfs and of shared memory: what is shared is the only copy, and areas
 * are mapped writable without a fault that asks for it.
 */
#include "pxa_util.h"
#include <sys/ipc.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/swap.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS	1033
#define F_SEAL_WRITE	0x0008
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING	0x0002U
#endif

#define RW	(PROT_READ | PROT_WRITE)

/* A file of the kernel's own tmpfs, which has no name but this one. */
static void memfd_new(struct pfile *f, const char *name, size_t pages)
{
	int fd = syscall(__NR_memfd_create, name, MFD_ALLOW_SEALING);
	char path[512];

	if (fd < 0)
		pxa_skip("memfd_create: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/%s", pxa_scratch, name);
	pf_new_at(f, path, pages);
	close(f->fd);
	REQ(unlink(path) == 0);
	f->fd = fd;
	snprintf(f->path, sizeof(f->path), "/proc/%d/fd/%d", getpid(), fd);
}

/* a[1] = b[2], all else differs */
static void contents(struct pfile *a, struct pfile *b)
{
	int i;

	for (i = 0; i < 4; i++) {
		pf_page(a, i, 10 + i);
		pf_page(b, i, 20 + i);
	}
	memcpy(b->shadow + 2 * psz, a->shadow + psz, psz);
	pf_commit(a);
	pf_commit(b);
}

static void merge(struct pfile *a, struct pfile *b, int prot)
{
	pf_map(a, prot, MAP_SHARED);
	pf_map(b, prot, MAP_SHARED);
	check_counters(0, 0);
	merge_start();
	wait_shared(a->map + psz, b->map + 2 * psz);
	wait_counters(1, 1);
	merge_stop();
}

static void setup(struct pfile *a, struct pfile *b, int prot)
{
	pf_new(a, "a", 4);
	pf_new(b, "b", 4);
	contents(a, b);
	merge(a, b, prot);
}

static void check(struct pfile *a, struct pfile *b)
{
	pf_check(a);
	pf_check(b);
}

/* Neither a look through a writable area nor read(2) costs a page. */
static void reading_shares(void)
{
	struct pfile a, b;

	setup(&a, &b, RW);
	check(&a, &b);
	pf_touch(&a);
	pf_touch(&b);
	must_share(a.map + psz, b.map + 2 * psz);
	drop_caches();
	pf_drop(&a);
	must_share(a.map + psz, b.map + 2 * psz);
	check_counters(1, 1);
	check(&a, &b);
}

static void store(void)
{
	struct pfile a, b;

	setup(&a, &b, RW);
	/* the area has it mapped for reading when it is written to */
	pf_touch(&a);
	pf_store(&a, a.map, psz + 5, 7, 99);
	check_counters(-1, 0);
	check(&a, &b);
	pf_store(&b, b.map, 2 * psz, psz, 98);
	check(&a, &b);
}

static void write_call(void)
{
	struct pfile a, b;

	setup(&a, &b, RW);
	pf_write(&b, 2 * psz + 5, 7, 99);
	check(&a, &b);
	must_not_share(a.map + psz, b.map + 2 * psz);
}

static void mprotect_and_store(int before)
{
	struct pfile a, b;

	setup(&a, &b, before);
	pf_touch(&a);
	REQ(mprotect(a.map, a.map_len, PROT_NONE) == 0);
	REQ(mprotect(a.map, a.map_len, RW) == 0);
	must_share(a.map + psz, b.map + 2 * psz);
	pf_store(&a, a.map, psz + 5, 7, 99);
	check(&a, &b);
}

static void mprotect_read_only(void)
{
	mprotect_and_store(PROT_READ);
}

static void mprotect_writable(void)
{
	mprotect_and_store(RW);
}

/* An area that nobody has advised, made before the merge or after it */
static void store_other_area(void)
{
	struct pfile a, b;
	unsigned char *before, *after;

	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	contents(&a, &b);
	before = mmap(NULL, a.size, RW, MAP_SHARED, a.fd, 0);
	REQ(before != MAP_FAILED);
	/* with a pte that is writable and dirty */
	op_store(before + psz, before[psz]);
	merge(&a, &b, PROT_READ);
	after = mmap(NULL, b.size, RW, MAP_SHARED, b.fd, 0);
	REQ(after != MAP_FAILED);
	(void)op_load(after + 2 * psz);
	must_share(a.map + psz, b.map + 2 * psz);

	pf_store(&b, after, 2 * psz + 9, 3, 77);
	check(&a, &b);
	merge_start();
	pf_write(&b, 2 * psz, psz, 10);
	pf_write(&a, psz, psz, 10);
	wait_shared(a.map + psz, b.map + 2 * psz);
	merge_stop();
	pf_store(&a, before, psz + 9, 3, 78);
	check(&a, &b);
}

static void fork_and_store(void)
{
	struct pfile a, b;
	int status;
	pid_t pid;

	setup(&a, &b, RW);
	fill(a.shadow + psz, 9, 55);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		alarm(OP_SECONDS);
		memcpy(a.map + psz, a.shadow + psz, 9);
		_exit(0);
	}
	REQ(waitpid(pid, &status, 0) == pid && status == 0);
	check(&a, &b);
}

static void truncate_and_punch(void)
{
	struct pfile a, b;

	setup(&a, &b, RW);
	REQ(pf_fallocate(&a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 psz + 100, 1000) == 0);
	check(&a, &b);
	pf_write(&a, psz, psz, 10);
	pf_write(&b, 2 * psz, psz, 10);
	merge_start();
	wait_shared(a.map + psz, b.map + 2 * psz);
	merge_stop();
	pf_truncate(&b, 2 * psz + 100);
	check(&a, &b);
	pf_truncate(&b, 3 * psz);
	check(&a, &b);
	REQ(OP(madvise(a.map + psz, psz, MADV_REMOVE)) == 0);
	memset(a.shadow + psz, 0, psz);
	check(&a, &b);
}

static void fallocate_again(void)
{
	struct pfile a, b;

	setup(&a, &b, RW);
	REQ(pf_fallocate(&a, 0, 0, a.size) == 0);
	check(&a, &b);
}

/* A pipe has the bytes of the moment, and of the right file. */
static void pipes(void)
{
	unsigned char *got;
	struct pfile a, b;
	off_t off;
	int p[2];

	setup(&a, &b, RW);
	got = malloc(psz);
	REQ(got && pipe(p) == 0);
	off = psz;
	REQ(OP(sendfile(p[1], a.fd, &off, psz)) == (ssize_t)psz);
	must_share(a.map + psz, b.map + 2 * psz);
	memcpy(got, a.shadow + psz, psz);
	pf_store(&b, b.map, 2 * psz, psz, 66);
	pf_write(&a, psz, psz, 67);
	check(&a, &b);
	fill(a.shadow + psz, psz, 11);
	REQ(OP(read(p[0], b.shadow, psz)) == (ssize_t)psz);
	if (memcmp(got, b.shadow, psz))
		FAIL("the pipe has got something else");
}

static void seals(void)
{
	unsigned char *got;
	struct pfile a, b;

	memfd_new(&a, "a", 4);
	memfd_new(&b, "b", 4);
	contents(&a, &b);
	merge(&a, &b, RW);
	check(&a, &b);
	munmap(a.map, a.map_len);
	a.map = NULL;
	/* its places are no pins */
	REQ(OP(fcntl(a.fd, F_ADD_SEALS, F_SEAL_WRITE)) == 0);
	REQ(pwrite(a.fd, "x", 1, psz) == -1 && errno == EPERM);
	check_counters(1, 1);
	pf_store(&b, b.map, 2 * psz, 9, 44);
	pf_check(&b);
	/* v5.9 does not map it once more for an fd that may write. */
	got = malloc(psz);
	REQ(got && OP(pread(a.fd, got, psz, psz)) == (ssize_t)psz);
	if (memcmp(got, a.shadow + psz, psz))
		FAIL("the sealed file has changed");
}

static unsigned char *segment(void)
{
	int id = shmget(IPC_PRIVATE, 4 * psz, IPC_CREAT | 0600);
	unsigned char *p;

	if (id < 0)
		pxa_skip("shmget: %s", strerror(errno));
	p = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	REQ(p != (void *)-1);
	return p;
}

/* Returns what is in both now. */
static unsigned char *share_memory(unsigned char *a, unsigned char *b)
{
	unsigned char *want = malloc(4 * psz);

	REQ(want);
	fill(want, 4 * psz, 31);
	memcpy(a, want, 4 * psz);
	memcpy(b, want, 4 * psz);
	REQ(madvise(a, 4 * psz, MADV_MERGEABLE) == 0);
	REQ(madvise(b, 4 * psz, MADV_MERGEABLE) == 0);
	merge_start();
	wait_shared(a + psz, b + psz);
	wait_counters(4, 4);
	merge_stop();
	return want;
}

/* A locked segment is not scanned any more, but what is shared can be ended. */
static void unmergeable_locked(void)
{
	int id = shmget(IPC_PRIVATE, 4 * psz, IPC_CREAT | 0600);
	unsigned char *a, *b = segment(), *want;

	REQ(id >= 0);
	a = shmat(id, NULL, 0);
	REQ(a != (void *)-1);
	want = share_memory(a, b);
	REQ(shmctl(id, SHM_LOCK, NULL) == 0);
	REQ(OP(madvise(a, 4 * psz, MADV_UNMERGEABLE)) == 0);
	check_counters(-1, 0);
	REQ(shmctl(id, SHM_UNLOCK, NULL) == 0);
	REQ(shmctl(id, IPC_RMID, NULL) == 0);
	REQ(!memcmp(a, want, 4 * psz));
	REQ(!memcmp(b, want, 4 * psz));
}

static unsigned char *anonymous(void)
{
	unsigned char *p = mmap(NULL, 4 * psz, RW, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);

	REQ(p != MAP_FAILED);
	return p;
}

static void memory(unsigned char *a, unsigned char *b)
{
	unsigned char *want = share_memory(a, b);

	op_store(a + psz, want[psz] + 1);
	op_store(b + 2 * psz + 9, want[2 * psz + 9] + 1);
	REQ(a[psz] == (unsigned char)(want[psz] + 1));
	REQ(b[2 * psz + 9] == (unsigned char)(want[2 * psz + 9] + 1));
	a[psz]--;
	b[2 * psz + 9]--;
	REQ(!memcmp(a, want, 4 * psz));
	REQ(!memcmp(b, want, 4 * psz));
	check_counters(-1, 2);
	REQ(OP(madvise(a, 4 * psz, MADV_UNMERGEABLE)) == 0);
	check_counters(-1, 0);
	REQ(!memcmp(a, want, 4 * psz));
	REQ(!memcmp(b, want, 4 * psz));
}

static void system_v(void)
{
	unsigned char *a = segment();

	memory(a, segment());
}

static void shared_anonymous(void)
{
	unsigned char *a = anonymous();

	memory(a, anonymous());
}

/* A page of a disk may be dropped, one of tmpfs may not. */
static void not_with_a_disk(void)
{
	const char *upper = getenv("PXA_UPPER");
	struct pfile a, b, c;
	char path[400];

	if (!upper)
		pxa_skip("no PXA_UPPER on a disk");
	snprintf(path, sizeof(path), "%s/pxa_shmem.%d", upper, getpid());
	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	contents(&a, &b);
	pf_new_at(&c, path, 4);
	memcpy(c.shadow, a.shadow, 4 * psz);
	pf_commit(&c);
	unlink(path);
	pf_map(&c, PROT_READ, MAP_SHARED);
	merge(&a, &b, PROT_READ);
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(c.map + psz, a.map + psz);
	must_not_share(c.map, a.map);
	check_counters(1, 1);
	check(&a, &b);
	pf_check_cold(&c);
}

static void max_unswappable(void)
{
	long old = ksm_read("file_max_unswappable");
	struct pfile a, b;

	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	contents(&a, &b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	REQ(ksm_write("file_max_unswappable", 0) == 0);
	merge_start();
	merge_settle();
	check_counters(0, 0);
	REQ(ksm_read("file_pages_unswappable") == 0);
	REQ(ksm_write("file_max_unswappable", 1) == 0);
	wait_shared(a.map + psz, b.map + 2 * psz);
	merge_stop();
	REQ(ksm_read("file_pages_unswappable") == 1);
	check(&a, &b);

	/* one that nobody shares any more makes room for another */
	pf_write(&b, 2 * psz, psz, 50);
	REQ(ksm_read("file_pages_unswappable") == 1);
	pf_write(&b, 0, psz, 13);
	pf_write(&a, 3 * psz, psz, 13);
	merge_start();
	wait_shared(a.map + 3 * psz, b.map);
	merge_stop();
	REQ(ksm_write("file_max_unswappable", old) == 0);
	REQ(ksm_read("file_pages_unswappable") == 1);
	check(&a, &b);
}

/* Nor does one in a file that no process maps any more take up the bound. */
static void max_unswappable_unmapped(void)
{
	long old = ksm_read("file_max_unswappable");
	struct pfile a, b, c, d;

	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	contents(&a, &b);
	REQ(ksm_write("file_max_unswappable", 1) == 0);
	merge(&a, &b, PROT_READ);
	pf_unmap(&a);
	pf_unmap(&b);
	pf_write(&b, 2 * psz, psz, 50);
	REQ(ksm_read("file_pages_unswappable") == 1);

	pf_new(&c, "c", 4);
	pf_new(&d, "d", 4);
	contents(&c, &d);
	pf_write(&c, psz, psz, 51);
	pf_write(&d, 2 * psz, psz, 51);
	pf_map(&c, PROT_READ, MAP_SHARED);
	pf_map(&d, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(c.map + psz, d.map + 2 * psz);
	merge_stop();
	REQ(ksm_write("file_max_unswappable", old) == 0);
	check_counters(1, 1);
	check(&a, &b);
	check(&c, &d);
}

static bool swap_on(char *path, size_t len)
{
	const char *upper = getenv("PXA_UPPER");
	enum { N = 1024 };
	unsigned int *hdr;
	char *page;
	int fd, i;

	if (!upper)
		return false;
	snprintf(path, len, "%s/pxa_swap.%d", upper, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	page = calloc(1, psz);
	REQ(fd >= 0 && page);
	for (i = 0; i < N; i++)
		REQ(write(fd, page, psz) == (ssize_t)psz);
	hdr = (unsigned int *)(page + 1024);
	hdr[0] = 1;
	hdr[1] = N - 1;
	memcpy(page + psz - 10, "SWAPSPACE2", 10);
	REQ(pwrite(fd, page, psz, 0) == (ssize_t)psz);
	REQ(fsync(fd) == 0);
	close(fd);
	free(page);
	return OP(swapon(path, 0)) == 0;
}

/*
 * Reclaim leaves what is shared where it is; what is left with one place is an
 * ordinary page and can be swapped.  All of it is still there afterwards.
 */
static void swap(void)
{
	struct pfile a, b;
	char path[400];
	bool on;

	limited_join();
	on = swap_on(path, sizeof(path));
	if (!on) {
		unlink(path);
		limited_leave();
		pxa_skip("swapon: %s", strerror(errno));
	}
	setup(&a, &b, RW);
	limited_squeeze();
	check_counters(1, 1);
	must_share(a.map + psz, b.map + 2 * psz);
	check(&a, &b);

	pf_store(&a, a.map, psz, 9, 70);
	limited_squeeze();
	check(&a, &b);
	pf_write(&b, 2 * psz, psz, 71);
	limited_squeeze();
	check(&a, &b);
	REQ(OP(swapoff(path)) == 0);
	check(&a, &b);
	unlink(path);
	limited_leave();
}

/*
 * To zero a part of a shared page takes a copy, and who has no memory left for that
 * meets the OOM killer: it is no way round the limit of a group.
 */
static void punch_in_full_group(void)
{
	enum { PAGES = 512, FREE = 128, EXTRA = 64 };
	long limit, usage;
	struct pfile a;
	int status, i;
	pid_t pid;

	limited_join();
	memfd_new(&a, "a", PAGES);
	for (i = 0; i < PAGES; i++)
		pf_page(&a, i, 7);
	pf_commit(&a);
	pf_map(&a, RW, MAP_SHARED);
	merge_start();
	merge_settle();
	merge_stop();
	if (pxa_expect && ksm_read("file_pages_sharing") < PAGES - 20)
		FAIL("file_pages_sharing is only %ld", ksm_read("file_pages_sharing"));

	limit = limited_usage() + FREE * psz;
	limited_to(limit);
	/* Its copy of what the file has to be would make this process the victim. */
	REQ(write_str("/proc/self/oom_score_adj", "-1000") == 0);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		if (write_str("/proc/self/oom_score_adj", "1000"))
			_exit(2);
		for (i = 0; i < PAGES; i++)
			if (fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      i * psz + 1, 1))
				_exit(1);
		_exit(0);
	}
	op_begin("waiting for a child that fills its group");
	REQ(waitpid(pid, &status, 0) == pid);
	op_end();
	REQ(write_str("/proc/self/oom_score_adj", "0") == 0);
	usage = limited_usage();
	limited_to(-1);
	ksft_print_msg("limit %ld KiB, used %ld KiB, status %x\n", limit >> 10,
		       usage >> 10, status);
	REQ(usage <= limit + (long)(EXTRA * psz));
	REQ(status == (pxa_expect ? SIGKILL : 0));
	for (i = 0; i < PAGES; i++)
		if (!a.map[i * psz + 1])
			a.shadow[i * psz + 1] = 0;
	pf_check(&a);
	limited_leave();
}

/* The seams between merge and write */
static void store_under_ksmd(void)
{
	struct pfile a, b;
	double end;
	int i = 0;

	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	contents(&a, &b);
	pf_map(&a, RW, MAP_SHARED);
	pf_map(&b, RW, MAP_SHARED);
	merge_start();
	for (end = now() + 3; now() < end; i++) {
		pf_store(&a, a.map, psz, psz, 10 + i % 3);
		if (i & 1)
			pf_write(&b, 2 * psz, psz, 10 + i % 3);
		else
			pf_store(&b, b.map, 2 * psz, psz, 10 + i % 3);
		if (i % 16 == 0)
			wait_shared(a.map + psz, b.map + 2 * psz);
		if (i % 5 == 0)
			check(&a, &b);
		pf_store(i & 2 ? &a : &b, i & 2 ? a.map : b.map,
			 (i & 2 ? 1 : 2) * psz + 8, 8, 90 + i % 3);
		check(&a, &b);
	}
	merge_stop();
}

static const struct pxa_test tests[] = {
	{ "reading_shares", reading_shares, 0 },
	{ "store", store, 0 },
	{ "write_call", write_call, 0 },
	{ "mprotect_read_only", mprotect_read_only, 0 },
	{ "mprotect_writable", mprotect_writable, 0 },
	{ "store_other_area", store_other_area, 0 },
	{ "fork_and_store", fork_and_store, 0 },
	{ "truncate_and_punch", truncate_and_punch, 0 },
	{ "fallocate_again", fallocate_again, 0 },
	{ "pipes", pipes, 0 },
	{ "seals", seals, 0 },
	{ "system_v", system_v, 0 },
	{ "unmergeable_locked", unmergeable_locked, 0 },
	{ "shared_anonymous", shared_anonymous, 0 },
	{ "not_with_a_disk", not_with_a_disk, 0 },
	{ "max_unswappable", max_unswappable, 0 },
	{ "max_unswappable_unmapped", max_unswappable_unmapped, 0 },
	{ "swap", swap, 0 },
	{ "punch_in_full_group", punch_in_full_group, 0 },
	{ "store_under_ksmd", store_under_ksmd, 0 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
