#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/long/run: its jobs, its reading of consoles, its comparison."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest

from loading import TOOLING, load

RUN = load("long/run")


class Jobs(unittest.TestCase):
    def test_shell_syntax(self):
        for suite in RUN.SUITES:
            for name, limit, command in RUN.jobs(suite, 60, 1):
                self.assertGreater(limit, 6)
                self.assertNotRegex(name + command, "[\t\n]")
                subprocess.run(["sh", "-n", "-c", command], check=True)

    def test_names(self):
        for suite in RUN.SUITES:
            names = [job[0] for job in RUN.jobs(suite, 60, 1)]
            self.assertEqual(len(set(names)), len(names))

    def test_seconds_and_seed(self):
        command = dict((job[0], job[2]) for job in RUN.jobs("stress", 600, 77))["mmap-file"]
        self.assertIn("--timeout 60 --seed 77 --mmap 2 --mmap-file", command)
        self.assertIn("--timeout 2 ", RUN.jobs("stress", 1, 1)[0][2])

    def test_guest_script(self):
        subprocess.run(["sh", "-n", os.path.join(TOOLING, "long", "guest-script")],
                       check=True)


class Vmtests(unittest.TestCase):
    def test_output(self):
        self.assertEqual(RUN.vmtests([
            "-----", "running hugepage-mmap", "-----", "bytes", "[PASS]",
            "running gup_benchmark -b (pin_user_pages)", "[FAIL]",
            "NOTE: more", "running HMM smoke test", "[SKIP]",
            "running never ended"]),
            [("hugepage_mmap", "ok"), ("gup_benchmark_b_pin_user_pages", "not ok"),
             ("HMM_smoke_test", "skip")])


CONSOLE = """\
[    0.1] Linux version
guest: start one\r
| output with BUG: of its own\r
guest: end one 0 merges 7 breaks 3
[    9.1] %s
guest: start two
guest: end two %d merges 9 breaks 4
guest: start three
"""


class Parse(unittest.TestCase):
    def test_results(self):
        found = RUN.parse("fio", CONSOLE % ("fine", 1))
        self.assertEqual(found, ({"one": "ok", "two": "not ok", "three": "not ok"},
                                 [], 9, 4))

    def test_skipped(self):
        self.assertEqual(RUN.parse("stress", CONSOLE % ("", 4))[0]["two"], "skip")
        self.assertEqual(RUN.parse("fio", CONSOLE % ("", 4))[0]["two"], "not ok")

    def test_report(self):
        found = RUN.parse("fio", CONSOLE % ("WARNING: CPU: 1 PID: 7 at mm/x.c:5 f+0x1/0x2",
                                            0))
        self.assertEqual(found[1], [("after one", "[    9.1] WARNING: CPU: 1 PID: 7 at "
                                     "mm/x.c:5 f+0x1/0x2")])

    def test_vmtests_that_hang(self):
        text = "guest: start run_vmtests\n| running a b\n| [PASS]\n| running c\n"
        self.assertEqual(RUN.parse("selftests", text)[0], {"run_vmtests": "not ok"})
        text += "guest: end run_vmtests 137 merges 0 breaks 0\n"
        self.assertEqual(RUN.parse("selftests", text)[0],
                         {"run_vmtests": "not ok", "vm a_b": "ok"})

    def test_vmtests(self):
        text = ("guest: start run_vmtests\n| running a\n| [FAIL]\n"
                "guest: end run_vmtests 1 merges 0 breaks 0\n")
        self.assertEqual(RUN.parse("selftests", text)[0],
                         {"run_vmtests": "ok", "vm a": "not ok"})

    def test_plain(self):
        self.assertEqual(
            RUN.plain("[   12.5] WARNING: CPU: 1 PID: 70 at mm/x.c:5 f+0x1a/0x2"),
            RUN.plain("[    2.5] WARNING: CPU: 3 PID: 9 at mm/x.c:8 f+0x1b/0x2"))
        self.assertNotEqual(RUN.plain("BUG: a"), RUN.plain("BUG: b"))


class Compare(unittest.TestCase):
    @staticmethod
    def compare(base, patched, suite="selftests", reports=([], []), counts=(0, 0)):
        found = RUN.compare(suite, base, (base, reports[0], 0, 0),
                            (patched, reports[1]) + counts)
        return [(status, name.partition(": ")[2]) for status, name, _ in found]

    def test_same(self):
        self.assertEqual(self.compare({"a": "ok"}, {"a": "ok"}),
                         [("ok", "a"), ("ok", "no kernel report")])

    def test_fails_on_both(self):
        self.assertIn(("skip", "a"), self.compare({"a": "not ok"}, {"a": "not ok"}))

    def test_regression(self):
        for base, now in (("ok", "not ok"), ("ok", "skip"), ("skip", "not ok"),
                          ("not ok", "skip")):
            self.assertIn(("not ok", "a"), self.compare({"a": base}, {"a": now}))

    def test_better(self):
        self.assertIn(("ok", "a"), self.compare({"a": "not ok"}, {"a": "ok"}))

    def test_not_run(self):
        self.assertIn(("not ok", "a"), self.compare({"a": "ok"}, {}))
        found = RUN.compare("fio", ["a"], ({}, [], 0, 0), ({}, [], 0, 0))
        self.assertEqual(found[0], ("not ok", "fio: a", "not run"))

    def test_reports(self):
        def line(n):
            return ("x", "[ %d.0] WARNING: CPU: %d PID: 7 at mm/x.c:5 f+0x1/0x2" % (n, n))
        self.assertIn(("not ok", "kernel report in x"),
                      self.compare({}, {}, reports=([], [line(1)])))
        self.assertIn(("skip", "kernel report in x"),
                      self.compare({}, {}, reports=([line(2)], [line(1)])))
        self.assertIn(("ok", "no kernel report"),
                      self.compare({}, {}, reports=([line(2)], [])))

    def test_sharing(self):
        same = {"a": "ok"}
        self.assertIn(("not ok", "pages were shared"),
                      self.compare(same, same, "fio", counts=(3, 3)))
        self.assertIn(("ok", "pages were shared"),
                      self.compare(same, same, "fio", counts=(300, 30)))


class Files(unittest.TestCase):
    def test_tap(self):
        with tempfile.TemporaryDirectory() as folder:
            count = RUN.write_tap(folder, [("ok", "a", ""), ("not ok", "b", "why"),
                                           ("skip", "c", "both")])
            self.assertEqual(count, (1, 1, 1))
            with open(os.path.join(folder, "results.tap")) as handle:
                self.assertEqual(handle.read(), "1..3\nok 1 - a\nnot ok 2 - b\n# why\n"
                                 "ok 3 - c # SKIP both\n")

    def test_libraries(self):
        found = RUN.libraries([sys.executable, "/bin/sh"])
        self.assertTrue([name for name in found if "libc.so.6" in name])
        self.assertTrue([name for name in found if "/ld-linux" in name])

    def test_refused(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            for more in (["--suites", "lunch"], ["--fs", "vfat"], ["--seconds", "x"], []):
                self.assertEqual(RUN.main(["--work", "/nowhere", "--out", "/nowhere"]
                                          + more), 2)
        for text in ("there is no suite lunch", "FS=vfat is not one of", "SECONDS",
                     "run `make test-long`"):
            self.assertIn(text, err.getvalue())


if __name__ == "__main__":
    unittest.main()
