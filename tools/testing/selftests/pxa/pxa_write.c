// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a merged page: by write(2) and by stores.  The written file shows
 * the new bytes in every view, all others keep theirs.
 */
#include "pxa_util.h"

/* What holds after a write to page 1 of a, which was shared with b[3]. */
static void broken(struct pair *p)
{
	must_not_share(p->a.map + psz, p->b.map + 3 * psz);
	must_not_ksm(p->a.map + psz);
	check_counters(-1, PAIR_SHARED - 1);
	pair_still_shared(p, 1);
	pair_check(p);
}

static void write_whole_page(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write(&p.a, psz, psz, 50);
	broken(&p);
}

static void write_part_of_page(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write(&p.a, psz + 100, 10, 50);
	broken(&p);
}

static void write_first_and_last_byte(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write(&p.a, psz, 1, 50);
	pf_write(&p.a, 2 * psz - 1, 1, 51);
	broken(&p);
}

static void write_across_pages(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write(&p.b, 3 * psz + 4000, 2 * psz, 50);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	must_not_share(p.a.map + 2 * psz, p.b.map + 4 * psz);
	must_share(p.a.map + 5 * psz, p.b.map + 6 * psz);
	check_counters(-1, 1);
	pair_check(&p);
}

static void write_same_bytes(void)
{
	struct pair p;
	ssize_t n;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	n = OP(pwrite(p.a.fd, p.a.shadow + psz, psz, psz));
	REQ(n == (ssize_t)psz);
	broken(&p);
}

/* With no mapping left: only the page cache knows of the sharing. */
static void write_unmapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	pf_write(&p.a, psz + 7, 1000, 50);
	check_counters(-1, PAIR_SHARED - 1);
	pair_check(&p);
}

static void write_both_files(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write(&p.a, psz + 10, 100, 50);
	pf_write(&p.b, 3 * psz + 20, 100, 51);
	broken(&p);
}

static void write_inside_one_file(void)
{
	struct pfile a;
	int i;

	pf_new(&a, "a", 6);
	for (i = 0; i < 6; i++)
		pf_page(&a, i, i & 1 ? 1 : 2 + i);
	pf_commit(&a);
	pf_map(&a, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, a.map + 3 * psz);
	wait_shared(a.map + psz, a.map + 5 * psz);
	wait_counters(1, 2);
	merge_stop();
	pf_write(&a, psz + 5, 5, 10);
	pf_check(&a);
	must_share(a.map + 3 * psz, a.map + 5 * psz);
	pf_store(&a, a.map, 5 * psz + 9, 3, 11);
	pf_check(&a);
	must_not_share(a.map + 3 * psz, a.map + 5 * psz);
	must_not_share(a.map + psz, a.map + 5 * psz);
	pf_check_cold(&a);
}

static void append_after_tail(void)
{
	struct pfile a, b;

	pf_new(&a, "a", 2);
	pf_new(&b, "b", 3);
	pf_page(&a, 0, 1);
	pf_page(&a, 1, 2);
	pf_page(&b, 0, 3);
	pf_page(&b, 1, 4);
	pf_size(&a, psz + 700);
	memcpy(b.shadow + 2 * psz, a.shadow + psz, psz);
	pf_size(&b, 2 * psz + 700);
	pf_commit(&a);
	pf_commit(&b);
	pf_map(&a, PROT_READ, MAP_SHARED);
	pf_map(&b, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, b.map + 2 * psz);
	merge_stop();
	pf_write(&a, a.size, 3000, 10);
	must_not_share(a.map + psz, b.map + 2 * psz);
	pf_check(&a);
	pf_check(&b);
	pf_check_cold(&a);
	pf_check_cold(&b);
}

static void store_shared(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_store(&p.a, p.a.map, psz + 10, 1, 50);
	broken(&p);
}

static void store_shared_whole_page(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_store(&p.a, p.a.map, psz, psz, 50);
	broken(&p);
}

static void store_both_files(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_store(&p.a, p.a.map, psz + 10, 1, 50);
	pf_store(&p.b, p.b.map, 3 * psz + 20, 2, 51);
	broken(&p);
}

/* The storing process never read the page: the fault is a write fault. */
static void store_without_read(void)
{
	struct pair p;
	void *second;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	second = mmap(NULL, PAIR_PAGES * psz, PROT_READ | PROT_WRITE,
		      MAP_SHARED, p.a.fd, 0);
	REQ(second != MAP_FAILED);
	pf_store(&p.a, second, psz + 10, 5, 50);
	broken(&p);
}

/* The page was dirtied through the mapping before: its pte was writable once. */
static void store_then_merge_then_store(void)
{
	struct pair p;

	needs_writeback();
	pair_new(&p);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_store(&p.a, p.a.map, psz, psz, 50);
	pf_store(&p.b, p.b.map, 3 * psz, psz, 50);
	REQ(memcmp(p.a.shadow + psz, p.b.shadow + 3 * psz, psz) == 0);
	REQ(OP(fsync(p.a.fd)) == 0);
	REQ(OP(fsync(p.b.fd)) == 0);
	pair_merge(&p);
	pf_store(&p.a, p.a.map, psz + 4095, 1, 51);
	broken(&p);
}

static void child_reads(struct pfile *f, int cmd, int answer)
{
	unsigned char *map;
	char c;

	map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (map == MAP_FAILED)
		_exit(1);
	for (;;) {
		if (read(cmd, &c, 1) != 1)
			_exit(0);
		/* the parent's shadow is not seen here: send the page back */
		if (write(answer, map + (size_t)c * psz, psz) != (ssize_t)psz)
			_exit(1);
	}
}

static void ask(int cmd, int answer, struct pfile *f, char page)
{
	static unsigned char buf[65536];
	size_t n = 0;
	ssize_t got;

	REQ(write(cmd, &page, 1) == 1);
	while (n < psz) {
		op_begin("answer of the reading process");
		got = read(answer, buf + n, psz - n);
		op_end();
		REQ(got > 0);
		n += got;
	}
	if (memcmp(buf, f->shadow + page * psz, psz))
		FAIL("another process sees wrong bytes of %s page %d",
		     strrchr(f->path, '/') + 1, page);
}

/* Another process has the page mapped read-only all the time. */
static void store_seen_by_other_process(void)
{
	int ca[2], aa[2], cb[2], ab[2];
	struct pair p;
	pid_t pa, pb;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(!pipe(ca) && !pipe(aa) && !pipe(cb) && !pipe(ab));
	pa = fork();
	if (!pa)
		child_reads(&p.a, ca[0], aa[1]);
	pb = fork();
	if (!pb)
		child_reads(&p.b, cb[0], ab[1]);
	ask(ca[1], aa[0], &p.a, 1);
	ask(cb[1], ab[0], &p.b, 3);
	pf_store(&p.a, p.a.map, psz + 1, 1, 50);
	ask(ca[1], aa[0], &p.a, 1);
	ask(cb[1], ab[0], &p.b, 3);
	pf_store(&p.b, p.b.map, 3 * psz + 1, 1, 51);
	ask(ca[1], aa[0], &p.a, 1);
	ask(cb[1], ab[0], &p.b, 3);
	pf_write(&p.a, 2 * psz + 1, 1, 52);
	ask(ca[1], aa[0], &p.a, 2);
	ask(cb[1], ab[0], &p.b, 4);
	kill(pa, SIGKILL);
	kill(pb, SIGKILL);
	pair_check(&p);
}

/* Copy on write of a private mapping touches no file. */
static void store_private(void)
{
	struct pair p;
	unsigned char old;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	old = p.a.shadow[psz];
	op_store(p.a.map + psz, old ^ 0xff);
	REQ(p.a.map[psz] == (unsigned char)(old ^ 0xff));
	REQ(!memcmp(p.a.map + psz + 1, p.a.shadow + psz + 1, psz - 1));
	REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_still_shared(&p, 1);
	/* the page cache still shares all three */
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pair_check(&p);
	REQ(p.a.map[psz] == (unsigned char)(old ^ 0xff));
}

/* A private mapping sees later writes to the file until it is written to. */
static void private_map_sees_write(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pf_write(&p.a, psz + 3, 4, 50);
	REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
	REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	pair_check(&p);
}

/* Written, written back, merged again at the new content. */
static void write_and_merge_again(void)
{
	struct pair p;
	int i;

	needs_writeback();
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	for (i = 0; i < 5; i++) {
		if (i & 1) {
			pf_write(&p.a, psz, psz, 60 + i);
			pf_store(&p.b, p.b.map, 3 * psz, psz, 60 + i);
		} else {
			pf_store(&p.a, p.a.map, psz, psz, 60 + i);
			pf_write(&p.b, 3 * psz, psz, 60 + i);
		}
		must_not_share(p.a.map + psz, p.b.map + 3 * psz);
		REQ(OP(fsync(p.a.fd)) == 0);
		REQ(OP(fsync(p.b.fd)) == 0);
		merge_start();
		wait_shared(p.a.map + psz, p.b.map + 3 * psz);
		merge_stop();
		pf_check(&p.a);
		pf_check(&p.b);
	}
	pair_check(&p);
}

/* Dirty pages are left alone: the file system has not seen them yet. */
static void dirty_not_merged(void)
{
	struct pair p;

	needs_writeback();
	if (on_tmpfs())
		pxa_skip("pages of tmpfs are always dirty");
	pair_new(&p);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	write_str("/proc/sys/vm/dirty_writeback_centisecs", "0");
	pf_store(&p.a, p.a.map, 0, psz, 70);
	pf_store(&p.b, p.b.map, psz, psz, 70);
	merge_start();
	wait_shared(p.a.map + psz, p.b.map + 3 * psz);
	merge_settle();
	must_not_share(p.a.map, p.b.map + psz);
	write_str("/proc/sys/vm/dirty_writeback_centisecs", "500");
	REQ(OP(fsync(p.a.fd)) == 0);
	REQ(OP(fsync(p.b.fd)) == 0);
	wait_shared(p.a.map, p.b.map + psz);
	merge_stop();
	pair_check(&p);
}

/* ksmd runs hot while both files are written in turn. */
static void write_under_ksmd(void)
{
	double end = now() + 5;
	struct pair p;
	int i = 0;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	for (; now() < end; i++) {
		pf_write(&p.a, psz, psz, 100 + i % 7);
		pf_store(&p.b, p.b.map, 3 * psz, psz, 100 + i % 7);
		OP(fsync(p.a.fd));
		OP(fsync(p.b.fd));
		msleep(i % 4);
		pf_store(&p.a, p.a.map, psz + i % psz, 1, 200 + i);
		REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
		pf_write(&p.b, 3 * psz + i % psz, 1, 300 + i);
		REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
		REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	}
	merge_stop();
	pair_check(&p);
}

static const struct pxa_test tests[] = {
	{ "write_whole_page", write_whole_page, 0 },
	{ "write_part_of_page", write_part_of_page, 0 },
	{ "write_first_and_last_byte", write_first_and_last_byte, 0 },
	{ "write_across_pages", write_across_pages, 0 },
	{ "write_same_bytes", write_same_bytes, 0 },
	{ "write_unmapped", write_unmapped, 0 },
	{ "write_both_files", write_both_files, 0 },
	{ "write_inside_one_file", write_inside_one_file, 0 },
	{ "append_after_tail", append_after_tail, 0 },
	{ "store_shared", store_shared, 0 },
	{ "store_shared_whole_page", store_shared_whole_page, 0 },
	{ "store_both_files", store_both_files, 0 },
	{ "store_without_read", store_without_read, 0 },
	{ "store_then_merge_then_store", store_then_merge_then_store, 0 },
	{ "store_seen_by_other_process", store_seen_by_other_process, 0 },
	{ "store_private", store_private, 0 },
	{ "private_map_sees_write", private_map_sees_write, 0 },
	{ "write_and_merge_again", write_and_merge_again, 0 },
	{ "dirty_not_merged", dirty_not_merged, 0 },
	{ "write_under_ksmd", write_under_ksmd, 0 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
