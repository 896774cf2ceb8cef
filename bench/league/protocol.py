"""The contestant's side of the league: it delivers batches, and says on standard output which rows they hold.

Imports the standard library and numpy alone, since it runs in every contestant's environment.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

SIDE = 224  # pixels of a JPEG once it is a tensor
SEED = 17
LATEST = "latest.json"  # in the folder of checkpoints: the newest one


@dataclass(frozen=True)
class Task:
    """What to deliver. `kind` is jpeg (files 00000.jpg … in `source`) or raw (images.npy, uint8 (rows, 28, 28)).

    `prepared` is the contestant's own copy of the data. With `checkpoints`, a folder, its state is saved there every
    `every` batches, and the epoch continues from the latest. Each batch is followed by `step_seconds` of training.
    """

    kind: str
    source: str
    prepared: str
    rows: int
    workers: int
    batch_rows: int
    epochs: int = 1
    checkpoints: str | None = None
    every: int = 5
    step_seconds: float = 0.0

    def jpeg(self, row: int) -> bytes:
        """The JPEG of a row."""
        return self.file(row).read_bytes()

    def file(self, row: int) -> Path:
        """The file of a JPEG."""
        return Path(self.source, f"{row:05d}.jpg")

    def raw(self) -> np.ndarray:
        """The images of all rows, mapped into memory: uint8 of shape (rows, 28, 28)."""
        images: np.ndarray = np.load(Path(self.source, "images.npy"), mmap_mode="r")
        return images


class Contestant(Protocol):
    """What a module in `contestants` offers. Without `save`, it has no state, and a killed epoch starts over."""

    @staticmethod
    def prepare(task: Task) -> None:
        """Write `task.prepared`, an empty folder, in the loader's own format."""

    def __init__(self, task: Task): ...

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """An epoch, or the rest of it after `restore`: row numbers (rows,), uint8 images with a dimension for rows."""

    def save(self, folder: Path) -> None:
        """Keep in `folder` what is needed to continue behind the batch that was delivered last."""

    def restore(self, folder: Path) -> None:
        """The inverse, in a new process, before `batches`."""


def serve(contestant: type[Any]) -> None:
    """The main program of every contestant: `prepare TASK` or `run TASK`, with the task as JSON."""
    # The events get the standard output to themselves; whatever libraries print goes where errors go.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    order, task = sys.argv[1], Task(**json.loads(sys.argv[2]))
    if order == "prepare":
        contestant.prepare(task)
        return

    def say(event: str, **values: Any) -> None:
        print(json.dumps({"event": event, "time": time.monotonic(), **values}), file=events, flush=True)

    _run(contestant(task), task, say)
    say("end")
    # Whatever a loader still has to tidy up is no part of the race.
    os._exit(0)


def _run(loader: Any, task: Task, say: Any) -> None:
    folder = Path(task.checkpoints) if task.checkpoints else None
    if folder is not None and (folder / LATEST).exists() and hasattr(loader, "restore"):
        loader.restore(folder / json.loads((folder / LATEST).read_text())["folder"])
    for _ in range(task.epochs):
        say("epoch")
        for number, (ids, images) in enumerate(loader.batches(), 1):
            first = np.asarray(images[0])
            say("batch", ids=[int(row) for row in ids], mean=float(first.mean()))
            time.sleep(task.step_seconds)
            if folder is not None and number % task.every == 0:
                _save(loader, folder, number)


def _save(loader: Any, folder: Path, batches: int) -> None:
    """A checkpoint: complete before the file that names it replaces the one before. Models are saved with any loader,
    so that the rows until now count as trained even where the loader itself has no state."""
    name = f"{os.getpid()}-{batches}"
    (folder / name).mkdir(parents=True)
    if hasattr(loader, "save"):
        loader.save(folder / name)
    pointer = folder / f"{name}.json"
    pointer.write_text(json.dumps({"folder": name, "pid": os.getpid(), "batches": batches}))
    pointer.replace(folder / LATEST)
    for old in folder.iterdir():
        if old.is_dir() and old.name != name:
            shutil.rmtree(old)
