"""Writes lines to a stream whose reader may leave or may not know every letter."""

from __future__ import annotations

import os
from typing import TextIO

from trainingrun.contract.records import Record


class LineWriter:
    """Writes whole lines, each at once. A reader that leaves (`| head`) is no error; it then stays silent."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._reader_left = False

    def write(self, line: str) -> None:
        """Write `line` and a line end; letters that the stream's encoding lacks are written as escapes."""
        if self._reader_left:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._reader_left = True
            _discard_further_output(self._stream)


def _discard_further_output(stream: TextIO) -> None:
    # The interpreter flushes the stream once more at exit and would report the broken pipe then.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)


class JsonDisplay:
    """Each record as its JSON line, as soon as it arrives."""

    def __init__(self, stream: TextIO):
        self._lines = LineWriter(stream)

    def emit(self, record: Record) -> None:
        """Write the record's line."""
        self._lines.write(record.to_json())

    def close(self) -> None:
        """Nothing is held back, so nothing is left to write."""
