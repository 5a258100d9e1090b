// SPDX-License-Identifier: GPL-2.0
/*
 * Count the instructions of the kernel's page cache paths.
 *
 * The init of a guest of tooling/qemu-run --icount, where the time stamp
 * counter counts instructions, those of all processes and interrupts. Each
 * path is run ROUNDS times over PAGES pages and prints
 *
 *	bench: PATH FILESYSTEM PAGES MINIMUM MEDIAN
 *
 * with the instructions of a whole round. ext4 is on a RAM disk, whose I/O is
 * done by whoever submits it, so that nothing ever waits.
 *
 * A round starts just after a timer tick, on a machine that has come to rest,
 * and ends long before the next. What a path is meant to do is checked by the
 * pages in the cache and the faults.
 */
#define _GNU_SOURCE
#define INIT_SAYS "bench: error: "
#define INIT_STATUS 1
#include "init.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE	4096L
#define PAGES	256
#define LENGTH	(PAGES * PAGE)
#define ROUNDS	11
#define SWAP_PAGES 4096
/* Where the file is mapped: the same in each round, one page table */
#define PLACE	((void *)0x100000000000)

#define EXT4	1
#define TMPFS	2
#define BOTH	(EXT4 | TMPFS)

static const char *fs_name;
static int fs;
static char path[64];
static int fd;
static char *map;
static char buf[PAGE] __attribute__((aligned(4096)));
static int pipefd[2], nullfd;
static volatile char sink;

/* ---- the counter -------------------------------------------------------- */

static inline uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Two instructions a turn */
static uint64_t turns(long count)
{
	uint64_t begin = now();

	asm volatile("1: dec %0; jnz 1b" : "+r" (count) : : "cc");
	return now() - begin;
}

/* Sleep until after a tick; all that was put off is done then. */
static void rest(void)
{
	static char *dummy;
	struct timespec time = { .tv_nsec = 100 * 1000 * 1000 };

	if (!dummy)
		dummy = (char *)must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	/* pages on their way to the LRU lists get there */
	must(madvise(dummy, PAGE, MADV_COLD));
	must(nanosleep(&time, NULL));
}

static void check_counter(void)
{
	uint64_t few = -1, many = -1, count;
	int i;

	for (i = 0; i < 3; i++) {
		rest();
		count = turns(200000);
		few = count < few ? count : few;
		rest();
		count = turns(1200000);
		many = count < many ? count : many;
	}
	printf("bench: counter %lld for 2000000 instructions\n",
	       (long long)(many - few));
	if (many - few != 2000000) {
		errno = 0;
		die("the time stamp counter does not count instructions, run with --icount");
	}
}

/* ---- the file ----------------------------------------------------------- */

static void read_all(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (must(pread(fd, buf, PAGE, i * PAGE)) != PAGE)
			die("short read");
}

static void write_all(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (must(pwrite(fd, buf, PAGE, i * PAGE)) != PAGE)
			die("short write");
}

/* All pages in the cache and clean (tmpfs pages are never clean) */
static void cached(void)
{
	struct stat st;

	must(fstat(fd, &st));
	if (st.st_size != LENGTH) {
		must(ftruncate(fd, 0));
		write_all();
	}
	must(fsync(fd));
	read_all();
}

static void map_as(int prot, int flags)
{
	cached();
	map = (char *)must(mmap(PLACE, LENGTH, prot, flags | MAP_FIXED, fd,
				0));
}

static void touch_read(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		sink = *(volatile char *)(map + i * PAGE);
}

static void touch_write(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		*(volatile char *)(map + i * PAGE) = i;
}

static void map_shared(void) { map_as(PROT_READ | PROT_WRITE, MAP_SHARED); }
static void map_private(void) { map_as(PROT_READ | PROT_WRITE, MAP_PRIVATE); }
static void map_read(void) { map_shared(); touch_read(); }
static void map_written(void) { map_shared(); touch_write(); }
static void unmap(void) { must(munmap(map, LENGTH)); }

static void drop(void)
{
	if (fs == TMPFS) {
		map_read();
		must(madvise(map, LENGTH, MADV_PAGEOUT));
		unmap();
	} else {
		cached();
		must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0);
	}
}

static void set_readahead(const char *kib)
{
	int file;

	if (fs == TMPFS)
		return;
	file = must(open("/sys/block/ram0/queue/read_ahead_kb", O_WRONLY));
	must(write(file, kib, strlen(kib)));
	close(file);
	/* an open file keeps what it started with */
	close(fd);
	fd = must(open(path, O_RDWR));
}

static void drop_alone(void) { set_readahead("0"); drop(); }
static void restore_readahead(void) { set_readahead("128"); }
static void dirty(void) { cached(); write_all(); }
static void empty(void) { must(ftruncate(fd, 0)); must(fsync(fd)); }

/* ---- what is measured --------------------------------------------------- */

static void read_byte(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		must(pread(fd, buf, 1, i * PAGE));
}

static void sync_file(void) { must(fsync(fd)); }
static void truncate_file(void) { must(ftruncate(fd, 0)); }

static void invalidate(void)
{
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0);
}

static void page_out(void) { must(madvise(map, LENGTH, MADV_PAGEOUT)); }
static void lock_pages(void) { must(mlock(map, LENGTH)); }

static void protect(void)
{
	must(mprotect(map, LENGTH, PROT_READ));
	must(mprotect(map, LENGTH, PROT_READ | PROT_WRITE));
}

static void wake_futexes(void)
{
	int i;

	for (i = 0; i < PAGES; i++)
		must(syscall(SYS_futex, map + i * PAGE, FUTEX_WAKE, 1, NULL,
			     NULL, 0));
}

static void pin_pages(void)
{
	int i;

	for (i = 0; i < PAGES; i++) {
		struct iovec iov = { map + i * PAGE, PAGE };

		must(vmsplice(pipefd[1], &iov, 1, 0));
		must(splice(pipefd[0], NULL, nullfd, NULL, PAGE, 0));
	}
}

static void splice_file(void)
{
	loff_t offset;
	int i;

	for (i = 0; i < PAGES; i++) {
		offset = i * PAGE;
		must(splice(fd, &offset, pipefd[1], NULL, PAGE, 0));
		must(splice(pipefd[0], NULL, nullfd, NULL, PAGE, 0));
	}
}

static const struct path {
	const char *name;
	int fs;
	void (*before)(void), (*run)(void), (*after)(void);
	/* pages in the cache before and after, page faults */
	int cached, left, faults;
} paths[] = {
	/* read() and write() */
	{ "read-hit", BOTH, cached, read_all, NULL, PAGES, PAGES, 0 },
	{ "read-hit-byte", BOTH, cached, read_byte, NULL,
	  PAGES, PAGES, 0 },
	{ "read-readahead", EXT4, drop, read_all, NULL, 0, PAGES, 0 },
	{ "read-readpage", EXT4, drop_alone, read_all, restore_readahead,
	  0, PAGES, 0 },
	{ "read-swapped", TMPFS, drop, read_all, NULL, 0, PAGES, 0 },
	{ "write", BOTH, cached, write_all, NULL, PAGES, PAGES, 0 },
	{ "write-new", BOTH, empty, write_all, NULL, 0, PAGES, 0 },
	{ "fsync", EXT4, dirty, sync_file, NULL, PAGES, PAGES, 0 },
	{ "splice", BOTH, cached, splice_file, NULL, PAGES, PAGES, 0 },
	/* mappings */
	{ "fault-around", BOTH, map_shared, touch_read, unmap,
	  PAGES, PAGES, PAGES / 16 },
	{ "fault-cow", BOTH, map_private, touch_write, unmap,
	  PAGES, PAGES, PAGES },
	{ "fault-write", BOTH, map_shared, touch_write, unmap,
	  PAGES, PAGES, PAGES },
	{ "fault-wp", EXT4, map_read, touch_write, unmap,
	  PAGES, PAGES, PAGES },
	{ "fsync-mapped", EXT4, map_written, sync_file, unmap,
	  PAGES, PAGES, 0 },
	{ "munmap", BOTH, map_read, unmap, NULL, PAGES, PAGES, 0 },
	{ "mprotect", BOTH, map_written, protect, unmap,
	  PAGES, PAGES, 0 },
	{ "mlock", BOTH, map_written, lock_pages, unmap,
	  PAGES, PAGES, 0 },
	{ "pin", BOTH, map_read, pin_pages, unmap, PAGES, PAGES, 0 },
	{ "futex", BOTH, map_written, wake_futexes, unmap,
	  PAGES, PAGES, 0 },
	/* pages that leave the cache */
	{ "truncate", BOTH, cached, truncate_file, NULL, PAGES, 0, 0 },
	{ "truncate-dirty", EXT4, dirty, truncate_file, NULL, PAGES, 0, 0 },
	{ "truncate-mapped", BOTH, map_read, truncate_file, unmap,
	  PAGES, 0, 0 },
	{ "invalidate", EXT4, cached, invalidate, NULL, PAGES, 0, 0 },
	{ "reclaim-clean", EXT4, map_read, page_out, unmap, PAGES, 0, 0 },
	/* direct reclaim leaves dirty pages of files to the flusher */
	{ "reclaim-dirty", EXT4, map_written, page_out, unmap,
	  PAGES, PAGES, 0 },
	{ "reclaim-swap", TMPFS, map_written, page_out, unmap, PAGES, 0, 0 },
};

/* How many pages of the file are in the cache? */
static int resident(void)
{
	unsigned char vec[PAGES];
	struct stat st;
	int i, count = 0;
	void *view;

	must(fstat(fd, &st));
	if (!st.st_size)
		return 0;
	view = (void *)must(mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0));
	must(mincore(view, LENGTH, vec));
	for (i = 0; i < PAGES; i++)
		count += vec[i] & 1;
	must(munmap(view, LENGTH));
	return count;
}

static int faults(void)
{
	struct rusage usage;

	must(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void expect(const struct path *p, const char *what, int got, int want)
{
	if (got == want)
		return;
	errno = 0;
	die("%s %s: %d %s, %d were expected", p->name, fs_name, got, what,
	    want);
}

static void measure(const struct path *p)
{
	uint64_t count[ROUNDS], begin;
	int i, fault;

	for (i = 0; i < ROUNDS; i++) {
		p->before();
		expect(p, "cached pages at the start", resident(), p->cached);
		fault = faults();
		rest();
		begin = now();
		p->run();
		count[i] = now() - begin;
		expect(p, "page faults", faults() - fault, p->faults);
		expect(p, "cached pages at the end", resident(), p->left);
		if (p->after)
			p->after();
	}
	qsort(count, ROUNDS, sizeof(count[0]), compare);
	printf("bench: %s %s %d %llu %llu\n", p->name, fs_name, PAGES,
	       (unsigned long long)count[0],
	       (unsigned long long)count[ROUNDS / 2]);
}

/* ---- the guest ---------------------------------------------------------- */

static void set(const char *name, const char *value)
{
	int file = must(open(name, O_WRONLY));

	must(write(file, value, strlen(value)));
	close(file);
}

/* All of it, also zeroes: the RAM disk allocates nothing later. */
static void fill_disk(const char *image, const char *device)
{
	int in = must(open(image, O_RDONLY)), out = must(open(device, O_WRONLY));
	long got;

	while ((got = must(read(in, buf, PAGE))) > 0)
		if (must(write(out, buf, got)) != got)
			die("%s is too small", device);
	must(fsync(out));
	close(out);
	close(in);
	must(unlink(image));
}

static void make_swap(const char *device)
{
	int i, out = must(open(device, O_WRONLY));
	uint32_t *header = (uint32_t *)(buf + 1024);

	memset(buf, 0, PAGE);
	for (i = 1; i < SWAP_PAGES; i++)
		must(pwrite(out, buf, PAGE, i * PAGE));
	header[0] = 1;
	header[1] = SWAP_PAGES - 1;
	memcpy(buf + PAGE - 10, "SWAPSPACE2", 10);
	must(pwrite(out, buf, PAGE, 0));
	must(fsync(out));
	close(out);
	must(swapon(device, 0));
}

static void run_on(int which, const char *name)
{
	unsigned int i;

	fs = which;
	fs_name = name;
	snprintf(path, sizeof(path), "/mnt/%s/file", name);
	memset(buf, 0x5a, PAGE);
	fd = must(open(path, O_RDWR | O_CREAT, 0600));
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i].fs & which)
			measure(&paths[i]);
	close(fd);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() != 1) {
		fprintf(stderr, "bench: error: this is the init of a guest, see compare\n");
		return 1;
	}
	must(mount("dev", "/dev", "devtmpfs", 0, NULL));
	must(mount("proc", "/proc", "proc", 0, NULL));
	must(mount("sysfs", "/sys", "sysfs", 0, NULL));
	/* nothing is written back but by fsync() */
	set("/proc/sys/vm/dirty_writeback_centisecs", "0");
	set("/proc/sys/vm/dirty_ratio", "90");
	set("/proc/sys/vm/dirty_background_ratio", "89");
	/* no faults but those that are measured */
	must(mlockall(MCL_CURRENT));
	check_counter();

	must(pipe(pipefd));
	nullfd = must(open("/dev/null", O_WRONLY));
	fill_disk("/ext4.img", "/dev/ram0");
	make_swap("/dev/ram1");
	must(mkdir("/mnt/ext4", 0700));
	must(mkdir("/mnt/tmpfs", 0700));
	must(mount("/dev/ram0", "/mnt/ext4", "ext4", MS_NOATIME,
		   "commit=3600"));
	must(mount("tmpfs", "/mnt/tmpfs", "tmpfs", MS_NOATIME, "size=64m"));
	run_on(EXT4, "ext4");
	run_on(TMPFS, "tmpfs");
	leave(0);
	return 0;
}
