// SPDX-License-Identifier: GPL-2.0
/*
 * No memory when a shared page has to be taken apart: each allocation that an
 * operation makes fails in turn (fail-nth of fault injection).  The operation
 * either fails, and what it was to change may be changed or not, byte by byte, or
 * it does all of it.  All other pages of all files must be as before, nothing may
 * hang.
 */
#include "pxa_util.h"
#include <sys/resource.h>

#define MAX_NTH	60

static void inject_setup(void)
{
	static const char * const on[][2] = {
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "failslab/ignore-gfp-wait", "N" },
	};
	char path[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(on); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", on[i][0]);
		if (write_str(path, on[i][1]))
			pxa_skip("no fault injection: %s", path);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%.*s/verbose",
			 (int)strcspn(on[i][0], "/"), on[i][0]);
		write_str(path, "0");
	}
	if (access("/proc/thread-self/fail-nth", W_OK))
		pxa_skip("no fault injection: /proc/thread-self/fail-nth");
}

/* True if the operation got as far as the failure. */
static bool with_failure(int nth, int (*op)(struct pair *p), struct pair *p, int *ret)
{
	char buf[32];
	int fd = open("/proc/thread-self/fail-nth", O_RDWR);
	bool injected;

	REQ(fd >= 0);
	op_begin("operation with a failing allocation");
	snprintf(buf, sizeof(buf), "%d", nth);
	REQ(write(fd, buf, strlen(buf)) > 0);
	*ret = op(p);
	memset(buf, 0, sizeof(buf));
	REQ(pread(fd, buf, sizeof(buf) - 1, 0) > 0);
	injected = atoi(buf) == 0;
	REQ(write(fd, "0", 1) == 1);
	op_end();
	close(fd);
	return injected;
}

/* What an operation changes in file a, and what is right afterwards. */
struct op {
	int (*run)(struct pair *p);
	void (*done)(struct pfile *a);	/* to the shadow; NULL: nothing */
	bool may_fail;			/* and so be in doubt */
	bool copies;			/* or drops a[1], without memory */
	long drops;			/* other shared pages */
};

#define NEW	50

static int wrote(ssize_t n, size_t len)
{
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

static int do_write(struct pair *p)
{
	return wrote(pwrite(p->a.fd, "new bytes", 9, psz + 100), 9);
}

static void done_write(struct pfile *a)
{
	memcpy(a->shadow + psz + 100, "new bytes", 9);
}

static int do_write_page(struct pair *p)
{
	static unsigned char buf[65536];

	fill(buf, psz, NEW);
	return wrote(pwrite(p->a.fd, buf, psz, psz), psz);
}

static void done_write_page(struct pfile *a)
{
	fill(a->shadow + psz, psz, NEW);
}

static int do_truncate(struct pair *p)
{
	return ftruncate(p->a.fd, psz + 100) ? -errno : 0;
}

static void done_truncate(struct pfile *a)
{
	pf_size(a, psz + 100);
}

static int do_punch(struct pair *p)
{
	return fallocate(p->a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 psz + 100, 1000) ? -errno : 0;
}

static void done_punch(struct pfile *a)
{
	memset(a->shadow + psz + 100, 0, 1000);
}

static int do_unmergeable(struct pair *p)
{
	return madvise(p->a.map + psz, psz, MADV_UNMERGEABLE) ? -errno : 0;
}

static int do_run_2(struct pair *p)
{
	(void)p;
	return ksm_write("run", 2);
}

static int do_dontneed(struct pair *p)
{
	return -posix_fadvise(p->a.fd, psz, psz, POSIX_FADV_DONTNEED);
}

static int do_mlock(struct pair *p)
{
	return mlock(p->a.map + psz, psz) ? -errno : 0;
}

static void pair_gone(struct pair *p)
{
	unlink(p->a.path);
	unlink(p->b.path);
	pf_close(&p->a);
	pf_close(&p->b);
}

/*
 * The operation failed.  Each byte is what it was, or what it was to be, and which
 * one it is does not change any more.
 */
static void in_doubt(struct pfile *f, const struct op *op)
{
	unsigned char *old = malloc(f->cap), *got = malloc(f->cap);
	size_t size = f->size, i;
	struct stat st;
	bool cut;

	REQ(old && got);
	memcpy(old, f->shadow, size);
	op->done(f);
	cut = f->size != size;
	if (cut) {
		/*
		 * ext4 may have the new size then, and past the end old blocks that
		 * show when the file grows, without sharing as well.
		 */
		REQ(fstat(f->fd, &st) == 0);
		if ((size_t)st.st_size == f->size)
			REQ(OP(ftruncate(f->fd, size)) == 0);
		pf_size(f, size);
	}
	for (i = 0; i < size; i += psz)
		REQ(OP(pread(f->fd, got + i, psz, i)) == (ssize_t)psz);
	for (i = 0; i < size; i++)
		if (got[i] != old[i] && got[i] != f->shadow[i])
			FAIL("page %zu offset %zu is %02x, was %02x, was to be %02x",
			     i / psz, i % psz, got[i], old[i], f->shadow[i]);
	memcpy(f->shadow, got, size);
	/* Nor has ext4 zeroed on the disk what it has in the page cache. */
	if (cut)
		REQ(OP(pwrite(f->fd, got, size, 0)) == (ssize_t)size);
	free(old);
	free(got);
	pf_check(f);
}

/* Did a break drop the slot, for want of memory for the copy? */
static long drops(void)
{
	return pxa_expect ? ksm_read("file_drops") : 0;
}

/* Of all rounds of a test. */
static int failed, refused, dropped;

/* The filesystem drops a[1] in any case, as xfs does to punch a hole into it. */
static bool no_copy;

static void each_allocation_once(const struct op *op)
{
	bool injected = true;
	long before, usual;
	struct pair p;
	int nth, ret;

	/*
	 * Code, stack and data that the operation needs are there the second
	 * time: a fault of this process is not to be the one that fails.
	 */
	pair_setup(&p, PROT_READ, MAP_SHARED);
	before = drops();
	with_failure(1000000, op->run, &p, &ret);
	usual = drops() - before;
	if (ret == -EOPNOTSUPP)
		pxa_skip("not on this filesystem: %s", strerror(-ret));
	REQ(ret == 0);
	no_copy = usual > op->drops;
	pair_gone(&p);
	unmerge_all();
	for (nth = 1; injected && nth <= MAX_NTH; nth++) {
		pxa_nonce += 1000;
		pair_setup(&p, PROT_READ, MAP_SHARED);
		before = drops();
		injected = with_failure(nth, op->run, &p, &ret);
		failed += injected;
		refused += ret != 0;
		dropped += drops() - before > usual;
		/* nothing failed, or what did could be done without */
		if (ret && !(injected && op->may_fail))
			FAIL("allocation %d: %s", nth, strerror(-ret));
		pf_check(&p.b);
		if (ret && op->done) {
			in_doubt(&p.a, op);
			pf_check_cold(&p.b);
			pf_check_cold(&p.a);
			/* with memory it can be done */
			ret = OP(op->run(&p));
			if (ret)
				FAIL("again, after allocation %d: %s", nth,
				     strerror(-ret));
		}
		if (op->done)
			op->done(&p.a);
		pf_check(&p.a);
		pf_check_cold(&p.b);
		pf_check_cold(&p.a);
		if (op->run == do_truncate) {
			pf_truncate(&p.a, PAIR_PAGES * psz);
			pf_check_cold(&p.a);
		}
		pair_gone(&p);
		unmerge_all();
		check_counters(0, 0);
	}
	if (injected)
		ksft_print_msg("only the first %d allocations\n", MAX_NTH);
}

/*
 * That of the copy is to be among them.  What else is allocated differs: a journal
 * has to begin a transaction, or the time of the file has not changed.
 */
static bool all_had(bool allocates)
{
	bool copies = allocates && !no_copy && !on_tmpfs();
	static int rounds;

	if (++rounds < 8 && copies && !dropped && pxa_expect)
		return false;
	ksft_print_msg("%d allocations failed in turn, the operation %d times, %d pages dropped, %d rounds\n",
		       failed, refused, dropped, rounds);
	if (allocates && pxa_expect && !failed)
		FAIL("nothing was allocated");
	if (copies && pxa_expect && !dropped)
		FAIL("no allocation was that of the copy");
	return true;
}

static void each_allocation(const struct op *op)
{
	inject_setup();
	do {
		each_allocation_once(op);
	} while (!all_had(op->copies));
}

static void write_part(void)
{
	each_allocation(&(struct op){ do_write, done_write, true, true, 0 });
}

static void write_page(void)
{
	each_allocation(&(struct op){ do_write_page, done_write_page, true, true, 0 });
}

static void truncate_to_mid_page(void)
{
	each_allocation(&(struct op){ do_truncate, done_truncate, true, true, 2 });
}

static void punch_part(void)
{
	each_allocation(&(struct op){ do_punch, done_punch, true, true, 0 });
}

static void unmergeable(void)
{
	each_allocation(&(struct op){ do_unmergeable, NULL, true, true, 0 });
}

static void run_2(void)
{
	each_allocation(&(struct op){ do_run_2, NULL, true, true, 0 });
}

static void fadvise_dontneed(void)
{
	each_allocation(&(struct op){ do_dontneed, NULL, false, false, 0 });
}

static void mlock_shared(void)
{
	each_allocation(&(struct op){ do_mlock, NULL, true, false, 0 });
}

/* What the child of store_in_child() tells, in memory that is shared with it. */
struct told {
	bool stored;
	bool injected;
	unsigned char warm_up;
};

/*
 * A store whose fault fails for lack of memory ends in a signal, in the OOM killer,
 * or begins anew, depending on the kernel.  So a child does it.  It has read the
 * page before, or not: then there is no pte that could be made writable.
 */
static int store_in_child(struct pair *p, int nth, bool present, unsigned char v,
			  struct told *told)
{
	unsigned char *at = p->a.map + psz + 100;
	struct rlimit none = { 0, 0 };
	char buf[32] = "1000000";
	int fd, i, status;
	pid_t pid;

	memset(told, 0, sizeof(*told));
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		write_str("/proc/self/oom_score_adj", "1000");
		fd = open("/proc/thread-self/fail-nth", O_RDWR);
		/* twice: the first one for what the child needs copies of */
		for (i = 0; i < 2; i++) {
			if (present && i)
				(void)op_load(at);
			if (i)
				snprintf(buf, sizeof(buf), "%d", nth);
			if (write(fd, buf, strlen(buf)) <= 0)
				_exit(1);
			op_store(i ? at : &told->warm_up, v);
			memset(buf, 0, sizeof(buf));
			if (pread(fd, buf, sizeof(buf) - 1, 0) <= 0)
				_exit(2);
			if (write(fd, "0", 1) != 1)
				_exit(3);
		}
		told->injected = !atoi(buf);
		told->stored = true;
		_exit(0);
	}
	op_begin("store in a child with a failing allocation");
	REQ(waitpid(pid, &status, 0) == pid);
	op_end();
	if (WIFSIGNALED(status) &&
	    (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGKILL))
		return WTERMSIG(status);
	if (status || !told->stored)
		FAIL("the child ended with status %x", status);
	return 0;
}

static void each_allocation_of_a_store_once(bool present)
{
	unsigned char v, got;
	bool injected = true;
	struct told *told;
	struct pair p;
	long before;
	int nth, sig;

	told = mmap(NULL, psz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQ(told != MAP_FAILED);
	for (nth = 1; injected && nth <= MAX_NTH; nth++) {
		pxa_nonce += 1000;
		pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
		v = ~p.a.shadow[psz + 100];
		before = drops();
		sig = store_in_child(&p, nth, present, v, told);
		dropped += drops() > before;
		/* Nothing but a failure ends the child. */
		injected = sig || told->injected;
		failed += injected;
		refused += !!sig;
		REQ(OP(pread(p.a.fd, &got, 1, psz + 100)) == 1);
		if (got != v && !(sig && got == p.a.shadow[psz + 100]))
			FAIL("allocation %d, signal %d: %02x was stored on %02x, is %02x",
			     nth, sig, v, p.a.shadow[psz + 100], got);
		p.a.shadow[psz + 100] = got;
		if (got == v)
			must_not_share(p.a.map + psz, p.b.map + 3 * psz);
		pf_check(&p.a);
		pf_check(&p.b);
		pair_still_shared(&p, 1);
		pair_check(&p);
		pair_gone(&p);
		unmerge_all();
		check_counters(0, 0);
	}
	munmap(told, psz);
	if (injected)
		ksft_print_msg("only the first %d allocations\n", MAX_NTH);
}

static void each_allocation_of_a_store(bool present)
{
	inject_setup();
	do {
		each_allocation_of_a_store_once(present);
	} while (!all_had(true));
}

static void store(void) { each_allocation_of_a_store(true); }
static void store_without_pte(void) { each_allocation_of_a_store(false); }

#define T(name) { #name, name, 300 }
static const struct pxa_test tests[] = {
	T(write_part),
	T(write_page),
	T(truncate_to_mid_page),
	T(punch_part),
	T(store),
	T(store_without_pte),
	T(unmergeable),
	T(run_2),
	T(fadvise_dontneed),
	T(mlock_shared),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
