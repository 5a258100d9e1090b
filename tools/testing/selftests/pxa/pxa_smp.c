// SPDX-License-Identifier: GPL-2.0
/*
 * What only another CPU can meet: a TLB entry that is left when the page table entry
 * is gone, and a page table entry that is away for a moment.
 *
 * In each test one process stays on a CPU of its own and does not enter the kernel
 * for as long as it can.  Needs two CPUs, four are better.
 */
#include <stdatomic.h>
#include <sys/uio.h>

#include "pxa_util.h"

#define RW	(PROT_READ | PROT_WRITE)
#define ROUNDS	200
/* Whatever the number of rounds, seconds for them */
#define LONG	10

/* What the two processes tell each other */
static struct talk {
	atomic_uint round, done;
	atomic_bool end;
	char wrong[200];
} *talk;

static cpu_set_t all;

static void needs_cpus(void)
{
	REQ(sched_getaffinity(0, sizeof(all), &all) == 0);
	if (CPU_COUNT(&all) < 2)
		pxa_skip("one CPU only");
}

/* To the last CPU of those there are, or to the others */
static void go_to(bool last)
{
	int i, n = CPU_COUNT(&all);
	cpu_set_t here;

	CPU_ZERO(&here);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all) && (--n == 0) == last)
			CPU_SET(i, &here);
	REQ(sched_setaffinity(0, sizeof(here), &here) == 0);
}

/* A process on a CPU of its own that runs until the end; this one leaves it there. */
static pid_t other_cpu(void (*fn)(struct pair *), struct pair *p)
{
	pid_t pid;

	talk = mmap(NULL, sizeof(*talk), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQ(talk != MAP_FAILED);
	pid = fork();
	REQ(pid >= 0);
	go_to(!pid);
	if (!pid) {
		fn(p);
		_exit(0);
	}
	return pid;
}

static void other_ends(pid_t pid)
{
	int status;

	talk->end = true;
	REQ(waitpid(pid, &status, 0) == pid);
	if (talk->wrong[0])
		FAIL("%s", talk->wrong);
	REQ(status == 0);
}

/* No FAIL() in the other process: it is the first one that reports. */
#define wrong(...)							\
	do {								\
		snprintf(talk->wrong, sizeof(talk->wrong), __VA_ARGS__);	\
		_exit(1);						\
	} while (0)

static void new_round(pid_t pid, unsigned int round)
{
	double end = now() + OP_SECONDS;

	talk->round = round;
	while (talk->done != round) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			FAIL("round %u: %s", round, talk->wrong);
		REQ(now() < end);
		msleep(1);
	}
}

/* ------------------------------------------------------------------ stores -- */

/* The value of a round, which is not that of the byte before */
static unsigned char value(unsigned char before, unsigned int round)
{
	return before + 1 + round % 250;
}

static void store_and_see(struct pair *p, unsigned char v, unsigned int round)
{
	unsigned char c;

	*(volatile unsigned char *)(p->a.map + psz) = v;
	if (pread(p->a.fd, &c, 1, psz) != 1)
		wrong("read: %s", strerror(errno));
	if (c != v)
		wrong("round %u: %#x was stored, and the file has %#x", round, v, c);
}

static void stores(struct pair *p)
{
	unsigned char before = p->a.shadow[psz];
	unsigned int round = 0;

	while (!talk->end) {
		if (talk->round == round)
			continue;
		round = talk->round;
		store_and_see(p, value(before, round), round);
		store_and_see(p, before, round);
		talk->done = round;
	}
}

/*
 * The page is merged while a CPU has a TLB entry by which it could still store to
 * it.  Where a page is not merged as long as it is dirty, the entry goes with the
 * writeback; not so on tmpfs.
 */
static void store_after_merge(void)
{
	unsigned int round;
	struct pair p;
	double end;
	pid_t pid;

	needs_cpus();
	pair_setup(&p, RW, MAP_SHARED);
	pid = other_cpu(stores, &p);
	merge_start();
	end = now() + LONG;
	for (round = 1; round < ROUNDS && now() < end; round++) {
		new_round(pid, round);
		REQ(fsync(p.a.fd) == 0);
		wait_shared(p.a.map + psz, p.b.map + 3 * psz);
	}
	merge_stop();
	other_ends(pid);
	pair_check(&p);
}

/* ------------------------------------------------------------------- loads -- */

#define HUGE	(2UL << 20)

/* Where the process on the CPU of its own has b mapped, and what it does to that */
static unsigned char *view, *view_next;

static void stay(void)
{
}

/* Takes each pte away for a moment, under its lock. */
static void protect(void)
{
	static unsigned int n;

	if (mprotect(view, PAIR_PAGES * psz, n++ % 2 ? PROT_READ : RW))
		wrong("mprotect: %s", strerror(errno));
}

/* Takes the page table away from one place to the other. */
static void move(void)
{
	unsigned char *to = view_next;

	if (mremap(view, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		wrong("mremap: %s", strerror(errno));
	view_next = view;
	view = to;
}

/* Map the whole of a page table; the file is smaller. */
static void view_huge(struct pfile *f)
{
	unsigned char *at = mmap(NULL, 3 * HUGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQ(at != MAP_FAILED);
	view = (void *)(((unsigned long)at + HUGE - 1) & ~(HUGE - 1));
	view_next = view + HUGE;
	REQ(mmap(view, HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, f->fd, 0) == view);
}

static void (*disturb)(void);

/* The first byte is the number of the round that is over, or the next one. */
static void loads(struct pair *p)
{
	(void)p;
	while (!talk->end) {
		unsigned int round = talk->round;
		unsigned char v = *(volatile unsigned char *)(view + 3 * psz);

		if ((unsigned char)(v - round) > 1)
			wrong("round %u: %#x is seen", round, v);
		talk->done = round;
		disturb();
	}
}

static void write_byte(struct pfile *f, size_t off, unsigned char v)
{
	REQ(OP(pwrite(f->fd, &v, 1, off)) == 1);
	f->shadow[off] = v;
}

/* What is written to a shared page is seen at once by who loads from that file. */
static void load_after_write(void (*fn)(void))
{
	unsigned int round;
	struct pair p;
	double end;
	pid_t pid;

	needs_cpus();
	pair_new(&p);
	write_byte(&p.a, psz, 0);
	write_byte(&p.b, 3 * psz, 0);
	pf_drop(&p.a);
	pf_drop(&p.b);
	pair_map(&p, PROT_READ, MAP_SHARED);
	pair_merge(&p);
	disturb = fn;
	view = p.b.map;
	if (fn == move)
		view_huge(&p.b);
	pid = other_cpu(loads, &p);
	merge_start();
	end = now() + LONG;
	for (round = 1; round < ROUNDS && now() < end; round++) {
		write_byte(&p.b, 3 * psz, round);
		new_round(pid, round);
		write_byte(&p.a, psz, round);
		REQ(fsync(p.a.fd) == 0 && fsync(p.b.fd) == 0);
		wait_shared(p.a.map + psz, p.b.map + 3 * psz);
	}
	merge_stop();
	other_ends(pid);
	pair_check(&p);
}

static void load(void)
{
	load_after_write(stay);
}

static void load_under_mprotect(void)
{
	load_after_write(protect);
}

static void load_under_mremap(void)
{
	load_after_write(move);
}

/* --------------------------------------------------------- ptes that are away -- */

static void disturbs(struct pair *p)
{
	view = p->a.map;
	if (disturb == move)
		view_huge(&p->a);
	(void)*(volatile unsigned char *)(view + psz);
	while (!talk->end) {
		disturb();
		talk->done = 1;
	}
}

/* The page is mapped all the time nevertheless: posix_fadvise() must not drop it. */
static void fadvise_while(void (*fn)(void))
{
	struct iovec one;
	unsigned char c;
	struct pair p;
	double end;
	pid_t pid;

	if (on_tmpfs())
		pxa_skip("nothing is dropped on this filesystem");
	needs_cpus();
	pair_setup(&p, PROT_READ, MAP_SHARED);
	one = (struct iovec){ &c, 1 };
	if (preadv2(p.a.fd, &one, 1, psz, RWF_NOWAIT) != 1)
		pxa_skip("RWF_NOWAIT: %s", strerror(errno));
	disturb = fn;
	pid = other_cpu(disturbs, &p);
	/* of a file that is mapped by that process only */
	pf_unmap(&p.a);
	new_round(pid, 1);
	for (end = now() + LONG / 4; now() < end;) {
		REQ(posix_fadvise(p.a.fd, psz, psz, POSIX_FADV_DONTNEED) == 0);
		if (preadv2(p.a.fd, &one, 1, psz, RWF_NOWAIT) != 1)
			FAIL("the page is mapped, and was dropped");
	}
	check_counters(PAIR_SHARED, PAIR_SHARED);
	other_ends(pid);
	pair_check(&p);
}

static void fadvise_under_mprotect(void)
{
	fadvise_while(protect);
}

static void fadvise_under_mremap(void)
{
	fadvise_while(move);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(store_after_merge),
	T(load),
	T(load_under_mprotect),
	T(load_under_mremap),
	T(fadvise_under_mprotect),
	T(fadvise_under_mremap),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
