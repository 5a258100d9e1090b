// SPDX-License-Identifier: GPL-2.0
/*
 * Files and whole filesystems that go away while their pages are merged.
 */
#include "pxa_util.h"
#include <poll.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

static void unlink_open(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(OP(unlink(p.a.path)) == 0);
	pair_still_shared(&p, -1);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_store(&p.a, p.a.map, psz, 1, 50);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_close(&p.a);
	check_counters(-1, 0);
	pf_check_cold(&p.b);
}

static void unlink_both(void)
{
	struct pair p;

	pair_setup(&p, PROT_READ, MAP_SHARED);
	REQ(OP(unlink(p.a.path)) == 0);
	REQ(OP(unlink(p.b.path)) == 0);
	pf_close(&p.b);
	pf_check(&p.a);
	pf_close(&p.a);
	check_counters(0, 0);
}

static void unlink_inside_one_file(void)
{
	struct pfile a;
	int i;

	pf_new(&a, "a", 40);
	for (i = 0; i < 40; i++)
		pf_page(&a, i, 1 + i % 3);
	pf_commit(&a);
	pf_map(&a, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map, a.map + 39 * psz);
	wait_counters(3, 37);
	merge_stop();
	REQ(OP(unlink(a.path)) == 0);
	pf_check(&a);
	pf_close(&a);
	check_counters(0, 0);
}

static void unlink_in_a_loop(void)
{
	struct pair p;
	int i;

	for (i = 0; i < 10; i++) {
		pxa_nonce += 1000;
		pair_setup(&p, PROT_READ, MAP_SHARED);
		REQ(OP(unlink(p.a.path)) == 0);
		pf_close(&p.a);
		if (i & 1)
			drop_caches();
		pf_check(&p.b);
		REQ(OP(unlink(p.b.path)) == 0);
		if (i & 2)
			drop_caches();
		pf_close(&p.b);
		check_counters(0, 0);
		drop_caches();
	}
}

/* ksmd holds on to nothing: the files go while it is looking at them. */
static void unlink_under_ksmd(void)
{
	double end = now() + 6;
	struct pfile f;
	char name[32];
	int i, j;

	merge_start();
	for (i = 0; now() < end; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		pf_new(&f, name, 16);
		for (j = 0; j < 16; j++)
			pf_page(&f, j, 1 + (j + i) % 5);
		pf_commit(&f);
		pf_map(&f, PROT_READ, i & 1 ? MAP_SHARED : MAP_PRIVATE);
		msleep(i % 20);
		if (i & 4)
			pf_check(&f);
		REQ(OP(unlink(f.path)) == 0);
		pf_close(&f);
		if (i % 8 == 0)
			drop_caches();
	}
	merge_stop();
	unmerge_all();
	check_counters(0, 0);
}

/* ------------------------------------------------------------------------ */

static char dev[512], mnt[500];
static const char *mkfs, *type;

static void run_cmd(const char *fmt, ...)
{
	char cmd[1200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, args);
	va_end(args);
	if (system(cmd))
		pxa_skip("cannot run: %s", cmd);
}

static void second_fs(void)
{
	const char *env = getenv("PXA_DEV2");
	FILE *f;

	mkfs = getenv("PXA_MKFS2");
	type = getenv("PXA_TYPE2");
	if (!mkfs || !type) {
		mkfs = "mkfs.ext4 -q -F -b 4096";
		type = "ext4";
	}
	snprintf(mnt, sizeof(mnt), "%s/mnt", pxa_scratch);
	REQ(mkdir(mnt, 0700) == 0);
	if (env && *env) {
		snprintf(dev, sizeof(dev), "%s", env);
		run_cmd("PATH=$PATH:/usr/sbin:/sbin %s %s >/dev/null 2>&1",
			mkfs, dev);
		return;
	}
	run_cmd("truncate -s 32M %s/img", pxa_scratch);
	run_cmd("PATH=$PATH:/usr/sbin:/sbin %s %s/img >/dev/null 2>&1", mkfs,
		pxa_scratch);
	run_cmd("losetup -f --show %s/img > %s/dev 2>/dev/null", pxa_scratch,
		pxa_scratch);
	run_cmd("test -s %s/dev", pxa_scratch);
	snprintf(dev, sizeof(dev), "%s/dev", pxa_scratch);
	f = fopen(dev, "r");
	REQ(f && fgets(dev, sizeof(dev), f));
	fclose(f);
	dev[strcspn(dev, "\n")] = '\0';
}

static void second_fs_end(void)
{
	const char *env = getenv("PXA_DEV2");

	if (!env || !*env)
		run_cmd("losetup -d %s", dev);
}

static void do_mount(unsigned long flags)
{
	if (OP(mount(dev, mnt, type, flags, "")))
		FAIL("mount %s: %s", dev, strerror(errno));
}

static void do_umount(void)
{
	if (OP(umount(mnt)))
		FAIL("umount: %s", strerror(errno));
}

/* a on the first, b on the second file system, and not merged yet. */
static void pair_apart(struct pair *p, const char *name, int prot, int flags)
{
	char path[600];
	int i;

	if (on_tmpfs())
		pxa_skip("pages of tmpfs are not merged with those of a disk");
	snprintf(path, sizeof(path), "%s/%s", mnt, name);
	pf_new(&p->a, name, PAIR_PAGES);
	pf_new_at(&p->b, path, PAIR_PAGES);
	for (i = 0; i < PAIR_PAGES; i++) {
		pf_page(&p->a, i, 1000 + i);
		pf_page(&p->b, i, 2000 + i);
	}
	pf_page(&p->a, 1, 3000);
	pf_page(&p->a, 2, 3001);
	pf_page(&p->a, 5, 3002);
	pf_page(&p->b, 3, 3000);
	pf_page(&p->b, 4, 3001);
	pf_page(&p->b, 6, 3002);
	pf_commit(&p->a);
	pf_commit(&p->b);
	pair_map(p, prot, flags);
}

static void pair_across(struct pair *p, const char *name, int prot, int flags)
{
	pair_apart(p, name, prot, flags);
	pair_merge(p);
}

static void umount_while_merged(void)
{
	unsigned char shadow[PAIR_PAGES * 4096], buf[4096];
	char name[16], path[600];
	struct pair p;
	size_t off;
	int i, fd;

	second_fs();
	for (i = 0; i < 8; i++) {
		pxa_nonce += 1000;
		snprintf(name, sizeof(name), "file%d", i);
		do_mount(0);
		pair_across(&p, name, PROT_READ, MAP_SHARED);
		memcpy(shadow, p.b.shadow, sizeof(shadow));
		if (i & 1)
			REQ(OP(unlink(p.b.path)) == 0);
		if (i & 2)
			drop_caches();
		pf_close(&p.b);
		do_umount();
		check_counters(-1, 0);
		if (i & 4)
			drop_caches();
		REQ(!memcmp(p.a.map, p.a.shadow, p.a.size));
		pf_check_cold(&p.a);
		/* its pages stay protected, each with one alias */
		REQ(OP(unlink(p.a.path)) == 0);
		pf_close(&p.a);
		check_counters(0, 0);
		if (i & 1)
			continue;
		/* what is on the disk of the file system that is gone */
		do_mount(MS_RDONLY);
		snprintf(path, sizeof(path), "%s/%s", mnt, name);
		fd = open(path, O_RDONLY);
		REQ(fd >= 0);
		for (off = 0; off < sizeof(shadow); off += sizeof(buf)) {
			REQ(OP(pread(fd, buf, sizeof(buf), off)) == 4096);
			REQ(!memcmp(buf, shadow + off, sizeof(buf)));
		}
		close(fd);
		do_umount();
	}
	second_fs_end();
}

static void umount_under_ksmd(void)
{
	struct pfile f, keep;
	double end;
	int i, j;

	second_fs();
	pf_new(&keep, "keep", 16);
	for (j = 0; j < 16; j++)
		pf_page(&keep, j, 1 + j % 5);
	pf_commit(&keep);
	pf_map(&keep, PROT_READ, MAP_SHARED);
	merge_start();
	end = now() + 8;
	for (i = 0; now() < end; i++) {
		char path[600];

		do_mount(0);
		snprintf(path, sizeof(path), "%s/f%d", mnt, i);
		pf_new_at(&f, path, 16);
		for (j = 0; j < 16; j++)
			pf_page(&f, j, 1 + (j + 1) % 5);
		pf_commit(&f);
		pf_map(&f, PROT_READ, MAP_SHARED);
		msleep(i % 30);
		pf_check(&f);
		if (i & 1)
			unlink(f.path);
		pf_close(&f);
		do_umount();
		pf_check(&keep);
	}
	merge_stop();
	pf_check_cold(&keep);
	second_fs_end();
}

static void lazy_umount(void)
{
	struct pair p;

	second_fs();
	do_mount(0);
	pair_across(&p, "file", PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(umount(mnt) == -1 && errno == EBUSY);
	REQ(OP(umount2(mnt, MNT_DETACH)) == 0);
	/* nothing but descriptor and mapping is left */
	pair_still_shared(&p, -1);
	pf_store(&p.b, p.b.map, 3 * psz, 3, 50);
	REQ(!memcmp(p.b.map, p.b.shadow, p.b.size));
	pf_check(&p.a);
	pf_close(&p.b);
	msleep(50);
	check_counters(-1, 0);
	pf_check_cold(&p.a);
	second_fs_end();
}

static void remount(void)
{
	struct pair p;

	second_fs();
	do_mount(0);
	pair_across(&p, "file", PROT_READ, MAP_SHARED);
	/* nothing may be open for writing, and be it by a mapping */
	pf_unmap(&p.b);
	close(p.b.fd);
	p.b.fd = open(p.b.path, O_RDONLY);
	REQ(p.b.fd >= 0);
	pf_map(&p.b, PROT_READ, MAP_SHARED);
	REQ(OP(mount(dev, mnt, type, MS_REMOUNT | MS_RDONLY, "")) == 0);
	pf_check(&p.a);
	pf_check(&p.b);
	pair_still_shared(&p, -1);
	REQ(open(p.b.path, O_RDWR) < 0 && errno == EROFS);
	REQ(OP(mount(dev, mnt, type, MS_REMOUNT, "")) == 0);
	close(p.b.fd);
	p.b.fd = open(p.b.path, O_RDWR);
	REQ(p.b.fd >= 0);
	pf_write(&p.b, 3 * psz, 5, 50);
	pf_write(&p.a, 2 * psz, 5, 51);
	pair_check(&p);
	pf_close(&p.a);
	pf_close(&p.b);
	do_umount();
	second_fs_end();
}

static pid_t thawer;

/*
 * Freeze the second filesystem.  A process that outlives the test thaws it, if the
 * test has not.  It waits for the end of what is returned.
 */
static int freeze(void)
{
	int fd = open(mnt, O_RDONLY), end[2];
	char c;

	REQ(fd >= 0);
	REQ(pipe2(end, O_CLOEXEC) == 0);
	if (OP(ioctl(fd, FIFREEZE, 0))) {
		if (errno == EOPNOTSUPP)
			pxa_skip("FIFREEZE: %s", strerror(errno));
		FAIL("FIFREEZE: %s", strerror(errno));
	}
	thawer = fork();
	if (!thawer) {
		setsid();
		close(end[1]);
		while (read(end[0], &c, 1) > 0)
			;
		ioctl(fd, FITHAW, 0);
		_exit(0);
	}
	close(end[0]);
	close(fd);
	return end[1];
}

static void thaw(int end)
{
	int fd = open(mnt, O_RDONLY);

	REQ(fd >= 0);
	REQ(OP(ioctl(fd, FITHAW, 0)) == 0);
	close(fd);
	close(end);
	REQ(OP(waitpid(thawer, NULL, 0)) == thawer);
}

/*
 * A filesystem that is frozen takes no writes.  What merging and the end of it do is
 * none; a store waits, but not with a page locked that others share.
 */
static void frozen(void)
{
	struct pollfd stored;
	struct pair p, q;
	int end, done[2];
	pid_t pid;
	char c;

	second_fs();
	do_mount(0);
	pair_across(&p, "p", PROT_READ | PROT_WRITE, MAP_SHARED);
	pxa_nonce += 1000;
	pair_apart(&q, "q", PROT_READ | PROT_WRITE, MAP_SHARED);
	REQ(pipe(done) == 0);
	end = freeze();

	merge_start();
	wait_shared(q.a.map + psz, q.b.map + 3 * psz);
	wait_shared(q.a.map + 2 * psz, q.b.map + 4 * psz);
	wait_shared(q.a.map + 5 * psz, q.b.map + 6 * psz);
	merge_stop();
	check_counters(2 * PAIR_SHARED, 2 * PAIR_SHARED);

	REQ(OP(madvise(p.b.map + 6 * psz, psz, MADV_UNMERGEABLE)) == 0);
	must_not_share(p.a.map + 5 * psz, p.b.map + 6 * psz);
	pf_write(&p.a, 2 * psz, 10, 50);
	must_not_share(p.a.map + 2 * psz, p.b.map + 4 * psz);
	must_share(p.a.map + psz, p.b.map + 3 * psz);
	pair_still_shared(&q, -1);

	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		close(end);
		q.b.map[3 * psz + 7] = 0x77;
		_exit(write(done[1], "x", 1) != 1);
	}
	stored.fd = done[0];
	stored.events = POLLIN;
	REQ(poll(&stored, 1, 500) == 0);
	/* meanwhile, all can be read, and a is not frozen */
	pf_check(&q.a);
	pf_check(&q.b);
	pf_store(&q.a, q.a.map, psz, 10, 51);
	pf_store(&q.a, q.a.map, 2 * psz, 10, 52);
	pf_check(&q.a);
	pf_check(&q.b);
	unmerge_all();
	check_counters(0, 0);
	pf_check(&p.a);
	pf_check(&p.b);
	pf_check(&q.b);
	REQ(poll(&stored, 1, 0) == 0);

	thaw(end);
	op_begin("store after the thaw");
	REQ(read(done[0], &c, 1) == 1);
	REQ(waitpid(pid, NULL, 0) == pid);
	op_end();
	q.b.shadow[3 * psz + 7] = 0x77;
	pf_check(&q.b);
	pf_write(&p.b, 3 * psz, 10, 53);
	pair_check(&p);
	pair_check(&q);
	pf_close(&p.b);
	pf_close(&q.b);
	do_umount();
	second_fs_end();
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(unlink_open),
	T(unlink_both),
	T(unlink_inside_one_file),
	T(unlink_in_a_loop),
	T(unlink_under_ksmd),
	T(umount_while_merged),
	T(umount_under_ksmd),
	T(lazy_umount),
	T(remount),
	T(frozen),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
