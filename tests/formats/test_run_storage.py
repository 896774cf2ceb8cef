"""A run's folder behaves alike on a disk and in an object store, also after a crash has left it half-written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import s3fs
from ray.train import Checkpoint, CheckpointConfig
from ray.train._internal.session import _TrainingResult
from ray.train.v2._internal.exceptions import CheckpointManagerInitializationError
from ray.train.v2._internal.execution.checkpoint.checkpoint_manager import CheckpointManager
from ray.train.v2._internal.execution.storage import StorageContext

from trainingrun_trainer.storage import RunStorage

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")  # Ray's own

SNAPSHOT = "checkpoint_manager_snapshot.json"


@pytest.fixture(params=["disk", "file-uri", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStorage]:
    if request.param == "s3":
        request.getfixturevalue("store")
        yield RunStorage("s3://bucket/runs/", "digits")
    else:
        yield RunStorage(str(tmp_path) if request.param == "disk" else tmp_path.as_uri(), "digits")


def put(storage: RunStorage, name: str, text: str = "x") -> None:
    """Write a file past the storage's own code, as another process would."""
    options = {} if storage.local_directory else {"use_listings_cache": False, "skip_instance_cache": True}
    filesystem, root = fsspec.core.url_to_fs(storage.root, **options)
    filesystem.makedirs(f"{root}/digits/{name}".rpartition("/")[0], exist_ok=True)
    filesystem.pipe_file(f"{root}/digits/{name}", text.encode())


def get(storage: RunStorage, name: str) -> str:
    filesystem, root = fsspec.core.url_to_fs(storage.root)
    filesystem.invalidate_cache()
    return filesystem.cat_file(f"{root}/digits/{name}").decode()


def test_a_folder_that_is_not_there_is_empty(storage: RunStorage) -> None:
    assert storage.checkpoints() == []
    assert storage.list_files("progress") == []
    assert storage.repair() == []


def test_a_check_leaves_nothing(storage: RunStorage) -> None:
    storage.check()
    filesystem, root = fsspec.core.url_to_fs(storage.root)
    filesystem.invalidate_cache()
    assert filesystem.find(f"{root}/digits") == []


def test_checkpoints_are_listed_newest_first(storage: RunStorage) -> None:
    for name in ("step-00000005-a1g1", "step-00000020-a1g2", "step-100000000-a2g1", "best", "progress", "step-x"):
        put(storage, f"{name}/state.pt")
    assert storage.checkpoints() == ["step-100000000-a2g1", "step-00000020-a1g2", "step-00000005-a1g1"]


def test_what_other_processes_write_is_seen(storage: RunStorage) -> None:
    put(storage, "step-00000001-a1g1/state.pt")
    put(storage, "progress/attempt-0001.jsonl")
    assert storage.checkpoints() == ["step-00000001-a1g1"]
    assert storage.list_files("progress") == ["attempt-0001.jsonl"]
    put(storage, "step-00000002-a1g1/state.pt")
    put(storage, "progress/attempt-0002.jsonl")
    assert storage.checkpoints() == ["step-00000002-a1g1", "step-00000001-a1g1"]
    assert storage.list_files("progress") == ["attempt-0001.jsonl", "attempt-0002.jsonl"]


def test_small_files_are_written_and_replaced(storage: RunStorage) -> None:
    storage.write_text("progress/attempt-0001.jsonl", "one\n")
    storage.write_text("progress/attempt-0001.jsonl", "one\ntwo ⚑\n")
    assert get(storage, "progress/attempt-0001.jsonl") == "one\ntwo ⚑\n"


def test_a_directory_goes_up_and_comes_back(storage: RunStorage, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "state.pt").write_bytes(b"\x00" * 100_000)
    (made / "manifest-0.json").write_text("{}")
    storage.upload(made, "step-00000001-a1g1")
    assert storage.checkpoints() == ["step-00000001-a1g1"]
    storage.download("step-00000001-a1g1", tmp_path / "back" / "deep")
    assert {path.name: path.read_bytes() for path in (tmp_path / "back" / "deep").iterdir()} == {
        "state.pt": b"\x00" * 100_000,
        "manifest-0.json": b"{}",
    }


def test_an_upload_replaces_the_whole_folder_before_it(storage: RunStorage, tmp_path: Path) -> None:
    for number in range(3):
        made = tmp_path / str(number)
        made.mkdir()
        (made / f"only-{number}.pt").write_text(str(number))
        storage.upload(made, "best")
        assert storage.list_files("best") == [f"only-{number}.pt"]
    assert get(storage, "best/only-2.pt") == "2"


def test_an_upload_that_was_interrupted_does_not_spoil_the_next(storage: RunStorage, tmp_path: Path) -> None:
    put(storage, "best.new/left-over.pt")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "state.pt").write_text("new")
    storage.upload(tmp_path / "made", "best")
    assert storage.list_files("best") == ["state.pt"]


def test_the_location_reads_like_a_path() -> None:
    assert RunStorage("s3://bucket/runs/", "uid").location == "s3://bucket/runs/uid"
    assert RunStorage("/mnt/runs", "uid").location == "/mnt/runs/uid"
    assert RunStorage("file:///mnt/runs", "uid").local_directory == Path("/mnt/runs/uid")
    assert RunStorage("s3://bucket/runs", "uid").local_directory is None


@pytest.fixture
def rays_list(tmp_path: Path) -> Callable[[], CheckpointManager]:
    """Make Ray's own checkpoint manager on the run's folder, as a new attempt does."""
    context = StorageContext(storage_path=str(tmp_path), experiment_dir_name="digits")
    Path(context.experiment_fs_path).mkdir(exist_ok=True)
    return lambda: CheckpointManager(CheckpointConfig(num_to_keep=9), context)


def register(manager: CheckpointManager, tmp_path: Path, names: list[str]) -> None:
    """Report checkpoints to Ray's manager without its event loop, and have it write its list."""
    for name in names:
        folder = tmp_path / "digits" / name
        folder.mkdir()
        checkpoint = Checkpoint(str(folder), manager._storage_context.storage_filesystem)
        result = _TrainingResult(checkpoint=checkpoint, metrics={"loss": 0.5})
        manager._checkpoint_results.append(result)
        manager._checkpoint_to_report_index[result.checkpoint] = manager._current_report_index
        manager._current_report_index += 1
        manager._latest_checkpoint_result = result
    manager._write_state_to_storage()


NAMES = ["step-00000001-a1g1", "step-00000002-a1g1", "step-00000003-a1g1"]


@pytest.mark.parametrize("gone", [NAMES[:1], NAMES[1:2], NAMES[2:], NAMES[1:], NAMES])
def test_ray_starts_again_after_checkpoints_of_its_list_are_gone(
    tmp_path: Path, rays_list: Callable[[], CheckpointManager], gone: list[str]
) -> None:
    register(rays_list(), tmp_path, NAMES)
    for name in gone:
        (tmp_path / "digits" / name).rmdir()
    with pytest.raises(CheckpointManagerInitializationError):
        rays_list()
    storage = RunStorage(str(tmp_path), "digits")
    assert storage.repair() == [f"checkpoint {name} is missing" for name in gone]
    manager = rays_list()
    left = [name for name in NAMES if name not in gone]
    assert [Path(result.checkpoint.path).name for result in manager._checkpoint_results] == left
    latest = manager._latest_checkpoint_result
    assert (Path(latest.checkpoint.path).name if latest else None) == (left[-1] if left else None)
    assert manager._current_report_index == 3
    assert storage.repair() == []


def test_a_list_in_order_is_left_as_it_is(tmp_path: Path, rays_list: Callable[[], CheckpointManager]) -> None:
    register(rays_list(), tmp_path, [*NAMES, "checkpoint_of_my_own_loop"])
    before = (tmp_path / "digits" / SNAPSHOT).read_bytes()
    assert RunStorage(str(tmp_path), "digits").repair() == []
    assert (tmp_path / "digits" / SNAPSHOT).read_bytes() == before


def test_a_damaged_list_is_moved_aside(storage: RunStorage) -> None:
    put(storage, SNAPSHOT, '{"checkpoint_res')
    assert storage.repair() == [f"{SNAPSHOT} was damaged and was moved aside"]
    assert get(storage, f"{SNAPSHOT}.damaged") == '{"checkpoint_res'
    assert storage.list_files("") == [f"{SNAPSHOT}.damaged"]
    assert storage.repair() == []


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"checkpoint_results": 3}', "null", "\x00" * 40])
def test_every_kind_of_damage_counts(tmp_path: Path, damage: str) -> None:
    storage = RunStorage(str(tmp_path), "digits")
    put(storage, SNAPSHOT, damage)
    assert storage.repair() == [f"{SNAPSHOT} was damaged and was moved aside"]


def test_a_list_in_an_object_store_is_repaired(store: s3fs.S3FileSystem) -> None:
    results = [{"version": 0, "checkpoint_dir_name": name, "metrics": {}} for name in NAMES]
    snapshot: dict[str, Any] = {
        "ray_version": "x",
        "checkpoint_results": results,
        "checkpoint_report_indices": [0, 1, 2],
        "latest_checkpoint_result": results[2],
        "pending_training_results": [results[1], results[2]],
        "pending_validation_specs": [True, False],
        "current_report_index": 3,
    }
    store.pipe_file(f"bucket/runs/digits/{SNAPSHOT}", json.dumps(snapshot).encode())
    store.pipe_file(f"bucket/runs/digits/{NAMES[1]}/state.pt", b"x")
    storage = RunStorage("s3://bucket/runs", "digits")
    assert storage.repair() == [f"checkpoint {NAMES[0]} is missing", f"checkpoint {NAMES[2]} is missing"]
    assert json.loads(get(storage, SNAPSHOT)) == {
        "ray_version": "x",
        "checkpoint_results": [results[1]],
        "checkpoint_report_indices": [1],
        "latest_checkpoint_result": results[1],
        "pending_training_results": [results[1]],
        "pending_validation_specs": [True],
        "current_report_index": 3,
    }
