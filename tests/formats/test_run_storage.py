"""A run's folder behaves alike on a disk and in an object store, also after a crash has left it half-written."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import s3fs
from fsspec.implementations.memory import MemoryFileSystem

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.stored_file import StoredFile


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


def test_a_check_leaves_nothing(storage: RunStorage) -> None:
    storage.check()
    filesystem, root = fsspec.core.url_to_fs(storage.root)
    filesystem.invalidate_cache()
    assert filesystem.find(f"{root}/digits") == []


def test_checkpoints_are_listed_newest_first(storage: RunStorage) -> None:
    for name in ("step-00000005-a1g1", "step-00000020-a1g2", "step-100000000-a2g1", "best", "progress", "step-x"):
        put(storage, f"{name}/state.pt")
    assert storage.checkpoints() == ["step-100000000-a2g1", "step-00000020-a1g2", "step-00000005-a1g1"]
    for name in ("step-00000020-e00001a2g9", "step-00000020-e00001a2g10", "step-00000020-e00000a3g1"):
        put(storage, f"{name}/state.pt")
    newest = ["step-00000020-e00001a2g10", "step-00000020-e00001a2g9", "step-00000020-e00000a3g1"]
    assert storage.checkpoints()[1:4] == newest


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


def test_a_file_goes_up_and_comes_back_with_what_was_written(storage: RunStorage, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100_000  # more than s3fs sends at once
    with storage.writer("step-00000001-a1g1/state.pt") as file:
        for begin in range(0, len(content), 1 << 20):
            assert file.write(content[begin : begin + (1 << 20)]) > 0
    assert file.written == StoredFile(len(content), hashlib.sha256(content).hexdigest())
    with storage.writer("step-00000001-a1g1/rows-0.npz"):
        pass
    assert storage.sizes("step-00000001-a1g1") == {"state.pt": len(content), "rows-0.npz": 0}
    assert b"".join(storage.chunks("step-00000001-a1g1/state.pt")) == content
    storage.download("step-00000001-a1g1", tmp_path / "back" / "deep")
    assert (tmp_path / "back" / "deep" / "state.pt").read_bytes() == content
    assert (tmp_path / "back" / "deep" / "rows-0.npz").read_bytes() == b""


def test_a_file_that_is_not_there_is_not_a_store_that_is_away(storage: RunStorage) -> None:
    put(storage, "progress/attempt-0001.jsonl")
    assert storage.read_text("progress/attempt-0002.jsonl") == ""
    with pytest.raises(FileNotFoundError):
        list(storage.chunks("progress/attempt-0002.jsonl"))
    storage.delete_file("progress/attempt-0002.jsonl")
    storage.delete("step-00000001-a1g1")
    assert storage.list_files("progress") == ["attempt-0001.jsonl"]


def test_a_folder_is_deleted_with_everything_in_it(storage: RunStorage) -> None:
    for name in ("step-00000001-a1g1/state.pt", "step-00000001-a1g1/rows-0.npz", "step-00000001-a1g10/state.pt"):
        put(storage, name)
    storage.delete("step-00000001-a1g1")
    assert storage.checkpoints() == ["step-00000001-a1g10"]
    assert storage.list_files("step-00000001-a1g10") == ["state.pt"]


def test_a_copy_replaces_what_is_there(storage: RunStorage) -> None:
    put(storage, "step-00000001-a1g1/state.pt", "new")
    for _ in range(2):
        storage.copy_file("step-00000001-a1g1/state.pt", "best/state.pt")
        assert get(storage, "best/state.pt") == "new"
        assert storage.list_files("best") == ["state.pt"]
        put(storage, "best/state.pt", "old and longer")
    with pytest.raises(StorageUnavailable):
        storage.copy_file("step-00000009-a1g1/state.pt", "best/state.pt")
    assert get(storage, "best/state.pt") == "old and longer"


def test_a_bucket_that_does_not_exist_cannot_be_written(store: s3fs.S3FileSystem) -> None:
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        RunStorage("s3://absent/runs", "digits").write_text("a", "x")
    with pytest.raises(InvalidConfiguration, match=r'^spec\.storage: "s3://absent/runs/digits" cannot be written'):
        RunStorage("s3://absent/runs", "digits").check()


def test_the_location_reads_like_a_path() -> None:
    assert RunStorage("s3://bucket/runs/", "uid").location == "s3://bucket/runs/uid"
    assert RunStorage("/mnt/runs", "uid").location == "/mnt/runs/uid"
    assert RunStorage("file:///mnt/runs", "uid").local_directory == Path("/mnt/runs/uid")
    assert RunStorage("s3://bucket/runs", "uid").local_directory is None


class Refusing(MemoryFileSystem):
    """A store that refuses what `refused` names."""

    protocol = "refusing"
    store: dict[str, Any] = {}  # noqa: RUF012 - fsspec's own
    pseudo_dirs: list[str] = [""]  # noqa: RUF012
    refused: dict[str, Exception] = {}  # noqa: RUF012

    def _refuse(self, operation: str) -> None:
        if operation in self.refused:
            raise self.refused[operation]

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self._refuse("ls")
        return super().ls(path, detail=detail, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self._refuse(mode)
        return super()._open(path, mode, **options)

    def cp_file(self, source: str, target: str, **options: Any) -> None:
        self._refuse("wb")
        super().cp_file(source, target, **options)


@pytest.fixture
def refusing() -> Iterator[RunStorage]:
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    Refusing.store.clear()
    Refusing.refused = {}
    storage = RunStorage("refusing://runs", "digits")
    storage.write_text("step-00000001-a1g1/manifest.json", "{}")
    yield storage
    Refusing.refused = {}


REFUSALS = [
    OSError(errno.EBUSY, "Please reduce your request rate."),
    PermissionError(errno.EACCES, "Forbidden"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOSPC, "No space left on device"),
    TimeoutError("read timed out"),
    RuntimeError("what a client makes of half an answer"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_a_store_that_refuses_is_away_and_never_empty(refusing: RunStorage, refusal: Exception) -> None:
    Refusing.refused = dict.fromkeys(("ls", "rb", "wb"), refusal)
    for operation in (
        refusing.checkpoints,
        lambda: refusing.sizes("step-00000001-a1g1"),
        lambda: refusing.read_text("step-00000001-a1g1/manifest.json"),
        lambda: refusing.write_text("step-00000001-a1g1/manifest.json", "x"),
        lambda: refusing.copy_file("step-00000001-a1g1/manifest.json", "best/state.pt"),
    ):
        with pytest.raises(StorageUnavailable, match=r'^spec\.storage: "refusing://runs/digits" cannot be') as raised:
            operation()
        assert failure_of(raised.value).exit is Exit.INFRASTRUCTURE


@pytest.mark.parametrize("refusal", REFUSALS, ids=repr)
def test_at_the_very_start_what_is_forbidden_is_a_mistake(refusing: RunStorage, refusal: Exception) -> None:
    Refusing.refused = {"wb": refusal}
    exits = []
    for is_first in (True, False):
        with pytest.raises((InvalidConfiguration, StorageUnavailable)) as raised:
            refusing.check(is_first=is_first)
        exits.append(failure_of(raised.value).exit)
    passes = isinstance(refusal, TimeoutError) or getattr(refusal, "errno", 0) in (errno.EBUSY, errno.EIO, errno.ENOSPC)
    assert exits == [Exit.INFRASTRUCTURE if passes else Exit.INVALID_CONFIG, Exit.INFRASTRUCTURE]


def test_a_file_whose_writing_fails_does_not_replace_the_one_that_is_there(tmp_path: Path) -> None:
    storage = RunStorage(str(tmp_path), "digits")
    storage.write_text("manifest.json", "old")
    with pytest.raises(ZeroDivisionError), storage.writer("manifest.json.part") as file:
        file.write(b"new")
        raise ZeroDivisionError  # of who writes, and not the store's
    assert get(storage, "manifest.json") == "old"
