"""A store for tests that fails or loses its caller at any operation, by a seed.

It has the methods of fsspec that RunStorage uses. A disk shows files while they are written and can rename them; an
object store shows them once they are whole.
"""

from __future__ import annotations

import dataclasses
import errno
import random
from collections.abc import Callable
from typing import Any

import botocore.exceptions

from trainingrun_trainer.storage import RunStorage

ROOT = "lab"


class Killed(BaseException):
    """The process is gone: nothing after it happens."""


def _answer(code: str, status: int) -> botocore.exceptions.ClientError:
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )


ERRORS: list[Callable[[], Exception]] = [
    lambda: OSError(errno.EBUSY, "Please reduce your request rate."),
    lambda: PermissionError(errno.EACCES, "Forbidden"),
    lambda: OSError(errno.EIO, "Input/output error"),
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: TimeoutError("read timed out"),
    lambda: _answer("SlowDown", 503),
    lambda: _answer("ExpiredToken", 400),
    lambda: ValueError("what some client makes of half an answer"),
]


@dataclasses.dataclass
class Fault:
    """What happens at the operation that is `at` operations away, and at `repeats` more: `kind` says what.

    Kill ends the process; Refuse does nothing and raises; Lose does it and raises, as when an answer is lost; Short is
    the same as Refuse, but an answer to a read that breaks off unnoticed.
    """

    at: int
    kind: str
    repeats: int = 0


class FaultyStore:
    """Files by path, and the one fault that is planned."""

    def __init__(self, draw: random.Random, *, is_disk: bool):
        self.files: dict[str, bytes] = {}
        self.is_disk = is_disk
        self.fault: Fault | None = None
        self.operations = 0
        self.on_delete: Callable[[str], None] = lambda path: None
        self._draw = draw
        self._is_dead = False

    def begin_process(self, fault: Fault | None) -> None:
        """Another process begins, in which `fault` will happen."""
        self.fault, self._is_dead = fault, False

    def invalidate_cache(self) -> None:
        """See fsspec."""

    def ls(self, path: str, *, detail: bool) -> list[dict[str, Any]]:
        """See fsspec."""
        return self._do(lambda: self._listed(path))

    def makedirs(self, path: str, *, exist_ok: bool) -> None:
        """See fsspec."""
        self._do(lambda: None)

    def open(self, path: str, mode: str) -> _Stream:
        """See fsspec."""
        if mode == "rb":
            return _Stream(self, path, self._do(lambda: self._content(path)))
        return _Stream(self, path, None)

    def mv(self, source: str, target: str) -> None:
        """See fsspec."""
        assert self.is_disk
        self._do(lambda: self.files.update({target: self.files.pop(source)}))

    def cp_file(self, source: str, target: str) -> None:
        """See fsspec."""
        whole = self._content(source)
        if self.is_disk:
            self._do(lambda: self.files.update({target: whole[: len(whole) // 2]}))
        self._do(lambda: self.files.update({target: whole}))

    def rm_file(self, path: str) -> None:
        """See fsspec."""
        self._content(path)
        self._do(lambda: self._delete(path))

    def rm(self, path: str, *, recursive: bool) -> None:
        """See fsspec: one file after the other, in any order."""
        inside = [file for file in self.files if file.startswith(f"{path}/")]
        if not inside:
            raise FileNotFoundError(path)
        for file in self._draw.sample(inside, len(inside)):
            self._do(lambda file=file: self._delete(file))

    def do(self, action: Callable[[], Any]) -> Any:
        """An operation of a stream."""
        return self._do(action)

    def read(self, part: bytes) -> bytes:
        """What arrives of a part of a file."""
        is_short = self.fault is not None and self.fault.kind == "Short" and self.fault.at == 0
        if is_short:
            self.fault = None
        arrived: bytes = self._do(lambda: part[: len(part) // 2] if is_short else part)
        return arrived

    def _delete(self, path: str) -> None:
        self.on_delete(path)
        del self.files[path]

    def _do(self, action: Callable[[], Any]) -> Any:
        if self._is_dead:
            raise Killed
        self.operations += 1
        fault = self.fault
        if fault is None or fault.at > 0:
            if fault is not None:
                fault.at -= 1
            return action()
        if fault.kind == "Kill":
            self._is_dead = True
            if self._draw.random() < 0.5:
                action()
            raise Killed
        fault.repeats -= 1
        if fault.repeats < 0:
            self.fault = None
        if fault.kind == "Lose":
            action()
        raise self._draw.choice(ERRORS)()

    def _content(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def _listed(self, path: str) -> list[dict[str, Any]]:
        inside = {file.removeprefix(f"{path}/"): file for file in self.files if file.startswith(f"{path}/")}
        if not inside:
            raise FileNotFoundError(path)
        found: dict[str, dict[str, Any]] = {}
        for name, file in inside.items():
            first, _, rest = name.partition("/")
            found[first] = {
                "name": f"{path}/{first}",
                "type": "directory" if rest else "file",
                "size": 0 if rest else len(self.files[file]),
            }
        return list(found.values())


class _Stream:
    def __init__(self, store: FaultyStore, path: str, content: bytes | None):
        self._store = store
        self._path = path
        self._content = content
        self._written = b""
        if content is None and store.is_disk:
            store.do(lambda: store.files.update({path: b""}))

    def read(self, size: int) -> bytes:
        assert self._content is not None
        part, self._content = self._content[:size], self._content[size:]
        arrived = self._store.read(part) if part else b""
        if len(arrived) < len(part):
            self._content = b""
        return arrived

    def write(self, data: Any) -> None:
        self._written += bytes(data)
        if self._store.is_disk and len(self._written) > 200:
            self._store.do(lambda: self._store.files.update({self._path: self._written}))

    def close(self) -> None:
        if self._content is None:
            self._store.do(lambda: self._store.files.update({self._path: self._written}))


@dataclasses.dataclass(frozen=True)
class FaultyStorage(RunStorage):
    """A run's folder in such a store."""

    store: FaultyStore = dataclasses.field(kw_only=True)

    def filesystem(self) -> tuple[Any, str]:
        return self.store, ROOT

    @property
    def has_folders(self) -> bool:
        return self.store.is_disk
