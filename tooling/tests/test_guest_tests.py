#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/guest-tests/run: what it makes of the output of a guest."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from loading import load

RUN = load("guest-tests/run")


class Collect(unittest.TestCase):
    def setUp(self):
        self.out = tempfile.mkdtemp()
        os.makedirs(os.path.join(self.out, "logs"))
        self.write("console.log", "")

    def tearDown(self):
        shutil.rmtree(self.out)

    def write(self, name, text):
        with open(os.path.join(self.out, name), "w", encoding="utf-8") as out:
            out.write(text)

    def collect(self, names, hung=""):
        counts = RUN.collect(self.out, names, hung)
        with open(os.path.join(self.out, "results.tap"), encoding="utf-8") as f:
            return counts, f.read()

    def test_results(self):
        self.write("logs/p.tap", "TAP version 13\n1..3\n# start: a\nok 1 a\n"
                   "# b: why\nnot ok 2 b\nok 3 # SKIP c: no such thing\n# Totals:\n")
        self.write("logs/p.rc", "1\n")
        counts, text = self.collect(["p"])
        self.assertEqual(counts, (2, 1, 1))
        self.assertIn("ok 1 - p: a\n", text)
        self.assertIn("not ok 2 - p: b\n", text)
        self.assertIn("ok 3 - p: c # SKIP no such thing\n", text)
        self.assertIn("ok 4 - p: no kernel report\n", text)

    def test_not_run(self):
        counts, text = self.collect(["p"])
        self.assertEqual(counts[1], 1)
        self.assertIn("not ok 1 - p: not run", text)

    def test_ends_early(self):
        self.write("logs/p.tap", "1..2\n# start: a\nok 1 a\n# start: b\n")
        self.write("logs/p.rc", "137\n")
        counts, text = self.collect(["p"])
        self.assertEqual(counts[1], 1)
        self.assertIn("not ok 2 - p: ended in b\n", text)

    def test_exit_status_without_failure(self):
        self.write("logs/p.tap", "1..1\nok 1 a\n")
        self.write("logs/p.rc", "139\n")
        self.assertIn("not ok 2 - p: exit status 139\n", self.collect(["p"])[1])

    def test_whole_program_skipped(self):
        self.write("logs/p.tap", "TAP version 13\n1..0 # SKIP kernel without ksm_file\n")
        self.write("logs/p.rc", "4\n")
        counts, text = self.collect(["p"])
        self.assertEqual((counts[1], counts[2]), (0, 1))
        self.assertIn("# SKIP kernel without ksm_file", text)

    def test_stuck_guest_is_read_from_the_console(self):
        self.write("logs/p.tap", "")
        self.write("console.log", "guest: start p\ntap: 1..2\ntap: # start: a\n"
                   "tap: ok 1 a\ntap: # start: b\n")
        counts, text = self.collect(["p"], "no sign of life for 9 s")
        self.assertEqual(counts[1], 2)
        self.assertIn("ok 1 - p: a\n", text)
        self.assertIn("not ok 2 - p: ended in b\n", text)
        self.assertIn("guest: no sign of life for 9 s", text)

    def test_kernel_report_fails_its_program(self):
        for name in "pq":
            self.write("logs/%s.tap" % name, "1..1\nok 1 a\n")
            self.write("logs/%s.rc" % name, "0\n")
        self.write("console.log", "WARNING: CPU: 0 PID: 1 at boot\nguest: start p\n"
                   "guest: end p 0\nguest: start q\n"
                   "WARNING: CPU: 0 PID: 9 at mm/page-xa.c:1 f+0x1/0x2\nguest: end q 0\n")
        counts, text = self.collect(["p", "q"])
        self.assertEqual(counts[1], 1)
        self.assertIn(" - p: no kernel report", text)
        self.assertRegex(text, r"not ok \d+ - q: no kernel report")

    def test_known_report_is_none(self):
        self.write("logs/p.tap", "1..1\nok 1 a\n")
        self.write("logs/p.rc", "0\n")
        self.write("console.log", "guest: start p\n"
                   "WARNING: CPU: 0 PID: 9 at mm/mmap.c:1190 vma_merge+0x99/0x4a0\n")
        self.assertEqual(self.collect(["p"])[0][1], 0)

    def test_known_by_what_follows(self):
        self.write("logs/p.tap", "1..1\nok 1 a\n")
        self.write("logs/p.rc", "0\n")
        text = "guest: start p\nWARNING: possible circular locking dependency detected\n"
        self.write("console.log", text + "init_stub_pte+0x62\ncreate_task_io_context+0x1\n")
        self.assertEqual(self.collect(["p"])[0][1], 0)
        self.write("console.log", text + "pxa_merge+0x62\ncreate_task_io_context+0x1\n")
        self.assertEqual(self.collect(["p"])[0][1], 1)

    def test_order(self):
        self.assertEqual(RUN.plan(["pxa_reclaim", "pxa_merge", "pxa_stress"]),
                         [("ext4-4k", "pxa_merge"), ("ext4-1k", "pxa_merge"),
                          ("ext4-4k", "pxa_stress"), ("ext4-4k", "pxa_reclaim")])

    def test_what_suits(self):
        programs = ["pxa_image", "pxa_merge", "pxa_mm"]
        self.assertEqual(RUN.plan(programs, ["vfat", "squashfs"]),
                         [("vfat", "pxa_merge"), ("squashfs", "pxa_image")])
        self.assertEqual(RUN.plan(programs, ["vfat", "squashfs"], True),
                         [("vfat", "pxa_merge"), ("vfat", "pxa_mm"),
                          ("squashfs", "pxa_image")])

    def test_each_filesystem_has_something_to_run(self):
        programs = RUN.programs()
        for name, filesystem in RUN.FS.items():
            self.assertNotEqual(RUN.plan(programs, [name]), [], name)
            for program in filesystem.short or []:
                self.assertIn(program, programs, name)
                self.assertTrue(RUN.suits(program, filesystem), (name, program))

    def test_chosen(self):
        self.assertEqual(RUN.chosen(""), RUN.DEFAULT_FS)
        self.assertEqual(RUN.chosen("vfat,xfs"), ["vfat", "xfs"])
        self.assertEqual(sorted(RUN.chosen("other") + RUN.DEFAULT_FS),
                         sorted(RUN.chosen("all")))
        self.assertIn("btrfs", RUN.chosen("other"))

    def test_a_guest_has_enough_disks(self):
        # make_disks() adds the one for what the tests write, and a second one
        names = {RUN.HOME, *RUN.chosen("other")}
        self.assertLessEqual(len([n for n in names if RUN.FS[n].make]) + 1, RUN.UML_DISKS)

    def test_content_is_the_same_each_time(self):
        trees = []
        for n in range(2):
            top = os.path.join(self.out, "tree%d" % n)
            RUN.content(top)
            trees.append({name: open(os.path.join(top, name), "rb").read()
                          for name in os.listdir(top)})
        self.assertEqual(trees[0], trees[1])
        pages = [data[n:n + 4096].ljust(4096, b"\0") for data in trees[0].values()
                 for n in range(0, len(data), 4096)]
        self.assertGreater(len(pages) - len(set(pages)), 150)
        self.assertGreater(len(set(pages)), 150)



class Disks(unittest.TestCase):
    def setUp(self):
        self.shm, self.out = tempfile.mkdtemp(), tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.shm)
        shutil.rmtree(self.out)

    def test_no_memory_folder(self):
        self.assertIsNone(RUN.disk_folder(["ext4-4k"], os.path.join(self.shm, "none")))

    def test_finish(self):
        with open(os.path.join(self.out, "results.tap"), "w", encoding="utf-8"):
            pass
        for failed, where in ((1, self.out), (0, None)):
            with open(os.path.join(self.shm, "disk-x.img"), "w", encoding="utf-8"):
                pass
            self.assertEqual(RUN.finish(self.out, self.shm, (1, failed, 0)), failed)
            self.assertEqual(os.path.exists(os.path.join(self.out, "disk-x.img")),
                             where == self.out)
            for folder in (self.out, self.shm):
                path = os.path.join(folder, "disk-x.img")
                if os.path.exists(path):
                    os.unlink(path)


class Hung(unittest.TestCase):
    def test_kernel_of(self):
        runner = subprocess.Popen(["sh", "-c", "sleep 60 & wait"])
        try:
            wanted = "^State S, .*SigBlk [0-9a-f]+, ticks per second 0, in "
            # it may be seen before it sleeps
            for _ in range(50):
                told = RUN.kernel_of(runner.pid)
                if re.search(wanted, told):
                    break
                time.sleep(0.1)
            self.assertRegex(told, wanted)
        finally:
            subprocess.call(["pkill", "-P", str(runner.pid)])
            runner.kill()
            runner.wait()


if __name__ == "__main__":
    unittest.main()
