#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/torture/run: its arguments, its judgement of a run."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from loading import TOOLING, load

RUN = load("torture/run")


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = os.path.join(folder.name, "work")
        self.out = os.path.join(folder.name, "out")
        tests = os.path.join(self.work, "tree", RUN.SELFTESTS)
        os.makedirs(tests)
        with open(os.path.join(tests, "pxa_util.c"), "w"):
            pass
        self.base("5.10.262")

    def base(self, version):
        with open(os.path.join(self.work, "base.json"), "w") as handle:
            json.dump({"version": version}, handle)

    def command(self, *more):
        return ["--work", self.work, "--out", self.out] + list(more)


class Arguments(Base):
    def refused(self, *more):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(RUN.main(self.command(*more)), 2)
        return err.getvalue()

    def test_seconds(self):
        for text in ("", "0", "-1", "ten", "1.5"):
            self.assertIn("SECONDS must be a number from 1",
                          self.refused("--seconds=" + text))

    def test_seed(self):
        self.assertIn("SEED must be", self.refused("--seed", "x"))
        self.assertEqual(RUN.arguments(self.command("--seed", "0x10")).seed, 16)

    def test_fs(self):
        text = self.refused("--fs", "ntfs")
        self.assertIn("FS=ntfs: torture does not know ntfs", text)
        self.assertIn("ext4", text)
        self.assertIn("does not know ntfs", self.refused("--fs", "ext4,ntfs"))
        self.assertIn("a filesystem without name", self.refused("--fs", "ext4,"))
        self.assertIn("names xfs more than once", self.refused("--fs", "xfs,ext4,xfs"))
        args = RUN.arguments(self.command("--fs", "xfs,tmpfs"))
        self.assertEqual((args.fs, args.label), (["xfs", "tmpfs"], "xfs-tmpfs"))
        every = RUN.arguments(self.command("--fs", "all")).fs
        self.assertEqual(set(RUN.FILESYSTEMS) - set(every), {"hostfs"})
        every = RUN.arguments(self.command("--fs", "all", "--checks", "uml"))
        self.assertEqual((every.fs, every.label), (list(RUN.FILESYSTEMS), "all"))

    def test_checks(self):
        self.assertIn("CHECKS=none is not one of plain debug",
                      self.refused("--checks", "none"))

    def test_hostfs_is_on_uml_only(self):
        for checks in ("debug", "uml"):
            args = RUN.arguments(self.command("--fs", "ext4,hostfs", "--checks", checks))
            self.assertEqual(args.checks, "uml")
        self.assertIn("CHECKS=kasan: hostfs is on User Mode Linux only, so CHECKS=uml",
                      self.refused("--fs", "ext4,hostfs", "--checks", "kasan"))
        self.assertEqual(RUN.arguments(self.command("--fs", "ext4")).checks, "debug")

    def test_without(self):
        self.assertIn("there is no operation eat", self.refused("--without", "write,eat"))
        RUN.arguments(self.command("--without", "write,store-mem"))

    def test_no_tree(self):
        self.work += "/other"
        self.assertIn("run `make tree`", self.refused())

    def test_kernel(self):
        self.assertIn("/no is not a file", self.refused("--kernel", "/no"))


class Build(Base):
    def test_build_only(self):
        saved = RUN.build_kernel, RUN.need
        RUN.build_kernel = lambda *args: " ".join(args)
        RUN.need = None
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                self.assertEqual(RUN.main(self.command(
                    "--fs", "f2fs", "--checks", "plain", "--build")), 0)
        finally:
            RUN.build_kernel, RUN.need = saved
        self.assertEqual(out.getvalue(), "%s plain\n" % os.path.realpath(self.work))

    def test_folder_and_fragments(self):
        seen = []
        saved = RUN.subprocess.call
        RUN.subprocess.call = lambda command, env, **_: seen.append(
            (command[1:], env["FRAGMENTS"].split()))
        try:
            self.assertEqual(RUN.build_kernel("/w", "kasan", "base"),
                             "/w/x86-torture-kasan-base/arch/x86/boot/bzImage")
            RUN.build_kernel("/w", "plain")
            self.assertEqual(RUN.build_kernel("/w", "uml"), "/w/uml-fs/linux")
        finally:
            RUN.subprocess.call = saved
        self.assertEqual([words for words, _ in seen], [
            ["/w/base", "/w/x86-torture-kasan-base"],
            ["/w/tree", "/w/x86-torture-plain"], ["/w/tree", "/w/uml-fs"]])
        self.assertIn("x86-kasan", seen[0][1])
        self.assertNotIn("x86-debug", seen[1][1])

    def test_fragments_exist(self):
        for fragments in [RUN.UML_FRAGMENTS] + [item[0] for item in RUN.CHECKS.values()]:
            for name in fragments.split():
                self.assertTrue(os.path.exists(os.path.join(
                    TOOLING, "configs", name + ".config")), name)


class Guest(Base):
    def test_command(self):
        args = RUN.arguments(self.command("--seed", "7", "--no-sharing", "--without",
                                          "punch"))
        text = " ".join(RUN.guest_command(args, "K", "P", ["D1", "D2"], "L"))
        self.assertIn("--smp 4", text)
        self.assertIn("seed=7 procs=8 sharing=0 faults=1 without=punch", text)
        self.assertIn("--disk D1 --disk D2", text)

    def test_uml(self):
        args = RUN.arguments(self.command("--fs", "hostfs", "--seed", "7"))
        os.makedirs(self.out)
        log = os.path.join(self.out, "it's")
        command = RUN.guest_command(args, "K", "P", ["D1", "D2"], log)
        self.assertEqual(os.path.basename(command[0]), "uml-run")
        text = " ".join(command)
        self.assertIn("--kernel K --log " + log, text)
        self.assertIn("--disk D1 --disk D2", text)
        self.assertIn("vma_merge", text)    # a known report
        self.assertTrue(os.access(log + ".sh", os.X_OK))
        with open(log + ".sh", encoding="utf-8") as handle:
            words = shlex.split(handle.read().splitlines()[-1])
        self.assertEqual(words[:3], ["exec", "P", "fs=hostfs"])
        self.assertIn("seed=7", words)
        self.assertEqual(words[-2:], ["disks=ubd", "hostfs=" + log + ".hostfs"])
        self.assertTrue(os.path.isdir(log + ".hostfs"))

    def test_left_out(self):
        args = RUN.arguments(self.command("--fs", "btrfs", "--without", "punch"))
        text = " ".join(RUN.guest_command(args, "K", "P", [], "L"))
        self.assertIn(",direct-write@btrfs,punch,zero@btrfs ", text)
        self.base("5.9.1")
        args = RUN.arguments(self.command("--fs", "ext4,tmpfs"))
        text = " ".join(RUN.guest_command(args, "K", "P", [], "L"))
        self.assertIn("fs=ext4,tmpfs ", text)
        self.assertIn("without=poison@tmpfs,soft-offline ", text)
        left_out = [fs["without"] for fs in RUN.FILESYSTEMS.values()]
        for names in left_out + list(RUN.BASES.values()):
            for name in filter(None, names.split(",")):
                self.assertIn(name, RUN.operations())

    def test_options_are_known(self):
        with open(os.path.join(TOOLING, "torture", "torture.c")) as handle:
            table = handle.read().partition("} options[] = {")[2].partition("};")[0]
        known = re.findall(r'\{ "(\w+)",', table)
        args = RUN.arguments(self.command("--without", "punch"))
        command = RUN.guest_command(args, "K", "P", [], "L")
        words = command[command.index("--args") + 1].split()
        for word in words + ["disks=", "hostfs="]:
            self.assertIn(word.partition("=")[0], known)

    def test_races_of_ours(self):
        def allowed(line):
            return any(re.search(item, line) for item in RUN.ALLOW)
        self.assertTrue(allowed("[  1.0] BUG: KCSAN: data-race in foo / bar"))
        self.assertFalse(allowed("[  1.0] BUG: KCSAN: data-race in foo / pxa_merge"))
        self.assertFalse(allowed("[  1.0] BUG: KCSAN: data-race in ksm_file_scan / foo"))
        self.assertFalse(allowed("[  1.0] BUG: KASAN: use-after-free in foo"))
        self.assertFalse(allowed("WARNING: CPU: 0 PID: 60 at ../tree/mm/page-xa.c:1 "
                                 "pxa_merge+0x43/0x50"))


class Disks(Base):
    def make(self, *names):
        args = RUN.arguments(self.command("--fs", ",".join(names), "--seed", "3"))
        made, saved = [], RUN.run

        def run(command, what):
            made.append(command)
            for word in command:
                if word.endswith(".files"):
                    shutil.copytree(word, word + ".seen")
        os.makedirs(self.out)
        RUN.run = run
        try:
            disks = RUN.make_disks(args, os.path.join(self.out, "x"))
        finally:
            RUN.run = saved
        return disks, made

    def test_each_has_a_disk(self):
        disks, made = self.make("ext4", "erofs")
        self.assertEqual([os.path.basename(disk) for disk in disks],
                         ["x.ext4", "x.erofs"])
        self.assertEqual([command[0] for command in made],
                         ["mkfs.ext4", "mkfs.erofs", "mkswap"])
        for disk, command in zip(disks, made):
            self.assertIn(disk, command)

    def test_files_of_an_image(self):
        files, pages, kinds, page = RUN.constants("FILES", "PAGES", "KINDS", "PAGE")
        disks, _ = self.make("ext4", "squashfs", "erofs")
        seen = {}
        for disk in disks[1:]:
            for folder, _, names in os.walk(disk + ".files.seen"):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as handle:
                        seen[os.path.basename(folder) + "/" + name] = handle.read()
            self.assertFalse(os.path.exists(disk + ".files"))
        self.assertEqual(set(seen), {"dir%d/file%d" % (n // 3 % 3, n)
                                     for n in range(files) if n % 3})
        first = seen["dir0/file1"]
        contents = {first[n * page:(n + 1) * page] for n in range(kinds - 1)}
        self.assertEqual(len(contents), kinds - 1)
        for data in seen.values():
            self.assertEqual(len(data), pages * page)
            self.assertEqual({data[n * page:(n + 1) * page]
                              for n in range(pages)}, contents)

    def test_all_have_a_place_for_the_disk(self):
        for name, fs in RUN.FILESYSTEMS.items():
            if fs["make"] != "true":
                self.assertIn("{disk}", fs["make"], name)


class Ending(unittest.TestCase):
    def test_the_guest_ends_too(self):
        with tempfile.TemporaryDirectory() as folder:
            ended = os.path.join(folder, "ended")
            guest = "trap 'touch %s; exit' TERM; echo up; while :; do sleep 0.1; done"
            code = ("import sys\nsys.path.insert(0, %r)\nimport programs\n"
                    "programs.load('torture/run').boot(['sh', '-c', %r])\n"
                    % (TOOLING, guest % ended))
            process = subprocess.Popen([sys.executable, "-B", "-c", code],
                                       stdout=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), b"up\n")
            time.sleep(2)       # until it waits for its guest
            process.terminate()
            self.assertEqual(process.wait(), 143)
            process.stdout.close()
            self.assertTrue(os.path.exists(ended))


class Judgement(Base):
    LOG = ("torture: fs ext4 seed 1\r\nnoise\r\ntorture:   10 s: 5 operations\r\n"
           "%storture: 9 operations, 8 merges\r\n")

    def run_with(self, status, extra="", fsck=0):
        def call(command):
            with open(command[command.index("--log") + 1], "w") as handle:
                handle.write(self.LOG % extra)
            return status

        def run(command, what):
            if fsck and command[0] == "e2fsck":
                raise RUN.Failure("e2fsck failed (status 4):")
        saved = {name: getattr(RUN, name)
                 for name in ("build_program", "run", "need", "boot")}
        RUN.build_program = lambda *_: "program"
        RUN.run, RUN.need = run, lambda *_: None
        RUN.boot = call
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                code = RUN.main(self.command("--kernel", __file__))
        finally:
            for name, value in saved.items():
                setattr(RUN, name, value)
        return code, out.getvalue()

    def test_passed(self):
        code, text = self.run_with(0)
        self.assertEqual(code, 0)
        self.assertIn("torture: 9 operations, 8 merges\ntorture: passed", text)
        self.assertNotIn("10 s:", text)
        self.assertEqual(os.listdir(self.out), ["ext4-debug.log"])

    def test_failed(self):
        code, text = self.run_with(1, "torture: FAILED: read of file 1\r\n")
        self.assertEqual(code, 1)
        self.assertIn("torture: FAILED: read of file 1\n", text)
        self.assertIn("SECONDS=60 SEED=1 FS=ext4 CHECKS=debug", text)
        self.assertIn("ext4-debug.ext4", os.listdir(self.out))

    def test_kernel_report(self):
        self.assertEqual(self.run_with(126)[0], 1)

    def test_fsck(self):
        code, text = self.run_with(0, fsck=4)
        self.assertEqual(code, 1)
        self.assertIn("e2fsck failed", text)


if __name__ == "__main__":
    unittest.main()
