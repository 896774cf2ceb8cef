"""Writes what curves are made of as TensorBoard's event files, from a thread of its own.

TensorBoard reads the files of a folder one after the other, so that an object store, which cannot append, gets another
file whenever one has become large. No run waits for these files or ends because of them.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from trainingrun.contract.records import AttemptStarted, Record, parse_line
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.curve_points import scalars_of
from trainingrun_trainer.storage import RunStorage

FOLDER = "tensorboard"
_WRITE_SECONDS = 30.0
_FILE_BYTES = 1 << 20
# More than a store that is away for a day should cost.
_MOST_LINES = 50_000


class EventFiles(BackgroundWriter):
    """The event files of one attempt, made of the lines of its log."""

    def __init__(self, storage: RunStorage, attempt: int, interval_seconds: float = _WRITE_SECONDS):
        super().__init__(FOLDER, "events")
        self._interval = interval_seconds
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._file = _File(storage, attempt)
        self._thread.start()

    def write(self, line: str) -> None:
        """Keep a line until the next time; returns at once."""
        with self._changed:
            self._lines.append(line)

    def _write_now(self) -> None:
        with self._changed:
            lines = list(self._lines)
            self._lines.clear()
        self._file.add(record for line in lines if (record := parse_line(line)) is not None)

    def _pause_after(self, seconds: float) -> float:
        return self._interval


class _File:
    """Where events go: appended to a file on a disk; in a store, the newest file is written whole again."""

    def __init__(self, storage: RunStorage, attempt: int):
        self._storage = storage
        self._attempt = attempt
        self._name = ""
        self._content = b""
        self._count = 0
        self._next_step = 0
        self._repeats_from = 0

    def add(self, records: Iterable[Record]) -> None:
        """Add the events of these records; nothing is written for none."""
        events = b"".join(_framed(event) for record in records for event in self._events_of(record))
        if not events:
            return
        new = events
        if not self._name:
            # Files are read in the order of their names.
            self._name = f"events.out.tfevents.{int(time.time()):010d}.attempt-{self._attempt:04d}.{self._count:06d}"
            self._count += 1
            new = _framed(_event(time.time(), file_version="brain.Event:2")) + events
        self._content += new
        self._store(new)
        if self._storage.local_directory is None and len(self._content) >= _FILE_BYTES:
            self._name, self._content = "", b""

    def _events_of(self, record: Record) -> Iterator[bytes]:
        if isinstance(record, AttemptStarted):
            self._next_step, self._repeats_from = record.first_step + 1, record.first_step + 1
        step, scalars = scalars_of(record)
        if not scalars:
            return
        # Only now: an attempt that trains nothing must not wait for it.
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.proto.summary_pb2 import Summary

        if self._repeats_from or step < self._next_step:
            # Where steps are done again, those that were lost are not shown beside them.
            first = self._repeats_from or step
            yield _event(record.time, step=first, session_log=SessionLog(status=SessionLog.START))
        self._next_step, self._repeats_from = step, 0
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        yield _event(record.time, step=step, summary=Summary(value=values))

    def _store(self, new: bytes) -> None:
        if (directory := self._storage.local_directory) is not None:
            self._content = b""
            (directory / FOLDER).mkdir(parents=True, exist_ok=True)
            with (directory / FOLDER / self._name).open("ab") as file:
                file.write(new)
            return
        with self._storage.writer(f"{FOLDER}/{self._name}") as file:
            file.write(self._content)


def _event(at: float, **fields: Any) -> bytes:
    from tensorboardX.proto.event_pb2 import Event

    made: bytes = Event(wall_time=at, **fields).SerializeToString()
    return made


def _framed(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
