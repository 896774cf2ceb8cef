"""Saves and finds checkpoints for one rank: between the training state in memory and the run's folder.

Every method is collective: all ranks call it at the same step.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray.train
import torch

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.storage import BEST, RunStorage
from trainingrun_trainer.train import checkpoint_files
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position, TornCheckpoint
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.torn_checkpoints import Writer, delete_torn


@dataclasses.dataclass(frozen=True)
class Restored:
    """A checkpoint that was found whole. `directory` is a local copy, which is there until the next one is saved."""

    name: str
    directory: Path
    position: Position
    skipped: tuple[str, ...]

    def state(self, device: torch.device) -> dict[str, Any]:
        """The saved state with its tensors on `device`."""
        # Our own file, just checked against its digest; it may hold any state that a user's optimizer keeps.
        return torch.load(self.directory / STATE_FILE, map_location=device, weights_only=False)  # type: ignore[no-any-return]


class Saver:
    """Writes this rank's part of each checkpoint and hands it to Ray Train, which uploads and prunes.

    `on_deleted` is told, on rank 0 and from another thread, which torn checkpoints of before were deleted.
    """

    def __init__(
        self, storage: RunStorage, lockstep: Lockstep, writer: Writer, on_deleted: Callable[[list[str]], None]
    ):
        self._storage = storage
        self._lockstep = lockstep
        self._writer = writer
        self._on_deleted = on_deleted
        self._clearing: threading.Thread | None = None
        self._is_clear = False
        self._restored: Path | None = None
        self._saved = ""

    def save(
        self,
        state: dict[str, Any],
        position: Position,
        consumed: Consumed,
        metrics: dict[str, float],
        *,
        best: bool,
    ) -> dict[str, Any]:
        """Save `state` at `position`; returns the fields of the record CheckpointSaved.

        With `best`, rank 0 also replaces the run's `best` folder, which outlives the checkpoints around it.
        """
        began = time.monotonic()
        directory = Path(tempfile.mkdtemp(prefix="trainingrun-checkpoint-"))
        try:
            size = self._write_part(directory, state, position, consumed)
            name = self._writer.checkpoint_name(step=position.step, epoch=position.epoch)
            if best and self._lockstep.rank == 0:
                self._keep_best(directory, name, metrics)
            ray.train.report(
                {**metrics, "epoch": position.epoch, "step": position.step},
                checkpoint=ray.train.Checkpoint.from_directory(str(directory)),
                checkpoint_dir_name=name,
            )
            self._lockstep.wait()  # a checkpoint is whole once the last rank's files are there
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        self._saved = name
        self._forget_restored()
        self._clear_beside()
        return {
            "path": f"{self._storage.location}/{name}",
            # The epoch that was trained last: at its end, `position` is already in the next one.
            "epoch": position.epoch if position.epoch_step else max(position.epoch - 1, 0),
            "step": position.step,
            "seconds": time.monotonic() - began,
            "size_bytes": size,
            "best": best,
        }

    def _write_part(self, directory: Path, state: dict[str, Any], position: Position, consumed: Consumed) -> int:
        """Write this rank's files; returns their bytes."""
        rank = self._lockstep.rank
        if rank == 0:
            torch.save(state, directory / STATE_FILE)
        checkpoint_files.write_rank(
            directory, rank=rank, world_size=self._lockstep.world_size, position=position, consumed=consumed
        )
        return sum(path.stat().st_size for path in directory.iterdir())

    def _clear_beside(self) -> None:
        """Once these workers have an intact checkpoint, earlier incomplete ones are of no use; once is enough."""
        is_running = self._clearing is not None and self._clearing.is_alive()
        if self._lockstep.rank == 0 and not self._is_clear and not is_running:
            # Beside training: no step should wait for it.
            self._clearing = threading.Thread(target=self._clear, name="trainingrun-leftovers", daemon=True)
            self._clearing.start()

    def _clear(self) -> None:
        try:
            deleted = delete_torn(self._storage, self._writer)
            self._is_clear = True
            if deleted:
                self._on_deleted(deleted)
        except Exception as error:  # each file system has errors of its own; none is worth a run
            print(f"warning: incomplete checkpoints could not be deleted: {error}", file=sys.stderr)

    def _keep_best(self, directory: Path, name: str, metrics: dict[str, float]) -> None:
        """What a user needs from the best checkpoint: the state, and how good it is. Not for resuming."""
        with tempfile.TemporaryDirectory(prefix="trainingrun-best-") as kept:
            os.link(directory / STATE_FILE, Path(kept) / STATE_FILE)
            (Path(kept) / "metrics.json").write_text(json.dumps({"checkpoint": name, "metrics": metrics}, indent=1))
            self._storage.upload(Path(kept), BEST)

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Copy the checkpoint that was saved last to the run's folder `best`. Collective."""
        if self._lockstep.rank == 0:
            with tempfile.TemporaryDirectory(prefix="trainingrun-newest-") as local:
                self._storage.download(self._saved, Path(local) / self._saved)
                self._keep_best(Path(local) / self._saved, self._saved, metrics)
        self._lockstep.wait()

    def restore(self) -> Restored | None:
        """The newest whole checkpoint of the run, the same one on every rank, or None."""
        choice: tuple[str, tuple[str, ...]] | None = None
        local = self._restored = Path(tempfile.mkdtemp(prefix="trainingrun-restore-"))
        if self._lockstep.rank == 0:
            choice = self._newest_whole(local)
        choice = self._lockstep.broadcast(choice)
        if choice is None:
            return None
        name, skipped = choice
        if self._lockstep.rank != 0:
            self._storage.download(name, local / name)
        return Restored(name, local / name, checkpoint_files.verify(local / name), skipped)

    def _forget_restored(self) -> None:
        """Delete the copy of what was resumed from, which is as large as a checkpoint: there is a newer one now."""
        if self._restored is not None:
            shutil.rmtree(self._restored, ignore_errors=True)
            self._restored = None

    def _newest_whole(self, local: Path) -> tuple[str, tuple[str, ...]] | None:
        skipped: list[str] = []
        for name in self._storage.checkpoints():
            try:
                self._storage.download(name, local / name)
                checkpoint_files.verify(local / name)
            except (TornCheckpoint, OSError) as error:
                skipped.append(f"checkpoint {name} is not intact ({error}); using the previous one")
                shutil.rmtree(local / name, ignore_errors=True)
                continue
            return name, tuple(skipped)
        return ("", tuple(skipped)) if skipped else None
