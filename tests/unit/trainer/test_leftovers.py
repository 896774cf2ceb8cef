"""What dead attempts have left half-written goes; what can be resumed from, and what others may still write, stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
import torch

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position, TornCheckpoint, verify, write_rank
from trainingrun_trainer.train.torn_checkpoints import Writer, delete_torn, is_whole

NOW = Writer(attempt=3, generation=2)


@pytest.fixture(params=["disk", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> RunStorage:
    return RunStorage(f"{tmp_path}/runs" if request.param == "disk" else f"memory:/{tmp_path}/runs", "digits")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a checkpoint of two ranks."""
    directory = tmp_path_factory.mktemp("whole")
    torch.save({"model": torch.arange(10)}, directory / STATE_FILE)
    for rank in (0, 1):
        write_rank(directory, rank=rank, world_size=2, position=Position(epoch=1, step=40), consumed=Consumed())
    verify(directory)
    return directory


def put(storage: RunStorage, name: str, files: Path) -> None:
    filesystem, root = fsspec.core.url_to_fs(storage.root)
    filesystem.makedirs(f"{root}/digits/{name}", exist_ok=True)
    for file in files.iterdir():
        filesystem.pipe_file(f"{root}/digits/{name}/{file.name}", file.read_bytes())


def without(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-20]) and None


DAMAGES = {
    "no state": without(STATE_FILE),
    "no manifest": without("manifest-0.json"),
    "only another rank": without("manifest-0.json", STATE_FILE, "random-0.pt", "rows-0.npz"),
    "without another rank": without("manifest-1.json", "random-1.pt", "rows-1.npz"),
    "half a state": cut(STATE_FILE),
    "half a manifest": cut("manifest-1.json"),
    "half the rows": cut("rows-1.npz"),
}


@pytest.fixture(params=DAMAGES)
def torn(request: pytest.FixtureRequest, whole: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(whole, tmp_path / "torn"))
    DAMAGES[request.param](folder)
    with pytest.raises(TornCheckpoint):
        verify(folder)
    return folder


def test_torn_checkpoints_of_dead_writers_are_deleted(storage: RunStorage, whole: Path, torn: Path) -> None:
    dead = ["step-00000090-e00002a1g1", "step-00000050-e00001a2g7", "step-00000060-e00001a3g1"]
    for name in dead:
        put(storage, name, torn)
    stay = ["step-00000040-e00001a1g1", "step-00000070-e00002a3g1", "step-00000080-e00002a3g2"]
    for name in stay:
        put(storage, name, whole)
    assert sorted(delete_torn(storage, NOW)) == sorted(dead)
    assert sorted(storage.checkpoints()) == sorted(stay)
    assert all(storage.sizes(name) == {f.name: f.stat().st_size for f in whole.iterdir()} for name in stay)
    assert delete_torn(storage, NOW) == []


def test_what_another_may_still_write_is_left_alone(storage: RunStorage, torn: Path) -> None:
    living = ["step-00000080-e00002a3g2", "step-00000080-e00002a3g3", "step-00000080-e00002a4g1"]
    strange = ["step-00000080-mine", "step-00000080-e00002a1", "step-00000080-a1g1-copy"]
    for name in [*living, *strange, "best", "my-notes"]:
        put(storage, name, torn)
    assert delete_torn(storage, NOW) == []
    assert sorted(storage.list_files("")) == sorted([*living, *strange, "best", "my-notes"])


def test_what_ray_train_has_in_its_list_is_left_to_it(storage: RunStorage, torn: Path) -> None:
    """Ray fails where a checkpoint that it wants to prune is gone."""
    names = ["step-00000040-e00001a1g1", "step-00000050-e00001a1g1"]
    for name in names:
        put(storage, name, torn)
    snapshot = {"checkpoint_results": [{"checkpoint_dir_name": names[0]}]}
    storage.write_text("checkpoint_manager_snapshot.json", json.dumps(snapshot))
    assert delete_torn(storage, NOW) == [names[1]]
    assert storage.checkpoints() == [names[0]]


def test_nothing_is_deleted_while_rays_list_cannot_be_read(storage: RunStorage, torn: Path) -> None:
    put(storage, "step-00000040-e00001a1g1", torn)
    for text in ('{"checkpoint_results": [', '{"other": 1}', "[]"):
        storage.write_text("checkpoint_manager_snapshot.json", text)
        with pytest.raises(ValueError):
            delete_torn(storage, NOW)
    assert storage.checkpoints() == ["step-00000040-e00001a1g1"]


def test_a_store_that_is_away_makes_nothing_torn(
    storage: RunStorage, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, "step-00000040-e00001a1g1", whole)
    assert is_whole(storage, "step-00000040-e00001a1g1")

    def away(self: RunStorage, name: str) -> str:
        raise ConnectionResetError("away") if "manifest" in name else FileNotFoundError(name)

    monkeypatch.setattr(RunStorage, "read_text", lambda self, name: "" if "snapshot" in name else away(self, name))
    with pytest.raises(ConnectionResetError):
        delete_torn(storage, NOW)
    monkeypatch.undo()
    assert storage.checkpoints() == ["step-00000040-e00001a1g1"]
