"""Lets the folders of unit tests use the samples that lie here, and the clock that jumps."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "sim")]
