// SPDX-License-Identifier: GPL-2.0
/*
 * First process of the guest: runs one script, reaps orphans, powers off.
 * The script is named by GUEST_SCRIPT= on the kernel command line; its exit
 * status is printed on the console.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>

int main(void)
{
	const char *script = getenv("GUEST_SCRIPT");
	int status = 0, code = 127;
	pid_t pid, got;

	setvbuf(stdout, NULL, _IONBF, 0);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LC_ALL", "C", 1);
	if (!script) {
		printf("guest-init: no GUEST_SCRIPT on the command line\n");
		goto off;
	}
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", script, NULL);
		printf("guest-init: %s: %s\n", script, strerror(errno));
		_exit(127);
	}
	while ((got = wait(&status)) != pid)
		if (got < 0 && errno == ECHILD)
			break;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
off:
	printf("guest-init: status %d\n", code);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
