"""What a checkpoint holds, and how to know a whole one from a torn one.

Each rank writes its own files. The manifest, which says what they all must be, is written last: without it a checkpoint
is torn, and with it whole for as long as every file is as it says. Nothing here talks to Ray or to other ranks.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import torch

from trainingrun.contract.checkpoints import MANIFEST
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.stored_file import StoredFile
from trainingrun_trainer.train.random_states import random_states
from trainingrun_trainer.train.stall_clock import StallClock

STATE_FILE = "state.pt"
# In the state, by column, the shape without rows and the type of what the model gets.
INPUTS = "inputs"
# Checkpoints from before there was one manifest have one of each rank.
_FIRST_MANIFEST = "manifest-0.json"
# Of the manifest. Fields may be added without a new one: readers ignore what they do not know.
VERSION = 1
Fields = TypeVar("Fields")


@dataclass
class Position:
    """How far training has come. `epoch` counts from 0 and is the one that training continues in.

    `step` counts optimizer steps and `rows` rows over all epochs. `productive_seconds` is time spent in steps that
    this position includes: work that was lost and done again counts once. `started_at` is seconds since 1970. `clock`
    is what the steps have cost, in all attempts; a checkpoint from before there was one goes on with one at zero.
    `bad_rows` counts the rows of the training data that onBadRow has left out, over all epochs.
    """

    epoch: int = 0
    step: int = 0
    epoch_step: int = 0
    rows: int = 0
    steps_per_epoch: int | None = None
    productive_seconds: float = 0.0
    started_at: float = 0.0
    best: float | None = None
    clock: StallClock = field(default_factory=StallClock)
    bad_rows: int = 0


class TornCheckpoint(Exception):
    """A checkpoint is incomplete or damaged; the message says which file and how."""


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint is: where training stood, its files by name, and under what it was trained.

    `metrics` are those it was saved with, `is_best` whether it was the best so far. `recorded` has the recipe, versions
    and training files, to compare with those of who goes on from it; checkpoints from before lack it.
    """

    position: Position
    files: dict[str, StoredFile]
    metrics: dict[str, float] = field(default_factory=dict)
    is_best: bool = False
    recorded: dict[str, Any] = field(default_factory=dict)


def write_part(
    storage: RunStorage, name: str, *, rank: int, consumed: Consumed, state: dict[str, Any] | None
) -> dict[str, StoredFile]:
    """Write a rank's files of checkpoint `name`: its random generators, its used rows, and the state if it has it."""
    written: dict[str, StoredFile] = {}
    if state is not None:
        written[STATE_FILE] = _save(storage, f"{name}/{STATE_FILE}", state)
    random_file, rows_file = f"random-{rank}.pt", f"rows-{rank}.npz"
    written[random_file] = _save(storage, f"{name}/{random_file}", random_states())
    with storage.writer(f"{name}/{rows_file}") as file:
        file.write(consumed.to_bytes())
    return {**written, rows_file: file.written}


def _save(storage: RunStorage, path: str, value: Any) -> StoredFile:
    with storage.writer(path) as file:
        torch.save(value, cast(IO[bytes], file))
    return file.written


def seal(storage: RunStorage, name: str, manifest: Manifest) -> None:
    """Make checkpoint `name` a whole one, once all ranks have written their files."""
    document = {
        "version": VERSION,
        "position": asdict(manifest.position),
        "metrics": manifest.metrics,
        "best": manifest.is_best,
        "recorded": manifest.recorded,
        "files": {file: said.to_json() for file, said in manifest.files.items()},
    }
    storage.write_text(f"{name}/{MANIFEST}", json.dumps({"sha256": _digest(document), **document}, indent=1))


def inspect(storage: RunStorage, name: str) -> Manifest:
    """The manifest of a checkpoint whose files all have their sizes; they are not read.

    Raises TornCheckpoint, and InvalidConfiguration where only a later version of the trainer can read it.
    """
    sizes = storage.sizes(name)
    read = _manifest if MANIFEST in sizes else _manifest_of_ranks
    manifest = read(storage, name, sizes)
    for file, said in manifest.files.items():
        if file not in sizes:
            raise TornCheckpoint(f"{file} is missing")
        if sizes[file] != said.size:
            raise TornCheckpoint(f"{file} has {sizes[file]} bytes, not {said.size}")
    return manifest


def fetch(storage: RunStorage, name: str, files: dict[str, StoredFile], destination: Path | None) -> None:
    """Read `files` of an inspected checkpoint, and keep copies in `destination`, a local folder, if it is given.

    Raises TornCheckpoint where a digest differs, and InvalidConfiguration where there is no space for a copy.
    """
    if destination:
        destination.mkdir(parents=True, exist_ok=True)
    for file, said in files.items():
        digest = hashlib.sha256()
        try:
            with (destination / file).open("wb") if destination else contextlib.nullcontext(_Nowhere()) as copy:
                for chunk in _chunks(storage, f"{name}/{file}", said.size):
                    digest.update(chunk)
                    copy.write(chunk)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InvalidConfiguration(
                f"spec.env: there is no space in the temporary folder, {destination}, for {file} of checkpoint {name}, "
                f"{said.size:,} bytes; allowed: a TMPDIR with so much space"
            ) from error
        if digest.hexdigest() != said.sha256:
            raise TornCheckpoint(f"{file} does not match its digest")


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def consumed_rows(directory: Path) -> Consumed:
    """The rows of the epoch that all ranks together had used."""
    consumed = Consumed()
    for path in sorted(directory.glob("rows-*.npz")):
        consumed.merge(Consumed.from_bytes(path.read_bytes()))
    return consumed


def _manifest(storage: RunStorage, name: str, sizes: dict[str, int]) -> Manifest:
    document = _document(storage, name, MANIFEST, sizes[MANIFEST])
    try:
        version = int(document["version"])
        if version > VERSION:
            raise InvalidConfiguration(
                f"spec.image: checkpoint {storage.location}/{name} has version {version} of the format, from a later "
                f"trainer; allowed: an image that reads version {version}, while this one reads up to {VERSION}"
            )
        return Manifest(
            position=_position(document["position"]),
            files=_files(document["files"]),
            metrics=document["metrics"],
            is_best=document["best"],
            recorded=document["recorded"],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TornCheckpoint(f"{MANIFEST} has a different version") from None


def _manifest_of_ranks(storage: RunStorage, name: str, sizes: dict[str, int]) -> Manifest:
    if _FIRST_MANIFEST not in sizes:
        raise TornCheckpoint(f"{MANIFEST} is missing")
    first = _document(storage, name, _FIRST_MANIFEST, sizes[_FIRST_MANIFEST])
    try:
        files = _files(first["files"])
        for rank in range(1, first["worldSize"]):
            file = f"manifest-{rank}.json"
            if file not in sizes:
                raise TornCheckpoint(f"{file} is missing")
            files |= _files(_document(storage, name, file, sizes[file])["files"])
        return Manifest(position=_position(first["position"]), files=files)
    except (KeyError, TypeError, AttributeError):
        raise TornCheckpoint(f"{_FIRST_MANIFEST} has a different version") from None


def _document(storage: RunStorage, name: str, file: str, size: int) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(b"".join(_chunks(storage, f"{name}/{file}", size)))
        digest = document.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TornCheckpoint(f"{file} is not complete JSON") from None
    if digest != _digest(document):
        raise TornCheckpoint(f"{file} does not match its digest")
    return document


def _chunks(storage: RunStorage, path: str, size: int) -> Iterable[bytes]:
    """The bytes of a file that has just been listed with `size` bytes: less than that is no answer to rely on."""
    arrived = 0
    try:
        for chunk in storage.chunks(path):
            arrived += len(chunk)
            yield chunk
    except FileNotFoundError as error:
        raise StorageUnavailable(f"{storage.location}/{path} was listed and cannot be found") from error
    if arrived != size:
        raise StorageUnavailable(f"{storage.location}/{path}: reading ended after {arrived} of {size} bytes")


def _files(document: dict[str, Any]) -> dict[str, StoredFile]:
    return {file: StoredFile(said["bytes"], said["sha256"]) for file, said in document.items()}


def _position(document: dict[str, Any]) -> Position:
    clock = StallClock(**_known(StallClock, document.get("clock", {})))
    return Position(**{**_known(Position, document), "clock": clock})


def _known(kind: type[Fields], values: dict[str, Any]) -> dict[str, Any]:
    """Those of `values` that this version knows: a later one may have added some."""
    names = {known.name for known in fields(kind)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if name in names}


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
