#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of tooling/kbuild.sh, with a source of a few lines."""
import os
import subprocess
import tempfile
import time
import unittest

from loading import TOOLING

# Fails if another one is at work in the same folder.
MAKEFILE = """
defconfig olddefconfig:
\t@touch $(O)/.config
linux:
\t@mkdir $(O)/busy && sleep 3 && rmdir $(O)/busy
"""


class Build(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = os.path.join(folder.name, 'source')
        self.output = os.path.join(folder.name, 'output')
        os.makedirs(self.source)
        with open(os.path.join(self.source, 'Makefile'), 'w', encoding='utf-8') as handle:
            handle.write(MAKEFILE)

        # a file: what the build leaves behind has it open for a while
        self.said = open(os.path.join(folder.name, 'said'), 'w+b')
        self.addCleanup(self.said.close)

    def start(self):
        return subprocess.Popen(
            [os.path.join(TOOLING, 'uml'), self.source, self.output],
            stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT,
            # no fragments
            env=dict(os.environ, FRAGMENTS=' ', BUILD=self.output + '.build'))

    def test_one_at_a_time(self):
        builds = [self.start() for _ in range(3)]
        status = [build.wait() for build in builds]
        self.said.seek(0)
        text = self.said.read().decode()
        self.assertEqual(status, [0, 0, 0], text)
        self.assertIn('waiting for another build in ' + self.output, text)

    def test_nobody_is_left_waiting(self):
        """What a build leaves behind does not keep the folder."""
        self.assertEqual(self.start().wait(), 0)
        start = time.monotonic()
        self.assertEqual(self.start().wait(), 0)
        self.assertLess(time.monotonic() - start, 15)


if __name__ == '__main__':
    unittest.main()
