# SPDX-License-Identifier: GPL-2.0
"""What the unit tests have in common: programs without .py are loaded as modules."""

import importlib.machinery
import importlib.util
import os
import sys

TOOLING = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True


def load(path, name):
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module
