"""Whole checkpoints for tests: as they are saved now, and as they were saved before there was one manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from typing import Any

import torch

from trainingrun_trainer.data.consumed import Consumed, Piece, row_ids
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_files import Manifest, Position, seal, write_part
from trainingrun_trainer.train.stall_clock import StallClock

PIECE = Piece(0, ("x",), 1, rows=40)
CLOCK = StallClock(rows=5000, seconds=9.0, waited_seconds=2.0, first_waits_seconds=1.5, computed_seconds=6.5)
POSITION = Position(
    epoch=2, step=40, epoch_step=7, rows=5000, steps_per_epoch=20, started_at=1.5, best=0.25, clock=CLOCK
)
STATE = {"model": torch.arange(10)}


def consumed_by(rank: int) -> Consumed:
    """Five rows of its own for each rank."""
    consumed = Consumed()
    consumed.add(row_ids(PIECE, rank * 10, 5))
    return consumed


def save(storage: RunStorage, name: str, ranks: int = 2, position: Position = POSITION, **said: Any) -> Manifest:
    """Write a whole checkpoint of so many ranks."""
    files = {}
    for rank in range(ranks):
        state = STATE if rank == 0 else None
        files |= write_part(storage, name, rank=rank, consumed=consumed_by(rank), state=state)
    manifest = Manifest(position, files, **said)
    seal(storage, name, manifest)
    return manifest


def save_as_before(storage: RunStorage, name: str, ranks: int = 2, position: Position = POSITION) -> None:
    """Write a checkpoint as the first versions did: each rank has a manifest of its own."""
    for rank in range(ranks):
        state, generators = io.BytesIO(), io.BytesIO()
        torch.save(STATE, state)
        torch.save({"python": (), "numpy": (), "torch": torch.get_rng_state(), "cuda": []}, generators)
        files = {f"random-{rank}.pt": generators.getvalue(), f"rows-{rank}.npz": consumed_by(rank).to_bytes()}
        if rank == 0:
            files["state.pt"] = state.getvalue()
        digests = {
            file: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for file, content in files.items()
        }
        document = {"worldSize": ranks, "position": dataclasses.asdict(position), "files": digests}
        digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
        for file, content in files.items():
            put(storage, f"{name}/{file}", content)
        put(storage, f"{name}/manifest-{rank}.json", json.dumps({"sha256": digest, **document}, indent=1).encode())


def put(storage: RunStorage, name: str, content: bytes) -> None:
    """Write a file of the run's folder."""
    if storage.local_directory is not None:
        path = storage.local_directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return
    with storage.writer(name) as file:
        file.write(content)


def get(storage: RunStorage, name: str) -> bytes:
    """A file of the run's folder."""
    return b"".join(storage.chunks(name))


def rewrite(storage: RunStorage, name: str, **changed: Any) -> None:
    """Change fields of a checkpoint's manifest, as another version of the trainer would have written them."""
    document = json.loads(get(storage, f"{name}/manifest.json"))
    del document["sha256"]
    document |= changed
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    put(storage, f"{name}/manifest.json", json.dumps({"sha256": digest, **document}).encode())
