#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/mutants/run, and of the heads of the mutants."""
import contextlib
import glob
import io
import os
import re
import subprocess
import tempfile
import types
import unittest

from loading import load

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
RUN = load('mutants/run')

BODY = ('--- a/mm/util.c\n+++ b/mm/util.c\n@@ -1,3 +1,2 @@\n one\n-two\n'
        ' three\n')


class Head(unittest.TestCase):
    def mutant(self, head, body=BODY):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'name.v5.10.patch')
            with open(path, 'w', encoding='utf-8') as handle:
                handle.write(head + body)
            return RUN.Mutant(path)

    def refused(self, head, body=BODY):
        text = io.StringIO()
        with contextlib.redirect_stderr(text), \
                self.assertRaises(SystemExit):
            self.mutant(head, body)
        return text.getvalue()

    def test_complete(self):
        mutant = self.mutant('What it breaks.\n\ntest: kunit page_xa\n'
                             'test: pxa_write\nfails: store|page\n\n')
        self.assertEqual(mutant.name, 'name')
        self.assertEqual(mutant.tests, ['kunit page_xa', 'pxa_write'])
        self.assertEqual(mutant.files, ['mm/util.c'])
        self.assertFalse(mutant.hang)
        self.assertEqual(mutant.expects(['a: store_1', 'a: other']),
                         ['a: store_1'])

    def test_any_failure_counts_without_fails(self):
        self.assertEqual(self.mutant('test: pxa_write\n\n').expects(['a']),
                         ['a'])

    def test_hang(self):
        self.assertTrue(self.mutant('test: pxa_write\nhang: yes\n\n').hang)

    def test_guests(self):
        self.assertEqual(self.mutant('test: x86 pxa_smp\n\n').guests, ['x86'])
        self.assertEqual(self.mutant('test: x86 pxa_hw\ntest: pxa_write\n\n').guests,
                         ['uml', 'x86'])
        self.assertEqual(self.mutant('unreachable: why\n\n').guests, ['uml'])
        self.assertIn('no test program', self.refused('test: x86 pxa_none\n\n'))

    def test_program_command(self):
        copy = types.SimpleNamespace(kernels={'uml': 'kernel'}, tree='tree')

        def options(test):
            command = RUN.program_command(copy, test)
            return {key: command[command.index(key) + 1]
                    for key in ('--cgroup', '--only', '--fs') if key in command}

        self.assertEqual(options('pxa_write'), {'--cgroup': '2', '--only': 'pxa_write'})
        self.assertEqual(options('cgroup1 xfs.pxa_write'),
                         {'--cgroup': '1', '--only': 'pxa_write', '--fs': 'xfs'})

    def test_refused(self):
        self.assertIn('either', self.refused('No test.\n\n'))
        self.assertIn('either', self.refused(
            'test: pxa_write\nunreachable: no\n\n'))
        self.assertIn('no test program', self.refused('test: pxa_none\n\n'))
        self.assertIn('is not one of', self.refused('tests: pxa_write\n\n'))
        self.assertIn('changes no file', self.refused('test: pxa_write\n', ''))


class Prepare(unittest.TestCase):
    def commit(self, work, **files):
        tree = os.path.join(work, "tree")
        for name, text in files.items():
            path = os.path.join(tree, "mm", name)
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
            # older than what was built from the one before
            os.utime(path, (1, 1))
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
            subprocess.check_call(["git", "-C", tree, "-c", "user.name=x",
                                   "-c", "user.email=x@localhost"] + command)

    def test_what_changed_is_new(self):
        with tempfile.TemporaryDirectory() as work:
            os.makedirs(os.path.join(work, "tree", "mm"))
            self.commit(work, **{"page-xa.c": "", "same": "1", "changed": "1"})
            copy = RUN.Copy(work, os.path.join(work, "out"))
            os.mkdir(copy.out)
            copy.prepare()
            paths = [os.path.join(copy.tree, "mm", name)
                     for name in ("same", "changed")]
            for path in paths:
                os.utime(path, (2, 2))
            self.commit(work, changed="another")
            copy.prepare()
            self.assertEqual(os.stat(paths[0]).st_mtime, 2)
            self.assertGreater(os.stat(paths[1]).st_mtime, 2)
            with open(paths[1], encoding="utf-8") as handle:
                self.assertEqual(handle.read(), "another")


class All(unittest.TestCase):
    """What is in the folder, without a kernel."""

    def test_both_bases(self):
        for base in ('v5.9', 'v5.10'):
            self.assertGreater(len(RUN.mutants(base)), 40)

    def test_suites_exist(self):
        suites = set()
        for path in glob.glob(os.path.join(ROOT, '[fm][sm]/*_test.c')):
            with open(path, encoding='utf-8') as handle:
                suites |= set(re.findall(r'\.name = "(\w+)"', handle.read()))
        for mutant in RUN.mutants('v5.10').values():
            for test in mutant.tests:
                if test.startswith('kunit '):
                    self.assertIn(test.split()[1], suites, mutant.path)


if __name__ == '__main__':
    unittest.main()
