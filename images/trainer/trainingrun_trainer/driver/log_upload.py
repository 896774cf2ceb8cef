"""Uploads an attempt's log to an object store, which cannot append: whole, now and then, from a thread of its own.

Nothing here may make its caller wait: a store that is away answers only after its client's own attempts.
"""

from __future__ import annotations

from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.bounded_lines import BoundedLines
from trainingrun_trainer.storage import RunStorage

_UPLOAD_SECONDS = 30.0
_MAX_BYTES = 4 << 20


class LogUpload(BackgroundWriter):
    """Lines of one log. An upload carries every line, so that a later one makes up for one that failed."""

    _CLOSE_SECONDS = 15.0
    _TOO_LATE = "the store has not responded within"

    def __init__(
        self, storage: RunStorage, name: str, interval_seconds: float = _UPLOAD_SECONDS, max_bytes: int = _MAX_BYTES
    ):
        super().__init__(f"the log {name}", "log")
        self._storage = storage
        self._name = name
        self._interval = interval_seconds
        self._lines = BoundedLines(max_bytes)
        self._is_dirty = False
        self._is_merged = False
        self._thread.start()

    def write(self, line: str) -> None:
        """Keep a line for the next upload; returns at once."""
        with self._changed:
            self._lines.add(line)
            self._is_dirty = True
            self._changed.notify()

    def _has_more(self) -> bool:
        return self._is_dirty

    def _write_now(self) -> None:
        self._merge_earlier()
        with self._changed:
            text, self._is_dirty = self._lines.text(), False
        try:
            self._storage.write_text(self._name, text)
        except Exception:
            with self._changed:
                self._is_dirty = True
            raise

    def _pause_after(self, seconds: float) -> float:
        return self._interval

    def _merge_earlier(self) -> None:
        """Begin with what a driver of the same attempt has left, before a lost head had it started again."""
        if self._is_merged:
            return
        earlier = self._storage.read_text(self._name)
        with self._changed:
            self._lines = self._lines.following(earlier.splitlines(keepends=True))
        self._is_merged = True
