"""Reads what a page shows from the JSON of a TrainingRun.

It must accept whatever an API server may send, from an operator of any version: what is missing or of another
type is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.contract.progress_metrics import GOODPUT, ROWS_PER_SECOND, numbers_in, stall_of
from trainingrun.contract.records import Stall
from trainingrun.history.figures import indented, one_line
from trainingrun.status.json_values import integer_of, list_of, mapping_of, number_of, texts_by_name, time_of
from trainingrun.status_page.view import AttemptView, CheckpointView, ConditionView, RunView, SuspicionView

# Messages may hold the last lines of a log; their line breaks are kept, a terminal's control codes are not.
_MOST_LINES = 40


def run_view_of(body: Mapping[str, Any]) -> RunView:
    """The run of a TrainingRun's JSON."""
    metadata, status = (mapping_of(body.get(part)) for part in ("metadata", "status"))
    spec = _whole_spec(body, status)
    data, trainer_status = mapping_of(spec.get("data")), mapping_of(status.get("trainerStatus"))
    data_status = mapping_of(status.get("dataStatus"))
    data_nodes = integer_of(data.get("numNodes")) or 1
    metrics = numbers_in(texts_by_name(trainer_status.get("metrics")))
    return RunView(
        namespace=_text(metadata.get("namespace")),
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        created=time_of(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        is_seen=_is_seen(metadata, status),
        state=_text(status.get("state")) or "Pending",
        suspend=spec.get("suspend") is True,
        queue=_text(mapping_of(metadata.get("labels")).get(QUEUE_KEY)),
        runtime=_text(mapping_of(spec.get("runtimeRef")).get("name")),
        storage=_storage(mapping_of(spec.get("storage"))),
        conditions=_conditions(status.get("conditions")),
        attempts=tuple(_attempt(mapping_of(entry)) for entry in list_of(status.get("attempts"))),
        trainers=integer_of(mapping_of(spec.get("trainer")).get("numNodes")) or 1,
        data_nodes=data_nodes,
        most_data_nodes=integer_of(data.get("maxNodes")) or data_nodes,
        ready_data_nodes=integer_of(data_status.get("readyNodes")),
        pods=_text(status.get("pods")),
        backoff_limit=3 if (limit := integer_of(spec.get("backoffLimit"))) is None else limit,
        failures=integer_of(status.get("failures")) or 0,
        suspected=_suspicion(mapping_of(status.get("suspected"))),
        started=time_of(status.get("startTime")),
        ended=time_of(status.get("completionTime")),
        percent=number_of(trainer_status.get("progressPercentage")),
        eta_seconds=number_of(trainer_status.get("estimatedRemainingSeconds")),
        reported=time_of(trainer_status.get("lastUpdatedTime")),
        metrics=metrics,
        stall=_stall(data_status, metrics),
        stall_cause=_text(data_status.get("cause")),
        wanted_data_nodes=integer_of(data_status.get("wantedNodes")),
        data_reason=_text(data_status.get("reason")),
        data_gain_percent=integer_of(data_status.get("gainPercentage")),
        data_cache=_text(data_status.get("cache")),
        bad_rows=integer_of(data_status.get("badRows")),
        rows_per_second=_first(number_of(data_status.get("rowsPerSecond")), metrics.get(ROWS_PER_SECOND)),
        goodput_percent=metrics.get(GOODPUT),
        has_recipe=bool(spec.get("recipe")),
        initial=_text(status.get("initialCheckpoint")),
        folder=_text(mapping_of(status.get("outputs")).get("folderURI")),
        last=_checkpoint("last", spec, status),
        best=_checkpoint("best", spec, status),
        dashboard=_text(mapping_of(status.get("links")).get("dashboardURL")),
    )


def _whole_spec(body: Mapping[str, Any], status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec with what the runtime gave. Only for that are models loaded: lists of runs have to be quick."""
    if not status.get("runtime"):
        return mapping_of(body.get("spec"))
    from trainingrun.spec.runtime import whole_spec

    return whole_spec(body)


def _is_seen(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    generation, observed = integer_of(metadata.get("generation")), integer_of(status.get("observedGeneration"))
    return observed is not None and observed >= (generation or 0)


def _attempt(entry: Mapping[str, Any]) -> AttemptView:
    return AttemptView(
        index=integer_of(entry.get("index")) or 0,
        outcome=_text(entry.get("outcome")),
        ray_job=_text(entry.get("rayJobName")),
        failure_class=_text(entry.get("failureClass")),
        exit_code=integer_of(entry.get("exitCode")),
        node=_text(entry.get("node")),
        pod=_text(entry.get("pod")),
        message=_lines(entry.get("message")),
        resumed_from=_text(entry.get("resumedFrom")),
        started=time_of(entry.get("startTime")),
        ended=time_of(entry.get("endTime")),
        head_restarts=integer_of(entry.get("headRestarts")) or 0,
        preemptions=integer_of(entry.get("preemptions")) or 0,
    )


def _checkpoint(which: str, spec: Mapping[str, Any], status: Mapping[str, Any]) -> CheckpointView | None:
    entry = mapping_of(mapping_of(status.get("outputs")).get(which))
    uri = _text(entry.get("uri"))
    if not uri:
        return None
    claim = mapping_of(mapping_of(spec.get("storage")).get("persistentVolumeClaim"))
    mount, on_claim = _text(claim.get("mountPath")), f"pvc://{_text(claim.get('claimName'))}/"
    return CheckpointView(
        uri=uri,
        step=integer_of(entry.get("step")),
        metrics=numbers_in(texts_by_name(entry.get("metrics"))),
        mounted=f"{mount.rstrip('/')}/{uri.removeprefix(on_claim)}" if mount and uri.startswith(on_claim) else "",
    )


def _suspicion(entry: Mapping[str, Any]) -> SuspicionView | None:
    failure_class = _text(entry.get("failureClass"))
    if not failure_class:
        return None
    attempt = integer_of(entry.get("attempt"))
    return SuspicionView(
        attempt=-1 if attempt is None else attempt,
        failure_class=failure_class,
        message=_text(entry.get("message")),
        node=_text(entry.get("node")),
        pod=_text(entry.get("pod")),
        since=time_of(entry.get("since")),
        until=time_of(entry.get("until")),
    )


def _conditions(entries: object) -> dict[str, ConditionView]:
    conditions = {}
    for entry in map(mapping_of, list_of(entries)):
        conditions[_text(entry.get("type"))] = ConditionView(
            is_true={"True": True, "False": False}.get(_text(entry.get("status"))),
            reason=_text(entry.get("reason")),
            message=_lines(entry.get("message")),
            since=time_of(entry.get("lastTransitionTime")),
        )
    return conditions


def _stall(data_status: Mapping[str, Any], metrics: Mapping[str, float]) -> Stall | None:
    """What the driver measured, with its split by cause; else the one figure that status keeps."""
    measured, named = stall_of(metrics), _text(data_status.get("cause"))
    if measured is not None and (measured.causes or not named):
        return measured
    total = measured.total_percent if measured is not None else number_of(data_status.get("stallPercentage"))
    if total is None:
        return None
    steady = measured.steady_percent if measured is not None else total
    return Stall(total_percent=total, steady_percent=steady, causes={named: total} if named else {})


def _storage(storage: Mapping[str, Any]) -> str:
    claim = mapping_of(storage.get("persistentVolumeClaim"))
    return _text(storage.get("uri")) or _text(claim.get("mountPath"))


def _text(value: object) -> str:
    return one_line(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _lines(value: object) -> str:
    lines = value.splitlines()[:_MOST_LINES] if isinstance(value, str) else []
    return "\n".join(indented(line) for line in lines if one_line(line))


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
