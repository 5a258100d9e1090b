// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the selftests for sharing of file-backed pages (page-xa, KSM_FILE)
 */
#include "pxa_util.h"
#include <ftw.h>
#include <setjmp.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>

#ifndef HOSTFS_SUPER_MAGIC
#define HOSTFS_SUPER_MAGIC 0x00c0ffee
#endif

#define KSM_DIR		"/sys/kernel/mm/ksm/"
#define SYSCTL_FILE	"/proc/sys/vm/ksm_file"
#define KPF_ANON	12
#define KPF_KSM		21
#define TEST_SECONDS	300

size_t psz;
bool pxa_expect = true;
char pxa_scratch[400];
unsigned long pxa_nonce;

/* Shared between the harness and the child that runs a subtest. */
static struct report {
	char why[400];
	char op[200];
	bool settled;
} *report;

static char base_dir[300];
static const char *prog;
static void *anon_page;

/* ------------------------------------------------------------------------ */

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void msleep(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&ts, NULL);
}

void pxa_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;
	int n;

	n = snprintf(report->why, sizeof(report->why), "%s:%d: ", file, line);
	va_start(args, fmt);
	vsnprintf(report->why + n, sizeof(report->why) - n, fmt, args);
	va_end(args);
	_exit(KSFT_FAIL);
}

void pxa_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(report->why, sizeof(report->why), fmt, args);
	va_end(args);
	_exit(KSFT_SKIP);
}

static void op_timeout(int sig)
{
	(void)sig;
	/* report->op tells which one */
	_exit(KSFT_XPASS);
}

void op_begin(const char *what)
{
	strncpy(report->op, what, sizeof(report->op) - 1);
	signal(SIGALRM, op_timeout);
	alarm(OP_SECONDS);
}

void op_end(void)
{
	alarm(0);
	report->op[0] = '\0';
}

void op_store(volatile unsigned char *p, unsigned char v)
{
	op_begin("store through a mapping");
	*p = v;
	op_end();
}

unsigned char op_load(volatile const unsigned char *p)
{
	unsigned char v;

	op_begin("load through a mapping");
	v = *p;
	op_end();
	return v;
}

/* ------------------------------------------------------------------------ */

int read_str(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	buf[n] = '\0';
	return 0;
}

int write_str(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, s, strlen(s));
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}

bool ksm_has(const char *name)
{
	return ksm_read(name) >= 0;
}

long ksm_read(const char *name)
{
	char path[200], buf[64];

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	if (read_str(path, buf, sizeof(buf)))
		return -1;
	return atol(buf);
}

int ksm_write(const char *name, long v)
{
	char path[200], buf[32];

	snprintf(path, sizeof(path), KSM_DIR "%s", name);
	snprintf(buf, sizeof(buf), "%ld", v);
	return write_str(path, buf);
}

int sysctl_ksm_file(const char *v)
{
	return write_str(SYSCTL_FILE, v);
}

long sysctl_ksm_file_get(void)
{
	char buf[32];

	if (read_str(SYSCTL_FILE, buf, sizeof(buf)))
		return -1;
	return atol(buf);
}

long vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "r");
	size_t len = strlen(name);
	char line[128];
	long v = -1;

	/* Else what a CPU has counted is seen a second later. */
	write_str("/proc/sys/vm/stat_refresh", "1");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, len) && line[len] == ' ') {
			v = atol(line + len);
			break;
		}
	}
	fclose(f);
	return v;
}

void drop_caches(void)
{
	int err;

	op_begin("drop_caches");
	err = write_str("/proc/sys/vm/drop_caches", "3");
	op_end();
	if (err)
		FAIL("cannot drop caches: %s", strerror(-err));
}

/* ------------------------------------------------------------------------ */

/*
 * ksmd sleeps while no process has a mergeable area that it knows of.  One
 * anonymous page keeps it going, so that full_scans advances on any kernel
 * and "nothing was merged" is never concluded from a daemon that stood still.
 */
static void keep_scanning(void)
{
	if (anon_page)
		return;
	anon_page = mmap(NULL, psz, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(anon_page != MAP_FAILED);
	fill(anon_page, psz, 0xa404);
	if (madvise(anon_page, psz, MADV_MERGEABLE))
		FAIL("madvise(MADV_MERGEABLE): %s: kernel without KSM?",
		     strerror(errno));
}

void merge_start(void)
{
	keep_scanning();
	REQ(ksm_write("sleep_millisecs", 0) == 0);
	REQ(ksm_write("pages_to_scan", 4000) == 0);
	if (pxa_expect && sysctl_ksm_file("1"))
		FAIL("cannot set vm.ksm_file: %s", strerror(errno));
	REQ(ksm_write("run", 1) == 0);
}

void merge_stop(void)
{
	REQ(ksm_write("run", 0) == 0);
	/* run=0 waits for the scan in progress through its mutex */
	msleep(2);
}

void merge_scans(int n)
{
	long first = ksm_read("full_scans"), cur = first, merges, last = 0;
	double end = now() + MERGE_SECONDS;

	while (now() < end) {
		cur = ksm_read("full_scans");
		if (cur - first >= n)
			return;
		/* With all checks on one scan may take long, but gets on. */
		merges = ksm_read("file_merges");
		if (merges != last)
			end = now() + MERGE_SECONDS;
		last = merges;
		msleep(2);
	}
	FAIL("ksmd does not scan: full_scans went from %ld to %ld in %d s",
	     first, cur, MERGE_SECONDS);
}

static long merge_state(void)
{
	long v = 0;

	if (ksm_has("file_pages_shared")) {
		v += ksm_read("file_pages_shared");
		v += ksm_read("file_pages_sharing") << 16;
		v += ksm_read("file_merges") << 32;
	}
	return v;
}

/* One that does not settle ends with the subtest. */
void merge_settle(void)
{
	long old, cur = merge_state();

	do {
		old = cur;
		merge_scans(4);
		cur = merge_state();
	} while (cur != old);
}

void unmerge_all(void)
{
	int err;

	op_begin("run=2");
	err = ksm_write("run", 2);
	op_end();
	if (err)
		FAIL("cannot write 2 to run: %s", strerror(-err));
}

static bool read_entry(const char *path, uint64_t index, uint64_t *v)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		FAIL("%s: %s", path, strerror(errno));
	n = pread(fd, v, sizeof(*v), index * sizeof(*v));
	close(fd);
	return n == sizeof(*v);
}

/* The page is touched first.  It may go away again: the callers retry. */
uint64_t page_pfn(const void *addr)
{
	uint64_t v = 0;
	int try;

	for (try = 0; try < 100; try++) {
		(void)op_load(addr);
		if (!read_entry("/proc/self/pagemap", (uintptr_t)addr / psz, &v))
			FAIL("cannot read the pagemap of %p", addr);
		if (v >> 63)
			break;
	}
	if (!(v >> 63))
		FAIL("page at %p is not present after a load", addr);
	v &= (1ULL << 55) - 1;
	if (!v)
		FAIL("pagemap hides the pfn: run as root");
	return v;
}

/* KPF_KSM of a page that is not anonymous. */
bool page_ksm(const void *addr)
{
	uint64_t pfn = page_pfn(addr), fl;

	if (!read_entry("/proc/kpageflags", pfn, &fl))
		FAIL("/proc/kpageflags ends below pfn %llx",
		     (unsigned long long)pfn);
	return (fl >> KPF_KSM & 1) && !(fl >> KPF_ANON & 1);
}

/* How many ptes map the page, of all processes and files. */
long page_ptes(const void *addr)
{
	uint64_t n;

	if (access("/proc/kpagecount", R_OK) ||
	    !read_entry("/proc/kpagecount", page_pfn(addr), &n))
		return -1;
	return n;
}

bool is_shared(const void *a, const void *b)
{
	return page_pfn(a) == page_pfn(b) && page_ksm(a);
}

/* Waits until both addresses show one physical page, and that one is tagged. */
void wait_shared(const void *a, const void *b)
{
	double end = now() + MERGE_SECONDS;

	if (!pxa_expect) {
		merge_scans(2);
		return;
	}
	do {
		if (is_shared(a, b))
			return;
		msleep(2);
	} while (now() < end);
	FAIL("not shared after %d s: pfn %llx and %llx, KPF_KSM %d and %d, full_scans %ld, file_pages_shared %ld, sharing %ld",
	     MERGE_SECONDS, (unsigned long long)page_pfn(a),
	     (unsigned long long)page_pfn(b), page_ksm(a), page_ksm(b),
	     ksm_read("full_scans"), ksm_read("file_pages_shared"),
	     ksm_read("file_pages_sharing"));
}

void wait_counters(long shared, long sharing)
{
	double end = now() + MERGE_SECONDS;

	if (!pxa_expect) {
		merge_scans(2);
		return;
	}
	while (now() < end) {
		if (ksm_read("file_pages_shared") == shared &&
		    ksm_read("file_pages_sharing") == sharing)
			break;
		msleep(2);
	}
	check_counters(shared, sharing);
}

static bool counter_is(const char *file, const char *stat, long want)
{
	return want < 0 || (ksm_read(file) == want && vmstat(stat) == want);
}

/*
 * Both interfaces; -1 means any value.  What another CPU is just folding into a
 * counter may be seen twice, or not at all.
 */
void check_counters(long shared, long sharing)
{
	int tries;

	if (!pxa_expect)
		return;
	for (tries = 0; tries < 5; tries++) {
		if (counter_is("file_pages_shared", "nr_pxa_shared", shared) &&
		    counter_is("file_pages_sharing", "nr_pxa_sharing", sharing))
			return;
		msleep(2);
	}
	FAIL("file_pages_shared %ld, nr_pxa_shared %ld, must be %ld; file_pages_sharing %ld, nr_pxa_sharing %ld, must be %ld",
	     ksm_read("file_pages_shared"), vmstat("nr_pxa_shared"), shared,
	     ksm_read("file_pages_sharing"), vmstat("nr_pxa_sharing"), sharing);
}

void must_share(const void *a, const void *b)
{
	if (pxa_expect && !is_shared(a, b))
		FAIL("not shared: pfn %llx and %llx, KPF_KSM %d and %d",
		     (unsigned long long)page_pfn(a),
		     (unsigned long long)page_pfn(b), page_ksm(a), page_ksm(b));
}

void must_not_share(const void *a, const void *b)
{
	if (page_pfn(a) == page_pfn(b))
		FAIL("still shared: pfn %llx", (unsigned long long)page_pfn(a));
}

void must_not_ksm(const void *a)
{
	if (page_ksm(a))
		FAIL("KPF_KSM is set: pfn %llx", (unsigned long long)page_pfn(a));
}

static sigjmp_buf before_sigbus;

static void sigbus(int sig)
{
	(void)sig;
	siglongjmp(before_sigbus, 1);
}

/* Not in a child: it would not have the ptes of a shared mapping. */
void must_sigbus(void *addr)
{
	REQ(signal(SIGBUS, sigbus) != SIG_ERR);
	if (!sigsetjmp(before_sigbus, 1)) {
		op_load(addr);
		FAIL("no SIGBUS");
	}
	op_end();
	signal(SIGBUS, SIG_DFL);
}

bool on_fs(unsigned long magic)
{
	struct statfs st;

	REQ(statfs(pxa_scratch, &st) == 0);
	return (unsigned long)st.f_type == magic;
}

bool on_tmpfs(void)
{
	return on_fs(TMPFS_MAGIC);
}

bool before_5_10(void)
{
	struct utsname name;

	REQ(uname(&name) == 0);
	return !strncmp(name.release, "5.9.", 4);
}

void needs_writeback(void)
{
	if (on_fs(HOSTFS_SUPER_MAGIC))
		pxa_skip("hostfs writes back nothing");
}

bool has_direct(void)
{
	char path[500];
	int fd;

	snprintf(path, sizeof(path), "%s/direct", pxa_scratch);
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	/* It may have been made nevertheless. */
	unlink(path);
	if (fd < 0 && errno == EINVAL)
		return false;
	REQ(fd >= 0);
	close(fd);
	return true;
}

/* ------------------------------------------------------------------------ */

/* Any two contents differ in nearly all bytes; 0 is the zero page. */
void fill(void *buf, size_t len, unsigned long content)
{
	uint64_t x = (content + 1) * 0x9e3779b97f4a7c15ULL ^ pxa_nonce << 40;
	unsigned char *p = buf;
	size_t i;

	if (!content) {
		memset(buf, 0, len);
		return;
	}
	for (i = 0; i < len; i++) {
		if (!(i & 7)) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		p[i] = x >> (i & 7) * 8;
	}
}

static void pf_reserve(struct pfile *f, size_t bytes)
{
	bytes = (bytes + psz - 1) & ~(psz - 1);
	if (bytes <= f->cap)
		return;
	f->shadow = realloc(f->shadow, bytes);
	REQ(f->shadow);
	memset(f->shadow + f->cap, 0, bytes - f->cap);
	f->cap = bytes;
}

void pf_new_at(struct pfile *f, const char *path, size_t pages)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (f->fd < 0)
		FAIL("%s: %s", f->path, strerror(errno));
	pf_reserve(f, pages * psz);
	f->size = pages * psz;
}

void pf_new(struct pfile *f, const char *name, size_t pages)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", pxa_scratch, name);
	pf_new_at(f, path, pages);
}

void pf_page(struct pfile *f, size_t page, unsigned long content)
{
	pf_reserve(f, (page + 1) * psz);
	fill(f->shadow + page * psz, psz, content);
}

/* The first page of a swap area, with the bytes of its numbers swapped or not */
void pf_swap_header(struct pfile *f, unsigned int pages, bool swab)
{
	unsigned char *page = f->shadow;
	unsigned int *info = (unsigned int *)(page + 1024);

	memset(page, 0, psz);
	info[0] = swab ? __builtin_bswap32(1) : 1;		/* version */
	info[1] = swab ? __builtin_bswap32(pages - 1) : pages - 1; /* last page */
	memcpy(page + psz - 10, "SWAPSPACE2", 10);
}

/* The bytes past the end are zero in every view of the file. */
static void shadow_tail(struct pfile *f)
{
	if (f->size < f->cap)
		memset(f->shadow + f->size, 0, f->cap - f->size);
}

void pf_size(struct pfile *f, size_t bytes)
{
	pf_reserve(f, bytes);
	f->size = bytes;
	shadow_tail(f);
}

void pf_commit_cached(struct pfile *f)
{
	size_t off = 0;
	ssize_t n;

	while (off < f->size) {
		n = pwrite(f->fd, f->shadow + off, f->size - off, off);
		if (n <= 0)
			FAIL("write %s: %s", f->path, strerror(errno));
		off += n;
	}
	REQ(OP(fsync(f->fd)) == 0);
}

void pf_drop(struct pfile *f)
{
	REQ(OP(fsync(f->fd)) == 0);
	REQ(OP(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
}

void pf_commit(struct pfile *f)
{
	pf_commit_cached(f);
	pf_drop(f);
}

void pf_touch(struct pfile *f)
{
	size_t off;

	for (off = 0; off < f->map_len && off < f->size; off += psz)
		(void)op_load(f->map + off);
}

void *pf_map(struct pfile *f, int prot, int flags)
{
	size_t len = (f->size + psz - 1) & ~(psz - 1);
	void *p;

	p = mmap(NULL, len, prot, flags, f->fd, 0);
	if (p == MAP_FAILED)
		FAIL("mmap %s: %s", f->path, strerror(errno));
	if (madvise(p, len, MADV_MERGEABLE))
		FAIL("madvise(MADV_MERGEABLE): %s", strerror(errno));
	if (!f->map) {
		f->map = p;
		f->map_len = len;
		f->private_map = flags & MAP_PRIVATE;
	}
	pf_touch(f);
	return p;
}

void pf_unmap(struct pfile *f)
{
	if (f->map)
		munmap(f->map, f->map_len);
	f->map = NULL;
	f->map_len = 0;
}

static void pf_compare(struct pfile *f, const unsigned char *got, size_t len,
		       const char *view)
{
	size_t i;

	if (!memcmp(got, f->shadow, len))
		return;
	for (i = 0; got[i] == f->shadow[i]; i++)
		;
	FAIL("%s by %s: wrong byte at page %zu offset %zu: %02x, must be %02x",
	     strrchr(f->path, '/') + 1, view, i / psz, i % psz, got[i],
	     f->shadow[i]);
}

static void pf_check_read(struct pfile *f, int extra, const char *view)
{
	size_t room = ((f->size + psz - 1) & ~(psz - 1)) + psz, off = 0;
	unsigned char *buf;
	ssize_t n;
	int fd;

	fd = open(f->path, O_RDONLY | extra);
	if (fd < 0) {
		/* unlinked: the descriptor is all that is left */
		if (errno == ENOENT && !extra)
			fd = dup(f->fd);
		else if (extra && (errno == EINVAL || errno == ENOENT))
			return;
	}
	if (fd < 0)
		FAIL("%s: %s", f->path, strerror(errno));
	if (posix_memalign((void **)&buf, psz, room))
		FAIL("out of memory");
	memset(buf, 0x5a, room);
	while (off < f->size && !(extra && off % 512)) {
		op_begin(view);
		n = pread(fd, buf + off, room - off, off);
		op_end();
		if (n < 0)
			FAIL("%s by %s: %s", f->path, view, strerror(errno));
		if (!n)
			break;
		off += n;
	}
	close(fd);
	if (off != f->size)
		FAIL("%s by %s: %zu bytes, must be %zu", f->path, view, off,
		     f->size);
	pf_compare(f, buf, f->size, view);
	free(buf);
}

void pf_check(struct pfile *f)
{
	size_t len = (f->size + psz - 1) & ~(psz - 1);
	struct stat st;
	void *p;

	REQ(fstat(f->fd, &st) == 0);
	if ((size_t)st.st_size != f->size)
		FAIL("%s: size %lld, must be %zu", f->path,
		     (long long)st.st_size, f->size);
	if (!f->size)
		return;
	/* the mapping that was there before, including the tail */
	if (f->map && !f->private_map) {
		op_begin("reading the old mapping");
		pf_compare(f, f->map, len < f->map_len ? len : f->map_len,
			   "old mapping");
		op_end();
	}
	pf_check_read(f, 0, "read");
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, f->fd, 0);
	REQ(p != MAP_FAILED);
	op_begin("reading a new mapping");
	pf_compare(f, p, len, "new mapping");
	op_end();
	munmap(p, len);
}

/* What is on the disk; the kernel writes dirty pages back first. */
void pf_check_direct(struct pfile *f)
{
	pf_check_read(f, O_DIRECT, "O_DIRECT");
}

void pf_check_cold(struct pfile *f)
{
	pf_check(f);
	pf_check_direct(f);
	pf_drop(f);
	drop_caches();
	pf_check(f);
}

void pf_close(struct pfile *f)
{
	pf_unmap(f);
	close(f->fd);
	free(f->shadow);
	memset(f, 0, sizeof(*f));
	f->fd = -1;
}

/* ------------------------------------------------------------------------ */

static void grown(struct pfile *f, size_t end)
{
	pf_reserve(f, end);
	if (end > f->size)
		f->size = end;
}

void pf_write(struct pfile *f, size_t off, size_t len, unsigned long content)
{
	ssize_t n;

	grown(f, off + len);
	fill(f->shadow + off, len, content);
	n = OP(pwrite(f->fd, f->shadow + off, len, off));
	if (n != (ssize_t)len)
		FAIL("write %s at %zu: %zd of %zu: %s", f->path, off, n, len,
		     strerror(errno));
}

void pf_write_direct(struct pfile *f, size_t off, size_t len,
		     unsigned long content)
{
	unsigned char *buf;
	ssize_t n;
	int fd;

	fd = open(f->path, O_RDWR | O_DIRECT);
	if (fd < 0 && errno == EINVAL)
		pxa_skip("no O_DIRECT on this filesystem");
	REQ(fd >= 0);
	if (posix_memalign((void **)&buf, psz, len))
		FAIL("out of memory");
	grown(f, off + len);
	fill(f->shadow + off, len, content);
	memcpy(buf, f->shadow + off, len);
	n = OP(pwrite(fd, buf, len, off));
	if (n != (ssize_t)len)
		FAIL("O_DIRECT write %s at %zu: %zd of %zu: %s", f->path, off,
		     n, len, strerror(errno));
	free(buf);
	close(fd);
}

void pf_store(struct pfile *f, void *map, size_t off, size_t len,
	      unsigned long content)
{
	fill(f->shadow + off, len, content);
	op_begin("store through a mapping");
	memcpy((char *)map + off, f->shadow + off, len);
	op_end();
}

void pf_truncate(struct pfile *f, size_t bytes)
{
	int err = OP(ftruncate(f->fd, bytes));

	if (err)
		FAIL("truncate %s to %zu: %s", f->path, bytes, strerror(errno));
	pf_size(f, bytes);
}

int pf_fallocate(struct pfile *f, int mode, size_t off, size_t len)
{
	int err = OP(fallocate(f->fd, mode, off, len));

	if (err)
		return -errno;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		memset(f->shadow + off, 0, len);
	} else if (mode & FALLOC_FL_COLLAPSE_RANGE) {
		memmove(f->shadow + off, f->shadow + off + len,
			f->size - off - len);
		f->size -= len;
	} else if (mode & FALLOC_FL_INSERT_RANGE) {
		pf_reserve(f, f->size + len);
		memmove(f->shadow + off + len, f->shadow + off, f->size - off);
		memset(f->shadow + off, 0, len);
		f->size += len;
	}
	shadow_tail(f);
	return 0;
}

/* ------------------------------------------------------------------------ */

static const int pair_a[PAIR_SHARED] = { 1, 2, 5 };
static const int pair_b[PAIR_SHARED] = { 3, 4, 6 };

void pair_new(struct pair *p)
{
	int i;

	pf_new(&p->a, "a", PAIR_PAGES);
	pf_new(&p->b, "b", PAIR_PAGES);
	for (i = 0; i < PAIR_PAGES; i++) {
		pf_page(&p->a, i, 1000 + i);
		pf_page(&p->b, i, 2000 + i);
	}
	for (i = 0; i < PAIR_SHARED; i++) {
		pf_page(&p->a, pair_a[i], 3000 + i);
		pf_page(&p->b, pair_b[i], 3000 + i);
	}
	pf_commit(&p->a);
	pf_commit(&p->b);
}

void pair_map(struct pair *p, int prot, int flags)
{
	pf_map(&p->a, prot, flags);
	pf_map(&p->b, prot, flags);
}

void pair_merge(struct pair *p)
{
	int i;

	check_counters(0, 0);
	merge_start();
	for (i = 0; i < PAIR_SHARED; i++)
		wait_shared(p->a.map + pair_a[i] * psz,
			    p->b.map + pair_b[i] * psz);
	wait_counters(PAIR_SHARED, PAIR_SHARED);
	merge_stop();
	for (i = 0; i < PAIR_SHARED; i++)
		must_share(p->a.map + pair_a[i] * psz,
			   p->b.map + pair_b[i] * psz);
}

void pair_setup(struct pair *p, int prot, int flags)
{
	pair_new(p);
	pair_map(p, prot, flags);
	pair_merge(p);
}

void pair_still_shared(struct pair *p, int not)
{
	int i;

	for (i = 0; i < PAIR_SHARED; i++)
		if (pair_a[i] != not)
			must_share(p->a.map + pair_a[i] * psz,
				   p->b.map + pair_b[i] * psz);
}

void pair_check(struct pair *p)
{
	pf_check(&p->a);
	pf_check(&p->b);
	pf_check_direct(&p->a);
	pf_check_direct(&p->b);
	pf_check_cold(&p->a);
	pf_check_cold(&p->b);
}

/* ------------------------------------------------------------------------ */

static char group[300];

static void group_write(const char *name, const char *v, bool must)
{
	double end = now() + 10;
	char path[400];
	int err;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	/* cgroup v1 gives up at once if what is reclaimed has to be written. */
	while ((err = write_str(path, v)) == -EBUSY && must && now() < end)
		msleep(10);
	if (err && must)
		FAIL("%s: %s", path, strerror(-err));
}

/* v2 with memory.high or v1 with memory.limit_in_bytes, whichever there is. */
static bool v2;

void limited_join(void)
{
	const char *root = getenv("PXA_CGROUP");
	char path[400];

	if (!root || !*root)
		root = "/sys/fs/cgroup";
	snprintf(group, sizeof(group), "%s/pxa.%d", root, getpid());
	if (mkdir(group, 0755))
		pxa_skip("no memory control group (PXA_CGROUP)");
	snprintf(path, sizeof(path), "%s/memory.high", group);
	v2 = !access(path, W_OK);
	snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", group);
	if (!v2 && access(path, W_OK)) {
		rmdir(group);
		pxa_skip("no memory control group (PXA_CGROUP)");
	}
	group_write("cgroup.procs", "0", true);
}

void limited_leave(void)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/../cgroup.procs", group);
	write_str(path, "0");
	rmdir(group);
}

/*
 * Lowering the limit reclaims on the spot.  It is raised again at once: those
 * above memory.high are slowed down, which is not what is tested here.
 */
void limited_squeeze(void)
{
	const char *limit = v2 ? "memory.high" : "memory.limit_in_bytes";
	int i;

	for (i = 0; i < 4; i++) {
		op_begin("lowering the memory limit");
		group_write(limit, "200K", false);
		group_write(limit, v2 ? "max" : "-1", true);
		op_end();
	}
}

long limited_usage(void)
{
	char path[400], text[40] = "";

	snprintf(path, sizeof(path), "%s/%s", group,
		 v2 ? "memory.current" : "memory.usage_in_bytes");
	REQ(read_str(path, text, sizeof(text)) == 0);
	return atol(text);
}

void limited_to(long bytes)
{
	char text[40];

	snprintf(text, sizeof(text), "%ld", bytes);
	if (v2)
		group_write("memory.max", bytes < 0 ? "max" : text, true);
	else
		group_write("memory.limit_in_bytes", text, true);
}

/* ------------------------------------------------------------------------ */

int pxa_userfaultfd(void *addr, size_t len)
{
#ifdef __NR_userfaultfd
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)addr, .len = len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg)) {
		close(fd);
		return -1;
	}
	return fd;
#else
	return -1;
#endif
}

/* ------------------------------------------------------------------------ */

int advise_text(void)
{
	uintptr_t start = (uintptr_t)__executable_start & ~(psz - 1);
	uintptr_t end = ((uintptr_t)etext + psz - 1) & ~(psz - 1);

	if (madvise((void *)start, end - start, MADV_MERGEABLE))
		return 2;
	/* The caller waits for this. */
	if (write(3, "x", 1) != 1)
		return 3;
	pause();
	return 0;
}

static int rm_one(const char *path, const struct stat *st, int type,
		  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void print_stack(pid_t pid)
{
	char path[64], buf[2048], *s, *next;

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	if (read_str(path, buf, sizeof(buf)))
		return;
	for (s = buf; *s; s = next) {
		next = strchrnul(s, '\n');
		if (*next)
			*next++ = '\0';
		ksft_print_msg("stack: %s\n", s);
	}
}

/* Nothing may be left after a subtest, whatever it did. */
static int check_left_over(char *why, size_t len)
{
	static const char * const gauges[] = {
		"file_pages_shared", "file_pages_sharing",
	};
	double end;
	size_t i;

	if (!ksm_has(gauges[0]))
		return 0;
	sysctl_ksm_file("0");
	if (ksm_write("run", 2)) {
		snprintf(why, len, "cannot write 2 to run");
		return -1;
	}
	for (i = 0; i < ARRAY_SIZE(gauges); i++) {
		for (end = now() + 5; now() < end && ksm_read(gauges[i]);)
			msleep(5);
		if (ksm_read(gauges[i])) {
			snprintf(why, len, "%s is %ld after run=2", gauges[i],
				 ksm_read(gauges[i]));
			return -1;
		}
	}
	if (vmstat("nr_pxa_shared") || vmstat("nr_pxa_sharing")) {
		snprintf(why, len, "nr_pxa_shared %ld, nr_pxa_sharing %ld after run=2",
			 vmstat("nr_pxa_shared"), vmstat("nr_pxa_sharing"));
		return -1;
	}
	return 0;
}

/* What subtests may have changed when they fail */
static struct setting {
	const char *name;
	char value[200];
} settings[] = {
	{ .name = "max_page_sharing" }, { .name = "merge_across_nodes" },
	{ .name = "file_domain" }, { .name = "file_content" },
	{ .name = "file_max_sharing" }, { .name = "file_max_unshared" },
	{ .name = "file_max_unswappable" },
};

static void settings_path(char *path, size_t len, const struct setting *set)
{
	snprintf(path, len, KSM_DIR "%s", set->name);
}

static void settings_save(void)
{
	char path[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		settings_path(path, sizeof(path), &settings[i]);
		if (read_str(path, settings[i].value, sizeof(settings[i].value)))
			settings[i].value[0] = 0;
	}
}

static void settings_restore(void)
{
	char path[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		settings_path(path, sizeof(path), &settings[i]);
		if (settings[i].value[0])
			write_str(path, settings[i].value);
	}
}

static void run_one(const struct pxa_test *t)
{
	static const char * const mounts[] = { "over2", "over", "mnt" };
	unsigned int seconds = t->seconds ? t->seconds : TEST_SECONDS;
	double end = now() + seconds;
	char why[600] = "", mnt[500];
	int status = 0;
	bool dead = false;
	pid_t pid, got;
	size_t i;

	ksft_print_msg("start: %s\n", t->name);
	memset(report, 0, sizeof(*report));
	snprintf(pxa_scratch, sizeof(pxa_scratch), "%s/%s.%s", base_dir, prog,
		 t->name);
	nftw(pxa_scratch, rm_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (mkdir(pxa_scratch, 0700))
		ksft_exit_fail_msg("%s: %s\n", pxa_scratch, strerror(errno));
	ksm_write("run", 2);
	pxa_nonce++;

	pid = fork();
	if (pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (!pid) {
		setpgid(0, 0);
		t->fn();
		_exit(KSFT_PASS);
	}
	setpgid(pid, pid);
	while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now() < end)
		msleep(2);
	if (!got) {
		snprintf(why, sizeof(why), "no end after %u s, in: %s", seconds,
			 report->op);
		print_stack(pid);
		kill(-pid, SIGKILL);
		for (end = now() + 10; now() < end; msleep(10)) {
			got = waitpid(pid, &status, WNOHANG);
			if (got)
				break;
		}
		dead = !got;
	} else if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) == KSFT_XPASS) {
		snprintf(why, sizeof(why), "operation took more than %d s: %s",
			 OP_SECONDS, report->op);
	} else if (WEXITSTATUS(status) == KSFT_SKIP) {
		ksft_test_result_skip("%s: %s\n", t->name, report->why);
	} else if (WEXITSTATUS(status) != KSFT_PASS) {
		snprintf(why, sizeof(why), "%s", report->why[0] ? report->why :
			 "failed without a reason");
	}
	if (dead) {
		ksft_print_msg("%s\n", why);
		ksft_test_result_fail("%s\n", t->name);
		ksft_exit_fail_msg("%s cannot be killed: stuck in the kernel\n",
				   t->name);
	}
	/* helpers of the subtest that are still about */
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (!why[0]) {
		check_left_over(why, sizeof(why));
	} else {
		ksm_write("run", 2);
		settings_restore();
	}
	/* where subtests mount, what is on top first */
	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		snprintf(mnt, sizeof(mnt), "%s/%s", pxa_scratch, mounts[i]);
		umount2(mnt, MNT_DETACH);
	}
	nftw(pxa_scratch, rm_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (why[0]) {
		ksft_print_msg("%s: %s\n", t->name, why);
		if (!(WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP))
			ksft_test_result_fail("%s\n", t->name);
	} else if (WEXITSTATUS(status) == KSFT_PASS) {
		ksft_test_result_pass("%s\n", t->name);
	}
}

int pxa_run(int argc, char **argv, const struct pxa_test *tests, int nr)
{
	const char *env;
	int i, j, plan = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	psz = sysconf(_SC_PAGESIZE);
	prog = strrchr(argv[0], '/');
	prog = prog ? prog + 1 : argv[0];
	if (argc > 1 && !strcmp(argv[1], "-l")) {
		for (i = 0; i < nr; i++)
			printf("%s\n", tests[i].name);
		return 0;
	}
	env = getenv("PXA_EXPECT_SHARING");
	pxa_expect = !env || strcmp(env, "0");
	env = getenv("PXA_DIR");
	snprintf(base_dir, sizeof(base_dir), "%s", env ? env : ".");

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("must run as root\n");
	if (!ksm_has("run"))
		ksft_exit_skip("kernel without KSM\n");
	if (pxa_expect && (sysctl_ksm_file_get() < 0 || !ksm_has("file_pages_shared")))
		ksft_exit_skip("kernel without ksm_file\n");
	report = mmap(NULL, psz, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	/* helpers of a subtest end up here, see run_one() */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pxa_nonce = 1;
	for (i = 0; prog[i]; i++)
		pxa_nonce = pxa_nonce * 31 + (unsigned char)prog[i];
	for (i = 0; i < nr; i++) {
		for (j = 1; j < argc && strcmp(argv[j], tests[i].name);)
			j++;
		plan += argc == 1 || j < argc;
	}
	ksft_set_plan(plan);
	settings_save();
	for (i = 0; i < nr; i++) {
		for (j = 1; j < argc && strcmp(argv[j], tests[i].name);)
			j++;
		if (argc == 1 || j < argc)
			run_one(&tests[i]);
	}
	/* as the kernel comes up */
	ksm_write("run", 0);
	ksm_write("sleep_millisecs", 20);
	ksm_write("pages_to_scan", 100);
	if (ksft_get_fail_cnt() || !plan)
		return ksft_exit_fail();
	return ksft_exit_pass();
}
