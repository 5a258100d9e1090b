#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Do the patches of tooling/mutants apply to a patched tree, each by itself?

What they change may have moved or become something else since; whoever runs
them all finds that late. Lists those that do not apply; exit status 1 then.

	mutants_apply.py TREE
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from programs import load  # noqa: E402


def main():
    if len(sys.argv) != 2:
        sys.exit('mutants_apply: error: usage: mutants_apply.py TREE')
    run = load('mutants/run')
    tree = sys.argv[1]
    mutants = run.mutants(run.version(tree))
    stale = [name for name, mutant in mutants.items() if subprocess.call(
        run.PATCH + ['--dry-run', '-i', mutant.path], cwd=tree, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    for name in stale:
        print('error: the mutant %s does not apply, mend tooling/mutants/%s*.patch'
              % (name, name))
    print('%d mutants, %d do not apply' % (len(mutants), len(stale)))
    return 1 if stale or not mutants else 0


if __name__ == '__main__':
    sys.exit(main())
