// SPDX-License-Identifier: GPL-2.0
/*
 * The cross-file leak: somebody holds a page that he got as a page of file b.
 * Then b goes its own way, and a is left as the only user of that page.  When
 * a is written now, the holder must not see what is written: it was never in b.
 *
 * On a kernel without sharing the holder may see later writes to b (a pipe
 * holds the page of the page cache itself), but never those to a.
 */
#include "pxa_util.h"
#include <pthread.h>
#include <arpa/inet.h>
#include <linux/futex.h>
#include <linux/tcp.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define OLD	3000		/* content of a[1] and b[3], see pair_new() */
#define SECRET	666
#define NEW_B	777

static unsigned char old[65536], secret[65536], new_b[65536];
static unsigned char got[65536] __attribute__((aligned(65536)));

/* How b leaves the shared page. */
enum leave {
	B_WRITE,
	B_STORE,
	B_TRUNCATE,
	B_PUNCH,
	B_DIRECT,
	B_UNLINK,
	B_DONTNEED,
	B_DROP_CACHES,
	B_UNMERGEABLE,
	B_STAYS,
};

/* How a is written. */
enum way {
	A_WRITE,
	A_STORE,
};

static void leave(struct pair *p, enum leave how)
{
	int err;

	switch (how) {
	case B_WRITE:
		pf_write(&p->b, 3 * psz, psz, NEW_B);
		break;
	case B_STORE:
		pf_store(&p->b, p->b.map, 3 * psz, psz, NEW_B);
		break;
	case B_TRUNCATE:
		pf_truncate(&p->b, 0);
		break;
	case B_PUNCH:
		err = pf_fallocate(&p->b, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 3 * psz, psz);
		if (err == -EOPNOTSUPP)
			pxa_skip("no FALLOC_FL_PUNCH_HOLE here");
		REQ(!err);
		break;
	case B_DIRECT:
		pf_write_direct(&p->b, 3 * psz, psz, NEW_B);
		break;
	case B_UNLINK:
		pf_unmap(&p->b);
		REQ(OP(unlink(p->b.path)) == 0);
		REQ(OP(close(p->b.fd)) == 0);
		p->b.fd = -1;
		break;
	case B_DONTNEED:
		pf_unmap(&p->b);
		REQ(OP(posix_fadvise(p->b.fd, 0, 0, POSIX_FADV_DONTNEED)) == 0);
		break;
	case B_DROP_CACHES:
		pf_unmap(&p->b);
		drop_caches();
		break;
	case B_UNMERGEABLE:
		REQ(OP(madvise(p->b.map, p->b.map_len, MADV_UNMERGEABLE)) == 0);
		break;
	case B_STAYS:
		break;
	}
}

static void write_secret(struct pair *p, enum way way)
{
	if (way == A_WRITE)
		pf_write(&p->a, psz, psz, SECRET);
	else
		pf_store(&p->a, p->a.map, psz, psz, SECRET);
}

static void start(struct pair *p)
{
	fill(old, psz, OLD);
	fill(secret, psz, SECRET);
	fill(new_b, psz, NEW_B);
	pair_setup(p, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void verdict(const unsigned char *bytes, const char *holder, enum leave how)
{
	size_t i;

	if (!memcmp(bytes, old, psz))
		return;
	if (!memcmp(bytes, secret, psz))
		FAIL("LEAK: %s of b shows what was written to a", holder);
	if (!pxa_expect) {
		/* as b itself changed */
		if ((how == B_WRITE || how == B_STORE) && !memcmp(bytes, new_b, psz))
			return;
		for (i = 0; i < psz && !bytes[i]; i++)
			;
		if ((how == B_TRUNCATE || how == B_PUNCH) && i == psz)
			return;
	}
	for (i = 0; i < psz && bytes[i] == old[i]; i++)
		;
	FAIL("%s of b: byte %zu is %02x, must be %02x (a's secret: %02x, b's new bytes: %02x)",
	     holder, i, bytes[i], old[i], secret[i], new_b[i]);
}

static void drain(int fd)
{
	size_t n = 0;
	ssize_t k;

	while (n < psz) {
		op_begin("read from the pipe");
		k = read(fd, got + n, psz - n);
		op_end();
		REQ(k > 0);
		n += k;
	}
}

static void rest(struct pair *p)
{
	pf_check(&p->a);
	pf_check_cold(&p->a);
	if (p->b.fd >= 0)
		pf_check_cold(&p->b);
}

static void by_splice(enum leave how, enum way way)
{
	loff_t off = 3 * psz;
	struct pair p;
	int fd[2];

	start(&p);
	REQ(pipe(fd) == 0);
	REQ(OP(splice(p.b.fd, &off, fd[1], NULL, psz, 0)) == (ssize_t)psz);
	leave(&p, how);
	write_secret(&p, way);
	drain(fd[0]);
	verdict(got, "a pipe", how);
	rest(&p);
}

static void splice_write_write(void) { by_splice(B_WRITE, A_WRITE); }
static void splice_write_store(void) { by_splice(B_WRITE, A_STORE); }
static void splice_store_write(void) { by_splice(B_STORE, A_WRITE); }
static void splice_store_store(void) { by_splice(B_STORE, A_STORE); }
static void splice_truncate_write(void) { by_splice(B_TRUNCATE, A_WRITE); }
static void splice_truncate_store(void) { by_splice(B_TRUNCATE, A_STORE); }
static void splice_punch_store(void) { by_splice(B_PUNCH, A_STORE); }
static void splice_direct_write(void) { by_splice(B_DIRECT, A_WRITE); }
static void splice_unlink_write(void) { by_splice(B_UNLINK, A_WRITE); }
static void splice_unlink_store(void) { by_splice(B_UNLINK, A_STORE); }
static void splice_dontneed_write(void) { by_splice(B_DONTNEED, A_WRITE); }
static void splice_dontneed_store(void) { by_splice(B_DONTNEED, A_STORE); }
static void splice_drop_caches_write(void) { by_splice(B_DROP_CACHES, A_WRITE); }
static void splice_unmergeable_store(void) { by_splice(B_UNMERGEABLE, A_STORE); }
static void splice_stays_write(void) { by_splice(B_STAYS, A_WRITE); }
static void splice_stays_store(void) { by_splice(B_STAYS, A_STORE); }

/* The page is in two pipes, and one of them lets it go first. */
static void splice_tee(void)
{
	loff_t off = 3 * psz;
	int fd[2], copy[2];
	struct pair p;

	start(&p);
	REQ(pipe(fd) == 0);
	REQ(pipe(copy) == 0);
	REQ(OP(splice(p.b.fd, &off, fd[1], NULL, psz, 0)) == (ssize_t)psz);
	REQ(OP(tee(fd[0], copy[1], psz, 0)) == (ssize_t)psz);
	drain(fd[0]);
	leave(&p, B_WRITE);
	write_secret(&p, A_STORE);
	drain(copy[0]);
	verdict(got, "a pipe by tee()", B_WRITE);
	rest(&p);
}

static void splice_unmerge_all(void)
{
	loff_t off = 3 * psz;
	struct pair p;
	int fd[2];

	start(&p);
	REQ(pipe(fd) == 0);
	REQ(OP(splice(p.b.fd, &off, fd[1], NULL, psz, 0)) == (ssize_t)psz);
	unmerge_all();
	write_secret(&p, A_STORE);
	drain(fd[0]);
	verdict(got, "a pipe", B_UNMERGEABLE);
	rest(&p);
}

/* The other way round, the page having been a's in the first place. */
static void splice_of_a(void)
{
	loff_t off = psz;
	struct pair p;
	int fd[2];

	start(&p);
	REQ(pipe(fd) == 0);
	REQ(OP(splice(p.a.fd, &off, fd[1], NULL, psz, 0)) == (ssize_t)psz);
	if (pxa_expect)
		pf_write(&p.a, psz, psz, NEW_B);
	pf_write(&p.b, 3 * psz, psz, SECRET);
	drain(fd[0]);
	verdict(got, "a pipe", B_STAYS);
	rest(&p);
}

/* The page of b's mapping goes into the pipe: it is pinned for reading. */
static void by_vmsplice(enum leave how, enum way way)
{
	struct iovec iov;
	struct pair p;
	int fd[2];

	start(&p);
	REQ(pipe(fd) == 0);
	iov.iov_base = p.b.map + 3 * psz;
	iov.iov_len = psz;
	REQ(OP(vmsplice(fd[1], &iov, 1, 0)) == (ssize_t)psz);
	leave(&p, how);
	write_secret(&p, way);
	drain(fd[0]);
	verdict(got, "a pinned page", how);
	rest(&p);
}

static void vmsplice_write_write(void) { by_vmsplice(B_WRITE, A_WRITE); }
static void vmsplice_store_store(void) { by_vmsplice(B_STORE, A_STORE); }
static void vmsplice_unlink_store(void) { by_vmsplice(B_UNLINK, A_STORE); }
static void vmsplice_dontneed_write(void) { by_vmsplice(B_DONTNEED, A_WRITE); }
static void vmsplice_truncate_write(void) { by_vmsplice(B_TRUNCATE, A_WRITE); }

/* ------------------------------------------------------------- sockets -- */

/* A connection over the loopback device, which may be down in a guest. */
static void inet_pair(int type, int fd[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct ifreq lo = { .ifr_name = "lo" };
	socklen_t len = sizeof(addr);
	int s;

	s = socket(AF_INET, type, 0);
	if (s < 0)
		pxa_skip("no INET: %s", strerror(errno));
	REQ(ioctl(s, SIOCGIFFLAGS, &lo) == 0);
	lo.ifr_flags |= IFF_UP;
	REQ(ioctl(s, SIOCSIFFLAGS, &lo) == 0);
	REQ(bind(s, (struct sockaddr *)&addr, len) == 0);
	REQ(getsockname(s, (struct sockaddr *)&addr, &len) == 0);
	if (type == SOCK_STREAM)
		REQ(listen(s, 1) == 0);
	fd[0] = socket(AF_INET, type, 0);
	REQ(OP(connect(fd[0], (struct sockaddr *)&addr, len)) == 0);
	fd[1] = s;
	if (type == SOCK_STREAM) {
		fd[1] = OP(accept(s, NULL, NULL));
		REQ(fd[1] >= 0);
		close(s);
	}
}

static void send_page(int fd, struct pair *p)
{
	off_t off = 3 * psz;

	REQ(OP(sendfile(fd, p->b.fd, &off, psz)) == (ssize_t)psz);
}

/* The page of b waits in a socket. */
static void by_socket(int family, int type, enum leave how, enum way way)
{
	struct pair p;
	int fd[2];

	start(&p);
	if (family == AF_INET)
		inet_pair(type, fd);
	else
		REQ(socketpair(family, type, 0, fd) == 0);
	send_page(fd[0], &p);
	leave(&p, how);
	write_secret(&p, way);
	drain(fd[1]);
	verdict(got, "a socket", how);
	rest(&p);
}

static void by_unix(enum leave how, enum way way)
{
	by_socket(AF_UNIX, SOCK_STREAM, how, way);
}

static void by_tcp(enum leave how, enum way way)
{
	by_socket(AF_INET, SOCK_STREAM, how, way);
}

static void by_udp(enum leave how, enum way way)
{
	by_socket(AF_INET, SOCK_DGRAM, how, way);
}

static void unix_write_write(void) { by_unix(B_WRITE, A_WRITE); }
static void unix_store_store(void) { by_unix(B_STORE, A_STORE); }
static void unix_truncate_store(void) { by_unix(B_TRUNCATE, A_STORE); }
static void tcp_write_write(void) { by_tcp(B_WRITE, A_WRITE); }
static void tcp_store_store(void) { by_tcp(B_STORE, A_STORE); }
static void tcp_truncate_write(void) { by_tcp(B_TRUNCATE, A_WRITE); }
static void tcp_unlink_store(void) { by_tcp(B_UNLINK, A_STORE); }
static void tcp_dontneed_write(void) { by_tcp(B_DONTNEED, A_WRITE); }
static void tcp_stays_store(void) { by_tcp(B_STAYS, A_STORE); }
static void udp_unlink_write(void) { by_udp(B_UNLINK, A_WRITE); }
static void udp_truncate_store(void) { by_udp(B_TRUNCATE, A_STORE); }
static void udp_dontneed_store(void) { by_udp(B_DONTNEED, A_STORE); }

/* What may be done to an area of a socket: it shows the page still. */
static void use_area(unsigned char *area, enum leave how)
{
	struct iovec from = { .iov_base = area, .iov_len = psz };
	struct iovec to = { .iov_base = got, .iov_len = psz };
	struct timespec moment = { .tv_nsec = 1000000 };
	int fd[2], status;
	pid_t pid;

	/* the page is taken where it is: there is no file to unshare it for */
	REQ(OP(process_vm_readv(getpid(), &to, 1, &from, 1, 0)) == (ssize_t)psz);
	verdict(got, "a pinned page", how);
	REQ(pipe(fd) == 0);
	REQ(OP(vmsplice(fd[1], &from, 1, 0)) == (ssize_t)psz);
	drain(fd[0]);
	verdict(got, "a pipe", how);
	/* nor one that a futex would belong to */
	REQ(OP(syscall(__NR_futex, area, FUTEX_WAIT, *(uint32_t *)area, &moment,
		       NULL, 0)) < 0);
	REQ(errno == EFAULT);
	REQ(mprotect(area, psz, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	pid = fork();
	REQ(pid >= 0);
	if (!pid) {
		verdict(area, "an area of a child", how);
		_exit(0);
	}
	REQ(OP(waitpid(pid, &status, 0)) == pid && status == 0);
}

/* The page of b is mapped where its receiver asked for it. */
static void by_area(enum leave how, enum way way)
{
	struct tcp_zerocopy_receive zc = { .length = psz };
	socklen_t len = sizeof(zc);
	unsigned char *area;
	struct pair p;
	int fd[2];

	if (!pxa_expect)
		pxa_skip("v5.9 has a BUG if an ordinary page is truncated meanwhile");
	start(&p);
	inet_pair(SOCK_STREAM, fd);
	send_page(fd[0], &p);
	area = mmap(NULL, psz, PROT_READ, MAP_SHARED, fd[1], 0);
	REQ(area != MAP_FAILED);
	REQ(OP(recv(fd[1], got, psz, MSG_PEEK | MSG_WAITALL)) == (ssize_t)psz);
	zc.address = (uintptr_t)area;
	REQ(OP(getsockopt(fd[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len)) == 0);
	if (!zc.length) {
		REQ(zc.recv_skip_hint == psz);
		pxa_skip("pages of files are not mapped");
	}
	verdict(area, "an area", B_STAYS);
	must_share(area, p.b.map + 3 * psz);
	use_area(area, B_STAYS);
	/* whoever used it had no page unshared */
	must_share(area, p.b.map + 3 * psz);
	pair_still_shared(&p, -1);

	leave(&p, how);
	verdict(area, "an area", how);
	write_secret(&p, way);
	verdict(area, "an area", how);
	use_area(area, how);
	if (how == B_UNMERGEABLE) {
		unmerge_all();
		verdict(area, "an area", how);
	}
	rest(&p);
	verdict(area, "an area", how);
	REQ(munmap(area, psz) == 0);
	rest(&p);
}

static void area_write_write(void) { by_area(B_WRITE, A_WRITE); }
static void area_store_store(void) { by_area(B_STORE, A_STORE); }
static void area_truncate_store(void) { by_area(B_TRUNCATE, A_STORE); }
static void area_unlink_write(void) { by_area(B_UNLINK, A_WRITE); }
static void area_drop_caches_store(void) { by_area(B_DROP_CACHES, A_STORE); }
static void area_unmergeable_write(void) { by_area(B_UNMERGEABLE, A_WRITE); }
static void area_stays_store(void) { by_area(B_STAYS, A_STORE); }

/* ------------------------------------------------------- stalled reads -- */

/* read(2) of b that sleeps in the copy to user space, holding the page. */
struct reader {
	int fd;
	void *buf;
	ssize_t n;
};

static void *reader(void *arg)
{
	struct reader *r = arg;

	r->n = pread(r->fd, r->buf, psz, 3 * psz);
	return NULL;
}

/* A reader who stalls keeps writers of the same file away there. */
static bool reads_exclude_writes(void)
{
	return on_fs(XFS_SUPER_MAGIC);
}

static void by_stalled_read(enum leave how, enum way way)
{
	struct uffdio_zeropage zp;
	struct uffd_msg msg;
	struct reader r;
	pthread_t thread;
	struct pair p;
	int uffd;

	if ((how == B_WRITE || how == B_TRUNCATE) && reads_exclude_writes())
		pxa_skip("read(2) and write(2) exclude each other on xfs");
	start(&p);
	r.fd = open(p.b.path, O_RDONLY);
	REQ(r.fd >= 0);
	r.buf = mmap(NULL, psz, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQ(r.buf != MAP_FAILED);
	uffd = pxa_userfaultfd(r.buf, psz);
	if (uffd < 0)
		pxa_skip("no userfaultfd");
	REQ(!pthread_create(&thread, NULL, reader, &r));
	op_begin("fault of the reader");
	REQ(read(uffd, &msg, sizeof(msg)) == sizeof(msg));
	op_end();
	leave(&p, how);
	write_secret(&p, way);
	memset(&zp, 0, sizeof(zp));
	zp.range.start = (uintptr_t)r.buf;
	zp.range.len = psz;
	REQ(OP(ioctl(uffd, UFFDIO_ZEROPAGE, &zp)) == 0);
	op_begin("end of the reader");
	pthread_join(thread, NULL);
	op_end();
	REQ(r.n == (ssize_t)psz);
	verdict(r.buf, "a reader", how);
	close(uffd);
	rest(&p);
}

static void read_write_write(void) { by_stalled_read(B_WRITE, A_WRITE); }
static void read_store_store(void) { by_stalled_read(B_STORE, A_STORE); }
static void read_dontneed_store(void) { by_stalled_read(B_DONTNEED, A_STORE); }
static void read_truncate_write(void) { by_stalled_read(B_TRUNCATE, A_WRITE); }

/*
 * b's mapping is written to c directly, over and over, while a's page changes
 * between the common content and a secret: c must never show the secret.
 */
static void *direct_writer(void *arg)
{
	struct pair *p = arg;
	static char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/c", pxa_scratch);
	fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	if (fd < 0)
		return (void *)1L;
	for (;;) {
		if (pwrite(fd, p->b.map + 3 * psz, psz, 0) != (ssize_t)psz)
			return (void *)2L;
		if (pread(fd, got, psz, 0) != (ssize_t)psz)
			return (void *)3L;
		if (memcmp(got, old, psz))
			FAIL("LEAK: a direct write from b's page shows other bytes");
	}
	return NULL;
}

static void direct_race(void)
{
	double end = now() + 5;
	pthread_t thread;
	struct pair p;
	int i;

	if (!has_direct())
		pxa_skip("no O_DIRECT on this filesystem");
	start(&p);
	REQ(!pthread_create(&thread, NULL, direct_writer, &p));
	merge_start();
	for (i = 0; now() < end; i++) {
		write_secret(&p, i & 1 ? A_WRITE : A_STORE);
		pf_write(&p.a, psz, psz, OLD);
		REQ(OP(fsync(p.a.fd)) == 0);
		msleep(i % 16);
	}
	merge_stop();
	if (pthread_tryjoin_np(thread, NULL) == 0)
		FAIL("the direct writer ended");
	rest(&p);
}

/* Pages of two files in one pipe, and one of the files reclaimed in between. */
static void splice_reclaim(void)
{
	loff_t off = 3 * psz;
	struct pair p;
	int fd[2], i;

	start(&p);
	REQ(pipe(fd) == 0);
	REQ(OP(splice(p.b.fd, &off, fd[1], NULL, psz, 0)) == (ssize_t)psz);
	pf_unmap(&p.a);
	pf_unmap(&p.b);
	for (i = 0; i < 3; i++) {
		drop_caches();
		OP(posix_fadvise(p.a.fd, 0, 0, POSIX_FADV_DONTNEED));
		OP(posix_fadvise(p.b.fd, 0, 0, POSIX_FADV_DONTNEED));
	}
	pf_map(&p.a, PROT_READ | PROT_WRITE, MAP_SHARED);
	write_secret(&p, A_STORE);
	drain(fd[0]);
	verdict(got, "a pipe", B_DROP_CACHES);
	rest(&p);
}

static void pipe_io(int fd[2], size_t len, bool in)
{
	ssize_t n;

	op_begin(in ? "write to the pipe" : "read from the pipe");
	n = in ? write(fd[1], secret, len) : read(fd[0], got, len);
	op_end();
	REQ(n == (ssize_t)len);
}

/*
 * What is written to a pipe goes to the end of the page that is there already, if
 * that is the pipe's own.  Its slot may have had such a page before (CVE-2022-0847).
 */
static void pipe_flags(void)
{
	static const size_t lens[] = { 1, 2, 7, 64, 100 };
	struct pfile *f;
	struct pair p;
	size_t i, n;
	int fd[2];
	long cap;

	if (!pxa_expect)
		pxa_skip("v5.9 has the fault without sharing too");
	start(&p);
	REQ(pipe(fd) == 0);
	cap = fcntl(fd[1], F_GETPIPE_SZ);
	REQ(cap >= (long)psz);
	for (i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		loff_t from = (i & 1 ? 3 : 1) * psz + 10 * i, off = from;
		size_t len = lens[i / 2];

		f = i & 1 ? &p.b : &p.a;
		/* all slots of the pipe get pages that writes may add to */
		for (n = 0; n < cap / psz; n++)
			pipe_io(fd, psz, true);
		for (n = 0; n < cap / psz; n++)
			pipe_io(fd, psz, false);
		must_share(p.a.map + psz, p.b.map + 3 * psz);
		REQ(OP(splice(f->fd, &off, fd[1], NULL, 1, 0)) == 1);
		pipe_io(fd, len, true);
		/* in the page cache: nobody would write it back */
		pf_check(&p.a);
		pf_check(&p.b);
		pipe_io(fd, 1 + len, false);
		REQ(got[0] == f->shadow[from]);
		REQ(!memcmp(got + 1, secret, len));
	}
	rest(&p);
}

#define T(name) { #name, name, 0 }
static const struct pxa_test tests[] = {
	T(splice_write_write),
	T(splice_write_store),
	T(splice_store_write),
	T(splice_store_store),
	T(splice_truncate_write),
	T(splice_truncate_store),
	T(splice_punch_store),
	T(splice_direct_write),
	T(splice_unlink_write),
	T(splice_unlink_store),
	T(splice_dontneed_write),
	T(splice_dontneed_store),
	T(splice_drop_caches_write),
	T(splice_unmergeable_store),
	T(splice_stays_write),
	T(splice_stays_store),
	T(splice_tee),
	T(splice_unmerge_all),
	T(splice_of_a),
	T(splice_reclaim),
	T(vmsplice_write_write),
	T(vmsplice_store_store),
	T(vmsplice_unlink_store),
	T(vmsplice_dontneed_write),
	T(vmsplice_truncate_write),
	T(unix_write_write),
	T(unix_store_store),
	T(unix_truncate_store),
	T(tcp_write_write),
	T(tcp_store_store),
	T(tcp_truncate_write),
	T(tcp_unlink_store),
	T(tcp_dontneed_write),
	T(tcp_stays_store),
	T(udp_unlink_write),
	T(udp_truncate_store),
	T(udp_dontneed_store),
	T(area_write_write),
	T(area_store_store),
	T(area_truncate_store),
	T(area_unlink_write),
	T(area_drop_caches_store),
	T(area_unmergeable_write),
	T(area_stays_store),
	T(read_write_write),
	T(read_store_store),
	T(read_dontneed_store),
	T(read_truncate_write),
	T(direct_race),
	T(pipe_flags),
};

int main(int argc, char **argv)
{
	return pxa_run(argc, argv, tests, ARRAY_SIZE(tests));
}
