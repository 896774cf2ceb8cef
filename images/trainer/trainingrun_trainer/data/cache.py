"""A folder of prepared slabs on a disk or in an object store, which any number of processes and runs share.

A cache may forget but never stand in the way: what cannot be read is a miss, what cannot be written is left, and each
says so once. It knows neither steps nor epochs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from trainingrun_trainer.data.cache_entry import Entry, NotThisEntry, from_bytes, to_bytes
from trainingrun_trainer.data.cache_key import entry_name
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.failures.errors import InvalidConfiguration

FIELD = "spec.recipe.dataset.cache.path"
_SETTINGS = "settings.json"
_PART = ".part"
# A file that is being written for so long belongs to a process that is no more.
_ABANDONED_SECONDS = 6 * 3600
# So many files in a row that cannot be read: the store is away, and asking for each slab would hold up training.
_MOST_FAILURES = 3
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class _Settings:
    slab_bytes: int
    refused: str


class Cache:
    """The slabs of `key` below `path`, a directory or URI. Not thread-safe; what travels is how it was made."""

    def __init__(self, path: str, key: str, *, can_write: bool):
        self._made_with = (path, key, can_write)
        self._path = path
        self.key = key
        self._can_write = can_write
        self._failures = 0
        self._tidied: set[str] = set()
        self._notices: list[str] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _cache, self._made_with

    @property
    def is_writing(self) -> bool:
        """Whether slabs are still written."""
        return self._can_write

    def load(self, bundle: Bundle, slab: int, slab_bytes: int) -> Entry | None:
        """What is kept of a slab, whole and of just this slab; None where there is nothing of the kind."""
        if self._failures >= _MOST_FAILURES:
            return None
        name = entry_name(bundle, slab, slab_bytes)
        try:
            data = self._read(_place(name))
            self._failures = 0
            return from_bytes(data, self.key, name)
        except FileNotFoundError:
            return None
        except NotThisEntry as error:
            self._tell(f"{self._location(_place(name))} is not what was written ({error}); its rows are prepared again")
        except Exception as error:  # each client of a store has errors of its own
            self._failures += 1
            more = " No more is looked for in this process." if self._failures == _MOST_FAILURES else ""
            self._tell(f"{self._location(_place(name))} cannot be read: {_words(error)}.{more}")
        return None

    def store(self, bundle: Bundle, slab: int, slab_bytes: int, entry: Entry) -> int:
        """Keep a whole slab; returns the bytes written, 0 where nothing could be. Never raises what a store does."""
        if not self._can_write:
            return 0
        name = entry_name(bundle, slab, slab_bytes)
        parts = to_bytes(entry, self.key, name)
        try:
            self._tidy(name[:2])
            self._write(_place(name), parts)
        except Exception as error:  # each client of a store has errors of its own
            self._can_write = False
            self._tell(f"{self._location('')} cannot be written: {_words(error)}. Training goes on without more of it")
            return 0
        return sum(len(part) for part in parts)

    def take_notices(self) -> tuple[str, ...]:
        """Sentences that the user should read, since the last call."""
        notices, self._notices = tuple(self._notices), []
        return notices

    def open(self, contents: dict[str, Any], slab_bytes: int) -> int:
        """Begin to use the cache; returns the bytes of its slabs, which whoever used it first has chosen.

        `contents` are kept beside them for people to read. Raises InvalidConfiguration where the path cannot be used.
        """
        try:
            kept = self._settings()
            if kept is None and self._can_write:
                self._write(_SETTINGS, [json.dumps({"slabBytes": slab_bytes, "contents": contents}, indent=1).encode()])
                # Of runs that begin together one may have been faster.
                kept = self._settings()
            elif kept is None:
                self._require_folder()
        except Exception as error:  # each client of a store has errors of its own
            if isinstance(error, OSError) and error.errno in _FULL:
                self._can_write = False
                self._tell(f"{self._location('')} is full: {_words(error)}. Training goes on without writing to it")
                return slab_bytes
            raise InvalidConfiguration(f'{FIELD}: "{self._path}" cannot be used: {_words(error)}') from error
        if kept is not None and kept.refused:
            raise InvalidConfiguration(f"{kept.refused} (found in an earlier run, which kept rows of it)")
        return slab_bytes if kept is None else kept.slab_bytes

    def refuse(self, reason: str) -> None:
        """Have nobody use what is kept, for `reason`: its rows are not what they should be."""
        with contextlib.suppress(Exception):  # the run ends with the reason anyway
            self._write(_SETTINGS, [json.dumps({"slabBytes": 1, "refused": reason}).encode()])

    def _settings(self) -> _Settings | None:
        try:
            found = json.loads(self._read(_SETTINGS))
            settings = _Settings(int(found["slabBytes"]), str(found.get("refused", "")))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return settings if settings.slab_bytes > 0 else None

    def _require_folder(self) -> None:
        filesystem, root = fsspec.core.url_to_fs(self._path)
        if not filesystem.exists(root):
            raise FileNotFoundError("there is no such folder, and mode ReadOnly makes none")

    def _filesystem(self, place: str) -> tuple[Any, str]:
        filesystem, root = fsspec.core.url_to_fs(self._path)
        return filesystem, f"{str(root).rstrip('/')}/{self.key}/{place}".rstrip("/")

    def _location(self, place: str) -> str:
        return f"the cache {self._path.rstrip('/')}/{self.key}/{place}".rstrip("/")

    def _read(self, place: str) -> bytes:
        filesystem, path = self._filesystem(place)
        # Read and not mapped: a mapped file that goes away takes the process with it.
        data: bytes = filesystem.cat_file(path)
        return data

    def _write(self, place: str, parts: Iterable[Any]) -> None:
        filesystem, path = self._filesystem(place)
        if not isinstance(filesystem, LocalFileSystem):
            filesystem.pipe_file(path, b"".join(parts))  # there once it is whole
            return
        folder, _, name = path.rpartition("/")
        filesystem.makedirs(folder, exist_ok=True)
        part = f"{folder}/{name}.{uuid.uuid4().hex}{_PART}"
        try:
            with filesystem.open(part, "wb") as file:
                for data in parts:
                    file.write(data)
            filesystem.mv(part, path)
        except BaseException:
            with contextlib.suppress(Exception):
                filesystem.rm_file(part)
            raise

    def _tidy(self, folder: str) -> None:
        """Delete what processes that died have left in a folder; once in each process."""
        if folder in self._tidied:
            return
        self._tidied.add(folder)
        filesystem, path = self._filesystem(folder)
        if not isinstance(filesystem, LocalFileSystem) or not filesystem.exists(path):
            return
        for info in filesystem.ls(path, detail=True):
            if info["name"].endswith(_PART) and time.time() - _seconds(info["mtime"]) > _ABANDONED_SECONDS:
                with contextlib.suppress(FileNotFoundError):  # another process tidies, too
                    filesystem.rm_file(info["name"])

    def _tell(self, notice: str) -> None:
        if notice not in self._notices:
            self._notices.append(notice)


def _cache(path: str, key: str, can_write: bool) -> Cache:
    return Cache(path, key, can_write=can_write)


def _place(name: str) -> str:
    """Where a file lies: one of 256 folders, so that none becomes slow to list."""
    return f"{name[:2]}/{name}.slab"


def _seconds(time_of_file: float | datetime) -> float:
    return time_of_file.timestamp() if isinstance(time_of_file, datetime) else time_of_file


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
