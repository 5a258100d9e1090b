# SPDX-License-Identifier: GPL-2.0
"""The programs of tooling/, whose names have no .py, as modules."""

import importlib.machinery
import importlib.util
import os
import re
import sys

TOOLING = os.path.dirname(os.path.abspath(__file__))


def load(path):
    """A program below tooling/ as a new module: its name is the path, with _."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(
        re.sub(r"\W", "_", path), os.path.join(TOOLING, path))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
