# SPDX-License-Identifier: GPL-2.0
"""Where the unit tests find the modules of tooling/."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from programs import TOOLING, load  # noqa: E402,F401
