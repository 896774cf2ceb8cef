"""The run's folder in storage, on a disk or in an object store: the few operations that everything kept needs.

It knows the names of checkpoints but not what is in one. What a store's client raises becomes StorageUnavailable, but
for a file that is not there: nobody may take a store that is away for one that has lost something. For that reason
fsspec is used directly; Arrow's wrapper of it answers "not found" while a store refuses to say.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingrun.contract import checkpoints
from trainingrun_trainer.failures.errors import InvalidConfiguration, StorageUnavailable
from trainingrun_trainer.stored_file import Writing
from trainingrun_trainer.stores import file_system_of

_PROBE = ".can-be-written"
_CHUNK_BYTES = 8 << 20
# Stores without folders: nothing has to be made before a file is written, and a file is there only once it is whole.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class RunStorage:
    """A run's folder. `root` is a local path or URI, `name` the folder below it.

    Names of files and folders are relative to it, with "/". Every method raises StorageUnavailable while the store
    cannot be reached, refuses, or is full.
    """

    root: str
    name: str

    @property
    def location(self) -> str:
        """The folder as a user writes it."""
        # Of the root of a store nothing but its scheme is there to put a "/" behind.
        return f"{self.root}{self.name}" if self.root.endswith("//") else f"{self.root.rstrip('/')}/{self.name}"

    @property
    def local_directory(self) -> Path | None:
        """The folder if it is on this machine."""
        if "://" in self.root and not self.root.startswith("file://"):
            return None
        return Path(self.root.removeprefix("file://")) / self.name

    @property
    def has_folders(self) -> bool:
        """Whether folders are made and files renamed, and a file can be seen while it is written."""
        return self.root.partition("://")[0] not in _OBJECT_STORES

    def filesystem(self) -> tuple[Any, str]:
        """A file system of fsspec and the path of `root` on it. Raises InvalidConfiguration."""
        try:
            filesystem, path = file_system_of(self.root)
        except (ValueError, ImportError) as error:  # no such protocol, or what speaks it is not installed
            raise InvalidConfiguration(f'spec.storage.uri: "{self.root}" cannot be used: {error}') from error
        filesystem.invalidate_cache()  # listings are kept by process, and other processes write here too
        return filesystem, path.rstrip("/")

    def check(self, *, is_first: bool = True) -> None:
        """Make sure that files can be written and deleted here. Raises InvalidConfiguration on a run's first attempt.

        Later attempts have written here before, so to them what is forbidden is unavailable; so is a full store.
        """
        try:
            self.write_text(_PROBE, "")
            self.delete_file(_PROBE)
        except StorageUnavailable as error:
            cause = error.__cause__
            if not is_first or (isinstance(cause, OSError) and cause.errno in _FULL):
                raise
            raise InvalidConfiguration(f'spec.storage: "{self.location}" cannot be written: {cause}') from cause

    def checkpoints(self) -> list[str]:
        """Names of the folder's checkpoints, whole or torn: most steps first, then the latest epoch and writer."""
        return checkpoints.in_order(list(self._entries("")))

    def list_files(self, folder: str) -> list[str]:
        """Names of the files in a folder of the run, sorted; none where it does not exist."""
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        """The files in a folder of the run with their bytes; none where it does not exist."""
        return {name: info["size"] for name, info in self._entries(folder).items() if info["type"] == "file"}

    def read_text(self, name: str) -> str:
        """A small file of the folder; empty where there is none."""
        try:
            return b"".join(self.chunks(name)).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's bytes in parts. Raises FileNotFoundError, and StorageUnavailable also where reading breaks off."""
        with self._reached("read"):
            filesystem, path = self._path(name)
            stream = filesystem.open(path, "rb")
        with contextlib.closing(stream):
            while True:
                with self._reached("read"):
                    chunk: bytes = stream.read(_CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def download(self, folder: str, destination: Path) -> None:
        """Copy the files of a folder of the run to a local directory."""
        destination.mkdir(parents=True, exist_ok=True)
        for name in self.list_files(folder):
            with (destination / name).open("wb") as file:
                file.writelines(self.chunks(f"{folder}/{name}"))

    def writer(self, name: str) -> Writing:
        """A file to write, in place of any that has this name; a context manager, which closes it."""
        with self._reached("written", is_missing_fatal=True):
            filesystem, path = self._path(name)
            self._make_parent(filesystem, path)
            stream = filesystem.open(path, "wb")
        return Writing(stream, lambda: self._settle(path), lambda error: self._unavailable("written", error))

    def write_text(self, name: str, text: str) -> None:
        """Write a small file of the folder, at once: readers see the old one or the new one."""
        self._replace(name, lambda part: self._write(part, text))

    def copy_file(self, source: str, target: str) -> None:
        """Copy a file within the folder, within the store, in place of `target` at once."""

        def copy(part: str) -> None:
            with self._reached("written", is_missing_fatal=True):
                filesystem, path = self._path(part)
                self._make_parent(filesystem, path)
                filesystem.cp_file(self._path(source)[1], path)

        self._replace(target, copy)

    def delete(self, folder: str) -> None:
        """Delete a folder of the run with everything in it, if it is there."""
        with self._reached("deleted"), contextlib.suppress(FileNotFoundError):
            filesystem, path = self._path(folder)
            filesystem.rm(path, recursive=True)

    def delete_file(self, name: str) -> None:
        """Delete a file of the folder, if it is there."""
        with self._reached("deleted"), contextlib.suppress(FileNotFoundError):
            filesystem, path = self._path(name)
            filesystem.rm_file(path)

    def _replace(self, name: str, write: Callable[[str], None]) -> None:
        if not self.has_folders:
            write(name)
            return
        part = f"{name}.part"
        write(part)
        with self._reached("written", is_missing_fatal=True):
            filesystem, path = self._path(name)
            filesystem.mv(self._path(part)[1], path)
            self._settle(path.rpartition("/")[0])

    def _write(self, name: str, text: str) -> None:
        with self.writer(name) as file:
            file.write(text.encode())

    def _make_parent(self, filesystem: Any, path: str) -> None:
        if self.has_folders:
            filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _settle(self, path: str) -> None:
        """Have a local file or folder outlast a loss of power; stores elsewhere see to it themselves."""
        if self.local_directory is None:
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _entries(self, folder: str) -> dict[str, dict[str, Any]]:
        with self._reached("read"):
            filesystem, path = self._path(folder)
            try:
                found = filesystem.ls(path, detail=True)
            except FileNotFoundError:
                return {}
        names = {info["name"].rstrip("/").rpartition("/")[2]: info for info in found if not _is_same(info, path)}
        return {name: info for name, info in names.items() if name}

    def _path(self, name: str) -> tuple[Any, str]:
        filesystem, root = self.filesystem()
        return filesystem, f"{root}/{self.name}/{name}".rstrip("/")

    @contextlib.contextmanager
    def _reached(self, done: str, *, is_missing_fatal: bool = False) -> Iterator[None]:
        try:
            yield
        except (InvalidConfiguration, StorageUnavailable):
            raise
        except Exception as error:  # each client of a store has errors of its own
            if isinstance(error, FileNotFoundError) and not is_missing_fatal:
                raise
            raise self._unavailable(done, error) from error

    def _unavailable(self, done: str, error: Exception) -> StorageUnavailable:
        return StorageUnavailable(
            f'spec.storage: "{self.location}" cannot be {done} now: {str(error) or type(error).__name__}'
        )


def _is_same(info: dict[str, Any], path: str) -> bool:
    """Whether an entry of a listing is the folder itself: some stores keep an empty object for it."""
    return str(info["name"]).rstrip("/").lstrip("/") == path.lstrip("/")
