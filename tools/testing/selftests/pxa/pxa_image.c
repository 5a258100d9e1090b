// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of a filesystem that is made with its content and only read, squashfs
 * for example.  The files that it was made of are on another filesystem, in
 * PXA_COPY, and tell what each byte has to be.
 */
#include "pxa_util.h"
#include <dirent.h>

#define MAX_FILES	64

static struct pfile file[MAX_FILES];
static int files;
static char mnt[420];
static long shared, sharing;		/* what the content allows */
static long pages;

static void read_copy(struct pfile *f, const char *dir, const char *name)
{
	char path[600];
	struct stat st;
	size_t off = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	REQ(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->size = st.st_size;
	f->cap = (f->size + psz - 1) & ~(psz - 1);
	f->shadow = calloc(1, f->cap);
	REQ(f->shadow);
	while (off < f->size) {
		n = read(fd, f->shadow + off, f->size - off);
		REQ(n > 0);
		off += n;
	}
	close(fd);
	snprintf(f->path, sizeof(f->path), "%s/%s", mnt, name);
}

static int compare_pages(const void *a, const void *b)
{
	return memcmp(*(void * const *)a, *(void * const *)b, psz);
}

/* How much of it can be shared: all of each content but one page. */
static void count_pages(void)
{
	unsigned char **list;
	long i, n = 0, same = 0;
	size_t off;

	for (i = 0; i < files; i++)
		pages += file[i].cap / psz;
	list = malloc(pages * sizeof(*list));
	REQ(list);
	for (i = 0; i < files; i++)
		for (off = 0; off < file[i].cap; off += psz)
			list[n++] = file[i].shadow + off;
	qsort(list, n, sizeof(*list), compare_pages);
	for (i = 1; i < n; i++) {
		if (memcmp(list[i - 1], list[i], psz)) {
			same = 0;
			continue;
		}
		shared += !same++;
		sharing++;
	}
	free(list);
	REQ(sharing > 100 && sharing < pages);
}

static void do_mount(void)
{
	const char *dev = getenv("PXA_DEV"), *type = getenv("PXA_TYPE");

	if (OP(mount(dev, mnt, type, MS_RDONLY, NULL)))
		FAIL("mount %s of %s: %s", type, dev, strerror(errno));
}

static void do_umount(void)
{
	if (OP(umount(mnt)))
		FAIL("umount: %s", strerror(errno));
}

static void image_new(void)
{
	const char *dir = getenv("PXA_COPY"), *dev = getenv("PXA_DEV");
	struct dirent *d;
	DIR *list;

	if (!dir || !dev || !getenv("PXA_TYPE"))
		pxa_skip("no image (PXA_DEV, PXA_TYPE, PXA_COPY)");
	snprintf(mnt, sizeof(mnt), "%s/mnt", pxa_scratch);
	REQ(mkdir(mnt, 0755) == 0);
	list = opendir(dir);
	REQ(list);
	while ((d = readdir(list))) {
		if (d->d_name[0] == '.')
			continue;
		REQ(files < MAX_FILES);
		read_copy(&file[files++], dir, d->d_name);
	}
	closedir(list);
	count_pages();
	do_mount();
}

static void open_all(void)
{
	int i;

	for (i = 0; i < files; i++) {
		file[i].fd = open(file[i].path, O_RDONLY);
		if (file[i].fd < 0)
			FAIL("%s: %s", file[i].path, strerror(errno));
	}
}

static void map_all(void)
{
	int i;

	for (i = 0; i < files; i++)
		pf_map(&file[i], PROT_READ, MAP_SHARED);
}

static void unmap_all(void)
{
	int i;

	for (i = 0; i < files; i++)
		pf_unmap(&file[i]);
}

static void close_all(void)
{
	int i;

	for (i = 0; i < files; i++) {
		close(file[i].fd);
		file[i].fd = -1;
	}
}

static void check_all(void)
{
	int i;

	for (i = 0; i < files; i++)
		pf_check(&file[i]);
}

static void merge_all(void)
{
	merge_start();
	wait_counters(shared, sharing);
	merge_stop();
}

static void image_setup(void)
{
	image_new();
	open_all();
	map_all();
	check_counters(0, 0);
	merge_all();
}

static void image_end(void)
{
	unmap_all();
	close_all();
	do_umount();
	check_counters(0, 0);
}

/* Forget one page of a file that is not mapped. */
static void forget(struct pfile *f, size_t page)
{
	REQ(OP(posix_fadvise(f->fd, page * psz, psz, POSIX_FADV_DONTNEED)) == 0);
}

/* ------------------------------------------------------------------------ */

/* All that is equal is shared, and each byte is what it was. */
static void merge(void)
{
	image_setup();
	check_all();
	check_counters(shared, sharing);
	unmerge_all();
	check_counters(0, 0);
	check_all();
	image_end();
}

/*
 * Pages are read while others of the same compressed block are shared: they may
 * be filled from the block, or be passed over, but not be written to.
 */
static void forget_and_read(void)
{
	int i, step;
	size_t n;

	image_setup();
	for (step = 2; step < 5; step++) {
		unmap_all();
		for (i = 0; i < files; i++)
			for (n = 0; n < file[i].cap / psz; n++)
				if (n % step == 0)
					forget(&file[i], n);
		if (pxa_expect) {
			REQ(ksm_read("file_pages_sharing") < sharing);
			REQ(ksm_read("file_pages_sharing") > 0);
		}
		check_all();
		map_all();
		check_all();
		merge_all();
		check_all();
	}
	image_end();
}

static void drop(void)
{
	int i;

	image_setup();
	drop_caches();
	check_all();
	check_counters(shared, sharing);
	/* half of them are not mapped any more */
	for (i = 0; i < files; i += 2)
		pf_unmap(&file[i]);
	drop_caches();
	check_all();
	unmap_all();
	drop_caches();
	check_counters(0, 0);
	check_all();
	map_all();
	merge_all();
	check_all();
	image_end();
}

static void reclaim(void)
{
	long before;

	limited_join();
	image_setup();
	before = vmstat("pxa_reclaim");
	limited_squeeze();
	check_all();
	unmap_all();
	map_all();
	merge_all();
	unmap_all();
	limited_squeeze();
	if (pxa_expect && vmstat("pxa_reclaim") == before)
		FAIL("nothing that is shared was reclaimed");
	check_all();
	limited_leave();
	image_end();
}

static void cannot_be_written(void)
{
	unsigned char *p;
	size_t off, i = 0;

	image_setup();
	REQ(open(file[0].path, O_RDWR) < 0 && errno == EROFS);
	REQ(mmap(NULL, psz, PROT_READ | PROT_WRITE, MAP_SHARED, file[0].fd, 0) ==
	    MAP_FAILED);
	REQ(mprotect(file[0].map, psz, PROT_READ | PROT_WRITE) < 0);
	while (file[i].cap < 8 * psz)
		i++;
	p = mmap(NULL, file[i].cap, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		 file[i].fd, 0);
	REQ(p != MAP_FAILED);
	for (off = 0; off < file[i].cap; off += 2 * psz)
		op_store(p + off, ~p[off]);
	for (off = 0; off < file[i].cap; off += psz) {
		unsigned char c = file[i].shadow[off];

		REQ(p[off] == (unsigned char)(off % (2 * psz) ? c : ~c));
	}
	check_counters(shared, sharing);
	check_all();
	munmap(p, file[i].cap);
	image_end();
}

/* Shared with a file of another filesystem, which is written to. */
static void other_filesystem(void)
{
	struct pfile copy;
	struct stat st;
	size_t i = 0;

	image_setup();
	while (file[i].cap < 8 * psz)
		i++;
	REQ(fstat(file[i].fd, &st) == 0);
	pf_new(&copy, "copy", file[i].cap / psz);
	REQ(fchown(copy.fd, st.st_uid, st.st_gid) == 0);
	REQ(fchmod(copy.fd, st.st_mode & 07777) == 0);
	memcpy(copy.shadow, file[i].shadow, file[i].cap);
	pf_size(&copy, file[i].size);
	pf_commit(&copy);
	pf_map(&copy, PROT_READ | PROT_WRITE, MAP_SHARED);
	merge_start();
	wait_shared(copy.map + psz, file[i].map + psz);
	wait_shared(copy.map + 3 * psz, file[i].map + 3 * psz);
	merge_stop();
	pf_store(&copy, copy.map, psz + 7, 3, 77);
	pf_write(&copy, 3 * psz + 9, 5, 78);
	pf_check(&copy);
	check_all();
	pf_check_cold(&copy);
	check_all();
	REQ(OP(unlink(copy.path)) == 0);
	pf_close(&copy);
	image_end();
}

static void umount_shared(void)
{
	int i;

	image_setup();
	for (i = 0; i < 2; i++) {
		unmap_all();
		close_all();
		check_counters(shared, sharing);
		do_umount();
		check_counters(0, 0);
		if (i & 1)
			drop_caches();
		do_mount();
		open_all();
		map_all();
		check_all();
		merge_all();
		check_all();
	}
	image_end();
}

static void lazy_umount(void)
{
	int i;

	image_setup();
	REQ(umount(mnt) == -1 && errno == EBUSY);
	REQ(OP(umount2(mnt, MNT_DETACH)) == 0);
	close_all();
	drop_caches();
	for (i = 0; i < files; i++)
		REQ(!memcmp(file[i].map, file[i].shadow, file[i].cap));
	check_counters(shared, sharing);
	unmap_all();
	for (i = 0; i < 200 && ksm_read("file_pages_sharing") > 0; i++)
		msleep(20);
	check_counters(0, 0);
	do_mount();
	open_all();
	check_all();
	image_end();
}

/* Lower layer of an overlay: a file is copied up while its pages are shared. */
static void below_overlay(void)
{
	char over[450], path[600], options[1600], buf[4];
	unsigned char c;
	size_t i, n = MAX_FILES;
	int fd;

	image_new();
	snprintf(path, sizeof(path), "%s/upper", pxa_scratch);
	REQ(mkdir(path, 0755) == 0);
	snprintf(path, sizeof(path), "%s/work", pxa_scratch);
	REQ(mkdir(path, 0755) == 0);
	snprintf(over, sizeof(over), "%s/over", pxa_scratch);
	REQ(mkdir(over, 0755) == 0);
	snprintf(options, sizeof(options),
		 "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", mnt,
		 pxa_scratch, pxa_scratch);
	if (mount("none", over, "overlay", 0, options))
		pxa_skip("overlay: %s", strerror(errno));
	for (i = 0; i < (size_t)files; i++) {
		snprintf(path, sizeof(path), "%s%s", over, strrchr(file[i].path, '/'));
		strcpy(file[i].path, path);
		if (file[i].cap > 8 * psz)
			n = i;
	}
	REQ(n < MAX_FILES);
	open_all();
	map_all();
	merge_all();
	check_all();

	fd = open(file[n].path, O_RDWR);
	REQ(fd >= 0);
	c = ~file[n].shadow[psz];
	REQ(OP(pwrite(fd, &c, 1, psz)) == 1);
	REQ(OP(fsync(fd)) == 0);
	REQ(OP(pread(fd, buf, 2, psz - 1)) == 2);
	REQ(buf[0] == (char)file[n].shadow[psz - 1] && buf[1] == (char)c);
	close(fd);
	/* Who has it open sees the lower file, and that has not changed. */
	REQ(!memcmp(file[n].map, file[n].shadow, file[n].cap));
	check_counters(shared, sharing);
	file[n].shadow[psz] = c;
	pf_unmap(&file[n]);
	close(file[n].fd);
	file[n].fd = open(file[n].path, O_RDONLY);
	check_all();
	unmap_all();
	close_all();
	REQ(OP(umount(over)) == 0);
	file[n].shadow[psz] = ~c;
	for (i = 0; i < (size_t)files; i++) {
		snprintf(path, sizeof(path), "%s%s", mnt, strrchr(file[i].path, '/'));
		strcpy(file[i].path, path);
	}
	open_all();
	check_all();
	image_end();
}

static void read_part(struct pfile *f, unsigned int *seed)
{
	static unsigned char buf[64 << 10];
	size_t off = rand_r(seed) % f->size, len = 1 + rand_r(seed) % sizeof(buf);
	unsigned char *p;

	if (len > f->size - off)
		len = f->size - off;
	if (rand_r(seed) % 3) {
		REQ(OP(pread(f->fd, buf, len, off)) == (ssize_t)len);
		REQ(!memcmp(buf, f->shadow + off, len));
	} else {
		p = mmap(NULL, f->cap, PROT_READ, MAP_PRIVATE, f->fd, 0);
		REQ(p != MAP_FAILED);
		REQ(!memcmp(p + off, f->shadow + off, len));
		munmap(p, f->cap);
	}
	if (rand_r(seed) % 4 == 0)
		OP(posix_fadvise(f->fd, off & ~(psz - 1), len, POSIX_FADV_DONTNEED));
}

static void read_under_ksmd(void)
{
	double end = now() + 3;
	pid_t pid[3];
	int i, status;

	image_new();
	open_all();
	map_all();
	merge_start();
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		REQ(pid[i] >= 0);
		if (!pid[i]) {
			unsigned int seed = 10 + i;

			/* what is not mapped can be forgotten */
			if (i == 0)
				unmap_all();
			while (now() < end)
				read_part(&file[rand_r(&seed) % files], &seed);
			_exit(0);
		}
	}
	while (now() < end) {
		msleep(300);
		drop_caches();
		unmap_all();
		map_all();
	}
	for (i = 0; i < 3; i++) {
		REQ(waitpid(pid[i], &status, 0) == pid[i]);
		/* it has said why */
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			_exit(KSFT_FAIL);
	}
	unmap_all();
	/* Under contention two pages with one content may each be shared. */
	unmerge_all();
	map_all();
	merge_start();
	wait_counters(shared, sharing);
	merge_stop();
	check_all();
	image_end();
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(merge),
	T(forget_and_read),
	T(drop),
	T(reclaim),
	T(cannot_be_written),
	T(other_filesystem),
	T(umount_shared),
	T(lazy_umount),
	T(below_overlay),
	T(read_under_ksmd),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
