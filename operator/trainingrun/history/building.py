"""From records to the history of a run: attempts joined, and what was done twice taken out.

Pure: no clock, no files. Steps that were lost leave the history only when they are done again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Placement,
    Progress,
    Record,
    WorkersRestarted,
)
from trainingrun.history.run import AttemptHistory, History, Resumption


def history_of(records: Iterable[Record]) -> History:
    """The history that the records tell. They must be in the order of writing, attempts in order."""
    builder = _HistoryBuilder()
    for record in records:
        builder.add(record)
    return builder.history


class _HistoryBuilder:
    """Adds records one by one; after an interruption, waits for the first step that is done again to cut."""

    def __init__(self) -> None:
        self.history = History()
        self._interruption: Record | None = None
        self._resume_step: int | None = None

    def add(self, record: Record) -> None:
        attempt = self._attempt_of(record)
        match record:
            case AttemptStarted():
                attempt.started = record
                # A script of its own does not say where it begins: its first step does.
                self._interrupt(record, record.first_step if record.epochs is not None else sys.maxsize)
            case Progress() | EpochEnded():
                self._step_done(record)
            case CheckpointSaved():
                # Told again where validation has made it the best.
                others = (saved for saved in self.history.checkpoints if saved.path != record.path)
                self.history.checkpoints[:] = [*others, record]
            case WorkersRestarted():
                self.history.worker_restarts.append(record)
                self._interrupt(record, None)
            case Placement():
                attempt.data_rows.update(record.data_rows)
                attempt.trainer_ranks = record.trainer_ranks
            case Notice():
                self.history.notices.append(record)
            case AttemptEnded():
                attempt.ended = record

    def _attempt_of(self, record: Record) -> AttemptHistory:
        attempts = self.history.attempts
        if not attempts or record.attempt > attempts[-1].number:
            attempts.append(AttemptHistory(record.attempt, record.time, record.time))
        attempt = next((a for a in reversed(attempts) if a.number == record.attempt), attempts[-1])
        attempt.last_time = max(attempt.last_time, record.time)
        return attempt

    def _interrupt(self, record: Record, resume_step: int | None) -> None:
        last = self.history.last_checkpoint
        self._interruption = record
        self._resume_step = resume_step if resume_step is not None else last.step if last else 0

    def _step_done(self, record: Progress | EpochEnded) -> None:
        history = self.history
        if self._interruption is not None and self._resume_step is not None:
            self._resume(self._interruption, min(self._resume_step, max(record.step - 1, 0)))
            self._interruption = None
        if isinstance(record, Progress):
            history.reports.append(record)
            # A report repeats its step while validation runs; the newest holds the most.
            while history.progress and history.progress[-1].step >= record.step:
                history.progress.pop()
            history.progress.append(record)
        else:
            while history.epochs and history.epochs[-1].epoch >= record.epoch:
                history.epochs.pop()
            history.epochs.append(record)

    def _resume(self, interruption: Record, step: int) -> None:
        history = self.history
        reached = max(
            (
                *(report.step for report in history.progress[-1:]),
                *(epoch.step for epoch in history.epochs[-1:]),
                step,
            )
        )
        while history.progress and history.progress[-1].step > step:
            history.progress.pop()
        while history.epochs and history.epochs[-1].step > step:
            history.epochs.pop()
        inside = isinstance(interruption, WorkersRestarted)
        if inside or len(history.attempts) > 1:
            reason = interruption.reason if isinstance(interruption, WorkersRestarted) else ""
            history.resumptions.append(
                Resumption(interruption.time, interruption.attempt, step, reached - step, inside, reason)
            )
