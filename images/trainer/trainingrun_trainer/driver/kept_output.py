"""Keeps the last of what an attempt's driver prints beside the checkpoints, for when its pod is gone.

On a cluster Ray has the driver write to a file of the head, where every line of the other nodes' processes comes too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from trainingrun.contract.kept_logs import FOLDER, driver_log_name
from trainingrun.spec import Run
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.storage import RunStorage

_INTERVAL_SECONDS = 60.0
_MAX_BYTES = 1 << 20
_LAST = '{"kind":"AttemptEnded"'


def kept_output(run: Run, storage: RunStorage, attempt: int, descriptor: int = 1) -> tuple[BackgroundWriter, ...]:
    """What keeps the output that goes to this descriptor; nothing on a machine that has it anyway, or on a terminal."""
    uid = run.metadata.uid
    if uid is None or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return ()
    path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    return (KeptOutput(storage, f"{FOLDER}/{driver_log_name(uid, attempt)}", path),)


class KeptOutput(BackgroundWriter):
    """The last mebibyte of the file at `path` as file `name` of the run's folder, and the record that comes after it.

    What a driver of the same attempt has left, on a head that was lost, stays before it within the same bound.
    """

    def __init__(self, storage: RunStorage, name: str, path: Path, interval_seconds: float = _INTERVAL_SECONDS):
        super().__init__(f"the log {name}", "output")
        self._storage = storage
        self._name = name
        self._path = path
        self._interval = interval_seconds
        self._earlier: bytes | None = None
        self._written = b""
        self._last = b""
        self._thread.start()

    def write(self, line: str) -> None:
        """Take note of the attempt's last record, which is printed only once everything is written."""
        if line.startswith(_LAST):
            with self._changed:
                self._last = line.encode()

    def _write_now(self) -> None:
        if self._earlier is None:
            self._earlier = self._storage.read_text(self._name).encode()
        with self._changed:
            last = self._last
        text = _end_of(self._earlier + _tail(self._path) + last)
        if text and text != self._written:
            self._storage.write_text(self._name, text.decode(errors="replace"))
            self._written = text

    def _pause_after(self, seconds: float) -> float:
        return self._interval


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        # One byte more shows whether a line was cut.
        file.seek(max(0, path.stat().st_size - _MAX_BYTES - 1))
        return file.read()


def _end_of(text: bytes) -> bytes:
    """The last whole lines of a text that is too long."""
    return text if len(text) <= _MAX_BYTES else text[-_MAX_BYTES:].partition(b"\n")[2]
