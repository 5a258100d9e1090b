#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/guest/init.h, in a process other than 1."""

import os
import subprocess
import tempfile
import unittest

from loading import TOOLING

SOURCE = r"""
#define INIT_SAYS "name: FAILED: "
#define INIT_STATUS 3
#include "init.h"

#include <sys/mman.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	_Atomic(int) *failed = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t a, b, c;
	int status;

	(void)argv;
	if (argc == 1) {
		errno = 0;
		die("%d of %d", 1, 2);
	}
	init_failed = failed;
	if (!fork())
		must(close(99));
	wait(&status);
	rnd_seed(&a, 1, 0);
	rnd_seed(&b, 1, 0);
	rnd_seed(&c, 1, 1);
	a = rnd64(&a);
	printf("status %d failed %d same %d %d\n", WEXITSTATUS(status), *failed,
	       a == rnd64(&b), a == rnd64(&c));
	fflush(stdout);
	_exit(0);
}
"""


class Init(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = os.path.join(cls.folder.name, "program")
        with open(cls.program + ".c", "w", encoding="utf-8") as handle:
            handle.write(SOURCE)
        subprocess.check_call(["gcc", "-Wall", "-Wextra", "-Werror", "-I",
                               os.path.join(TOOLING, "guest"), "-o", cls.program,
                               cls.program + ".c"])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_it(self, *arguments):
        p = subprocess.run([self.program] + list(arguments), stdout=subprocess.PIPE,
                           universal_newlines=True)
        return p.returncode, p.stdout

    def test_die(self):
        self.assertEqual(self.run_it(), (3, "name: FAILED: 1 of 2\n"))

    def test_of_a_child(self):
        status, text = self.run_it("child")
        self.assertEqual(status, 0)
        first, last = text.splitlines()
        self.assertRegex(first, r"^name: FAILED: close\(99\), line \d+ \(Bad file descriptor\)$")
        self.assertEqual(last, "status 3 failed 1 same 1 0")


if __name__ == "__main__":
    unittest.main()
