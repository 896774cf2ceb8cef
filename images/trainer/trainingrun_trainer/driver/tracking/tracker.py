"""Passes the lines of an attempt's log on to one tracker, from a thread of its own.

The tracker may be down, slow, or refuse: what it has not taken waits within a bound for the next try.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from trainingrun.contract.records import AttemptEnded, parse_line
from trainingrun.spec.run import RunSpec
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.curve_points import scalars_of
from trainingrun_trainer.driver.tracking.description import End, end_of

_SEND_SECONDS = 10.0
# A tracker that was away is tried again less often.
_RETRY_SECONDS = 30.0
_MOST_LINES = 20_000
_OF_INTEREST = re.compile(r'\{"kind":"(Progress|EpochEnded|AttemptEnded)"')


@dataclass(frozen=True)
class Point:
    """Values by name at an optimizer step; `time` is in seconds since 1970."""

    step: int
    time: float
    values: dict[str, float]


class Client(Protocol):
    """One run of a tracker. Each call may take its time, and raises whatever keeps it from being done."""

    def open(self) -> None:
        """Begin the run, or continue what an earlier attempt has begun. Called until it succeeds."""

    def send(self, points: list[Point]) -> None:
        """Add points. They come again where it is not known whether they arrived."""

    def close(self, end: End | None, outcome: str) -> None:
        """The attempt is over, with this outcome; `end` is None where the run goes on."""


class Refused(Exception):
    """The tracker will never take what it was sent: it is given up. The message says why."""


class Tracker(BackgroundWriter):
    """Sends to `client` what the lines of attempt number `attempt` at the run add to its curves.

    Nothing is done before the first of them, so that a tracker's package does not slow a start.
    """

    _TOO_LATE = "it has not responded within"

    def __init__(self, what: str, client: Client, spec: RunSpec, attempt: int, interval_seconds: float = _SEND_SECONDS):
        super().__init__(what, "tracking")
        self._client = client
        self._spec = spec
        self._attempt = attempt
        self._interval = interval_seconds
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._waiting: list[str] = []
        self._is_open = False
        self._thread.start()

    def write(self, line: str) -> None:
        """Keep a line until the next time; returns at once."""
        if _OF_INTEREST.match(line):
            with self._changed:
                self._lines.append(line)
                self._changed.notify()

    def _has_more(self) -> bool:
        return bool(self._lines or self._waiting)

    def _write_now(self) -> None:
        with self._changed:
            self._waiting = [*self._waiting, *self._lines][-_MOST_LINES:]
            self._lines.clear()
        if not self._is_open:
            self._client.open()
            self._is_open = True
        records = [record for line in self._waiting if (record := parse_line(line)) is not None]
        points = [Point(step, record.time, values) for record in records for step, values in [scalars_of(record)]]
        try:
            self._client.send([point for point in points if point.values])
        except Refused as error:
            self._warn(str(error))
        for record in records:
            if isinstance(record, AttemptEnded):
                self._client.close(end_of(self._spec, self._attempt, record), record.outcome)
        self._waiting = []

    def _pause_after(self, seconds: float) -> float:
        return max(self._interval, _RETRY_SECONDS) if self._waiting else self._interval
