"""The whole page as finished text, charts and tables: all that the template may know.

Pure. Every number is formatted here or below, none in the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from trainingrun.history import History
from trainingrun.history.advice import CAUSE_MEANINGS, main_cause, next_step, stall_advice
from trainingrun.history.figures import (
    UNKNOWN,
    count,
    duration,
    indented,
    metric,
    moment,
    one_line,
    percent,
    plural,
    rate,
)
from trainingrun.redaction import redacted
from trainingrun.report.attempts import attempts_chart
from trainingrun.report.charts import Chart, Table
from trainingrun.report.curves import MOST_CHARTS, metric_chart
from trainingrun.report.series import metric_names
from trainingrun.report.stall import causes_of, look_of, share_of, stall_chart
from trainingrun.report.tables import (
    attempts_table,
    checkpoints_table,
    epochs_table,
    notices_table,
    placement_sentence,
    placement_table,
    versions_table,
)
from trainingrun.report.throughput import throughput_chart
from trainingrun.report.time_spent import time_chart

_GOOD, _BAD, _OPEN = "good", "bad", "open"


@dataclass(frozen=True)
class Tile:
    """One headline figure, and the note it needs to be read correctly."""

    label: str
    figure: str
    note: str = ""


@dataclass(frozen=True)
class CauseRow:
    """One cause of data stall. `look` is the CSS class of its colour."""

    look: str
    name: str
    meaning: str
    share: str


@dataclass(frozen=True)
class ReportView:
    """The page from top to bottom."""

    title: str
    outcome: str
    outcome_look: str
    lead: str
    message: str
    next_step: str | None
    tiles: Sequence[Tile]
    curves: Sequence[Chart]
    hidden_curves: str
    time_spent: Chart | None
    throughput: Chart | None
    stall: Chart | None
    stall_advice: str
    causes: Sequence[CauseRow]
    attempts: Chart
    attempts_table: Table
    checkpoints: Table
    loading: str
    placement_sentence: str
    placement: Table
    epochs: Table
    notices: Table
    versions: Table
    configuration: str
    period: str


def report_view(history: History) -> ReportView:
    """The page for a history that has at least one attempt."""
    ended, started, names = history.ended, history.started, metric_names(history)
    hidden = len(names) - MOST_CHARTS
    return ReportView(
        title=one_line(history.name or "") or "Run without a name",
        outcome=(one_line(ended.outcome) or UNKNOWN) if ended else "No end recorded",
        outcome_look=_OPEN if ended is None else _GOOD if ended.outcome == "Complete" else _BAD,
        lead=_lead(history),
        message=_printable(ended.message) if ended else "",
        next_step=next_step(history),
        tiles=_tiles(history),
        curves=[metric_chart(history, name, number) for number, name in enumerate(names[:MOST_CHARTS])],
        hidden_curves=f"{plural(hidden, 'more metric')} in the table of epochs." if hidden > 0 else "",
        time_spent=time_chart(history),
        throughput=throughput_chart(history),
        stall=stall_chart(history),
        stall_advice=stall_advice(history.stall),
        causes=_causes(history),
        attempts=attempts_chart(history),
        attempts_table=attempts_table(history),
        checkpoints=checkpoints_table(history),
        loading=_loading(history),
        placement_sentence=placement_sentence(history),
        placement=placement_table(history),
        epochs=epochs_table(history),
        notices=notices_table(history),
        versions=versions_table(history),
        configuration=_yaml(started.configuration) if started else "",
        period=f"{moment(history.attempts[0].first_time)} to {moment(history.attempts[-1].last_time)}",
    )


def _lead(history: History) -> str:
    done, total = history.epochs_done, history.total_epochs
    epochs = f"{count(done)} of {plural(total, 'epoch')}" if total is not None else "Epochs unknown"
    attempts = plural(len(history.attempts), "attempt")
    restarts = len(history.worker_restarts)
    with_restarts = f" and {plural(restarts, 'worker restart')}" if restarts else ""
    return f"{epochs} in {duration(history.seconds)}, with {attempts}{with_restarts}"


def _tiles(history: History) -> list[Tile]:
    stall = history.stall
    cause = main_cause(stall) if stall else None
    repeated = sum(resumption.repeated_steps for resumption in history.resumptions)
    return [
        *_metric_tiles(history),
        Tile("Throughput", rate(history.rows_per_second), "mean of finished epochs" if history.epochs else ""),
        Tile(
            "Data stall",
            percent(stall.total_percent) if stall else UNKNOWN,
            f"{percent(stall.steady_percent)} after each epoch's first batch" if stall else "not measured",
        ),
        Tile("Main cause of stall", one_line(cause) if cause else "none recorded"),
        Tile(
            "Goodput",
            percent(history.goodput_percent),
            f"{plural(repeated, 'step')} repeated" if history.resumptions else "no restarts",
        ),
        *_data_tiles(history),
    ]


def _data_tiles(history: History) -> list[Tile]:
    tiles = []
    if history.cache is not None:
        tiles.append(Tile("Cache", one_line(history.cache), "the newest pass through the training data"))
    if history.bad_rows is not None:
        tiles.append(Tile("Bad rows", count(history.bad_rows), "left out, over all epochs"))
    return tiles


def _metric_tiles(history: History) -> list[Tile]:
    """The loss and the first other metric, of the validation set where there is one."""
    values = history.metrics
    chosen = []
    for base in metric_names(history)[:2]:
        name = f"validation_{base}" if f"validation_{base}" in values else base
        chosen.append(Tile(_capitalized(name), metric(values.get(name)), _best_epoch(history, name)))
    return chosen or [Tile("Loss", UNKNOWN, "no measurement was recorded")]


def _best_epoch(history: History, name: str) -> str:
    best = history.best_checkpoint
    last = f"epoch {history.epochs[-1].epoch + 1}" if history.epochs else "newest report"
    epoch = next((epoch for epoch in history.epochs if best and epoch.epoch == best.epoch), None)
    if epoch is None or epoch is history.epochs[-1] or name not in epoch.metrics:
        return last
    return f"{last}; {metric(epoch.metrics[name])} at the best checkpoint"


def _capitalized(name: str) -> str:
    words = one_line(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def _causes(history: History) -> list[CauseRow]:
    stall = history.stall
    if stall is None:
        return []
    return [
        CauseRow(
            look_of(cause),
            one_line(cause),
            CAUSE_MEANINGS.get(cause, "no meaning is known for this cause"),
            percent(share_of(stall, cause)),
        )
        for cause in causes_of([stall])
    ]


def _printable(message: str) -> str:
    """The message with its line ends and its indentation, without other control characters."""
    return "\n".join(indented(line) for line in message.splitlines() if one_line(line))


def _yaml(configuration: dict[str, object]) -> str:
    return yaml.safe_dump(redacted(configuration), sort_keys=False, allow_unicode=True, width=100)


def _loading(history: History) -> str:
    """The lines of Python that load the best checkpoint, else the newest; empty without one that is ours to load."""
    saved, started = history.best_checkpoint or history.last_checkpoint, history.started
    spec = started.configuration.get("spec") if started else None
    recipe = spec.get("recipe") if isinstance(spec, dict) else None
    if saved is None or not isinstance(recipe, dict):
        return ""
    model = recipe.get("model")
    model = model if isinstance(model, dict) else {"function": "trainingrun_trainer.vision:resnet18"}
    module, _, function = one_line(str(model.get("function"))).partition(":")
    given = redacted(model.get("parameters") or {})
    named = ", ".join(f"{one_line(str(key))}={one_line(repr(value))}" for key, value in given.items())
    folder = "best" if history.best_checkpoint is saved else one_line(saved.path).rstrip("/").rpartition("/")[2]
    return (
        f"import torch\nfrom {module} import {function}\n\n"
        f"model = {function}({named})\n"
        f'state = torch.load("{folder}/state.pt", map_location="cpu")  # in the run\'s folder\n'
        'model.load_state_dict(state["model"])'
    )
