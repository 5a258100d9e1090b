/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For programs that are process 1 of a guest of tooling/qemu-run: how they end, and
 * random numbers.
 *
 * Before this is included:
 *	INIT_SAYS	how a message of die() begins
 *	INIT_STATUS	status of a guest that died
 */
#ifndef _GUEST_INIT_H
#define _GUEST_INIT_H

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

/* Set by a process other than 1 that dies, if process 1 wants to know */
static _Atomic int *init_failed;

/* End the guest; qemu-run looks for the status. In one of uml-run, process 1 does it. */
static inline void __attribute__((noreturn)) leave(int status)
{
	printf("guest: status %d\n", status);
	fflush(stdout);
	if (getpid() != 1)
		_exit(status);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static inline void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;
	int error = errno;

	printf("%s", INIT_SAYS);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (error)
		printf(" (%s)", strerror(error));
	printf("\n");
	fflush(stdout);
	if (getpid() == 1)
		leave(INIT_STATUS);
	if (init_failed)
		*init_failed = 1;
	_exit(INIT_STATUS);
}

#define must(what) ({							\
	long _result = (long)(what);					\
									\
	if (_result == -1)						\
		die("%s, line %d", #what, __LINE__);			\
	_result; })

static inline uint64_t rnd64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Of one seed, each number has a sequence of its own. */
static inline void rnd_seed(uint64_t *state, uint64_t seed, int number)
{
	int i;

	*state = (seed + 1) * 0x9e3779b97f4a7c15ULL + number * 0x632be59bd9b4e019ULL + 1;
	for (i = 0; i < 8; i++)
		rnd64(state);
}

#endif /* _GUEST_INIT_H */
