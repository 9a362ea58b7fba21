"""The benchmarks' modules, which are no part of the package: the frozen yardstick and the rules written out plainly."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
