"""Records as JSON lines, for programs. It must write nothing else, so it has no summary."""

from __future__ import annotations

from typing import TextIO

from trainingrun.display.lines import LineWriter
from trainingrun.progress import Record


class JsonDisplay:
    """Each record as its JSON line, as soon as it arrives."""

    def __init__(self, stream: TextIO):
        self._lines = LineWriter(stream)

    def emit(self, record: Record) -> None:
        """Write the record's line."""
        self._lines.write(record.to_json())

    def close(self) -> None:
        """Nothing is held back, so nothing is left to write."""
