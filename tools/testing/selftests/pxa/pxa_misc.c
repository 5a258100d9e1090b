// SPDX-License-Identifier: GPL-2.0
/*
 * Interfaces that look at page->mapping or page->index behind the scenes:
 * futex, SEEK_HOLE and SEEK_DATA, dedupe, swapon, msync, exec, sendfile.
 */
#include "pxa_util.h"
#include <pthread.h>
#include <stdatomic.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

static long futex(void *uaddr, int op, int val, struct timespec *to)
{
	return syscall(__NR_futex, uaddr, op, val, to, NULL, 0);
}

struct waiter {
	void *uaddr;
	int val;
	atomic_int state;		/* 1: about to wait, 2: back */
	long ret;
	int err;
};

static void *wait_on(void *arg)
{
	struct timespec to = { 2 * MERGE_SECONDS, 0 };
	struct waiter *w = arg;

	w->state = 1;
	w->ret = futex(w->uaddr, FUTEX_WAIT, w->val, &to);
	w->err = errno;
	w->state = 2;
	return NULL;
}

static void waiter_start(pthread_t *t, struct waiter *w)
{
	REQ(!pthread_create(t, NULL, wait_on, w));
	while (!w->state)
		msleep(1);
	msleep(200);
	if (w->state == 2)
		FAIL("the waiter did not sleep: %ld errno %d", w->ret, w->err);
}

static void waiter_woken(pthread_t t, struct waiter *w, void *by)
{
	long n = OP(futex(by, FUTEX_WAKE, 1, NULL));

	if (n != 1)
		FAIL("lost wake-up: FUTEX_WAKE says %ld", n);
	op_begin("end of the waiter");
	pthread_join(t, NULL);
	op_end();
	if (w->ret)
		FAIL("the waiter got %ld errno %d", w->ret, w->err);
}

/*
 * The waiter has a read-only mapping, the waker a writable one.  Which pages
 * they see differs in time, the futex is the same.
 */
static void futex_ro(bool wait_merged, bool wake_broken, bool write_between)
{
	unsigned char *rw;
	struct waiter w;
	struct pair p;
	pthread_t t;

	memset(&w, 0, sizeof(w));
	pair_new(&p);
	pair_map(&p, PROT_READ, MAP_SHARED);
	rw = mmap(NULL, p.a.size, PROT_READ | PROT_WRITE, MAP_SHARED, p.a.fd, 0);
	REQ(rw != MAP_FAILED);
	if (wait_merged)
		pair_merge(&p);
	w.uaddr = p.a.map + psz + 64;
	memcpy(&w.val, p.a.shadow + psz + 64, sizeof(w.val));
	waiter_start(&t, &w);
	if (!wait_merged)
		pair_merge(&p);
	if (wake_broken)
		pf_write(&p.a, psz, 1, 50);
	if (write_between)
		pf_store(&p.a, rw, psz + 64, 4, 51);
	waiter_woken(t, &w, rw + psz + 64);
	pair_check(&p);
}

static void futex_wait_merged(void) { futex_ro(true, false, false); }
static void futex_wait_merged_wake_broken(void) { futex_ro(true, true, false); }
static void futex_wait_then_merge(void) { futex_ro(false, false, false); }
static void futex_wait_then_merge_then_store(void) { futex_ro(false, false, true); }
static void futex_wait_merged_then_store(void) { futex_ro(true, false, true); }

/* Same page, other file: nobody there may be woken. */
static void futex_of_other_file(void)
{
	struct waiter w;
	struct pair p;
	pthread_t t;
	long n;

	memset(&w, 0, sizeof(w));
	pair_setup(&p, PROT_READ, MAP_SHARED);
	w.uaddr = p.a.map + psz + 64;
	memcpy(&w.val, p.a.shadow + psz + 64, sizeof(w.val));
	waiter_start(&t, &w);
	n = OP(futex(p.b.map + 3 * psz + 64, FUTEX_WAKE, 1, NULL));
	if (n)
		FAIL("a waiter of another file was woken: %ld", n);
	waiter_woken(t, &w, p.a.map + psz + 64);
	pair_check(&p);
}

/* ------------------------------------------------------------------------ */

static int map_of_data(struct pfile *f, char *map)
{
	off_t off = 0, data, hole;
	size_t i;

	memset(map, '.', f->size / psz);
	map[f->size / psz] = '\0';
	while (off < (off_t)f->size) {
		data = OP(lseek(f->fd, off, SEEK_DATA));
		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = OP(lseek(f->fd, data, SEEK_HOLE));
		if (hole <= data)
			FAIL("SEEK_HOLE says %lld after data at %lld",
			     (long long)hole, (long long)data);
		for (i = data / psz; i < (size_t)hole / psz; i++)
			map[i] = 'd';
		off = hole;
	}
	return 0;
}

/* Holes, zeroes that were written, and zeroes that were only allocated. */
static void seek_hole_data(void)
{
	char before[64], after[64];
	struct pfile f[2];
	struct statfs st;
	int i, j;

	for (j = 0; j < 2; j++) {
		pf_new(&f[j], j ? "b" : "a", 0);
		pf_truncate(&f[j], 24 * psz);
		for (i = j; i < 24; i += 5)
			pf_write(&f[j], i * psz, psz, i % 2 ? 0 : 10 + i + j);
		if (fallocate(f[j].fd, 0, (16 + j) * psz, 3 * psz))
			ksft_print_msg("no fallocate: %s\n", strerror(errno));
		pf_drop(&f[j]);
		pf_map(&f[j], PROT_READ | PROT_WRITE, MAP_SHARED);
	}
	REQ(map_of_data(&f[0], before) == 0);
	REQ(statfs(pxa_scratch, &st) == 0);
	merge_start();
	wait_shared(f[0].map + psz, f[1].map + 2 * psz);
	merge_settle();
	merge_stop();
	for (j = 0; j < 2; j++) {
		pf_check(&f[j]);
		if (map_of_data(&f[j], after))
			pxa_skip("no SEEK_DATA");
		/*
		 * With blocks smaller than a page xfs takes zeroes that were read
		 * from unwritten blocks for data, until the page has given up the
		 * state of its blocks, as it does to be shared or reclaimed.
		 */
		if (st.f_type == XFS_SUPER_MAGIC && st.f_bsize < (long)psz) {
			memset(before + 16, '?', 3);
			memset(after + 16, '?', 3);
		}
		if (!j && strcmp(before, after))
			FAIL("data was %s, is %s", before, after);
	}
	/* one byte into a hole that shares the zeroes of data: a block is needed */
	pf_store(&f[0], f[0].map, 2 * psz + 5, 1, 60);
	pf_store(&f[1], f[1].map, 3 * psz + 5, 1, 61);
	pf_write(&f[0], 18 * psz + 100, 1, 62);
	for (j = 0; j < 2; j++)
		pf_check_cold(&f[j]);
	REQ(map_of_data(&f[0], after) == 0);
	REQ(after[2] == 'd');
}

static void dedupe(void)
{
#ifdef FIDEDUPERANGE
	struct file_dedupe_range *r = calloc(1, sizeof(*r) + sizeof(r->info[0]));
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	r->src_offset = psz;
	r->src_length = psz;
	r->dest_count = 1;
	r->info[0].dest_fd = p.b.fd;
	r->info[0].dest_offset = 3 * psz;
	if (OP(ioctl(p.a.fd, FIDEDUPERANGE, r)) ||
	    r->info[0].status == -EOPNOTSUPP || r->info[0].status == -EINVAL)
		pxa_skip("no FIDEDUPERANGE on this filesystem");
	REQ(r->info[0].status == FILE_DEDUPE_RANGE_SAME);
	pair_check(&p);
#else
	pxa_skip("no FIDEDUPERANGE");
#endif
}

/*
 * A swap file whose pages are merged.  Its header has the other byte order: the
 * kernel turns it round where it is, in the page cache.
 */
static void swapon_merged(void)
{
	enum { N = 64 };
	struct pfile a, b;
	int i, busy;

	pf_new(&a, "swap", N);
	pf_new(&b, "copy", N + 1);
	for (i = 0; i < N; i++) {
		pf_page(&a, i, 100 + i);
		pf_page(&b, i + 1, 100 + i);
	}
	pf_swap_header(&a, N, true);
	memcpy(b.shadow + psz, a.shadow, psz);
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map, b.map + psz);
	wait_shared(a.map + 9 * psz, b.map + 10 * psz);
	merge_stop();
	if (OP(swapon(a.path, 0)))
		pxa_skip("swapon: %s", strerror(errno));
	/* no new merge of a file that is swapped to */
	merge_start();
	merge_scans(3);
	merge_stop();
	busy = open(a.path, O_RDWR);
	if (busy >= 0) {
		REQ(pwrite(busy, "x", 1, 0) == -1);
		close(busy);
	}
	pf_check(&b);
	REQ(OP(swapoff(a.path)) == 0);
	pf_check(&b);
	pf_unmap(&a);
	pf_drop(&a);
	drop_caches();
	pf_check(&a);
	pf_write(&a, 0, psz, 50);
	pf_check_cold(&b);
	pf_check_cold(&a);
}

static void msync_and_sync_file_range(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(OP(sync_file_range(p.a.fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
			       SYNC_FILE_RANGE_WRITE |
			       SYNC_FILE_RANGE_WAIT_AFTER)) == 0);
	REQ(OP(msync(p.a.map, p.a.map_len, MS_SYNC)) == 0);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pf_store(&p.a, p.a.map, 0, psz, 50);
	pf_store(&p.a, p.a.map, psz, 1, 51);
	REQ(OP(sync_file_range(p.a.fd, 0, 0, SYNC_FILE_RANGE_WRITE)) == 0);
	REQ(OP(msync(p.a.map, p.a.map_len, MS_SYNC)) == 0);
	REQ(OP(fdatasync(p.b.fd)) == 0);
	pair_check(&p);
}

/* Writeback in the background of a file that is merged in part. */
static void writeback_around(void)
{
	enum { N = 128 };
	struct pfile a, b;
	int i, round;

	pf_new(&a, "a", N);
	pf_new(&b, "b", N);
	for (i = 0; i < N; i++) {
		pf_page(&a, i, i % 2 ? 1 + i % 9 : 100 + i);
		pf_page(&b, i, i % 3 ? 1 + i % 9 : 300 + i);
	}
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_map(&b, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, b.map + 10 * psz);
	for (round = 0; round < 20; round++) {
		for (i = round % 4; i < N; i += 4) {
			pf_store(&a, a.map, i * psz + round, 1, 400 + round);
			pf_write(&b, ((i + 7) % N) * psz + round, 1, 500 + round);
		}
		OP(sync_file_range(a.fd, 0, 0, SYNC_FILE_RANGE_WRITE));
		OP(sync_file_range(b.fd, N / 2 * psz, 0, SYNC_FILE_RANGE_WRITE));
		if (round % 5 == 0)
			REQ(OP(fsync(a.fd)) == 0);
	}
	merge_stop();
	pf_check(&a);
	pf_check(&b);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void copies(void)
{
	struct pair p;
	struct pfile c;
	loff_t in = 0, out = 0;
	ssize_t n;
	off_t off;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_new(&c, "c", 3 * PAIR_PAGES);
	pf_commit(&c);
	n = OP(pwrite(c.fd, p.a.map, p.a.size, 0));
	REQ(n == (ssize_t)p.a.size);
	memcpy(c.shadow, p.a.shadow, p.a.size);
	REQ(lseek(c.fd, p.a.size, SEEK_SET) == (off_t)p.a.size);
	for (off = 0; off < (off_t)p.b.size;) {
		n = OP(sendfile(c.fd, p.b.fd, &off, p.b.size - off));
		if (n < 0 && errno == EINVAL)
			pxa_skip("no sendfile");
		REQ(n > 0);
	}
	memcpy(c.shadow + p.a.size, p.b.shadow, p.b.size);
	out = 2 * p.a.size;
	while (in < (loff_t)p.a.size) {
		n = OP(syscall(__NR_copy_file_range, p.a.fd, &in, c.fd, &out,
			       p.a.size - in, 0));
		REQ(n > 0);
	}
	memcpy(c.shadow + 2 * p.a.size, p.a.shadow, p.a.size);
	pf_check_cold(&c);
	pair_check(&p);
}

/* A program whose text is merged with another file at another offset. */
static void exec_merged(void)
{
	unsigned char buf[4096];
	struct stat sa, sb;
	struct pfile a, b;
	size_t pages = 0;
	int in, status;
	ssize_t n;
	pid_t pid;

	in = open("/bin/true", O_RDONLY);
	if (in < 0)
		pxa_skip("no /bin/true");
	pf_new(&a, "true", 0);
	pf_new(&b, "copy", 1);
	pf_page(&b, 0, 1);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		pf_size(&a, pages * psz + n);
		memcpy(a.shadow + pages * psz, buf, n);
		pf_size(&b, (pages + 1) * psz + n);
		memcpy(b.shadow + (pages + 1) * psz, buf, n);
		pages++;
	}
	close(in);
	pf_commit(&a);
	pf_commit(&b);
	/* who may read one must be able to read the other */
	if (fchmod(a.fd, 0755) || fchmod(b.fd, 0644))
		ksft_print_msg("no fchmod: %s\n", strerror(errno));
	REQ(fstat(a.fd, &sa) == 0 && fstat(b.fd, &sb) == 0);
	if ((sa.st_mode & 0555) != 0555 || ((sa.st_mode ^ sb.st_mode) & 0444))
		pxa_skip("no modes of files on this filesystem");
	/* not writable, or it cannot be run */
	close(a.fd);
	a.fd = open(a.path, O_RDONLY);
	REQ(a.fd >= 0);
	pf_map(&a, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map, b.map + psz);
	wait_shared(a.map + (pages - 1) * psz, b.map + pages * psz);
	merge_stop();
	close(a.fd);
	pid = fork();
	if (!pid) {
		execl(a.path, "true", NULL);
		_exit(99);
	}
	op_begin("exec of a merged program");
	REQ(waitpid(pid, &status, 0) == pid);
	op_end();
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		FAIL("the program ended with status %x", status);
	a.fd = open(a.path, O_RDWR);
	REQ(a.fd >= 0);
	/* and a new version of it */
	pf_write(&a, 0, 100, 50);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void map_populate(void)
{
	struct pair p;
	void *m;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	m = OP(mmap(NULL, p.a.size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, p.a.fd, 0));
	REQ(m != MAP_FAILED);
	REQ(!memcmp(m, p.a.shadow, p.a.size));
	pf_store(&p.a, m, psz + 5, 1, 50);
	pf_check(&p.b);
	munmap(m, p.a.size);
	m = OP(mmap(NULL, p.b.size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_POPULATE, p.b.fd, 0));
	REQ(m != MAP_FAILED);
	REQ(!memcmp(m, p.b.shadow, p.b.size));
	op_store(m + 3 * psz, 1);
	pair_check(&p);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(futex_wait_merged),
	T(futex_wait_merged_wake_broken),
	T(futex_wait_then_merge),
	T(futex_wait_then_merge_then_store),
	T(futex_wait_merged_then_store),
	T(futex_of_other_file),
	T(seek_hole_data),
	T(dedupe),
	T(swapon_merged),
	T(msync_and_sync_file_range),
	T(writeback_around),
	T(copies),
	T(exec_merged),
	T(map_populate),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
