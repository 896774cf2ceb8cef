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
from checkpoint_samples import PIECE, POSITION, STATE, get, put, rewrite, save, save_as_before

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_files import (
    STATE_FILE,
    Manifest,
    TornCheckpoint,
    consumed_rows,
    fetch,
    inspect,
    write_part,
)
from trainingrun_trainer.train.random_states import restore_random
from trainingrun_trainer.train.stall_clock import StallClock

NAME = "step-00000040-e00002a0g1"
PARTS = [STATE_FILE, "random-0.pt", "random-1.pt", "rows-0.npz", "rows-1.npz"]
FILES = [*PARTS, "manifest.json"]
FILES_BEFORE = [*PARTS, "manifest-0.json", "manifest-1.json"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("saved")
    save(RunStorage(str(root), "now"), NAME)
    save_as_before(RunStorage(str(root), "before"), NAME)
    return root


@pytest.fixture
def now(saved: Path, tmp_path: Path) -> RunStorage:
    return RunStorage(str(Path(shutil.copytree(saved, tmp_path / "copy"))), "now")


@pytest.fixture
def before(now: RunStorage) -> RunStorage:
    return RunStorage(now.root, "before")


def verify(storage: RunStorage, destination: Path | None = None) -> Manifest:
    manifest = inspect(storage, NAME)
    fetch(storage, NAME, manifest.files, destination)
    return manifest


def test_a_whole_checkpoint_gives_its_position_back(now: RunStorage, before: RunStorage, tmp_path: Path) -> None:
    for storage, files in ((now, FILES), (before, FILES_BEFORE)):
        assert storage.list_files(NAME) == sorted(files)
        assert verify(storage, tmp_path / storage.name).position == POSITION
        assert sorted(path.name for path in (tmp_path / storage.name).iterdir()) == sorted(PARTS)
        state = torch.load(tmp_path / storage.name / STATE_FILE)
        assert torch.equal(state["model"], STATE["model"])


def test_rows_of_all_ranks_are_known(now: RunStorage, tmp_path: Path) -> None:
    verify(now, tmp_path / "here")
    used = ~consumed_rows(tmp_path / "here").remaining(PIECE, 0, 40)
    assert np.flatnonzero(used).tolist() == [*range(5), *range(10, 15)]


EACH_FILE = pytest.mark.parametrize(
    ("kind", "name"), [*(("now", n) for n in FILES), *(("before", n) for n in FILES_BEFORE)]
)


@pytest.fixture
def storage(kind: str, now: RunStorage) -> RunStorage:
    return RunStorage(now.root, kind)


@EACH_FILE
def test_a_missing_file_is_named(storage: RunStorage, name: str) -> None:
    storage.delete_file(f"{NAME}/{name}")
    expected = "manifest.json" if name == "manifest-0.json" else name
    with pytest.raises(TornCheckpoint, match=f"^{expected} is missing$"):
        inspect(storage, NAME)


@EACH_FILE
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named(storage: RunStorage, name: str, kept: float) -> None:
    content = get(storage, f"{NAME}/{name}")
    put(storage, f"{NAME}/{name}", content[: int(len(content) * kept)])
    with pytest.raises(TornCheckpoint, match=name):
        inspect(storage, NAME)


@EACH_FILE
def test_a_flipped_bit_is_noticed_wherever_it_is(storage: RunStorage, name: str) -> None:
    content = get(storage, f"{NAME}/{name}")
    is_manifest = name.startswith("manifest")
    for place in range(0, len(content), 3 if is_manifest else max(1, len(content) // 20)):
        for bit in (0x01, 0x80) if is_manifest else (0x10,):
            changed = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            if is_manifest and _says_the_same(changed, content):
                continue
            put(storage, f"{NAME}/{name}", changed)
            with pytest.raises(TornCheckpoint, match=r"\.(pt|npz|json) "):
                verify(storage)


def _says_the_same(changed: bytes, content: bytes) -> bool:
    """Another kind of white space, for example."""
    try:
        return bool(json.loads(changed) == json.loads(content))
    except ValueError:
        return False


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: {**manifest, "files": {}},
        lambda manifest: {**manifest, "position": {**manifest["position"], "step": 41}},
        lambda manifest: {name: value for name, value in manifest.items() if name != "sha256"},
        lambda manifest: {},
        lambda manifest: [manifest],
        lambda manifest: None,
    ],
)
def test_a_manifest_that_was_changed_is_noticed(now: RunStorage, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads(get(now, f"{NAME}/manifest.json"))
    put(now, f"{NAME}/manifest.json", json.dumps(change(manifest)).encode())
    with pytest.raises(TornCheckpoint, match=r"manifest\.json"):
        inspect(now, NAME)


def test_without_a_manifest_it_is_torn_whatever_else_is_there(now: RunStorage) -> None:
    for name in PARTS:
        assert now.sizes(NAME)[name] > 0
    now.delete_file(f"{NAME}/manifest.json")
    with pytest.raises(TornCheckpoint, match=r"^manifest\.json is missing$"):
        inspect(now, NAME)


def test_what_a_later_version_adds_is_ignored(now: RunStorage) -> None:
    manifest = json.loads(get(now, f"{NAME}/manifest.json"))
    position = {**manifest["position"], "moon": "full", "clock": {**manifest["position"]["clock"], "days": 3}}
    rewrite(now, NAME, position=position, sponsor={"name": "x"})
    assert inspect(now, NAME).position == POSITION


def test_what_an_earlier_version_lacked_has_its_default(now: RunStorage) -> None:
    position = {name: value for name, value in dataclasses.asdict(POSITION).items() if name not in ("clock", "best")}
    rewrite(now, NAME, position=position)
    assert inspect(now, NAME).position == dataclasses.replace(POSITION, clock=StallClock(), best=None)


def test_another_format_is_refused_by_its_number_and_never_skipped(now: RunStorage) -> None:
    rewrite(now, NAME, version=2, position="elsewhere")
    with pytest.raises(InvalidConfiguration, match=f"{NAME} has version 2 .* reads up to 1"):
        inspect(now, NAME)


@pytest.mark.parametrize("position", [[1.0], 7, "x", {"epoch": 1, "clock": [1.0]}])
def test_a_position_that_is_none_is_torn(now: RunStorage, position: object) -> None:
    rewrite(now, NAME, position=position)
    with pytest.raises(TornCheckpoint, match=r"manifest\.json has a different version"):
        inspect(now, NAME)


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(1))]


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    storage = RunStorage(str(tmp_path), "run")
    save(storage, NAME)
    expected = [draw(), draw()]
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        assert restore_random(tmp_path / "run" / NAME, 1)
        assert [draw(), draw()] == expected


def test_a_world_that_has_grown_learns_that_a_rank_is_new(now: RunStorage) -> None:
    before = torch.get_rng_state()
    assert now.local_directory is not None
    assert not restore_random(now.local_directory / NAME, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_world_that_has_shrunk_still_knows_every_used_row(tmp_path: Path) -> None:
    storage = RunStorage(str(tmp_path), "run")
    save(storage, "step-00000001-e00000a0g1", ranks=4)
    consumed = consumed_rows(tmp_path / "run" / "step-00000001-e00000a0g1")
    assert consumed.rows() == 20
    write_part(storage, "step-00000002-e00000a1g1", rank=0, consumed=consumed, state={})
    assert consumed_rows(tmp_path / "run" / "step-00000002-e00000a1g1").rows() == 20
