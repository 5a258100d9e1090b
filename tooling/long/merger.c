// SPDX-License-Identifier: GPL-2.0
/*
 * merger DIRECTORY: let ksmd share what the files of a filesystem hold.
 *
 * Maps the files below DIRECTORY and all that any process has open on the same
 * filesystem, up to 32 MiB of each, for a while, and advises MADV_MERGEABLE.
 * Programs that know nothing of sharing then work on shared pages. Has no end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS	96
#define LIMIT	(32UL << 20)

static struct {
	void *start;
	size_t len;
} maps[MAPS];
static unsigned int turn;
static dev_t device;

static void keep(const char *path, int flags)
{
	size_t len = 0;
	struct stat st;
	void *p;
	int fd;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_dev == device)
		len = st.st_size;
	if (len > LIMIT)
		len = LIMIT;
	p = len < 4096 ? MAP_FAILED : mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	turn = (turn + 1) % MAPS;
	if (maps[turn].start)
		munmap(maps[turn].start, maps[turn].len);
	maps[turn].start = p;
	maps[turn].len = len;
	/* refused where nothing can be shared */
	madvise(p, len, MADV_MERGEABLE);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type == FTW_F && S_ISREG(st->st_mode))
		keep(path, O_NOFOLLOW);
	return 0;
}

/* What is open may have no name any more. */
static void open_files(void)
{
	char folder[300], path[600];
	struct dirent *p, *f;
	DIR *proc, *fds;
	struct stat st;

	proc = opendir("/proc");
	if (!proc)
		exit(1);
	while ((p = readdir(proc))) {
		if (atoi(p->d_name) < 2 || atoi(p->d_name) == getpid())
			continue;
		snprintf(folder, sizeof(folder), "/proc/%s/fd", p->d_name);
		fds = opendir(folder);
		while (fds && (f = readdir(fds))) {
			snprintf(path, sizeof(path), "%s/%s", folder, f->d_name);
			if (f->d_name[0] != '.' && !stat(path, &st) && st.st_dev == device &&
			    S_ISREG(st.st_mode))
				keep(path, 0);
		}
		if (fds)
			closedir(fds);
	}
	closedir(proc);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc != 2 || stat(argv[1], &st))
		return 2;
	device = st.st_dev;
	for (;;) {
		nftw(argv[1], visit, 16, FTW_PHYS | FTW_MOUNT);
		open_files();
		usleep(200000);
	}
}
