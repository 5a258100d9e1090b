#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turn the console log of a KUnit boot into one TAP line per test case.

kunit.py CONSOLE-LOG [--expect SUITE ...]

Understands the output of 5.9 and 5.10: suites at the left margin, their cases
indented by four spaces. A case that was announced but has no result, a suite
without a result line and an expected suite that did not run are failures.
"""

import re
import sys

STAMP = re.compile(r"^\[ *\d+\.\d+\] ")
SUBTEST = re.compile(r"^    # Subtest: (.+)$")
PLAN = re.compile(r"^    1\.\.(\d+)$")
CASE = re.compile(r"^    (not )?ok (\d+) - (.+)$")
SUITE = re.compile(r"^(not )?ok \d+ - (.+)$")


def parse(lines):
    """[(passed, name)] of all cases, [suites that ran]."""
    results, suites = [], []
    suite, plan, seen = None, None, 0

    def end():
        if suite is not None and plan is not None and seen != plan:
            results.append((False, "%s: %d of %d cases have a result"
                            % (suite, seen, plan)))

    for line in lines:
        line = STAMP.sub("", line.rstrip("\n\r"))
        match = SUBTEST.match(line)
        if match:
            if suite is not None:
                end()
                results.append((False, "%s: the suite did not end" % suite))
            suite, plan, seen = match.group(1), None, 0
            suites.append(suite)
            continue
        match = PLAN.match(line)
        if match and suite is not None and plan is None:
            plan = int(match.group(1))
            continue
        match = CASE.match(line)
        if match and suite is not None:
            seen += 1
            results.append((not match.group(1),
                            "%s: %s" % (suite, match.group(3))))
            continue
        match = SUITE.match(line)
        if match and suite is not None and match.group(2) == suite:
            end()
            suite = None
    if suite is not None:
        end()
        results.append((False, "%s: the suite did not end" % suite))
    return results, suites


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as handle:
        results, suites = parse(handle)
    for name in sys.argv[3:]:
        if name not in suites:
            results.append((False, "%s: the suite did not run" % name))
    if not results:
        results.append((False, "no KUnit output in " + sys.argv[1]))
    for number, (passed, name) in enumerate(results, 1):
        print("%s %d - %s" % ("ok" if passed else "not ok", number, name))
    return 0 if all(passed for passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
