"""The documents by which clients find out which kinds there are. It is pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainingrun.kube import Resource
from trainingrun.kube.resources import WATCHED


def document(path: str, kinds: Sequence[Resource] = WATCHED) -> dict[str, Any] | None:
    """What is at this path where there are these kinds; None for a path of no such document."""
    if path == "/apis":
        versions = {kind.group: kind.api_version for kind in kinds if kind.group}
        return {"groups": [{"name": group, "versions": [{"groupVersion": each}]} for group, each in versions.items()]}
    if path not in {kind.version_path for kind in WATCHED}:
        return None
    return {"resources": [{"name": kind.plural} for kind in kinds if kind.version_path == path]}
