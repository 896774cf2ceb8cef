"""Writes the run's report beside its checkpoints while training goes on, from a thread of its own.

Neither a step nor the attempt's end may wait for it for long, and no run ends because a page could not be written. It
keeps as many lines as one page can show, however long the run is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from trainingrun.contract.records import LOG_DIRECTORY, REPORT_NAME, parse_line
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.bounded_lines import BoundedLines
from trainingrun_trainer.storage import RunStorage

_PAUSE_SECONDS = 30.0
# Of the time of one processor, at most one part in so many goes into pages.
_MOST_SHARE = 20
_MAX_BYTES = 4 << 20
# Without an epoch or a checkpoint, a page is made again after so long.
_LONGEST_SECONDS = 600.0
_NEWS = re.compile(r'\{"kind":"(EpochEnded|CheckpointSaved|WorkersRestarted|AttemptEnded)"')
_LOG = re.compile(r"attempt-(\d+)\.jsonl")


class LiveReport(BackgroundWriter):
    """The page of a run, from the lines of this attempt's log, `own_log`, and what earlier attempts have left."""

    def __init__(self, storage: RunStorage, own_log: str, pause_seconds: float = _PAUSE_SECONDS):
        super().__init__(REPORT_NAME, "report")
        self._storage = storage
        self._own_log = own_log.rpartition("/")[2]
        self._pause = pause_seconds
        self._lines = BoundedLines(_MAX_BYTES)
        self._first = ""
        self._is_due = False
        self._is_complete = False
        self._thread.start()

    def write(self, line: str) -> None:
        """Keep a line for the next page; returns at once."""
        with self._changed:
            self._first = self._first or line
            self._lines.add(line)
            if _NEWS.match(line):
                self._is_due = True
                self._changed.notify()

    def _wait(self, earliest: float) -> bool | None:
        """Wait for the next page's time; whether it is the last one, None if there is nothing new to write."""
        with self._changed:
            while not (
                self._changed.wait_for(lambda: self._is_due or self._is_closing, _LONGEST_SECONDS) or self._first
            ):
                pass
            self._changed.wait_for(lambda: self._is_closing, timeout=max(0.0, earliest - time.monotonic()))
            is_due, self._is_due = self._is_due, False
            return self._is_closing if is_due or not self._is_closing else None

    def _write_now(self) -> None:
        if not self._is_complete:
            self._add_earlier()
        with self._changed:
            lines = self._lines.text().splitlines()
        # Only now: training must not wait for the templates' library.
        from trainingrun.report import build_report

        records = (parse_line(line) for line in lines)
        page = build_report(record for record in records if record is not None)
        self._storage.write_text(REPORT_NAME, page)

    def _pause_after(self, seconds: float) -> float:
        return max(self._pause, _MOST_SHARE * seconds)

    def _add_earlier(self) -> None:
        """Begin with what earlier attempts, and a driver of this one that was lost with its head, have left."""
        earlier = BoundedLines(_MAX_BYTES)
        for line in self._earlier_lines():
            earlier.add(line)
        with self._changed:
            self._lines = self._lines.following(earlier.text().splitlines(keepends=True))
        self._is_complete = True

    def _earlier_lines(self) -> Iterator[str]:
        numbered = [
            (match, name) for name in self._storage.list_files(LOG_DIRECTORY) if (match := _LOG.fullmatch(name))
        ]
        for _, name in sorted(numbered, key=lambda item: int(item[0][1])):
            for line in _lines_of(self._storage.chunks(f"{LOG_DIRECTORY}/{name}")):
                if name == self._own_log and line == self._first:
                    break  # from here on, the lines are this driver's
                yield line


def _lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends; the last one gets one where it is torn."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (f"{line.decode(errors='replace')}\n" for line in whole)
    if rest:
        yield f"{rest.decode(errors='replace')}\n"
