"""Makes the strategies of the fuzz tests available here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))
