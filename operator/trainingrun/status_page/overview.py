"""A run as one row of a list: the columns of `get`, which are those of `kubectl get`, and of `top`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trainingrun.contract.progress_metrics import CURRENT_EPOCH
from trainingrun.history.advice import main_cause
from trainingrun.history.figures import count, duration, finite, one_line, short
from trainingrun.status.json_values import mapping_of, time_of
from trainingrun.status_page.view import RunView

OVERVIEW_COLUMNS = ("NAME", "STATE", "PODS", "PROGRESS", "STALL", "ATTEMPT", "AGE")
WIDE_COLUMNS = (*OVERVIEW_COLUMNS, "EPOCH", "GOODPUT", "RUNTIME", "RAYJOB", "MESSAGE")
TOP_COLUMNS = ("NAME", "STATE", "TRAINERS", "DATA", "PROGRESS", "ETA", "STALL", "CAUSE", "ROWS/S", "GOODPUT")
NONE = "-"


def overview_row(view: RunView, now: datetime, wide: bool = False) -> tuple[str, ...]:
    """The run's cells under OVERVIEW_COLUMNS, or under WIDE_COLUMNS."""
    attempt = view.attempt
    row = (
        view.name,
        "Deleting" if view.deleting else view.state,
        view.pods or NONE,
        _percent(view.percent),
        _percent(view.stall.total_percent if view.stall else None),
        str(attempt.index) if attempt else NONE,
        age(view.created, now),
    )
    if not wide:
        return row
    epoch = view.metrics.get(CURRENT_EPOCH)
    words = view.condition("Reconciling")
    return (
        *row,
        NONE if finite(epoch) is None else count(epoch),
        _percent(view.goodput_percent),
        view.runtime or NONE,
        (attempt and attempt.ray_job) or NONE,
        _suspected(view) or (words.message.partition("\n")[0] if words else "") or NONE,
    )


def _suspected(view: RunView) -> str:
    found = view.suspected
    return f"Suspected: {found.failure_class}: {found.message}".removesuffix(": ") if found is not None else ""


def top_row(view: RunView) -> tuple[str, ...]:
    """The run's cells under TOP_COLUMNS."""
    return (
        view.name,
        "Deleting" if view.deleting else view.state,
        str(view.trainers),
        _data_nodes(view),
        _percent(view.percent),
        NONE if view.eta_seconds is None else duration(view.eta_seconds),
        _percent(view.stall.total_percent if view.stall else None),
        _cause(view) or NONE,
        NONE if finite(view.rows_per_second) is None else short(view.rows_per_second),
        _percent(view.goodput_percent),
    )


def event_seen(event: Mapping[str, Any]) -> datetime | None:
    """When an event of Kubernetes was last seen; events come in two forms."""
    times = (
        mapping_of(event.get("series")).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
    )
    return next((found for value in times if (found := time_of(value)) is not None), None)


def event_row(event: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    """An event of Kubernetes: its age, type, reason, object and message in one line."""
    about = mapping_of(event.get("involvedObject"))
    return (
        age(event_seen(event), now),
        one_line(str(event.get("type") or NONE)),
        one_line(str(event.get("reason") or NONE)),
        one_line(f"{about.get('kind', '')}/{about.get('name', '')}"),
        one_line(str(event.get("message") or NONE)),
    )


def top_figures(view: RunView) -> dict[str, str | int | float | None]:
    """The figures of `top_row` for programs: with the units and names of the status, null if not known."""
    return {
        "namespace": view.namespace,
        "name": view.name,
        "state": view.state,
        "trainerNodes": view.trainers,
        "dataNodes": view.data_nodes,
        "readyDataNodes": view.ready_data_nodes,
        "wantedDataNodes": view.wanted_data_nodes,
        "progressPercentage": finite(view.percent),
        "estimatedRemainingSeconds": finite(view.eta_seconds),
        "stallPercentage": finite(view.stall.total_percent) if view.stall else None,
        "stallCause": _cause(view),
        "rowsPerSecond": finite(view.rows_per_second),
        "goodputPercentage": finite(view.goodput_percent),
    }


def _cause(view: RunView) -> str | None:
    return view.stall_cause or (main_cause(view.stall) if view.stall else None)


def _data_nodes(view: RunView) -> str:
    """Data nodes that are ready of those that the run wants, or else begins with: `3/4`."""
    wanted = count(view.data_nodes if view.wanted_data_nodes is None else view.wanted_data_nodes)
    return wanted if view.ready_data_nodes is None else f"{count(view.ready_data_nodes)}/{wanted}"


def _percent(value: float | None) -> str:
    return NONE if finite(value) is None else f"{count(value)}%"


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def age(since: datetime | None, now: datetime) -> str:
    """The time from `since` to `now`, as in kubectl's column AGE: `45s`, `5m30s`, `3h12m`, `5d`."""
    return "<unknown>" if since is None else _short(max(0, int((now - since).total_seconds())))


def _short(seconds: int) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    # Up to where the second unit is left out: kubectl's own limits (k8s.io/apimachinery, duration.HumanDuration).
    for limit, large, large_name, small, small_name in (
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    ):
        if seconds < limit:
            rest = seconds % large // small if small else 0
            return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")
    return f"{seconds // _YEAR}y"
