// SPDX-License-Identifier: GPL-2.0
/*
 * A mixed load on one filesystem. Every byte is compared with a copy in memory.
 *
 *	fs-load [OPTION ...] DIR	the load; goes on where the last one ended
 *	fs-load --check [...] DIR	compare all there is with the copy
 *	fs-load --fill DIR		make the files that --read-only expects
 *	fs-load --read-only [...] DIR	load of reads
 *	fs-load --hog MIB		fill memory, read it back
 *	fs-load --share FILE		wait until all whole pages of the file are shared
 *
 * The copy is kept in files of --state, which should be on another filesystem:
 * it outlives a remount. An operation that a filesystem refuses from the start
 * is left out, and listed at the end; --need says which it may not refuse,
 * --without which are not tried.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(a, b)	__attribute__((format(printf, a, b)))

#define MAGIC		0x66736c6f61640001ULL
#define MAX_PROCS	8
#define MAX_FILES	24
#define MAX_LINKS	6
#define MAX_SMALL	40
#define SMALL_SIZE	600
#define LINK_SIZE	900
#define STRIPE		1000
#define PAGE		4096UL
#define CHUNK		(128 << 10)
#define HISTORY		16

/* What is in the filesystem, as far as it is not bytes of files; in --state. */
struct meta {
	__u64 magic;
	__u64 max;			/* size of each copy */
	__u64 random;
	struct {
		__u32 generation;	/* part of the name */
		__u64 size;
	} file[MAX_FILES];
	struct {
		__u32 length;	/* 0: there is no such link */
		__u32 seed;
	} link[MAX_LINKS];
	struct {
		__u32 size;
		__u32 seed;
		__u32 there;
	} small[MAX_SMALL];
	struct {
		__u32 there;
	} common;
};

struct file {
	int nr;
	int fd;
	int direct;			/* with O_DIRECT, or -1 */
	char *map;			/* stays, all of max, shared */
	char *copy;
	__u64 *size;
	__u64 fixed_size;		/* what size points to, read only */
	char path[PATH_MAX / 2];
};

enum { DONE, UNSUPPORTED, NOTHING };

struct op {
	const char *name;
	int weight;
	bool reads;			/* fits a read-only filesystem */
	int (*run)(struct file *f);
};

static struct {
	const char *dir, *state, *cgroup, *need, *without;
	unsigned int procs, files;
	time_t seconds;
	__u64 seed, max;
	bool read_only, check, fill;
} opt = {
	.seconds = 10, .procs = 2, .files = 4, .seed = 1, .max = 2 << 20,
};

/* Shared by the processes */
static struct shared {
	__u64 done[64];
	__u64 refused[64];
} *shared;

static int me;				/* number of the process */
static struct meta *meta;
static struct file files[MAX_FILES], common;
static char *buffer, *other;		/* CHUNK each, page aligned */
static unsigned long block;		/* of the filesystem, a page at most */
static char history[HISTORY][96];
static unsigned int history_at;
static int pipes[2], sockets[2];

static void say_history(void)
{
	unsigned int i;

	for (i = 0; i < HISTORY; i++) {
		const char *line = history[(history_at + i) % HISTORY];

		if (*line)
			fprintf(stderr, "fs-load:   before: %s\n", line);
	}
}

static void __printf(1, 2) __attribute__((noreturn)) fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "fs-load: error: process %d: ", me);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	say_history();
	exit(1);
}

#define fail_errno(what, path) fail("%s %s: %s", what, path, strerror(errno))

static void __printf(1, 2) remember(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(history[history_at++ % HISTORY], sizeof(history[0]), format, args);
	va_end(args);
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "fs-load: error: SIGBUS from a mapping inside its file\n";

	(void)sig, (void)info, (void)context;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(3);
	say_history();
	_exit(1);
}

static __u64 rnd(void)
{
	__u64 x = meta->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	meta->random = x;
	return (x * 0x2545f4914f6cdd1dULL) >> 16;
}

static __u64 below(__u64 n)
{
	return n ? rnd() % n : 0;
}

static __u64 mix(__u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* Bytes that compress not at all, or well */
static void pattern(char *p, size_t n, __u64 seed)
{
	size_t i;

	if (seed & 1) {
		for (i = 0; i < n; i++)
			p[i] = mix(seed + i / 8) >> (i % 8 * 8);
	} else {
		for (i = 0; i < n; i++)
			p[i] = 'a' + (seed / 2 + i / 61) % 26;
	}
}

static void compare(const struct file *f, const char *got, __u64 at, size_t n,
		    const char *how)
{
	const char *want = f->copy + at;
	size_t i, bad = 0, first = 0;

	if (!memcmp(got, want, n))
		return;
	for (i = 0; i < n; i++)
		if (got[i] != want[i] && !bad++)
			first = i;
	fail("%s: %s: byte %llu is %02x and should be %02x; %zu of %zu at %llu wrong, size %llu",
	     f->path, how, at + first, (unsigned char)got[first],
	     (unsigned char)want[first], bad, n, at,
	     *f->size);
}

static bool refused(int error)
{
	return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL ||
	       error == ENODEV || error == ENOTTY || error == EXDEV || error == EPERM;
}

/* A range inside the file; false if it is empty */
static bool inside(struct file *f, __u64 *at, size_t *n, size_t limit)
{
	if (!*f->size)
		return false;
	*at = below(*f->size);
	*n = 1 + below(below(4) ? 5000 : limit - 1);
	if (*n > *f->size - *at)
		*n = *f->size - *at;
	return true;
}

/* A range that may lie behind the end */
static void anywhere(struct file *f, __u64 *at, size_t *n, size_t limit)
{
	__u64 last = *f->size + 3 * PAGE < opt.max ? *f->size + 3 * PAGE : opt.max;

	*at = below(last);
	*n = 1 + below(below(4) ? 5000 : limit - 1);
	if (!below(4))
		*at &= ~(PAGE - 1);
	if (*n > opt.max - *at)
		*n = opt.max - *at;
}

static void grown(struct file *f, __u64 end)
{
	if (end > *f->size)
		*f->size = end;
}

/* Is name one of the words of list, which has commas between them? */
static bool listed(const char *list, const char *name)
{
	const char *p = list;
	size_t n = strlen(name);

	for (; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : "")
		if (!strncmp(p, name, n) && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

/* New bytes for the copy and for whoever writes them */
static const char *fresh(struct file *f, __u64 at, size_t n)
{
	pattern(f->copy + at, n, rnd());
	return f->copy + at;
}

static void write_all(int fd, const char *p, size_t n, __u64 at, const char *path)
{
	while (n) {
		ssize_t done = pwrite(fd, p, n, at);

		if (done <= 0)
			fail_errno("write", path);
		p += done;
		at += done;
		n -= done;
	}
}

static size_t read_all(int fd, char *p, size_t n, __u64 at, const char *path)
{
	size_t all = 0;

	while (all < n) {
		ssize_t done = pread(fd, p + all, n - all, at + all);

		if (done < 0)
			fail_errno("read", path);
		if (!done)
			break;
		all += done;
	}
	return all;
}

/* The whole file, by read */
static void verify(struct file *f)
{
	struct stat st;
	__u64 at;

	if (fstat(f->fd, &st))
		fail_errno("stat", f->path);
	if ((__u64)st.st_size != *f->size)
		fail("%s: the size is %llu and should be %llu", f->path,
		     (unsigned long long)st.st_size, *f->size);
	for (at = 0; at < *f->size; at += CHUNK) {
		size_t n = *f->size - at < CHUNK ? *f->size - at : CHUNK;

		if (read_all(f->fd, buffer, n, at, f->path) != n)
			fail("%s: short read at %llu", f->path, at);
		compare(f, buffer, at, n, "read of the whole file");
	}
}

/* Reading */

static int op_read(struct file *f)
{
	__u64 at;
	size_t n;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	if (read_all(f->fd, buffer, n, at, f->path) != n)
		fail("%s: short read at %llu", f->path, at);
	compare(f, buffer, at, n, "read");
	return DONE;
}

static int op_readv(struct file *f)
{
	struct iovec vec[3] = {
		{ other, 7 }, { other + 100, 4001 }, { other + 5000, 333 },
	};
	__u64 at;
	size_t n;

	if (!inside(f, &at, &n, CHUNK) || *f->size - at < 7 + 4001 + 333)
		return NOTHING;
	if (preadv(f->fd, vec, 3, at) != 7 + 4001 + 333)
		fail_errno("preadv", f->path);
	compare(f, other, at, 7, "preadv");
	compare(f, other + 100, at + 7, 4001, "preadv");
	compare(f, other + 5000, at + 7 + 4001, 333, "preadv");
	return DONE;
}

static int op_verify(struct file *f)
{
	verify(f);
	return DONE;
}

/* A mapping of a range, removed at the end of the operation */
static char *map_range(struct file *f, __u64 at, size_t n, int prot, int flags)
{
	size_t skip = at % PAGE;
	char *p = mmap(NULL, n + skip, prot, flags, f->fd, at - skip);

	return p == MAP_FAILED ? NULL : p + skip;
}

static void unmap_range(char *p, size_t n)
{
	size_t skip = (unsigned long)p % PAGE;

	if (munmap(p - skip, n + skip))
		fail_errno("munmap", "");
}

static int op_map_read(struct file *f)
{
	__u64 at;
	size_t n;
	char *p;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	p = map_range(f, at, n, PROT_READ, below(2) ? MAP_SHARED : MAP_PRIVATE);
	if (!p)
		return UNSUPPORTED;
	compare(f, p, at, n, "read of a mapping");
	unmap_range(p, n);
	return DONE;
}

static int op_map_private(struct file *f)
{
	__u64 at;
	size_t n, i;
	char *p;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	p = map_range(f, at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (!p)
		return UNSUPPORTED;
	for (i = 0; i < n; i += 1 + below(PAGE))
		p[i] = ~p[i];
	unmap_range(p, n);
	if (read_all(f->fd, buffer, n, at, f->path) != n)
		fail("%s: short read at %llu", f->path, at);
	compare(f, buffer, at, n, "read after a write to a private mapping");
	return DONE;
}

static int op_advise(struct file *f)
{
	static const int advice[] = {
		POSIX_FADV_DONTNEED, POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED,
		POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL, POSIX_FADV_NORMAL,
	};
	__u64 at;
	size_t n;

	if (!inside(f, &at, &n, opt.max))
		at = 0, n = 0;
	if (posix_fadvise(f->fd, at, below(2) ? n : 0, advice[below(6)]))
		return UNSUPPORTED;
	return op_read(f);
}

static int op_readahead(struct file *f)
{
	__u64 at;
	size_t n;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (readahead(f->fd, at, n))
		return UNSUPPORTED;
	if (read_all(f->fd, buffer, n, at, f->path) != n)
		fail("%s: short read at %llu", f->path, at);
	compare(f, buffer, at, n, "read after readahead");
	return DONE;
}

static int op_map_advise(struct file *f)
{
	static const int advice[] = {
		MADV_PAGEOUT, MADV_PAGEOUT, MADV_COLD, MADV_DONTNEED,
		MADV_WILLNEED, MADV_RANDOM, MADV_NORMAL,
	};
	__u64 at;
	size_t n;

	if (!f->map)
		return UNSUPPORTED;
	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	if (madvise(f->map + (at & ~(PAGE - 1)), n + at % PAGE, advice[below(7)]))
		fail_errno("madvise", f->path);
	compare(f, f->map + at, at, n, "read of the mapping after madvise");
	return DONE;
}

static int op_splice_read(struct file *f)
{
	__u64 at;
	size_t n, all = 0;
	loff_t pos;

	if (!inside(f, &at, &n, 30000))
		return NOTHING;
	pos = at;
	while (all < n) {
		ssize_t done = splice(f->fd, &pos, pipes[1], NULL, n - all, 0);

		if (done < 0 && !all && refused(errno))
			return UNSUPPORTED;
		if (done <= 0 || read(pipes[0], buffer + all, done) != done)
			fail_errno("splice from", f->path);
		all += done;
	}
	compare(f, buffer, at, n, "splice");
	return DONE;
}

static int op_sendfile(struct file *f)
{
	__u64 at;
	size_t n;
	off_t pos;
	ssize_t done, got;

	if (!inside(f, &at, &n, 30000))
		return NOTHING;
	pos = at;
	done = sendfile(sockets[1], f->fd, &pos, n);
	if (done < 0 && refused(errno))
		return UNSUPPORTED;
	if (done <= 0)
		fail_errno("sendfile from", f->path);
	for (got = 0; got < done; ) {
		ssize_t one = read(sockets[0], buffer + got, done - got);

		if (one <= 0)
			fail_errno("read of a socket", f->path);
		got += one;
	}
	compare(f, buffer, at, done, "sendfile");
	return DONE;
}

static int open_direct(struct file *f)
{
	if (f->direct < 0)
		f->direct = open(f->path, (opt.read_only ? O_RDONLY : O_RDWR) | O_DIRECT);
	return f->direct;
}

static int op_direct_read(struct file *f)
{
	__u64 at;
	size_t n, want, got = 0;

	if (open_direct(f) < 0) {
		if (refused(errno))
			return UNSUPPORTED;
		fail_errno("open with O_DIRECT", f->path);
	}
	if (!inside(f, &at, &n, CHUNK / 2))
		return NOTHING;
	at &= ~(PAGE - 1);
	n = (n | (PAGE - 1)) + 1;
	want = n < *f->size - at ? n : *f->size - at;
	while (got < want) {
		ssize_t done = pread(f->direct, buffer + got, n - got, at + got);

		/* some let it be opened and refuse then */
		if (done < 0 && !got && errno == EINVAL)
			return UNSUPPORTED;
		if (done < 0)
			fail_errno("direct read of", f->path);
		if (!done)
			fail("%s: direct read at %llu gave %zu of %zu, size %llu",
			     f->path, at, got, want, *f->size);
		got += done;
	}
	compare(f, buffer, at, want, "direct read");
	return DONE;
}

/* What SEEK_DATA calls a hole reads as zeros */
static int op_seek(struct file *f)
{
	off_t data;
	__u64 at, i, end;
	size_t n;

	if (!inside(f, &at, &n, 1000))
		return NOTHING;
	data = lseek(f->fd, at, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		return UNSUPPORTED;
	end = data < 0 ? *f->size : (__u64)data;
	if (end > *f->size || end < at)
		fail("%s: SEEK_DATA from %llu gave %llu, size %llu", f->path,
		     at, end,
		     *f->size);
	for (i = at; i < end; i++)
		if (f->copy[i]) {
			off_t again = lseek(f->fd, at, SEEK_DATA);

			verify(f);	/* lost, or not found? */
			fail("%s: SEEK_DATA from %llu gave %llu, then %lld, but there is data at %llu",
			     f->path, at,
			     end, (long long)again, i);
		}
	return DONE;
}

/* Writing */

static int op_write(struct file *f)
{
	__u64 at;
	size_t n;

	anywhere(f, &at, &n, CHUNK / 2);
	remember("write %zu at %llu of %s", n, at, f->path);
	write_all(f->fd, fresh(f, at, n), n, at, f->path);
	grown(f, at + n);
	return DONE;
}

static int op_append(struct file *f)
{
	size_t n = 1 + below(9000);
	__u64 at = *f->size;
	int fd;

	if (n > opt.max - at)
		return NOTHING;
	remember("append %zu to %llu of %s", n, at, f->path);
	fd = open(f->path, O_WRONLY | O_APPEND);
	if (fd < 0)
		fail_errno("open", f->path);
	if (write(fd, fresh(f, at, n), n) != (ssize_t)n)
		fail_errno("append to", f->path);
	grown(f, at + n);
	if (close(fd))
		fail_errno("close", f->path);
	return DONE;
}

static int op_writev(struct file *f)
{
	struct iovec vec[3];
	__u64 at;
	size_t n;

	anywhere(f, &at, &n, 1);
	n = 3 + 4097 + 511;
	if (n > opt.max - at)
		return NOTHING;
	remember("writev %zu at %llu of %s", n, at, f->path);
	fresh(f, at, n);
	vec[0] = (struct iovec){ f->copy + at, 3 };
	vec[1] = (struct iovec){ f->copy + at + 3, 4097 };
	vec[2] = (struct iovec){ f->copy + at + 4100, 511 };
	if (pwritev(f->fd, vec, 3, at) != (ssize_t)n)
		fail_errno("pwritev", f->path);
	grown(f, at + n);
	return DONE;
}

static void sync_range(char *p, size_t n)
{
	size_t skip = (unsigned long)p % PAGE;

	if (listed(opt.without, "sync"))
		return;
	switch (below(6)) {
	case 0:
		if (msync(p - skip, n + skip, MS_SYNC))
			fail_errno("msync", "");
		break;
	case 1:
		if (msync(p - skip, n + skip, MS_ASYNC))
			fail_errno("msync", "");
		break;
	}
}

static int op_map_write(struct file *f)
{
	__u64 at;
	size_t n;
	char *p;

	if (!inside(f, &at, &n, CHUNK / 2))
		return NOTHING;
	p = map_range(f, at, n, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (!p)
		return UNSUPPORTED;
	remember("write mapping %zu at %llu of %s", n, at, f->path);
	memcpy(p, fresh(f, at, n), n);
	sync_range(p, n);
	unmap_range(p, n);
	return DONE;
}

/* The same by a mapping that is older than most else that happened */
static int op_long_map_write(struct file *f)
{
	__u64 at;
	size_t n;

	if (!f->map)
		return UNSUPPORTED;
	if (!inside(f, &at, &n, CHUNK / 2))
		return NOTHING;
	remember("write long mapping %zu at %llu of %s", n, at, f->path);
	memcpy(f->map + at, fresh(f, at, n), n);
	sync_range(f->map + at, n);
	return DONE;
}

static void cut(struct file *f, __u64 size)
{
	if (size < *f->size)
		memset(f->copy + size, 0, *f->size - size);
	*f->size = size;
}

static int op_truncate(struct file *f)
{
	__u64 size;

	switch (below(4)) {
	case 0:
		size = below(opt.max + 1);
		break;
	case 1:
		size = below(*f->size + 1) & ~(PAGE - 1);
		break;
	case 2:
		size = *f->size + below(3 * PAGE);
		break;
	default:
		size = *f->size - below(*f->size < 9000 ? *f->size + 1 : 9000);
	}
	if (size > opt.max)
		size = opt.max;
	remember("truncate %llu to %llu of %s", *f->size,
		 size, f->path);
	if (below(2) ? ftruncate(f->fd, size) : truncate(f->path, size))
		fail_errno("truncate", f->path);
	cut(f, size);
	return DONE;
}

static int allocate(struct file *f, int mode, const char *name, __u64 at, size_t n)
{
	remember("%s %zu at %llu of %s", name, n, at, f->path);
	if (!fallocate(f->fd, mode, at, n))
		return DONE;
	if (refused(errno)) {
		remember("^ refused");
		return UNSUPPORTED;
	}
	fail_errno(name, f->path);
}

static int op_allocate(struct file *f)
{
	bool keep = below(2);
	__u64 at;
	size_t n;
	int status;

	anywhere(f, &at, &n, CHUNK);
	status = allocate(f, keep ? FALLOC_FL_KEEP_SIZE : 0, "allocate", at, n);
	if (status == DONE && !keep)
		grown(f, at + n);
	return status;
}

static int op_punch(struct file *f)
{
	__u64 at;
	size_t n;
	int status;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	status = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch", at, n);
	if (status == DONE)
		memset(f->copy + at, 0, n);
	return status;
}

static int op_zero(struct file *f)
{
	bool keep = below(2);
	__u64 at, end;
	size_t n;
	int status;

	anywhere(f, &at, &n, CHUNK);
	end = keep && at + n > *f->size ? *f->size : at + n;
	status = allocate(f, FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0),
			  "zero", at, n);
	if (status != DONE)
		return status;
	if (end > at)
		memset(f->copy + at, 0, end - at);
	if (!keep)
		grown(f, end);
	return DONE;
}

static int op_collapse(struct file *f)
{
	__u64 at;
	size_t n;
	int status;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	at -= at % block;
	n += block - n % block;
	if (at + n >= *f->size)
		return NOTHING;
	status = allocate(f, FALLOC_FL_COLLAPSE_RANGE, "collapse", at, n);
	if (status != DONE)
		return status;
	memmove(f->copy + at, f->copy + at + n, *f->size - at - n);
	memset(f->copy + *f->size - n, 0, n);
	*f->size -= n;
	return DONE;
}

static int op_insert(struct file *f)
{
	__u64 at;
	size_t n;
	int status;

	if (!inside(f, &at, &n, CHUNK))
		return NOTHING;
	at -= at % block;
	n += block - n % block;
	if (n > opt.max - *f->size)
		return NOTHING;
	status = allocate(f, FALLOC_FL_INSERT_RANGE, "insert", at, n);
	if (status != DONE)
		return status;
	memmove(f->copy + at + n, f->copy + at, *f->size - at);
	memset(f->copy + at, 0, n);
	*f->size += n;
	return DONE;
}

static int op_direct_write(struct file *f)
{
	__u64 at;
	size_t n, all = 0;

	if (open_direct(f) < 0) {
		if (refused(errno))
			return UNSUPPORTED;
		fail_errno("open with O_DIRECT", f->path);
	}
	anywhere(f, &at, &n, CHUNK / 2);
	at &= ~(PAGE - 1);
	n = (n | (PAGE - 1)) + 1;
	if (at + n > opt.max)
		return NOTHING;
	remember("direct write %zu at %llu of %s", n, at, f->path);
	pattern(buffer, n, rnd());
	while (all < n) {
		ssize_t done = pwrite(f->direct, buffer + all, n - all, at + all);

		if (done < 0 && !all && errno == EINVAL)
			return UNSUPPORTED;
		if (done <= 0)
			fail_errno("direct write of", f->path);
		all += done;
	}
	memcpy(f->copy + at, buffer, n);
	grown(f, at + n);
	return DONE;
}

static int op_sync(struct file *f)
{
	__u64 at;
	size_t n;
	int status;

	if (!inside(f, &at, &n, opt.max))
		at = 0, n = 0;
	remember("sync of %s", f->path);
	switch (below(4)) {
	case 0:
		status = fsync(f->fd);
		break;
	case 1:
		status = fdatasync(f->fd);
		break;
	case 2:
		status = sync_file_range(f->fd, at, n, SYNC_FILE_RANGE_WRITE);
		break;
	default:
		status = sync_file_range(f->fd, at, n, SYNC_FILE_RANGE_WAIT_BEFORE |
					 SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	}
	if (status)
		fail_errno("sync of", f->path);
	return DONE;
}

static int op_syncfs(struct file *f)
{
	if (syncfs(f->fd))
		fail_errno("syncfs", f->path);
	return DONE;
}

static int op_splice_write(struct file *f)
{
	struct iovec vec;
	__u64 at;
	size_t n, all = 0;
	loff_t pos;

	anywhere(f, &at, &n, 30000);
	remember("splice %zu at %llu of %s", n, at, f->path);
	/* the pipe holds the pages of this, not a copy */
	pattern(other, n, rnd());
	vec = (struct iovec){ other, n };
	if (vmsplice(pipes[1], &vec, 1, 0) != (ssize_t)n)
		fail_errno("vmsplice", "");
	pos = at;
	while (all < n) {
		ssize_t done = splice(pipes[0], NULL, f->fd, &pos, n - all, 0);

		if (done < 0 && !all && refused(errno)) {
			if (read(pipes[0], buffer, n) != (ssize_t)n)
				fail_errno("read of a pipe", "");
			return UNSUPPORTED;
		}
		if (done <= 0)
			fail_errno("splice to", f->path);
		all += done;
	}
	memcpy(f->copy + at, other, n);
	grown(f, at + n);
	return DONE;
}

/* Another file, and a range of it */
static struct file *another(struct file *f, __u64 *at, size_t *n)
{
	struct file *from = &files[below(opt.files)];

	return from != f && inside(from, at, n, CHUNK / 2) ? from : NULL;
}

static int op_copy_range(struct file *f)
{
	__u64 at, to;
	size_t n, all = 0, dummy;
	struct file *from = another(f, &at, &n);
	loff_t in, out;

	if (!from)
		return NOTHING;
	anywhere(f, &to, &dummy, 1);
	if (n > opt.max - to)
		n = opt.max - to;
	if (!n)
		return NOTHING;
	remember("copy %zu at %llu of %s to %llu of %s", n, at,
		 from->path, to, f->path);
	in = at;
	out = to;
	while (all < n) {
		ssize_t done;

		errno = 0;
		done = copy_file_range(from->fd, &in, f->fd, &out, n - all, 0);
		if (done < 0 && !all && refused(errno))
			return UNSUPPORTED;
		if (done <= 0)
			fail_errno("copy_file_range to", f->path);
		all += done;
	}
	memcpy(f->copy + to, from->copy + at, n);
	grown(f, to + n);
	return DONE;
}

static int op_clone(struct file *f)
{
	struct file_clone_range range;
	__u64 at, to;
	size_t n, dummy;
	struct file *from = another(f, &at, &n);

	if (!from)
		return NOTHING;
	anywhere(f, &to, &dummy, 1);
	at -= at % block;
	to -= to % block;
	n -= n % block;
	if (!n || at + n > *from->size || to + n > opt.max)
		return NOTHING;
	range = (struct file_clone_range){
		.src_fd = from->fd, .src_offset = at, .src_length = n, .dest_offset = to,
	};
	remember("clone %zu at %llu of %s to %llu of %s", n, at,
		 from->path, to, f->path);
	if (ioctl(f->fd, FICLONERANGE, &range)) {
		if (refused(errno))
			return UNSUPPORTED;
		fail_errno("clone to", f->path);
	}
	memcpy(f->copy + to, from->copy + at, n);
	grown(f, to + n);
	return DONE;
}

/* Names */

static void name_in(char *out, size_t size, const char *format, ...)
{
	va_list args;
	int n = snprintf(out, size, "%s/p%d/", opt.dir, me);

	va_start(args, format);
	vsnprintf(out + n, size - n, format, args);
	va_end(args);
}

static void file_name(struct file *f)
{
	name_in(f->path, sizeof(f->path), "f%dg%u", f->nr, meta->file[f->nr].generation);
}

static void close_file(struct file *f)
{
	if (f->map && munmap(f->map, opt.max))
		fail_errno("munmap", f->path);
	if (f->direct >= 0)
		close(f->direct);
	if (f->fd >= 0 && close(f->fd))
		fail_errno("close", f->path);
	f->fd = -1;
	f->direct = -1;
	f->map = NULL;
}

static void open_file(struct file *f, int flags)
{
	bool write = !opt.read_only && !opt.check;

	f->fd = open(f->path, flags | (write ? O_RDWR : O_RDONLY), 0644);
	if (f->fd < 0)
		fail_errno("open", f->path);
	f->map = mmap(NULL, opt.max, PROT_READ | (write ? PROT_WRITE : 0),
		      write ? MAP_SHARED : MAP_PRIVATE, f->fd, 0);
	if (f->map == MAP_FAILED)
		f->map = NULL;
	f->direct = -1;
}

static int op_rename(struct file *f)
{
	char old[sizeof(f->path)];

	strcpy(old, f->path);
	meta->file[f->nr].generation++;
	file_name(f);
	remember("rename to %s", f->path);
	if (rename(old, f->path))
		fail_errno("rename to", f->path);
	/* or else keep the open file, its pages and mapping */
	if (!below(3)) {
		close_file(f);
		open_file(f, 0);
	}
	return DONE;
}

static int op_unlink(struct file *f)
{
	/* the file is not always of use when it has few bytes */
	if (below(3))
		return NOTHING;
	remember("unlink %s", f->path);
	if (unlink(f->path))
		fail_errno("unlink", f->path);
	op_write(f);
	verify(f);
	close_file(f);
	cut(f, 0);
	meta->file[f->nr].generation++;
	file_name(f);
	open_file(f, O_CREAT | O_EXCL);
	return DONE;
}

static int op_hardlink(struct file *f)
{
	char name[PATH_MAX];
	int fd;

	name_in(name, sizeof(name), "h%d", f->nr);
	if (link(f->path, name)) {
		if (refused(errno))
			return UNSUPPORTED;
		fail_errno("link", name);
	}
	fd = open(name, O_RDONLY);
	if (fd < 0)
		fail_errno("open", name);
	if (*f->size) {
		size_t n = *f->size < CHUNK ? *f->size : CHUNK;

		if (read_all(fd, buffer, n, 0, name) != n)
			fail("%s: short read", name);
		compare(f, buffer, 0, n, "read by a hard link");
	}
	close(fd);
	if (unlink(name))
		fail_errno("unlink", name);
	return DONE;
}

static void link_text(char *p, unsigned int n, __u32 seed)
{
	unsigned int i;

	/* udf keeps the names between slashes, of 254 bytes at most */
	for (i = 0; i < n; i++)
		p[i] = i % 50 == 49 && i + 1 < n ? '/' : 'a' + (seed + i * 7) % 26;
	p[n] = 0;
}

static void check_link(int nr)
{
	char name[PATH_MAX], want[LINK_SIZE + 1], got[LINK_SIZE + 2];
	ssize_t n;

	name_in(name, sizeof(name), "l%d", nr);
	n = readlink(name, got, sizeof(got));
	if (n < 0)
		fail_errno("readlink", name);
	link_text(want, meta->link[nr].length, meta->link[nr].seed);
	if ((__u32)n != meta->link[nr].length || memcmp(got, want, n))
		fail("%s: the link has %zd bytes and others than the %u expected",
		     name, n, meta->link[nr].length);
}

static int op_symlink(struct file *f)
{
	static unsigned int longest = LINK_SIZE;
	char name[PATH_MAX], text[LINK_SIZE + 1];
	int nr = below(MAX_LINKS);

	(void)f;
	name_in(name, sizeof(name), "l%d", nr);
	if (meta->link[nr].length) {
		check_link(nr);
		if (below(2))
			return DONE;
		if (unlink(name))
			fail_errno("unlink", name);
		meta->link[nr].length = 0;
		return DONE;
	}
	/* short ones are kept in the inode, long ones in a page */
	meta->link[nr].seed = rnd();
	meta->link[nr].length = 1 + below(nr % 2 ? 40 : longest - 1);
	link_text(text, meta->link[nr].length, meta->link[nr].seed);
	remember("symlink %s of %u bytes", name, meta->link[nr].length);
	if (symlink(text, name)) {
		meta->link[nr].length = 0;
		if (errno == ENAMETOOLONG && longest > 200) {
			longest -= 100;
			return NOTHING;
		}
		if (refused(errno))
			return UNSUPPORTED;
		fail_errno("symlink", name);
	}
	check_link(nr);
	return DONE;
}

static void check_small(int nr)
{
	char name[PATH_MAX], want[SMALL_SIZE], got[SMALL_SIZE + 1];
	size_t n;
	int fd;

	name_in(name, sizeof(name), "s%d", nr);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		fail_errno("open", name);
	n = read_all(fd, got, sizeof(got), 0, name);
	close(fd);
	pattern(want, meta->small[nr].size, meta->small[nr].seed);
	if (n != meta->small[nr].size || memcmp(want, got, n))
		fail("%s: has %zu bytes and others than the %u expected", name, n,
		     meta->small[nr].size);
}

static int op_small(struct file *f)
{
	char name[PATH_MAX], bytes[SMALL_SIZE];
	int nr = below(MAX_SMALL), fd;

	(void)f;
	name_in(name, sizeof(name), "s%d", nr);
	if (meta->small[nr].there) {
		check_small(nr);
		if (below(2))
			return DONE;
		remember("unlink %s", name);
		if (unlink(name))
			fail_errno("unlink", name);
		meta->small[nr].there = 0;
		return DONE;
	}
	meta->small[nr].seed = rnd();
	meta->small[nr].size = below(SMALL_SIZE);
	pattern(bytes, meta->small[nr].size, meta->small[nr].seed);
	remember("create %s of %u bytes", name, meta->small[nr].size);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd < 0)
		fail_errno("create", name);
	write_all(fd, bytes, meta->small[nr].size, 0, name);
	if (close(fd))
		fail_errno("close", name);
	meta->small[nr].there = 1;
	return DONE;
}

/* Each small file is listed once, no other */
static int op_readdir(struct file *f)
{
	unsigned int seen[MAX_SMALL] = { 0 };
	char name[PATH_MAX];
	struct dirent *entry;
	int nr;
	DIR *dir;

	(void)f;
	name_in(name, sizeof(name), ".");
	dir = opendir(name);
	if (!dir)
		fail_errno("opendir", name);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "s%d", &nr) == 1 && nr >= 0 && nr < MAX_SMALL)
			seen[nr]++;
	closedir(dir);
	for (nr = 0; nr < MAX_SMALL; nr++)
		if (seen[nr] != meta->small[nr].there)
			fail("%s: s%d is listed %u times, should be %u", name, nr,
			     seen[nr], meta->small[nr].there);
	return DONE;
}

/* A file of all processes: each has its own bytes of each page */
static int op_common(struct file *f)
{
	__u64 stripe = below(opt.max / STRIPE / opt.procs - 1) * opt.procs + me;
	__u64 at = stripe * STRIPE + below(STRIPE / 2);
	size_t n = 1 + below(STRIPE / 2);

	(void)f;
	if (common.fd < 0)
		return NOTHING;
	switch (below(common.map && !listed(opt.without, "map-write") ? 6 : 3)) {
	case 0:
		write_all(common.fd, fresh(&common, at, n), n, at, common.path);
		break;
	case 1:
		if (read_all(common.fd, buffer, n, at, common.path) != n)
			fail("%s: short read", common.path);
		compare(&common, buffer, at, n, "read of the common file");
		break;
	case 2:
		if (posix_fadvise(common.fd, 0, 0, POSIX_FADV_DONTNEED))
			fail_errno("fadvise", common.path);
		break;
	case 3:
		memcpy(common.map + at, fresh(&common, at, n), n);
		break;
	case 4:
		compare(&common, common.map + at, at, n, "mapping of the common file");
		break;
	default:
		sync_range(common.map + at, n);
	}
	return DONE;
}

static const struct op ops[] = {
	{ "read",		8, true,  op_read },
	{ "readv",		2, true,  op_readv },
	{ "map-read",		6, true,  op_map_read },
	{ "map-private",	4, true,  op_map_private },
	{ "advise",		3, true,  op_advise },
	{ "map-advise",		3, true,  op_map_advise },
	{ "readahead",		3, true,  op_readahead },
	{ "splice-read",	3, true,  op_splice_read },
	{ "sendfile",		3, true,  op_sendfile },
	{ "direct-read",	3, true,  op_direct_read },
	{ "seek",		2, true,  op_seek },
	{ "verify",		1, true,  op_verify },
	{ "write",		9, false, op_write },
	{ "append",		3, false, op_append },
	{ "writev",		3, false, op_writev },
	{ "map-write",		7, false, op_map_write },
	{ "long-map-write",	5, false, op_long_map_write },
	{ "truncate",		4, false, op_truncate },
	{ "allocate",		2, false, op_allocate },
	{ "punch",		3, false, op_punch },
	{ "zero",		2, false, op_zero },
	{ "collapse",		2, false, op_collapse },
	{ "insert",		2, false, op_insert },
	{ "direct-write",	4, false, op_direct_write },
	{ "sync",		3, false, op_sync },
	{ "syncfs",		1, false, op_syncfs },
	{ "splice-write",	3, false, op_splice_write },
	{ "copy",		2, false, op_copy_range },
	{ "clone",		2, false, op_clone },
	{ "rename",		2, false, op_rename },
	{ "unlink",		2, false, op_unlink },
	{ "hardlink",		1, false, op_hardlink },
	{ "symlink",		3, false, op_symlink },
	{ "small",		4, false, op_small },
	{ "readdir",		1, false, op_readdir },
	{ "common",		9, false, op_common },
};

#define NR_OPS	((int)ARRAY_SIZE(ops))

/* Files for filesystems that are made with their content */

static const __u64 known_size[] = {
	0, 1, 100, 4095, 4096, 4097, 10000, 65536, (128 << 10) + 77, (1 << 20) + 13,
	(512 << 10), (3 << 20) - 5, (2 << 20) + 4095, 333333,
};

#define KNOWN	((int)ARRAY_SIZE(known_size))
#define LISTED	150

static void known_bytes(char *p, int nr)
{
	__u64 at;

	memset(p, 0, known_size[nr]);
	for (at = 0; at < known_size[nr]; at += 8000) {
		size_t n = known_size[nr] - at < 8000 ? known_size[nr] - at : 8000;

		/* every third file is mostly holes */
		if (nr % 3 || mix(at) % 5 == 0)
			pattern(p + at, n, mix(nr + at) | (nr % 3 == 1));
	}
}

static void known_link(char *p, bool is_long)
{
	link_text(p, is_long ? 200 : 20, 5);
}

static void put(const char *path, const char *p, size_t n)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	if (fd < 0)
		fail_errno("create", path);
	write_all(fd, p, n, 0, path);
	if (close(fd))
		fail_errno("close", path);
}

static void fill(void)
{
	char path[PATH_MAX], text[256];
	char *bytes = malloc(4 << 20);
	int i;

	for (i = 0; i < KNOWN; i++) {
		snprintf(path, sizeof(path), "%s/k%d", opt.dir, i);
		known_bytes(bytes, i);
		put(path, bytes, known_size[i]);
	}
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/l%d", opt.dir, i);
		known_link(text, i);
		if (symlink(text, path))
			fail_errno("symlink", path);
	}
	snprintf(path, sizeof(path), "%s/d", opt.dir);
	if (mkdir(path, 0755))
		fail_errno("mkdir", path);
	for (i = 0; i < LISTED; i++) {
		snprintf(path, sizeof(path), "%s/d/e%03d", opt.dir, i);
		pattern(text, i, i);
		put(path, text, i);
	}
	free(bytes);
}

/* Names of a filesystem that is read only */
static int op_known_names(struct file *f)
{
	char path[PATH_MAX], want[256], got[256];
	bool is_long = below(2);
	struct dirent *entry;
	int nr, count = 0;
	size_t n;
	DIR *dir;
	int fd;

	(void)f;
	snprintf(path, sizeof(path), "%s/l%d", opt.dir, is_long);
	known_link(want, is_long);
	n = readlink(path, got, sizeof(got));
	if (n == (size_t)-1 && errno == ENOENT)
		return UNSUPPORTED;		/* --need says whether that is well */
	if (n != strlen(want) || memcmp(want, got, n))
		fail("%s: wrong link", path);
	nr = below(LISTED);
	snprintf(path, sizeof(path), "%s/d/e%03d", opt.dir, nr);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fail_errno("open", path);
	pattern(want, nr, nr);
	n = read_all(fd, got, sizeof(got), 0, path);
	close(fd);
	if (n != (size_t)nr || memcmp(got, want, n))
		fail("%s: wrong content", path);
	if (below(8))
		return DONE;
	snprintf(path, sizeof(path), "%s/d", opt.dir);
	dir = opendir(path);
	if (!dir)
		fail_errno("opendir", path);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] == 'e';
	closedir(dir);
	if (count != LISTED)
		fail("%s: %d entries, should be %d", path, count, LISTED);
	return DONE;
}

static const struct op known_op = { "names", 2, true, op_known_names };

/* The processes */

static void *map_state(const char *name, size_t size)
{
	char path[PATH_MAX];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/p%d.%s", opt.state, me, name);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, size))
		fail_errno("state", path);
	/* memory of whoever starts this, not of the control group */
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		fail_errno("state", path);
	close(fd);
	return p;
}

static void open_known(void)
{
	static struct meta no_meta;
	int i;

	meta = &no_meta;
	meta->random = mix(opt.seed * MAX_PROCS + me) | 1;
	opt.max = 4 << 20;
	opt.files = KNOWN;
	for (i = 0; i < KNOWN; i++) {
		struct file *f = &files[i];

		f->nr = i;
		f->fixed_size = known_size[i];
		f->size = &f->fixed_size;
		f->copy = malloc(known_size[i] + 1);
		known_bytes(f->copy, i);
		snprintf(f->path, sizeof(f->path), "%s/k%d", opt.dir, i);
		open_file(f, 0);
	}
}

static void open_common(bool create)
{
	static __u64 size;
	int fd;

	size = opt.max;
	common.fd = -1;
	common.size = &size;
	common.copy = map_state("common", opt.max);
	snprintf(common.path, sizeof(common.path), "%s/common", opt.dir);
	if (create && !meta->common.there) {
		fd = open(common.path, O_CREAT | O_RDWR, 0644);
		if (fd < 0 || ftruncate(fd, opt.max))
			fail_errno("common file", common.path);
		close(fd);
		meta->common.there = 1;
	}
	open_file(&common, 0);
}

static void open_all(void)
{
	char name[PATH_MAX];
	bool begin;
	unsigned int i;

	meta = map_state("meta", sizeof(*meta));
	begin = meta->magic != MAGIC;
	if (begin && opt.check)
		fail("%s has no state to check", opt.state);
	if (begin) {
		meta->magic = MAGIC;
		meta->max = opt.max;
		meta->random = mix(opt.seed * MAX_PROCS + me) | 1;
		snprintf(name, sizeof(name), "%s/p%d", opt.dir, me);
		if (mkdir(name, 0755))
			fail_errno("mkdir", name);
	} else if (meta->max != opt.max) {
		fail("the state in %s is of --size %llu", opt.state,
		     meta->max);
	}
	for (i = 0; i < opt.files; i++) {
		struct file *f = &files[i];

		f->nr = i;
		snprintf(name, sizeof(name), "f%u", i);
		f->copy = map_state(name, opt.max);
		f->size = &meta->file[i].size;
		file_name(f);
		open_file(f, begin ? O_CREAT | O_EXCL : 0);
	}
	open_common(!opt.check);
}

static void check_all(void)
{
	unsigned int i;
	__u64 at;

	for (i = 0; i < opt.files; i++)
		verify(&files[i]);
	if (opt.read_only)
		return;
	for (i = 0; i < MAX_LINKS; i++)
		if (meta->link[i].length)
			check_link(i);
	for (i = 0; i < MAX_SMALL; i++)
		if (meta->small[i].there)
			check_small(i);
	op_readdir(NULL);
	for (at = me * STRIPE; at + STRIPE <= opt.max; at += opt.procs * STRIPE) {
		if (read_all(common.fd, buffer, STRIPE, at, common.path) != STRIPE)
			fail("%s: short read", common.path);
		compare(&common, buffer, at, STRIPE, "read of the common file");
	}
}

static int choose(void)
{
	static int total;
	int i, at;

	if (!total)
		for (i = 0; i < NR_OPS; i++)
			total += ops[i].weight;
	for (at = below(total), i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return i;
}

static const char *op_name(int i)
{
	return i == NR_OPS ? known_op.name : ops[i].name;
}

/* Was each operation done that must be? */
static bool needs_met(void)
{
	int i;

	for (i = 0; i <= NR_OPS; i++)
		if (listed(opt.need, op_name(i)) && !shared->done[i] && !shared->refused[i] &&
		    !listed(opt.without, op_name(i)))
			return false;
	return true;
}

static void load(void)
{
	time_t start = time(NULL);

	/* on a slow machine longer, for the rare operations */
	while (time(NULL) - start < opt.seconds ||
	       (!needs_met() && time(NULL) - start < 20 * opt.seconds)) {
		int i = choose();
		const struct op *op = &ops[i];

		if (opt.read_only && !op->reads) {
			if (below(12))
				continue;
			op = &known_op;
			i = NR_OPS;
		}
		if (shared->refused[i] || listed(opt.without, op->name))
			continue;
		switch (op->run(&files[below(opt.files)])) {
		case DONE:
			__atomic_fetch_add(&shared->done[i], 1, __ATOMIC_RELAXED);
			break;
		case UNSUPPORTED:
			if (shared->done[i])
				fail("%s: worked before, and now: %s", op->name, strerror(errno));
			shared->refused[i] = 1;
			break;
		}
	}
}

static void join_cgroup(void)
{
	char path[PATH_MAX];
	int fd;

	if (!opt.cgroup)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", opt.cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0\n", 2) != 2)
		fail_errno("join", path);
	close(fd);
}

static void process(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	struct statfs fs;

	sigaction(SIGBUS, &action, NULL);
	buffer = aligned_alloc(PAGE, 2 * CHUNK);
	other = buffer + CHUNK;
	memset(buffer, 0, 2 * CHUNK);
	if (statfs(opt.dir, &fs))
		fail_errno("statfs", opt.dir);
	block = fs.f_bsize > 0 && fs.f_bsize <= (long)PAGE ? (unsigned long)fs.f_bsize : PAGE;
	if (pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		fail_errno("pipe", "");
	if (opt.read_only)
		open_known();
	else
		open_all();
	join_cgroup();
	if (!opt.check)
		load();
	check_all();
	exit(0);
}

static int summary(void)
{
	unsigned long long total = 0;
	int i, status = 0;

	for (i = 0; i <= NR_OPS; i++)
		total += shared->done[i];
	printf("operations: %llu", total);
	for (i = 0; i <= NR_OPS; i++)
		if (shared->done[i])
			printf(" %s=%llu", op_name(i), shared->done[i]);
	printf("\n");
	printf("refused:");
	for (i = 0; i <= NR_OPS; i++)
		if (shared->refused[i])
			printf(" %s", op_name(i));
	printf("\n");
	for (i = 0; i <= NR_OPS; i++) {
		if (listed(opt.need, op_name(i)) && (shared->refused[i] || !shared->done[i])) {
			fprintf(stderr, "fs-load: error: %s was %s\n", op_name(i),
				shared->refused[i] ? "refused" : "not done once");
			status = 1;
		}
	}
	if (!total && !opt.check) {
		fprintf(stderr, "fs-load: error: nothing done\n");
		status = 1;
	}
	return status;
}

static int run(void)
{
	pid_t pids[MAX_PROCS];
	int status, failed = 0;
	unsigned int i;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail_errno("mmap", "");
	for (i = 0; i < opt.procs; i++) {
		fflush(NULL);
		pids[i] = fork();
		if (pids[i] < 0)
			fail_errno("fork", "");
		if (!pids[i]) {
			me = i;
			process();
		}
	}
	for (i = 0; i < opt.procs; i++) {
		if (wait(&status) < 0)
			fail_errno("wait", "");
		if (!status)
			continue;
		if (WIFSIGNALED(status))
			fprintf(stderr, "fs-load: error: signal %d\n", WTERMSIG(status));
		if (!failed++) {
			unsigned int j;

			for (j = 0; j < opt.procs; j++)
				kill(pids[j], SIGTERM);
		}
	}
	return failed ? 1 : summary();
}

static int hog(size_t mib)
{
	size_t n = mib << 20, i;
	__u64 *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int round;

	if (p == MAP_FAILED)
		fail_errno("mmap", "");
	join_cgroup();
	for (round = 0; round < 3; round++) {
		for (i = 0; i < n / 8; i += PAGE / 8)
			p[i] = mix(i + round);
		for (i = 0; i < n / 8; i += PAGE / 8)
			if (p[i] != mix(i + round))
				fail("memory at %zu is wrong in round %d", i * 8, round);
	}
	return 0;
}

static size_t ksm_pages(const char *name)
{
	char path[100], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/file_pages_%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail_errno("read", path);
	close(fd);
	return strtoul(text, NULL, 10);
}

/* Sharing is on already, and nothing else is shared. */
static int share(const char *file)
{
	size_t pages, i;
	unsigned char *map;
	struct stat st;
	int fd = open(file, O_RDONLY), tries;

	if (fd < 0 || fstat(fd, &st))
		fail_errno("open", file);
	pages = st.st_size / PAGE;
	map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || madvise(map, pages * PAGE, MADV_MERGEABLE))
		fail_errno("madvise", file);
	for (tries = 0; tries < 600; tries++) {
		for (i = 0; i < pages; i++)
			(void)*(volatile unsigned char *)(map + i * PAGE);
		if (ksm_pages("shared") + ksm_pages("sharing") == pages)
			return 0;
		usleep(100000);
	}
	fail("%zu of %zu pages of %s are shared", ksm_pages("shared") + ksm_pages("sharing"),
	     pages, file);
}

static __u64 number(const char *text, __u64 least, __u64 most)
{
	char *end;
	__u64 n = strtoull(text, &end, 0);

	if (*end || end == text || n < least || n > most)
		fail("%s is not a number from %llu to %llu", text,
		     least, most);
	return n;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: fs-load [--seconds N] [--seed N] [--procs N] [--files N] [--size BYTES]\n"
		"               [--state DIR] [--cgroup DIR] [--need OP,...] [--without OP,...]\n"
		"               [--check | --read-only | --fill] DIR\n"
		"       fs-load [--cgroup DIR] --hog MIB\n"
		"       fs-load --share FILE\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", 1, NULL, 's' }, { "seed", 1, NULL, 'r' },
		{ "procs", 1, NULL, 'p' }, { "files", 1, NULL, 'f' },
		{ "size", 1, NULL, 'm' }, { "state", 1, NULL, 'd' },
		{ "cgroup", 1, NULL, 'g' }, { "need", 1, NULL, 'n' },
		{ "without", 1, NULL, 'w' }, { "check", 0, NULL, 'c' },
		{ "read-only", 0, NULL, 'R' }, { "fill", 0, NULL, 'i' },
		{ "hog", 1, NULL, 'h' }, { "share", 1, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	const char *shared = NULL;
	size_t mib = 0;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			opt.seconds = number(optarg, 1, 1000000);
			break;
		case 'r':
			opt.seed = number(optarg, 0, ~0ULL);
			break;
		case 'p':
			opt.procs = number(optarg, 1, MAX_PROCS);
			break;
		case 'f':
			opt.files = number(optarg, 1, MAX_FILES);
			break;
		case 'm':
			opt.max = number(optarg, 32768, 1 << 30);
			break;
		case 'd':
			opt.state = optarg;
			break;
		case 'g':
			opt.cgroup = optarg;
			break;
		case 'n':
			opt.need = optarg;
			break;
		case 'w':
			opt.without = optarg;
			break;
		case 'c':
			opt.check = true;
			break;
		case 'R':
			opt.read_only = true;
			break;
		case 'i':
			opt.fill = true;
			break;
		case 'h':
			mib = number(optarg, 1, 1 << 20);
			break;
		case 'S':
			shared = optarg;
			break;
		default:
			usage();
		}
	}
	if (mib && !shared && optind == argc)
		return hog(mib);
	if (shared && !mib && optind == argc)
		return share(shared);
	if (mib || shared || optind != argc - 1)
		usage();
	opt.dir = argv[optind];
	if (opt.fill) {
		fill();
		return 0;
	}
	if (!opt.read_only && !opt.state)
		fail("--state is missing");
	opt.max &= ~(PAGE - 1);
	return run();
}
