// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of sharing of file pages: the init of an SMP guest, or a program in one
 * of tooling/uml-run.
 *
 * Many processes change and read a few files with few distinct contents, by all
 * ways that there are, while ksmd runs without pause and one more process
 * disturbs: reclaim, migration, memory that goes offline or fails, freeze,
 * remount, sharing switched off and on.  Every byte is compared with a copy in
 * memory that all processes share.
 *
 * How a reader can check while others write: each page of a file has a version.
 * Who changes the page makes it odd (which also excludes other writers of the
 * page, not of the file), changes the file and the copy, and makes it even.  A
 * reader takes no lock: what it has read must be the copy if the version was
 * the same even number before and after; else the page proves nothing, except
 * that it must not hold what only another file has (the "own" contents).
 *
 * On top there is a lock for each file, taken by everybody for reading and for
 * writing by what moves or removes pages: truncate, punch, collapse, insert,
 * append, replacing the file.  Before v5.15, reading a page while its place is
 * punched out or truncated may leave the old content in the cache, on any
 * kernel; this is what the lock excludes, and nothing else.  Files are never
 * serialised against each other, nor ksmd and the disturbances against anything.
 *
 * The operations of a process and what they are done to follow from the seed
 * and its number, so a run is repeated in that sense; which operation meets
 * which, and how often one finds a page busy and does nothing, does not repeat.
 *
 * The files may lie on several filesystems, in turn: their pages share memory then.
 * On those that can't be written the files are there already.
 *
 * Arguments: NAME=VALUE, see options[].
 */
#include "pxa_util.h"

#define INIT_SAYS	"torture: error: "
#define INIT_STATUS	2
#include "init.h"

#include <dirent.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <time.h>

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MPOL_MF_MOVE_ALL
#define MPOL_MF_MOVE_ALL (1 << 2)
#endif

#define PAGE		4096UL
#define FILES		13
#define PAGES		48
#define KINDS		6		/* contents that all files use; 0: zeros */
#define OWN		KINDS		/* content of one file only */
#define OWN_MAGIC	0xfeedface
#define MAX_PROCS	32
#define LOG		160
#define HELD		6		/* pipes that keep pages */
#define HANG_SECONDS	150
#define POISON_MAX	40		/* pages that may be lost to memory failures */

struct file {
	pthread_rwlock_t lock;
	_Atomic(uint32_t) version[PAGES];	/* odd: being changed */
	int8_t changer[PAGES];
	/* the rest changes under the lock, exclusively taken */
	uint32_t generation;		/* another inode */
	uint32_t cut;			/* pages were cut off or moved */
	int name;
	size_t size;
	unsigned char copy[PAGES * PAGE];
};

struct entry {
	double time;
	unsigned long op;
	const char *what;
	int file, other;
	size_t off, len;
	long result;
};

struct process {
	pid_t pid;
	_Atomic(unsigned long) ops, checked, skipped;
	const char *what;		/* NULL: between operations */
	double since;
	struct entry log[LOG];
	unsigned int logged;
};

static struct shared {
	struct file file[FILES];
	struct process proc[MAX_PROCS];
	_Atomic(int) stop, failed, poisoned;
	_Atomic(unsigned long) count[64], nothing[64];
	double begin;
	unsigned char pattern[KINDS][PAGE];
} *s;

static struct option {
	const char *name;
	const char *value;
} options[] = {
	{ "fs", "ext4" },		/* one or more, with commas: of vda, vdb, ... */
	{ "disks", "vd" },		/* how their names begin */
	{ "hostfs", "" },		/* folder of the host */
	{ "seconds", "60" },
	{ "seed", "1" },
	{ "procs", "8" },
	{ "sharing", "1" },		/* 0: the same load, for comparison */
	{ "faults", "1" },		/* 0: inject none */
	{ "without", "" },		/* NAME or NAME@FS left out, with commas */
};

/* What is to know of a filesystem */
static const struct fs_type {
	const char *name;
	const char *options;
	const char *below;		/* of an overlay: what it lies on */
	bool read_only, in_memory, in_folder, ext4, no_faults;
} fs_types[] = {
	/* what it does wrong without sharing as well: pinned(), op_seek() */
	{ .name = "ext4", .ext4 = true },
	/* several functions of it stop the kernel where an allocation fails */
	{ .name = "btrfs", .no_faults = true },
	/* the mode that files have elsewhere: one merge domain */
	{ .name = "vfat", .options = "dmask=0077,fmask=0177" },
	{ .name = "exfat", .options = "dmask=0077,fmask=0177" },
	/*
	 * In the background it makes pages dirty that nobody wrote to; memory that
	 * fails under such a page is an error that msync() tells.
	 */
	{ .name = "f2fs", .options = "background_gc=off" },
	/* its cache of blocks has an error for whoever reads the block later */
	{ .name = "squashfs", .read_only = true, .no_faults = true },
	{ .name = "erofs", .read_only = true },
	{ .name = "iso9660", .read_only = true },
	{ .name = "overlay", .below = "ext4", .ext4 = true },
	{ .name = "hostfs", .in_folder = true },
	{ .name = "tmpfs", .in_memory = true },
};

/* The filesystems: that of a file follows from its number. */
static struct fs {
	char name[16];
	struct fs_type type;
	char disk[24], top[32];
} fss[FILES];
static int fs_count;
static char swap[24];

static int me;
static uint64_t rnd_state, seed;
static bool faults, slab_faults;

/* one operation, all of it drawn before */
static struct args {
	int op, file, other;
	size_t page, page2, n, off, len;
	int kind;
	uint64_t x, y;
} a;

static const char *option(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i].name, name))
			return options[i].value;
	abort();
}

static unsigned int rnd(unsigned int n)
{
	return (rnd64(&rnd_state) >> 33) % n;
}

static void rnd_start(int number)
{
	rnd_seed(&rnd_state, seed, number);
}

/* ---- report ------------------------------------------------------------- */

static struct entry *note(const char *what, int file, int other, size_t off,
			  size_t len)
{
	struct process *p = &s->proc[me];
	struct entry *e = &p->log[p->logged++ % LOG];

	*e = (struct entry){ now() - s->begin, p->ops, what, file, other, off, len, 0 };
	return e;
}

static int by_time(const void *x, const void *y)
{
	const struct entry *e = *(struct entry * const *)x, *f = *(struct entry * const *)y;

	return e->time < f->time ? -1 : e->time > f->time;
}

/* The last operations on a file (-1: all) of all processes, in their order. */
static void print_log(int file, int limit)
{
	static struct entry *all[MAX_PROCS * LOG];
	int i, j, n = 0;

	for (i = 0; i < MAX_PROCS; i++)
		for (j = 0; j < LOG; j++) {
			struct entry *e = &s->proc[i].log[j];

			if (e->what && (file < 0 || e->file < 0 || e->file == file ||
					e->other == file))
				all[n++] = e;
		}
	qsort(all, n, sizeof(*all), by_time);
	for (i = n > limit ? n - limit : 0; i < n; i++) {
		j = ((char *)all[i] - (char *)s->proc) / sizeof(struct process);
		printf("torture: log %9.4f process %d op %lu %s file %d", all[i]->time, j,
		       all[i]->op, all[i]->what, all[i]->file);
		if (all[i]->other >= 0)
			printf(" other %d", all[i]->other);
		printf(" page %zu+%zu length %zu: %ld\n", all[i]->off / PAGE,
		       all[i]->off % PAGE, all[i]->len, all[i]->result);
	}
}

/* True for the one process that reports. */
static bool fail_begin(const char *format, ...)
{
	va_list args;
	int none = 0;

	if (!atomic_compare_exchange_strong(&s->failed, &none, 1))
		_exit(1);
	s->stop = 1;
	printf("torture: FAILED: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\ntorture: seed %llu process %d operation %lu, %.3f s after the start\n",
	       (unsigned long long)seed, me, s->proc[me].ops, now() - s->begin);
	return true;
}

static void __attribute__((noreturn)) fail_end(int file)
{
	print_log(file, 60);
	printf("torture: file_pages_shared %ld sharing %ld merges %ld breaks %ld drops %ld\n",
	       ksm_read("file_pages_shared"), ksm_read("file_pages_sharing"),
	       ksm_read("file_merges"), ksm_read("file_breaks"), ksm_read("file_drops"));
	fflush(stdout);
	_exit(1);
}

#define fail(...) do { fail_begin(__VA_ARGS__); fail_end(-1); } while (0)

/* ---- contents ----------------------------------------------------------- */

/* Bytes for a place of a page, whatever page it is. */
static void content(unsigned char *buf, size_t off, size_t len, int kind, int file,
		    uint64_t value)
{
	size_t i;

	for (i = 0; i < len; i++) {
		size_t at = (off + i) % PAGE;
		uint64_t word;

		if (kind < KINDS) {
			buf[i] = s->pattern[kind][at];
			continue;
		}
		word = at & 8 ? value : (uint64_t)OWN_MAGIC << 32 |
			(uint32_t)(~file << 16) | (uint16_t)file;
		buf[i] = word >> (at % 8) * 8;
	}
}

/* The file that a piece of own content belongs to, or -1. */
static int owner(const unsigned char *piece)
{
	uint64_t word;
	int file;

	memcpy(&word, piece, 8);
	file = word & 0xffff;
	return word >> 32 == OWN_MAGIC && file < FILES &&
	       (word >> 16 & 0xffff) == (uint16_t)~file ? file : -1;
}

static bool has_own(const unsigned char *page)
{
	size_t i;

	for (i = 0; i < PAGE; i += 16)
		if (owner(page + i) >= 0)
			return true;
	return false;
}

static const char *looks_like(const unsigned char *page, size_t len)
{
	static char text[8][80];
	static int turn;
	char *out = text[turn++ % 8];
	size_t i;
	int k;

	for (k = 0; k < KINDS; k++) {
		for (i = 0; i < len && page[i] == s->pattern[k][i]; i++)
			;
		if (i == len) {
			sprintf(out, "content %d", k);
			return out;
		}
		if (i >= 32) {
			sprintf(out, "content %d up to %zu", k, i);
			return out;
		}
	}
	if (len >= 16 && owner(page) >= 0)
		sprintf(out, "own of file %d", owner(page));
	else
		sprintf(out, "mixed");
	return out;
}

/* ---- files -------------------------------------------------------------- */

static struct mine {
	uint32_t generation, cut;
	int fd, read_fd, direct_fd;
	unsigned char *map[3];		/* shared, private, shared read-only */
	bool written[PAGES];		/* private copies */
	uint64_t sum[PAGES];
} mine[FILES];

#define SHARED_MAP	0
#define PRIVATE_MAP	1
#define READ_MAP	2

static struct fs *fs_of(int file)
{
	return &fss[file % fs_count];
}

static bool read_only(int file)
{
	return fs_of(file)->type.read_only;
}

static void path_of(char *path, int file, int name)
{
	sprintf(path, "%s/dir%d/file%d%s", fs_of(file)->top, file / fs_count % 3, file,
		name ? ".other" : "");
}

static void forget(struct mine *m)
{
	int i;

	for (i = 0; i < 3; i++)
		if (m->map[i])
			munmap(m->map[i], PAGES * PAGE);
	if (m->fd > 0) {
		close(m->fd);
		close(m->read_fd);
		if (m->direct_fd > 0)
			close(m->direct_fd);
	}
	memset(m, 0, sizeof(*m));
}

/* This process' view of a file; under its lock. */
static struct mine *view(int file)
{
	struct mine *m = &mine[file];
	struct file *f = &s->file[file];
	int flags = read_only(file) ? O_RDONLY : O_RDWR;
	char path[200];

	if (m->fd > 0 && m->generation != f->generation)
		forget(m);
	if (m->fd <= 0) {
		path_of(path, file, f->name);
		m->fd = must(open(path, flags));
		m->read_fd = must(open(path, O_RDONLY));
		m->direct_fd = open(path, flags | O_DIRECT);
		m->generation = f->generation;
	}
	if (m->map[PRIVATE_MAP] && m->cut != f->cut) {
		munmap(m->map[PRIVATE_MAP], PAGES * PAGE);
		m->map[PRIVATE_MAP] = NULL;
	}
	return m;
}

/* What may be done to a mapping of a file */
static int prot_of(int file, int which)
{
	return which == READ_MAP || (which == SHARED_MAP && read_only(file)) ? PROT_READ :
		PROT_READ | PROT_WRITE;
}

static unsigned char *map_of(int file, int which)
{
	struct mine *m = view(file);
	unsigned char *p;

	if (m->map[which])
		return m->map[which];
	p = mmap(NULL, PAGES * PAGE, prot_of(file, which),
		 which == PRIVATE_MAP ? MAP_PRIVATE : MAP_SHARED,
		 which == READ_MAP ? m->read_fd : m->fd, 0);
	must((long)p);
	must(madvise(p, PAGES * PAGE, MADV_MERGEABLE));
	m->map[which] = p;
	if (which == PRIVATE_MAP) {
		m->cut = s->file[file].cut;
		memset(m->written, 0, sizeof(m->written));
	}
	return p;
}

/* Make a file clean that may be dirty. */
static void clean(int file)
{
	if (!read_only(file))
		must(fsync(view(file)->fd));
}

static void lock_file(int file)
{
	if (pthread_rwlock_rdlock(&s->file[file].lock))
		die("lock of file %d", file);
}

static void unlock_file(int file)
{
	pthread_rwlock_unlock(&s->file[file].lock);
}

static void lock_whole(int file)
{
	if (pthread_rwlock_wrlock(&s->file[file].lock))
		die("lock of file %d", file);
}

static void changed_whole(int file)
{
	struct file *f = &s->file[file];
	size_t i;

	/* beyond the end the copy is what an extension shows */
	memset(f->copy + f->size, 0, sizeof(f->copy) - f->size);
	for (i = 0; i < PAGES; i++)
		f->version[i] += 2;
}

/* Two files in their order; they may be the same. */
static void lock_two(int x, int y)
{
	lock_file(x < y ? x : y);
	if (x != y)
		lock_file(x < y ? y : x);
}

static void unlock_two(int x, int y)
{
	unlock_file(x);
	if (x != y)
		unlock_file(y);
}

static void begin_change(int file, size_t page)
{
	struct file *f = &s->file[file];
	uint32_t v;

	for (;;) {
		v = f->version[page];
		if (!(v & 1) && atomic_compare_exchange_weak(&f->version[page], &v, v + 1))
			break;
		if (s->failed)
			_exit(1);
		sched_yield();
	}
	f->changer[page] = me;
}

static void end_change(int file, size_t page)
{
	s->file[file].version[page]++;
}

static void begin_range(int file, size_t off, size_t len)
{
	size_t page;

	for (page = off / PAGE; page * PAGE < off + len; page++)
		begin_change(file, page);
}

static void end_range(int file, size_t off, size_t len)
{
	size_t page;

	for (page = off / PAGE; page * PAGE < off + len; page++)
		end_change(file, page);
}

static void begin_two(int f1, size_t p1, int f2, size_t p2)
{
	if (f1 < f2 || (f1 == f2 && p1 < p2)) {
		begin_change(f1, p1);
		begin_change(f2, p2);
	} else {
		begin_change(f2, p2);
		begin_change(f1, p1);
	}
}

/* Every view of a page. */
static void print_views(int file, size_t page)
{
	struct file *f = &s->file[file];
	size_t len = f->size > page * PAGE ? f->size - page * PAGE : 0;
	unsigned char *buf = NULL, *p;
	const unsigned char *want = f->copy + page * PAGE;
	static const char * const names[] = { "shared mapping", "private mapping",
					      "read-only mapping" };
	uint64_t entry = 0;
	char path[200];
	int fd, i;

	if (len > PAGE)
		len = PAGE;
	if (posix_memalign((void **)&buf, PAGE, PAGE))
		return;
	printf("torture: file %d page %zu, size %zu, must be %s\n", file, page, f->size,
	       looks_like(want, len));
	for (i = 0; i < 3; i++) {
		p = mine[file].map[i];
		if (!p || mine[file].generation != f->generation || !len)
			continue;
		p += page * PAGE;
		printf("torture:  %s: %s, equal %d", names[i], looks_like(p, len),
		       !memcmp(p, want, len));
		fd = open("/proc/self/pagemap", O_RDONLY);
		if (pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) == 8)
			printf(", pfn %llx", (unsigned long long)(entry & ((1ULL << 55) - 1)));
		close(fd);
		fd = open("/proc/kpageflags", O_RDONLY);
		if (pread(fd, &entry, 8, (entry & ((1ULL << 55) - 1)) * 8) == 8)
			printf(", flags %llx", (unsigned long long)entry);
		close(fd);
		printf("\n");
	}
	path_of(path, file, f->name);
	fd = open(path, O_RDONLY);
	if (pread(fd, buf, PAGE, page * PAGE) > 0)
		printf("torture:  read: %s, equal %d\n", looks_like(buf, len),
		       !memcmp(buf, want, len));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, page * PAGE);
	if (len && p != MAP_FAILED)
		printf("torture:  new mapping: %s, equal %d\n", looks_like(p, len),
		       !memcmp(p, want, len));
	close(fd);
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd >= 0 && pread(fd, buf, PAGE, page * PAGE) > 0)
		printf("torture:  direct: %s, equal %d\n", looks_like(buf, len),
		       !memcmp(buf, want, len));
	close(fd);
	free(buf);
}

static void print_bytes(const char *what, const unsigned char *p, size_t len)
{
	size_t i;

	printf("torture:  %s:", what);
	for (i = 0; i < len && i < 24; i++)
		printf(" %02x", p[i]);
	printf("\n");
}

static void __attribute__((noreturn))
wrong(const char *how, int file, size_t page, size_t at, const unsigned char *got,
      size_t len)
{
	unsigned char *want = s->file[file].copy + page * PAGE;

	fail_begin("%s of file %d page %zu: wrong at offset %zu (%s, must be %s)", how,
		   file, page, page * PAGE + at, looks_like(got, len),
		   looks_like(want, len));
	print_bytes("expected", want + at, len - at);
	print_bytes("got", got + at, len - at);
	/* the page as it is now, if nobody is changing it */
	if (!(s->file[file].version[page] & 1))
		print_views(file, page);
	fail_end(file);
}

/* What must not be in a page of a file, however it was read. */
static void check_foreign(const char *how, int file, size_t page,
			  const unsigned char *got, size_t len)
{
	size_t i;
	int from;

	for (i = 0; i + 16 <= len; i += 16) {
		from = owner(got + i);
		if (from < 0 || from == file)
			continue;
		fail_begin("%s of file %d page %zu shows what belongs to file %d, offset %zu",
			   how, file, page, from, page * PAGE + i);
		print_bytes("got", got + i, len - i);
		fail_end(file);
	}
}

static size_t valid(int file, size_t page)
{
	size_t size = s->file[file].size;

	if (page * PAGE >= size)
		return 0;
	return size - page * PAGE < PAGE ? size - page * PAGE : PAGE;
}

static uint32_t version(int file, size_t page)
{
	return atomic_load(&s->file[file].version[page]);
}

/*
 * Compare what was read of a page when its version was @before.  Returns false
 * if it has changed meanwhile.
 */
static bool check(const char *how, int file, size_t page, const unsigned char *got,
		  size_t len, uint32_t before)
{
	unsigned char *want = s->file[file].copy + page * PAGE;
	bool equal;
	size_t i;

	check_foreign(how, file, page, got, len);
	if (before & 1)
		goto skip;
	equal = !memcmp(got, want, len);
	for (i = 0; !equal && i < len && got[i] == want[i]; i++)
		;
	atomic_thread_fence(memory_order_seq_cst);
	if (version(file, page) != before)
		goto skip;
	if (!equal)
		wrong(how, file, page, i, got, len);
	s->proc[me].checked++;
	return true;
skip:
	s->proc[me].skipped++;
	return false;
}

static unsigned char buffer[PAGES * PAGE + PAGE] __attribute__((aligned(4096)));
static unsigned char second[16 * PAGE] __attribute__((aligned(4096)));

/* ---- faults ------------------------------------------------------------- */

static void make_it_fail(const char *on)
{
	int tries = 1000, err = -ENOMEM;

	/* which allocates, too */
	while (err && tries--)
		err = write_str("/proc/self/make-it-fail", on);
	if (err)
		die("make-it-fail");
}

/*
 * Before what a system call reads or writes is to be reached without a page fault.
 * On User Mode Linux one that finds no memory calls the OOM killer, and a call has as
 * many of them as pages.
 */
static void buffer_present(void)
{
	size_t i;

	/* locked in memory, but a page may have been shared with a child since */
	for (i = 0; i < sizeof(buffer); i += PAGE)
		((volatile unsigned char *)buffer)[i] = buffer[i];
}

/*
 * Do something that may be repeated, one time in eight with allocations of pages
 * that fail.  These may make it fail or end early, so it is done again without them
 * if it did not give @want; nothing else excuses another result.
 */
#define with_faults(want, expr) ({					\
	__typeof__(expr) _ret;						\
	bool _with = faults && !(a.y & 0x700) &&			\
		     !fs_of(a.file)->type.no_faults;			\
	int _err;							\
									\
	if (_with) {							\
		view(a.file);		/* must not fail */		\
		buffer_present();					\
		make_it_fail("1");					\
	}								\
	_ret = (expr);							\
	_err = errno;							\
	if (_with) {							\
		make_it_fail("0");					\
		if (_ret != (want)) {					\
			_ret = (expr);					\
			_err = errno;					\
		}							\
	}								\
	errno = _err;							\
	_ret; })

/* ---- operations --------------------------------------------------------- */

#define NOTHING	0
#define DONE	1

/* A range inside the file, from what was drawn; false if there is none. */
static bool inside(size_t *off, size_t *len)
{
	size_t size = s->file[a.file].size;

	*off = a.page * PAGE;
	*len = a.n * PAGE;
	if (a.x & 1) {
		*off += a.off;
		*len = a.len;
	}
	if (*off >= size)
		*off = size ? *off % size : 0;
	if (*off + *len > size)
		*len = size - *off;
	return *len > 0;
}

static void bad(const char *what, long result)
{
	int error = errno;

	fail_begin("%s of file %d gave %ld (%s)", what, a.file, result, strerror(error));
	fail_end(a.file);
}

static void fill_buffer(size_t off, size_t len)
{
	content(buffer, off, len, a.kind, a.file, a.y);
}

static void to_copy(size_t off, size_t len)
{
	memcpy(s->file[a.file].copy + off, buffer, len);
}

static int op_write(void)
{
	size_t off, len;
	ssize_t n;

	lock_file(a.file);
	if (!inside(&off, &len)) {
		unlock_file(a.file);
		return NOTHING;
	}
	begin_range(a.file, off, len);
	note("write", a.file, -1, off, len);
	fill_buffer(off, len);
	n = with_faults((ssize_t)len, pwrite(view(a.file)->fd, buffer, len, off));
	if (n != (ssize_t)len)
		bad("write", n);
	to_copy(off, len);
	end_range(a.file, off, len);
	unlock_file(a.file);
	return DONE;
}

static int op_writev(void)
{
	struct iovec v[3];
	size_t off, len;
	ssize_t n;

	lock_file(a.file);
	if (!inside(&off, &len) || len < 3) {
		unlock_file(a.file);
		return NOTHING;
	}
	begin_range(a.file, off, len);
	note("writev", a.file, -1, off, len);
	fill_buffer(off, len);
	v[0] = (struct iovec){ buffer, 1 + a.y % (len - 2) };
	v[1] = (struct iovec){ buffer + v[0].iov_len, 1 };
	v[2] = (struct iovec){ buffer + v[0].iov_len + 1, len - v[0].iov_len - 1 };
	n = pwritev(view(a.file)->fd, v, 3, off);
	if (n != (ssize_t)len)
		bad("writev", n);
	to_copy(off, len);
	end_range(a.file, off, len);
	unlock_file(a.file);
	return DONE;
}

static int op_append(void)
{
	struct file *f = &s->file[a.file];
	size_t off, len = a.x & 1 ? a.len : a.n * PAGE;
	ssize_t n;

	lock_whole(a.file);
	off = f->size;
	if (off + len > PAGES * PAGE) {
		unlock_file(a.file);
		return NOTHING;
	}
	note("append", a.file, -1, off, len);
	fill_buffer(off, len);
	n = pwrite(view(a.file)->fd, buffer, len, off);
	if (n != (ssize_t)len)
		bad("append", n);
	to_copy(off, len);
	f->size += len;
	changed_whole(a.file);
	unlock_file(a.file);
	return DONE;
}

/*
 * Before or after the kernel writes to pages of a mapping by references of its own.
 * ext4 loses what is written so to a page that was cleaned and unmapped meanwhile,
 * with or without sharing: reclaim takes the buffers of such a page away, and what
 * becomes dirty then is not written back.  Pages locked in memory keep them.
 */
static void pinned(int file, unsigned char *at, size_t len, int (*lock)(const void *, size_t))
{
	if (fs_of(file)->type.ext4)
		must(lock(at, len));
}

/* Ways to store into a mapping of a file */
static ssize_t by_memcpy(unsigned char *to, size_t len)
{
	memcpy(to, buffer, len);
	return len;
}

static ssize_t by_process_vm(unsigned char *to, size_t len)
{
	struct iovec from = { buffer, len }, at = { to, len };
	ssize_t n;

	pinned(a.file, to, len, mlock);
	n = with_faults((ssize_t)len, process_vm_writev(getpid(), &from, 1, &at, 1, 0));
	pinned(a.file, to, len, munlock);
	return n;
}

static ssize_t by_mem(unsigned char *to, size_t len)
{
	int fd = must(open("/proc/self/mem", O_RDWR));
	ssize_t n;

	pinned(a.file, to, len, mlock);
	n = pwrite(fd, buffer, len, (off_t)(uintptr_t)to);
	pinned(a.file, to, len, munlock);
	close(fd);
	return n;
}

static ssize_t by_pipe(unsigned char *to, size_t len)
{
	ssize_t n;
	int p[2];

	must(pipe(p));
	n = must(write(p[1], buffer, len));
	if (n == (ssize_t)len)
		n = read(p[0], to, len);
	close(p[0]);
	close(p[1]);
	return n;
}

static int store(const char *what, ssize_t (*how)(unsigned char *to, size_t len))
{
	unsigned char *map;
	size_t off, len;
	ssize_t n;

	lock_file(a.file);
	if (!inside(&off, &len)) {
		unlock_file(a.file);
		return NOTHING;
	}
	begin_range(a.file, off, len);
	note(what, a.file, -1, off, len);
	fill_buffer(off, len);
	map = map_of(a.file, SHARED_MAP);
	n = how(map + off, len);
	if (n != (ssize_t)len)
		bad(what, n);
	to_copy(off, len);
	if (!(a.y & 0x3000))
		must(msync(map + (off & ~(PAGE - 1)), len, MS_SYNC));
	end_range(a.file, off, len);
	unlock_file(a.file);
	return DONE;
}

static int op_store_copy(void)
{
	return store("store", by_memcpy);
}

static int op_store_process_vm(void)
{
	return store("process_vm_writev", by_process_vm);
}

static int op_store_mem(void)
{
	return store("/proc/self/mem", by_mem);
}

static int op_store_pipe(void)
{
	return store("read into mapping", by_pipe);
}

static int op_direct_write(void)
{
	size_t off, len, full;
	ssize_t n;

	lock_file(a.file);
	a.x &= ~1ULL;
	if (!inside(&off, &len) || len < PAGE || view(a.file)->direct_fd < 0) {
		unlock_file(a.file);
		return NOTHING;
	}
	off &= ~(PAGE - 1);
	full = len & ~(PAGE - 1);
	begin_range(a.file, off, full);
	note("direct write", a.file, -1, off, full);
	fill_buffer(off, full);
	n = pwrite(view(a.file)->direct_fd, buffer, full, off);
	if (n != (ssize_t)full)
		bad("direct write", n);
	to_copy(off, full);
	end_range(a.file, off, full);
	unlock_file(a.file);
	return DONE;
}

/* From a page of one file to a page of another, or of the same */
static int copy_page(const char *what, ssize_t (*how)(size_t to, size_t from))
{
	unsigned char *to, *from;
	ssize_t n;

	lock_two(a.file, a.other);
	if (valid(a.file, a.page) < PAGE || valid(a.other, a.page2) < PAGE ||
	    (a.file == a.other && a.page == a.page2)) {
		unlock_two(a.file, a.other);
		return NOTHING;
	}
	begin_two(a.file, a.page, a.other, a.page2);
	to = s->file[a.file].copy + a.page * PAGE;
	from = s->file[a.other].copy + a.page2 * PAGE;
	/* own contents stay where they are */
	if (!has_own(from)) {
		note(what, a.file, a.other, a.page * PAGE, PAGE);
		n = how(a.page * PAGE, a.page2 * PAGE);
		if (n == (ssize_t)PAGE)
			memcpy(to, from, PAGE);
		else if (n != -2)
			bad(what, n);
	}
	end_change(a.file, a.page);
	end_change(a.other, a.page2);
	unlock_two(a.file, a.other);
	return DONE;
}

static ssize_t copy_write(size_t to, size_t from)
{
	unsigned char *map = map_of(a.other, a.x % 3);

	if (a.x % 3 == PRIVATE_MAP && mine[a.other].written[a.page2])
		return -2;
	return pwrite(view(a.file)->fd, map + from, PAGE, to);
}

static ssize_t copy_direct_write(size_t to, size_t from)
{
	unsigned char *map = map_of(a.other, a.x & 1 ? SHARED_MAP : READ_MAP);
	int fd = view(a.file)->direct_fd;

	return fd < 0 ? -2 : pwrite(fd, map + from, PAGE, to);
}

static ssize_t copy_direct_read(size_t to, size_t from)
{
	unsigned char *map = map_of(a.file, SHARED_MAP);
	int fd = view(a.other)->direct_fd;
	ssize_t n;

	if (fd < 0)
		return -2;
	pinned(a.file, map + to, PAGE, mlock);
	n = pread(fd, map + to, PAGE, from);
	pinned(a.file, map + to, PAGE, munlock);
	return n;
}

static ssize_t copy_read(size_t to, size_t from)
{
	return pread(view(a.other)->fd, map_of(a.file, SHARED_MAP) + to, PAGE, from);
}

static ssize_t copy_range(size_t to, size_t from)
{
	loff_t in = from, out = to;
	ssize_t n;

	n = syscall(__NR_copy_file_range, view(a.other)->fd, &in, view(a.file)->fd, &out,
		    PAGE, 0);
	/* kernels differ in what they copy between filesystems */
	return n < 0 && errno == EXDEV ? -2 : n;
}

static ssize_t copy_splice(size_t to, size_t from)
{
	loff_t in = from, out = to;
	ssize_t n;
	int p[2];

	must(pipe(p));
	n = splice(view(a.other)->fd, &in, p[1], NULL, PAGE, 0);
	if (n == (ssize_t)PAGE)
		n = splice(p[0], NULL, view(a.file)->fd, &out, PAGE,
			   a.x & 1 ? SPLICE_F_MOVE : 0);
	close(p[0]);
	close(p[1]);
	return n;
}

static ssize_t copy_mapping(size_t to, size_t from)
{
	memcpy(map_of(a.file, SHARED_MAP) + to, map_of(a.other, READ_MAP) + from, PAGE);
	return PAGE;
}

static int op_copy_write(void)
{
	return copy_page("write from mapping", copy_write);
}

static int op_copy_direct_write(void)
{
	return copy_page("direct write from mapping", copy_direct_write);
}

static int op_copy_direct_read(void)
{
	return copy_page("direct read into mapping", copy_direct_read);
}

static int op_copy_read(void)
{
	return copy_page("read into mapping", copy_read);
}

static int op_copy_range(void)
{
	return copy_page("copy_file_range", copy_range);
}

static int op_copy_splice(void)
{
	return copy_page("splice", copy_splice);
}

static int op_copy_mapping(void)
{
	return copy_page("copy", copy_mapping);
}

/* What removes or moves pages; each under the lock of the whole file */
static int op_truncate(void)
{
	struct file *f = &s->file[a.file];
	size_t to = a.page * PAGE + (a.x & 1 ? a.off : 0);

	lock_whole(a.file);
	note("truncate", a.file, -1, to, f->size);
	if (ftruncate(view(a.file)->fd, to))
		bad("truncate", -1);
	f->size = to;
	f->cut++;
	changed_whole(a.file);
	if (a.x & 6) {
		to = PAGES * PAGE - (a.x & 8 ? a.off : 0);
		note("extend", a.file, -1, f->size, to);
		if (ftruncate(view(a.file)->fd, to))
			bad("truncate", -1);
		f->size = to;
		changed_whole(a.file);
	}
	unlock_file(a.file);
	return DONE;
}

static int change_range(const char *what, int mode, size_t off, size_t len)
{
	struct file *f = &s->file[a.file];
	int err;

	note(what, a.file, -1, off, len);
	err = mode & FALLOC_FL_PUNCH_HOLE ?
		with_faults(0, fallocate(view(a.file)->fd, mode, off, len)) :
		fallocate(view(a.file)->fd, mode, off, len);
	if (err && errno == EOPNOTSUPP)
		return NOTHING;
	if (err)
		bad(what, -1);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		memset(f->copy + off, 0, len);
	} else if (mode & FALLOC_FL_COLLAPSE_RANGE) {
		memmove(f->copy + off, f->copy + off + len, f->size - off - len);
		f->size -= len;
	} else if (mode & FALLOC_FL_INSERT_RANGE) {
		memmove(f->copy + off + len, f->copy + off, f->size - off);
		memset(f->copy + off, 0, len);
		f->size += len;
	}
	f->cut++;
	changed_whole(a.file);
	return DONE;
}

static int range(const char *what, int mode)
{
	size_t off, len;
	int done;

	lock_whole(a.file);
	done = inside(&off, &len) ? change_range(what, mode, off, len) : NOTHING;
	unlock_file(a.file);
	return done;
}

static int op_punch(void)
{
	return range("punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int op_zero(void)
{
	return range("zero range", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

static int op_allocate(void)
{
	return range("allocate", FALLOC_FL_KEEP_SIZE);
}

static int op_collapse(void)
{
	size_t off = a.page * PAGE, len = a.n * PAGE;
	int done = NOTHING;

	lock_whole(a.file);
	if (off + len < s->file[a.file].size)
		done = change_range("collapse", FALLOC_FL_COLLAPSE_RANGE, off, len);
	unlock_file(a.file);
	return done;
}

static int op_insert(void)
{
	size_t off = a.page * PAGE, len = a.n * PAGE;
	int done = NOTHING;

	lock_whole(a.file);
	if (off < s->file[a.file].size && s->file[a.file].size + len <= PAGES * PAGE)
		done = change_range("insert", FALLOC_FL_INSERT_RANGE, off, len);
	unlock_file(a.file);
	return done;
}

/* Other inode, same name, or the same inode by another name. */
static int op_replace(void)
{
	struct file *f = &s->file[a.file];
	char path[200], fresh[220];
	ssize_t n;
	int fd;

	lock_whole(a.file);
	path_of(path, a.file, f->name);
	sprintf(fresh, "%s.new", path);
	switch (a.x % 4) {
	case 0:
	case 1:
		path_of(fresh, a.file, !f->name);
		note("rename", a.file, -1, 0, 0);
		if (rename(path, fresh))
			bad("rename", -1);
		f->name = !f->name;
		break;
	case 2:
		note("unlink", a.file, -1, 0, 0);
		if (unlink(path))
			bad("unlink", -1);
		memcpy(fresh, path, sizeof(path));
		/* fall through */
	default:
		note("replace", a.file, -1, 0, f->size);
		fd = must(open(fresh, O_RDWR | O_CREAT | O_EXCL, 0600));
		n = write(fd, f->copy, f->size);
		if (n != (ssize_t)f->size)
			bad("write of a new file", n);
		if (a.x & 16)
			must(fsync(fd));
		close(fd);
		if (strcmp(path, fresh) && rename(fresh, path))
			bad("rename over", -1);
		f->generation++;
		f->cut++;
		changed_whole(a.file);
	}
	unlock_file(a.file);
	return DONE;
}

/* Reading: all check what they got */
static int op_read(void)
{
	uint32_t before[PAGES];
	size_t page, end, size;
	ssize_t n, want;

	lock_file(a.file);
	size = s->file[a.file].size;
	end = a.x & 1 ? PAGES : a.page + a.n;
	if (end > PAGES)
		end = PAGES;
	page = a.x & 1 ? 0 : a.page;
	for (; page < end; page++)
		before[page] = version(a.file, page);
	page = a.x & 1 ? 0 : a.page;
	want = size > page * PAGE ? (size < end * PAGE ? size : end * PAGE) - page * PAGE : 0;
	n = with_faults(want, pread(view(a.file)->fd, buffer, (end - page) * PAGE,
				    page * PAGE));
	if (n != want)
		bad("read", n);
	for (end = 0; (ssize_t)(end * PAGE) < n; end++, page++)
		check("read", a.file, page, buffer + end * PAGE,
		      n - end * PAGE < PAGE ? n - end * PAGE : PAGE, before[page]);
	unlock_file(a.file);
	return DONE;
}

static int op_load_copy(void)
{
	int which = a.x % 3;
	unsigned char *map;
	uint32_t before;
	size_t i, len;

	lock_file(a.file);
	map = map_of(a.file, which);
	for (i = a.page; i < a.page + a.n && i < PAGES; i++) {
		len = valid(a.file, i);
		if (!len || (which == PRIVATE_MAP && mine[a.file].written[i]))
			continue;
		before = version(a.file, i);
		memcpy(buffer, map + i * PAGE, len);
		check(which == SHARED_MAP ? "mapping" : which == PRIVATE_MAP ?
		      "private mapping" : "read-only mapping", a.file, i, buffer, len, before);
	}
	unlock_file(a.file);
	return DONE;
}

static int op_load_process_vm(void)
{
	struct iovec to = { buffer, PAGE }, from;
	uint32_t before;
	ssize_t n;
	size_t len;

	lock_file(a.file);
	len = valid(a.file, a.page);
	if (len) {
		from = (struct iovec){ map_of(a.file, READ_MAP) + a.page * PAGE, len };
		before = version(a.file, a.page);
		n = with_faults((ssize_t)len,
				process_vm_readv(getpid(), &to, 1, &from, 1, 0));
		if (n != (ssize_t)len)
			bad("process_vm_readv", n);
		check("process_vm_readv", a.file, a.page, buffer, len, before);
	}
	unlock_file(a.file);
	return len ? DONE : NOTHING;
}

static int op_direct_read(void)
{
	uint32_t before;
	ssize_t n = 0;
	int fd;

	lock_file(a.file);
	fd = view(a.file)->direct_fd;
	if (fd >= 0 && valid(a.file, a.page) == PAGE) {
		before = version(a.file, a.page);
		n = pread(fd, buffer, PAGE, a.page * PAGE);
		if (n != (ssize_t)PAGE)
			bad("direct read", n);
		check("direct read", a.file, a.page, buffer, PAGE, before);
	}
	unlock_file(a.file);
	return n ? DONE : NOTHING;
}

/* A private copy differs from the file by what was written to it, for good. */
static uint64_t sum_of(const unsigned char *page)
{
	uint64_t sum = 0, word;
	size_t i;

	for (i = 0; i < PAGE; i += 8) {
		memcpy(&word, page + i, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 29;
	}
	return sum;
}

static int op_private(void)
{
	struct mine *m;
	unsigned char *map;

	lock_file(a.file);
	if (valid(a.file, a.page) < PAGE) {
		unlock_file(a.file);
		return NOTHING;
	}
	map = map_of(a.file, PRIVATE_MAP) + a.page * PAGE;
	m = &mine[a.file];
	if (m->written[a.page] && sum_of(map) != m->sum[a.page]) {
		fail_begin("private copy of file %d page %zu changed to %s", a.file, a.page,
			   looks_like(map, PAGE));
		fail_end(a.file);
	}
	if (m->written[a.page] && a.x & 1) {
		must(madvise(map, PAGE, MADV_DONTNEED));
		m->written[a.page] = false;
	} else {
		begin_change(a.file, a.page);
		note("private store", a.file, -1, a.page * PAGE + a.off, 1);
		map[a.off] = ~map[a.off];
		if (!m->written[a.page]) {
			unsigned char *want = s->file[a.file].copy + a.page * PAGE;

			map[a.off] = ~map[a.off];
			if (memcmp(map, want, PAGE)) {
				memcpy(buffer, map, PAGE);
				wrong("private copy", a.file, a.page, 0, buffer, PAGE);
			}
			map[a.off] = ~map[a.off];
		}
		end_change(a.file, a.page);
		m->written[a.page] = true;
		m->sum[a.page] = sum_of(map);
	}
	unlock_file(a.file);
	return DONE;
}

/* Pages kept in pipes, as they were */
static struct held {
	int pipe[2];
	int file;
	size_t page, len;
	uint32_t version;
	bool moved;			/* vmsplice: pinned through the mapping */
	unsigned char copy[PAGE];
} held[HELD];

static void drain(struct held *h, int twin)
{
	ssize_t n;

	lock_file(h->file);
	n = read(twin >= 0 ? twin : h->pipe[0], buffer, PAGE);
	if (n != (ssize_t)h->len)
		bad("read of a pipe", n);
	check_foreign("pipe", h->file, h->page, buffer, h->len);
	if (!(h->version & 1) && version(h->file, h->page) == h->version) {
		if (memcmp(buffer, h->copy, h->len))
			wrong("pipe", h->file, h->page, 0, buffer, h->len);
		s->proc[me].checked++;
	} else {
		s->proc[me].skipped++;
	}
	unlock_file(h->file);
}

static int op_pipe(void)
{
	struct held *h = &held[a.x % HELD];
	struct iovec v;
	loff_t off;
	ssize_t n;
	int twin[2];

	if (h->len) {
		if (a.y & 1) {
			must(pipe(twin));
			n = tee(h->pipe[0], twin[1], PAGE, 0);
			if (n != (ssize_t)h->len)
				bad("tee", n);
			drain(h, twin[0]);
			close(twin[0]);
			close(twin[1]);
		}
		drain(h, -1);
		close(h->pipe[0]);
		close(h->pipe[1]);
		h->len = 0;
	}
	lock_file(a.file);
	h->len = valid(a.file, a.page);
	if (h->len) {
		h->file = a.file;
		h->page = a.page;
		must(pipe(h->pipe));
		h->version = version(a.file, a.page);
		memcpy(h->copy, s->file[a.file].copy + a.page * PAGE, h->len);
		off = a.page * PAGE;
		if (a.y & 2) {
			v = (struct iovec){ map_of(a.file, a.y & 4 ? READ_MAP : SHARED_MAP) +
					    off, h->len };
			n = vmsplice(h->pipe[1], &v, 1, 0);
		} else if (a.y & 8) {
			n = sendfile(h->pipe[1], view(a.file)->fd, &off, h->len);
		} else {
			n = splice(view(a.file)->fd, &off, h->pipe[1], NULL, h->len, 0);
		}
		if (n != (ssize_t)h->len)
			bad("splice to a pipe", n);
		/* changed in between: the copy may be of neither */
		if (version(a.file, a.page) != h->version)
			h->version |= 1;
	}
	unlock_file(a.file);
	return h->len ? DONE : NOTHING;
}

/* The first byte with data that SEEK_DATA passes over, or the size of the file */
static size_t passed_over(size_t at, off_t *data)
{
	struct file *f = &s->file[a.file];
	size_t i, end;

	*data = lseek(view(a.file)->fd, at, SEEK_DATA);
	if (*data < 0 && errno != ENXIO)
		bad("SEEK_DATA", *data);
	end = *data < 0 ? f->size : (size_t)*data;
	for (i = at; i < end && !f->copy[i]; i++)
		;
	return i < end ? i : f->size;
}

static int op_seek(void)
{
	struct file *f = &s->file[a.file];
	size_t at, wrong;
	off_t data;

	lock_whole(a.file);
	if (!f->size) {
		unlock_file(a.file);
		return NOTHING;
	}
	at = (a.page * PAGE + a.off) % f->size;
	wrong = passed_over(at, &data);
	/*
	 * ext4 looks for blocks first and for what has none yet then, and finds neither
	 * if writeback allocates them in between.
	 */
	if (wrong < f->size && fs_of(a.file)->type.ext4) {
		clean(a.file);
		wrong = passed_over(at, &data);
	}
	if (wrong < f->size) {
		fail_begin("SEEK_DATA of file %d from %zu gave %zd, but there is data at %zu",
			   a.file, at, (ssize_t)data, wrong);
		print_views(a.file, wrong / PAGE);
		fail_end(a.file);
	}
	unlock_file(a.file);
	return DONE;
}

static int op_dedupe(void)
{
	char buf[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = "";
	struct file_dedupe_range *r = (void *)buf;
	int err;

	lock_two(a.file, a.other);
	if (valid(a.file, a.page) < PAGE || valid(a.other, a.page2) < PAGE ||
	    (a.file == a.other && a.page == a.page2)) {
		unlock_two(a.file, a.other);
		return NOTHING;
	}
	begin_two(a.file, a.page, a.other, a.page2);
	r->src_offset = a.page * PAGE;
	r->src_length = PAGE;
	r->dest_count = 1;
	r->info[0].dest_fd = view(a.other)->fd;
	r->info[0].dest_offset = a.page2 * PAGE;
	err = ioctl(view(a.file)->fd, FIDEDUPERANGE, r);
	if (!err && r->info[0].status >= 0 &&
	    (r->info[0].status == FILE_DEDUPE_RANGE_DIFFERS) !=
	    !!memcmp(s->file[a.file].copy + a.page * PAGE,
		     s->file[a.other].copy + a.page2 * PAGE, PAGE))
		bad("FIDEDUPERANGE", r->info[0].status);
	end_change(a.file, a.page);
	end_change(a.other, a.page2);
	unlock_two(a.file, a.other);
	return !err && r->info[0].status >= 0 ? DONE : NOTHING;
}

static int op_sync(void)
{
	int fd;

	lock_file(a.file);
	fd = view(a.file)->fd;
	note("sync", a.file, -1, 0, a.x % 5);
	switch (a.x % 5) {
	case 0:
		must(fdatasync(fd));
		break;
	case 1:
		must(sync_file_range(fd, a.page * PAGE, a.n * PAGE,
				     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				     (a.y & 1 ? SYNC_FILE_RANGE_WAIT_AFTER : 0)));
		break;
	case 2:
		must(msync(map_of(a.file, SHARED_MAP), PAGES * PAGE, MS_SYNC));
		break;
	default:
		must(fsync(fd));
	}
	unlock_file(a.file);
	/* clean pages at rest are what is shared */
	if (a.y & 1)
		msleep(1 + a.y % 20);
	return DONE;
}

static int op_advise(void)
{
	static const int all[] = {
		MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_MERGEABLE,
		MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL, MADV_UNMERGEABLE,
		MADV_DONTFORK, MADV_DOFORK, MADV_PAGEOUT,
	};
	int advice = all[a.x % ARRAY_SIZE(all)], which = a.y & 1 ? SHARED_MAP : READ_MAP;
	unsigned char *map;

	lock_file(a.file);
	map = map_of(a.file, which);
	note("advise", a.file, -1, a.page * PAGE, advice);
	must(madvise(map + (a.y & 2 ? a.page * PAGE : 0),
		     a.y & 2 ? PAGE : PAGES * PAGE, advice));
	if (advice == MADV_UNMERGEABLE)
		must(madvise(map, PAGES * PAGE, MADV_MERGEABLE));
	if (advice == MADV_DONTFORK)
		must(madvise(map, PAGES * PAGE, MADV_DOFORK));
	unlock_file(a.file);
	return DONE;
}

static int op_fadvise(void)
{
	static const int all[] = {
		POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,
		POSIX_FADV_RANDOM, POSIX_FADV_NORMAL,
	};
	int fd, advice = all[a.x % ARRAY_SIZE(all)];

	lock_file(a.file);
	fd = view(a.file)->fd;
	note("fadvise", a.file, -1, 0, advice);
	if (a.y & 1)
		clean(a.file);
	posix_fadvise(fd, a.y & 2 ? a.page * PAGE : 0, a.y & 2 ? a.n * PAGE : 0, advice);
	if (a.y & 4)
		readahead(fd, a.page * PAGE, a.n * PAGE);
	unlock_file(a.file);
	return DONE;
}

static int op_mlock(void)
{
	unsigned char *map;
	size_t len;

	lock_file(a.file);
	len = s->file[a.file].size & ~(PAGE - 1);
	map = map_of(a.file, a.x % 3);
	note("mlock", a.file, -1, 0, len);
	/* of a private mapping it would write to each page */
	if (len && a.x % 3 != PRIVATE_MAP) {
		must(mlock(map, len));
		if (a.y & 1)
			msleep(a.y % 4);
		must(munlock(map, len));
	}
	unlock_file(a.file);
	return len ? DONE : NOTHING;
}

static int op_protect(void)
{
	unsigned char *map;
	uint32_t before;
	size_t len;

	lock_file(a.file);
	map = map_of(a.file, SHARED_MAP);
	note("mprotect", a.file, -1, 0, 0);
	must(mprotect(map, PAGES * PAGE, a.x & 1 ? PROT_READ : PROT_NONE));
	must(mprotect(map, PAGES * PAGE, prot_of(a.file, SHARED_MAP)));
	len = valid(a.file, a.page);
	if (len) {
		before = version(a.file, a.page);
		memcpy(buffer, map + a.page * PAGE, len);
		check("mapping after mprotect", a.file, a.page, buffer, len, before);
	}
	unlock_file(a.file);
	return DONE;
}

static int op_mremap(void)
{
	int which = a.x & 1 ? SHARED_MAP : READ_MAP;
	unsigned char *map, *at, *to;
	uint32_t before;
	size_t len;

	lock_file(a.file);
	map = map_of(a.file, which);
	note("mremap", a.file, -1, 0, 0);
	at = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must((long)at);
	/* advice for parts of it has split the area, which can't be moved then */
	must(madvise(map, PAGES * PAGE, MADV_NORMAL));
	must(madvise(map, PAGES * PAGE, MADV_MERGEABLE));
	to = mremap(map, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	if (to == MAP_FAILED && errno == EFAULT) {
		munmap(at, PAGES * PAGE);
		unlock_file(a.file);
		return NOTHING;
	}
	must((long)to);
	mine[a.file].map[which] = to;
	len = valid(a.file, a.page);
	if (len) {
		before = version(a.file, a.page);
		memcpy(buffer, to + a.page * PAGE, len);
		check("mapping after mremap", a.file, a.page, buffer, len, before);
	}
	unlock_file(a.file);
	return DONE;
}

static int op_move_pages(void)
{
	void *pages[PAGES];
	int nodes[PAGES], status[PAGES];
	unsigned char *map;
	size_t i;

	lock_file(a.file);
	map = map_of(a.file, SHARED_MAP);
	note("move_pages", a.file, -1, 0, a.y % 3);
	for (i = 0; i < PAGES; i++) {
		pages[i] = map + i * PAGE;
		nodes[i] = a.x & 2 ? (a.x >> (i % 32)) & 1 : a.x & 1;
	}
	for (i = 0; i * PAGE < s->file[a.file].size && i < PAGES; i++)
		(void)*(volatile unsigned char *)(map + i * PAGE);
	if (a.y % 3) {
		syscall(__NR_move_pages, 0, PAGES, pages, nodes, status, MPOL_MF_MOVE_ALL);
	} else {
		unsigned long from = 1 + (a.x & 1), to = 3 - from;

		syscall(__NR_migrate_pages, 0, 8, &from, &to);
	}
	unlock_file(a.file);
	return DONE;
}

static int op_fork(void)
{
	uint32_t before;
	unsigned char *map;
	size_t i, len;
	pid_t pid;
	int status;

	note("fork", a.file, -1, 0, 0);
	pid = must(fork());
	if (!pid) {
		/* the parent waits: it is as if it was this process */
		for (i = 0; i < FILES; i++) {
			lock_file(i);
			len = valid(i, a.page);
			if (len && mine[i].map[SHARED_MAP] &&
			    mine[i].generation == s->file[i].generation) {
				map = mine[i].map[SHARED_MAP];
				before = version(i, a.page);
				memcpy(buffer, map + a.page * PAGE, len);
				check("mapping of a child", i, a.page, buffer, len, before);
			}
			unlock_file(i);
		}
		if (a.x & 1)
			msleep(a.x % 10);
		a.kind = a.kind < OWN ? a.kind : 0;
		if (!read_only(a.file))
			op_store_copy();
		_exit(s->failed);
	}
	must(waitpid(pid, &status, 0));
	if (status && !s->failed)
		bad("a child", status);
	return DONE;
}

/*
 * Memory goes bad under a clean page: nothing is lost. Nobody is in the file
 * meanwhile, for between the mark on the page and its end in the page cache a fault
 * gets a SIGBUS. Those in files that share the page get none.
 */
static int bad_memory(const char *what, int advice)
{
	struct file *f = &s->file[a.file];
	size_t off = a.page * PAGE;
	struct entry *e;
	unsigned char *map;
	int fd, err;

	if (s->poisoned >= POISON_MAX)
		return NOTHING;
	lock_whole(a.file);
	if (valid(a.file, a.page) < PAGE) {
		unlock_file(a.file);
		return NOTHING;
	}
	map = map_of(a.file, READ_MAP) + off;
	fd = view(a.file)->fd;
	clean(a.file);
	(void)*(volatile unsigned char *)map;
	e = note(what, a.file, -1, off, PAGE);
	err = madvise(map, PAGE, advice) ? errno : 0;
	e->result = -err;
	/* a kernel without CONFIG_MEMORY_FAILURE */
	if (err == EINVAL) {
		unlock_file(a.file);
		return NOTHING;
	}
	s->poisoned++;
	/*
	 * Where the kernel could not get hold of the page (compaction had it, say) it
	 * stays in the page cache, marked, until it is cut off.
	 */
	if (err && advice == MADV_HWPOISON) {
		must(ftruncate(fd, off));
		must(ftruncate(fd, f->size));
		if (pwrite(fd, f->copy + off, f->size - off, off) != (ssize_t)(f->size - off))
			bad("write over bad memory", -1);
		f->cut++;
		changed_whole(a.file);
	}
	unlock_file(a.file);
	return err ? NOTHING : DONE;
}

static int op_poison(void)
{
	return bad_memory("memory failure", MADV_HWPOISON);
}

static int op_soft_offline(void)
{
	return bad_memory("soft offline", MADV_SOFT_OFFLINE);
}

static int op_forget(void)
{
	lock_file(a.file);
	note("unmap and close", a.file, -1, 0, 0);
	forget(&mine[a.file]);
	view(a.file);
	unlock_file(a.file);
	return DONE;
}

static const struct op {
	const char *name;
	int weight;
	int (*run)(void);
	enum { READS, WRITES } kind;
} ops[] = {
	{ "write", 90, op_write, WRITES },
	{ "writev", 15, op_writev, WRITES },
	{ "append", 15, op_append, WRITES },
	{ "store", 90, op_store_copy, WRITES },
	{ "store-process-vm", 20, op_store_process_vm, WRITES },
	{ "store-mem", 15, op_store_mem, WRITES },
	{ "store-pipe", 15, op_store_pipe, WRITES },
	{ "direct-write", 35, op_direct_write, WRITES },
	{ "copy-write", 15, op_copy_write, WRITES },
	{ "copy-direct-write", 15, op_copy_direct_write, WRITES },
	{ "copy-direct-read", 15, op_copy_direct_read, WRITES },
	{ "copy-read", 15, op_copy_read, WRITES },
	{ "copy-range", 10, op_copy_range, WRITES },
	{ "copy-splice", 15, op_copy_splice, WRITES },
	{ "copy-mapping", 15, op_copy_mapping, WRITES },
	{ "truncate", 20, op_truncate, WRITES },
	{ "punch", 20, op_punch, WRITES },
	{ "zero", 8, op_zero, WRITES },
	{ "allocate", 4, op_allocate, WRITES },
	{ "collapse", 8, op_collapse, WRITES },
	{ "insert", 8, op_insert, WRITES },
	{ "replace", 12, op_replace, WRITES },
	{ "read", 120, op_read, READS },
	{ "load", 150, op_load_copy, READS },
	{ "load-process-vm", 20, op_load_process_vm, READS },
	{ "direct-read", 30, op_direct_read, READS },
	{ "private", 40, op_private, READS },
	{ "pipe", 60, op_pipe, READS },
	{ "seek", 8, op_seek, READS },
	{ "dedupe", 8, op_dedupe, READS },
	{ "sync", 90, op_sync, WRITES },
	{ "advise", 50, op_advise, READS },
	{ "fadvise", 25, op_fadvise, READS },
	{ "mlock", 12, op_mlock, READS },
	{ "protect", 15, op_protect, READS },
	{ "mremap", 12, op_mremap, READS },
	{ "move-pages", 10, op_move_pages, READS },
	{ "fork", 8, op_fork, READS },
	{ "poison", 1, op_poison, WRITES },
	{ "soft-offline", 1, op_soft_offline, READS },
	{ "forget", 12, op_forget, READS },
};

static bool left_out[FILES][ARRAY_SIZE(ops)];

/* May what was drawn be done to its files? */
static bool possible(void)
{
	return !left_out[a.file % fs_count][a.op] && !left_out[a.other % fs_count][a.op] &&
	       !(ops[a.op].kind == WRITES && read_only(a.file));
}

static void draw(void)
{
	int total = 0, pick;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		total += ops[i].weight;
	pick = rnd(total);
	for (i = 0; pick >= ops[i].weight; i++)
		pick -= ops[i].weight;
	a.op = i;
	a.file = rnd(FILES);
	a.other = rnd(FILES);
	a.page = rnd(PAGES);
	a.page2 = rnd(PAGES);
	a.n = 1 + rnd(5);
	a.off = rnd(PAGE);
	a.len = 1 + rnd(rnd(3) ? 300 : 3 * PAGE);
	a.kind = rnd(10) ? rnd(KINDS) : OWN;
	a.x = rnd64(&rnd_state);
	a.y = rnd64(&rnd_state);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fail_begin("signal %d (code %d) at %p in %s of file %d page %zu", sig, info->si_code,
		   info->si_addr, ops[a.op].name, a.file, a.page);
	fail_end(-1);
}

static void worker(int number)
{
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct process *p = &s->proc[number];

	me = number;
	rnd_start(number);
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	write_str("/proc/self/oom_score_adj", "-900");
	must(mlock(buffer, sizeof(buffer)));
	while (!s->stop) {
		draw();
		if (!possible())
			continue;
		p->since = now();
		p->what = ops[a.op].name;
		if (ops[a.op].run() == DONE)
			s->count[a.op]++;
		else
			s->nothing[a.op]++;
		p->what = NULL;
		p->ops++;
	}
	_exit(s->failed);
}

/* ---- disturbances ------------------------------------------------------- */

static _Atomic(int) *blocks_off;

static void child(void (*fn)(void), int seconds)
{
	double end = now() + seconds;
	pid_t pid = must(fork());

	if (!pid) {
		fn();
		_exit(0);
	}
	while (!waitpid(pid, NULL, WNOHANG)) {
		if (now() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return;
		}
		msleep(5);
	}
}

static void hog(void)
{
	size_t len = (16 + a.x % 96) << 20, i;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	write_str("/proc/self/oom_score_adj", "1000");
	for (i = 0; i < len; i += PAGE)
		p[i] = i / PAGE;
}

static void offline(void)
{
	char path[100], state[32];
	int block;

	block = a.x % 16;
	sprintf(path, "/sys/devices/system/memory/memory%d/state", block);
	if (read_str(path, state, sizeof(state)) || strncmp(state, "online", 6))
		return;
	if (!write_str(path, "offline"))
		(*blocks_off)++;
}

static void online(void)
{
	char path[100], state[32];
	int block;

	for (block = 0; block < 16; block++) {
		sprintf(path, "/sys/devices/system/memory/memory%d/state", block);
		if (!read_str(path, state, sizeof(state)) && !strncmp(state, "offline", 7))
			write_str(path, "online_movable");
	}
}

static int limit_fd;

/*
 * Reclaim a part of a group, by its limit.  While that is down all of the group may fail
 * to allocate, which is no fault: so not for long, and raised by a process that is not
 * of the group, that does not open anything for it, and that others do not interrupt.
 */
static void limit_memory(void)
{
	struct sched_param first = { .sched_priority = 1 };
	char text[64];

	if (write_str("/tmp/cg/tasks", "0") || sched_setscheduler(0, SCHED_FIFO, &first) ||
	    read_str("/tmp/cg/a/memory.usage_in_bytes", text, sizeof(text)))
		die("limit");
	sprintf(text, "%ld", atol(text) / 4 * 3);
	/* EBUSY: it can't be reached, and is as before */
	if (pwrite(limit_fd, text, strlen(text), 0) >= 0)
		must(pwrite(limit_fd, "-1", 2, 0));
}

static void limit(void)
{
	limit_fd = open("/tmp/cg/a/memory.limit_in_bytes", O_WRONLY);
	if (limit_fd < 0)
		return;
	child(limit_memory, 10);
	/* should it have been killed in between */
	must(pwrite(limit_fd, "-1", 2, 0));
	close(limit_fd);
}

static void move_task(void)
{
	char text[32];
	int i = a.x % atoi(option("procs"));

	sprintf(text, "%d", s->proc[i].pid);
	write_str(a.y & 1 ? "/tmp/cg/a/tasks" : "/tmp/cg/b/tasks", text);
}

static void unmerge(void)
{
	ksm_write("run", 2);
	/* both need that nothing is shared */
	ksm_write("max_page_sharing", a.x & 1 ? 4 : a.x & 2 ? 16 : 256);
	if (a.x & 4)
		ksm_write("merge_across_nodes", a.x >> 3 & 1);
	ksm_write("run", 1);
}

static void freeze(void)
{
	int fd = must(open(fss[a.y % fs_count].top, O_RDONLY));

	if (!ioctl(fd, FIFREEZE, 0)) {
		msleep(a.x % 20);
		must(ioctl(fd, FITHAW, 0));
	}
	close(fd);
}

static const struct disturbance {
	const char *name;
	int weight;
} disturbances[] = {
	{ "sync", 30 }, { "drop_caches", 12 }, { "compact", 10 }, { "unmerge", 3 },
	{ "scan off", 3 }, { "freeze", 3 }, { "remount", 3 }, { "offline", 3 },
	{ "hog", 4 }, { "limit", 8 }, { "move task", 6 }, { "swap", 2 }, { "idle", 4 },
};

static _Atomic(unsigned long) *disturbed;

/* With its options: f2fs forgets what it is not told again. */
static void remount(void)
{
	const struct fs *fs = &fss[a.y % fs_count];

	must(mount(NULL, fs->top, NULL, MS_REMOUNT | (a.x & 1 ? MS_NOATIME : 0) |
		   (fs->type.read_only ? MS_RDONLY : 0), fs->type.options));
}

static void disturb(int what)
{
	static bool swapping;
	char text[16];
	int fd;

	switch (what) {
	case 0:
		sync();
		break;
	case 1:
		sprintf(text, "%d", (int)(1 + a.x % 3));
		write_str("/proc/sys/vm/drop_caches", text);
		break;
	case 2:
		write_str("/proc/sys/vm/compact_memory", "1");
		break;
	case 3:
		if (atoi(option("sharing")))
			unmerge();
		break;
	case 4:
		if (atoi(option("sharing"))) {
			sysctl_ksm_file("0");
			msleep(a.x % 40);
			sysctl_ksm_file("1");
		}
		break;
	case 5:
		freeze();
		break;
	case 6:
		remount();
		break;
	case 7:
		child(offline, 4);
		online();
		break;
	case 8:
		child(hog, 10);
		break;
	case 9:
		limit();
		break;
	case 10:
		move_task();
		break;
	case 11:
		if (swapping)
			swapoff(swap);
		else
			swapon(swap, 0);
		swapping = !swapping;
		break;
	case 12:
		/* mark a range of pages idle, through the reverse map */
		fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR);
		if (fd >= 0) {
			memset(second, 255, sizeof(second));
			must(pwrite(fd, second, PAGE, (a.x % 4) * PAGE));
			close(fd);
		}
		break;
	}
}

static void disturber(int number)
{
	struct process *p = &s->proc[number];
	int total = 0, pick, i;
	size_t j;

	me = number;
	rnd_start(number);
	for (j = 0; j < ARRAY_SIZE(disturbances); j++)
		total += disturbances[j].weight;
	while (!s->stop) {
		pick = rnd(total);
		for (i = 0; pick >= disturbances[i].weight; i++)
			pick -= disturbances[i].weight;
		a.x = rnd64(&rnd_state);
		a.y = rnd64(&rnd_state);
		p->since = now();
		p->what = disturbances[i].name;
		note(disturbances[i].name, -1, -1, 0, 0);
		disturb(i);
		p->what = NULL;
		disturbed[i]++;
		p->ops++;
		msleep(5 + a.y % 60);
	}
	online();
	_exit(0);
}

/* ---- set up and the end ------------------------------------------------- */

static void *shared_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must((long)p);
	return p;
}

/*
 * A page fault whose allocation is made to fail calls the OOM killer; these are
 * whom it finds. Where one CPU is shared by all, it takes a while to replace them,
 * so the parent says who they are, before they run.
 */
static void keep_victims(void)
{
	static pid_t victims[8];
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(victims); i++) {
		if (victims[i] && !waitpid(victims[i], NULL, WNOHANG))
			continue;
		victims[i] = must(fork());
		while (!victims[i])
			pause();
		sprintf(path, "/proc/%d/oom_score_adj", victims[i]);
		write_str(path, "1000");
	}
}

static void mount_all(void)
{
	/* Of User Mode Linux. Others have to find their files later. */
	if (getpid() != 1) {
		must(unshare(CLONE_NEWNS));
		must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		/* the OOM killer lets process 1 live */
		write_str("/proc/self/oom_score_adj", "-1000");
	}
	mkdir("/proc", 0755);
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	mount("none", "/tmp", "tmpfs", 0, NULL);
	mkdir("/tmp/cg", 0755);
	if (!mount("none", "/tmp/cg", "cgroup", 0, "memory")) {
		mkdir("/tmp/cg/a", 0755);
		mkdir("/tmp/cg/b", 0755);
		write_str("/tmp/cg/a/memory.move_charge_at_immigrate", "3");
		write_str("/tmp/cg/b/memory.move_charge_at_immigrate", "3");
		write_str("/tmp/cg/a/memory.oom_control", "1");
	}
}

static void name_disk(char *disk, int number)
{
	sprintf(disk, "/dev/%.8s%c", option("disks"), 'a' + number);
}

static void name_filesystems(void)
{
	const char *list = option("fs");
	size_t len, i;

	for (; *list; list += len + (list[len] == ',')) {
		struct fs *fs = &fss[fs_count];

		len = strcspn(list, ",");
		if (!len || len >= sizeof(fs->name) || fs_count == FILES)
			die("fs is not one to %d names: %s", FILES, option("fs"));
		memcpy(fs->name, list, len);
		name_disk(fs->disk, fs_count);
		sprintf(fs->top, "/mnt/%d", fs_count++);
		for (i = 0; i < ARRAY_SIZE(fs_types); i++)
			if (!strcmp(fs->name, fs_types[i].name))
				fs->type = fs_types[i];
	}
	if (!fs_count)
		die("fs names no filesystem");
	name_disk(swap, fs_count);
}

static void mount_one(const char *what, const char *where, const char *type,
		      unsigned long flags, const char *data)
{
	mkdir(where, 0700);
	if (mount(what, where, type, flags, data))
		die("cannot mount %s as %s", what, type);
}

/* Of an overlay: where the filesystem below is */
static void below(char *path, int number)
{
	sprintf(path, "/mnt/below%d", number);
}

static void mount_overlay(int number)
{
	static const char * const folders[] = { "lower", "upper", "work" };
	char under[32], path[64], data[200];
	size_t i;

	below(under, number);
	mount_one(fss[number].disk, under, fss[number].type.below, 0, NULL);
	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		sprintf(path, "%s/%s", under, folders[i]);
		mkdir(path, 0700);
	}
	sprintf(data, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", under, under,
		under);
	mount_one("none", fss[number].top, "overlay", 0, data);
}

static void mount_disks(void)
{
	const struct fs *fs;
	int i;

	for (i = 0; i < fs_count; i++) {
		fs = &fss[i];
		if (fs->type.below)
			mount_overlay(i);
		else
			mount_one(fs->disk, fs->top, fs->name,
				  fs->type.read_only ? MS_RDONLY : 0,
				  fs->type.in_folder ? option("hostfs") : fs->type.options);
	}
}

static void umount_disks(void)
{
	char under[32];
	int i;

	for (i = 0; i < fs_count; i++) {
		if (umount(fss[i].top))
			die("cannot unmount %s", fss[i].name);
		below(under, i);
		if (fss[i].type.below && umount(under))
			die("cannot unmount what is below the overlay");
	}
}

static pid_t find_ksmd(void)
{
	struct dirent *e;
	char path[300], text[32];
	DIR *d = opendir("/proc");
	pid_t pid = 0;

	while (d && (e = readdir(d))) {
		sprintf(path, "/proc/%s/comm", e->d_name);
		if (atoi(e->d_name) && !read_str(path, text, sizeof(text)) &&
		    !strcmp(text, "ksmd\n"))
			pid = atoi(e->d_name);
	}
	if (d)
		closedir(d);
	return pid;
}

/* Tail of a failed run: who does what, and what the kernel thinks of it. */
static void hang_report(int number)
{
	char path[64], stack[4096];
	int i;

	printf("torture: FAILED: process %d is in %s since %.0f s, seed %llu\n", number,
	       s->proc[number].what, now() - s->proc[number].since,
	       (unsigned long long)seed);
	print_log(-1, 40);
	for (i = 0; i < MAX_PROCS; i++) {
		if (!s->proc[i].pid || !s->proc[i].what)
			continue;
		sprintf(path, "/proc/%d/stack", s->proc[i].pid);
		printf("torture: process %d in %s for %.1f s\n", i, s->proc[i].what,
		       now() - s->proc[i].since);
		if (!read_str(path, stack, sizeof(stack)))
			printf("%s", stack);
	}
	sprintf(path, "/proc/%d/stack", find_ksmd());
	if (!read_str(path, stack, sizeof(stack)))
		printf("torture: ksmd\n%s", stack);
	for (i = 0; i < FILES; i++) {
		size_t p;

		for (p = 0; p < PAGES; p++)
			if (s->file[i].version[p] & 1)
				printf("torture: file %d page %zu is held by process %d\n", i,
				       p, s->file[i].changer[p]);
	}
	fflush(stdout);
	write_str("/proc/sysrq-trigger", "w");
	write_str("/proc/sysrq-trigger", "l");
	sleep(2);
	leave(1);
}

static long fault_times(const char *name, long set)
{
	char path[100], text[32];

	sprintf(path, "/sys/kernel/debug/%s/times", name);
	if (set) {
		sprintf(text, "%ld", set);
		return write_str(path, text);
	}
	return read_str(path, text, sizeof(text)) ? -1 : atol(text);
}

#define TIMES	1000000000L

static void fault_set(const char *name, const char *file, const char *value)
{
	char path[100];

	sprintf(path, "/sys/kernel/debug/%s/%s", name, file);
	if (write_str(path, value))
		die("%s", path);
}

/* Those caches of ours that only ksmd takes from; the command line has marked them. */
static const char * const caches[] = { "pxa_alias", "ksm_file_cand" };

static bool caches_marked(void)
{
	char path[100], text[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		sprintf(path, "/sys/kernel/slab/%s/failslab", caches[i]);
		if (read_str(path, text, sizeof(text)) || atol(text) != 1)
			return false;
	}
	return true;
}

/* What says whose allocations fail is set before any does: this is a process, too. */
static void fault_start(const char *name, const char *filter, const char *probability)
{
	fault_set(name, filter, "1");
	fault_set(name, "interval", "1");
	fault_set(name, "verbose", "0");
	fault_set(name, "ignore-gfp-wait", "0");
	fault_set(name, "probability", probability);
}

static void start_faults(void)
{
	char path[100];

	faults = atoi(option("faults")) && !fault_times("fail_page_alloc", TIMES);
	if (!faults)
		return;
	fault_set("fail_page_alloc", "min-order", "0");
	fault_set("fail_page_alloc", "ignore-gfp-highmem", "0");
	sprintf(path, "/proc/%d/make-it-fail", find_ksmd());
	if (write_str(path, "1"))
		die("%s", path);
	slab_faults = caches_marked() && !fault_times("failslab", TIMES);
	if (slab_faults)
		fault_start("failslab", "cache-filter", "3");
	fault_start("fail_page_alloc", "task-filter", "15");
}

static long faults_injected(void)
{
	long sum = 0;

	if (!faults)
		return 0;
	sum += TIMES - fault_times("fail_page_alloc", 0);
	if (slab_faults)
		sum += TIMES - fault_times("failslab", 0);
	return sum;
}

static void stop_faults(void)
{
	if (faults)
		fault_set("fail_page_alloc", "probability", "0");
	if (slab_faults)
		fault_set("failslab", "probability", "0");
}

/* The contents that all files use: random, or what a file begins with that is there. */
static void make_patterns(void)
{
	char path[200];
	int i, fd;
	size_t j;

	for (i = 1; i < KINDS; i++)
		for (j = 0; j < PAGE; j += 8) {
			uint64_t word = rnd64(&rnd_state);

			memcpy(&s->pattern[i][j], &word, 8);
		}
	for (i = 0; i < fs_count && !read_only(i); i++)
		;
	if (i == fs_count)
		return;
	path_of(path, i, 0);
	fd = must(open(path, O_RDONLY));
	for (i = 1; i < KINDS; i++)
		if (read(fd, s->pattern[i], PAGE) != (ssize_t)PAGE)
			die("read %s", path);
	close(fd);
}

static void make_file(int file)
{
	struct file *f = &s->file[file];
	char path[200];
	size_t j;
	int fd;

	path_of(path, file, 0);
	for (j = 0; j < PAGES; j++)
		content(f->copy + j * PAGE, 0, PAGE, 1 + rnd(KINDS - 1), file, 0);
	fd = must(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
	if (write(fd, f->copy, f->size) != (ssize_t)f->size)
		die("write %s", path);
	must(fsync(fd));
	close(fd);
}

static void learn_file(int file)
{
	struct file *f = &s->file[file];
	char path[200];
	int fd;

	path_of(path, file, 0);
	fd = must(open(path, O_RDONLY));
	if (read(fd, f->copy, f->size) != (ssize_t)f->size)
		die("read %s", path);
	close(fd);
}

static void make_files(void)
{
	pthread_rwlockattr_t attr;
	char path[200];
	int i, j;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	make_patterns();
	for (i = 0; i < fs_count; i++)
		for (j = 0; j < 3 && !read_only(i); j++) {
			sprintf(path, "%s/dir%d", fss[i].top, j);
			must(mkdir(path, 0700));
		}
	for (i = 0; i < FILES; i++) {
		if (pthread_rwlock_init(&s->file[i].lock, &attr))
			die("lock of file %d", i);
		s->file[i].size = PAGES * PAGE;
		if (read_only(i))
			learn_file(i);
		else
			make_file(i);
	}
}

static void verify_all(const char *when, bool mounted_again)
{
	int i;

	memset(&a, 0, sizeof(a));
	for (i = 0; i < FILES; i++) {
		struct file *f = &s->file[i];
		unsigned char *map;
		struct stat st;
		size_t page, len;
		ssize_t n;

		if (mounted_again && fs_of(i)->type.in_memory)
			continue;
		a.file = i;
		forget(&mine[i]);
		must(fstat(view(i)->fd, &st));
		if ((size_t)st.st_size != f->size)
			fail("file %d has %zu bytes %s, must be %zu", i, (size_t)st.st_size,
			     when, f->size);
		n = pread(view(i)->fd, buffer, sizeof(buffer), 0);
		if (n != (ssize_t)f->size)
			fail("file %d: read gave %zd of %zu bytes %s", i, n, f->size, when);
		for (page = 0; (len = valid(i, page)) > 0 && page < PAGES; page++) {
			if (memcmp(buffer + page * PAGE, f->copy + page * PAGE, len)) {
				printf("torture: %s\n", when);
				check("read", i, page, buffer + page * PAGE, len,
				      version(i, page));
			}
		}
		map = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, view(i)->fd, 0);
		must((long)map);
		for (page = 0; (len = valid(i, page)) > 0 && page < PAGES; page++)
			if (memcmp(map + page * PAGE, f->copy + page * PAGE, len)) {
				printf("torture: %s\n", when);
				check("mapping", i, page, map + page * PAGE, len,
				      version(i, page));
			}
		munmap(map, PAGES * PAGE);
		forget(&mine[i]);
	}
}

static void counters_zero(void)
{
	static const char * const names[] = { "file_pages_shared", "file_pages_sharing" };
	double end = now() + 20;
	size_t i;
	int err;

	sysctl_ksm_file("0");
	if (ksm_write("run", 2))
		die("cannot write 2 to run");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		while (now() < end && ksm_read(names[i]))
			msleep(10);
		if (ksm_read(names[i]))
			fail("%s is %ld after run=2", names[i], ksm_read(names[i]));
	}
	/* Where there are several, each CPU keeps a part of these until it is asked. */
	err = write_str("/proc/sys/vm/stat_refresh", "1");
	if (err && err != -ENOENT)
		die("cannot refresh the counters of /proc/vmstat");
	if (vmstat("nr_pxa_shared") || vmstat("nr_pxa_sharing"))
		fail("nr_pxa_shared %ld, nr_pxa_sharing %ld after run=2",
		     vmstat("nr_pxa_shared"), vmstat("nr_pxa_sharing"));
}

static void progress(int procs)
{
	unsigned long ops = 0, checked = 0;
	int i;

	for (i = 0; i < procs; i++) {
		ops += s->proc[i].ops;
		checked += s->proc[i].checked;
	}
	printf("torture: %4.0f s: %lu operations, %lu pages checked, %ld shared, %ld sharing, %ld merges, %ld breaks, %ld drops, %ld reclaims\n",
	       now() - s->begin, ops, checked, ksm_read("file_pages_shared"),
	       ksm_read("file_pages_sharing"), ksm_read("file_merges"),
	       ksm_read("file_breaks"), ksm_read("file_drops"), ksm_read("file_reclaims"));
	fflush(stdout);
}

/* Is a name in a list with commas? */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name), n;

	for (; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == len && !strncmp(list, name, len))
			return true;
	}
	return false;
}

static void parse(int argc, char **argv)
{
	size_t i, len;
	char name[64];
	int j;

	for (j = 1; j < argc; j++) {
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			len = strlen(options[i].name);
			if (!strncmp(argv[j], options[i].name, len) && argv[j][len] == '=')
				options[i].value = argv[j] + len + 1;
		}
	}
	name_filesystems();
	for (j = 0; j < fs_count; j++)
		for (i = 0; i < ARRAY_SIZE(ops); i++) {
			sprintf(name, "%.30s@%.15s", ops[i].name, fss[j].name);
			left_out[j][i] = listed(option("without"), ops[i].name) ||
				listed(option("without"), name);
		}
}

int main(int argc, char **argv)
{
	double end, shown = 0;
	int procs, i, status, bad_exit = 0;
	unsigned long sum = 0;
	bool sharing;
	long merges, breaks;
	size_t j;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	parse(argc, argv);
	mount_all();
	seed = strtoull(option("seed"), NULL, 0);
	procs = atoi(option("procs"));
	sharing = atoi(option("sharing"));
	if (procs < 1 || procs > MAX_PROCS - 2)
		die("procs is not from 1 to %d", MAX_PROCS - 2);
	s = shared_memory(sizeof(*s));
	init_failed = &s->failed;
	disturbed = shared_memory(sizeof(*disturbed) * 32);
	blocks_off = shared_memory(sizeof(*blocks_off));
	me = MAX_PROCS - 1;
	rnd_start(me);
	mount_disks();
	make_files();
	write_str("/proc/sys/vm/dirty_writeback_centisecs", "10");
	write_str("/proc/sys/vm/dirty_expire_centisecs", "10");
	write_str("/proc/sys/kernel/numa_balancing", "1");
	write_str("/proc/sys/kernel/sysrq", "1");
	/* the host may be busy */
	write_str("/proc/sys/kernel/hung_task_timeout_secs", "140");
	write_str("/proc/sys/kernel/watchdog_thresh", "60");
	ksm_write("sleep_millisecs", 0);
	/* as many as it holds its mutex for */
	ksm_write("pages_to_scan", 500);
	if (sharing) {
		if (sysctl_ksm_file("1"))
			die("cannot set vm.ksm_file: kernel without KSM_FILE?");
		ksm_write("run", 1);
	}
	keep_victims();
	start_faults();
	s->begin = now();
	printf("torture: fs %s seed %llu seconds %s processes %d sharing %d faults %d slab faults %d, %ld cpus\n",
	       option("fs"), (unsigned long long)seed, option("seconds"), procs, sharing,
	       faults, slab_faults, sysconf(_SC_NPROCESSORS_ONLN));
	fflush(stdout);
	for (i = 0; i <= procs; i++) {
		pid_t pid = must(fork());

		if (!pid) {
			write_str("/tmp/cg/a/tasks", "0");
			if (i < procs)
				worker(i);
			disturber(i);
		}
		s->proc[i].pid = pid;
	}
	end = s->begin + atoi(option("seconds"));
	while (now() < end && !s->failed) {
		msleep(100);
		keep_victims();
		if (now() - shown > 10) {
			progress(procs);
			shown = now();
		}
		for (i = 0; i <= procs; i++) {
			double since = s->proc[i].since;

			if (s->proc[i].what && now() - since > HANG_SECONDS)
				hang_report(i);
			if (waitpid(s->proc[i].pid, &status, WNOHANG) > 0) {
				s->proc[i].pid = 0;
				bad_exit |= status;
				s->stop = 1;
				end = 0;
			}
		}
	}
	s->stop = 1;
	end = now() + HANG_SECONDS;
	for (i = 0; i <= procs; i++) {
		while (s->proc[i].pid &&
		       waitpid(s->proc[i].pid, &status, WNOHANG) == 0) {
			/* who has failed may have left locks behind */
			if (s->failed && now() > end - HANG_SECONDS + 10)
				leave(1);
			if (now() > end)
				hang_report(i);
			keep_victims();
			msleep(20);
		}
		if (s->proc[i].pid)
			bad_exit |= status;
	}
	stop_faults();
	progress(procs);
	merges = ksm_read("file_merges");
	breaks = ksm_read("file_breaks");
	for (i = 0; i < procs; i++)
		sum += s->proc[i].ops;
	if (s->failed || bad_exit) {
		printf("torture: failed after %.0f s, status %x\n", now() - s->begin, bad_exit);
		leave(1);
	}
	me = MAX_PROCS - 1;
	swapoff(swap);
	if (ksm_has("file_pages_shared"))
		counters_zero();
	verify_all("after the load", false);
	sync();
	write_str("/proc/sys/vm/drop_caches", "3");
	verify_all("from the disk", false);
	umount_disks();
	mount_disks();
	verify_all("after a mount", true);
	umount_disks();
	for (j = 0; j < ARRAY_SIZE(ops); j++)
		printf("torture: operation %-18s %8lu done %8lu nothing to do\n", ops[j].name,
		       s->count[j], s->nothing[j]);
	for (j = 0; j < ARRAY_SIZE(disturbances); j++)
		printf("torture: disturbance %-16s %8lu\n", disturbances[j].name, disturbed[j]);
	printf("torture: %lu operations, %ld merges, %ld breaks, %ld drops, %ld reclaims, %ld faults injected, %d pages poisoned, %d memory blocks offline\n",
	       sum, merges, breaks, ksm_read("file_drops"), ksm_read("file_reclaims"),
	       faults_injected(), s->poisoned, *blocks_off);
	if (sharing && (merges < 50 || breaks < 20)) {
		printf("torture: FAILED: only %ld merges and %ld breaks: that proves nothing\n",
		       merges, breaks);
		leave(1);
	}
	leave(0);
}
