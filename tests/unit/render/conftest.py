"""KubeRay's own schemas, of the version that the tests against a real API server pin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

# The strategies that make runs are the fuzz tests'; KubeRay's module is the real API server's.
sys.path += [str(TESTS / "fuzz"), str(TESTS / "apiserver")]


@pytest.fixture(scope="session")
def kuberay_crds() -> Path:
    """The directory of KubeRay's CustomResourceDefinitions, downloaded by Go once per machine."""
    from go_binaries import kuberay_files

    return kuberay_files() / "config" / "crd" / "bases"
