"""An attempt's first and last record, whoever drives it."""

from __future__ import annotations

import sys
import time
from typing import Any

from trainingrun.contract.records import AttemptEnded, AttemptStarted
from trainingrun.spec import Run
from trainingrun_trainer.driver.plan import shown_configuration, versions
from trainingrun_trainer.failures.errors import Failure
from trainingrun_trainer.failures.tracebacks import last_lines_first
from trainingrun_trainer.storage import RunStorage


def started(run: Run, storage: RunStorage, attempt: int, *, world_size: int, **values: Any) -> AttemptStarted:
    """Training begins with so many ranks, at the epoch and step that `values` name."""
    return AttemptStarted(
        time=time.time(),
        attempt=attempt,
        run=run.metadata.name,
        world_size=world_size,
        storage=storage.location,
        versions=versions(),
        configuration=shown_configuration(run),
        **values,
    )


def ended(verdict: Failure, attempt: int, began: float) -> AttemptEnded:
    """An attempt's last record; `began` is in seconds since 1970."""
    now = time.time()
    message = last_lines_first(verdict.text)
    if verdict.text not in message:
        print(verdict.text, file=sys.stderr)
    return AttemptEnded(
        time=now,
        attempt=attempt,
        outcome=verdict.exit.outcome,
        exit_code=int(verdict.exit),
        message=message,
        seconds=now - began,
    )
