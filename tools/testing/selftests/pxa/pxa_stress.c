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

struct worker {
	uint64_t rnd;
	int id;
	struct pfile f[OWN];
	unsigned char *other[PROCS * OWN];
	unsigned long ops;
	char last[64];
};

static struct worker w;
static volatile unsigned long *total;	/* ops of each process */
static uint64_t seed;

static unsigned int rnd(unsigned int n)
{
	w.rnd ^= w.rnd << 13;
	w.rnd ^= w.rnd >> 7;
	w.rnd ^= w.rnd << 17;
	return (w.rnd >> 11) % n;
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
	size_t page = rnd(PAGES);

	switch (rnd(4)) {
	case 0:
	case 1:
		pf_write(f, page * psz, psz, rnd(KINDS));
		break;
	case 2:
		pf_write(f, page * psz + rnd(psz), 1 + rnd(200), rnd(KINDS));
		break;
	case 3:
		pf_write(f, page * psz, (1 + rnd(4)) * psz, rnd(KINDS));
		break;
	}
}

static void op_mapped_store(struct pfile *f)
{
	size_t pages = f->size / psz, page;

	if (pages > PAGES)
		pages = PAGES;
	if (!pages)
		return;
	page = rnd(pages);
	if (rnd(2))
		pf_store(f, f->map, page * psz, psz, rnd(KINDS));
	else
		pf_store(f, f->map, page * psz + rnd(psz - 64), 1 + rnd(64),
			 rnd(KINDS));
}

static void op_truncate(struct pfile *f)
{
	if (rnd(2))
		pf_truncate(f, rnd(PAGES * psz));
	pf_truncate(f, PAGES * psz);
}

static void op_punch(struct pfile *f)
{
	size_t off = rnd(PAGES * psz - 1), len = 1 + rnd(3 * psz);

	if (off + len > f->size)
		return;
	pf_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
}

static void op_direct(struct pfile *f)
{
	pf_write_direct(f, rnd(PAGES - 2) * psz, (1 + rnd(2)) * psz, rnd(KINDS));
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
	if (memcmp(buf, f->shadow + page * psz, psz))
		FAIL("seed %llu process %d op %lu (after %s): read of page %zu of %s differs",
		     (unsigned long long)seed, w.id, w.ops, w.last, page, f->path);
	if (memcmp(f->map + page * psz, f->shadow + page * psz, psz))
		FAIL("seed %llu process %d op %lu (after %s): mapping of page %zu of %s differs",
		     (unsigned long long)seed, w.id, w.ops, w.last, page, f->path);
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
	REQ(!memcmp(at + 1, f->shadow + page * psz + 1, psz - 1));
	munmap(m, f->size);
}

static void op_recreate(int n)
{
	REQ(OP(unlink(w.f[n].path)) == 0);
	pf_close(&w.f[n]);
	make(n);
}

/* Pages of other processes: whatever they hold, to have them mapped here. */
static void op_others(void)
{
	int i = rnd(PROCS * OWN), fd;
	char path[512];
	struct stat st;

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
	/* populated as far as the file goes now; no SIGBUS this way */
	if (!fstat(fd, &st))
		OP(madvise(w.other[i], PAGES * psz, MADV_WILLNEED));
	OP(mlock(w.other[i], PAGES * psz));
	munlock(w.other[i], PAGES * psz);
	close(fd);
}

static void step(void)
{
	int n = rnd(OWN), kind = rnd(100);
	struct pfile *f = &w.f[n];
	const char *name = "?";
	pid_t pid;

#define DO(limit, what, stmt)						\
	if (kind < (limit)) {						\
		name = what;						\
		stmt;							\
		goto out;						\
	}
	DO(14, "write", op_write(f));
	DO(28, "store", op_mapped_store(f));
	DO(33, "truncate", op_truncate(f));
	DO(39, "punch", op_punch(f));
	DO(44, "direct write", op_direct(f));
	DO(58, "check", op_check_some(f));
	DO(60, "full check", pf_check(f));
	DO(68, "fsync", OP(fsync(f->fd)));
	DO(72, "drop", pf_drop(f));
	DO(76, "private", op_private(f));
	DO(79, "madvise DONTNEED", OP(madvise(f->map, f->map_len, MADV_DONTNEED)));
	DO(82, "pageout", OP(madvise(f->map, f->map_len, MADV_PAGEOUT)));
	DO(90, "others", op_others());
	DO(92, "recreate", op_recreate(n));
	DO(93, "unmergeable", {
		OP(madvise(f->map, f->map_len, MADV_UNMERGEABLE));
		OP(madvise(f->map, f->map_len, MADV_MERGEABLE));
	});
	DO(94, "compact", write_str("/proc/sys/vm/compact_memory", "1"));
	DO(95, "fork", {
		pid = fork();
		if (!pid) {
			if (f->size >= psz)
				op_load(f->map);
			_exit(0);
		}
		OP(waitpid(pid, NULL, 0));
	});
	/* let ksmd have a quiet time: only now pages are clean and at rest */
	name = "rest";
	OP(fsync(w.f[0].fd));
	OP(fsync(w.f[1].fd));
	pf_touch(&w.f[0]);
	pf_touch(&w.f[1]);
	msleep(5 + rnd(30));
out:
	snprintf(w.last, sizeof(w.last), "%s", name);
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
		pf_check(&w.f[i]);
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
