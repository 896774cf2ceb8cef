"""One line of text per record: the wording that the plain and the terminal display share."""

from __future__ import annotations

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
from trainingrun.history.figures import count, duration, metric, one_line, percent, plural, rate, ratio, size

_MOST_METRICS = 6


def sentence_of(record: Record) -> str:
    """The record in one line, without its time; empty for a kind that has no line."""
    match record:
        case AttemptStarted():
            return _attempt_started(record)
        case Progress():
            return ", ".join(progress_parts(record))
        case EpochEnded():
            return _epoch_ended(record)
        case CheckpointSaved():
            best = ", best so far" if record.best else ""
            return (
                f"checkpoint at step {count(record.step)}: {one_line(record.path)} "
                f"({size(record.size_bytes)} in {duration(record.seconds)}{best})"
            )
        case WorkersRestarted():
            return f"workers restarted: {one_line(record.reason) or 'no reason given'}"
        case Placement():
            data_nodes = [node for node, rows in record.data_rows.items() if rows > 0]
            return f"data on {_nodes(data_nodes)}; training on {_nodes(record.trainer_ranks)}"
        case Notice():
            return f"{one_line(record.level).lower() or 'notice'}: {one_line(record.message)}"
        case AttemptEnded():
            return _attempt_ended(record)
    return ""


def progress_parts(record: Progress) -> list[str]:
    """How far training is, part by part from the most to the least important."""
    steps = f"/{count(record.total_steps)}" if record.total_steps is not None else ""
    loss = [f"loss {metric(record.metrics['loss'])}"] if "loss" in record.metrics else []
    bad = [f"{plural(record.bad_rows, 'bad row')} left out"] if record.bad_rows else []
    return [
        f"epoch {min(record.epoch + 1, record.epochs)}/{record.epochs}",
        percent(record.percent),
        f"step {count(record.step)}{steps}",
        *loss,
        rate(record.rows_per_second),
        f"data stall {percent(record.stall.total_percent if record.stall else None)}",
        *bad,
        f"ETA {duration(record.eta_seconds)}",
    ]


def metric_parts(metrics: dict[str, float]) -> list[str]:
    """Loss and metrics by name, loss first, and how many more there are."""
    ordered = sorted(metrics, key=metric_order)
    parts = [f"{metric_title(name)} {metric(metrics[name])}" for name in ordered[:_MOST_METRICS]]
    return [*parts, f"and {len(ordered) - _MOST_METRICS} more"] if len(ordered) > _MOST_METRICS else parts


def metric_order(name: str) -> tuple[bool, str, bool]:
    """Sorts the loss before other metrics and each metric before its validation."""
    base = name.removeprefix("validation_")
    return (base != "loss", base, base != name)


def metric_title(name: str) -> str:
    """A metric's name in words: `validation accuracy`."""
    return one_line(name).replace("_", " ")


def _attempt_started(record: AttemptStarted) -> str:
    workers = plural(record.world_size, "training worker")
    size_of_run = workers if record.epochs is None else f"{workers}, {plural(record.epochs, 'epoch')}"
    initial = one_line(record.initial_checkpoint or "")
    start = f"starts from {initial}" if initial else "starts from the beginning"
    if record.resumed_from:
        where = f"epoch {record.first_epoch + 1}, step {count(record.first_step)}"
        start = f"continues from {one_line(record.resumed_from)} at {where}"
    return f"attempt {record.attempt} of {one_line(record.run)} {start} ({size_of_run})"


def _attempt_ended(record: AttemptEnded) -> str:
    result = f"{one_line(record.outcome)} (exit code {record.exit_code})"
    message = f": {one_line(record.message)}" if record.message else ""
    return f"attempt {record.attempt} ended after {duration(record.seconds)}: {result}{message}"


def _epoch_ended(record: EpochEnded) -> str:
    parts = [
        *metric_parts(record.metrics),
        *([rate(ratio(record.rows, record.seconds))] if record.rows is not None else []),
        *([f"data stall {percent(record.stall.total_percent)}"] if record.stall else []),
        duration(record.seconds),
    ]
    return f"epoch {record.epoch + 1}/{record.epochs} done: {', '.join(parts)}"


def _nodes(nodes: Iterable[str]) -> str:
    return ", ".join(one_line(node) for node in sorted(nodes)) or "nodes not known yet"
