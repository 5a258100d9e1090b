// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim of merged pages: by request and under memory pressure.  What comes
 * back from the disk must be what each file held.
 */
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include "pxa_util.h"

static void drop_caches_unmapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	drop_caches();
	check_counters(0, 0);
	pair_check(&p);
}

static void drop_caches_mapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	drop_caches();
	drop_caches();
	pf_check(&p.a);
	pf_check(&p.b);
	pair_check(&p);
}

static void drop_caches_one_mapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.b);
	drop_caches();
	REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
	pf_write(&p.b, 3 * psz, 3, 50);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_write(&p.a, 2 * psz, 3, 51);
	pair_check(&p);
}

static void fadvise_dontneed(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	REQ(OP(posix_fadvise(p.a.fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
	REQ(!memcmp(p.b.map, p.b.shadow, p.b.size));
	pf_check(&p.a);
	pf_unmap(&p.b);
	REQ(OP(posix_fadvise(p.a.fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
	REQ(OP(posix_fadvise(p.b.fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
	check_counters(0, 0);
	pair_check(&p);
}

static void fadvise_dontneed_one_page(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	REQ(OP(posix_fadvise(p.a.fd, psz, psz, POSIX_FADV_DONTNEED)) == 0);
	check_counters(-1, PAIR_SHARED - 1);
	pair_check(&p);
}

static void madv_pageout(void)
{
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (i = 0; i < 3; i++) {
		if (OP(madvise(p.a.map, p.a.map_len, MADV_PAGEOUT)) && errno == EINVAL)
			pxa_skip("no MADV_PAGEOUT");
		OP(madvise(p.b.map, p.b.map_len, MADV_COLD));
		OP(madvise(p.b.map, p.b.map_len, MADV_PAGEOUT));
		pf_check(&p.a);
		pf_check(&p.b);
	}
	pf_store(&p.a, p.a.map, psz, 1, 50);
	pair_check(&p);
}

/* Each page is mapped once, but those that are shared are in use elsewhere. */
static void madv_pageout_of_one_file(void)
{
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.b);
	for (i = 0; i < 3; i++) {
		OP(madvise(p.a.map, p.a.map_len, MADV_COLD));
		if (OP(madvise(p.a.map, p.a.map_len, MADV_PAGEOUT)) && errno == EINVAL)
			pxa_skip("no MADV_PAGEOUT");
		check_counters(PAIR_SHARED, PAIR_SHARED);
		pf_touch(&p.a);
	}
	pair_check(&p);
}

/* ------------------------------------------------------------------------ */

#define PAGES	512
#define KINDS	61

static struct pfile f[2];

static void big_files(void)
{
	size_t i, j;

	for (j = 0; j < 2; j++) {
		pf_new(&f[j], j ? "b" : "a", PAGES);
		for (i = 0; i < PAGES; i++)
			pf_page(&f[j], i, i % 4 ? 1 + (i * 7 + j) % KINDS :
				1000 * (j + 1) + i);
		pf_commit(&f[j]);
		pf_map(&f[j], PROT_READ, MAP_SHARED);
	}
}

static void big_merge(void)
{
	check_counters(0, 0);
	merge_start();
	if (pxa_expect)
		wait_shared(f[0].map + psz, f[0].map + (1 + 4 * KINDS) * psz);
	merge_settle();
	merge_stop();
	if (pxa_expect && ksm_read("file_pages_sharing") < 2 * PAGES * 3 / 4 - KINDS - 40)
		FAIL("file_pages_sharing is only %ld",
		     ksm_read("file_pages_sharing"));
}

static void big_check(void)
{
	pf_check(&f[0]);
	pf_check(&f[1]);
	pf_check_cold(&f[0]);
	pf_check_cold(&f[1]);
}

static void went_down(long shared, long reclaimed, const char *by)
{
	if (!pxa_expect)
		return;
	ksft_print_msg("%s: file_pages_shared %ld -> %ld, pxa_reclaim %ld -> %ld\n",
		       by, shared, ksm_read("file_pages_shared"), reclaimed,
		       vmstat("pxa_reclaim"));
	if (ksm_read("file_pages_shared") >= shared)
		FAIL("%s reclaimed no shared page: file_pages_shared stays %ld",
		     by, shared);
	if (vmstat("pxa_reclaim") <= reclaimed)
		FAIL("%s: pxa_reclaim stays %ld", by, reclaimed);
}

static void group_limit(bool mapped)
{
	long shared, reclaimed;

	limited_join();
	big_files();
	big_merge();
	if (!mapped) {
		pf_unmap(&f[0]);
		pf_unmap(&f[1]);
	}
	shared = ksm_read("file_pages_shared");
	reclaimed = vmstat("pxa_reclaim");
	limited_squeeze();
	went_down(shared, reclaimed, "a memory control group");
	if (mapped) {
		REQ(!memcmp(f[0].map, f[0].shadow, f[0].size));
		REQ(!memcmp(f[1].map, f[1].shadow, f[1].size));
	}
	limited_leave();
	big_check();
}

static void group_limit_mapped(void)
{
	group_limit(true);
}

static void group_limit_unmapped(void)
{
	group_limit(false);
}

/* Reclaim over and over, with ksmd running and writes in between. */
static void group_limit_under_ksmd(void)
{
	double end = now() + 8;
	int i = 0;

	limited_join();
	big_files();
	merge_start();
	for (; now() < end; i++) {
		pf_write(&f[0], (i * 13 % PAGES) * psz, psz, 1 + i % KINDS);
		if (i % 16 == 0) {
			pf_check(&f[0]);
			pf_check(&f[1]);
		}
		if (i % 8 == 7)
			limited_squeeze();
	}
	merge_stop();
	limited_leave();
	big_check();
}

static long meminfo(const char *name)
{
	FILE *m = fopen("/proc/meminfo", "r");
	char line[128];
	long v = -1;

	REQ(m);
	while (fgets(line, sizeof(line), m))
		if (!strncmp(line, name, strlen(name)))
			v = atol(line + strlen(name) + 1);
	fclose(m);
	return v;
}

static void hog(long kb)
{
	write_str("/proc/self/oom_score_adj", "1000");
	/* A fault for each page takes User Mode Linux minutes. */
	_exit(mmap(NULL, kb * 1024, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE,
		   -1, 0) == MAP_FAILED);
}

static void memory_hog(void)
{
	long shared, reclaimed, kb;
	double end = now() + 100;
	pid_t pid;

	if (meminfo("MemTotal:") > 2 << 20)
		pxa_skip("too much memory to fill");
	big_files();
	big_merge();
	shared = ksm_read("file_pages_shared");
	reclaimed = vmstat("pxa_reclaim");
	kb = meminfo("MemAvailable:") - 4096;
	do {
		pid = fork();
		REQ(pid >= 0);
		if (!pid)
			hog(kb);
		while (waitpid(pid, NULL, WNOHANG) != pid && now() < end)
			msleep(20);
		kb += 8192;
	} while (pxa_expect && ksm_read("file_pages_shared") >= shared && now() < end);
	went_down(shared, reclaimed, "a memory hog");
	big_check();
}

/* ------------------------------------------------------------------------ */

#define LOOP_CONTROL	makedev(10, 237)
#define LOOP_MAJOR	7

static int open_node(const char *name, mode_t type, dev_t dev, char *path, size_t len)
{
	int fd;

	snprintf(path, len, "%s/%s", pxa_scratch, name);
	REQ(mknod(path, type | 0600, dev) == 0);
	fd = open(path, O_RDWR);
	if (fd < 0)
		pxa_skip("no loop devices: %s", strerror(errno));
	return fd;
}

/* A loop device with the file below it, and the path to its node */
static int loop_device(struct pfile *file, char *path, size_t len)
{
	int control = open_node("control", S_IFCHR, LOOP_CONTROL, path, len);
	int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

	REQ(n >= 0);
	close(control);
	fd = open_node("loop", S_IFBLK, makedev(LOOP_MAJOR, n), path, len);
	REQ(ioctl(fd, LOOP_SET_FD, file->fd) == 0);
	return fd;
}

/*
 * File a, below a loop device, has pages of a few contents, which file b has, too.
 * The device becomes an area for swap, and anon is what may go there.
 */
#define SWAP_PAGES	1024
#define SWAP_KINDS	5
#define ANON_PAGES	(SWAP_PAGES * 3 / 4)

struct loop_swap {
	struct pfile a, b;
	unsigned char *anon;
	char path[512];
	int loop;
	long breaks;
};

static void loop_swap_on(struct loop_swap *s, int pages_of_b)
{
	int i;

	limited_join();
	pf_new(&s->a, "swap", SWAP_PAGES);
	pf_new(&s->b, "b", pages_of_b);
	for (i = 0; i < SWAP_PAGES; i++)
		pf_page(&s->a, i, i % SWAP_KINDS);
	for (i = 0; i < pages_of_b; i++)
		pf_page(&s->b, i, (i + 1) % SWAP_KINDS);
	pf_swap_header(&s->a, SWAP_PAGES, false);
	pf_commit(&s->a);
	pf_commit(&s->b);
	pf_map(&s->a, PROT_READ, MAP_SHARED);
	pf_map(&s->b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(s->a.map + psz, s->b.map);
	wait_shared(s->a.map + (SWAP_PAGES - 1) * psz,
		    s->b.map + (SWAP_PAGES - 2) % SWAP_KINDS * psz);

	s->anon = mmap(NULL, ANON_PAGES * psz, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(s->anon != MAP_FAILED);
	s->loop = loop_device(&s->a, s->path, sizeof(s->path));
	if (OP(swapon(s->path, 0)))
		pxa_skip("swapon: %s", strerror(errno));
	s->breaks = ksm_read("file_breaks");
}

static void anon_fill(struct loop_swap *s, int round)
{
	int i;

	for (i = 0; i < ANON_PAGES; i++)
		memset(s->anon + i * psz, i + round, psz);
}

static void anon_check(struct loop_swap *s, int round)
{
	int i;

	for (i = 0; i < ANON_PAGES; i++)
		REQ(s->anon[i * psz] == (unsigned char)(i + round) &&
		    !memcmp(s->anon + i * psz, s->anon + i * psz + 1, psz - 1));
}

static void loop_swap_off(struct loop_swap *s)
{
	if (pxa_expect && ksm_read("file_breaks") == s->breaks)
		FAIL("nothing was swapped to pages that are shared");
	merge_stop();
	REQ(OP(swapoff(s->path)) == 0);
	REQ(ioctl(s->loop, LOOP_CLR_FD) == 0);
	close(s->loop);
	limited_leave();

	/* the rest is whatever has been swapped */
	REQ(pread(s->a.fd, s->anon, psz, 0) == (ssize_t)psz);
	REQ(!memcmp(s->anon, s->a.shadow, psz));
	pf_check(&s->b);
	pf_check_cold(&s->b);
}

/* Memory is swapped to pages that are shared. */
static void swap_on_loop(void)
{
	struct loop_swap s;
	int round;

	loop_swap_on(&s, SWAP_KINDS);
	for (round = 0; round < 3; round++) {
		anon_fill(&s, round);
		limited_squeeze();
		anon_check(&s, round);
		pf_check(&s.b);
	}
	loop_swap_off(&s);
}

/*
 * Who breaks those pages has memory swapped for the copy, and must not wait for a
 * request of the device meanwhile, which may wait for the page.
 */
static void break_while_swapping(void)
{
	/* What is swapped in all rounds has to fit: one page for each copy. */
	enum { ROUNDS = 3, PAGES_OF_B = 256 };
	struct loop_swap s;
	int i, round;

	loop_swap_on(&s, PAGES_OF_B);
	for (round = 0; round < ROUNDS; round++) {
		anon_fill(&s, round);
		limited_to(limited_usage());
		for (i = 0; i < PAGES_OF_B; i++)
			pf_write(&s.b, i * psz, 1, 100 + round);
		limited_to(-1);
		anon_check(&s, round);
		pf_check(&s.b);
		/* equal to those of a once more */
		for (i = 0; i < PAGES_OF_B; i++)
			pf_write(&s.b, i * psz, psz, (i + 1) % SWAP_KINDS);
		REQ(fsync(s.b.fd) == 0);
		merge_scans(2);
	}
	loop_swap_off(&s);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(drop_caches_unmapped),
	T(drop_caches_mapped),
	T(drop_caches_one_mapped),
	T(fadvise_dontneed),
	T(fadvise_dontneed_one_page),
	T(madv_pageout),
	T(madv_pageout_of_one_file),
	T(group_limit_mapped),
	T(group_limit_unmapped),
	T(group_limit_under_ksmd),
	T(swap_on_loop),
	T(break_while_swapping),
	{ "memory_hog", memory_hog, 200 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
