"""Saves and finds checkpoints for one rank: between the training state in memory and the run's folder.

Every method is collective: all ranks call it at the same step. What the store refuses is StorageUnavailable, and never
a reason to go on from something older.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainingrun.contract.checkpoints import BEST, BEST_METRICS, MANIFEST
from trainingrun.contract.records import KeptCheckpoint
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.failures.errors import StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import recipe_changes
from trainingrun_trainer.train.checkpoint_book import Book, Writer
from trainingrun_trainer.train.checkpoint_files import (
    STATE_FILE,
    Manifest,
    Position,
    TornCheckpoint,
    fetch,
    inspect,
    seal,
    write_part,
)
from trainingrun_trainer.train.folder_owner import refuse_others
from trainingrun_trainer.train.initial import Initial
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.restored import Restored
from trainingrun_trainer.train.sharded_state import refuse_sharded
from trainingrun_trainer.train.starting import start_from

_BEST_METRICS = f"{BEST}/{BEST_METRICS}"


class Saver:
    """Writes this rank's part of each checkpoint, keeps as many as are to be kept, and finds the newest whole one.

    `recorded` is the recipe, versions and training files of now, as plain JSON values. `notify` is told on rank 0,
    with the level of a Notice, what a user should know. With the `fence` of its driver, a checkpoint becomes whole only
    while the folder is that driver's, and otherwise raises FolderTaken. `initial` is what training starts from where
    the run has no checkpoint of its own.
    """

    def __init__(
        self,
        storage: RunStorage,
        lockstep: Lockstep,
        writer: Writer,
        *,
        num_to_keep: int,
        recorded: dict[str, Any],
        notify: Callable[[str, str], None],
        fence: str | None = None,
        initial: Initial | None = None,
    ):
        self.initial = initial
        self._storage = storage
        self._lockstep = lockstep
        self._num_to_keep = num_to_keep
        self._recorded = recorded
        self._notify = notify
        self._writer = writer
        self._fence = fence
        self._book: Book | None = None
        self._damaged: set[str] = set()
        self._saved: tuple[str, Manifest] | None = None
        self._copies: tempfile.TemporaryDirectory[str] | None = None

    def save(
        self,
        state: dict[str, Any],
        position: Position,
        consumed: Consumed,
        metrics: dict[str, float],
        *,
        best: bool,
    ) -> dict[str, Any]:
        """Save rank 0's `state` at `position`; returns the fields of the record CheckpointSaved.

        With `best`, rank 0 also replaces the run's `best` folder, which outlives the checkpoints around it.
        """
        began = time.monotonic()
        refuse_sharded(state)
        book = self._joined()
        name = self._writer.checkpoint_name(step=position.step, epoch=position.epoch)
        rank = self._lockstep.rank
        part = write_part(self._storage, name, rank=rank, consumed=consumed, state=state if rank == 0 else None)
        files = {file: said for each in self._lockstep.gather(part) for file, said in each.items()}
        values = {metric: float(value) for metric, value in metrics.items()}
        if rank == 0:
            manifest = Manifest(position, files, values, best, self._recorded)
            self._publish(name, manifest)
            self._saved = name, manifest
            self._copy_best(name, manifest)
            self._tidy(book, name)
        # Whole now, for every rank; and none of them begins the next one while what is not whole is deleted.
        self._lockstep.wait()
        self._forget_copies()
        return {
            "path": f"{self._storage.location}/{name}",
            # The epoch that was trained last: at its end, `position` is already in the next one.
            "epoch": position.epoch if position.epoch_step else max(position.epoch - 1, 0),
            "step": position.step,
            "seconds": time.monotonic() - began,
            "size_bytes": sum(said.size for said in files.values()),
            "best": best,
            "metrics": values,
        }

    def best(self) -> KeptCheckpoint | None:
        """The checkpoint of which the folder `best` holds a copy; None where it holds none."""
        try:
            said = json.loads(self._storage.read_text(_BEST_METRICS))
            return KeptCheckpoint(name=str(said["checkpoint"]), metrics=dict(said["metrics"]))
        except (ValueError, KeyError, TypeError):
            return None

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Have the checkpoint that was saved last, with these `metrics`, be the best one too. Collective."""
        if self._saved is not None:  # on rank 0
            name, manifest = self._saved
            values = {metric: float(value) for metric, value in metrics.items()}
            manifest = dataclasses.replace(manifest, metrics=values, is_best=True)
            self._publish(name, manifest)
            self._copy_best(name, manifest)
        self._lockstep.wait()

    def restore(self) -> Restored | None:
        """The newest whole checkpoint of the run, else what it starts from, the same on every rank; or None."""
        self._joined()
        self._forget_copies()
        copies = self._new_copies()
        found = self._lockstep.broadcast(self._newest_whole(copies) if self._lockstep.rank == 0 else None)
        if found is None:
            if self.initial is not None:
                return start_from(self.initial, self._lockstep, self._recorded, copies)
            self._forget_copies()
            return None
        name, manifest = found
        if self._lockstep.rank != 0:
            self._fetch_own(name, manifest, copies)
        changes = recipe_changes.changes(manifest.recorded, self._recorded)
        return Restored(name, copies / name / STATE_FILE, manifest.position, changes)

    def _publish(self, name: str, manifest: Manifest) -> None:
        refuse_others(self._storage, self._fence)
        seal(self._storage, name, manifest)

    def _newest_whole(self, copies: Path) -> tuple[str, Manifest] | None:
        """The name and manifest of the newest whole checkpoint, with all of its files below `copies`."""
        tried: set[str] = set()
        # Listed anew each time: who still saved or deleted a moment ago may have changed what there is.
        while untried := [name for name in self._storage.checkpoints() if name not in tried]:
            name = untried[0]
            tried.add(name)
            try:
                manifest = inspect(self._storage, name)
                fetch(self._storage, name, manifest.files, copies / name)
            except TornCheckpoint as error:
                self._damaged.add(name)
                shutil.rmtree(copies / name, ignore_errors=True)
                start = "the beginning" if self.initial is None else self.initial.location
                what = "using the previous one" if len(untried) > 1 else f"training starts from {start}"
                self._notify("Warning", f"checkpoint {name} is not intact ({error}); {what}")
                continue
            self._copy_best(name, manifest)
            return name, manifest
        return None

    def _fetch_own(self, name: str, manifest: Manifest, copies: Path) -> None:
        """Copy what this rank needs of a checkpoint that rank 0 has found whole."""
        wanted = (STATE_FILE, f"random-{self._lockstep.rank}.pt")
        files = {file: manifest.files[file] for file in wanted if file in manifest.files}
        try:
            fetch(self._storage, name, files, copies / name)
        except TornCheckpoint as error:
            raise StorageUnavailable(f"checkpoint {name} was whole a moment ago: {error}") from error

    def _copy_best(self, name: str, manifest: Manifest) -> None:
        """Have the folder `best` hold checkpoint `name`, if that is the best one: its state, and how good that is.

        File by file, each at once: whenever this is interrupted there is a state, and a resumed run does it again.
        Never beside metrics of another one, which would be believed when training goes on from an earlier checkpoint.
        """
        if not manifest.is_best:
            return
        files = {STATE_FILE: manifest.files[STATE_FILE].to_json()}
        metrics = json.dumps({"checkpoint": name, "metrics": manifest.metrics, "files": files}, indent=1)
        if self._storage.read_text(_BEST_METRICS) == metrics:
            return
        self._storage.delete_file(_BEST_METRICS)
        self._storage.delete_file(f"{BEST}/{MANIFEST}")
        self._storage.copy_file(f"{name}/{STATE_FILE}", f"{BEST}/{STATE_FILE}")
        kept = {STATE_FILE: manifest.files[STATE_FILE]}
        seal(self._storage, BEST, dataclasses.replace(manifest, files=kept))
        self._storage.write_text(_BEST_METRICS, metrics)

    def _joined(self) -> Book:
        """The book, with a writer that is not any that has written before. Collective, the first time."""
        if self._book is None:
            mine = self._writer.after(self._storage) if self._lockstep.rank == 0 else None
            self._writer = self._lockstep.broadcast(mine)
            self._book = Book(self._storage, self._writer, self._num_to_keep)
        return self._book

    def _tidy(self, book: Book, saved: str) -> None:
        try:
            deleted = book.tidy(saved, self._damaged)
        except StorageUnavailable as error:
            self._notify("Warning", f"older checkpoints could not be deleted, and will be after the next one: {error}")
            return
        if deleted:
            self._notify("Info", f"deleted incomplete checkpoints of earlier attempts: {', '.join(sorted(deleted))}")

    def _new_copies(self) -> Path:
        """An empty temporary folder, of this run and rank, in place of those that killed processes have left."""
        run = hashlib.sha256(self._storage.location.encode()).hexdigest()[:12]
        prefix = f"trainingrun-restore-{run}-{self._lockstep.rank}-"
        for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        self._copies = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
        return Path(self._copies.name)

    def _forget_copies(self) -> None:
        """Delete the copy of what was resumed from, which is as large as a checkpoint: there is a newer one now."""
        if self._copies is not None:
            self._copies.cleanup()
            self._copies = None
