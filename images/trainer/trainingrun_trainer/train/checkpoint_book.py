"""The one book of a run's checkpoints: the folder itself. Says which are whole, whether the run is trained, what goes.

A name says which attempt, and which start of its workers, has written it. Nothing is deleted that may be of a writer
that still lives, and no whole checkpoint that is not older than enough others.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_files import TornCheckpoint, fetch, inspect

_WRITER = re.compile(r"^step-\d{8,}-e\d{5,}a(\d+)g(\d+)$")


@dataclass(frozen=True, order=True)
class Writer:
    """Who writes a checkpoint: the attempt, from 0, and how many times its workers have been started, from 1."""

    attempt: int
    generation: int

    def checkpoint_name(self, *, step: int, epoch: int) -> str:
        """What it calls a checkpoint. With the epoch: after an epoch's last step one may be due for both."""
        return f"step-{step:08d}-e{epoch:05d}a{self.attempt}g{self.generation}"

    def after(self, storage: RunStorage) -> Writer:
        """This one, with a number of starts that no checkpoint of its attempt has: a lost head counts anew."""
        others = (writer for name in storage.checkpoints() if (writer := writer_of(name)))
        starts = [writer.generation for writer in others if writer.attempt == self.attempt]
        return Writer(self.attempt, max([self.generation - 1, *starts]) + 1)


def writer_of(name: str) -> Writer | None:
    """Who has written a checkpoint, or None for a name that is not one of ours."""
    match = _WRITER.match(name)
    return Writer(int(match[1]), int(match[2])) if match else None


def is_trained(storage: RunStorage, epochs: int) -> bool:
    """Whether the newest whole checkpoint, every byte of it, has `epochs` epochs behind it."""
    for name in storage.checkpoints():
        try:
            manifest = inspect(storage, name)
            if manifest.position.epoch >= epochs:
                fetch(storage, name, manifest.files, None)
                return True
        except TornCheckpoint:
            continue
        return False
    return False


class Book:
    """What one writer knows of the folder. `num_to_keep` is how many whole checkpoints stay."""

    def __init__(self, storage: RunStorage, writer: Writer, num_to_keep: int):
        self._storage = storage
        self._writer = writer
        self._num_to_keep = num_to_keep
        self._whole: set[str] = set()

    def tidy(self, saved: str, damaged: Collection[str]) -> list[str]:
        """Now that `saved` is whole, delete older ones than are to be kept, and the torn ones, which it returns.

        `damaged` are those that do not match their digests, which nothing else here would notice.
        """
        self._whole.add(saved)
        names = self._storage.checkpoints()
        torn = [name for name in names if name in damaged or not self._is_whole(name)]
        # What lies beyond `saved` is of a past that this training does not come from; it must not push out what does.
        own = [name for name in names[names.index(saved) :] if name not in torn] if saved in names else []
        deleted = [name for name in torn if self._may_delete(name)]
        for name in [*deleted, *filter(self._may_delete, own[self._num_to_keep :])]:
            self._delete(name)
        return deleted

    def _is_whole(self, name: str) -> bool:
        if name not in self._whole:
            try:
                inspect(self._storage, name)
            except TornCheckpoint:
                return False
            self._whole.add(name)
        return True

    def _may_delete(self, name: str) -> bool:
        writer = writer_of(name)
        return writer is not None and writer <= self._writer

    def _delete(self, name: str) -> None:
        self._whole.discard(name)
        self._storage.delete(name)
