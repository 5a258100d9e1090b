#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/qemu-run: its archive, its judgement of a console log."""

import gzip
import os
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

from loading import load

RUN = load("qemu-run")


def unpack(data):
    """{name: (mode, content)} of a newc archive."""
    found, at = {}, 0
    while True:
        assert data[at:at + 6] == b"070701", at
        field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16)
                 for i in range(13)]
        name = data[at + 110:at + 110 + field[11] - 1].decode()
        at = (at + 110 + field[11] + 3) & ~3
        content = data[at:at + field[6]]
        at = (at + field[6] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = field[1], content


class Archive(unittest.TestCase):
    def make(self, files):
        with tempfile.TemporaryDirectory() as folder:
            names = {}
            for name, content in files.items():
                path = os.path.join(folder, name.replace("/", "."))
                with open(path, "wb") as out:
                    out.write(content)
                names[name] = path
            target = os.path.join(folder, "initrd.gz")
            RUN.initramfs(names, target)
            with open(target, "rb") as handle:
                return handle.read()

    def test_content(self):
        found = unpack(gzip.decompress(self.make(
            {"init": b"abc", "a/b/c": b"12345"})))
        self.assertEqual(found["init"], (0o100755, b"abc"))
        self.assertEqual(found["a/b/c"], (0o100755, b"12345"))
        for name in ("a", "a/b", "dev", "mnt", "proc"):
            self.assertEqual(found[name], (0o40755, b""))
        # folders come before what is in them
        order = list(found)
        self.assertLess(order.index("a"), order.index("a/b"))
        self.assertLess(order.index("a/b"), order.index("a/b/c"))

    def test_same_bytes(self):
        self.assertEqual(self.make({"init": b"x" * 5000}),
                         self.make({"init": b"x" * 5000}))


class Judge(unittest.TestCase):
    def judge(self, text, allow=(), ended=RUN.IN_TIME):
        return RUN.judge(text, allow, ended, 9)

    def test_status(self):
        self.assertEqual(self.judge("hello\r\nguest: status 0\r\n")[0], 0)
        self.assertEqual(self.judge("guest: status 7\n")[0], 7)

    def test_no_status(self):
        self.assertEqual(self.judge("hello\n")[0], 125)
        self.assertEqual(self.judge("xguest: status 0\n")[0], 125)

    def test_time_over(self):
        self.assertEqual(self.judge("guest: status 0\n", ended=RUN.OVER)[0],
                         124)

    def test_cut(self):
        text = "work\n"
        self.assertEqual(self.judge(text, ended=RUN.CUT)[0], 0)
        self.assertEqual(self.judge(text)[0], 125)
        self.assertEqual(self.judge(text + "[  1.0] BUG: x\n",
                                    ended=RUN.CUT)[0], 126)

    def test_reports(self):
        for line in (
                "[    1.0] BUG: kernel NULL pointer dereference, address: 0",
                "[    1.0] general protection fault: 0000 [#1] PREEMPT SMP",
                "[    1.0] WARNING: CPU: 0 PID: 1 at mm/filemap.c:1 f+0x1/0x2",
                "[    1.0] WARNING: possible circular locking dependency",
                "[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
                "[    1.0] Kernel panic - not syncing: Attempted to kill init",
                "[    1.0] invalid opcode: 0000 [#1]"):
            code, said = self.judge("%s\nguest: status 0\n" % line)
            self.assertEqual(code, 126, line)
            self.assertIn(line, "\n".join(said))

    def test_allowed_report(self):
        text = "BUG: this one is wanted\nguest: status 0\n"
        self.assertEqual(self.judge(text)[0], 126)
        self.assertEqual(self.judge(text, ["wanted"])[0], 0)


class Cut(unittest.TestCase):
    def test_after_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            serial = os.path.join(folder, "serial")
            args = types.SimpleNamespace(timeout=60, cut=3, serial=serial, quiet=True)
            command = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.3; "
                       "echo x >>%s; done; exec sleep 99" % serial]
            with mock.patch.object(RUN, "command_line", return_value=command):
                self.assertEqual(RUN.boot(args, "", os.path.join(folder, "log")), RUN.CUT)
            self.assertGreaterEqual(RUN.lines(serial), 3)
            self.assertLess(RUN.lines(serial), 8)


class Killed(unittest.TestCase):
    def test_told(self):
        command = ["sh", "-c", "echo guest: status 0; kill -SEGV $$"]
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            args = types.SimpleNamespace(timeout=60, cut=None, quiet=True)
            with mock.patch.object(RUN, "command_line", return_value=command):
                ended = RUN.boot(args, "", log)
            with open(log, encoding="ascii") as handle:
                code, said = RUN.judge(handle.read(), (), ended, 60)
        self.assertEqual(code, 125)
        self.assertIn("killed by SIGSEGV", said[0])


class Disks(unittest.TestCase):
    def test_no_bar_in_memory(self):
        args = types.SimpleNamespace(
            memory="1G", smp=4, kernel="k", icount=False, disk=["a,b", "c"], nbd=["n,m"],
            serial=None, append="", args="")
        command = RUN.command_line(args, "i")
        drives = [value for name, value in zip(command, command[1:]) if name == "-drive"]
        devices = [value for name, value in zip(command, command[1:]) if name == "-device"]
        self.assertEqual([drive.partition(",format")[0] for drive in drives],
                         ["file=a,,b", "file=c",
                          "file.driver=nbd,file.server.type=unix,file.server.path=n,,m"])
        for number, (drive, device) in enumerate(zip(drives, devices)):
            self.assertIn(",if=none,id=disk%d" % number, drive)
            words = device.split(",")
            self.assertEqual(words[:2], ["virtio-blk-pci", "drive=disk%d" % number])
            # virtio 1.0 and MSI-X have BARs in memory
            self.assertEqual(set(words[2:]), {"disable-modern=on", "vectors=0"})
        self.assertEqual(len(drives), len(devices))


class Arguments(unittest.TestCase):
    def test_refused(self):
        for more, said in ((["--smp", "2", "--icount"], "one CPU"),
                           (["--memory", "lots"], "--memory"),
                           (["--file", "nothing"], "NAME=PATH"),
                           (["--disk", "/nowhere"], "/nowhere"),
                           (["--cut", "3"], "--serial"),
                           (["--nbd", "/nowhere"], "not a socket")):
            result = subprocess.run(
                [sys.executable, "-B", "-c", "import sys, shutil\n"
                 "shutil.which = lambda name: name\n"
                 "sys.path.insert(0, %r)\n"
                 "import test_qemu_run as test\n"
                 "sys.argv = ['qemu-run'] + %r\n"
                 "test.RUN.main()" % (
                     os.path.dirname(os.path.abspath(__file__)),
                     ["--kernel", __file__, "--init", __file__] + more)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, check=False)
            self.assertEqual(result.returncode, 1, more)
            self.assertIn(said, result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
