// SPDX-License-Identifier: GPL-2.0
/*
 * No memory when a shared page has to be taken apart: each allocation that an
 * operation makes fails in turn (fail-nth of fault injection).  The operation
 * may fail then, and its target is in doubt as far as the operation went.  All
 * other pages of all files must be as before, nothing may hang.
 */
#include "pxa_util.h"

#define MAX_NTH	40

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

static int do_write(struct pair *p)
{
	return pwrite(p->a.fd, "new bytes", 9, psz + 100) == 9 ? 0 : -errno;
}

static int do_write_page(struct pair *p)
{
	static char buf[65536];

	return pwrite(p->a.fd, buf, psz, psz) == (ssize_t)psz ? 0 : -errno;
}

static int do_truncate(struct pair *p)
{
	return ftruncate(p->a.fd, psz + 100) ? -errno : 0;
}

static int do_punch(struct pair *p)
{
	return fallocate(p->a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 psz + 100, 1000) ? -errno : 0;
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

/* The bytes of a from @from on are in doubt, up to @to or, if that is 0, the end. */
static void each_allocation(int (*op)(struct pair *p), size_t from, size_t to)
{
	int nth, ret, failed = 0;
	bool injected = true;
	struct pair p;

	inject_setup();
	/*
	 * Code, stack and data that the operation needs are there the second
	 * time: a fault of this process is not to be the one that fails.
	 */
	pair_new(&p);
	pair_map(&p, PROT_READ, MAP_SHARED);
	with_failure(1000000, op, &p, &ret);
	unlink(p.a.path);
	unlink(p.b.path);
	pf_close(&p.a);
	pf_close(&p.b);
	for (nth = 1; injected && nth <= MAX_NTH; nth++) {
		pxa_nonce += 1000;
		pair_setup(&p, PROT_READ, MAP_SHARED);
		injected = with_failure(nth, op, &p, &ret);
		failed += injected;
		pf_check(&p.b);
		if (from != to) {
			size_t len = (to ?: p.a.size) - from;

			/* what it is now is what it has to stay */
			pf_unmap(&p.a);
			if (!to)
				REQ(OP(ftruncate(p.a.fd, p.a.size)) == 0);
			REQ(OP(pread(p.a.fd, p.a.shadow + from, len, from)) ==
			    (ssize_t)len);
			pf_check(&p.a);
			REQ(OP(pwrite(p.a.fd, p.a.shadow + from, len, from)) ==
			    (ssize_t)len);
		}
		pf_check(&p.a);
		pf_check_cold(&p.b);
		pf_check_cold(&p.a);
		unlink(p.a.path);
		unlink(p.b.path);
		pf_close(&p.a);
		pf_close(&p.b);
		unmerge_all();
		check_counters(0, 0);
	}
	ksft_print_msg("%d allocations failed in turn\n", failed);
}

static void write_part(void)
{
	each_allocation(do_write, psz + 100, psz + 109);
}

static void write_page(void)
{
	each_allocation(do_write_page, psz, 2 * psz);
}

static void truncate_to_mid_page(void)
{
	each_allocation(do_truncate, psz + 100, 0);
}

static void punch_part(void)
{
	each_allocation(do_punch, psz + 100, psz + 1100);
}

static void unmergeable(void)
{
	each_allocation(do_unmergeable, 0, 0);
}

static void run_2(void)
{
	each_allocation(do_run_2, 0, 0);
}

static void fadvise_dontneed(void)
{
	each_allocation(do_dontneed, 0, 0);
}

static void mlock_shared(void)
{
	each_allocation(do_mlock, 0, 0);
}

#define T(name) { #name, name, 300 }
static const struct pxa_test tests[] = {
	T(write_part),
	T(write_page),
	T(truncate_to_mid_page),
	T(punch_part),
	T(unmergeable),
	T(run_2),
	T(fadvise_dontneed),
	T(mlock_shared),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
