#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/demo/run: trees that cannot be shared, and their messages."""

import os
import shutil
import subprocess
import tempfile
import unittest

TOOLING = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.path.join(TOOLING, "demo", "run")


class Errors(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(dir="/var/tmp")
        self.good = self.tree("good", {"x": b"x" * 5000})

    def tearDown(self):
        shutil.rmtree(self.top)

    def tree(self, name, files):
        path = os.path.join(self.top, name)
        os.makedirs(path)
        for file, data in files.items():
            with open(os.path.join(path, file), "wb") as out:
                out.write(data)
        return path

    def run_demo(self, **env):
        env = dict({"PATH": os.environ["PATH"], "KERNEL": "/bin/false",
                    "OUT": os.path.join(self.top, "out")}, **env)
        p = subprocess.run([RUN], env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120, check=False)
        self.assertNotEqual(p.returncode, 0)
        self.assertNotIn("Traceback", p.stdout.decode())
        return p.stdout.decode()

    def test_no_kernel(self):
        self.assertIn("make uml", self.run_demo(KERNEL="/nonexistent"))

    def test_one_tree(self):
        self.assertIn("B=", self.run_demo(A=self.good))

    def test_missing(self):
        self.assertIn("does not exist", self.run_demo(A=self.good, B=self.top + "/none"))

    def test_not_a_directory(self):
        self.assertIn("not a directory", self.run_demo(A=self.good, B=self.good + "/x"))

    def test_empty(self):
        empty = self.tree("empty", {"zero": b""})
        self.assertIn("no regular file", self.run_demo(A=self.good, B=empty))

    def test_same_tree(self):
        self.assertIn("same tree", self.run_demo(A=self.good, B=self.good))

    def test_overlap(self):
        self.assertIn("overlap", self.run_demo(A=self.top, B=self.good))

    def test_memory_too_small(self):
        other = self.tree("other", {"y": b"y" * 5000})
        text = self.run_demo(A=self.good, B=other, MEM="64M")
        self.assertIn("too small", text)
        self.assertRegex(text, r"MEM=\d+M would do")

    def test_memory_no_size(self):
        other = self.tree("other", {"y": b"y" * 5000})
        self.assertIn("not a size", self.run_demo(A=self.good, B=other, MEM="lots"))

    def test_too_large(self):
        big = self.tree("big", {})
        with open(os.path.join(big, "huge"), "wb") as out:
            out.truncate(1 << 42)
        text = self.run_demo(A=self.good, B=big)
        self.assertIn("MEM=", text)
        self.assertIn("MiB free", text)

    def test_kernel_that_does_not_boot(self):
        other = self.tree("other", {"y": b"y" * 5000})
        self.assertIn("console log", self.run_demo(A=self.good, B=other))
        with open(os.path.join(self.good, "x"), "rb") as left:
            self.assertEqual(left.read(), b"x" * 5000)


if __name__ == "__main__":
    unittest.main()
