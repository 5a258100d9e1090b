#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/programs.py."""

import os
import unittest

from loading import TOOLING, load


class Load(unittest.TestCase):
    def test_module(self):
        module = load("uml-run")
        self.assertEqual(module.__name__, "uml_run")
        self.assertTrue(module.REPORT.search("BUG: x"))

    def test_in_a_folder(self):
        module = load("guest-tests/x86")
        self.assertEqual(module.__name__, "guest_tests_x86")
        # what it loads itself
        self.assertEqual(module.tests.__name__, "guest_tests_run")

    def test_a_new_one_each_time(self):
        first, other = load("uml-run"), load("uml-run")
        first.REPORT = None
        self.assertTrue(other.REPORT)

    def test_nothing_is_left(self):
        load("icount/compare")
        self.assertFalse(os.path.exists(os.path.join(TOOLING, "icount", "__pycache__")))

    def test_no_program(self):
        with self.assertRaises(FileNotFoundError):
            load("none")


if __name__ == "__main__":
    unittest.main()
