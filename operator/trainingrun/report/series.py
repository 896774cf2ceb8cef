"""The values of a metric over a run, with the place of each on every axis that a curve may have.

Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from trainingrun.contract.records import EpochEnded, Progress
from trainingrun.history import History
from trainingrun.spec.storage import VALIDATION_PREFIX


@dataclass(frozen=True)
class Sample:
    """A value. `epoch` counts whole and begun epochs, `seconds` are since the run's first record, pauses included."""

    step: float
    epoch: float
    seconds: float
    value: float


def metric_names(history: History) -> list[str]:
    """The metrics that have a curve, loss first, and then what else was logged; a metric and its validation are one."""
    sources = [report.metrics for report in history.progress] + [epoch.metrics for epoch in history.epochs]
    bases = {name.removeprefix(VALIDATION_PREFIX) for metrics in sources for name in metrics}
    logged = {name for report in history.progress for name in report.scalars} - bases
    return [*sorted(bases, key=lambda name: (name != "loss", name)), *sorted(logged)]


def training_series(history: History, name: str) -> list[Sample]:
    """The values by step: of every report; for a metric that reports lack, of every epoch."""
    values = {
        report.step: _at(history, report, value)
        for report in history.progress
        if (value := measured(report, name)) is not None
    }
    return _sorted(values or _by_epoch(history, name))


def validation_series(history: History, name: str) -> list[Sample]:
    """The same of the validation data, of every epoch."""
    return _sorted(_by_epoch(history, VALIDATION_PREFIX + name))


def marks(history: History) -> list[tuple[str, str, Sample]]:
    """Where training resumed after an interruption, and the best checkpoint: label, look and place."""
    begin = history.attempts[0].first_time
    events = [("restart", "restart", item.step, item.time) for item in history.resumptions]
    best = history.best_checkpoint
    if best is not None:
        events.append(("best checkpoint", "best", best.step, best.time))
    return [
        (label, look, Sample(float(step), _epoch_at(history, step), time - begin, 0.0))
        for label, look, step, time in events
    ]


def _epoch_at(history: History, step: int) -> float:
    """The epoch of the last report up to a step."""
    at = bisect_right(history.progress, step, key=lambda report: report.step)
    return _at(history, history.progress[at - 1], 0.0).epoch if at else 0.0


def measured(report: Progress, name: str) -> float | None:
    """A metric's mean over the steps since the report before; None where the report has none of it.

    Only where a loop of one's own does not tell them apart is it what the loop calls the epoch's.
    """
    recent = report.recent_metrics
    # What recent ones lack, as a count of steps that were left out, is not a mean of steps.
    is_told_apart = recent is not None and (not recent or name in recent)
    value = recent.get(name) if recent is not None and is_told_apart else report.metrics.get(name)
    return report.scalars.get(name) if value is None else value


def _by_epoch(history: History, name: str) -> dict[int, Sample]:
    return {epoch.step: _at(history, epoch, epoch.metrics[name]) for epoch in history.epochs if name in epoch.metrics}


def _at(history: History, record: Progress | EpochEnded, value: float) -> Sample:
    epoch = record.percent * record.epochs / 100 if isinstance(record, Progress) else record.epoch + 1
    return Sample(float(record.step), float(epoch), record.time - history.attempts[0].first_time, value)


def _sorted(values: dict[int, Sample]) -> list[Sample]:
    return [values[step] for step in sorted(values)]
