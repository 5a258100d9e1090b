// SPDX-License-Identifier: GPL-2.0
/*
 * Several processes write, store, truncate, punch, drop and read files with few
 * distinct contents while ksmd runs hot.  Each process owns some files and has
 * a shadow copy of them; all the others map them read-only.
 *
 * Each process draws its operations from a generator of its own, seeded with
 * PXA_SEED and its number: a run is repeated by giving the seed printed (as
 * far as the order inside one process goes).
 */
#include "pxa_util.h"

#define PROCS	4
#define OWN	2
#define PAGES	24
#define KINDS	6
#define LOG	512

struct worker {
	uint64_t rnd;
	int id;
	struct pfile f[OWN];
	unsigned char *other[PROCS * OWN];
	unsigned long ops;
	struct {
		const char *what;
		int file;
		size_t off, len;
		unsigned long op;
	} log[LOG];			/* the last changes, for the report */
	unsigned int logged;
};

static struct worker w;
static volatile unsigned long *total;	/* ops of each process */
static bool direct;			/* there are direct writes */
static uint64_t seed;

static unsigned int rnd(unsigned int n)
{
	w.rnd ^= w.rnd << 13;
	w.rnd ^= w.rnd >> 7;
	w.rnd ^= w.rnd << 17;
	return (w.rnd >> 11) % n;
}

static void note(struct pfile *f, const char *what, size_t off, size_t len)
{
	int i = w.logged++ % LOG;

	w.log[i].what = what;
	w.log[i].file = f - w.f;
	w.log[i].off = off;
	w.log[i].len = len;
	w.log[i].op = w.ops;
}

/* What a wrong page looks like, as far as it is all of one content. */
static const char *looks_like(const unsigned char *page)
{
	static char name[64];
	unsigned char *buf = malloc(psz);
	size_t bytes;
	int k;

	snprintf(name, sizeof(name), "mixed");
	for (k = 0; buf && k < KINDS; k++) {
		fill(buf, psz, k);
		for (bytes = 0; bytes < psz && buf[bytes] == page[bytes]; bytes++)
			;
		if (bytes >= 64)
			snprintf(name, sizeof(name), "content %d for %zu bytes", k,
				 bytes);
	}
	free(buf);
	return name;
}

/* Every view of the page, and what was done to it. */
static void report_page(struct pfile *f, size_t page)
{
	unsigned char *buf, *fresh;
	unsigned int i;
	int fd;

	if (posix_memalign((void **)&buf, psz, psz))
		return;
	ksft_print_msg("process %d file %zd page %zu, size %zu: must be %s\n", w.id,
		       f - w.f, page, f->size, looks_like(f->shadow + page * psz));
	ksft_print_msg(" old mapping: %s, equal %d, pfn %llx, KPF_KSM %d\n",
		       looks_like(f->map + page * psz),
		       !memcmp(f->map + page * psz, f->shadow + page * psz, psz),
		       (unsigned long long)page_pfn(f->map + page * psz),
		       page_ksm(f->map + page * psz));
	if (pread(f->fd, buf, psz, page * psz) > 0)
		ksft_print_msg(" read: %s, equal %d\n", looks_like(buf),
			       !memcmp(buf, f->shadow + page * psz, psz));
	fresh = mmap(NULL, psz, PROT_READ, MAP_SHARED, f->fd, page * psz);
	if (fresh != MAP_FAILED)
		ksft_print_msg(" new mapping: %s, equal %d, pfn %llx\n",
			       looks_like(fresh),
			       !memcmp(fresh, f->shadow + page * psz, psz),
			       (unsigned long long)page_pfn(fresh));
	fd = open(f->path, O_RDONLY | O_DIRECT);
	if (fd >= 0 && pread(fd, buf, psz, page * psz) > 0)
		ksft_print_msg(" O_DIRECT: %s, equal %d\n", looks_like(buf),
			       !memcmp(buf, f->shadow + page * psz, psz));
	for (i = w.logged > LOG ? w.logged - LOG : 0; i < w.logged; i++) {
		int n = i % LOG;

		if (w.log[n].file == f - w.f &&
		    w.log[n].off < (page + 1) * psz &&
		    w.log[n].off + w.log[n].len > page * psz)
			ksft_print_msg(" op %lu: %s at %zu+%zu length %zu\n",
				       w.log[n].op, w.log[n].what,
				       w.log[n].off / psz, w.log[n].off % psz,
				       w.log[n].len);
	}
	ksft_print_msg(" now op %lu, seed %llu\n", w.ops, (unsigned long long)seed);
	free(buf);
}

/* All of the file, at the least by the old mapping and by read(2). */
static void check_all(struct pfile *f, const char *when)
{
	static unsigned char buf[PAGES * 4096 + 65536];
	size_t page;
	ssize_t n;

	n = OP(pread(f->fd, buf, sizeof(buf), 0));
	if (n != (ssize_t)f->size)
		FAIL("size %zd, must be %zu", n, f->size);
	for (page = 0; page * psz < f->size; page++) {
		size_t len = f->size - page * psz;

		if (len > psz)
			len = psz;
		if ((page < PAGES && memcmp(f->map + page * psz,
					    f->shadow + page * psz, len)) ||
		    memcmp(buf + page * psz, f->shadow + page * psz, len)) {
			report_page(f, page);
			FAIL("process %d op %lu: page %zu differs %s", w.id,
			     w.ops, page, when);
		}
	}
}

static void file_path(char *buf, size_t len, int id, int n)
{
	snprintf(buf, len, "%s/f%d.%d", pxa_scratch, id, n);
}

static void make(int n)
{
	char name[32];
	int i;

	snprintf(name, sizeof(name), "f%d.%d", w.id, n);
	pf_new(&w.f[n], name, PAGES);
	for (i = 0; i < PAGES; i++)
		pf_page(&w.f[n], i, rnd(KINDS));
	pf_commit(&w.f[n]);
	pf_map(&w.f[n], PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* Content, and length, such that pages often end up alike. */
static void op_write(struct pfile *f)
{
	size_t off = rnd(PAGES) * psz, len = psz;

	switch (rnd(4)) {
	case 2:
		off += rnd(psz);
		len = 1 + rnd(200);
		break;
	case 3:
		len = (1 + rnd(4)) * psz;
		break;
	}
	note(f, "write", off, len);
	pf_write(f, off, len, rnd(KINDS));
}

static void op_mapped_store(struct pfile *f)
{
	size_t pages = f->size / psz, off, len = psz;

	if (pages > PAGES)
		pages = PAGES;
	if (!pages)
		return;
	off = rnd(pages) * psz;
	if (rnd(2)) {
		off += rnd(psz - 64);
		len = 1 + rnd(64);
	}
	note(f, "store", off, len);
	pf_store(f, f->map, off, len, rnd(KINDS));
}

static void op_truncate(struct pfile *f)
{
	size_t to = rnd(PAGES * psz);

	note(f, "truncate", to, PAGES * psz - to);
	pf_truncate(f, to);
	if (rnd(2))
		check_all(f, "after truncate");
	pf_truncate(f, PAGES * psz);
}

static void op_punch(struct pfile *f)
{
	size_t off = rnd(PAGES * psz - 1), len = 1 + rnd(3 * psz);

	if (off + len > f->size)
		return;
	note(f, "punch", off, len);
	pf_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
}

static void op_direct(struct pfile *f)
{
	size_t off = rnd(PAGES - 2) * psz, len = (1 + rnd(2)) * psz;

	note(f, "direct write", off, len);
	pf_write_direct(f, off, len, rnd(KINDS));
}

static void op_check_some(struct pfile *f)
{
	size_t page = rnd(PAGES);
	unsigned char buf[4096];
	ssize_t n;

	if ((page + 1) * psz > f->size)
		return;
	n = OP(pread(f->fd, buf, psz, page * psz));
	REQ(n == (ssize_t)psz);
	if (memcmp(buf, f->shadow + page * psz, psz) ||
	    memcmp(f->map + page * psz, f->shadow + page * psz, psz)) {
		report_page(f, page);
		FAIL("process %d op %lu: page %zu differs", w.id, w.ops, page);
	}
}

static void op_private(struct pfile *f)
{
	unsigned char *m, *at;
	size_t page;

	if (f->size < psz)
		return;
	page = rnd(f->size / psz);
	m = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, f->fd, 0);
	REQ(m != MAP_FAILED);
	madvise(m, f->size, MADV_MERGEABLE);
	at = m + page * psz;
	op_load(at);
	op_store(at, ~f->shadow[page * psz]);
	if (memcmp(at + 1, f->shadow + page * psz + 1, psz - 1)) {
		ksft_print_msg("private copy: %s\n", looks_like(at));
		report_page(f, page);
		FAIL("process %d op %lu: private page %zu differs", w.id, w.ops, page);
	}
	munmap(m, f->size);
}

static void op_recreate(int n)
{
	note(&w.f[n], "recreate", 0, PAGES * psz);
	REQ(OP(unlink(w.f[n].path)) == 0);
	pf_close(&w.f[n]);
	make(n);
}

/* Pages of other processes: whatever they hold, to have them mapped here. */
static void op_others(void)
{
	int i = rnd(PROCS * OWN), fd;
	char path[512];

	if (w.other[i]) {
		munmap(w.other[i], PAGES * psz);
		w.other[i] = NULL;
	}
	file_path(path, sizeof(path), i / OWN, i % OWN);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	w.other[i] = mmap(NULL, PAGES * psz, PROT_READ,
			  rnd(2) ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	REQ(w.other[i] != MAP_FAILED);
	madvise(w.other[i], PAGES * psz, MADV_MERGEABLE);
	/*
	 * Populated as far as the file goes now; no SIGBUS this way.  No
	 * MADV_WILLNEED and no read(2): before v5.15 both may read a page back
	 * in the middle of punching a hole, on any kernel.
	 */
	OP(mlock(w.other[i], PAGES * psz));
	munlock(w.other[i], PAGES * psz);
	close(fd);
}

static void step(void)
{
	int n = rnd(OWN), kind = rnd(100);
	struct pfile *f = &w.f[n];
	pid_t pid;

	if (kind < 14) {
		op_write(f);
	} else if (kind < 28) {
		op_mapped_store(f);
	} else if (kind < 33) {
		op_truncate(f);
	} else if (kind < 39) {
		op_punch(f);
	} else if (kind < 44) {
		if (direct)
			op_direct(f);
		else
			op_write(f);
	} else if (kind < 58) {
		op_check_some(f);
	} else if (kind < 60) {
		pf_check(f);
	} else if (kind < 68) {
		OP(fsync(f->fd));
	} else if (kind < 72) {
		pf_drop(f);
	} else if (kind < 76) {
		op_private(f);
	} else if (kind < 79) {
		OP(madvise(f->map, f->map_len, MADV_DONTNEED));
	} else if (kind < 82) {
		OP(madvise(f->map, f->map_len, MADV_PAGEOUT));
	} else if (kind < 90) {
		op_others();
	} else if (kind < 92) {
		op_recreate(n);
	} else if (kind < 93) {
		OP(madvise(f->map, f->map_len, MADV_UNMERGEABLE));
		OP(madvise(f->map, f->map_len, MADV_MERGEABLE));
	} else if (kind < 94) {
		write_str("/proc/sys/vm/compact_memory", "1");
	} else if (kind < 95) {
		pid = fork();
		if (!pid) {
			if (f->size >= psz)
				op_load(f->map);
			_exit(0);
		}
		OP(waitpid(pid, NULL, 0));
	} else {
		/* only pages that are clean and at rest can be merged */
		OP(fsync(w.f[0].fd));
		OP(fsync(w.f[1].fd));
		pf_touch(&w.f[0]);
		pf_touch(&w.f[1]);
		msleep(5 + rnd(30));
	}
	if (!rnd(4))
		check_all(f, "after an operation");
}

static void worker(int id, unsigned int seconds)
{
	double end = now() + seconds;
	int i;

	memset(&w, 0, sizeof(w));
	w.id = id;
	w.rnd = (seed + 1) * 0x9e3779b97f4a7c15ULL + id * 0x2545f4914f6cdd1dULL;
	for (i = 0; i < 8; i++)
		rnd(2);
	for (i = 0; i < OWN; i++)
		make(i);
	for (; now() < end; w.ops++) {
		step();
		total[id] = w.ops;
	}
	for (i = 0; i < OWN; i++) {
		check_all(&w.f[i], "at the end");
		pf_check_cold(&w.f[i]);
	}
	_exit(0);
}

static void stress(unsigned int seconds)
{
	long merges = ksm_read("file_merges"), breaks = ksm_read("file_breaks");
	unsigned long sum = 0;
	int i, status, bad = 0;
	pid_t pid[PROCS];

	total = mmap(NULL, psz, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQ(total != MAP_FAILED);
	direct = has_direct();
	ksft_print_msg("seed %llu, %u s\n", (unsigned long long)seed, seconds);
	merge_start();
	for (i = 0; i < PROCS; i++) {
		pid[i] = fork();
		REQ(pid[i] >= 0);
		if (!pid[i])
			worker(i, seconds);
	}
	for (i = 0; i < PROCS; i++) {
		REQ(waitpid(pid[i], &status, 0) == pid[i]);
		/* the reason is that of the worker that failed */
		if (status)
			bad = WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL;
	}
	for (i = 0; i < PROCS; i++)
		sum += total[i];
	merge_stop();
	ksft_print_msg("%lu operations, %ld merges, %ld breaks, %ld drops\n", sum,
		       ksm_read("file_merges") - merges,
		       ksm_read("file_breaks") - breaks, ksm_read("file_drops"));
	if (bad)
		_exit(bad);
	if (pxa_expect && ksm_read("file_merges") - merges < 50)
		FAIL("only %ld merges", ksm_read("file_merges") - merges);
	if (pxa_expect && ksm_read("file_breaks") - breaks < 10)
		FAIL("only %ld breaks", ksm_read("file_breaks") - breaks);
}

static unsigned int env_seconds(void)
{
	const char *env = getenv("PXA_SECONDS");

	return env && atoi(env) > 0 ? atoi(env) : 20;
}

static void random_operations(void)
{
	const char *env = getenv("PXA_SEED");

	seed = env && *env ? strtoull(env, NULL, 0) : 20201007;
	stress(env_seconds());
}

/* run=2 and on again, every now and then: all is taken back under load. */
static void random_operations_with_unmerge(void)
{
	const char *env = getenv("PXA_SEED");
	pid_t pid;

	seed = (env && *env ? strtoull(env, NULL, 0) : 20201007) + 1;
	pid = fork();
	if (!pid) {
		for (;;) {
			msleep(700);
			ksm_write("run", 2);
			ksm_write("run", 1);
		}
	}
	stress((env_seconds() + 1) / 2);
	kill(pid, SIGKILL);
}

int main(int argc, char **argv)
{
	const struct pxa_test tests[] = {
		{ "random_operations", random_operations, env_seconds() + 120 },
		{ "random_operations_with_unmerge",
		  random_operations_with_unmerge, env_seconds() + 120 },
	};

	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
