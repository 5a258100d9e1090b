// SPDX-License-Identifier: GPL-2.0
/*
 * Merged pages in memory that fails, moves to another node or goes offline, with a
 * breakpoint, and where khugepaged would have a huge page.
 *
 * Needs CONFIG_MEMORY_FAILURE, two nodes with memory (numa=fake=2 will do), memory
 * that can go offline, CONFIG_UPROBE_EVENTS and CONFIG_READ_ONLY_THP_FOR_FS; says of
 * each what it does not find.  Memory that failed on purpose is lost until the next
 * boot.
 */
#include <elf.h>
#include <linux/mempolicy.h>
#include <sys/ioctl.h>

#include "pxa_util.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static volatile sig_atomic_t buses;

static void on_bus(int sig)
{
	(void)sig;
	buses++;
}

/* Who only reads clean data is not told: it is on the disk. */
static void no_sigbus(void)
{
	struct sigaction sa = { .sa_handler = on_bus };

	REQ(sigaction(SIGBUS, &sa, NULL) == 0);
}

static void hw_advise(void *addr, int advice, const char *what, int also)
{
	if (OP(madvise(addr, psz, advice)) == 0 || errno == also)
		return;
	if (errno == EINVAL || errno == EPERM)
		pxa_skip("%s: %s", what, strerror(errno));
	FAIL("%s: %s", what, strerror(errno));
}

static void needs_disk(void)
{
	if (on_tmpfs())
		pxa_skip("no other copy on this filesystem");
}

/* An error in a page of two files: both are read again, nobody is killed. */
static void memory_failure(void)
{
	struct pair p;

	needs_disk();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	no_sigbus();
	hw_advise(p.a.map + psz, MADV_HWPOISON, "MADV_HWPOISON", 0);
	REQ(!buses);
	REQ(op_load(p.a.map + psz) == p.a.shadow[psz]);
	REQ(op_load(p.b.map + 3 * psz) == p.b.shadow[3 * psz]);
	REQ(!buses);
	must_not_ksm(p.a.map + psz);
	must_not_ksm(p.b.map + 3 * psz);
	check_counters(pxa_expect ? PAIR_SHARED - 1 : 0,
		       pxa_expect ? PAIR_SHARED - 1 : 0);
	pair_check(&p);
	/* what was read again is an ordinary page, and merges */
	merge_start();
	wait_counters(PAIR_SHARED, PAIR_SHARED);
	merge_stop();
	pair_check(&p);
}

/* The same for a page that is locked in memory and mapped by a child, too. */
static void memory_failure_mlock(void)
{
	struct pair p;
	int status;
	pid_t pid;

	needs_disk();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(OP(mlock(p.b.map, p.b.map_len)) == 0);
	no_sigbus();
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		hw_advise(p.b.map + 4 * psz, MADV_HWPOISON, "MADV_HWPOISON",
			  0);
		_exit(buses || p.b.map[4 * psz] != p.b.shadow[4 * psz]);
	}
	op_begin("child");
	REQ(waitpid(pid, &status, 0) == pid);
	op_end();
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP)
		pxa_skip("no MADV_HWPOISON");
	REQ(status == 0);
	REQ(op_load(p.a.map + 2 * psz) == p.a.shadow[2 * psz]);
	REQ(!buses);
	pair_check(&p);
}

/* Pages that failed while a pipe has one keep their content there. */
static void memory_failure_pipe(void)
{
	loff_t at = psz;
	unsigned char *got = malloc(psz);
	struct pair p;
	int fds[2];

	needs_disk();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(got && pipe(fds) == 0);
	REQ(OP(splice(p.a.fd, &at, fds[1], NULL, psz, 0)) == (ssize_t)psz);
	no_sigbus();
	hw_advise(p.b.map + 3 * psz, MADV_HWPOISON, "MADV_HWPOISON", EBUSY);
	REQ(!buses);
	/* the error was an invention, so the memory still has what it had */
	REQ(OP(read(fds[0], got, psz)) == (ssize_t)psz);
	REQ(!memcmp(got, p.a.shadow + psz, psz));
	pair_check(&p);
	close(fds[0]);
	close(fds[1]);
	free(got);
}

/*
 * Of shmem there is no other copy: those who share the page lose it. Who has it
 * mapped gets a signal, who comes later finds a hole. Nothing else is lost.
 */
static void memory_failure_shmem(void)
{
	struct pair p;

	if (!on_tmpfs())
		pxa_skip("only of memory that is not on a disk");
	pair_setup(&p, PROT_READ, MAP_SHARED);
	hw_advise(p.a.map + psz, MADV_HWPOISON, "MADV_HWPOISON", 0);
	must_sigbus(p.a.map + psz);
	memset(p.a.shadow + psz, 0, psz);
	if (pxa_expect) {
		must_sigbus(p.b.map + 3 * psz);
		memset(p.b.shadow + 3 * psz, 0, psz);
	}
	check_counters(pxa_expect ? PAIR_SHARED - 1 : 0,
		       pxa_expect ? PAIR_SHARED - 1 : 0);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	pair_check(&p);
	pf_write(&p.a, psz, psz, 7);
	pf_write(&p.b, 3 * psz, psz, 7);
	pair_map(&p, PROT_READ, MAP_SHARED);
	merge_start();
	wait_counters(PAIR_SHARED, PAIR_SHARED);
	merge_stop();
	pair_check(&p);
}

/* Memory that is about to fail: pages move, and stay shared. */
static void soft_offline(void)
{
	struct pair p;
	uint64_t pfn;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	pfn = page_pfn(p.a.map + psz);
	hw_advise(p.a.map + psz, MADV_SOFT_OFFLINE, "MADV_SOFT_OFFLINE", 0);
	REQ(op_load(p.a.map + psz) == p.a.shadow[psz]);
	REQ(op_load(p.b.map + 3 * psz) == p.b.shadow[3 * psz]);
	REQ(page_pfn(p.a.map + psz) != pfn);
	REQ(page_pfn(p.b.map + 3 * psz) != pfn);
	pair_still_shared(&p, -1);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	pair_check(&p);
}

/* ----------------------------------------------------------------- nodes -- */

static long node_of(void *addr)
{
	int status = -ENOENT;

	if (syscall(__NR_move_pages, 0, 1UL, &addr, NULL, &status, 0)) {
		if (errno == ENOSYS)
			pxa_skip("no move_pages");
		FAIL("move_pages: %s", strerror(errno));
	}
	return status;
}

static int other_node(void *addr)
{
	char path[64];
	long node = node_of(addr);

	REQ(node >= 0);
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
		 node ? 0 : 1);
	if (access(path, F_OK))
		pxa_skip("one node only");
	return node ? 0 : 1;
}

static void move_to(void *addr, int node)
{
	int status = -ENOENT;

	/* a page of several processes is moved for the administrator only */
	REQ(OP(syscall(__NR_move_pages, 0, 1UL, &addr, &node, &status,
		       MPOL_MF_MOVE_ALL)) == 0);
	if (status != node)
		FAIL("the page is not on node %d: %d", node, status);
}

static void move_pages_node(void)
{
	struct pair p;
	uint64_t pfn;
	int i, node;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	for (i = 0; i < 10; i++) {
		pfn = page_pfn(p.a.map + psz);
		node = other_node(p.a.map + psz);
		move_to(p.a.map + psz, node);
		REQ(op_load(p.b.map + 3 * psz) == p.b.shadow[3 * psz]);
		REQ(page_pfn(p.b.map + 3 * psz) != pfn);
		REQ(node_of(p.b.map + 3 * psz) == node);
		pair_still_shared(&p, -1);
		check_counters(PAIR_SHARED, PAIR_SHARED);
	}
	pf_store(&p.b, mmap(NULL, p.b.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    p.b.fd, 0), 3 * psz, 3, 50);
	pair_check(&p);
}

static void mbind_node(void)
{
	unsigned long mask;
	struct pair p;
	int node;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	node = other_node(p.a.map + 5 * psz);
	mask = 1UL << node;
	if (OP(syscall(__NR_mbind, p.a.map, p.a.map_len, MPOL_BIND, &mask,
		       8 * sizeof(mask), MPOL_MF_MOVE_ALL)) && errno == ENOSYS)
		pxa_skip("no mbind");
	pf_check(&p.a);
	pf_check(&p.b);
	pair_still_shared(&p, -1);
	pair_check(&p);
}

/*
 * With merge_across_nodes=0 only pages of one node are merged, and a shared page that
 * moves to another node is found by the pages there.
 */
static void nodes_apart(void)
{
	struct pfile f;
	int node;

	pf_new(&f, "f", 6);
	pf_page(&f, 0, 1);
	pf_page(&f, 2, 1);
	pf_page(&f, 4, 1);
	pf_commit(&f);
	pf_map(&f, PROT_READ, MAP_SHARED);
	pf_check(&f);
	node = other_node(f.map);
	move_to(f.map, node);
	move_to(f.map + 2 * psz, node);
	move_to(f.map + 4 * psz, !node);
	unmerge_all();
	REQ(ksm_write("merge_across_nodes", 0) == 0);
	merge_start();
	if (pxa_expect)
		wait_shared(f.map, f.map + 2 * psz);
	merge_settle();
	must_not_share(f.map, f.map + 4 * psz);
	merge_stop();
	if (pxa_expect)
		REQ(ksm_write("merge_across_nodes", 1) == -EBUSY);

	move_to(f.map, !node);
	merge_start();
	if (pxa_expect)
		wait_shared(f.map, f.map + 4 * psz);
	merge_stop();
	pf_check(&f);
	unmerge_all();
	REQ(ksm_write("merge_across_nodes", 1) == 0);
}

/* One that ksmd has seen before merge_across_nodes became 0 is still where it is. */
static void nodes_apart_late(void)
{
	struct pfile f;

	pf_new(&f, "f", 3);
	pf_page(&f, 0, 1);
	pf_page(&f, 2, 1);
	pf_commit(&f);
	pf_map(&f, PROT_READ, MAP_SHARED);
	pf_check(&f);
	/* its digest has the number of the node, which was none before */
	other_node(f.map);
	move_to(f.map, 1);
	move_to(f.map + 2 * psz, 0);
	REQ(madvise(f.map + 2 * psz, psz, MADV_UNMERGEABLE) == 0);
	merge_start();
	merge_settle();
	merge_stop();
	REQ(ksm_write("merge_across_nodes", 0) == 0);
	REQ(madvise(f.map + 2 * psz, psz, MADV_MERGEABLE) == 0);
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(f.map, f.map + 2 * psz);
	pf_check(&f);
	unmerge_all();
	REQ(ksm_write("merge_across_nodes", 1) == 0);
}

/* --------------------------------------------------------------- offline -- */

#define MEMORY "/sys/devices/system/memory/"
#define OFFLINE_SECONDS	60
#define OFFLINE_TRIES	6

/* The block of memory that has the page goes; false if it can't. */
static bool offline(uint64_t pfn, char *block, size_t len)
{
	char text[64];
	int err;

	if (read_str(MEMORY "block_size_bytes", text, sizeof(text)))
		pxa_skip("no memory hotplug");
	snprintf(block, len, MEMORY "memory%llu/state", (unsigned long long)
		 (pfn * psz / strtoull(text, NULL, 16)));
	op_begin("offline");
	alarm(OFFLINE_SECONDS);
	err = write_str(block, "offline");
	op_end();
	if (err)
		ksft_print_msg("%s: %s\n", block, strerror(-err));
	return !err;
}

/*
 * Until this process ends.  The end of a node is taken first, where a block often has
 * holes, or pages of two nodes, and can't go.
 */
static void take_memory(int node)
{
	unsigned long mask = 1UL << node;
	size_t len = 64 << 20;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	REQ(mem != MAP_FAILED);
	REQ(syscall(__NR_mbind, mem, len, MPOL_PREFERRED, &mask, 8 * sizeof(mask),
		    0) == 0);
	memset(mem, 1, len);
}

/* Shared pages are where all pages of files are: in memory that may go. */
static void memory_offline(void)
{
	char block[128];
	struct pair p;
	uint64_t pfn;
	int i, node;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	for (i = 0; i < OFFLINE_TRIES; i++) {
		pfn = page_pfn(p.a.map + psz);
		if (offline(pfn, block, sizeof(block)))
			break;
		node = other_node(p.a.map + psz);
		take_memory(node);
		move_to(p.a.map + psz, node);
	}
	if (i == OFFLINE_TRIES)
		pxa_skip("the memory that has the page does not go offline");
	REQ(page_pfn(p.a.map + psz) != pfn);
	REQ(page_pfn(p.b.map + 3 * psz) != pfn);
	pair_still_shared(&p, -1);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	REQ(write_str(block, "online_movable") == 0 ||
	    write_str(block, "online") == 0);
	pair_check(&p);
}

/* ------------------------------------------------------------------- pins -- */

#define GUP "/sys/kernel/debug/gup_benchmark"

struct gup_benchmark {
	__u64 get_delta_usec, put_delta_usec, addr, size;
	__u32 nr_pages_per_call, flags;
	__u64 expansion[10];
};

/* Numbers of ioctl() */
enum { GUP_FAST = 1, PIN_FAST = 3, PIN_FAST_5_9 = 4, PIN_LONGTERM = 5 };

/* Pages from addr on are pinned by the kernel, and let go. */
static void pin(int fd, int what, void *addr, size_t pages)
{
	struct gup_benchmark gup = {
		.addr = (unsigned long)addr,
		.size = pages * psz,
		.nr_pages_per_call = pages,
	};

	REQ(OP(ioctl(fd, _IOWR('g', what, struct gup_benchmark), &gup)) == 0);
	REQ(gup.size == pages * psz);
}

/* A page that is pinned is no longer shared: who pins it may wait for changes of it. */
static void pin_unshares(void)
{
	bool old = before_5_10();
	int fd = open(GUP, O_RDWR);
	struct pair p;

	if (fd < 0)
		pxa_skip("no " GUP);
	pair_setup(&p, PROT_READ, MAP_SHARED);
	/* a mere reference leaves it */
	pin(fd, GUP_FAST, p.a.map, p.a.size / psz);
	pair_still_shared(&p, -1);
	check_counters(PAIR_SHARED, PAIR_SHARED);

	pin(fd, old ? PIN_FAST_5_9 : PIN_FAST, p.a.map + psz, 1);
	must_not_ksm(p.a.map + psz);
	if (!old) {
		pin(fd, PIN_LONGTERM, p.b.map + 5 * psz, 1);
		must_not_ksm(p.b.map + 5 * psz);
	}
	pair_check(&p);
	close(fd);
}

/* --------------------------------------------------------------- uprobes -- */

#define TRACING "/sys/kernel/tracing/"
#define EVENT "pxa_test/hit"

/* mov $42, %eax; ret */
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

static void code_file(struct pfile *f, const char *name, unsigned long other)
{
	pf_new(f, name, 2);
	pf_page(f, 0, other);
	pf_page(f, 1, 7);
	memcpy(f->shadow + psz, code, sizeof(code));
	pf_commit(f);
	pf_map(f, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static int call(struct pfile *f)
{
	return ((int (*)(void))(f->map + psz))();
}

static long hits(void)
{
	char text[1000] = "", *word;

	REQ(read_str(TRACING "uprobe_profile", text, sizeof(text)) == 0);
	word = strstr(text, " hit ");
	return word ? atol(word + 5) : -1;
}

/* A breakpoint in one file is not in the other. */
static void uprobe(void)
{
	char text[700];
	struct pfile a, b;
	/* of shmem the kernel reads the instruction from an ordinary page */
	bool shared = pxa_expect && !on_tmpfs();

#ifndef __x86_64__
	pxa_skip("code for x86-64 only");
#endif
	if (access(TRACING "uprobe_events", W_OK))
		pxa_skip("no " TRACING "uprobe_events");
	code_file(&a, "a", 1);
	code_file(&b, "b", 2);
	merge_start();
	if (pxa_expect)
		wait_shared(a.map + psz, b.map + psz);
	merge_stop();
	REQ(call(&a) == 42);

	snprintf(text, sizeof(text), "p:" EVENT " %s:%zu", a.path, psz);
	REQ(write_str(TRACING "uprobe_events", text) == 0);
	REQ(write_str(TRACING "events/" EVENT "/enable", "1") == 0);
	REQ(op_load(a.map + psz) != code[0]);
	REQ(op_load(b.map + psz) == code[0]);
	REQ(call(&a) == 42);
	REQ(call(&b) == 42);
	REQ(hits() == 1);
	pf_check(&a);
	pf_check(&b);
	if (!on_tmpfs())
		check_counters(shared, shared);

	REQ(write_str(TRACING "events/" EVENT "/enable", "0") == 0);
	REQ(write_str(TRACING "uprobe_events", "-:" EVENT) == 0);
	REQ(call(&a) == 42);
	REQ(op_load(a.map + psz) == code[0]);
	if (shared)
		must_share(a.map + psz, b.map + psz);
	pf_check(&a);
	pf_check(&b);
}

/* ------------------------------------------------------------- huge pages -- */

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define HUGE	(2UL << 20)
#define HUGE_SECONDS 40

/* In bytes; -1: no such line */
static long meminfo(const char *name)
{
	char text[4096], *line;

	REQ(read_str("/proc/meminfo", text, sizeof(text)) == 0);
	line = strstr(text, name);
	return line ? atol(line + strlen(name)) << 10 : -1;
}

static long khugepaged_passes(void)
{
	char text[32];

	REQ(read_str(THP "khugepaged/full_scans", text, sizeof(text)) == 0);
	return atol(text);
}

/* All memory without pause; or nothing any more, after what it is about to do */
static void khugepaged_runs(bool on)
{
	double end = now() + HUGE_SECONDS;
	long last = khugepaged_passes() + (on ? 3 : 1);

	REQ(write_str(THP "khugepaged/scan_sleep_millisecs", on ? "10" : "100000000") == 0);
	while (khugepaged_passes() < last) {
		REQ(now() < end);
		msleep(10);
	}
}

/* It wakes up for the first process that wants huge pages: that is this one. */
static void khugepaged_begin(void)
{
	unsigned char *p;

	if (write_str(THP "enabled", "madvise"))
		pxa_skip("no huge pages");
	REQ(write_str(THP "khugepaged/pages_to_scan", "100000") == 0);
	REQ(write_str(THP "khugepaged/alloc_sleep_millisecs", "10") == 0);
	p = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(p != MAP_FAILED);
	op_store(p, 1);
	REQ(madvise(p, 2 * HUGE, MADV_HUGEPAGE) == 0);
	khugepaged_runs(false);
}

/* What khugepaged makes of two files that share pages, and what when they do not. */
static void huge_pages(const char *kind, struct pfile *f, struct pfile *g)
{
	long before = meminfo(kind);
	double end;

	khugepaged_runs(true);
	pf_check(f);
	pf_check(g);
	if (pxa_expect) {
		check_counters(2, 2);
		REQ(meminfo(kind) == before);
		unmerge_all();
	}

	for (end = now() + HUGE_SECONDS; meminfo(kind) < before + (long)(2 * HUGE);
	     msleep(10))
		REQ(now() < end);
	khugepaged_runs(false);
	pf_check(f);
	pf_check(g);

	/* nor is a part of a huge page merged */
	merge_start();
	merge_settle();
	merge_stop();
	check_counters(0, 0);
	pf_check(f);
	pf_check(g);
}

/* A page in each half of f that is somewhere else, too */
static void huge_pair(struct pfile *f, struct pfile *g, const char *dir)
{
	char path[512];
	size_t i;

	snprintf(path, sizeof(path), "%s/f", dir);
	pf_new_at(f, path, 2 * HUGE / psz);
	for (i = 0; i < 2 * HUGE / psz; i++)
		pf_page(f, i, 1000 + i);
	snprintf(path, sizeof(path), "%s/g", dir);
	pf_new_at(g, path, 2);
	pf_page(g, 0, 1);
	pf_page(g, 1, 2);
	pf_page(f, 5, 2);
	pf_page(f, HUGE / psz + 7, 1);
}

static void huge_merge(void)
{
	merge_start();
	wait_counters(2, 2);
	merge_stop();
}

/* At an address that huge pages can have */
static void huge_map(struct pfile *f)
{
	unsigned char *at = mmap(NULL, 3 * HUGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQ(at != MAP_FAILED);
	at = (void *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
	f->map = mmap(at, 2 * HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, f->fd, 0);
	f->map_len = 2 * HUGE;
	REQ(f->map == at);
	REQ(madvise(at, 2 * HUGE, MADV_MERGEABLE) == 0);
}

static void khugepaged_shmem(void)
{
	struct pfile f, g;
	char dir[500];

	if (!on_tmpfs())
		pxa_skip("of tmpfs");
	snprintf(dir, sizeof(dir), "%s/huge", pxa_scratch);
	REQ(mkdir(dir, 0700) == 0);
	if (mount("none", dir, "tmpfs", 0, "huge=advise"))
		pxa_skip("no huge pages");
	khugepaged_begin();
	huge_pair(&f, &g, dir);
	pf_commit(&f);
	pf_commit(&g);
	huge_map(&f);
	pf_map(&g, PROT_READ, MAP_SHARED);
	huge_merge();
	REQ(madvise(f.map, 2 * HUGE, MADV_HUGEPAGE) == 0);
	huge_pages("ShmemHugePages:", &f, &g);
	pf_close(&f);
	pf_close(&g);
	REQ(umount(dir) == 0);
}

/* The text of a program, the one kind of file that has huge pages on a disk */
#define TEXT	0x40000000UL
static const unsigned char text_code[] = {
	0xbf, 0x00, 0x00, 0x00, 0x40,		/* mov $TEXT, %edi */
	0xbe, 0x00, 0x00, 0x40, 0x00,		/* mov $(2 * HUGE), %esi */
	0xba, MADV_MERGEABLE, 0x00, 0x00, 0x00,	/* mov $MADV_MERGEABLE, %edx */
	0xb8, 0x1c, 0x00, 0x00, 0x00,		/* mov $__NR_madvise, %eax */
	0x0f, 0x05,				/* syscall */
	0xba, MADV_HUGEPAGE, 0x00, 0x00, 0x00,	/* mov $MADV_HUGEPAGE, %edx */
	0xb8, 0x1c, 0x00, 0x00, 0x00,		/* mov $__NR_madvise, %eax */
	0x0f, 0x05,				/* syscall */
	0xb8, 0x22, 0x00, 0x00, 0x00,		/* 1: mov $__NR_pause, %eax */
	0x0f, 0x05,				/* syscall */
	0xeb, 0xf7,				/* jmp 1b */
};

static void text_program(struct pfile *f)
{
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr text;
		unsigned char code[sizeof(text_code)];
	} head = {
		.file = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = TEXT + offsetof(__typeof__(head), code),
			.e_phoff = offsetof(__typeof__(head), text),
			.e_ehsize = sizeof(head.file),
			.e_phentsize = sizeof(head.text),
			.e_phnum = 1,
		},
		.text = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = TEXT,
			.p_filesz = 2 * HUGE,
			.p_memsz = 2 * HUGE,
			.p_align = 4096,
		},
	};

	memcpy(head.code, text_code, sizeof(text_code));
	memcpy(f->shadow, &head, sizeof(head));
}

static void khugepaged_text(void)
{
	struct pfile f, g;
	pid_t pid;

#ifndef __x86_64__
	pxa_skip("code for x86-64 only");
#endif
	if (on_tmpfs() || meminfo("FileHugePages:") < 0)
		pxa_skip("of files on a disk");
	huge_pair(&f, &g, pxa_scratch);
	text_program(&f);
	pf_commit(&f);
	pf_commit(&g);
	REQ(chmod(f.path, 0700) == 0);
	/* who has it open for writing keeps it from being run, and from huge pages */
	close(f.fd);
	f.fd = open(f.path, O_RDONLY);
	REQ(f.fd >= 0);
	pf_map(&g, PROT_READ, MAP_SHARED);
	pf_check(&f);
	khugepaged_begin();
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		execl(f.path, f.path, NULL);
		_exit(1);
	}
	huge_merge();
	huge_pages("FileHugePages:", &f, &g);
	REQ(kill(pid, SIGKILL) == 0);
	REQ(waitpid(pid, NULL, 0) == pid);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(memory_failure),
	T(memory_failure_mlock),
	T(memory_failure_pipe),
	T(memory_failure_shmem),
	T(soft_offline),
	T(move_pages_node),
	T(mbind_node),
	T(nodes_apart),
	T(nodes_apart_late),
	T(pin_unshares),
	T(uprobe),
	T(khugepaged_shmem),
	T(khugepaged_text),
	{ "memory_offline", memory_offline, (OFFLINE_TRIES + 1) * OFFLINE_SECONDS },
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
