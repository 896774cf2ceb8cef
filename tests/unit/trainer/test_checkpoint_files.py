"""A checkpoint is whole or it does not count, and a whole one brings everything back."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from trainingrun_trainer.data.consumed import Consumed, Piece, row_ids
from trainingrun_trainer.train import checkpoint_files
from trainingrun_trainer.train.checkpoint_files import (
    STATE_FILE,
    Position,
    TornCheckpoint,
    consumed_rows,
    restore_random,
    verify,
    write_rank,
)
from trainingrun_trainer.train.stall_clock import StallClock

CLOCK = StallClock(rows=5000, seconds=9.0, waited_seconds=2.0, first_waits_seconds=1.5, computed_seconds=6.5)
POSITION = Position(
    epoch=2, step=40, epoch_step=7, rows=5000, steps_per_epoch=20, started_at=1.5, best=0.25, clock=CLOCK
)


def consumed_by(rank: int) -> Consumed:
    consumed = Consumed()
    consumed.add(row_ids(Piece(0, ("x",), 1, rows=40), rank * 10, 5))
    return consumed


def write(directory: Path, ranks: int = 2) -> Path:
    directory.mkdir(exist_ok=True)
    torch.save({"model": torch.arange(10)}, directory / STATE_FILE)
    for rank in range(ranks):
        write_rank(directory, rank=rank, world_size=ranks, position=POSITION, consumed=consumed_by(rank))
    return directory


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_whole_checkpoint_gives_its_position_back(saved: Path) -> None:
    assert verify(saved) == POSITION
    assert {path.name for path in saved.iterdir()} == {
        STATE_FILE,
        *(f"{kind}-{rank}.{end}" for rank in (0, 1) for kind, end in (("random", "pt"), ("rows", "npz"))),
        "manifest-0.json",
        "manifest-1.json",
    }


def test_rows_of_all_ranks_are_known(saved: Path) -> None:
    consumed = consumed_rows(saved)
    used = ~consumed.remaining(Piece(0, ("x",), 1, rows=40), 0, 40)
    assert np.flatnonzero(used).tolist() == [*range(5), *range(10, 15)]


FILES = [STATE_FILE, "random-0.pt", "random-1.pt", "rows-0.npz", "rows-1.npz", "manifest-0.json", "manifest-1.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(TornCheckpoint, match=f"^{name} is missing$"):
        verify(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named(copy: Path, name: str, kept: float) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(TornCheckpoint, match=name):
        verify(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_noticed_wherever_it_is(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    is_manifest = name.startswith("manifest")
    for place in range(0, len(data), 1 if is_manifest else max(1, len(data) // 20)):
        for bit in (0x01, 0x80) if is_manifest else (0x10,):
            (copy / name).write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
            if is_manifest and _says_the_same((copy / name), data):
                continue
            with pytest.raises(TornCheckpoint, match=r"\.(pt|npz|json) "):
                verify(copy)


def _says_the_same(path: Path, before: bytes) -> bool:
    """Another kind of white space, for example."""
    try:
        return bool(json.loads(path.read_text()) == json.loads(before))
    except ValueError:
        return False


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: {**manifest, "worldSize": 1},
        lambda manifest: {**manifest, "position": {**manifest["position"], "step": 41}},
        lambda manifest: {name: value for name, value in manifest.items() if name != "sha256"},
        lambda manifest: {},
        lambda manifest: [manifest],
        lambda manifest: None,
    ],
)
def test_a_manifest_that_was_changed_is_noticed(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = copy / "manifest-0.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(TornCheckpoint, match=r"manifest-0\.json"):
        verify(copy)


def test_a_checkpoint_of_more_ranks_needs_all_of_them(tmp_path: Path) -> None:
    directory = write(tmp_path / "some", ranks=3)
    (directory / "manifest-2.json").unlink()
    with pytest.raises(TornCheckpoint, match=r"manifest-2\.json is missing"):
        verify(directory)


def test_a_manifest_of_another_version_is_not_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_files, "asdict", lambda position: {"epoch": 1, "renamed": 2})
    write(tmp_path)
    with pytest.raises(TornCheckpoint, match=r"manifest-0\.json has a different version"):
        verify(tmp_path)


@pytest.mark.parametrize("clock", [{"renamed": 1.0}, {"rows": 1, "days": 3}, [1.0], 7])
def test_a_clock_of_another_version_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    monkeypatch.setattr(checkpoint_files, "asdict", lambda position: {"epoch": 1, "clock": clock})
    write(tmp_path)
    with pytest.raises(TornCheckpoint, match=r"manifest-0\.json has a different version"):
        verify(tmp_path)


def test_a_checkpoint_from_before_there_was_a_clock_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: value for name, value in dataclasses.asdict(POSITION).items() if name != "clock"}
    monkeypatch.setattr(checkpoint_files, "asdict", lambda position: before)
    write(tmp_path)
    assert verify(tmp_path) == dataclasses.replace(POSITION, clock=StallClock())


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(1))]


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    write(tmp_path)
    expected = [draw(), draw()]
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        assert restore_random(tmp_path, 0)
        assert [draw(), draw()] == expected


def test_a_world_that_has_grown_learns_that_a_rank_is_new(saved: Path) -> None:
    before = torch.get_rng_state()
    assert not restore_random(saved, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_world_that_has_shrunk_still_knows_every_used_row(tmp_path: Path) -> None:
    directory = write(tmp_path / "four", ranks=4)
    consumed = consumed_rows(directory)
    assert consumed.rows() == 20
    again = tmp_path / "one"
    again.mkdir()
    torch.save({}, again / STATE_FILE)
    write_rank(again, rank=0, world_size=1, position=verify(directory), consumed=consumed)
    assert consumed_rows(again).rows() == 20
    assert verify(again) == POSITION
