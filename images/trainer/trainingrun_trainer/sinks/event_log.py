"""Keeps every record of an attempt in the run's folder, for the report and for whoever looks later.

A run must never fail because its log cannot be written: after an error it says so once and goes on without.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from trainingrun.progress import LOG_DIRECTORY, Progress, Record
from trainingrun_trainer.storage import RunStorage

_UPLOAD_SECONDS = 30.0
# Rare, since a store that is away answers only after half a minute of its client's own attempts.
_RETRY_SECONDS = 600.0
_PROGRESS_SECONDS = 2.0


def log_name(attempt: int) -> str:
    """The log file of an attempt, relative to the run's folder."""
    return f"{LOG_DIRECTORY}/attempt-{attempt:04d}.jsonl"


def next_attempt(storage: RunStorage) -> int:
    """One more than the attempts that have left a log."""
    numbers = [int(name[8:12]) for name in storage.list_files(LOG_DIRECTORY) if name.startswith("attempt-")]
    return max(numbers, default=0) + 1


def _is_torn(path: Path) -> bool:
    """Whether a killed driver has left half a line, which must not swallow the next one."""
    size = path.stat().st_size if path.exists() else 0
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read() != b"\n"


class EventLog:
    """JSON lines of one attempt: appended to a local file, or uploaded whole now and then elsewhere."""

    def __init__(self, storage: RunStorage, attempt: int):
        self._storage = storage
        self._name = log_name(attempt)
        self._lines: list[str] = []
        self._next_upload = 0.0
        self._next_progress = 0.0
        self._is_broken = False
        self._has_warned = False
        self._file: IO[str] | None = None
        self._guarded(self._open)

    def emit(self, record: Record) -> None:
        """Keep a record. Of progress, one every two seconds is enough for any chart."""
        if isinstance(record, Progress):
            if time.monotonic() < self._next_progress:
                return
            self._next_progress = time.monotonic() + _PROGRESS_SECONDS
        self._guarded(lambda: self._write(record.to_json() + "\n"))

    def close(self) -> None:
        """Write what is left."""
        self._next_upload = 0.0
        self._guarded(lambda: self._write(""))
        if self._file is not None:
            self._guarded(self._file.close)

    def _guarded(self, action: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            action()
        except Exception as error:  # each file system has errors of its own; none is worth a run
            # An upload carries every line, so a later one can make up for this one; half a local line stays.
            self._is_broken = self._storage.local_directory is not None
            self._next_upload = time.monotonic() + _RETRY_SECONDS
            if not self._has_warned:
                print(f"warning: the log {self._name} cannot be written: {error}; training goes on", file=sys.stderr)
            self._has_warned = True

    def _open(self) -> None:
        directory = self._storage.local_directory
        if directory is None:
            return
        path = directory / self._name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_torn = _is_torn(path)
        self._file = path.open("a", encoding="utf-8")
        if is_torn:
            self._file.write("\n")

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line)
            self._file.flush()
            return
        self._lines.append(line)
        if time.monotonic() >= self._next_upload:
            self._next_upload = time.monotonic() + _UPLOAD_SECONDS
            self._storage.write_text(self._name, "".join(self._lines))
