"""Uploads an attempt's log to an object store, which cannot append: whole, now and then, from a thread of its own.

Nothing here may make its caller wait: a store that is away answers only after its client's own attempts.
"""

from __future__ import annotations

import sys
import threading
import time

from trainingrun_trainer.driver.bounded_lines import BoundedLines
from trainingrun_trainer.storage import RunStorage

_UPLOAD_SECONDS = 30.0
_CLOSE_SECONDS = 15.0
_MAX_BYTES = 4 << 20


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
