// SPDX-License-Identifier: GPL-2.0
/*
 * Truncation and fallocate() of files with merged pages.
 */
#include "pxa_util.h"

static void tail_is_zero(struct pfile *f, size_t from)
{
	size_t i;

	for (i = from; i % psz; i++)
		if (f->map[i])
			FAIL("byte %zu past the end is %02x", i, f->map[i]);
}

/* The end falls into a merged page, whose tail must be zero in this file only. */
static void to_mid_page(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_truncate(&p.a, psz + 1000);
	tail_is_zero(&p.a, psz + 1000);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	/* a[2] and a[5] are gone altogether */
	check_counters(-1, 0);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_truncate(&p.a, PAIR_PAGES * psz);
	pair_check(&p);
}

static void to_mid_page_unmapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	pf_truncate(&p.b, 6 * psz + 1);
	check_counters(-1, PAIR_SHARED - 1);
	pf_truncate(&p.b, PAIR_PAGES * psz);
	pair_check(&p);
}

static void to_mid_page_and_store(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_truncate(&p.a, 5 * psz + 1);
	tail_is_zero(&p.a, 5 * psz + 1);
	pf_truncate(&p.a, 5 * psz + 2000);
	tail_is_zero(&p.a, 5 * psz + 1);
	pf_store(&p.a, p.a.map, 5 * psz + 1500, 100, 50);
	pair_check(&p);
}

static void to_page_boundary(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_truncate(&p.a, 2 * psz);
	must_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, 1);
	pair_check(&p);
}

static void past_end_is_sigbus(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_truncate(&p.a, 2 * psz);
	must_sigbus(p.a.map + 2 * psz);
	pf_check(&p.b);
}

static void to_zero(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_truncate(&p.a, 0);
	check_counters(-1, 0);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_truncate(&p.a, PAIR_PAGES * psz);
	pf_check(&p.a);
	pf_write(&p.a, psz, psz, 50);
	pair_check(&p);
}

/* More pages than one batch, shared and ordinary ones in turn. */
#define MANY	80

static void to_zero_mixed(void)
{
	struct pfile a, b;
	int i;

	pf_new(&a, "a", MANY);
	pf_new(&b, "b", MANY);
	for (i = 0; i < MANY; i++) {
		pf_page(&a, i, i % 3 ? i % 5 + 1 : 100 + i);
		pf_page(&b, i, i % 2 ? i % 7 + 1 : 300 + i);
	}
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, a.map + 11 * psz);
	merge_settle();
	merge_stop();
	pf_truncate(&a, 41 * psz + 17);
	pf_check(&a);
	pf_check(&b);
	pf_truncate(&a, 0);
	pf_check(&b);
	pf_truncate(&a, 5 * psz);
	pf_check_cold(&a);
	pf_check_cold(&b);
	pf_unmap(&b);
	pf_truncate(&b, 0);
	check_counters(-1, 0);
}

static void extend(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_truncate(&p.a, (PAIR_PAGES + 3) * psz + 5);
	pair_still_shared(&p, -1);
	pair_check(&p);
}

/* Two files whose last, short pages are merged with all the others. */
static void pair_short_tail(struct pair *p)
{
	pair_new(p);
	pf_truncate(&p->a, 5 * psz + 333);
	pf_truncate(&p->b, 6 * psz + 333);
	pf_drop(&p->a);
	pf_drop(&p->b);
	pair_map(p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pair_merge(p);
}

/* The last, short page is merged; growing must show zeroes behind it. */
static void extend_short_tail(void)
{
	struct pair p;

	pair_short_tail(&p);
	pf_truncate(&p.a, 5 * psz + 999);
	tail_is_zero(&p.a, 5 * psz + 333);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_truncate(&p.a, 9 * psz);
	pf_store(&p.a, p.a.map, 5 * psz + 900, 50, 50);
	pf_write(&p.b, 6 * psz + 1000, 50, 51);
	pair_check(&p);
}

/* A store past the end in the last page never reaches the file. */
static void store_past_end(void)
{
	struct pair p;

	needs_writeback();
	if (on_tmpfs())
		pxa_skip("tmpfs keeps what is stored past the end");
	pair_short_tail(&p);
	op_store(p.a.map + 5 * psz + 2000, 0xee);
	REQ(p.b.map[6 * psz + 2000] == 0);
	pf_check(&p.b);
	/* writeback zeroes the tail */
	pf_drop(&p.a);
	pf_truncate(&p.a, 6 * psz);
	pf_check_cold(&p.a);
	pf_check_cold(&p.b);
}

static void punch(size_t off, size_t len, int not)
{
	struct pair p;
	int err;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	err = pf_fallocate(&p.a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   off, len);
	if (err == -EOPNOTSUPP)
		pxa_skip("no FALLOC_FL_PUNCH_HOLE here");
	REQ(!err);
	pf_check(&p.a);
	pf_check(&p.b);
	pair_still_shared(&p, not);
	check_counters(-1, PAIR_SHARED - 1);
	pair_check(&p);
}

static void punch_whole_page(void)
{
	punch(psz, psz, 1);
}

static void punch_part_of_page(void)
{
	punch(psz + 100, 200, 1);
}

static void punch_around(void)
{
	punch(4 * psz + 100, 2 * psz, 5);
}

static void punch_inside_one_file(void)
{
	struct pfile a;
	int i, err;

	pf_new(&a, "a", 20);
	for (i = 0; i < 20; i++)
		pf_page(&a, i, i % 4 ? 1 + i % 4 : 100 + i);
	pf_commit(&a);
	pf_map(&a, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, a.map + 17 * psz);
	merge_settle();
	merge_stop();
	err = pf_fallocate(&a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   2 * psz + 50, 7 * psz);
	if (err == -EOPNOTSUPP)
		pxa_skip("no FALLOC_FL_PUNCH_HOLE here");
	REQ(!err);
	pf_check(&a);
	pf_store(&a, a.map, 3 * psz + 9, 9, 60);
	pf_check_cold(&a);
}

static void zero_range(void)
{
	struct pair p;
	int err;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	err = pf_fallocate(&p.a, FALLOC_FL_ZERO_RANGE, psz + 30, psz);
	if (err == -EOPNOTSUPP)
		pxa_skip("no FALLOC_FL_ZERO_RANGE here");
	REQ(!err);
	check_counters(-1, PAIR_SHARED - 2);
	pair_check(&p);
}

static void collapse_range(void)
{
	struct pair p;
	int err;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	err = pf_fallocate(&p.a, FALLOC_FL_COLLAPSE_RANGE, psz, psz);
	if (err == -EOPNOTSUPP)
		pxa_skip("no FALLOC_FL_COLLAPSE_RANGE here");
	REQ(!err);
	pair_check(&p);
}

static void insert_range(void)
{
	struct pair p;
	int err;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	err = pf_fallocate(&p.b, FALLOC_FL_INSERT_RANGE, 4 * psz, 2 * psz);
	if (err == -EOPNOTSUPP)
		pxa_skip("no FALLOC_FL_INSERT_RANGE here");
	REQ(!err);
	pair_check(&p);
}

/* O_TRUNC and new content while the other file stays as it is. */
static void rewrite(void)
{
	struct pair p;
	int fd, i;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	fd = OP(open(p.a.path, O_RDWR | O_TRUNC));
	REQ(fd >= 0);
	close(fd);
	pf_size(&p.a, 0);
	for (i = 0; i < PAIR_PAGES; i++)
		pf_write(&p.a, i * psz, psz, 80 + i);
	pair_check(&p);
}

/* Truncation, growing and merging in turn, with ksmd running. */
static void under_ksmd(void)
{
	double end = now() + 5;
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	merge_start();
	for (i = 0; now() < end; i++) {
		pf_truncate(&p.a, psz + 1 + i * 37 % (4 * psz));
		pf_truncate(&p.a, PAIR_PAGES * psz);
		pf_check(&p.a);
		pf_check(&p.b);
		pf_write(&p.a, psz, psz, 3000);
		pf_write(&p.a, 2 * psz, psz, 3001);
		pf_write(&p.a, 5 * psz, psz, 3002);
		OP(fsync(p.a.fd));
		pf_touch(&p.a);
		msleep(i % 8 * 3);
	}
	merge_stop();
	pair_check(&p);
}

static const struct pxa_test tests[] = {
	{ "to_mid_page", to_mid_page, 0 },
	{ "to_mid_page_unmapped", to_mid_page_unmapped, 0 },
	{ "to_mid_page_and_store", to_mid_page_and_store, 0 },
	{ "to_page_boundary", to_page_boundary, 0 },
	{ "past_end_is_sigbus", past_end_is_sigbus, 0 },
	{ "to_zero", to_zero, 0 },
	{ "to_zero_mixed", to_zero_mixed, 0 },
	{ "extend", extend, 0 },
	{ "extend_short_tail", extend_short_tail, 0 },
	{ "store_past_end", store_past_end, 0 },
	{ "punch_whole_page", punch_whole_page, 0 },
	{ "punch_part_of_page", punch_part_of_page, 0 },
	{ "punch_around", punch_around, 0 },
	{ "punch_inside_one_file", punch_inside_one_file, 0 },
	{ "zero_range", zero_range, 0 },
	{ "collapse_range", collapse_range, 0 },
	{ "insert_range", insert_range, 0 },
	{ "rewrite", rewrite, 0 },
	{ "under_ksmd", under_ksmd, 0 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
