"""Where a run's results are: its folder, and its newest and its best checkpoint with their metrics."""

from __future__ import annotations

from trainingrun.contract.checkpoints import BEST, step_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.view import View
from trainingrun.spec.managing import UNREADABLE_STORAGE
from trainingrun.status.fields import Metric, Outputs, StoredCheckpoint
from trainingrun.status.model import MAX_COUNT
from trainingrun.status.trainer_report import ReportedCheckpoint, folder_uri

_MOST_TEXT = 1024
_LONGEST_NAME = 128


def outputs_of(view: View, attempt_list: AttemptList) -> Outputs | None:
    """Where the run's folder is, from the first attempt on, and the newest and the best checkpoint in it."""
    recorded = view.recorded.outputs
    if view.spec.storage == UNREADABLE_STORAGE or not attempt_list.attempts:
        return recorded
    folder, report = folder_uri(view.spec.storage, view.run.uid), view.report
    return Outputs(
        folder_uri=folder,
        last=_stored(folder, report.last, report.last.name if report.last else "", recorded.last),
        best=_stored(folder, report.best, BEST, recorded.best),
    )


def _stored(
    folder: str, reported: ReportedCheckpoint | None, name: str, recorded: StoredCheckpoint | None
) -> StoredCheckpoint | None:
    """The checkpoint that was reported, else the recorded one.

    An attempt that goes on from a checkpoint does not tell the metrics which the one that saved it has told.
    """
    if reported is None:
        return recorded
    uri, step = f"{folder}/{name}", step_of(reported.name)
    metrics = tuple(
        Metric(name=name, value=value[:_MOST_TEXT])
        for name, value in reported.metrics.items()
        if len(name) <= _LONGEST_NAME
    )
    if not metrics and recorded is not None and recorded.uri == uri:
        metrics = recorded.metrics or ()
    return StoredCheckpoint(
        uri=uri, step=step if step is not None and step <= MAX_COUNT else None, metrics=metrics or None
    )
