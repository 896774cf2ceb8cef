"""Attempts as a tracker sees them: each begins, reports steps and epochs, and ends."""

from __future__ import annotations

from progress_samples import epoch_ended, progress, started

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded
from trainingrun.spec import Run
from trainingrun_trainer.driver.event_log import EventLog
from trainingrun_trainer.driver.trackers import trackers_of
from trainingrun_trainer.storage import RunStorage


def record_attempt(run: Run, storage: RunStorage, attempt: int, code: Exit, *steps: int) -> str:
    """Record an attempt that ends with `code`; what its only tracker said, empty if nothing."""
    (writer,) = trackers_of(run, storage, attempt, attempt)
    log = EventLog(storage, attempt, (writer,))
    log.emit(started(attempt))
    for step in steps:
        log.emit(progress(step, recent_metrics={"loss": 1 / step}, scalars={"learning_rate": 0.1}))
        log.emit(epoch_ended(step))
    log.emit(AttemptEnded(time=2.0, attempt=0, outcome=code.outcome, exit_code=code, message="", seconds=1.0))
    log.close()
    return writer.trouble or ""
