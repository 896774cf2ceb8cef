"""Finds a checkpoint by what a user writes: a run's folder, `best` or a checkpoint in it, or a file of weights.

Only files that are asked for are read, and each is held to the checkpoint's digest. It must not know what for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainingrun.contract.checkpoints import BEST, CHECKPOINT, MANIFEST
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import weights
from trainingrun_trainer.train.checkpoint_files import (
    STATE_FILE,
    Manifest,
    TornCheckpoint,
    fetch,
    inspect,
)

# In place of a checkpoint's name.
LAST = "last"
ALLOWED = "the folder of a run, `best` or a checkpoint in it, or a file of weights (.pt, .safetensors)"


@dataclass(frozen=True)
class StoredCheckpoint:
    """What was found. `file` is its state, or a file of weights alone, which has no `manifest`."""

    location: str
    file: Path
    manifest: Manifest | None


def fetched(location: str, field: str, wanted: Callable[[str], bool], copies: Path) -> StoredCheckpoint:
    """The checkpoint at `location`, with copies of those of its files whose names are `wanted`, in `copies`.

    Of a run's folder it is the newest whole one. Raises InvalidConfiguration, which names `field`, where there is none
    and StorageUnavailable where nothing can be told.
    """
    folder, name = _split(location)
    try:
        if Path(name).suffix in weights.SUFFIXES:
            return _weights_file(folder, name, field, copies)
        if name == BEST or CHECKPOINT.match(name):
            return _checkpoint(folder, name, field, wanted, copies)
        run = folder if name == LAST else _storage(location)
        return _newest(run, field, wanted, copies)
    except StorageUnavailable as error:
        raise StorageUnavailable(f"{field}: {error}") from error


def _newest(run: RunStorage, field: str, wanted: Callable[[str], bool], copies: Path) -> StoredCheckpoint:
    torn = []
    for name in run.checkpoints():
        try:
            return _fetched(run, name, wanted, copies)
        except TornCheckpoint as error:
            torn.append(f"{name} is not whole ({error})")
    what = f"no whole checkpoint in {run.location}: {torn[0]}" if torn else f"no checkpoint in {run.location}"
    raise InvalidConfiguration(f"{field}: there is {what}; expected {ALLOWED}")


def _checkpoint(
    run: RunStorage, name: str, field: str, wanted: Callable[[str], bool], copies: Path
) -> StoredCheckpoint:
    files = run.list_files(name)
    if STATE_FILE not in files:
        raise InvalidConfiguration(f"{field}: there is no checkpoint at {run.location}/{name}; expected {ALLOWED}")
    if name == BEST and MANIFEST not in files:  # from before it had one
        return _weights_file(RunStorage(run.location, name), STATE_FILE, field, copies)
    try:
        return _fetched(run, name, wanted, copies)
    except TornCheckpoint as error:
        raise InvalidConfiguration(
            f"{field}: found {run.location}/{name}, which is not whole ({error}); allowed: another checkpoint"
        ) from error


def _fetched(run: RunStorage, name: str, wanted: Callable[[str], bool], copies: Path) -> StoredCheckpoint:
    manifest = inspect(run, name)
    files = {file: said for file, said in manifest.files.items() if wanted(file)}
    fetch(run, name, files, copies / name)
    return StoredCheckpoint(f"{run.location}/{name}", copies / name / STATE_FILE, manifest)


def _weights_file(folder: RunStorage, name: str, field: str, copies: Path) -> StoredCheckpoint:
    if name not in folder.list_files(""):
        raise InvalidConfiguration(f"{field}: there is no file {folder.location}/{name}; expected {ALLOWED}")
    local = folder.local_directory
    if local is None:
        copies.mkdir(parents=True, exist_ok=True)
        with (copies / name).open("wb") as file:
            file.writelines(folder.chunks(name))
    return StoredCheckpoint(f"{folder.location}/{name}", (copies if local is None else local) / name, None)


def _split(location: str) -> tuple[RunStorage, str]:
    """The folder that something is in, and its name there."""
    root, name = _parts(location)
    return _storage(root), name


def _storage(location: str) -> RunStorage:
    return RunStorage(*_parts(location))


def _parts(location: str) -> tuple[str, str]:
    scheme, separator, path = location.rpartition("://")
    folder, slash, name = path.rstrip("/").rpartition("/")
    return f"{scheme}{separator}{folder or slash}", name
