"""The tables of the report, as finished words."""

from __future__ import annotations

from collections.abc import Sequence

from trainingrun.contract.records import EpochEnded
from trainingrun.history import AttemptHistory, History
from trainingrun.history.advice import main_cause
from trainingrun.history.figures import (
    UNKNOWN,
    count,
    duration,
    metric,
    moment,
    one_line,
    percent,
    plural,
    rate,
    ratio,
    size,
)
from trainingrun.report.charts import Table

NONE = "-"


def epochs_table(history: History) -> Table:
    """One row for each epoch; the epoch of the best checkpoint is emphasized."""
    names = sorted(
        {name for epoch in history.epochs for name in epoch.metrics},
        key=lambda name: (name.removeprefix("validation_") != "loss", name.removeprefix("validation_"), name),
    )
    titles = [one_line(name).replace("_", " ") for name in names]
    best = history.best_checkpoint
    rows = [_epoch_row(epoch, names) for epoch in history.epochs]
    chosen = {index for index, epoch in enumerate(history.epochs) if best and epoch.epoch == best.epoch}
    columns = ("epoch", *titles, "rows", "duration", "throughput", "data stall", "main cause")
    return Table(columns, rows, frozenset(range(len(names) + 5)), frozenset(chosen))


def _epoch_row(epoch: EpochEnded, names: list[str]) -> Sequence[str]:
    values = [metric(epoch.metrics[name]) if name in epoch.metrics else NONE for name in names]
    cause = main_cause(epoch.stall) if epoch.stall else None
    return (
        count(epoch.epoch + 1),
        *values,
        count(epoch.rows),
        duration(epoch.seconds),
        rate(ratio(epoch.rows, epoch.seconds) if epoch.rows is not None else None),
        percent(epoch.stall.total_percent if epoch.stall else None),
        one_line(cause) if cause else NONE,
    )


def attempts_table(history: History) -> Table:
    """One row for each attempt."""
    rows = [_attempt_row(history, attempt) for attempt in history.attempts]
    columns = ("attempt", "started", "duration", "from", "steps repeated", "outcome", "message")
    return Table(columns, rows, frozenset({0, 2, 4}))


def _attempt_row(history: History, attempt: AttemptHistory) -> Sequence[str]:
    started, ended = attempt.started, attempt.ended
    repeated = sum(item.repeated_steps for item in history.resumptions if item.attempt == attempt.number)
    begun = (started.resumed_from or started.initial_checkpoint or "") if started is not None else ""
    source = UNKNOWN if started is None else one_line(begun) or "the beginning"
    return (
        f"#{attempt.number}",
        moment(attempt.first_time),
        duration(attempt.seconds),
        source,
        count(repeated),
        f"{one_line(ended.outcome)} (exit code {ended.exit_code})" if ended else "no end recorded",
        (one_line(ended.message) or NONE) if ended else NONE,
    )


def checkpoints_table(history: History) -> Table:
    """One row for each complete checkpoint; the best one is emphasized."""
    best = history.best_checkpoint
    rows = [
        (
            one_line(saved.path),
            count(saved.epoch + 1),
            count(saved.step),
            size(saved.size_bytes),
            duration(saved.seconds),
            "best" if saved is best else "best so far" if saved.best else NONE,
        )
        for saved in history.checkpoints
    ]
    chosen = {index for index, saved in enumerate(history.checkpoints) if saved is best}
    return Table(
        ("checkpoint", "epoch", "step", "size", "saved in", "rank"),
        rows,
        frozenset({1, 2, 3, 4}),
        frozenset(chosen),
    )


def placement_sentence(history: History) -> str:
    """Whether data and training were kept on separate nodes."""
    data, trainers = history.data_nodes, history.trainer_nodes
    if not data and not trainers:
        return "The nodes are unknown: no placement was recorded."
    made = f"Data ran on {plural(len(data), 'node')}" if data else "Where data ran is unknown"
    trained = f"training on {plural(len(trainers), 'node')}" if trainers else "where training ran is unknown"
    both = sorted(set(data) & set(trainers))
    split = "no node did both"
    if both:
        split = f"{plural(len(both), 'node')} did both: {', '.join(map(one_line, both))}"
    return f"{made} and {trained}; {split}." if data and trainers else f"{made}, {trained}."


def placement_table(history: History) -> Table:
    """One row per node: the data rows it produced and the training ranks it held."""
    made: dict[str, int] = {}
    for attempt in history.attempts:
        for node, new in attempt.data_rows.items():
            made[node] = made.get(node, 0) + new
    total = sum(made.values())
    rows = [
        (
            one_line(node),
            count(made[node]) if node in made else NONE,
            percent(100 * made[node] / total) if node in made and total > 0 else NONE,
            _ranks(history, node),
        )
        for node in sorted({*made, *history.trainer_nodes})
    ]
    return Table(("node", "data rows", "share", "training ranks"), rows, frozenset({1, 2}))


def _ranks(history: History, node: str) -> str:
    attempts = [attempt for attempt in history.attempts if node in attempt.trainer_ranks]
    words = {attempt.number: _spans(attempt.trainer_ranks[node]) for attempt in attempts}
    if len(set(words.values())) == 1 and len(words) == len(history.attempts):
        return next(iter(words.values()))
    return "; ".join(f"{text} in attempt {number}" for number, text in words.items()) or NONE


def _spans(ranks: list[int]) -> str:
    """Ranks in the shortest form: `0 to 3, 6`."""
    spans: list[list[int]] = []
    for rank in sorted(set(ranks)):
        if spans and rank == spans[-1][1] + 1:
            spans[-1][1] = rank
        else:
            spans.append([rank, rank])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in spans) or NONE


def notices_table(history: History) -> Table:
    """Notices and worker restarts in the order of time."""
    news = [(notice.time, notice.level.lower(), notice.message) for notice in history.notices]
    news += [(restart.time, "worker restart", restart.reason) for restart in history.worker_restarts]
    rows = [(moment(time), one_line(level), one_line(text)) for time, level, text in sorted(news)]
    return Table(("time", "kind", "message"), rows)


def versions_table(history: History) -> Table:
    """The versions that the newest attempt ran with, and those of earlier attempts that differ."""
    newest = history.started
    if newest is None:
        return Table((), ())
    rows = []
    for name, version in sorted(newest.versions.items()):
        others = {
            attempt.started.versions.get(name, NONE): attempt.number
            for attempt in history.attempts
            if attempt.started and attempt.started.versions.get(name) != version
        }
        earlier = ", ".join(f"{one_line(other)} until attempt {number}" for other, number in others.items())
        rows.append((one_line(name), one_line(version), earlier or NONE))
    if all(row[2] == NONE for row in rows):
        return Table(("package", "version"), [row[:2] for row in rows])
    return Table(("package", "version", "earlier"), rows)
