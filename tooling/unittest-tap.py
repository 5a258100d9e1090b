#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the unit tests of one file; a TAP line per test on stdout.

unittest-tap.py FILE      what unittest itself has to say goes to stderr
"""

import importlib.util
import os
import sys
import unittest


class Tap(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.lines = []

    def add(self, test, passed, skip=None):
        name = ".".join(test.id().split(".")[-2:])
        self.lines.append("%s %d - %s%s" % (
            "ok" if passed else "not ok", len(self.lines) + 1, name,
            " # SKIP " + skip if skip else ""))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.add(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.add(test, False)

    def addError(self, test, err):
        super().addError(test, err)
        self.add(test, False)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.add(test, True, reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.add(test, False)


def main():
    path = os.path.abspath(sys.argv[1])
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # what the tests print is no result
    tap = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(sys.stderr, verbosity=2,
                                     resultclass=Tap).run(suite)
    for line in result.lines:
        print(line, file=tap)
    tap.close()
    return 0 if result.wasSuccessful() and result.lines else 1


if __name__ == "__main__":
    sys.exit(main())
