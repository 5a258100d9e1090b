#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turn the output of `python3 test_x.py -v` into TAP lines."""

import re
import sys


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as handle:
        text = handle.read()
    number, failed = 0, 0
    for name, group, state in re.findall(
            r"^(test_\w+) \(__main__\.(\w+)[^)]*\)(?:\n[^\n]*)? \.\.\. "
            r"(ok|FAIL|ERROR|skipped .*)$", text, re.M):
        number += 1
        bad = state in ("FAIL", "ERROR")
        failed += bad
        print("%s %d - %s.%s%s" % (
            "not ok" if bad else "ok", number, group, name,
            " # SKIP" + state[7:] if state.startswith("skipped") else ""))
    ran = re.search(r"^Ran (\d+) tests?", text, re.M)
    if not ran or int(ran.group(1)) != number:
        failed += 1
        print("not ok %d - %s tests ran, %d results were read" % (
            number + 1, ran.group(1) if ran else "no", number))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
