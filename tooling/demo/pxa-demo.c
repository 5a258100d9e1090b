// SPDX-License-Identifier: GPL-2.0
/*
 * The main job of page-xa, run inside the guest: share the identical pages of
 * many files, compare with what was possible, write, take it all back.
 *
 *	pxa-demo LIST SCRATCH JSON
 *
 * LIST holds NUL-terminated records "A path", "B path" or "S path": the files of
 * the two trees; SCRATCH is a copy of the file with the letter S.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PSZ		4096UL
#define KSM		"/sys/kernel/mm/ksm/"
#define SETTLE_SECONDS	900

struct hash {
	uint64_t a, b;
};

struct file {
	char tree;
	char *path;
	unsigned char *map;
	size_t size;
	size_t pages;
	size_t first;			/* number of its first page */
};

static struct file *files;
static size_t nr_files, nr_pages, nr_distinct;
static struct hash *hashes;		/* of each page, by number */
static struct file *scratch, *origin;
static int failed;

static void say(const char *fmt, ...)
{
	va_list args;

	printf("demo| ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static void die(const char *fmt, ...)
{
	va_list args;

	printf("demo| error: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void check(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("demo| %s: ", ok ? "proved" : "FAILED");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	failed |= !ok;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void nap(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&ts, NULL);
}

static double mib(uint64_t pages)
{
	return pages * PSZ / 1048576.0;
}

/* ------------------------------------------------------------------------ */

static int put(const char *path, const char *v)
{
	int fd = open(path, O_WRONLY), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, v, strlen(v)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void must_put(const char *path, const char *v)
{
	int err = put(path, v);

	if (err)
		die("cannot write %s to %s: %s", v, path, strerror(-err));
}

static long get(const char *path)
{
	char buf[64];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	return atol(buf);
}

static long field(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(name);
	char line[200];
	long v = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && (line[len] == ' ' || line[len] == ':'))
			v = atol(line + len + 1);
	fclose(f);
	return v;
}

static long shared(void)
{
	return get(KSM "file_pages_shared");
}

static long sharing(void)
{
	return get(KSM "file_pages_sharing");
}

/* ------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x, uint64_t y)
{
	__uint128_t m = (__uint128_t)x * y;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static struct hash hash_page(const void *page)
{
	const uint64_t *p = page;
	struct hash h = { 0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL };
	size_t i;

	for (i = 0; i < PSZ / 8; i += 2) {
		h.a = mix(h.a ^ p[i], 0x9e3779b97f4a7c15ULL ^ p[i + 1]) + i;
		h.b = mix(h.b + p[i + 1], 0xc2b2ae3d27d4eb4fULL + p[i]) ^ h.b;
	}
	return h;
}

static const void *page_of(size_t n, struct file *f)
{
	return f->map + (n - f->first) * PSZ;
}

static void map_file(char tree, const char *path, int prot)
{
	int fd = open(path, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
	struct file *f;
	struct stat st;

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return;
	}
	f = &files[nr_files++];
	f->tree = tree;
	f->path = strdup(path);
	f->size = st.st_size;
	f->pages = (f->size + PSZ - 1) / PSZ;
	f->first = nr_pages;
	nr_pages += f->pages;
	f->map = mmap(NULL, f->pages * PSZ, prot, MAP_SHARED, fd, 0);
	if (f->map == MAP_FAILED)
		die("mmap %s: %s", path, strerror(errno));
	close(fd);
}

static void map_all(const char *list, const char *scratch_path)
{
	struct stat st;
	char *buf, *p;
	size_t n = 2;
	int fd = open(list, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", list, strerror(errno));
	buf = malloc(st.st_size + 1);
	if (!buf || read(fd, buf, st.st_size) != st.st_size)
		die("%s: cannot read", list);
	buf[st.st_size] = '\0';
	close(fd);
	for (p = buf; p < buf + st.st_size; p += strlen(p) + 1)
		n++;
	files = calloc(n, sizeof(*files));
	if (!files)
		die("out of memory");
	for (p = buf; p < buf + st.st_size; p += strlen(p) + 1) {
		size_t before = nr_files;

		map_file(*p == 'S' ? 'A' : *p, p + 2, PROT_READ);
		if (*p == 'S' && nr_files > before)
			origin = &files[before];
	}
	free(buf);
	if (!origin)
		die("the list names no file to write a copy of");
	n = nr_files;
	map_file('B', scratch_path, PROT_READ | PROT_WRITE);
	if (nr_files == n)
		die("%s is empty", scratch_path);
	scratch = &files[n];
}

static void touch_all(void)
{
	double last = now();
	size_t i, j, done = 0;

	for (i = 0; i < nr_files; i++) {
		for (j = 0; j < files[i].pages; j++)
			(void)*(volatile unsigned char *)(files[i].map + j * PSZ);
		done += files[i].pages;
		if (now() - last > 3) {
			say("  read %.0f of %.0f MiB", mib(done), mib(nr_pages));
			last = now();
		}
	}
}

/* What could be shared at best: pages less distinct pages. */
static void oracle(void)
{
	size_t size = 1, i, j, n, slot;
	struct {
		const void *page;
		struct hash h;
	} *table;

	while (size < nr_pages * 2)
		size *= 2;
	table = calloc(size, sizeof(*table));
	hashes = malloc(nr_pages * sizeof(*hashes));
	if (!table || !hashes)
		die("out of memory");
	for (i = 0; i < nr_files; i++) {
		struct file *f = &files[i];

		for (j = 0; j < f->pages; j++) {
			const void *page = f->map + j * PSZ;

			n = f->first + j;
			hashes[n] = hash_page(page);
			slot = hashes[n].a & (size - 1);
			while (table[slot].page &&
			       (memcmp(&table[slot].h, &hashes[n], sizeof(*hashes)) ||
				memcmp(table[slot].page, page, PSZ)))
				slot = (slot + 1) & (size - 1);
			if (!table[slot].page) {
				table[slot].page = page;
				table[slot].h = hashes[n];
				nr_distinct++;
			}
		}
	}
	free(table);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t pfn_at(int fd, const void *addr)
{
	uint64_t v = 0;

	(void)*(volatile const unsigned char *)addr;
	if (pread(fd, &v, sizeof(v), (uintptr_t)addr / PSZ * sizeof(v)) != sizeof(v))
		die("cannot read pagemap");
	return v >> 63 ? v & ((1ULL << 55) - 1) : 0;
}

/* The saving as the page tables show it, independent of any counter. */
static size_t saved_by_pagemap(void)
{
	uint64_t *pfn = malloc(nr_pages * sizeof(*pfn));
	size_t i, j, n = 0, distinct = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (!pfn || fd < 0)
		die("cannot open pagemap");
	for (i = 0; i < nr_files; i++)
		for (j = 0; j < files[i].pages; j++) {
			uint64_t v = pfn_at(fd, files[i].map + j * PSZ);

			if (v)
				pfn[n++] = v;
		}
	close(fd);
	qsort(pfn, n, sizeof(*pfn), by_value);
	for (i = 0; i < n; i++)
		distinct += !i || pfn[i] != pfn[i - 1];
	free(pfn);
	return n - distinct;
}

/* ------------------------------------------------------------------------ */

static double settle(void)
{
	long last_sharing = -1, last_merges = -1, changed_at = 0, scans;
	double start = now(), last = start, changed = start;

	for (;;) {
		long s = sharing(), m = get(KSM "file_merges");

		scans = get(KSM "full_scans");
		if (s != last_sharing || m != last_merges) {
			last_sharing = s;
			last_merges = m;
			changed_at = scans;
			changed = now();
		} else if (scans - changed_at >= 3) {
			break;
		}
		if (now() - last > 2) {
			last = now();
			say("  %4.0f s: scan %ld, %.1f MiB saved", last - start, scans,
			    mib(s));
		}
		if (now() - start > SETTLE_SECONDS)
			die("the merge did not settle in %d s", SETTLE_SECONDS);
		nap(20);
	}
	return changed - start;
}

static size_t wrong_pages(const struct file *not, char *where, size_t len)
{
	size_t i, j, bad = 0;

	for (i = 0; i < nr_files; i++) {
		struct file *f = &files[i];

		if (f == not)
			continue;
		for (j = 0; j < f->pages; j++) {
			struct hash h = hash_page(page_of(f->first + j, f));

			if (!memcmp(&h, &hashes[f->first + j], sizeof(h)))
				continue;
			if (!bad++)
				snprintf(where, len, " (first: %s page %zu)", f->path, j);
		}
	}
	return bad;
}

static bool same_by_read(const struct file *f, const unsigned char *want)
{
	int fd = open(f->path, O_RDONLY);
	unsigned char buf[PSZ];
	size_t off = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (memcmp(buf, want + off, n))
			break;
		off += n;
	}
	close(fd);
	return off == f->size;
}

static void write_one(void)
{
	unsigned char *old = malloc(scratch->pages * PSZ), *want = malloc(scratch->pages * PSZ);
	static const char text[] = "written through write(2)";
	size_t p1 = 0, p2 = 0, i, len, was_shared = 0, bad;
	int pm = open("/proc/self/pagemap", O_RDONLY), fd;
	long breaks = get(KSM "file_breaks");
	char where[400] = "";

	if (!old || !want || pm < 0)
		die("out of memory");
	memcpy(old, scratch->map, scratch->pages * PSZ);
	memcpy(want, old, scratch->pages * PSZ);
	/* the first page shared by the two, and one in the middle if there is */
	for (i = 0; i < scratch->pages; i++) {
		if (pfn_at(pm, scratch->map + i * PSZ) != pfn_at(pm, origin->map + i * PSZ))
			continue;
		if (!was_shared++)
			p1 = i;
		if (was_shared == 1 || i <= scratch->pages / 2)
			p2 = i;
	}
	check(was_shared > 0, "%zu of %zu pages of the file to write to are shared with its origin",
	      was_shared, scratch->pages);

	fd = open(scratch->path, O_RDWR);
	if (fd < 0)
		die("%s: %s", scratch->path, strerror(errno));
	/* inside the file, however short it is */
	len = scratch->size - p1 * PSZ;
	if (len > sizeof(text))
		len = sizeof(text);
	if (pwrite(fd, text, len, p1 * PSZ) != (ssize_t)len)
		die("write %s: %s", scratch->path, strerror(errno));
	memcpy(want + p1 * PSZ, text, len);
	for (i = p2 * PSZ; i < scratch->size && i < p2 * PSZ + 448; i += 7) {
		scratch->map[i] ^= 0x5a;
		want[i] ^= 0x5a;
	}
	check(!memcmp(scratch->map, want, scratch->pages * PSZ) &&
	      same_by_read(scratch, want),
	      "the written file has the new bytes (page %zu by write(2), page %zu by stores)",
	      p1, p2);
	if (fsync(fd))
		die("fsync %s: %s", scratch->path, strerror(errno));
	close(fd);
	check(pfn_at(pm, scratch->map + p1 * PSZ) != pfn_at(pm, origin->map + p1 * PSZ) &&
	      pfn_at(pm, scratch->map + p2 * PSZ) != pfn_at(pm, origin->map + p2 * PSZ) &&
	      get(KSM "file_breaks") >= breaks + 1 + (p1 != p2),
	      "what was written to is private to it now (%ld breaks)",
	      get(KSM "file_breaks") - breaks);
	check(!memcmp(origin->map, old, origin->pages * PSZ) &&
	      same_by_read(origin, old), "the file it shared them with keeps its bytes");
	bad = wrong_pages(scratch, where, sizeof(where));
	check(!bad, "all %zu pages of the other %zu files keep their bytes%s",
	      nr_pages - scratch->pages, nr_files - 1, where);
	close(pm);
	free(old);
	free(want);
}

static void drop_all(void)
{
	size_t i;
	int t;

	for (i = 0; i < nr_files; i++)
		munmap(files[i].map, files[i].pages * PSZ);
	must_put("/proc/sys/vm/ksm_file", "0");
	must_put(KSM "run", "2");
	must_put("/proc/sys/vm/drop_caches", "3");
	for (t = 0; t < 100 && (shared() || sharing()); t++)
		nap(20);
	check(!shared() && !sharing() && !field("/proc/vmstat", "nr_pxa_shared") &&
	      !field("/proc/vmstat", "nr_pxa_sharing"),
	      "all counters are back at zero (file_pages_shared %ld, file_pages_sharing %ld, nr_pxa_shared %ld, nr_pxa_sharing %ld)",
	      shared(), sharing(), field("/proc/vmstat", "nr_pxa_shared"),
	      field("/proc/vmstat", "nr_pxa_sharing"));
}

int main(int argc, char **argv)
{
	size_t pages[2] = { 0, 0 }, count[2] = { 0, 0 }, possible, pagemap, i;
	double start, t_read, t_oracle, t_merge, share;
	long free0, cached0, free1, cached1, n_shared, n_sharing, merges, scans;
	FILE *json;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4)
		die("usage: pxa-demo LIST SCRATCH JSON");
	if (get("/proc/sys/vm/ksm_file") < 0)
		die("this kernel has no vm.ksm_file: it is not patched, or CONFIG_KSM_FILE is off");
	put("/proc/sys/vm/max_map_count", "1000000");
	put("/proc/sys/vm/overcommit_memory", "1");

	map_all(argv[1], argv[2]);
	for (i = 0; i < nr_files; i++) {
		pages[files[i].tree == 'B'] += files[i].pages;
		count[files[i].tree == 'B']++;
	}
	say("reading %zu files, %.1f MiB", nr_files, mib(nr_pages));
	start = now();
	touch_all();
	t_read = now() - start;
	say("oracle: hashing and comparing %zu pages in user space", nr_pages);
	start = now();
	oracle();
	t_oracle = now() - start;
	possible = nr_pages - nr_distinct;
	free0 = field("/proc/meminfo", "MemFree");
	cached0 = field("/proc/meminfo", "Cached");
	if (saved_by_pagemap() || sharing())
		die("pages are shared before sharing was turned on");

	/* Whoever owns the files: what is asked is what they have in common. */
	must_put(KSM "file_domain", "userns memcg");
	say("sharing on: vm.ksm_file=1, file_domain=\"userns memcg\", madvise(MADV_MERGEABLE), ksmd hot");
	must_put("/proc/sys/vm/ksm_file", "1");
	must_put(KSM "sleep_millisecs", "0");
	must_put(KSM "pages_to_scan", "10000");
	for (i = 0; i < nr_files; i++)
		if (madvise(files[i].map, files[i].pages * PSZ, MADV_MERGEABLE))
			die("madvise %s: %s", files[i].path, strerror(errno));
	scans = get(KSM "full_scans");
	must_put(KSM "run", "1");
	t_merge = settle();
	scans = get(KSM "full_scans") - scans;
	must_put(KSM "run", "0");
	n_shared = shared();
	n_sharing = sharing();
	merges = get(KSM "file_merges");
	free1 = field("/proc/meminfo", "MemFree");
	cached1 = field("/proc/meminfo", "Cached");
	pagemap = saved_by_pagemap();
	share = possible ? 100.0 * n_sharing / possible : 100;

	say("");
	say("  %-34s %10zu   %8.1f MiB", "files mapped in A", count[0], mib(pages[0]));
	say("  %-34s %10zu   %8.1f MiB", "files mapped in B", count[1], mib(pages[1]));
	say("  %-34s %10zu   %8.1f MiB", "pages mapped", nr_pages, mib(nr_pages));
	say("  %-34s %10zu   %8.1f MiB", "distinct pages (oracle)", nr_distinct, mib(nr_distinct));
	say("  %-34s %10ld   %8.1f MiB", "pages shared", n_shared, mib(n_shared));
	say("  %-34s %10ld   %8.1f MiB", "pages sharing them = saved", n_sharing, mib(n_sharing));
	say("  %-34s %10zu   %8.1f MiB", "possible saving (oracle)", possible, mib(possible));
	say("  %-34s %10zu   %8.1f MiB", "saved as /proc/self/pagemap shows", pagemap, mib(pagemap));
	say("  %-34s %10.1f %%", "saved, of the possible", share);
	say("  %-34s %10.2f s  (%.0f MiB/s, %ld scans with the waiting)", "time to merge",
	    t_merge, mib(nr_pages) / (t_merge > 0.01 ? t_merge : 0.01), scans);
	say("  %-34s %10.2f s", "oracle", t_oracle);
	say("  %-34s %7ld MiB -> %ld MiB", "MemFree", free0 / 1024, free1 / 1024);
	say("  %-34s %7ld MiB -> %ld MiB", "Cached", cached0 / 1024, cached1 / 1024);
	say("");
	check(share >= 95, "at least 95 %% of the possible saving: %.1f %%", share);
	check((long)pagemap >= n_sharing * 95 / 100 && (long)pagemap <= n_sharing,
	      "the page tables show the saving that the counters claim");
	{
		char where[400] = "";
		size_t bad = wrong_pages(NULL, where, sizeof(where));

		check(!bad, "all %zu pages have the bytes they had before the merge%s",
		      nr_pages, where);
	}
	write_one();
	drop_all();

	json = fopen(argv[3], "w");
	if (!json)
		die("%s: %s", argv[3], strerror(errno));
	fprintf(json,
		"{\"files_a\": %zu, \"files_b\": %zu, \"pages_a\": %zu, \"pages_b\": %zu,\n"
		" \"pages\": %zu, \"bytes\": %zu, \"distinct\": %zu, \"possible\": %zu,\n"
		" \"shared\": %ld, \"sharing\": %ld, \"saved_mib\": %.1f, \"saved_by_pagemap\": %zu,\n"
		" \"percent_of_possible\": %.2f, \"merges\": %ld, \"full_scans\": %ld,\n"
		" \"seconds_read\": %.2f, \"seconds_oracle\": %.2f, \"seconds_merge\": %.2f,\n"
		" \"memfree_before_kb\": %ld, \"memfree_after_kb\": %ld,\n"
		" \"cached_before_kb\": %ld, \"cached_after_kb\": %ld, \"ok\": %s}\n",
		count[0], count[1], pages[0], pages[1], nr_pages, nr_pages * PSZ,
		nr_distinct, possible, n_shared, n_sharing, mib(n_sharing), pagemap,
		share, merges, scans, t_read, t_oracle, t_merge, free0, free1,
		cached0, cached1, failed ? "false" : "true");
	fclose(json);
	sync();
	return failed;
}
