#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of what tooling/cocci does with bad input."""

import os
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), "cocci")


class BadInput(unittest.TestCase):
    def refused(self, text, *files):
        with tempfile.TemporaryDirectory() as work:
            result = subprocess.run(
                [TOOL, "--work", work] + list(files), check=False, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(text, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_no_file(self):
        self.refused("no file: make cocci FILE=")

    def test_missing_file(self):
        self.refused("not a file: /nonexistent/inode.c",
                     "/nonexistent/inode.c")

    def test_other_language(self):
        self.refused("not C source (*.c, *.h): " + os.path.abspath(__file__),
                     os.path.abspath(__file__))

    def test_no_base(self):
        with tempfile.NamedTemporaryFile(suffix=".c") as source:
            self.refused("run `make base` first", source.name)


if __name__ == "__main__":
    unittest.main()
