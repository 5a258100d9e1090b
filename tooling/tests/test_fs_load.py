#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/fs-load: the program on this machine, and what run makes of
the output of a guest."""

import os
import shutil
import subprocess
import tempfile
import unittest

from loading import TOOLING, load

HERE = os.path.join(TOOLING, "fs-load")
RUN = load("fs-load/run")


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp()
        cls.program = os.path.join(cls.top, "fs-load")
        subprocess.check_call(["gcc", "-O2", "-o", cls.program,
                               os.path.join(HERE, "fs-load.c")])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir=self.top)
        self.state = tempfile.mkdtemp(dir=self.top)

    def run_it(self, *arguments):
        p = subprocess.run([self.program, "--seconds", "1", "--size", "300000"] +
                           list(arguments) + [self.dir], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True)
        return p.returncode, p.stdout

    def damage(self, name, at):
        with open(os.path.join(self.dir, name), "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 1]))

    def test_load_and_check(self):
        state = ["--state", self.state]
        for arguments in ([], ["--check"], [], ["--check"]):
            status, text = self.run_it(*state, *arguments)
            self.assertEqual(status, 0, text)

    def test_one_wrong_byte_is_found(self):
        status, text = self.run_it("--state", self.state)
        self.assertEqual(status, 0, text)
        self.damage("common", 12345)
        status, text = self.run_it("--state", self.state, "--check")
        self.assertEqual(status, 1)
        self.assertIn("byte 12345 is", text)

    def test_wrong_size_and_name_are_found(self):
        self.run_it("--state", self.state)
        folder = os.path.join(self.dir, "p1")
        name = [n for n in os.listdir(folder) if n.startswith("f2")][0]
        with open(os.path.join(folder, name), "ab") as f:
            f.write(b"\0")
        status, text = self.run_it("--state", self.state, "--check")
        self.assertEqual(status, 1)
        self.assertIn("the size is", text)

    def test_known_files(self):
        subprocess.check_call([self.program, "--fill", self.dir])
        status, text = self.run_it("--read-only", "--need", "names,map-read")
        self.assertEqual(status, 0, text)
        self.damage("k9", 1000000)
        status, text = self.run_it("--read-only", "--check")
        self.assertEqual(status, 1)
        self.assertIn("byte 1000000 is", text)

    def test_need(self):
        status, text = self.run_it("--state", self.state, "--without", "readv",
                                   "--need", "read,readv")
        self.assertEqual(status, 1)
        self.assertIn("readv was not done once", text)
        self.assertNotIn("error: read was", text)


class Judge(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.console = "boot\nguest: start x\nguest: step load\nguest: end x ok\n"

    def tearDown(self):
        shutil.rmtree(self.dir)

    def judge(self, status, result, console=None):
        with open(os.path.join(self.dir, "result"), "w", encoding="utf-8") as f:
            f.write(result)
        with open(os.path.join(self.dir, "console.log"), "w", encoding="utf-8") as f:
            f.write(console or self.console)
        return RUN.judge(self.dir, status)

    def test_ok(self):
        self.assertEqual(self.judge(0, "operations: 5 read=5\nok\n"), ("ok", ""))

    def test_skip(self):
        self.assertEqual(self.judge(0, "skip the kernel lacks x\n"),
                         ("skip", "the kernel lacks x"))

    def test_warning(self):
        status, why = self.judge(126, "ok\n", self.console.replace(
            "guest: end", "WARNING: CPU: 0 PID: 9 at include/linux/page-mapping.h:65 "
            "ext4_readpage+0x1\npage of 1 where the callback got 2\nguest: end"))
        self.assertEqual(status, "not ok")
        self.assertIn("page-mapping.h", why)

    def test_failed_step(self):
        status, why = self.judge(0, "fs-load: error: byte 1\nfail load\n")
        self.assertEqual((status, why), ("not ok", "load: fs-load: error: byte 1"))

    def test_ended_early(self):
        for code, result in ((125, ""), (0, ""), (124, "operations: 5\n"), (0, "operations: 5\n"),
                             (125, "ok\n")):
            self.assertEqual(self.judge(code, result)[0], "not ok", (code, result))

    def test_results(self):
        counts = RUN.write_results(self.dir, [
            ("ok", "a", ""), ("skip", "b", "no mkfs"), ("not ok", "c", "load")])
        self.assertEqual(counts, (1, 1, 1))
        with open(os.path.join(self.dir, "results.tap"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "1..3\nok 1 - a\nok 2 - b # SKIP no mkfs\n"
                             "not ok 3 - c\n# load\n")

    def test_operations(self):
        self.judge(0, "operations: 5 read=5\nrefused: clone zero\n"
                   "operations: 2 read=2\nrefused: clone\nok\n")
        self.assertEqual(RUN.operations(self.dir), (7, ["clone", "zero"]))


class Cases(unittest.TestCase):
    def test_names(self):
        names = [test.name for test in RUN.CASES]
        self.assertEqual(len(names), len(set(names)))

    def test_needed_operations_exist(self):
        with open(os.path.join(HERE, "fs-load.c"), encoding="utf-8") as f:
            source = f.read()
        for test in RUN.CASES:
            words = test.need.split() + \
                test.load.replace("--without ", "").replace(",", " ").split()
            for word in words:
                self.assertIn('{ "%s",' % word, source, test.name)


if __name__ == "__main__":
    unittest.main()
