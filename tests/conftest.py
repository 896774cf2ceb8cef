"""Lets the tests run in several processes: those that share something costly stay together, the longest begin first.

(pytest-xdist's own `--dist loadgroup` does nothing with this version of pytest.)
"""

from __future__ import annotations

from pathlib import PurePath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Each has one Ray cluster, one control plane or one set of tools for all its tests.
_TOGETHER = ("training", "apiserver", "manifests")


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((folder for folder in _TOGETHER if folder in PurePath(file).parts), file)


class _ByFolder(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give each of these folders, and each file of the others, to one process."""
    return _ByFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it."""
    places = {name: place for place, name in enumerate(_TOGETHER)}
    items.sort(key=lambda item: places.get(_group(item.nodeid), len(_TOGETHER)))
