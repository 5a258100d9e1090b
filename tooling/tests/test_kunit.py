#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the reader of KUnit output."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import kunit  # noqa: E402

GOOD = """TAP version 14
1..2
    # Subtest: first
    1..2
    ok 1 - one
    # two: EXPECTATION FAILED at x.c:1
    not ok 2 - two
not ok 1 - first
[    0.120000]     # Subtest: second
[    0.120000]     1..1
[    0.120000]     ok 1 - only
[    0.120000] ok 2 - second
random console text
"""


class Parse(unittest.TestCase):
    def parse(self, text):
        return kunit.parse(text.split("\n"))

    def test_cases_and_suites(self):
        results, suites = self.parse(GOOD)
        self.assertEqual(results, [(True, "first: one"),
                                   (False, "first: two"),
                                   (True, "second: only")])
        self.assertEqual(suites, ["first", "second"])

    def test_crash_in_a_case(self):
        text = GOOD.split("    ok 1 - only")[0].rsplit("\n", 1)[0] + \
            "\nKernel panic\n"
        results, _ = self.parse(text)
        self.assertEqual(results[-2:], [
            (False, "second: 0 of 1 cases have a result"),
            (False, "second: the suite did not end")])

    def test_missing_case(self):
        results, _ = self.parse(GOOD.replace("    ok 1 - one\n", ""))
        self.assertIn((False, "first: 1 of 2 cases have a result"), results)

    def test_empty(self):
        self.assertEqual(self.parse("nothing\n"), ([], []))


if __name__ == "__main__":
    unittest.main()
