// SPDX-License-Identifier: GPL-2.0
/*
 * merger DIRECTORY [MIB]: let ksmd share what the files below hold.
 *
 * Maps every file for a while, up to MIB (64) of each, and advises MADV_MERGEABLE.
 * Programs that know nothing of sharing, as fio, then work on shared pages. Has no
 * end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS 128

static struct {
	void *start;
	size_t len;
} maps[MAPS];
static size_t limit = 64;
static unsigned int turn;

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	size_t len = st->st_size;
	unsigned int slot;
	void *p;
	int fd;

	(void)where;
	if (type != FTW_F || !S_ISREG(st->st_mode) || len < 4096)
		return 0;
	if (len > limit << 20)
		len = limit << 20;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return 0;
	slot = turn++ % MAPS;
	if (maps[slot].start)
		munmap(maps[slot].start, maps[slot].len);
	maps[slot].start = p;
	maps[slot].len = len;
	/* refused where nothing can be shared */
	madvise(p, len, MADV_MERGEABLE);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (argc > 2)
		limit = strtoul(argv[2], NULL, 10);
	for (;;) {
		nftw(argv[1], visit, 32, FTW_PHYS | FTW_MOUNT);
		usleep(300000);
	}
}
