"""Records as plain lines, for logs and pipes: every line stands alone, and steps do not flood it."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from trainingrun.contract.records import Progress, Record
from trainingrun.display.lines import LineWriter
from trainingrun.display.sentences import sentence_of
from trainingrun.display.summary import Memory, summary_lines
from trainingrun.history.figures import moment

SECONDS_BETWEEN_PROGRESS = 10.0


class PlainDisplay:
    """One line for each record; for steps at most one in ten seconds of the run's own time."""

    def __init__(self, stream: TextIO, report: Path | None = None):
        self._lines = LineWriter(stream)
        self._memory = Memory()
        self._report = report
        self._last_progress: float | None = None
        self._closed = False

    def emit(self, record: Record) -> None:
        """Write the record's line, unless it is a step too soon after the last one."""
        if not self._memory.keep(record):
            return
        if isinstance(record, Progress):
            last = self._last_progress
            if last is not None and 0 <= record.time - last < SECONDS_BETWEEN_PROGRESS:
                return
            self._last_progress = record.time
        self._lines.write(f"{moment(record.time)}  {sentence_of(record)}")

    def close(self) -> None:
        """Write the summary."""
        if self._closed:
            return
        self._closed = True
        summary = summary_lines(self._memory.records, self._report)
        for line in ["", *summary] if summary else []:
            self._lines.write(line)
