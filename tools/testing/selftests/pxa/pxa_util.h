/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the selftests for sharing of file-backed pages (page-xa, KSM_FILE)
 *
 * Every subtest runs in a child of its own, under a watchdog, with a scratch
 * directory of its own.  All helpers end the child on failure, hence a subtest
 * that returns has passed.
 *
 * Environment:
 *	PXA_DIR			directory on the filesystem under test (default .)
 *	PXA_EXPECT_SHARING	0: data integrity only, sharing is never enabled
 *	PXA_SECONDS		length of the stress test
 *	PXA_SEED		seed of the stress test
 *	PXA_DEV2		block device that may be overwritten and mounted
 *	PXA_MKFS2, PXA_TYPE2	command that makes a filesystem there, its type
 *				(default ext4)
 *	PXA_DEV, PXA_TYPE	block device with an image that may be mounted
 *	PXA_COPY		directory with the files of the image
 *	PXA_UPPER		directory for upper layers of overlayfs (default
 *				that of the subtest)
 */
#ifndef _PXA_UTIL_H
#define _PXA_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "../kselftest.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/*
 * Seconds a single operation may take: the bugs looked for loop forever, and a guest
 * without KVM on a busy host needs ten for reclaim of a whole group.
 */
#ifndef OP_SECONDS
#define OP_SECONDS	40
#endif
/* Seconds the merge may take to reach a state that is waited for. */
#define MERGE_SECONDS	40

struct pxa_test {
	const char *name;
	void (*fn)(void);
	unsigned int seconds;		/* 0: the default */
};

/* A file and, independent of it, the bytes that it must hold. */
struct pfile {
	int fd;
	char path[512];
	unsigned char *shadow;
	size_t size;			/* bytes */
	size_t cap;			/* bytes of shadow */
	unsigned char *map;		/* main mapping, NULL if none */
	size_t map_len;
	bool private_map;		/* map may differ from the file */
};

extern size_t psz;			/* page size */
extern bool pxa_expect;			/* sharing is expected */
extern char pxa_scratch[400];		/* directory of this subtest */
extern unsigned long pxa_nonce;		/* separates contents of subtests */

int pxa_run(int argc, char **argv, const struct pxa_test *tests, int nr);

/* --- end of the subtest --- */
void pxa_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void pxa_skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
#define FAIL(fmt, ...)	pxa_fail(__FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define REQ(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("%s (errno %d %s)", #cond, errno,		\
			     strerror(errno));				\
	} while (0)

/* --- watchdog of one operation --- */
void op_begin(const char *what);
void op_end(void);
#define OP(expr)							\
	({								\
		__typeof__(expr) __ret;					\
		int __err;						\
									\
		op_begin(#expr);					\
		__ret = (expr);						\
		__err = errno;						\
		op_end();						\
		errno = __err;						\
		__ret;							\
	})
/* One store or load, under the watchdog. */
void op_store(volatile unsigned char *p, unsigned char v);
unsigned char op_load(volatile const unsigned char *p);

/* --- counters and switches --- */
bool ksm_has(const char *name);
long ksm_read(const char *name);	/* -1: no such file */
int ksm_write(const char *name, long v);
long vmstat(const char *name);		/* -1: no such counter */
int write_str(const char *path, const char *s);
int read_str(const char *path, char *buf, size_t len);
int sysctl_ksm_file(const char *v);
long sysctl_ksm_file_get(void);
void drop_caches(void);
double now(void);
void msleep(unsigned int ms);

/* --- merging --- */
void merge_start(void);			/* ksmd runs hot */
void merge_stop(void);			/* ksmd stands still, shares stay */
void merge_settle(void);		/* several scans without a change */
void merge_scans(int n);		/* n full scans */
void unmerge_all(void);			/* run=2 */
void wait_shared(const void *a, const void *b);
void wait_counters(long shared, long sharing);
void check_counters(long shared, long sharing);
uint64_t page_pfn(const void *addr);
bool page_ksm(const void *addr);
long page_ptes(const void *addr);	/* -1: not told */
bool is_shared(const void *a, const void *b);
void must_share(const void *a, const void *b);
void must_not_share(const void *a, const void *b);
void must_not_ksm(const void *a);
void must_sigbus(void *addr);		/* a load does */

bool before_5_10(void);			/* the kernel */

bool on_fs(unsigned long magic);
/* On tmpfs? Its pages are never written back, and are shared nevertheless. */
bool on_tmpfs(void);
/* Skip on hostfs: what is stored in a mapping there is dirty until it is lost. */
void needs_writeback(void);
bool has_direct(void);			/* O_DIRECT on this filesystem? */

/* --- contents --- */
void fill(void *buf, size_t len, unsigned long content);

/* --- files --- */
void pf_new(struct pfile *f, const char *name, size_t pages);
void pf_new_at(struct pfile *f, const char *path, size_t pages);
void pf_page(struct pfile *f, size_t page, unsigned long content);
void pf_swap_header(struct pfile *f, unsigned int pages, bool swab);
void pf_size(struct pfile *f, size_t bytes);	/* before pf_commit() */
void pf_commit(struct pfile *f);		/* write, fsync, drop */
void pf_commit_cached(struct pfile *f);		/* write, fsync */
void pf_drop(struct pfile *f);			/* fsync, forget the cache */
void *pf_map(struct pfile *f, int prot, int flags);
void pf_unmap(struct pfile *f);
void pf_touch(struct pfile *f);
void pf_check(struct pfile *f);			/* map, read(2), mmap */
void pf_check_direct(struct pfile *f);
void pf_check_cold(struct pfile *f);		/* + O_DIRECT + from disk */
void pf_close(struct pfile *f);

/* Operations that change the file and the shadow alike, under the watchdog. */
void pf_write(struct pfile *f, size_t off, size_t len, unsigned long content);
void pf_write_direct(struct pfile *f, size_t off, size_t len, unsigned long content);
void pf_store(struct pfile *f, void *map, size_t off, size_t len, unsigned long content);
void pf_truncate(struct pfile *f, size_t bytes);
int pf_fallocate(struct pfile *f, int mode, size_t off, size_t len);

/*
 * The usual pair: two files of PAIR_PAGES pages, three of them the same but
 * never at the same offset: a[1] = b[3], a[2] = b[4], a[5] = b[6].
 */
#define PAIR_PAGES	8
#define PAIR_SHARED	3
struct pair {
	struct pfile a, b;
};

void pair_new(struct pair *p);
void pair_map(struct pair *p, int prot, int flags);
void pair_merge(struct pair *p);	/* ksmd stands still afterwards */
void pair_setup(struct pair *p, int prot, int flags);	/* the three above */
void pair_check(struct pair *p);	/* in cache, then from the disk */
/* The pages that nobody wrote to are still shared: all but a[not]. */
void pair_still_shared(struct pair *p, int not);

/* A memory control group of its own, and reclaim of what it is charged for. */
void limited_join(void);
void limited_leave(void);
void limited_squeeze(void);
long limited_usage(void);		/* in bytes */
void limited_to(long bytes);		/* -1: not at all */

int pxa_userfaultfd(void *addr, size_t len);

/* For a program that a test starts: have its own text merged, and stay. */
int advise_text(void);
extern char __executable_start[], etext[];

#endif /* _PXA_UTIL_H */
