"""A real cluster, as `make cluster` makes it: what the figures that need KubeRay, pods and training are measured with.

Namespaces, runs and faults are those of the tests in tests/cluster. Nothing here asserts what a figure must be.
"""

import sys
from pathlib import Path

# Those modules are found as the tests find them.
_TESTS = Path(__file__).parents[2] / "tests" / "cluster"
sys.path += [str(_TESTS), str(_TESTS / "e2e")]
