"""kubectl and Helm, which read the documented commands, built once from their Go modules."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "apiserver"))

from cluster_commands import PROGRAMS  # noqa: E402
from go_binaries import Unbuildable, binaries  # noqa: E402


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build them before the first test: that may take minutes, which no test's time limit should count."""
    wanted = any(item.path.parent == HERE for item in session.items)
    if wanted and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        # Where one cannot be built, the tests that need it say why.
        with capture.global_and_fixture_disabled(), contextlib.suppress(Unbuildable):
            binaries(PROGRAMS)
