// SPDX-License-Identifier: GPL-2.0
/*
 * What is merged, what is not, and how the sharing is taken back.
 */
#include "pxa_util.h"

static void two_files_shared_map(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	must_not_share(p.a.map, p.b.map);
	must_not_ksm(p.a.map);
	must_not_ksm(p.b.map);
	pair_check(&p);
}

static void two_files_private_map(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pair_check(&p);
}

static void two_files_mixed_map(void)
{
	struct pair p;

	pair_new(&p);
	pf_map(&p.a, PROT_READ, MAP_PRIVATE);
	pf_map(&p.b, PROT_READ | PROT_WRITE, MAP_SHARED);
	pair_merge(&p);
	pair_check(&p);
}

/* Pages that were just written: buffer heads are still attached to them. */
static void after_write_without_drop(void)
{
	struct pfile a, b;

	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	pf_page(&a, 0, 1);
	pf_page(&a, 1, 2);
	pf_page(&a, 2, 3);
	pf_page(&a, 3, 4);
	pf_page(&b, 0, 5);
	pf_page(&b, 1, 6);
	pf_page(&b, 2, 2);
	pf_page(&b, 3, 1);
	pf_commit_cached(&a);
	pf_commit_cached(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map, b.map + 3 * psz);
	wait_shared(a.map + psz, b.map + 2 * psz);
	wait_counters(2, 2);
	merge_stop();
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void inside_one_file(void)
{
	struct pfile a;
	int i;

	pf_new(&a, "a", 10);
	for (i = 0; i < 10; i++)
		pf_page(&a, i, i & 1 ? 100 : 200 + i);
	pf_commit(&a);
	pf_map(&a, PROT_READ, MAP_SHARED);
	merge_start();
	for (i = 3; i < 10; i += 2)
		wait_shared(a.map + psz, a.map + i * psz);
	wait_counters(1, 4);
	merge_stop();
	pf_check_cold(&a);
}

static void three_files(void)
{
	struct pfile f[3];
	char name[8];
	int i, j;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		pf_new(&f[i], name, 6);
		for (j = 0; j < 6; j++)
			pf_page(&f[i], j, 100 * i + j + 1);
		pf_page(&f[i], i + 1, 900);
		pf_page(&f[i], 5 - i, i == 2 ? 999 : 901);
		pf_commit(&f[i]);
	}
	/* 900: f0[1] f1[2] f2[3], the last one overwritten by 999 */
	pf_page(&f[2], 3, 900);
	pf_commit(&f[2]);
	for (i = 0; i < 3; i++)
		pf_map(&f[i], PROT_READ, i == 1 ? MAP_PRIVATE : MAP_SHARED);
	merge_start();
	wait_shared(f[0].map + psz, f[1].map + 2 * psz);
	wait_shared(f[0].map + psz, f[2].map + 3 * psz);
	wait_shared(f[0].map + 5 * psz, f[1].map + 4 * psz);
	wait_counters(2, 3);
	merge_stop();
	for (i = 0; i < 3; i++)
		pf_check_cold(&f[i]);
}

/* The same file mapped twice is one page cache: nothing to be saved. */
static void same_page_is_no_pair(void)
{
	struct pfile a;
	void *second;

	pf_new(&a, "a", 2);
	pf_page(&a, 0, 1);
	pf_page(&a, 1, 2);
	pf_commit(&a);
	pf_map(&a, PROT_READ, MAP_SHARED);
	second = pf_map(&a, PROT_READ, MAP_PRIVATE);
	merge_start();
	merge_settle();
	merge_stop();
	check_counters(-1, 0);
	REQ(page_pfn(a.map) == page_pfn(second));
	pf_check_cold(&a);
}

static void different_never_merged(void)
{
	struct pfile a, b;
	int i;

	pf_new(&a, "a", 8);
	pf_new(&b, "b", 8);
	for (i = 0; i < 8; i++) {
		/* alike but for one bit: in the first, middle and last byte */
		pf_page(&a, i, 50);
		pf_page(&b, i, 50);
		a.shadow[i * psz] ^= i + 1;
		b.shadow[i * psz + psz - 1] ^= i + 1;
	}
	a.shadow[7 * psz + psz / 2] ^= 1;
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	merge_settle();
	merge_stop();
	check_counters(-1, 0);
	for (i = 0; i < 8; i++)
		must_not_share(a.map + i * psz, b.map + (7 - i) * psz);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

/* A short last page and one whose tail is really zero hold the same bytes. */
static void unaligned_tail(void)
{
	struct pfile a, b;
	unsigned char *p;
	size_t i;

	pf_new(&a, "a", 3);
	pf_new(&b, "b", 4);
	for (i = 0; i < 3; i++)
		pf_page(&a, i, 10 + i);
	for (i = 0; i < 4; i++)
		pf_page(&b, i, 20 + i);
	pf_size(&a, 2 * psz + 1234);
	memcpy(b.shadow + psz, a.shadow + 2 * psz, psz);
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	p = a.map + 2 * psz;
	merge_start();
	wait_shared(p, b.map + psz);
	wait_counters(1, 1);
	merge_stop();
	for (i = 1234; i < psz; i++)
		REQ(p[i] == 0);
	/* growing the short file shows zeroes, then takes new bytes */
	pf_truncate(&a, 3 * psz);
	pf_check(&a);
	pf_check(&b);
	pf_write(&a, 2 * psz + 1000, 500, 30);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void zero_pages(void)
{
	struct pfile a, b;
	int i;

	pf_new(&a, "a", 6);
	pf_new(&b, "b", 6);
	for (i = 0; i < 6; i++) {
		pf_page(&a, i, i < 2 ? 1 + i : 0);
		pf_page(&b, i, i < 4 ? 11 + i : 0);
	}
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map + 2 * psz, b.map + 5 * psz);
	wait_counters(1, 5);
	merge_stop();
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void unmergeable(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(OP(madvise(p.a.map, p.a.map_len, MADV_UNMERGEABLE)) == 0);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	must_not_share(p.a.map + 2 * psz, p.b.map + 4 * psz);
	must_not_share(p.a.map + 5 * psz, p.b.map + 6 * psz);
	must_not_ksm(p.a.map + psz);
	check_counters(-1, 0);
	pf_check(&p.a);
	pf_check(&p.b);
	/* and it stays so with ksmd running */
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, 0);
	pair_check(&p);
}

/* What ksmd has seen while it was advised is not merged when it is not any more. */
static void unmergeable_seen(void)
{
	struct pair p;

	pair_new(&p);
	pf_map(&p.a, PROT_READ, MAP_SHARED);
	merge_start();
	merge_settle();
	/* in the middle of a pass it has not forgotten anything */
	merge_stop();
	REQ(OP(madvise(p.a.map, p.a.map_len, MADV_UNMERGEABLE)) == 0);
	pf_map(&p.b, PROT_READ, MAP_SHARED);
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	must_not_ksm(p.a.map + psz);
	check_counters(0, 0);

	REQ(OP(madvise(p.a.map, p.a.map_len, MADV_MERGEABLE)) == 0);
	pair_merge(&p);
	pair_check(&p);
}

/* Only the advised part of a mapping is a candidate. */
static void part_of_a_mapping(void)
{
	struct pair p;

	pair_new(&p);
	pair_map(&p, PROT_READ, MAP_SHARED);
	REQ(madvise(p.a.map + 2 * psz, psz, MADV_UNMERGEABLE) == 0);
	merge_start();
	wait_shared(p.a.map + psz, p.b.map + 3 * psz);
	wait_shared(p.a.map + 5 * psz, p.b.map + 6 * psz);
	merge_settle();
	merge_stop();
	must_not_share(p.a.map + 2 * psz, p.b.map + 4 * psz);
	check_counters(-1, 2);
	pair_check(&p);
}

static void not_advised(void)
{
	struct pfile a, b;
	void *pa, *pb;

	pf_new(&a, "a", 2);
	pf_new(&b, "b", 2);
	pf_page(&a, 0, 1);
	pf_page(&a, 1, 2);
	pf_page(&b, 0, 2);
	pf_page(&b, 1, 3);
	pf_commit(&a);
	pf_commit(&b);
	pa = mmap(NULL, 2 * psz, PROT_READ, MAP_SHARED, a.fd, 0);
	pb = mmap(NULL, 2 * psz, PROT_READ, MAP_SHARED, b.fd, 0);
	REQ(pa != MAP_FAILED && pb != MAP_FAILED);
	page_pfn(pa + psz);
	page_pfn(pb);
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(pa + psz, pb);
	check_counters(0, 0);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void run_2_unmerges(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	unmerge_all();
	check_counters(0, 0);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	must_not_ksm(p.a.map + psz);
	must_not_ksm(p.b.map + 3 * psz);
	pf_check(&p.a);
	pf_check(&p.b);
	/* the pages are ordinary again and may be merged again */
	pair_merge(&p);
	pair_check(&p);
}

/* Also what no process maps any more. */
static void run_2_unmerges_unmapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pf_check(&p.a);
	pf_check(&p.b);
	unmerge_all();
	check_counters(0, 0);
	pair_check(&p);
}

static void sysctl_off_merges_nothing(void)
{
	struct pair p;
	long merges;

	pair_new(&p);
	pair_map(&p, PROT_READ, MAP_SHARED);
	merges = ksm_read("file_merges");
	merge_start();
	ksm_write("run", 2);
	if (pxa_expect)
		REQ(sysctl_ksm_file("0") == 0);
	merges = ksm_read("file_merges");
	ksm_write("run", 1);
	merge_settle();
	merge_stop();
	check_counters(0, 0);
	REQ(ksm_read("file_merges") == merges);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

/* 1 -> 0 keeps what is merged and stops further merges. */
static void sysctl_off_keeps_shares(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	if (pxa_expect)
		REQ(sysctl_ksm_file("0") == 0);
	must_share(p.a.map + psz, p.b.map + 3 * psz);
	pf_write(&p.a, 0, psz, 77);
	pf_write(&p.b, 0, psz, 77);
	pf_drop(&p.a);
	pf_drop(&p.b);
	pf_touch(&p.a);
	pf_touch(&p.b);
	ksm_write("run", 1);
	merge_settle();
	merge_stop();
	must_not_share(p.a.map, p.b.map);
	pair_check(&p);
}

static void sysctl_values(void)
{
	static const char * const bad[] = { "2", "-1", "7", "4294967297" };
	size_t i;

	if (!pxa_expect)
		return;
	REQ(sysctl_ksm_file("1") == 0);
	REQ(sysctl_ksm_file_get() == 1);
	REQ(ksm_read("file") == 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		REQ(sysctl_ksm_file(bad[i]) == -EINVAL);
		REQ(sysctl_ksm_file_get() == 1);
		REQ(ksm_write("file", atol(bad[i])) == -EINVAL);
		REQ(ksm_read("file") == 1);
	}
	REQ(sysctl_ksm_file("0") == 0);
	REQ(ksm_read("file") == 0);
	REQ(ksm_write("file", 1) == 0);
	REQ(sysctl_ksm_file_get() == 1);
	REQ(ksm_write("file", 0) == 0);
	REQ(sysctl_ksm_file_get() == 0);
}

#define MANY	24

static void max_page_sharing(void)
{
	long old = ksm_read("max_page_sharing"), shared, sharing;
	uint64_t pfn[MANY];
	struct pfile a;
	int i, j, max = 0, distinct = 0;

	unmerge_all();
	if (ksm_write("max_page_sharing", 5))
		FAIL("cannot set max_page_sharing to 5");
	pf_new(&a, "a", MANY);
	for (i = 0; i < MANY; i++)
		pf_page(&a, i, 1);
	pf_commit(&a);
	pf_map(&a, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map + (MANY - 1) * psz, a.map + (MANY - 1) * psz);
	merge_settle();
	merge_stop();
	/* not for what is shared already, as with anonymous pages */
	if (pxa_expect && (ksm_write("max_page_sharing", 4) != -EBUSY ||
			   ksm_read("max_page_sharing") != 5))
		FAIL("max_page_sharing is set to 4 while pages are shared");
	shared = ksm_read("file_pages_shared");
	sharing = ksm_read("file_pages_sharing");
	for (i = 0; i < MANY; i++)
		pfn[i] = page_pfn(a.map + i * psz);
	for (i = 0; i < MANY; i++) {
		int users = 0, first = 1;

		for (j = 0; j < MANY; j++) {
			users += pfn[j] == pfn[i];
			if (j < i && pfn[j] == pfn[i])
				first = 0;
		}
		distinct += first;
		if (users > max)
			max = users;
	}
	pf_check_cold(&a);
	unmerge_all();
	ksm_write("max_page_sharing", old);
	if (!pxa_expect)
		return;
	if (max > 5)
		FAIL("a page has %d users, the limit is 5", max);
	if (max < 2)
		FAIL("nothing was shared");
	if (sharing != MANY - distinct || shared > distinct)
		FAIL("%d pages of %d distinct, but shared %ld sharing %ld",
		     MANY, distinct, shared, sharing);
	if (distinct > (MANY + 4) / 5 + 1)
		FAIL("%d distinct pages, %d would do", distinct, (MANY + 4) / 5);
}

static void counters_of_events(void)
{
	long merges = ksm_read("file_merges"), breaks = ksm_read("file_breaks");
	long vm_merge = vmstat("pxa_merge"), vm_break = vmstat("pxa_break");
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	if (pxa_expect) {
		REQ(ksm_read("file_merges") - merges >= PAIR_SHARED);
		REQ(vmstat("pxa_merge") - vm_merge >= PAIR_SHARED);
		REQ(ksm_read("file_breaks") == breaks);
	}
	pf_write(&p.a, psz, 1, 9);
	if (pxa_expect) {
		REQ(ksm_read("file_breaks") == breaks + 1);
		REQ(vmstat("pxa_break") == vm_break + 1);
	}
	check_counters(-1, PAIR_SHARED - 1);
	pair_check(&p);
}

/* Anonymous pages of the same content are another world. */
static void anon_not_mixed(void)
{
	struct pair p;
	unsigned char *anon;

	pair_new(&p);
	pair_map(&p, PROT_READ, MAP_SHARED);
	anon = mmap(NULL, 2 * psz, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(anon != MAP_FAILED);
	memcpy(anon, p.a.shadow + psz, psz);
	memcpy(anon + psz, p.a.shadow + psz, psz);
	REQ(madvise(anon, 2 * psz, MADV_MERGEABLE) == 0);
	pair_merge(&p);
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(anon, p.a.map + psz);
	must_not_share(anon + psz, p.b.map + 3 * psz);
	REQ(page_pfn(anon) == page_pfn(anon + psz));
	op_store(anon, anon[0] ^ 1);
	pair_check(&p);
}

static const struct pxa_test tests[] = {
	{ "two_files_shared_map", two_files_shared_map, 0 },
	{ "two_files_private_map", two_files_private_map, 0 },
	{ "two_files_mixed_map", two_files_mixed_map, 0 },
	{ "after_write_without_drop", after_write_without_drop, 0 },
	{ "inside_one_file", inside_one_file, 0 },
	{ "three_files", three_files, 0 },
	{ "same_page_is_no_pair", same_page_is_no_pair, 0 },
	{ "different_never_merged", different_never_merged, 0 },
	{ "unaligned_tail", unaligned_tail, 0 },
	{ "zero_pages", zero_pages, 0 },
	{ "unmergeable", unmergeable, 0 },
	{ "unmergeable_seen", unmergeable_seen, 0 },
	{ "part_of_a_mapping", part_of_a_mapping, 0 },
	{ "not_advised", not_advised, 0 },
	{ "run_2_unmerges", run_2_unmerges, 0 },
	{ "run_2_unmerges_unmapped", run_2_unmerges_unmapped, 0 },
	{ "sysctl_off_merges_nothing", sysctl_off_merges_nothing, 0 },
	{ "sysctl_off_keeps_shares", sysctl_off_keeps_shares, 0 },
	{ "sysctl_values", sysctl_values, 0 },
	{ "max_page_sharing", max_page_sharing, 0 },
	{ "counters_of_events", counters_of_events, 0 },
	{ "anon_not_mixed", anon_not_mixed, 0 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
