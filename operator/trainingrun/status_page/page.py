"""The page of one run, for a terminal or for plain text; the console decides which.

Everything that status holds is shown as text, never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trainingrun.contract.progress_metrics import CURRENT_EPOCH, STEP, TOTAL_EPOCHS
from trainingrun.history.advice import main_cause, stall_advice
from trainingrun.history.figures import count, duration, finite, metric, percent, plural, rate
from trainingrun.status_page.advice import Caller, next_steps, reason_of, suspicion_words
from trainingrun.status_page.attempts import AttemptsTable, last_words
from trainingrun.status_page.view import ENDED_STATES, CheckpointView, RunView, state_colour

_LABEL_WIDTH = 11
_BAR_WIDTH = 30
# Of a checkpoint's metrics, so many are shown.
_MOST_METRICS = 4
_PORT = 8265


def status_page(view: RunView, now: datetime, caller: Caller) -> RenderableType:
    """The page."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, fact in _facts(view, now, caller):
        facts.add_row(label, fact)
    parts: list[RenderableType] = [_title(view), facts]
    if view.attempts:
        parts += [Text(), AttemptsTable(view, now)]
    words = last_words(view)
    if words:
        parts += [Text(), Text("last message", style="dim"), Padding(Text(words), (0, 0, 0, 2))]
    steps = next_steps(view, now, caller)
    if steps:
        following = Table.grid(padding=(0, 2, 0, 0))
        following.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
        following.add_column(overflow="fold")
        for index, step in enumerate(steps):
            following.add_row("" if index else "next", Text(step))
        parts += [Text(), following]
    return Group(*parts)


def _title(view: RunView) -> Text:
    state = "Deleting" if view.deleting else view.state
    return Text.assemble((f"{view.namespace}/{view.name}", "bold"), "  ", (state, f"bold {state_colour(state)}"))


def _facts(view: RunView, now: datetime, caller: Caller) -> Iterator[tuple[str, RenderableType]]:
    yield "why", Text(reason_of(view, now))
    if view.suspected is not None:
        yield "suspected", Text(suspicion_words(view.suspected, now), style="yellow")
    yield from _progress(view, now)
    yield from _data_stall(view)
    yield from _data(view)
    yield "nodes", Text(_nodes(view))
    yield "time", Text(_times(view, now))
    for label, value in (
        ("queue", view.queue),
        ("runtime", view.runtime),
        ("storage", view.folder or view.storage),
        ("begun from", view.initial),
        *_checkpoint("checkpoint", view.last),
        *_checkpoint("best", view.best),
        ("dashboard", _dashboard(view, caller)),
    ):
        if value:
            yield label, Text(value)


def _checkpoint(label: str, stored: CheckpointView | None) -> Iterator[tuple[str, str]]:
    """Where it is, also inside pods, and how good it is."""
    if stored is None:
        return
    yield label, stored.uri
    step = [f"step {count(stored.step)}"] if stored.step is not None else []
    told = [f"{name} {metric(value)}" for name, value in stored.metrics.items()]
    yield "", ", ".join([*step, *told[:_MOST_METRICS]])
    if stored.mounted:
        yield "", f"mounted at {stored.mounted}"


def _dashboard(view: RunView, caller: Caller) -> str:
    """The address, which is inside the cluster's own network, and how to reach it from outside."""
    # KubeRay gives it without a scheme.
    address = urlsplit(view.dashboard if "//" in view.dashboard else f"//{view.dashboard}")
    service = (address.hostname or "").partition(".")[0]
    if not service or view.state in ENDED_STATES:
        return ""
    forward = caller.kubectl(f"port-forward -n {view.namespace} service/{service} {_PORT}")
    return f"http://localhost:{_PORT} after {forward}"


def _progress(view: RunView, now: datetime) -> Iterator[tuple[str, RenderableType]]:
    if finite(view.percent) is None:
        return
    done = min(max(view.percent or 0.0, 0.0), 100.0)
    line = Table.grid(padding=(0, 2, 0, 0))
    parts = [percent(view.percent)]
    if view.eta_seconds is not None and view.state not in ENDED_STATES:
        parts.append(f"ETA {duration(view.eta_seconds)}")
    parts += _position(view)
    bar = ProgressBar(total=100, completed=done, width=_BAR_WIDTH, complete_style="cyan", finished_style="green")
    line.add_row(bar, Text("  ".join(parts)))
    yield "progress", line
    speed = [rate(view.rows_per_second)] if view.rows_per_second is not None else []
    if view.goodput_percent is not None:
        speed.append(f"goodput {percent(view.goodput_percent)}")
    if view.reported and view.state not in ENDED_STATES:
        speed.append(f"reported {duration(max(0.0, (now - view.reported).total_seconds()))} ago")
    if speed:
        yield "speed", Text(", ".join(speed))


def _position(view: RunView) -> Iterator[str]:
    metrics = view.metrics
    if CURRENT_EPOCH in metrics and TOTAL_EPOCHS in metrics:
        epoch = min(metrics[CURRENT_EPOCH], metrics[TOTAL_EPOCHS])
        yield f"epoch {count(epoch)}/{count(metrics[TOTAL_EPOCHS])}"
    if STEP in metrics:
        yield f"step {count(metrics[STEP])}"
    if "loss" in metrics:
        yield f"loss {metric(metrics['loss'])}"


def _data_stall(view: RunView) -> Iterator[tuple[str, RenderableType]]:
    if view.stall is None:
        return
    cause = view.stall_cause or main_cause(view.stall)
    style = "yellow" if view.holds("DataStarved") else ""
    yield "data stall", Text(percent(view.stall.total_percent) + (f" ({cause})" if cause else ""), style=style)
    yield "", Text(view.data_reason or stall_advice(view.stall))


def _data(view: RunView) -> Iterator[tuple[str, RenderableType]]:
    """What became of the rows, where that is worth a look."""
    if view.data_cache:
        yield "cache", Text(view.data_cache)
    if view.bad_rows:
        yield "bad rows", Text(f"{count(view.bad_rows)} left out", style="yellow")


def _nodes(view: RunView) -> str:
    data = plural(view.data_nodes, "data node")
    if view.most_data_nodes > view.data_nodes:
        data = f"{count(view.data_nodes)} to {plural(view.most_data_nodes, 'data node')}"
        if view.wanted_data_nodes is not None and view.state not in ENDED_STATES:
            data += f" ({count(view.wanted_data_nodes)} wanted)"
    ready = f"; {view.pods} pods ready" if view.pods else ""
    return f"{plural(view.trainers, 'trainer')} and {data}{ready}"


def _times(view: RunView, now: datetime) -> str:
    parts = []
    if view.created:
        parts.append(f"created {duration((now - view.created).total_seconds())} ago")
    if view.started and view.ended:
        parts.append(f"took {duration((view.ended - view.started).total_seconds())}")
    elif view.started:
        parts.append(f"started {duration((now - view.started).total_seconds())} ago")
    return ", ".join(parts)
