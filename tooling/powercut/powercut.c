// SPDX-License-Identifier: GPL-2.0
/*
 * Power cut test of sharing of file pages: the init of an SMP guest.
 *
 * mode=write: processes change files of few distinct contents, make each batch
 * of changes durable and then acknowledge it on /dev/ttyS1, while ksmd runs
 * without pause and others map, merge, break and drop the pages.  It has no end:
 * the host kills the guest.
 *
 * mode=check: of the disk that is left, each byte must be what the acknowledged
 * batches made it.  What a process does follows from the seed and its number, so
 * the number of its last acknowledged batch says it all.  A process starts the
 * next batch when the acknowledgement is out, so one batch more may be there, or
 * parts of it; nothing else.
 *
 * Arguments: NAME=VALUE, see options[].
 */
#include "pxa_util.h"

#define INIT_SAYS	"powercut: FAILED: "
#define INIT_STATUS	1
#include "init.h"

#include <linux/falloc.h>
#include <sys/uio.h>
#include <termios.h>

#ifndef RWF_DSYNC
#define RWF_DSYNC 2
#endif

#define PAGE	4096UL
#define PAGES	24
#define BYTES	(PAGES * PAGE)
#define FILES	2			/* of each process */
#define KINDS	5			/* contents; 0: zeros */
#define PROCS	16
#define BATCH	4			/* operations, at most */

static struct option {
	const char *name;
	const char *value;
} options[] = {
	{ "mode", "write" },
	{ "fs", "ext4" },
	{ "disk", "/dev/vda" },
	{ "seed", "1" },
	{ "procs", "6" },
	{ "sharing", "1" },		/* 0: the same load, for comparison */
	{ "direct", "1" },		/* 0: no direct writes */
	{ "early", "0" },		/* 1: acknowledge what is not durable yet */
	{ "acked", "" },		/* check: last batch of each, with commas */
};

enum op { WRITE, PART, STORE, DIRECT, DSYNC, COPY, PUNCH, CUT, GROW, REPLACE };
static const int weights[] = { 8, 4, 8, 4, 3, 4, 3, 2, 3, 2 };

enum sync { FSYNC, FDATASYNC, MSYNC, SYNCFS, NONE };

struct step {
	enum op op;
	size_t off, len, from;
	int kind;			/* of the first page; the next has the next */
};

struct batch {
	int file, steps;
	struct step step[BATCH];
	enum sync sync;
	unsigned int rest;		/* ms; a merge needs some time without change */
};

struct state {
	size_t size;
	unsigned char data[BYTES];	/* zeros from size on */
};

struct process {
	int number;
	uint64_t rnd;
	struct state state[FILES];
};

static struct shared {
	_Atomic(int) failed;
	_Atomic(unsigned long) acks, checked;
} *s;

static const char * const top = "/mnt";
static unsigned char pattern[KINDS][PAGE];
static uint64_t seed;

static const char *option(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i].name, name))
			return options[i].value;
	abort();
}

static unsigned int rnd(struct process *p, unsigned int n)
{
	return (rnd64(&p->rnd) >> 33) % n;
}

/* ---- what is done ------------------------------------------------------- */

static void start(struct process *p, int number)
{
	int i;

	p->number = number;
	rnd_seed(&p->rnd, seed, number);
	for (i = 0; i < FILES; i++) {
		struct state *f = &p->state[i];
		size_t page;

		f->size = BYTES;
		for (page = 0; page < PAGES; page++)
			memcpy(f->data + page * PAGE, pattern[1 + rnd(p, KINDS - 1)], PAGE);
	}
}

static enum op draw_op(struct process *p)
{
	int total = 0, pick;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(weights); i++)
		total += weights[i];
	pick = rnd(p, total);
	for (i = 0; pick >= weights[i]; i++)
		pick -= weights[i];
	return i == DIRECT && !atoi(option("direct")) ? WRITE : i;
}

/* Bytes that a COPY finds in its source. */
static size_t copied(size_t size, const struct step *e)
{
	size_t len = e->from < size ? size - e->from : 0;

	return len < e->len ? len : e->len;
}

/* The next batch of a process, for the sizes its files have. */
static void draw(struct process *p, struct batch *b)
{
	size_t size, len;
	bool stores = true;
	int i;

	b->file = rnd(p, FILES);
	b->steps = 1 + rnd(p, BATCH);
	b->sync = FSYNC;
	size = p->state[b->file].size;
	for (i = 0; i < b->steps; i++) {
		struct step *e = &b->step[i];
		size_t pages = 1 + rnd(p, 4);

		e->op = draw_op(p);
		e->off = rnd(p, PAGES - pages + 1) * PAGE;
		e->len = pages * PAGE;
		e->from = rnd(p, PAGES - pages + 1) * PAGE;
		e->kind = rnd(p, KINDS);
		if (rnd(p, 4) == 0 && (e->op == PART || e->op == STORE || e->op == PUNCH)) {
			e->off += rnd(p, PAGE);
			e->len = 1 + rnd(p, e->len);
			if (e->off + e->len > BYTES)
				e->len = BYTES - e->off;
		}
		/* of a whole file, or durable by itself: alone in a batch */
		if (e->op == REPLACE || e->op == DSYNC) {
			if (i)
				e->op = WRITE;
			else
				b->steps = 1;
		}
		if (e->op == CUT && rnd(p, 4) == 0)
			e->off += rnd(p, PAGE);
		if (e->op == CUT && e->off >= size)
			e->op = GROW;
		if (e->op == STORE && e->off >= size)
			e->op = WRITE;
		/* what is stored beyond the end is not kept */
		if (e->op == STORE && e->off + e->len > size)
			e->len = size - e->off;
		stores &= e->op == STORE;
		if (e->op == CUT)
			size = e->off;
		else if (e->op == GROW || e->op == REPLACE)
			size = BYTES;
		else if (e->op != PUNCH) {
			len = e->op == COPY ? copied(p->state[!b->file].size, e) : e->len;
			if (len && size < e->off + len)
				size = e->off + len;
		}
	}
	i = rnd(p, 4);
	if (b->step[0].op == DSYNC)
		b->sync = NONE;
	else if (stores)
		b->sync = i;
	else
		b->sync = i ? FSYNC : SYNCFS;
	b->rest = rnd(p, 3) ? 0 : 20;
}

static void put(struct state *f, size_t off, size_t len, int kind)
{
	size_t at, n;

	for (at = off; at < off + len; at += n) {
		n = PAGE - at % PAGE;
		if (n > off + len - at)
			n = off + len - at;
		memcpy(f->data + at, pattern[(kind + at / PAGE - off / PAGE) % KINDS] + at % PAGE,
		       n);
	}
	if (f->size < off + len)
		f->size = off + len;
}

/* What a step makes of the file. */
static void apply(struct process *p, const struct batch *b, const struct step *e)
{
	struct state *f = &p->state[b->file];
	struct state *other = &p->state[!b->file];
	size_t len, end = e->off + e->len;

	switch (e->op) {
	case WRITE:
	case PART:
	case STORE:
	case DIRECT:
	case DSYNC:
		put(f, e->off, e->len, e->kind);
		break;
	case COPY:
		len = copied(other->size, e);
		memcpy(f->data + e->off, other->data + e->from, len);
		if (len && f->size < e->off + len)
			f->size = e->off + len;
		break;
	case PUNCH:
		if (e->off < f->size)
			memset(f->data + e->off, 0, (end < f->size ? end : f->size) - e->off);
		break;
	case CUT:
		memset(f->data + e->off, 0, BYTES - e->off);
		f->size = e->off;
		break;
	case GROW:
		f->size = BYTES;
		break;
	case REPLACE:
		f->size = 0;
		memset(f->data, 0, BYTES);
		put(f, 0, BYTES, e->kind);
		break;
	}
}

static void path_of(char *path, int process, int file, const char *suffix)
{
	sprintf(path, "%s/dir%d/file%d%s", top, process, file, suffix);
}

/* ---- mode=write --------------------------------------------------------- */

static int fds[FILES];
static unsigned char *maps[FILES];
static unsigned char *aligned;		/* BYTES, for direct I/O */

static void open_file(struct process *p, int file)
{
	char path[100];

	if (maps[file]) {
		munmap(maps[file], BYTES);
		close(fds[file]);
	}
	path_of(path, p->number, file, "");
	fds[file] = must(open(path, O_RDWR));
	maps[file] = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[file], 0);
	must((long)maps[file]);
	must(madvise(maps[file], BYTES, MADV_MERGEABLE));
}

static void write_all(int fd, const void *data, size_t len, off_t off, int flags)
{
	struct iovec v = { (void *)data, len };
	ssize_t n = must(pwritev2(fd, &v, 1, off, flags));

	if (n != (ssize_t)len)
		die("%zd of %zu bytes written at %ld", n, len, (long)off);
}

/* The bytes that a step writes: the state has them already. */
static void perform(struct process *p, const struct batch *b, const struct step *e)
{
	struct state *f = &p->state[b->file];
	char path[100], path2[100];
	loff_t from = e->from, to = e->off;
	size_t left = e->len;
	int fd, dir;
	ssize_t n;

	switch (e->op) {
	case WRITE:
	case PART:
		write_all(fds[b->file], f->data + e->off, e->len, e->off, 0);
		break;
	case DSYNC:
		write_all(fds[b->file], f->data + e->off, e->len, e->off, RWF_DSYNC);
		break;
	case STORE:
		memcpy(maps[b->file] + e->off, f->data + e->off, e->len);
		break;
	case DIRECT:
		path_of(path, p->number, b->file, "");
		fd = must(open(path, O_RDWR | O_DIRECT));
		memcpy(aligned, f->data + e->off, e->len);
		write_all(fd, aligned, e->len, e->off, 0);
		close(fd);
		break;
	case COPY:
		while (left) {
			n = must(copy_file_range(fds[!b->file], &from, fds[b->file], &to, left,
						 0));
			if (!n)
				break;
			left -= n;
		}
		break;
	case PUNCH:
		must(fallocate(fds[b->file], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       e->off, e->len));
		break;
	case CUT:
		must(ftruncate(fds[b->file], e->off));
		break;
	case GROW:
		must(ftruncate(fds[b->file], BYTES));
		break;
	case REPLACE:
		path_of(path, p->number, b->file, ".new");
		path_of(path2, p->number, b->file, "");
		fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
		write_all(fd, f->data, BYTES, 0, 0);
		must(fsync(fd));
		close(fd);
		must(rename(path, path2));
		sprintf(path, "%s/dir%d", top, p->number);
		dir = must(open(path, O_RDONLY | O_DIRECTORY));
		must(fsync(dir));
		close(dir);
		open_file(p, b->file);
		break;
	}
}

static void make_durable(const struct batch *b)
{
	switch (b->sync) {
	case FSYNC:
		must(fsync(fds[b->file]));
		break;
	case FDATASYNC:
		must(fdatasync(fds[b->file]));
		break;
	case MSYNC:
		must(msync(maps[b->file], BYTES, MS_SYNC));
		break;
	case SYNCFS:
		must(syncfs(fds[b->file]));
		break;
	case NONE:
		break;
	}
}

/* Out means: in a file of the host. */
static void acknowledge(int tty, int process, unsigned long number)
{
	char line[64];
	int n = sprintf(line, "ack %d %lu.\n", process, number);

	if (must(write(tty, line, n)) != n)
		die("acknowledgement cut short");
	must(tcdrain(tty));
	s->acks++;
}

/* Is what memory has what it must be, before it is written on? */
static void look(struct process *p, int file)
{
	struct state *f = &p->state[file];
	static unsigned char buf[BYTES];
	struct stat st;
	ssize_t n;

	must(fstat(fds[file], &st));
	if ((size_t)st.st_size != f->size)
		die("process %d file %d: %ld bytes, must be %zu", p->number, file,
		    (long)st.st_size, f->size);
	n = must(pread(fds[file], buf, BYTES, 0));
	if (n != (ssize_t)f->size || memcmp(buf, f->data, n))
		die("process %d file %d: wrong by read()", p->number, file);
	if (memcmp(maps[file], f->data, f->size))
		die("process %d file %d: wrong by mapping", p->number, file);
	s->checked += f->size / PAGE;
}

static void writer(struct process *p, int tty)
{
	bool early = atoi(option("early"));
	struct batch b;
	unsigned long n;
	int i;

	must(posix_memalign((void **)&aligned, PAGE, BYTES) ? -1 : 0);
	for (i = 0; i < FILES; i++)
		open_file(p, i);
	for (n = 1;; n++) {
		draw(p, &b);
		if (n % 4 == 0)
			look(p, b.file);
		for (i = 0; i < b.steps; i++) {
			apply(p, &b, &b.step[i]);
			perform(p, &b, &b.step[i]);
		}
		if (early)
			acknowledge(tty, p->number, n);
		make_durable(&b);
		if (!early)
			acknowledge(tty, p->number, n);
		if (b.rest)
			msleep(b.rest);
	}
}

/* Map what others write, so that it is merged, and write to copies of it. */
static void mapper(int number, int procs)
{
	uint64_t r = seed * 77 + number + 1;
	unsigned char *map[PROCS * FILES] = { };
	int zeros = must(open("/dev/zero", O_RDONLY));
	char path[100];
	int i, fd;

	for (;;) {
		i = rnd64(&r) % (procs * FILES);
		if (map[i])
			munmap(map[i], BYTES);
		path_of(path, i / FILES, i % FILES, "");
		fd = must(open(path, O_RDONLY));
		map[i] = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		must((long)map[i]);
		close(fd);
		must(madvise(map[i], BYTES, MADV_MERGEABLE));
		/* no SIGBUS where the file has become short, but an error */
		read(zeros, map[i] + rnd64(&r) % PAGES * PAGE, 8);
		msleep(rnd64(&r) % 20);
	}
}

static void disturber(void)
{
	uint64_t r = seed * 99 + 5;

	for (;;) {
		switch (rnd64(&r) % 8) {
		case 0:
			if (atoi(option("sharing"))) {
				ksm_write("run", 2);
				ksm_write("run", 1);
			}
			break;
		case 1:
			write_str("/proc/sys/vm/compact_memory", "1");
			break;
		case 2 ... 4:
			write_str("/proc/sys/vm/drop_caches", "1");
			break;
		}
		msleep(20 + rnd64(&r) % 100);
	}
}

static void make_files(int procs)
{
	static struct process p;
	char path[100];
	int i, j, fd;

	for (i = 0; i < procs; i++) {
		start(&p, i);
		sprintf(path, "%s/dir%d", top, i);
		must(mkdir(path, 0700));
		for (j = 0; j < FILES; j++) {
			path_of(path, i, j, "");
			fd = must(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
			write_all(fd, p.state[j].data, BYTES, 0, 0);
			close(fd);
		}
	}
	fd = must(open(top, O_RDONLY));
	must(syncfs(fd));
	close(fd);
}

static void begin_sharing(void)
{
	ksm_write("sleep_millisecs", 0);
	ksm_write("pages_to_scan", 2000);
	if (!atoi(option("sharing")))
		return;
	if (sysctl_ksm_file("1"))
		die("cannot set vm.ksm_file: kernel without KSM_FILE?");
	ksm_write("run", 1);
}

static void write_until_killed(int procs)
{
	static struct process p;
	struct termios raw;
	int i, tty, pid;
	double begin;

	make_files(procs);
	begin_sharing();
	tty = must(open("/dev/ttyS1", O_WRONLY | O_NOCTTY));
	must(tcgetattr(tty, &raw));
	cfmakeraw(&raw);
	must(tcsetattr(tty, TCSANOW, &raw));
	for (i = 0; i < procs + 3; i++) {
		pid = must(fork());
		if (pid)
			continue;
		if (i < procs) {
			start(&p, i);
			writer(&p, tty);
		} else if (i < procs + 2) {
			mapper(i, procs);
		} else {
			disturber();
		}
	}
	for (begin = now();; msleep(500)) {
		printf("powercut: %.1f s: %lu acknowledged, %lu pages checked, %ld merges, %ld breaks, %ld drops, %ld sharing\n",
		       now() - begin, s->acks, s->checked, ksm_read("file_merges"),
		       ksm_read("file_breaks"), ksm_read("file_drops"),
		       ksm_read("file_pages_sharing"));
		fflush(stdout);
		if (s->failed || waitpid(-1, NULL, WNOHANG) > 0)
			leave(1);
	}
}

/* ---- mode=check --------------------------------------------------------- */

/* May byte at have this value, if the batch was done up to any point? */
static bool may_be(const struct state *states, int n, size_t at, unsigned char value)
{
	int i;

	for (i = 0; i < n; i++)
		/* what was beyond the end may be there without its content */
		if (states[i].data[at] == value || (at >= states[i].size && !value))
			return true;
	return false;
}

/* states: the file as it was acknowledged, and after each step of a batch. */
static int check_file(int process, int file, unsigned long acked,
		      const struct state *states, int n)
{
	static unsigned char buf[BYTES + 1];
	size_t least = states[0].size, most = least, at, first = 0;
	unsigned long wrong = 0;
	char path[100];
	ssize_t size;
	int i, fd;

	for (i = 1; i < n; i++) {
		if (states[i].size < least)
			least = states[i].size;
		if (states[i].size > most)
			most = states[i].size;
	}
	path_of(path, process, file, "");
	fd = must(open(path, O_RDONLY));
	size = must(read(fd, buf, sizeof(buf)));
	close(fd);
	if ((size_t)size < least || (size_t)size > most) {
		printf("powercut: FAILED: process %d file %d has %zd bytes, must have %zu to %zu after batch %lu\n",
		       process, file, size, least, most, acked);
		return 1;
	}
	for (at = 0; at < (size_t)size; at++)
		if (!may_be(states, n, at, buf[at]) && !wrong++)
			first = at;
	if (!wrong)
		return 0;
	for (i = KINDS - 1; i >= 0 && buf[first] != pattern[i][first % PAGE]; i--)
		;
	printf("powercut: FAILED: process %d file %d: %lu wrong bytes from page %zu+%zu on (like content %d), after batch %lu\n",
	       process, file, wrong, first / PAGE, first % PAGE, i, acked);
	return 1;
}

static int check(int procs)
{
	static struct process p;
	static struct state states[BATCH + 1];
	const char *text = option("acked");
	unsigned long acked, total = 0, n;
	int i, j, bad = 0;
	struct batch b;
	char *end;

	for (i = 0; i < procs; i++) {
		acked = strtoul(text, &end, 10);
		if (end == text || *end != (i < procs - 1 ? ',' : 0))
			die("acked must have %d numbers", procs);
		text = end + 1;
		total += acked;
		start(&p, i);
		for (n = 1; n <= acked; n++) {
			draw(&p, &b);
			for (j = 0; j < b.steps; j++)
				apply(&p, &b, &b.step[j]);
		}
		/* one more may have been begun */
		draw(&p, &b);
		states[0] = p.state[!b.file];
		bad += check_file(i, !b.file, acked, states, 1);
		states[0] = p.state[b.file];
		for (j = 0; j < b.steps; j++) {
			apply(&p, &b, &b.step[j]);
			states[j + 1] = p.state[b.file];
		}
		bad += check_file(i, b.file, acked, states, b.steps + 1);
	}
	printf("powercut: %d files, %lu batches, %d files wrong\n", procs * FILES, total, bad);
	return bad;
}

/* ---- both --------------------------------------------------------------- */

static void parse(int argc, char **argv)
{
	size_t i, len;
	int j;

	for (j = 1; j < argc; j++)
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			len = strlen(options[i].name);
			if (!strncmp(argv[j], options[i].name, len) && argv[j][len] == '=')
				options[i].value = argv[j] + len + 1;
		}
}

int main(int argc, char **argv)
{
	uint64_t r;
	int procs, kind, bad;
	size_t i;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	parse(argc, argv);
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	procs = atoi(option("procs"));
	if (procs < 1 || procs > PROCS)
		die("procs is not from 1 to %d", PROCS);
	seed = strtoull(option("seed"), NULL, 0);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must((long)s);
	init_failed = &s->failed;
	r = seed * 2 + 1;
	for (kind = 1; kind < KINDS; kind++)
		for (i = 0; i < PAGE; i++)
			pattern[kind][i] = rnd64(&r) >> 40;
	if (mount(option("disk"), top, option("fs"), 0, NULL))
		die("cannot mount %s as %s", option("disk"), option("fs"));
	if (!strcmp(option("mode"), "write"))
		write_until_killed(procs);
	bad = check(procs);
	/* what is not as it must be is not so by an error of the cache alone */
	write_str("/proc/sys/vm/drop_caches", "3");
	if (bad != check(procs))
		die("read again, the files are not the same");
	if (umount(top))
		die("cannot unmount");
	leave(bad ? 1 : 0);
}
