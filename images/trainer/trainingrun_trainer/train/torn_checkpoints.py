"""Deletes the incomplete checkpoints of dead attempts, once a newer intact one is saved.

Ray Train prunes what it has in its list, where a checkpoint comes only when it is whole; the rest would lie there for
ever. Nothing of an attempt that may still live is touched: a name says which attempt, and which start of its workers,
has written it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from trainingrun_trainer.storage import RunStorage

_WRITER = re.compile(r"^step-\d{8,}-e\d{5,}a(\d+)g(\d+)$")


@dataclass(frozen=True, order=True)
class Writer:
    """Who writes a checkpoint: the attempt, from 0, and how many times its workers have been started, from 1."""

    attempt: int
    generation: int

    def checkpoint_name(self, *, step: int, epoch: int) -> str:
        """What it calls a checkpoint. With the epoch: after an epoch's last step one may be due for both."""
        return f"step-{step:08d}-e{epoch:05d}a{self.attempt}g{self.generation}"


def delete_torn(storage: RunStorage, writer: Writer) -> list[str]:
    """Delete torn checkpoints of the attempts and starts before `writer`; returns their names.

    What Ray Train has in its list is left to it: it fails where one of those is gone.
    """
    listed = storage.listed_checkpoints()
    before = [name for name in storage.checkpoints() if _is_before(name, writer) and name not in listed]
    torn = [name for name in before if not is_whole(storage, name)]
    for name in torn:
        storage.delete(name)
    return torn


def is_whole(storage: RunStorage, name: str) -> bool:
    """Whether every file that the checkpoint's manifests name is there with its size, without reading it."""
    sizes = storage.sizes(name)
    try:
        ranks = range(_manifest(storage, name, 0)["worldSize"])
        files = [_manifest(storage, name, rank)["files"] for rank in ranks]
    except (ValueError, KeyError, TypeError):
        return False  # half a manifest, or none
    return all(sizes.get(file) == said["bytes"] for part in files for file, said in part.items())


def _is_before(name: str, writer: Writer) -> bool:
    match = _WRITER.search(name)
    return match is not None and Writer(int(match[1]), int(match[2])) < writer


def _manifest(storage: RunStorage, name: str, rank: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(storage.read_text(f"{name}/manifest-{rank}.json"))
    return manifest
