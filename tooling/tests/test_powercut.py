#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/powercut/run: acknowledgements, arguments, judgement."""

import contextlib
import io
import os
import re
import shutil
import tempfile
import unittest

from loading import TOOLING, load

RUN = load("powercut/run")


class Acknowledged(unittest.TestCase):
    def test_last(self):
        self.assertEqual(RUN.acknowledged(
            "ack 0 1.\nack 2 1.\r\nack 0 2.\n", 3), [2, 0, 1])

    def test_none(self):
        self.assertEqual(RUN.acknowledged("", 2), [0, 0])

    def test_cut_line(self):
        self.assertEqual(RUN.acknowledged("ack 0 1.\nack 0 2", 1), [1])
        self.assertEqual(RUN.acknowledged("ack 0 1.\nack 0 2.", 1), [1])

    def test_lost(self):
        for text in ("ack 0 2.\n", "ack 0 1.\nack 0 1.\n", "ack 0 1.\nack 0 3.\n"):
            with self.assertRaises(RUN.Failure):
                RUN.acknowledged(text, 1)

    def test_garbage(self):
        for text in ("ack 0\n", "ack 0 1\n", "ack 4 1.\n", "hello\n"):
            with self.assertRaises(RUN.Failure):
                RUN.acknowledged(text, 4)


class Counts(unittest.TestCase):
    def test_last_line(self):
        text = ("powercut: 0.5 s: 1 acknowledged, 2 pages checked, 3 merges, 4 breaks, "
                "5 drops, 6 sharing\n"
                "powercut: 1.0 s: 11 acknowledged, 12 pages checked, 13 merges, "
                "14 breaks, 15 drops, 16 sharing\n")
        self.assertEqual(RUN.counts(text), {
            "acknowledged": 11, "pages checked": 12, "merges": 13, "breaks": 14,
            "drops": 15})

    def test_no_counters(self):
        text = "powercut: 0.5 s: 1 acknowledged, 2 pages checked, -1 merges, -1 breaks\n"
        self.assertEqual(RUN.counts(text)["merges"], 0)
        self.assertEqual(RUN.counts("")["acknowledged"], 0)


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = os.path.join(folder.name, "work")
        self.out = os.path.join(folder.name, "out")
        tests = os.path.join(self.work, "tree", RUN.torture.SELFTESTS)
        os.makedirs(tests)
        with open(os.path.join(tests, "pxa_util.c"), "w"):
            pass

    def command(self, *more):
        return ["--work", self.work, "--out", self.out] + list(more)


class Arguments(Base):
    def refused(self, *more):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(RUN.main(self.command(*more)), 2)
        return err.getvalue()

    def test_refused(self):
        self.assertIn("SECONDS must be", self.refused("--seconds", "soon"))
        self.assertIn("ROUNDS must be", self.refused("--rounds", "0"))
        self.assertIn("SEED must be", self.refused("--seed", "-1"))
        self.assertIn("FS=vfat is none of", self.refused("--fs", "vfat"))
        self.assertIn("CHECKS=all is not one of", self.refused("--checks", "all"))
        self.assertIn("/no is not a file", self.refused("--kernel", "/no"))

    def test_no_tree(self):
        self.work += "/other"
        self.assertIn("run `make tree`", self.refused())


class Rounds(Base):
    """Whole runs, without guests."""

    ACKS = "ack 0 1.\nack 1 1.\n"
    WROTE = ("powercut: 1.0 s: 99 acknowledged, 5 pages checked, "
             "%d merges, 50 breaks, 1 drops, 7 sharing\n")

    def run_with(self, *more, write=0, check=0, said="", fsck=0, merges=60, acks=30):
        self.guests = []
        outer = self

        class Disk:
            def __init__(self, image, socket, flush):
                self.socket = socket
                outer.flush = flush

            def close(self):
                outer.guests.append("cut")

        def boot(command):
            log = command[command.index("--log") + 1]
            words = command[command.index("--args") + 1]
            self.guests.append(words)
            with open(log, "w") as handle:
                if "mode=write" in words:
                    handle.write(self.WROTE % merges)
                else:
                    handle.write(said)
            if "mode=write" in words:
                with open(command[command.index("--serial") + 1], "w") as handle:
                    for n in range(acks):
                        handle.write("ack 3 %d.\n" % (n + 1))
                return write
            return check

        def run(command, what):
            if fsck and command[0] == "e2fsck":
                raise RUN.Failure("e2fsck failed (status 4):")
        saved = dict(RUN.torture.__dict__), RUN.Disk
        RUN.torture.build_program = lambda *_: "program"
        RUN.torture.run, RUN.torture.need = run, lambda *_: None
        RUN.torture.boot, RUN.Disk = boot, Disk
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                code = RUN.main(self.command("--kernel", __file__, "--rounds", "2",
                                             *more))
        finally:
            RUN.torture.__dict__.update(saved[0])
            RUN.Disk = saved[1]
        return code, out.getvalue()

    def test_passed(self):
        code, text = self.run_with()
        self.assertEqual(code, 0, text)
        self.assertIn("passed: ext4, 2 power cuts: 60 acknowledged", text)
        # the power fails before the disk is read
        self.assertEqual([word.split()[0] for word in self.guests],
                         ["mode=write", "cut", "mode=check"] * 2)
        self.assertIn("acked=0,0,0,30,0,0", self.guests[2])
        self.assertFalse([name for name in os.listdir(self.out)])

    def test_seed(self):
        first = self.run_with("--seed", "5"), self.guests
        self.assertEqual((self.run_with("--seed", "5"), self.guests), first)
        self.assertNotEqual((self.run_with("--seed", "6"), self.guests), first)

    def test_lost(self):
        code, text = self.run_with(check=1, said="powercut: FAILED: file 1\n" * 2)
        self.assertEqual(code, 1)
        self.assertEqual(text.count("  powercut: FAILED: file 1"), 2)    # rounds
        self.assertIn("2 rounds wrong", text)
        self.assertIn("ext4-1.img", text)

    def test_kernel_report(self):
        code, text = self.run_with(write=126)
        self.assertEqual(code, 1)
        self.assertNotIn("mode=check", " ".join(self.guests))

    def test_fsck(self):
        code, text = self.run_with(fsck=4)
        self.assertEqual(code, 1)
        self.assertIn("e2fsck failed", text)

    def test_proves_nothing(self):
        code, text = self.run_with(merges=1)
        self.assertEqual(code, 1)
        self.assertIn("proves nothing about shares", text)
        self.assertEqual(self.run_with("--no-sharing", merges=1)[0], 0)
        self.assertEqual(self.run_with(acks=2)[0], 1)

    def test_broken(self):
        self.run_with()
        self.assertTrue(self.flush)
        self.assertIn("early=0", self.guests[0])
        self.run_with("--break", "flush")
        self.assertFalse(self.flush)
        self.run_with("--break", "ack")
        self.assertIn("early=1", self.guests[0])

    def test_direct_writes(self):
        # who checks has to draw what was drawn by who wrote
        for fs, word in (("ext4", "direct=1"), ("btrfs", "direct=0")):
            self.assertEqual(self.run_with("--fs", fs)[0], 0)
            for words in self.guests:
                if words != "cut":
                    self.assertIn(word, words.split())

    def test_options_are_known(self):
        with open(os.path.join(TOOLING, "powercut", "powercut.c")) as handle:
            table = handle.read().partition("} options[] = {")[2].partition("};")[0]
        known = re.findall(r'\{ "(\w+)",', table)
        self.run_with()
        for words in self.guests:
            for word in words.split():
                self.assertIn(word.partition("=")[0], known + ["cut"])


@unittest.skipUnless(shutil.which("nbdkit"), "nbdkit is not installed")
class Disk(unittest.TestCase):
    def test_served_and_ended(self):
        with tempfile.TemporaryDirectory() as folder:
            image = os.path.join(folder, "image")
            with open(image, "wb") as handle:
                handle.truncate(1 << 20)
            disk = RUN.Disk(image, os.path.join(folder, "socket"), True)
            self.assertTrue(os.path.exists(disk.socket))
            disk.close()
            self.assertFalse(os.path.exists(disk.socket))
            self.assertIsNotNone(disk.process.poll())

    def test_no_image(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(RUN.Failure) as caught:
                RUN.Disk(folder + "/none", folder + "/socket", True)
            self.assertIn("nbdkit does not serve", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
