"""When runs that train and report were last heard, so that the silence of one is told from the silence of all.

It must not judge: what silence means, `lifecycle.deadlines` knows.
"""

from __future__ import annotations

from datetime import datetime

from trainingrun.observed import RunObject
from trainingrun.status.trainer_report import last_heard


class Hearing:
    """Of any number of runs, who should be heard, and the two that were heard last: one of these is another run."""

    def __init__(self) -> None:
        self._speakers: set[str] = set()
        self._last: tuple[str, datetime] | None = None
        self._before: tuple[str, datetime] | None = None

    def note(self, run: RunObject) -> None:
        """Note what a run's status says of its reports."""
        heard = last_heard(run.status)
        if heard is None:
            self._speakers.discard(run.uid)
            return
        self._speakers.add(run.uid)
        if self._last is None or self._last[0] == run.uid:
            self._last = run.uid, heard
        elif heard >= self._last[1]:
            self._before, self._last = self._last, (run.uid, heard)
        elif self._before is None or heard > self._before[1]:
            self._before = run.uid, heard

    def forget(self, run_uid: str) -> None:
        """Note that a run is gone. That it was heard says as much about the endpoint as before."""
        self._speakers.discard(run_uid)

    def others(self, run_uid: str) -> datetime | None:
        """When a run other than this one was last heard; None when no other trains and reports."""
        if len(self._speakers) == (run_uid in self._speakers):
            return None
        heard = self._before if self._last is not None and self._last[0] == run_uid else self._last
        return heard[1] if heard is not None else None
