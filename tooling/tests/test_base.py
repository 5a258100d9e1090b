#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/base: every way to name a source, and its errors."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from loading import TOOLING, load

BASE = os.path.join(TOOLING, "base")


def essential():
    with open(BASE) as handle:
        return re.search(r'ESSENTIAL="([^"]*)"',
                         handle.read()).group(1).split()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class BaseTest(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="base-test.")
        self.addCleanup(shutil.rmtree, self.top)
        self.build = self.top + "/build"
        self.linux = self.top + "/linux"
        # no network and no apt unless a test provides them
        self.env = dict(os.environ, BUILD=self.build, NEED_GIB="0",
                        UPSTREAM="http://127.0.0.1:9/linux-5.9.tar.xz",
                        PATH=self.top + "/bin:" + os.environ["PATH"],
                        GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@t",
                        GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@t")
        for name in ("LINUX", "http_proxy", "HTTP_PROXY"):
            self.env.pop(name, None)
        self.put("../bin/apt-get",
                 "#!/bin/sh\necho 'E: no network here'\nexit 100\n")
        os.chmod(self.top + "/bin/apt-get", 0o755)
        self.make_linux("5", "9", "1")

    def put(self, name, text):
        path = os.path.normpath(os.path.join(self.linux, name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)

    def make_linux(self, major, minor, sub, extra=""):
        for name in essential():
            self.put(name, "/* %s */\n" % name)
        self.put("Makefile", "VERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = %s\n"
                 "EXTRAVERSION = %s\nNAME = x\n" % (major, minor, sub, extra))
        self.put(".gitignore", "*.o\n.config\n")

    def base(self, linux="", **more):
        return subprocess.run([BASE], env=dict(self.env, LINUX=linux, **more),
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def good(self, linux):
        result = self.base(linux)
        self.assertEqual(result.returncode, 0, result.stdout.decode())
        with open(self.build + "/current/base.json") as handle:
            return json.load(handle)

    def bad(self, linux, *texts, **more):
        result = self.base(linux, **more)
        output = result.stdout.decode()
        self.assertNotEqual(result.returncode, 0, output)
        self.assertIn("error: ", output)
        for text in texts:
            self.assertIn(text, output)
        left = os.listdir(self.build) if os.path.exists(self.build) else []
        self.assertFalse([name for name in left if name.startswith("import")])

    def git(self, *args):
        subprocess.run(["git"] + list(args), cwd=self.linux, check=True,
                       stdout=subprocess.DEVNULL)

    def commit(self):
        self.git("init", "-q")
        self.git("add", "-A", "-f")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm",
                 "base")

    def tar(self, name, flag):
        path = self.top + "/" + name
        subprocess.run(["tar", flag, "-cf", path, "--exclude=.git", "linux"],
                       cwd=self.top, check=True)
        return path

    # ---- sources

    def test_all_forms_give_the_same_tree(self):
        directory = self.good(self.linux)
        self.assertEqual(directory["version"], "5.9.1")
        xz = self.good(self.tar("l.tar.xz", "-J"))
        gz = self.good(self.tar("l.tar.gz", "-z"))
        self.commit()
        git = self.good(self.linux)
        subprocess.run(["git", "clone", "-q", "--bare", self.linux,
                        self.top + "/bare.git"], check=True)
        bare = self.good(self.top + "/bare.git")
        for other in (xz, gz, git, bare):
            self.assertEqual(other["tree"], directory["tree"])
            self.assertEqual(other["commit"], directory["commit"])

    def test_second_run_is_quick_and_change_is_seen(self):
        first = self.good(self.linux)
        self.assertNotIn(b"importing", self.base(self.linux).stdout)
        self.put("mm/ksm.c", "changed\n")
        second = self.good(self.linux)
        self.assertNotEqual(first["tree"], second["tree"])
        self.assertEqual(len([name for name in os.listdir(self.build)
                              if name.startswith("5.9.1-")]), 2)

    def test_imported_worktree_is_clean(self):
        self.good(self.linux)
        status = subprocess.run(
            ["git", "-C", self.build + "/current/apply", "status",
             "--porcelain"], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(status, b"")

    def test_source_is_not_modified(self):
        self.commit()

        def snapshot():
            found = {}
            for folder, _, names in os.walk(self.linux):
                for name in names:
                    path = os.path.join(folder, name)
                    found[path] = os.stat(path).st_mtime_ns
            return found
        before = snapshot()
        self.good(self.linux)
        self.assertEqual(before, snapshot())

    def test_pinned_tarball_with_wrong_hash(self):
        self.tar("linux-5.9.tar.xz", "-J")
        handler = functools.partial(Quiet, directory=self.top)
        server = http.server.HTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.bad("", "wrong sha256", "LINUX=",
                 UPSTREAM="http://127.0.0.1:%d/linux-5.9.tar.xz"
                 % server.server_port)

    # ---- errors

    def test_no_network(self):
        self.bad("", "nothing could be downloaded", "tried: http://127.0.0.1",
                 "linux-source-5.10", "E: no network here",
                 "make LINUX=/path/to")

    def test_missing(self):
        self.bad(self.top + "/nowhere", "does not exist")

    def test_unsupported_versions(self):
        for version in (("5", "8", "1"), ("6", "1", "0"), ("5", "11", "0"),
                        ("4", "9", "1"), ("5", "9", "0", "-rc3")):
            self.make_linux(*version)
            self.bad(self.linux, "Linux %s.%s" % version[:2], "5.9.x")
        self.make_linux("5", "10", "262")
        self.assertEqual(self.good(self.linux)["version"], "5.10.262")

    def test_uncommitted_changes(self):
        self.commit()
        self.put("mm/ksm.c", "changed\n")
        self.bad(self.linux, "uncommitted changes", "mm/ksm.c", "worktree add")

    def test_git_without_commit(self):
        self.git("init", "-q")
        self.bad(self.linux, "has no commit")

    def test_built_directory(self):
        for name in (".config", "include/generated/x.h", "mm/ksm.o",
                     "arch/um/include/generated/x.h"):
            self.put(name, "x\n")
            self.bad(self.linux, "is not clean", "mrproper")
            os.unlink(os.path.join(self.linux, name))
            shutil.rmtree(self.linux + "/include/generated",
                          ignore_errors=True)

    def test_truncated_directory(self):
        os.unlink(self.linux + "/mm/filemap.c")
        self.bad(self.linux, "lacks: mm/filemap.c")
        self.put("mm/filemap.c", "")
        self.bad(self.linux, "lacks: mm/filemap.c")

    def test_truncated_tarball(self):
        self.put("drivers/big", os.urandom(200000).hex())
        for name, flag in (("l.tar.xz", "-J"), ("l.tar.gz", "-z")):
            path = self.tar(name, flag)
            with open(path, "r+b") as handle:
                handle.truncate(os.path.getsize(path) // 2)
            self.bad(path, "damaged or cut short")
        with open(self.top + "/text.tar.xz", "w") as out:
            out.write("no tarball\n")
        self.bad(self.top + "/text.tar.xz", "damaged or cut short")

    def test_tarball_of_something_else(self):
        shutil.rmtree(self.linux)
        self.put("README", "x\n")
        self.bad(self.tar("l.tar.gz", "-z"), "holds no Linux source")

    def test_patched_source(self):
        self.put("mm/page-xa.c", "x\n")
        self.bad(self.linux, "already has the page-xa series")

    def test_no_space(self):
        self.bad(self.linux, "GiB free", "make BUILD=", NEED_GIB="99999")


class DebianSource(unittest.TestCase):
    """The private apt sources are derived from the machine's."""

    def setUp(self):
        self.module = load("debian-source")

    def test_deb822(self):
        text = """# comment
Types: deb
URIs: http://mirror/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror/debian-security
Suites: bookworm-security
Components: main

Types: deb-src
URIs: http://mirror/src
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://disabled/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/vendor.gpg
"""
        self.assertEqual(
            self.module.derived(self.module.deb822(text), "bookworm"),
            [("http://mirror/debian", "bullseye"),
             ("http://mirror/debian-security", "bullseye-security")])

    def test_one_line(self):
        text = """# deb http://off/debian bookworm main
deb http://mirror/debian bookworm main contrib # comment
deb [arch=amd64 signed-by=/k/vendor.gpg] http://vendor/x bookworm main
deb http://mirror/debian-security bookworm-security main
deb-src http://mirror/debian bookworm main
deb https://other/linux/debian bookworm stable
"""
        self.assertEqual(
            self.module.derived(self.module.one_line(text), "bookworm"),
            [("http://mirror/debian", "bullseye"),
             ("http://mirror/debian-security", "bullseye-security")])


if __name__ == "__main__":
    unittest.main()
