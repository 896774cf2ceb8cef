"""Lets the folders of unit tests use the samples that lie here, and the clock that jumps."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "sim")]

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
