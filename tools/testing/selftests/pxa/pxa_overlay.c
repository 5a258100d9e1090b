// SPDX-License-Identifier: GPL-2.0
/*
 * Files of overlayfs: their pages are those of the layers.  The lower layers are
 * on the filesystem under test, the upper ones in PXA_UPPER.
 */
#include "pxa_util.h"

#define NOBODY	65534

struct layers {
	char lower[440];
	char upper[440];
	char work[440];
	char over[440];
};

static void layers_new(struct layers *l, const char *n)
{
	const char *top = getenv("PXA_UPPER");

	if (!top || !*top)
		top = pxa_scratch;
	snprintf(l->lower, sizeof(l->lower), "%s/lower%s", pxa_scratch, n);
	snprintf(l->over, sizeof(l->over), "%s/over%s", pxa_scratch, n);
	snprintf(l->upper, sizeof(l->upper), "%s/upper%s.%d", top, n, getpid());
	snprintf(l->work, sizeof(l->work), "%s/work%s.%d", top, n, getpid());
	REQ(mkdir(l->lower, 0755) == 0 && mkdir(l->over, 0755) == 0);
	REQ(mkdir(l->upper, 0755) == 0 && mkdir(l->work, 0755) == 0);
}

static void layers_mount(struct layers *l)
{
	char options[1500];

	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 l->lower, l->upper, l->work);
	if (mount("none", l->over, "overlay", 0, options))
		pxa_skip("cannot mount an overlay: %s", strerror(errno));
}

static void layers_umount(struct layers *l)
{
	if (OP(umount(l->over)))
		FAIL("umount: %s", strerror(errno));
}

static void layer_path(char *path, size_t len, const char *dir, const char *name)
{
	if ((size_t)snprintf(path, len, "%s/%s", dir, name) >= len)
		FAIL("path too long");
}

/* The file by the path that the overlay has for it */
static void through(struct pfile *f, struct layers *l, const char *name, int flags)
{
	pf_unmap(f);
	close(f->fd);
	layer_path(f->path, sizeof(f->path), l->over, name);
	f->fd = open(f->path, flags);
	if (f->fd < 0)
		FAIL("%s: %s", f->path, strerror(errno));
}

/* The usual pair in the lower layers of la and lb, opened through the overlay */
static void pair_below(struct pair *p, struct layers *la, struct layers *lb)
{
	static const int same[][2] = { { 1, 3 }, { 2, 4 }, { 5, 6 } };
	char path[512];
	int i;

	layer_path(path, sizeof(path), la->lower, "a");
	pf_new_at(&p->a, path, PAIR_PAGES);
	layer_path(path, sizeof(path), lb->lower, "b");
	pf_new_at(&p->b, path, PAIR_PAGES);
	for (i = 0; i < PAIR_PAGES; i++) {
		pf_page(&p->a, i, 1000 + i);
		pf_page(&p->b, i, 2000 + i);
	}
	for (i = 0; i < PAIR_SHARED; i++) {
		pf_page(&p->a, same[i][0], 3000 + i);
		pf_page(&p->b, same[i][1], 3000 + i);
	}
	pf_commit(&p->a);
	pf_commit(&p->b);
	layers_mount(la);
	if (la != lb)
		layers_mount(lb);
	through(&p->a, la, "a", O_RDONLY);
	through(&p->b, lb, "b", O_RDONLY);
	pair_map(p, PROT_READ, MAP_SHARED);
}

/* What is in the lower layer, from the disk */
static void check_below(struct layers *l, const char *name, const void *content,
			size_t len)
{
	unsigned char *buf = malloc(len);
	char path[512];
	int fd;

	layer_path(path, sizeof(path), l->lower, name);
	fd = open(path, O_RDONLY);
	REQ(buf && fd >= 0);
	REQ(OP(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
	REQ(OP(pread(fd, buf, len, 0)) == (ssize_t)len);
	REQ(!memcmp(buf, content, len));
	close(fd);
	free(buf);
}

static void pair_end(struct pair *p)
{
	pf_close(&p->a);
	pf_close(&p->b);
}

static void lower_shared(void)
{
	struct layers l;
	struct pair p;

	layers_new(&l, "");
	pair_below(&p, &l, &l);
	pair_merge(&p);
	pf_check(&p.a);
	pf_check(&p.b);
	pair_still_shared(&p, -1);
	drop_caches();
	pf_check(&p.a);
	pf_check(&p.b);
	pair_end(&p);
	layers_umount(&l);
}

/* Who has the file open for reading goes on to see the lower one. */
static void copy_up(void)
{
	unsigned char old[PAIR_PAGES * 4096];
	struct layers l;
	struct pair p;

	layers_new(&l, "");
	pair_below(&p, &l, &l);
	pair_merge(&p);
	REQ(p.a.size <= sizeof(old));
	memcpy(old, p.a.shadow, p.a.size);
	/* a second file of the same path, which is copied up */
	{
		struct pfile up = p.a;

		up.map = NULL;
		up.shadow = malloc(up.cap);
		REQ(up.shadow);
		memcpy(up.shadow, p.a.shadow, up.cap);
		up.fd = open(up.path, O_RDWR);
		REQ(up.fd >= 0);
		pf_write(&up, 2 * psz + 100, 10, 77);
		REQ(OP(fsync(up.fd)) == 0);
		REQ(!memcmp(p.a.map, old, p.a.size));
		pair_still_shared(&p, -1);
		pf_check(&p.b);
		/* the pages of the upper file are merged as well */
		pf_map(&up, PROT_READ | PROT_WRITE, MAP_SHARED);
		merge_start();
		wait_shared(up.map + 5 * psz, p.b.map + 6 * psz);
		wait_shared(up.map + psz, p.a.map + psz);
		merge_stop();
		pf_store(&up, up.map, psz + 1, 5, 78);
		pf_check(&up);
		pf_close(&up);
	}
	REQ(!memcmp(p.a.map, old, p.a.size));
	pf_check(&p.b);
	check_below(&l, "a", old, p.a.size);
	pair_end(&p);
	layers_umount(&l);
	check_below(&l, "a", old, PAIR_PAGES * psz);
}

/* Two containers from different images */
static void two_overlays(void)
{
	struct layers l, m;
	struct pair p;

	layers_new(&l, "");
	layers_new(&m, "2");
	pair_below(&p, &l, &m);
	pair_merge(&p);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_unmap(&p.b);
	close(p.b.fd);
	p.b.fd = open(p.b.path, O_RDWR);
	REQ(p.b.fd >= 0);
	pf_write(&p.b, 4 * psz, 20, 79);
	pf_check(&p.b);
	pf_check(&p.a);
	check_below(&l, "a", p.a.shadow, p.a.size);
	pf_close(&p.b);
	layers_umount(&m);
	pf_check(&p.a);
	pf_close(&p.a);
	layers_umount(&l);
}

static void umount_shared(void)
{
	struct layers l;
	struct pair p;

	layers_new(&l, "");
	pair_below(&p, &l, &l);
	pair_merge(&p);
	REQ(umount(l.over) == -1 && errno == EBUSY);
	REQ(OP(umount2(l.over, MNT_DETACH)) == 0);
	pair_still_shared(&p, -1);
	REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
	/* the pages stay: they are of the lower layer */
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	close(p.a.fd);
	close(p.b.fd);
	check_counters(PAIR_SHARED, PAIR_SHARED);
	check_below(&l, "a", p.a.shadow, p.a.size);
	check_below(&l, "b", p.b.shadow, p.b.size);
}

static void copy_up_under_ksmd(void)
{
	double end = now() + 4;
	struct layers l;
	char path[512];
	struct pair p;
	int i, fd;

	layers_new(&l, "");
	pair_below(&p, &l, &l);
	merge_start();
	for (i = 0; now() < end; i++) {
		struct pfile *f = i & 1 ? &p.b : &p.a;
		const char *name = i & 1 ? "b" : "a";

		msleep(i % 20);
		fd = open(f->path, O_RDWR);
		REQ(fd >= 0);
		REQ(OP(pwrite(fd, "x", 1, i % PAIR_PAGES * psz)) == 1);
		close(fd);
		REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
		REQ(!memcmp(p.b.map, p.b.shadow, p.b.size));
		/* once more with the lower file only */
		pf_unmap(&p.a);
		pf_unmap(&p.b);
		close(p.a.fd);
		close(p.b.fd);
		layers_umount(&l);
		layer_path(path, sizeof(path), l.upper, name);
		REQ(OP(unlink(path)) == 0);
		layers_mount(&l);
		p.a.fd = open(p.a.path, O_RDONLY);
		p.b.fd = open(p.b.path, O_RDONLY);
		REQ(p.a.fd >= 0 && p.b.fd >= 0);
		pair_map(&p, PROT_READ, MAP_SHARED);
	}
	merge_stop();
	pf_check(&p.a);
	pf_check(&p.b);
	check_below(&l, "a", p.a.shadow, p.a.size);
	check_below(&l, "b", p.b.shadow, p.b.size);
	pair_end(&p);
	layers_umount(&l);
}

/* ------------------------------------------------------------------------ */

static void copy_self(const char *path, mode_t mode)
{
	static char buf[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	struct stat st;
	ssize_t n;

	REQ(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		REQ(write(out, buf, n) == n);
	REQ(n == 0);
	if (fchmod(out, mode) || fstat(out, &st) || (st.st_mode & 0777) != mode)
		pxa_skip("no file modes on this filesystem");
	REQ(OP(fsync(out)) == 0);
	close(in);
	close(out);
}

static pid_t start(const char *path)
{
	int fds[2], fd;
	pid_t pid;
	char c;

	REQ(pipe(fds) == 0);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		char *const argv[] = { (char *)path, "--advise", NULL };

		fd = open(path, O_PATH);
		REQ(fd >= 0);
		REQ(dup2(fds[1], 3) == 3);
		REQ(setresgid(NOBODY, NOBODY, NOBODY) == 0);
		REQ(setresuid(NOBODY, NOBODY, NOBODY) == 0);
		syscall(__NR_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		FAIL("execveat: %s", strerror(errno));
	}
	close(fds[1]);
	REQ(OP(read(fds[0], &c, 1)) == 1);
	close(fds[0]);
	return pid;
}

/*
 * Who may execute a program, but not read it, must not have it merged.  What
 * overlayfs opens is opened by whoever mounted it, who may read all.
 */
static void exec_only(void)
{
	unsigned char *map[2];
	char path[512], name[16];
	struct layers l;
	struct stat st;
	pid_t pid[2];
	size_t off;
	int i, fd;

	layers_new(&l, "");
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		layer_path(path, sizeof(path), l.lower, name);
		copy_self(path, 0111);
	}
	layers_mount(&l);
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		layer_path(path, sizeof(path), l.over, name);
		pid[i] = start(path);
		fd = open(path, O_RDONLY);
		REQ(fd >= 0 && fstat(fd, &st) == 0);
		map[i] = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		REQ(map[i] != MAP_FAILED);
		close(fd);
		for (off = 0; off < (size_t)st.st_size; off += psz)
			(void)op_load(map[i] + off);
	}
	merge_start();
	merge_settle();
	merge_scans(10);
	for (off = 0; off + psz <= (size_t)st.st_size; off += psz)
		if (page_pfn(map[0] + off) == page_pfn(map[1] + off))
			FAIL("the program was merged for who may only execute it");
	/* and it can be merged, for who may read it */
	for (i = 0; i < 2; i++)
		REQ(madvise(map[i], st.st_size, MADV_MERGEABLE) == 0);
	wait_shared(map[0] + psz, map[1] + psz);
	merge_stop();
	REQ(!memcmp(map[0], map[1], st.st_size));
	for (i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		munmap(map[i], st.st_size);
	}
	layers_umount(&l);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(lower_shared),
	T(copy_up),
	T(two_overlays),
	T(umount_shared),
	T(copy_up_under_ksmd),
	T(exec_only),
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--advise")) {
		psz = sysconf(_SC_PAGESIZE);
		return advise_text();
	}
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
