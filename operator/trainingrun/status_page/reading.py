"""Reads what a page shows from the JSON of a TrainingRun.

It must accept whatever an API server may send, from an operator of any version: what is missing or of another
type is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.contract.records import Stall
from trainingrun.history.figures import one_line
from trainingrun.status_page.view import AttemptView, Condition, RunView

_CAUSES = ("Production", "Transfer", "Collate")
# Messages may hold the last lines of a log; their line breaks are kept, a terminal's control codes are not.
_MOST_LINES = 40
_DEEPEST = 16


def run_view_of(body: Mapping[str, Any]) -> RunView:
    """The run of a TrainingRun's JSON."""
    metadata, spec, status = (_mapping(body.get(part)) for part in ("metadata", "spec", "status"))
    data, trainer_status = _mapping(spec.get("data")), _mapping(status.get("trainerStatus"))
    data_status = _mapping(status.get("dataStatus"))
    data_nodes = _whole(data.get("numNodes")) or 1
    generation, observed = _whole(metadata.get("generation")), _whole(status.get("observedGeneration"))
    metrics = _metrics(trainer_status.get("metrics"))
    return RunView(
        namespace=_text(metadata.get("namespace")),
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        created=_time(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        is_seen=observed is not None and observed >= (generation or 0),
        state=_text(status.get("state")) or "Pending",
        suspend=spec.get("suspend") is True,
        queue=_text(_mapping(metadata.get("labels")).get(QUEUE_KEY)),
        storage=_storage(_mapping(spec.get("storage"))),
        conditions=_conditions(status.get("conditions")),
        attempts=tuple(_attempt(_mapping(entry)) for entry in _list(status.get("attempts"))),
        trainers=_whole(_mapping(spec.get("trainer")).get("numNodes")) or 1,
        data_nodes=data_nodes,
        most_data_nodes=_whole(data.get("maxNodes")) or data_nodes,
        ready_data_nodes=_whole(data_status.get("readyNodes")),
        pods=_text(status.get("pods")),
        backoff_limit=3 if (limit := _whole(spec.get("backoffLimit"))) is None else limit,
        failures=_whole(status.get("failures")) or 0,
        started=_time(status.get("startTime")),
        ended=_time(status.get("completionTime")),
        percent=_number(trainer_status.get("progressPercentage")),
        eta_seconds=_number(trainer_status.get("estimatedRemainingSeconds")),
        reported=_time(trainer_status.get("lastUpdatedTime")),
        metrics=metrics,
        stall=_stall(data_status, metrics),
        stall_cause=_text(data_status.get("cause")),
        rows_per_second=_first(_number(data_status.get("rowsPerSecond")), metrics.get("rowsPerSecond")),
        goodput_percent=metrics.get("goodputPercentage"),
        checkpoint=_text(_mapping(status.get("outputs")).get("checkpointURI")),
        dashboard=_text(_mapping(status.get("links")).get("dashboardURL")),
    )


def _attempt(entry: Mapping[str, Any]) -> AttemptView:
    return AttemptView(
        index=_whole(entry.get("index")) or 0,
        outcome=_text(entry.get("outcome")),
        ray_job=_text(entry.get("rayJobName")),
        failure_class=_text(entry.get("failureClass")),
        exit_code=_whole(entry.get("exitCode")),
        node=_text(entry.get("node")),
        pod=_text(entry.get("pod")),
        message=_lines(entry.get("message")),
        resumed_from=_text(entry.get("resumedFrom")),
        started=_time(entry.get("startTime")),
        ended=_time(entry.get("endTime")),
        head_restarts=_whole(entry.get("headRestarts")) or 0,
        preemptions=_whole(entry.get("preemptions")) or 0,
    )


def _conditions(entries: object) -> dict[str, Condition]:
    conditions = {}
    for entry in map(_mapping, _list(entries)):
        conditions[_text(entry.get("type"))] = Condition(
            is_true={"True": True, "False": False}.get(_text(entry.get("status"))),
            reason=_text(entry.get("reason")),
            message=_lines(entry.get("message")),
            since=_time(entry.get("lastTransitionTime")),
        )
    return conditions


def _stall(data_status: Mapping[str, Any], metrics: Mapping[str, float]) -> Stall | None:
    """What the driver measured, with its split by cause; else the one figure that status keeps."""
    total = _first(metrics.get("dataStallPercentage"), _number(data_status.get("stallPercentage")))
    if total is None:
        return None
    causes = {cause: metrics[key] for cause in _CAUSES if (key := f"dataStall{cause}Percentage") in metrics}
    named = _text(data_status.get("cause"))
    if not causes and named in _CAUSES:
        causes = {named: total}
    return Stall(total_percent=total, steady_percent=metrics.get("dataStallSteadyPercentage", total), causes=causes)


def _metrics(entries: object) -> dict[str, float]:
    """The metrics that are numbers, by name; the protocol carries them as text."""
    metrics = {}
    for entry in map(_mapping, _list(entries)):
        try:
            metrics[_text(entry.get("name"))] = float(_text(entry.get("value")))
        except ValueError:
            continue  # A name, such as that of a checkpoint.
    return metrics


def _storage(storage: Mapping[str, Any]) -> str:
    claim = _mapping(storage.get("persistentVolumeClaim"))
    return _text(storage.get("uri")) or _text(claim.get("mountPath"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return one_line(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _lines(value: object) -> str:
    lines = value.splitlines()[:_MOST_LINES] if isinstance(value, str) else []
    return "\n".join(_indented(line) for line in lines if one_line(line))


def _indented(line: str) -> str:
    """The line with the indentation that a traceback is read by."""
    expanded = line.expandtabs(4)
    return " " * min(len(expanded) - len(expanded.lstrip(" ")), _DEEPEST) + one_line(line)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) and value else None
    except ValueError:
        return None
    return time.astimezone(UTC) if time and time.tzinfo else None
