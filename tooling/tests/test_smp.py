#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/smp.sh: what it makes of a kernel and of guests that fail, hang
or come too late."""

import os
import re
import subprocess
import tempfile
import time
import unittest

from loading import TOOLING, load

TORTURE = load("torture/run")
HW = "bad memory, nodes, x86-64 with 4 CPUs"
KERNEL = "the x86-64 kernel builds"
POWERCUT = "3 power cuts, ext4, x86-64 with 4 CPUs"
SCRIPT = """
set -euo pipefail
RESULTS=$OUT/results.tap
. "$TOOLING/results.sh"
. "$TOOLING/smp.sh"
SMP_HANGS=60
%s
smp
summary
"""
# What the programs do in place of building and booting: $build, $torture, $hw, $powercut
PROGRAM = """#!/bin/bash
case "$0 $*" in
*' --build'*) eval "$build"; echo kernel ;;
*torture/run*) eval "$torture" ;;
*guest-tests/x86*) eval "$hw" ;;
*) eval "$powercut" ;;
esac
echo "$*" >>"$OUT/calls"
"""


class Smp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = folder.name
        for name in ("torture/run", "powercut/run", "guest-tests/x86"):
            path = os.path.join(self.out, name)
            os.mkdir(os.path.dirname(path))
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(PROGRAM)
            os.chmod(path, 0o755)

    def smp(self, settings="", **commands):
        """(exit status, results, what was printed)"""
        for name in ("results.tap", "calls"):
            with open(os.path.join(self.out, name), "w", encoding="utf-8"):
                pass
        env = dict(os.environ, TOOLING=TOOLING, OUT=self.out, T=self.out, WORK="work",
                   **dict({"build": ":", "torture": ":", "hw": ":", "powercut": ":"},
                          **commands))
        p = subprocess.run(["bash", "-c", SCRIPT % settings], env=env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, universal_newlines=True)
        results = {}
        with open(os.path.join(self.out, "results.tap"), encoding="utf-8") as handle:
            for line in handle:
                found = re.match(r"(not ok|ok) \d+ - ([^#]*?)(?: # (SKIP)?.*)?$", line)
                results[found.group(2)] = found.group(3) or found.group(1)
        return p.returncode, results, p.stdout

    def test_all(self):
        status, results, text = self.smp(
            torture="echo 'torture: 9 operations, 8 merges'")
        self.assertEqual(status, 0, text)
        self.assertEqual(set(results.values()), {"ok"})
        self.assertEqual(list(results), [KERNEL, HW] + [
            "torture, %s, 20 s, x86-64 with 4 CPUs" % fs
            for fs in ("ext4", "xfs", "tmpfs", "all")] + [POWERCUT])
        self.assertIn("torture: 9 operations, 8 merges", text)
        with open(os.path.join(self.out, "calls"), encoding="utf-8") as handle:
            calls = handle.read().splitlines()
        self.assertEqual(len(calls), 7)
        for call in calls[1:]:
            self.assertTrue(call.endswith(" --kernel kernel"), call)

    def test_filesystems_are_known(self):
        with open(os.path.join(TOOLING, "smp.sh"), encoding="utf-8") as handle:
            names = re.search(r'^SMP_FILESYSTEMS="(.*)"', handle.read(), re.M).group(1)
        for name in names.split():
            self.assertIn(name, list(TORTURE.FILESYSTEMS) + ["all"])

    def test_kernel_does_not_build(self):
        status, results, text = self.smp(build="echo 'error: no'; exit 2")
        self.assertEqual(status, 1)
        self.assertEqual(results, {KERNEL: "not ok"})
        self.assertIn("error: no", text)

    def test_kernel_is_late(self):
        mark = os.path.join(self.out, "child")
        status, results, text = self.smp(
            "SMP_BUILT_BY=2; result ok other",
            build="(sleep 20; touch %s) & wait" % mark)
        self.assertEqual(status, 0, text)
        self.assertEqual(results.pop("other"), "ok")
        self.assertEqual(len(results), 7)
        self.assertEqual(set(results.values()), {"SKIP"})
        self.assertIn("no time: not built in 2 s", text)
        time.sleep(20)
        self.assertFalse(os.path.exists(mark), "what the builder started goes on")

    def test_guest_fails(self):
        status, results, text = self.smp(
            torture="echo 'torture: error: no QEMU'; [[ $* != *xfs* ]] || exit 2")
        self.assertEqual(status, 1)
        self.assertEqual([name for name, how in results.items() if how != "ok"],
                         ["torture, xfs, 20 s, x86-64 with 4 CPUs"])
        self.assertIn("error: no QEMU", text)

    def test_how_the_guest_ended(self):
        status, _, text = self.smp(
            torture="echo qemu-run: QEMU itself was killed by SIGSEGV >&2; exit 1")
        self.assertEqual(status, 1)
        self.assertIn("   qemu-run: QEMU itself was killed by SIGSEGV\n", text)

    def test_guest_hangs(self):
        status, results, text = self.smp("SMP_HANGS=4", powercut="exec sleep 60")
        self.assertEqual(status, 1)
        self.assertEqual(results[POWERCUT], "not ok")
        self.assertIn("not at its end after 4 s", text)

    def test_no_time_for_the_last(self):
        # enough for those that need less
        status, results, text = self.smp("SMP_ENDED_BY=300 SMP_POWERCUT=301")
        self.assertEqual(status, 0, text)
        self.assertEqual(results[POWERCUT], "SKIP")
        self.assertEqual([how for name, how in results.items() if name != POWERCUT],
                         ["ok"] * 6)

    def test_time_ends_within_the_last(self):
        status, results, text = self.smp(
            "SMP_HANGS=600 SMP_TORTURE=1 SMP_HW=1 SMP_POWERCUT=1 SMP_ENDED_BY=8",
            powercut="exec sleep 60")
        self.assertEqual(status, 0, text)
        self.assertEqual(results[POWERCUT], "SKIP")
        self.assertIn("no time: not at its end after", text)
        self.assertEqual([how for name, how in results.items() if name != POWERCUT],
                         ["ok"] * 6)

    def test_in_time(self):
        status, results, text = self.smp(
            "SECONDS=100; in_time 100 early && result ok early;"
            "in_time 98 late && result ok late; SECONDS=0")
        self.assertEqual(status, 0, text)
        self.assertEqual((results["early"], results["late"]), ("ok", "SKIP"))

    def test_fails_within_the_last(self):
        status, results, _ = self.smp("SMP_HANGS=600 SMP_ENDED_BY=300", powercut="exit 1")
        self.assertEqual(status, 1)
        self.assertEqual(results[POWERCUT], "not ok")

    def test_selftests_fail(self):
        status, results, text = self.smp(hw="echo 'not ok 3 - tmpfs.pxa_hw: x'; exit 1")
        self.assertEqual(status, 1)
        self.assertEqual([name for name, how in results.items() if how != "ok"], [HW])
        self.assertIn("tmpfs.pxa_hw: x", text)


if __name__ == "__main__":
    unittest.main()
