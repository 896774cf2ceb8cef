"""Keeps every record of an attempt in the run's folder, for the report and for later readers.

A run must neither fail nor wait because its log cannot be written: after an error it says so once and continues.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

from trainingrun.contract.records import LOG_DIRECTORY, AttemptEnded, EpochEnded, Notice, Placement, Progress, Record
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.live_report import LiveReport
from trainingrun_trainer.driver.log_upload import LogUpload
from trainingrun_trainer.driver.recent import joined
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import folder_owner

_PROGRESS_SECONDS = 2.0
_LOG = re.compile(r"attempt-(\d+)\.jsonl")


class _Writer(Protocol):
    """Where lines go."""

    def write(self, line: str) -> None:
        """Keep a line, which has its line end."""

    def close(self) -> None:
        """Write what is left."""


def log_name(attempt: int) -> str:
    """The log file of an attempt, relative to the run's folder."""
    return f"{LOG_DIRECTORY}/attempt-{attempt:04d}.jsonl"


def next_attempt(storage: RunStorage) -> int:
    """The number after the highest one that has left a log, or owned the folder; the first is 0."""
    logs = (_LOG.fullmatch(name) for name in storage.list_files(LOG_DIRECTORY))
    owner, _ = folder_owner.read(storage)
    return max([-1 if owner is None else owner.number, *(int(log[1]) for log in logs if log)]) + 1


class EventLog:
    """JSON lines of one attempt: appended to a local file as they come, or uploaded from a thread of its own.

    What a report of progress says about the time since the one before is about the time since the one that was written.
    The report, beside the checkpoints, is made of the same lines, and `others` get them too. What cannot be written by
    one of them becomes a record of its own, once.
    """

    def __init__(self, storage: RunStorage, attempt: int, others: tuple[BackgroundWriter, ...] = ()):
        name = log_name(attempt)
        directory = storage.local_directory
        log: _Writer = LogUpload(storage, name) if directory is None else _LocalFile(directory / name, name)
        self._others = others
        self._writers: tuple[_Writer, ...] = (log, LiveReport(storage, name), *others)
        self._attempt = attempt
        self._told: set[str] = set()
        self._next_progress = 0.0
        self._withheld: Progress | None = None

    def emit(self, record: Record) -> None:
        """Keep a record. Of progress, one every two seconds is enough for any chart, and the last of each epoch."""
        self._tell_trouble()
        if isinstance(record, Progress):
            before = self._withheld
            self._withheld = record if before is None else replace(record, **joined(vars(before), vars(record)))
            if time.monotonic() < self._next_progress:
                return
            self._next_progress = time.monotonic() + _PROGRESS_SECONDS
            self._write_withheld()
            return
        if isinstance(record, EpochEnded | Placement | AttemptEnded):
            self._write_withheld()
        self._write(record)

    def close(self) -> None:
        """Write what is left, within a bounded time."""
        self._write_withheld()
        for writer in self._writers:
            writer.close()

    def _tell_trouble(self) -> None:
        for other in self._others:
            if other.trouble is not None and other.trouble not in self._told:
                self._told.add(other.trouble)
                self._write(Notice(time=time.time(), attempt=self._attempt, level="Warning", message=other.trouble))

    def _write_withheld(self) -> None:
        if self._withheld is not None:
            self._write(self._withheld)
            self._withheld = None

    def _write(self, record: Record) -> None:
        line = record.to_json() + "\n"
        for writer in self._writers:
            writer.write(line)


class _LocalFile:
    """Appends each line at once. After an error it writes no more, since half a line may lie in the file.

    The first line makes the file, so that an attempt of which nothing is known has none.
    """

    def __init__(self, path: Path, name: str):
        self._path = path
        self._name = name
        self._file: IO[str] | None = None
        self._is_broken = False

    def write(self, line: str) -> None:
        """See _Writer."""
        self._guarded(lambda: self._append(line))

    def close(self) -> None:
        """See _Writer."""
        if self._file is not None:
            self._guarded(self._file.close)

    def _guarded(self, action: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            action()
        except OSError as error:
            self._is_broken = True
            print(f"warning: the log {self._name} cannot be written: {error}; training continues", file=sys.stderr)

    def _opened(self) -> IO[str]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_torn = _is_torn(self._path)
        file = self._path.open("a", encoding="utf-8")
        if is_torn:
            file.write("\n")
        return file

    def _append(self, line: str) -> None:
        self._file = self._file or self._opened()
        self._file.write(line)
        self._file.flush()


def _is_torn(path: Path) -> bool:
    """Whether a killed driver has left half a line, which must not swallow the next one."""
    size = path.stat().st_size if path.exists() else 0
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read() != b"\n"
