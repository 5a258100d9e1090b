// SPDX-License-Identifier: GPL-2.0
/* A guest of tooling/qemu-run that only boots: KUnit runs before the first process. */
#define INIT_SAYS	"nothing: "
#define INIT_STATUS	1
#include "init.h"

int main(void)
{
	leave(0);
}
