// SPDX-License-Identifier: GPL-2.0
/*
 * Who shares with whom: merge domains, pages of zeroes only, what those who are
 * not root may cause and see, and what all this takes in memory.
 */
#include "pxa_util.h"
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define KSM_DIR		"/sys/kernel/mm/ksm/"
#define NARROWEST	"userns memcg owner"
#define NOBODY		65534
#define GROUPS		3
#define OVERLAYFS_MAGIC	0x794c7630

static const char * const counters[] = {
	"file_pages_shared", "file_pages_sharing", "file_pages_unshared",
	"file_merges", "file_breaks", "file_drops", "file_reclaims",
	"file_refused_busy", "file_refused_pinned", "file_refused_dirty",
	"file_refused_private", "file_refused_changed", "file_refused_limit",
	"file_refused_unsupported", "file_refused_nomem",
};

/* ------------------------------------------------------------------------ */

static void domain(const char *words)
{
	char buf[64];

	op_begin("writing file_domain");
	if (write_str(KSM_DIR "file_domain", words))
		FAIL("cannot write %s to file_domain: %s", words, strerror(errno));
	op_end();
	REQ(read_str(KSM_DIR "file_domain", buf, sizeof(buf)) == 0);
	REQ(!strncmp(buf, words, strlen(words)));
}

static void content(const char *word)
{
	op_begin("writing file_content");
	if (write_str(KSM_DIR "file_content", word))
		FAIL("cannot write %s to file_content: %s", word, strerror(errno));
	op_end();
}

/* As the kernel comes up, whatever an earlier subtest has left. */
static void defaults(void)
{
	domain(NARROWEST);
	content("any");
}

static void wait_child(pid_t pid)
{
	int status;

	REQ(OP(waitpid(pid, &status, 0)) == pid);
	/* Why it failed is reported already. */
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL);
}

static void become_nobody(void)
{
	REQ(setgroups(0, NULL) == 0);
	REQ(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	REQ(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* ------------------------------------------------- memory control groups -- */

static char groups[GROUPS][400];

static const char *group_root(void)
{
	const char *root = getenv("PXA_CGROUP");

	if (!root || !*root)
		root = "/sys/fs/cgroup";
	return root;
}

static void group_path(int nr, char *path, size_t len, const char *file)
{
	snprintf(path, len, "%s/%s", groups[nr], file);
}

static void group_new(int nr)
{
	char path[500];

	snprintf(groups[nr], sizeof(groups[nr]), "%s/pxa.%d.%d", group_root(),
		 getpid(), nr);
	if (mkdir(groups[nr], 0755))
		pxa_skip("no memory control group (PXA_CGROUP)");
	group_path(nr, path, sizeof(path), "memory.stat");
	if (access(path, R_OK)) {
		rmdir(groups[nr]);
		pxa_skip("no memory control group (PXA_CGROUP)");
	}
}

static void group_end(int nr)
{
	double end = now() + 5;

	/* Who has just exited may still count as a member. */
	while (rmdir(groups[nr]) && errno == EBUSY && now() < end)
		msleep(10);
}

static void group_join(int nr)
{
	char path[500];

	group_path(nr, path, sizeof(path), "cgroup.procs");
	REQ(write_str(path, "0") == 0);
}

/* The pages of a file that is not cached become those of a group. */
static void group_reads(int nr, struct pfile *f)
{
	pid_t pid = fork();

	REQ(pid >= 0);
	if (!pid) {
		char *buf = malloc(1 << 16);
		size_t off;

		group_join(nr);
		for (off = 0; off < f->size; off += 1 << 16)
			REQ(OP(pread(f->fd, buf, 1 << 16, off)) > 0);
		_exit(0);
	}
	wait_child(pid);
}

static long group_stat(int nr, const char *name)
{
	char path[500], line[200], key[64];
	long v = -1, n;
	FILE *f;

	group_path(nr, path, sizeof(path), "memory.stat");
	f = fopen(path, "r");
	REQ(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", key, &n) == 2 && !strcmp(key, name))
			v = n;
	fclose(f);
	return v;
}

/* ----------------------------------------------------------------- files -- */

/* Four pages each; what is the same are a[1] and b[2]. */
static void two_files(struct pfile *a, struct pfile *b)
{
	int i;

	pf_new(a, "a", 4);
	pf_new(b, "b", 4);
	for (i = 0; i < 4; i++) {
		pf_page(a, i, 10 + i);
		pf_page(b, i, 20 + i);
	}
	memcpy(b->shadow + 2 * psz, a->shadow + psz, psz);
	pf_commit(a);
	pf_commit(b);
}

static void map_two(struct pfile *a, struct pfile *b)
{
	pf_map(a, PROT_READ, MAP_SHARED);
	pf_map(b, PROT_READ, MAP_SHARED);
}

static void must_be_apart(struct pfile *a, struct pfile *b)
{
	merge_start();
	merge_settle();
	merge_stop();
	must_not_share(a->map + psz, b->map + 2 * psz);
	check_counters(0, 0);
}

static void must_meet(struct pfile *a, struct pfile *b)
{
	merge_start();
	wait_shared(a->map + psz, b->map + 2 * psz);
	merge_settle();
	merge_stop();
	check_counters(1, 1);
}

static void check_two(struct pfile *a, struct pfile *b)
{
	pf_check_cold(a);
	pf_check_cold(b);
}

/* --------------------------------------------------------------- domains -- */

static void groups_setup(struct pfile *a, struct pfile *b, int other)
{
	defaults();
	group_new(0);
	if (other)
		group_new(other);
	two_files(a, b);
	group_reads(0, a);
	group_reads(other, b);
	map_two(a, b);
}

static void memcg_same(void)
{
	struct pfile a, b;

	groups_setup(&a, &b, 0);
	must_meet(&a, &b);
	check_two(&a, &b);
	group_end(0);
}

static void memcg_other(void)
{
	struct pfile a, b;

	groups_setup(&a, &b, 1);
	must_be_apart(&a, &b);
	/* The root group is another one too. */
	pf_unmap(&b);
	pf_drop(&b);
	pf_map(&b, PROT_READ, MAP_SHARED);
	must_be_apart(&a, &b);
	check_two(&a, &b);
	group_end(0);
	group_end(1);
}

static void memcg_widened(void)
{
	struct pfile a, b;

	groups_setup(&a, &b, 1);
	domain("userns owner");
	must_meet(&a, &b);
	check_two(&a, &b);
	domain(NARROWEST);
	group_end(0);
	group_end(1);
}

static void memcg_narrowed(void)
{
	struct pfile a, b;
	long breaks;

	groups_setup(&a, &b, 1);
	domain("none");
	must_meet(&a, &b);
	breaks = ksm_read("file_breaks");
	domain(NARROWEST);
	/* when the write has returned, not some time later */
	must_not_share(a.map + psz, b.map + 2 * psz);
	must_not_ksm(a.map + psz);
	check_counters(0, 0);
	REQ(ksm_read("file_breaks") > breaks);
	must_be_apart(&a, &b);
	pf_check(&a);
	pf_check(&b);
	check_two(&a, &b);
	group_end(0);
	group_end(1);
}

/* What is shared under narrow rules is found by others when they are wider. */
static void memcg_widened_later(void)
{
	struct pfile a, b, c;
	int i;

	groups_setup(&a, &b, 0);
	must_meet(&a, &b);
	group_new(1);
	pf_new(&c, "c", 2);
	for (i = 0; i < 2; i++)
		pf_page(&c, i, 30 + i);
	memcpy(c.shadow + psz, a.shadow + psz, psz);
	pf_commit(&c);
	group_reads(1, &c);
	pf_map(&c, PROT_READ, MAP_SHARED);
	merge_start();
	merge_settle();
	must_not_share(a.map + psz, c.map + psz);
	domain("userns owner");
	check_counters(1, -1);
	wait_shared(a.map + psz, c.map + psz);
	wait_counters(1, 2);
	merge_stop();
	check_two(&a, &b);
	pf_check_cold(&c);
	domain(NARROWEST);
	group_end(0);
	group_end(1);
}

/*
 * The pages of a group that is gone stay charged to it.  They are not those of
 * a new one that got its id, and share among each other.
 */
static void memcg_gone(void)
{
	struct pfile a, b, c;
	int i;

	defaults();
	group_new(0);
	two_files(&a, &b);
	pf_new(&c, "c", 2);
	for (i = 0; i < 2; i++)
		pf_page(&c, i, 30 + i);
	memcpy(c.shadow + psz, a.shadow + psz, psz);
	pf_commit(&c);
	group_reads(0, &a);
	group_reads(0, &c);
	group_end(0);
	group_new(0);
	group_reads(0, &b);
	map_two(&a, &b);
	must_be_apart(&a, &b);
	pf_map(&c, PROT_READ, MAP_SHARED);
	merge_start();
	wait_shared(a.map + psz, c.map + psz);
	merge_settle();
	merge_stop();
	check_counters(1, 1);
	must_not_share(a.map + psz, b.map + 2 * psz);
	check_two(&a, &b);
	pf_check_cold(&c);
	group_end(0);
}

/* A group that is offline has lost the id of memory cgroups: it is 0. */
static void memcg_gone_root(void)
{
	struct pfile a, b;

	defaults();
	group_new(0);
	two_files(&a, &b);
	group_reads(0, &a);
	group_end(0);
	msleep(1000);
	map_two(&a, &b);
	must_be_apart(&a, &b);
	check_two(&a, &b);
}

/* Not every filesystem has owners and modes. */
static void set_owner(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fchown(fd, uid, gid) || fstat(fd, &st) || st.st_uid != uid ||
	    st.st_gid != gid)
		pxa_skip("no owners of files on this filesystem");
}

static void set_mode(int fd, mode_t mode)
{
	struct stat st;

	if (fchmod(fd, mode) || fstat(fd, &st) || (st.st_mode & 07777) != mode)
		pxa_skip("no modes of files on this filesystem");
}

static void owner_other(void)
{
	struct pfile a, b;

	defaults();
	two_files(&a, &b);
	map_two(&a, &b);
	set_owner(b.fd, NOBODY, 0);
	must_be_apart(&a, &b);
	set_owner(b.fd, 0, NOBODY);
	must_be_apart(&a, &b);
	set_owner(b.fd, 0, 0);
	set_mode(b.fd, 0604);
	must_be_apart(&a, &b);
	set_mode(b.fd, 0711);
	must_meet(&a, &b);
	check_two(&a, &b);
}

static void owner_widened(void)
{
	struct pfile a, b;

	defaults();
	two_files(&a, &b);
	map_two(&a, &b);
	set_owner(b.fd, NOBODY, NOBODY);
	set_mode(b.fd, 0644);
	must_be_apart(&a, &b);
	domain("userns memcg");
	must_meet(&a, &b);
	domain(NARROWEST);
	check_counters(0, 0);
	check_two(&a, &b);
}

static void domain_values(void)
{
	static const char * const good[][2] = {
		{ "none", "none\n" }, { "memcg\n", "memcg\n" },
		{ "owner,userns", "userns owner\n" },
		{ "userns memcg", "userns memcg\n" },
		{ NARROWEST, NARROWEST "\n" },
	};
	static const char * const bad[] = {
		"", " ", "0", "7", "all", "memcg none", "user", "memcgs",
	};
	char buf[64];
	size_t i;

	defaults();
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		REQ(write_str(KSM_DIR "file_domain", good[i][0]) == 0);
		REQ(read_str(KSM_DIR "file_domain", buf, sizeof(buf)) == 0);
		REQ(!strcmp(buf, good[i][1]));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* of no bytes nobody is asked */
		if (*bad[i] && write_str(KSM_DIR "file_domain", bad[i]) != -EINVAL)
			FAIL("file_domain takes '%s'", bad[i]);
		REQ(read_str(KSM_DIR "file_domain", buf, sizeof(buf)) == 0);
		REQ(!strcmp(buf, NARROWEST "\n"));
	}
	REQ(write_str(KSM_DIR "file_content", "1") == -EINVAL);
	REQ(write_str(KSM_DIR "file_content", "zeroes") == -EINVAL);
	REQ(write_str(KSM_DIR "file_content", "zero\n") == 0);
	REQ(read_str(KSM_DIR "file_content", buf, sizeof(buf)) == 0);
	REQ(!strcmp(buf, "zero\n"));
	content("any");
	REQ(write_str(KSM_DIR "file_max_sharing", "-1") == -EINVAL);
}

/* ----------------------------------------------------- pages of zeroes only -- */

static void zero_only(void)
{
	struct pfile a, b;
	int i;

	defaults();
	pf_new(&a, "a", 4);
	pf_new(&b, "b", 4);
	for (i = 0; i < 4; i++) {
		pf_page(&a, i, i == 1 ? 0 : 10 + i);
		pf_page(&b, i, i == 2 ? 0 : 13 - i);
	}
	pf_commit(&a);
	pf_commit(&b);
	map_two(&a, &b);
	content("zero");
	must_meet(&a, &b);
	must_not_share(a.map, b.map + 3 * psz);

	/* the others join, and are broken when only zeroes are allowed again */
	content("any");
	merge_start();
	wait_shared(a.map, b.map + 3 * psz);
	wait_counters(4, 4);
	merge_stop();
	content("zero");
	check_counters(1, 1);
	must_share(a.map + psz, b.map + 2 * psz);
	must_not_share(a.map, b.map + 3 * psz);
	check_two(&a, &b);
	content("any");
}

/* --------------------------------------------------------- who is not root -- */

static long hidden(const char *path, const char *name)
{
	char line[200], key[100];
	long v = -1, n;
	FILE *f = fopen(path, "r");

	if (!f)
		FAIL("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%99s %ld", key, &n) == 2 &&
		    !strcmp(key, name) && n > v)
			v = n;
	fclose(f);
	return v;
}

/* What root of a container may not do either. */
static void drop_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	REQ(syscall(SYS_capget, &header, data) == 0);
	data[capability / 32].effective &= ~(1u << capability % 32);
	data[capability / 32].permitted &= ~(1u << capability % 32);
	REQ(syscall(SYS_capset, &header, data) == 0);
}

/* No counter can be read: for @err, by @who */
static void counters_refused(int err, const char *who)
{
	char path[200], buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		snprintf(path, sizeof(path), KSM_DIR "%s", counters[i]);
		if (read_str(path, buf, sizeof(buf)) != err)
			FAIL("%s may read %s", who, counters[i]);
	}
}

static void counters_not_for_containers(void)
{
	static const struct { const char *name, *text; } rules[] = {
		{ "file_domain", "none" }, { "file_content", "any" },
	};
	char path[200], buf[64], old[64];
	struct pair p;
	size_t i;
	pid_t pid;

	defaults();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		drop_capability(CAP_SYS_ADMIN);
		REQ(getuid() == 0);
		counters_refused(-EPERM, "root of a container");
		for (i = 0; i < ARRAY_SIZE(rules); i++) {
			snprintf(path, sizeof(path), KSM_DIR "%s", rules[i].name);
			REQ(read_str(path, old, sizeof(old)) == 0);
			if (write_str(path, rules[i].text) != -EPERM)
				FAIL("root of a container may write %s", rules[i].name);
			REQ(read_str(path, buf, sizeof(buf)) == 0);
			REQ(!strcmp(old, buf));
		}
		_exit(0);
	}
	wait_child(pid);
	pair_still_shared(&p, -1);
	pair_check(&p);
}

static void counters_not_for_all(void)
{
	static const char * const knobs[] = {
		"file", "file_domain", "file_content", "file_max_sharing",
		"file_max_unshared",
	};
	struct pair p;
	char path[200];
	size_t i;
	pid_t pid;

	defaults();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	/* root sees them */
	REQ(hidden("/proc/vmstat", "nr_pxa_shared") == PAIR_SHARED);
	REQ(hidden("/proc/vmstat", "pxa_merge") >= PAIR_SHARED);
	REQ(hidden("/proc/zoneinfo", "nr_pxa_sharing") == PAIR_SHARED);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		become_nobody();
		counters_refused(-EACCES, "anybody");
		for (i = 0; i < ARRAY_SIZE(knobs); i++) {
			snprintf(path, sizeof(path), KSM_DIR "%s", knobs[i]);
			if (write_str(path, "0") != -EACCES)
				FAIL("anybody may write %s", knobs[i]);
		}
		if (hidden("/proc/vmstat", "nr_pxa_shared") ||
		    hidden("/proc/vmstat", "nr_pxa_sharing") ||
		    hidden("/proc/vmstat", "pxa_merge") ||
		    hidden("/proc/vmstat", "pxa_refused_busy") ||
		    hidden("/proc/vmstat", "pxa_refused_nomem"))
			FAIL("/proc/vmstat shows it to anybody");
		/* all else is as it was */
		REQ(hidden("/proc/vmstat", "nr_free_pages") > 0);
		REQ(hidden("/proc/vmstat", "pgfault") > 0);
		if (!access("/proc/zoneinfo", R_OK) &&
		    (hidden("/proc/zoneinfo", "nr_pxa_shared") ||
		     hidden("/proc/zoneinfo", "nr_pxa_sharing")))
			FAIL("/proc/zoneinfo shows it to anybody");
		_exit(0);
	}
	wait_child(pid);
	pair_check(&p);
}

static void copy_self(const char *path, mode_t mode)
{
	static char buf[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	ssize_t n;

	REQ(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		REQ(write(out, buf, n) == n);
	REQ(n == 0);
	set_mode(out, mode);
	REQ(OP(fsync(out)) == 0);
	close(in);
	close(out);
}

/* Two users' copies of a program; returns whether any of their pages is shared */
static bool texts_meet(const char *name, mode_t mode, bool wait)
{
	double end = now() + MERGE_SECONDS;
	unsigned char *map[2];
	int i, fds[2], fd;
	bool shared = false;
	struct stat st;
	pid_t pid[2];
	size_t off;
	char c;

	for (i = 0; i < 2; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s%d", pxa_scratch, name, i);
		copy_self(path, mode);
		REQ(pipe(fds) == 0);
		pid[i] = fork();
		REQ(pid[i] >= 0);
		if (!pid[i]) {
			char *const argv[] = { path, "--advise", NULL };

			fd = open(path, O_PATH);
			REQ(fd >= 0);
			REQ(dup2(fds[1], 3) == 3);
			become_nobody();
			syscall(__NR_execveat, fd, "", argv, environ,
				AT_EMPTY_PATH);
			FAIL("execveat: %s", strerror(errno));
		}
		close(fds[1]);
		REQ(OP(read(fds[0], &c, 1)) == 1);
		close(fds[0]);
		fd = open(path, O_RDONLY);
		REQ(fd >= 0 && fstat(fd, &st) == 0);
		map[i] = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		REQ(map[i] != MAP_FAILED);
		close(fd);
	}
	merge_start();
	do {
		merge_settle();
		for (off = 0; off + psz <= (size_t)st.st_size; off += psz)
			shared |= page_pfn(map[0] + off) == page_pfn(map[1] + off);
	} while (wait && !shared && now() < end);
	merge_stop();
	REQ(!memcmp(map[0], map[1], st.st_size));
	for (i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		munmap(map[i], st.st_size);
	}
	return shared;
}

static void exec_only(void)
{
	struct statfs fs;

	defaults();
	/* Of an overlay, no program that was started is merged; see pxa_overlay. */
	REQ(statfs(pxa_scratch, &fs) == 0);
	if (fs.f_type != OVERLAYFS_MAGIC && !texts_meet("r", 0555, true))
		FAIL("no page of a program that all may read is shared");
	if (texts_meet("x", 0111, false))
		FAIL("who may only execute a program had it merged");
}

/* ----------------------------------------------------------------- bounds -- */

#define MANY	16384

static long group_slab(int nr)
{
	long bytes = group_stat(nr, "slab");
	char path[500], text[40];

	if (bytes >= 0)
		return bytes;
	/* cgroup v1; stacks of tasks are in it as well, who has exited has none */
	group_path(nr, path, sizeof(path), "memory.kmem.usage_in_bytes");
	REQ(read_str(path, text, sizeof(text)) == 0);
	return atol(text);
}

/* What places that share a page need is paid for by the group of the page. */
static void aliases_are_charged(void)
{
	struct pfile a;
	long slab, more, sharing;

	defaults();
	group_new(0);
	pf_new(&a, "a", 1);
	pf_commit(&a);
	a.size = (size_t)MANY * psz;
	REQ(ftruncate(a.fd, a.size) == 0);
	group_reads(0, &a);
	slab = group_slab(0);
	REQ(mmap(NULL, a.size, PROT_READ, MAP_SHARED, a.fd, 0) != MAP_FAILED);
	a.map = mmap(NULL, a.size, PROT_READ, MAP_SHARED, a.fd, 0);
	REQ(a.map != MAP_FAILED);
	REQ(madvise(a.map, a.size, MADV_MERGEABLE) == 0);
	merge_start();
	merge_settle();
	merge_stop();
	sharing = ksm_read("file_pages_sharing");
	more = group_slab(0) - slab;
	if (sharing < MANY / 2)
		FAIL("only %ld of %d pages are shared", sharing, MANY);
	/* 32 bytes each; the kernel may be behind by 32 pages for each cpu */
	if (more < sharing * 32 - 32 * (long)psz * sysconf(_SC_NPROCESSORS_CONF))
		FAIL("%ld places that share a page, but the group has %ld bytes more",
		     sharing, more);
	REQ(munmap(a.map, a.size) == 0);
	REQ(ftruncate(a.fd, 0) == 0);
	check_counters(0, 0);
	group_end(0);
}

/* File pages of a group: so many, but for what a cpu has not told yet. */
static void group_has_pages(int nr, long pages, const char *when)
{
	long bytes = group_stat(nr, "file"), has;

	if (bytes < 0)
		bytes = group_stat(nr, "cache");	/* cgroup v1 */
	has = bytes / (long)psz;
	if (labs(has - pages) > 32 * sysconf(_SC_NPROCESSORS_CONF))
		FAIL("%s group %d has %ld pages of files, must have %ld", when,
		     nr, has, pages);
}

/* A merge gives back what a page was charged for, a copy is paid for. */
static void copies_are_charged(void)
{
	enum { PAGES = 1024 };
	struct pfile a;
	long sharing;
	pid_t pid;
	int i;

	defaults();
	group_new(0);
	pf_new(&a, "a", PAGES);
	for (i = 0; i < PAGES; i++)
		pf_page(&a, i, 7);
	pf_commit(&a);
	group_reads(0, &a);
	group_has_pages(0, PAGES, "at first");
	pf_map(&a, PROT_READ, MAP_SHARED);
	merge_start();
	merge_settle();
	merge_stop();
	sharing = ksm_read("file_pages_sharing");
	if (sharing < PAGES / 2)
		FAIL("only %ld of %d pages are shared", sharing, PAGES);
	group_has_pages(0, PAGES - sharing, "with shared pages");

	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		group_join(0);
		for (i = 0; i < PAGES; i++)
			pf_write(&a, i * psz + 100, 1, 8);
		_exit(0);
	}
	wait_child(pid);
	for (i = 0; i < PAGES; i++)
		fill(a.shadow + i * psz + 100, 1, 8);
	check_counters(0, 0);
	group_has_pages(0, PAGES, "with copies");
	pf_check(&a);
	pf_unmap(&a);
	pf_truncate(&a, 0);
	group_has_pages(0, 0, "without the file");
	group_end(0);
}

/*
 * In cgroup v1 the charge of what a task has mapped may move with it, but not that of
 * a page that other files have, too.
 */
static void charge_stays(void)
{
	enum { PAGES = 1024, SHARED = PAGES / 2 };
	char path[500];
	struct pfile a, b;
	pid_t pid;
	int i;

	defaults();
	group_new(0);
	group_new(1);
	group_path(1, path, sizeof(path), "memory.move_charge_at_immigrate");
	if (write_str(path, "3")) {
		group_end(0);
		group_end(1);
		pxa_skip("charges do not move: this is not cgroup v1");
	}
	pf_new(&a, "a", PAGES);
	pf_new(&b, "b", SHARED);
	for (i = 0; i < PAGES; i++)
		pf_page(&a, i, 7 + i);
	for (i = 0; i < SHARED; i++)
		pf_page(&b, i, 7 + i);
	pf_commit(&a);
	pf_commit(&b);
	group_reads(0, &a);
	group_reads(0, &b);
	map_two(&a, &b);
	merge_start();
	wait_counters(SHARED, SHARED);
	merge_stop();
	group_has_pages(0, PAGES, "with shared pages");
	pf_unmap(&b);

	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		group_join(0);
		pf_touch(&a);
		group_join(1);
		_exit(0);
	}
	wait_child(pid);
	check_counters(SHARED, SHARED);
	group_has_pages(0, SHARED, "after the move");
	group_has_pages(1, PAGES - SHARED, "after the move");
	pf_check(&a);
	pf_check(&b);
	pf_unmap(&a);
	pf_truncate(&a, 0);
	pf_truncate(&b, 0);
	group_has_pages(0, 0, "without the files");
	group_has_pages(1, 0, "without the files");
	group_end(0);
	group_end(1);
}

static void max_sharing(void)
{
	long old = ksm_read("file_max_sharing"), refused;
	struct pfile a;
	int i;

	defaults();
	REQ(old > 0);
	pf_new(&a, "a", 40);
	for (i = 0; i < 40; i++)
		pf_page(&a, i, 1);
	pf_commit(&a);
	pf_map(&a, PROT_READ, MAP_SHARED);
	refused = ksm_read("file_refused_limit");
	REQ(ksm_write("file_max_sharing", 10) == 0);
	merge_start();
	wait_counters(1, 10);
	merge_settle();
	check_counters(1, 10);
	REQ(ksm_read("file_refused_limit") > refused);
	REQ(ksm_write("file_max_sharing", old) == 0);
	wait_counters(1, 39);
	merge_stop();
	pf_check_cold(&a);
}

/* Nothing is found again that was forgotten, and nothing grows. */
static void max_unshared(void)
{
	long old = ksm_read("file_max_unshared");
	struct pfile a, b;
	int i;

	defaults();
	REQ(old > 0);
	pf_new(&a, "a", 64);
	pf_new(&b, "b", 64);
	for (i = 0; i < 64; i++) {
		pf_page(&a, i, 100 + i);
		pf_page(&b, i, 100 + i);
	}
	pf_commit(&a);
	pf_commit(&b);
	map_two(&a, &b);
	REQ(ksm_write("file_max_unshared", 5) == 0);
	merge_start();
	merge_settle();
	if (ksm_read("file_pages_unshared") > 5)
		FAIL("%ld pages are remembered, the bound is 5",
		     ksm_read("file_pages_unshared"));
	REQ(ksm_write("file_max_unshared", old) == 0);
	wait_counters(64, 64);
	merge_stop();
	pf_check_cold(&a);
	pf_check_cold(&b);
}

/* ------------------------------------------------------------------------ */

static const struct pxa_test tests[] = {
	{ "memcg_same", memcg_same, 0 },
	{ "memcg_other", memcg_other, 0 },
	{ "memcg_widened", memcg_widened, 0 },
	{ "memcg_narrowed", memcg_narrowed, 0 },
	{ "memcg_widened_later", memcg_widened_later, 0 },
	{ "memcg_gone", memcg_gone, 0 },
	{ "memcg_gone_root", memcg_gone_root, 0 },
	{ "owner_other", owner_other, 0 },
	{ "owner_widened", owner_widened, 0 },
	{ "domain_values", domain_values, 0 },
	{ "zero_only", zero_only, 0 },
	{ "counters_not_for_all", counters_not_for_all, 0 },
	{ "counters_not_for_containers", counters_not_for_containers, 0 },
	{ "exec_only", exec_only, 0 },
	{ "aliases_are_charged", aliases_are_charged, 400 },
	{ "copies_are_charged", copies_are_charged, 0 },
	{ "charge_stays", charge_stays, 0 },
	{ "max_sharing", max_sharing, 0 },
	{ "max_unshared", max_unshared, 0 },
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--advise")) {
		psz = sysconf(_SC_PAGESIZE);
		return advise_text();
	}
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
