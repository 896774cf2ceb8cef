"""Uploads an attempt's log to an object store, which cannot append: whole, now and then, from a thread of its own.

Nothing here may make its caller wait: a store that is away answers only after its client's own attempts.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from trainingrun_trainer.storage import RunStorage

_UPLOAD_SECONDS = 30.0
_CLOSE_SECONDS = 15.0
_MAX_BYTES = 4 << 20
_PROGRESS = '{"kind":"Progress",'


@dataclass(frozen=True)
class _Line:
    """A line, and its number among those of its kind: `is_progress` or not."""

    is_progress: bool
    number: int
    text: str


class BoundedLines:
    """Lines of a log in at most `max_bytes`: where they would be more, every second one goes, again and again.

    Progress and the rest are thinned apart, the larger part first: progress says again and again what is nearly the
    same. The first and the newest line of both always stay.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._lines: list[_Line] = []
        self._bytes = 0
        self._counts = {True: 0, False: 0}
        self._strides = {True: 1, False: 1}

    def add(self, text: str) -> None:
        """Keep a line."""
        is_progress = text.startswith(_PROGRESS)
        newest = next((line for line in reversed(self._lines) if line.is_progress == is_progress), None)
        if newest is not None and newest.number % self._strides[is_progress]:
            self._keep(lambda line: line is not newest)  # it was there as the newest only
        self._lines.append(_Line(is_progress, self._counts[is_progress], text))
        self._counts[is_progress] += 1
        self._bytes += len(text)
        self._shrink()

    def following(self, texts: list[str]) -> BoundedLines:
        """The same with these lines before them."""
        together = BoundedLines(self._max_bytes)
        for text in [*texts, *(line.text for line in self._lines)]:
            together.add(text)
        return together

    def text(self) -> str:
        """The lines that are kept."""
        return "".join(line.text for line in self._lines)

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes:
            is_progress = self._size(True) >= self._size(False)
            if self._strides[is_progress] >= self._counts[is_progress]:
                return  # the first and the newest are all that is left
            self._thin(is_progress)

    def _thin(self, is_progress: bool) -> None:
        self._strides[is_progress] *= 2
        stride, newest = self._strides[is_progress], self._counts[is_progress] - 1
        self._keep(lambda line: line.is_progress != is_progress or line.number % stride == 0 or line.number == newest)

    def _size(self, is_progress: bool) -> int:
        return sum(len(line.text) for line in self._lines if line.is_progress == is_progress)

    def _keep(self, is_kept: Callable[[_Line], bool]) -> None:
        self._lines = [line for line in self._lines if is_kept(line)]
        self._bytes = sum(len(line.text) for line in self._lines)


class LogUpload:
    """Lines of one log. An upload carries every line, so that a later one makes up for one that failed."""

    def __init__(
        self, storage: RunStorage, name: str, interval_seconds: float = _UPLOAD_SECONDS, max_bytes: int = _MAX_BYTES
    ):
        self._storage = storage
        self._name = name
        self._interval = interval_seconds
        self._lines = BoundedLines(max_bytes)
        self._changed = threading.Condition()
        self._is_dirty = False
        self._is_closing = False
        self._is_merged = False
        self._has_warned = False
        self._thread = threading.Thread(target=self._run, name="trainingrun-log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Keep a line for the next upload; returns at once."""
        with self._changed:
            self._lines.add(line)
            self._is_dirty = True
            self._changed.notify()

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Upload what is left, within so many seconds; what takes longer is given up."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._warn(f"the store has not responded within {seconds:g} s")

    def _run(self) -> None:
        next_upload = time.monotonic()
        while (is_last := self._wait(next_upload)) is not None:
            next_upload = time.monotonic() + self._interval
            self._upload()
            if is_last:
                return

    def _wait(self, until: float) -> bool | None:
        """Wait for something to upload and the time to do so; whether it is the last, None if nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_dirty or self._is_closing)
            self._changed.wait_for(lambda: self._is_closing, timeout=max(0.0, until - time.monotonic()))
            return self._is_closing if self._is_dirty else None

    def _upload(self) -> None:
        try:
            self._merge_earlier()
            with self._changed:
                text, self._is_dirty = self._lines.text(), False
            self._storage.write_text(self._name, text)
        except Exception as error:  # each file system has errors of its own; none is worth a run
            with self._changed:
                self._is_dirty = True
            self._warn(str(error) or type(error).__name__)

    def _merge_earlier(self) -> None:
        """Begin with what a driver of the same attempt has left, before a lost head had it started again."""
        if self._is_merged:
            return
        earlier = self._storage.read_text(self._name)
        with self._changed:
            self._lines = self._lines.following(earlier.splitlines(keepends=True))
        self._is_merged = True

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            print(f"warning: the log {self._name} cannot be written: {reason}; training continues", file=sys.stderr)
        self._has_warned = True
