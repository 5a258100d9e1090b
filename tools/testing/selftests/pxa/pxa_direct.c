// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O around merged pages: the file as target, mappings of merged pages
 * as source and as destination.
 */
#include "pxa_util.h"
#include <sys/uio.h>

static void no_direct(struct pfile *f)
{
	int fd = open(f->path, O_RDWR | O_DIRECT);

	if (fd < 0)
		pxa_skip("no O_DIRECT on this filesystem");
	close(fd);
}

static void write_mapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_write_direct(&p.a, psz, psz, 50);
	/* the mapping was read before: it must not show the old page */
	REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
	pf_check(&p.a);
	pf_check(&p.b);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, PAIR_SHARED - 1);
	pair_still_shared(&p, 1);
	pair_check(&p);
}

static void write_mapped_private(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pf_write_direct(&p.a, psz, psz, 50);
	REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
	REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	pair_check(&p);
}

static void write_unmapped(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	pf_write_direct(&p.b, 2 * psz, 3 * psz, 50);
	pf_check(&p.a);
	pf_check(&p.b);
	check_counters(-1, 1);
	pair_check(&p);
}

static void write_all_pages(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pf_write_direct(&p.a, 0, PAIR_PAGES * psz, 50);
	REQ(!memcmp(p.a.map, p.a.shadow, PAIR_PAGES * psz));
	check_counters(-1, 0);
	pair_check(&p);
}

/* A part of a page: the rest of it comes from the disk again. */
static void write_one_block(void)
{
	struct pair p;
	struct stat st;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	no_direct(&p.a);
	REQ(fstat(p.a.fd, &st) == 0);
	if ((size_t)st.st_blksize >= psz)
		pf_write_direct(&p.a, psz, psz, 50);
	else
		pf_write_direct(&p.a, psz + st.st_blksize, st.st_blksize, 50);
	REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
	pair_check(&p);
}

/* The page cache is bypassed by the read, not changed. */
static void read_of_merged(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_check_direct(&p.a);
	pf_check_direct(&p.b);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pair_still_shared(&p, -1);
	pair_check(&p);
}

/* The kernel stores into a merged page through a pinned shared mapping. */
static void read_into_shared_mapping(void)
{
	struct pfile c;
	struct pair p;
	int fd;

	pair_new(&p);
	pf_new(&c, "c", 4);
	pf_page(&c, 0, 91);
	pf_page(&c, 1, 92);
	pf_page(&c, 2, 93);
	pf_page(&c, 3, 94);
	pf_commit(&c);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pair_merge(&p);
	no_direct(&c);
	fd = open(c.path, O_RDONLY | O_DIRECT);
	REQ(fd >= 0);
	REQ(OP(pread(fd, p.a.map + psz, 2 * psz, psz)) == (ssize_t)(2 * psz));
	memcpy(p.a.shadow + psz, c.shadow + psz, 2 * psz);
	pf_check(&p.a);
	pf_check(&p.b);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, PAIR_SHARED - 2);
	pair_check(&p);
	pf_check_cold(&c);
}

static void read_into_private_mapping(void)
{
	struct pfile c;
	struct pair p;
	int fd;

	pair_new(&p);
	pf_new(&c, "c", 2);
	pf_page(&c, 0, 91);
	pf_page(&c, 1, 92);
	pf_commit(&c);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	pair_merge(&p);
	no_direct(&c);
	fd = open(c.path, O_RDONLY | O_DIRECT);
	REQ(fd >= 0);
	REQ(OP(pread(fd, p.a.map + psz, psz, 0)) == (ssize_t)psz);
	REQ(!memcmp(p.a.map + psz, c.shadow, psz));
	REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	pair_check(&p);
}

/* read(2) into a merged mapping: the copy faults instead of pinning. */
static void buffered_read_into_mapping(void)
{
	struct pfile c;
	struct pair p;

	pair_new(&p);
	pf_new(&c, "c", 2);
	pf_page(&c, 0, 91);
	pf_page(&c, 1, 92);
	pf_commit(&c);
	pair_map(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pair_merge(&p);
	REQ(OP(pread(c.fd, p.a.map + psz, psz, psz)) == (ssize_t)psz);
	memcpy(p.a.shadow + psz, c.shadow + psz, psz);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

/*
 * The same for a part of a page, which is one access: one fault that ends the sharing
 * is not enough, the file has to hear of the store.
 */
static void buffered_read_into_part(void)
{
	struct pfile c;
	struct pair p;

	pf_new(&c, "c", 2);
	pf_page(&c, 1, 92);
	pf_commit(&c);
	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(OP(pread(c.fd, p.a.map + psz + 100, 1000, psz)) == 1000);
	memcpy(p.a.shadow + psz + 100, c.shadow + psz, 1000);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	REQ(OP(pread(c.fd, p.b.map + 3 * psz + 200, 10, psz)) == 10);
	memcpy(p.b.shadow + 3 * psz + 200, c.shadow + psz, 10);
	pair_check(&p);
}

/* A file is read into a mapping of a page that it shares itself. */
static void read_into_own_mapping(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(OP(pread(p.a.fd, p.a.map + psz, psz, 2 * psz)) == (ssize_t)psz);
	memcpy(p.a.shadow + psz, p.a.shadow + 2 * psz, psz);
	REQ(OP(pread(p.a.fd, p.b.map + 4 * psz, psz, 5 * psz)) == (ssize_t)psz);
	memcpy(p.b.shadow + 4 * psz, p.a.shadow + 5 * psz, psz);
	pair_check(&p);
}

/* A merged page as the source of a write, buffered and direct. */
static void write_from_mapping(void)
{
	struct pfile c;
	struct pair p;
	int fd;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pf_new(&c, "c", 4);
	pf_commit(&c);
	no_direct(&c);
	fd = open(c.path, O_WRONLY | O_DIRECT);
	REQ(fd >= 0);
	REQ(OP(pwrite(fd, p.b.map + 3 * psz, 2 * psz, 0)) == (ssize_t)(2 * psz));
	memcpy(c.shadow, p.b.shadow + 3 * psz, 2 * psz);
	REQ(OP(pwrite(c.fd, p.a.map + 5 * psz, psz, 2 * psz)) == (ssize_t)psz);
	memcpy(c.shadow + 2 * psz, p.a.shadow + 5 * psz, psz);
	pf_check_cold(&c);
	pair_check(&p);
}

/* A file written with the bytes of the page that both of them share. */
static void write_from_own_mapping(void)
{
	struct pair p;
	int fd;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	no_direct(&p.a);
	REQ(OP(pwrite(p.a.fd, p.b.map + 3 * psz, psz, 2 * psz)) == (ssize_t)psz);
	memcpy(p.a.shadow + 2 * psz, p.b.shadow + 3 * psz, psz);
	REQ(OP(pwrite(p.b.fd, p.a.map + 5 * psz, psz, 6 * psz)) == (ssize_t)psz);
	fd = open(p.b.path, O_WRONLY | O_DIRECT);
	REQ(fd >= 0);
	REQ(OP(pwrite(fd, p.a.map + psz, psz, 0)) == (ssize_t)psz);
	memcpy(p.b.shadow, p.a.shadow + psz, psz);
	pair_check(&p);
}

static void process_vm(void)
{
	static char buf[65536];
	struct iovec local = { buf, psz }, remote;
	struct pair p;
	pid_t pid;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	remote.iov_base = p.b.map + 3 * psz;
	remote.iov_len = psz;
	if (OP(process_vm_readv(pid, &local, 1, &remote, 1, 0)) != (ssize_t)psz) {
		kill(pid, SIGKILL);
		if (errno == ENOSYS)
			pxa_skip("no process_vm_readv");
		FAIL("process_vm_readv: %s", strerror(errno));
	}
	REQ(!memcmp(buf, p.b.shadow + 3 * psz, psz));
	/* It pins the page, even if only to read. */
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	check_counters(-1, PAIR_SHARED - 1);
	pair_still_shared(&p, 1);
	fill(buf, psz, 50);
	remote.iov_base = p.a.map + psz;
	REQ(OP(process_vm_writev(pid, &local, 1, &remote, 1, 0)) == (ssize_t)psz);
	memcpy(p.a.shadow + psz, buf, psz);
	kill(pid, SIGKILL);
	must_not_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_check(&p);
}

/* A debugger pokes into a merged page of a mapping that is read-only. */
static void proc_mem(void)
{
	struct pair p;
	int fd;

	pair_setup(&p, PROT_READ, MAP_PRIVATE);
	fd = open("/proc/self/mem", O_RDWR);
	REQ(fd >= 0);
	op_begin("write to /proc/self/mem");
	REQ(pwrite(fd, "poke", 4, (uintptr_t)(p.a.map + psz)) == 4);
	op_end();
	REQ(!memcmp(p.a.map + psz, "poke", 4));
	REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	pair_check(&p);
}

/* Direct writes and stores in turn with ksmd running. */
static void under_ksmd(void)
{
	double end = now() + 5;
	struct pair p;
	int i;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	for (i = 0; now() < end; i++) {
		pf_write_direct(&p.a, psz, psz, 100 + i % 5);
		REQ(!memcmp(p.a.map + psz, p.a.shadow + psz, psz));
		pf_write_direct(&p.b, 3 * psz, psz, 100 + i % 5);
		REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
		msleep(i % 6);
		if (i % 3 == 0) {
			pf_store(&p.a, p.a.map, psz + i % psz, 1, 200 + i);
			REQ(OP(fsync(p.a.fd)) == 0);
		}
		REQ(!memcmp(p.b.map + 3 * psz, p.b.shadow + 3 * psz, psz));
	}
	merge_stop();
	pair_check(&p);
}

static const struct pxa_test tests[] = {
	{ "write_mapped", write_mapped, 0 },
	{ "write_mapped_private", write_mapped_private, 0 },
	{ "write_unmapped", write_unmapped, 0 },
	{ "write_all_pages", write_all_pages, 0 },
	{ "write_one_block", write_one_block, 0 },
	{ "read_of_merged", read_of_merged, 0 },
	{ "read_into_shared_mapping", read_into_shared_mapping, 0 },
	{ "read_into_private_mapping", read_into_private_mapping, 0 },
	{ "buffered_read_into_mapping", buffered_read_into_mapping, 0 },
	{ "buffered_read_into_part", buffered_read_into_part, 0 },
	{ "read_into_own_mapping", read_into_own_mapping, 0 },
	{ "write_from_mapping", write_from_mapping, 0 },
	{ "write_from_own_mapping", write_from_own_mapping, 0 },
	{ "process_vm", process_vm, 0 },
	{ "proc_mem", proc_mem, 0 },
	{ "under_ksmd", under_ksmd, 0 },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
