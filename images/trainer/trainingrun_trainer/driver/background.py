"""What a driver writes again and again from a thread of its own: its log, its report, what other tools show of it.

Training never waits for it for long. What cannot be written is said once, and no run ends because of it.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod


class BackgroundWriter(ABC):
    """Writes `what`, as warnings name it. Subclasses guard what they keep by `_changed`, and start the thread last.

    `trouble` is the sentence that was said about what cannot be written, None while there was none.
    """

    _CLOSE_SECONDS = 10.0
    _TOO_LATE = "it has taken more than"

    def __init__(self, what: str, thread: str):
        self._what = what
        self._changed = threading.Condition()
        self._is_closing = False
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"trainingrun-{thread}", daemon=True)

    @abstractmethod
    def write(self, line: str) -> None:
        """Note a line of the attempt's log, which has its line end. Returns at once."""

    def close(self, seconds: float | None = None) -> None:
        """Write what is left, within so many seconds; what takes longer is given up."""
        seconds = self._CLOSE_SECONDS if seconds is None else seconds
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._warn(f"{self._TOO_LATE} {seconds:g} s")

    def _run(self) -> None:
        earliest = time.monotonic()
        while (is_last := self._wait(earliest)) is not None:
            began = time.monotonic()
            try:
                self._write_now()
            except Exception as error:  # each file system has errors of its own; none is worth a run
                self._warn(str(error) or type(error).__name__)
            earliest = began + self._pause_after(time.monotonic() - began)
            if is_last:
                return

    def _wait(self, earliest: float) -> bool | None:
        """Wait for something to write and, unless closing, for `earliest`; whether it is the last, None for no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_more() or self._is_closing)
            self._changed.wait_for(lambda: self._is_closing, timeout=max(0.0, earliest - time.monotonic()))
            return self._is_closing if self._has_more() else None

    def _has_more(self) -> bool:
        """Whether there may be something to write. `_changed` is held."""
        return True

    @abstractmethod
    def _write_now(self) -> None:
        """Write what there is, or raise whatever the store has raised."""

    @abstractmethod
    def _pause_after(self, seconds: float) -> float:
        """Seconds from the beginning of a write, which took so many, until the next may begin."""

    def _warn(self, reason: str) -> None:
        if self.trouble is None:
            self.trouble = f"{self._what} cannot be written: {reason}; training continues"
            print(f"warning: {self.trouble}", file=sys.stderr)
