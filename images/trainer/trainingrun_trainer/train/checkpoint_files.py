"""What a checkpoint holds and how to know a whole one from a torn one.

Each rank writes its own files and a manifest with their digests; a checkpoint counts only if every manifest is there
and every file matches. Nothing here talks to Ray: directories in, directories out.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.train.stall_clock import StallClock

STATE_FILE = "state.pt"


@dataclass
class Position:
    """How far training has come. `epoch` counts from 0 and is the one that training continues in.

    `step` counts optimizer steps and `rows` rows over all epochs. `productive_seconds` is time spent in steps that
    this position includes: work that was lost and done again counts once. `started_at` is seconds since 1970. `clock`
    is what the steps have cost, in all attempts; a checkpoint from before there was one goes on with one at zero.
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


class TornCheckpoint(Exception):
    """A checkpoint is incomplete or damaged; the message says which file and how."""


def write_rank(directory: Path, *, rank: int, world_size: int, position: Position, consumed: Consumed) -> None:
    """Write what only this rank knows: its random generators and the rows that it has used in this epoch."""
    torch.save(_random_states(), directory / f"random-{rank}.pt")
    (directory / f"rows-{rank}.npz").write_bytes(consumed.to_bytes())
    names = [f"random-{rank}.pt", f"rows-{rank}.npz", *([STATE_FILE] if rank == 0 else [])]
    manifest = {
        "worldSize": world_size,
        "position": asdict(position),
        "files": {
            name: {"bytes": (directory / name).stat().st_size, "sha256": _digest(directory / name)} for name in names
        },
    }
    sealed = {"sha256": _seal(manifest), **manifest}
    (directory / _manifest(rank)).write_text(json.dumps(sealed, indent=1))


def verify(directory: Path) -> Position:
    """Check every file against its manifest and return the position. Raises TornCheckpoint."""
    first = _read_manifest(directory, 0)
    for rank in range(first["worldSize"]):
        for name, expected in _read_manifest(directory, rank)["files"].items():
            path = directory / name
            if not path.exists():
                raise TornCheckpoint(f"{name} is missing")
            if path.stat().st_size != expected["bytes"]:
                raise TornCheckpoint(f"{name} has {path.stat().st_size} bytes, not {expected['bytes']}")
            if _digest(path) != expected["sha256"]:
                raise TornCheckpoint(f"{name} does not match its digest")
    values = first["position"]
    try:
        return Position(**{**values, "clock": StallClock(**values.get("clock", {}))})
    except (TypeError, AttributeError):
        raise TornCheckpoint(f"{_manifest(0)} has a different version") from None


def consumed_rows(directory: Path) -> Consumed:
    """The rows of the epoch that all ranks together had used."""
    consumed = Consumed()
    for path in sorted(directory.glob("rows-*.npz")):
        consumed.merge(Consumed.from_bytes(path.read_bytes()))
    return consumed


def restore_random(directory: Path, rank: int) -> bool:
    """Set this process's random generators as `rank` had them; False if the checkpoint had fewer ranks."""
    path = directory / f"random-{rank}.pt"
    if not path.exists():
        return False
    states = torch.load(path, weights_only=False)  # our own file, checked against its digest
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][0])
    return True


def _random_states() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }


def _manifest(rank: int) -> str:
    return f"manifest-{rank}.json"


def _read_manifest(directory: Path, rank: int) -> dict[str, Any]:
    path = directory / _manifest(rank)
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        seal = manifest.pop("sha256")
    except FileNotFoundError:
        raise TornCheckpoint(f"{path.name} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TornCheckpoint(f"{path.name} is not complete JSON") from None
    if seal != _seal(manifest):
        raise TornCheckpoint(f"{path.name} does not match its digest")
    return manifest


def _seal(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
