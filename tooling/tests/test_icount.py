#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/icount/compare: its verdict on given counts."""

import contextlib
import io
import tempfile
import unittest

from loading import load

COMPARE = load("icount/compare")


def counts(**values):
    return {(name, "ext4"): (value, value) for name, value in values.items()}


class Verdict(unittest.TestCase):
    def compare(self, limit, *results, within=()):
        """Run main() with these results for first, others, first again."""
        queue = list(results)
        COMPARE.make_guest = lambda out: ("bench", "image")
        COMPARE.measure = lambda *args: queue.pop(0)
        out = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, \
                contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(out):
            argv = ["--out", folder, "--limit", limit]
            for number in range(len(results) - 1):
                argv += ["--kernel", "k%d=%s" % (number, __file__)]
            for name in within:
                argv += ["--within", name]
            code = COMPARE.main(argv)
        return code, out.getvalue()

    def test_equal(self):
        same = counts(read=100.0, write=50.0)
        code, text = self.compare("0.2", same, same, same)
        self.assertEqual(code, 0)
        self.assertIn("nothing is above", text)

    def test_above(self):
        first = counts(read=1000.0, write=500.0)
        code, text = self.compare("0.2", first,
                                  counts(read=1003.0, write=500.0), first)
        self.assertEqual(code, 1)
        self.assertIn("read ext4 on k1, +0.30%", text)

    def test_below_limit(self):
        first = counts(read=1000.0)
        self.assertEqual(self.compare("0.2", first, counts(read=1001.0),
                                      first)[0], 0)
        self.assertEqual(self.compare("0.2", first, counts(read=900.0),
                                      first)[0], 0)

    def test_no_limit(self):
        first = counts(read=1000.0)
        self.assertEqual(self.compare("none", first, counts(read=2000.0),
                                      first)[0], 0)

    def test_within(self):
        """A limit that is for other kernels."""
        first = counts(read=1000.0)
        code, text = self.compare("0.2", first, counts(read=2000.0), first,
                                  within=["k0"])
        self.assertEqual(code, 0, text)
        self.assertIn("nothing of k0 is above", text)
        self.assertEqual(self.compare("0.2", first, counts(read=2000.0), first,
                                      within=["k0", "k1"])[0], 1)

    def test_does_not_repeat(self):
        first = counts(read=1000.0)
        code, text = self.compare("0.2", first, first, counts(read=990.0))
        self.assertEqual(code, 1)
        self.assertIn("do not repeat", text)

    def test_other_paths(self):
        code, text = self.compare("0.2", counts(read=1.0), counts(write=1.0),
                                  counts(read=1.0))
        self.assertEqual(code, 2)
        self.assertIn("different paths", text)


class Parse(unittest.TestCase):
    def test_lines(self):
        text = "[ 1.0] noise\nbench: counter 4 for 4 instructions\n" \
            "bench: read-hit ext4 256 25600 25856\n"
        self.assertEqual(COMPARE.LINE.findall(text),
                         [("read-hit", "ext4", "256", "25600", "25856")])


if __name__ == "__main__":
    unittest.main()
