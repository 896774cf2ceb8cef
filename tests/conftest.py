"""Lets the tests run in several processes: those that share something costly stay together, the longest begin first."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
# Each has one Ray cluster, one control plane or one set of tools for all its tests.
_TOGETHER = ("training", "apiserver", "manifests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group for pytest-xdist, which gives a group to one process."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _TOGETHER.index(_folder(item)) if _folder(item) in _TOGETHER else len(_TOGETHER))


def _group(item: pytest.Item) -> str:
    return _folder(item) if _folder(item) in _TOGETHER else str(item.path.relative_to(_TESTS))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0]
