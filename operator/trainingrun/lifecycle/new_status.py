"""Puts a run's status together: the attempts first, then the state, and everything else from these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.condition_rules import Findings, final_findings, invalid_findings, ongoing_findings
from trainingrun.lifecycle.deadlines import usage_at
from trainingrun.lifecycle.initial_checkpoint import initial_location
from trainingrun.lifecycle.outputs import outputs_of
from trainingrun.lifecycle.state import activity_of, state_of
from trainingrun.lifecycle.view import View
from trainingrun.lifecycle.waiting import pods_counted
from trainingrun.observed import RunObject
from trainingrun.status.conditions import Condition, ConditionType, condition
from trainingrun.status.fields import DataStatus, Links, Provenance, State, Status
from trainingrun.status.recorded import Recorded

_MOST_TEXT = 1024
_OURS = {field.alias for field in Status.model_fields.values()}
_OUR_CONDITIONS = frozenset(str(kind) for kind in ConditionType)
_OURS_OF_DATA = {field.alias for field in DataStatus.model_fields.values()}


def written_part(status: Mapping[str, Any]) -> dict[str, Any]:
    """Of a status, what the operator writes, for a comparison; the rest is the progress endpoint's and others'."""
    ours = {key: value for key, value in status.items() if key in _OURS}
    if isinstance(conditions := ours.get("conditions"), list):
        ours["conditions"] = [entry for entry in conditions if not _is_of_another_controller(entry)]
    data = ours.get("dataStatus")
    if isinstance(data, Mapping):
        ours["dataStatus"] = {key: value for key, value in data.items() if key in _OURS_OF_DATA}
        if not ours["dataStatus"]:
            del ours["dataStatus"]
    return ours


def _is_of_another_controller(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("type") not in _OUR_CONDITIONS


def new_status(view: View, attempt_list: AttemptList) -> Status:
    """The whole status that the operator writes of a run."""
    state = state_of(view, attempt_list)
    current = attempt_list.newest
    count = pods_counted(view, current.index) if current is not None and current.is_live else None
    recorded = view.recorded
    start = recorded.start_time
    if start is None and state in ("Starting", "Running"):
        start = view.now
    return Status(
        observed_generation=view.run.generation,
        state=state,
        conditions=_conditions(view.run, _findings(view, attempt_list, state), recorded, view.now),
        runtime=view.adoption.snapshot or recorded.runtime,
        start_time=start,
        completion_time=_completion_time(recorded, attempt_list, view.now),
        attempts=attempt_list.attempts or None,
        failures=attempt_list.failures,
        suspected=attempt_list.suspected,
        pods=str(count) if count is not None else None,
        usage=usage_at(recorded.usage, activity_of(state), view.now),
        initial_checkpoint=initial_location(view) if attempt_list.attempts else None,
        outputs=outputs_of(view, attempt_list),
        provenance=Provenance(code_digest=f"sha256:{view.spec.code.sha256}") if view.spec.code else None,
        data_status=DataStatus(ready_nodes=count.ready_data if count is not None else 0),
        links=_links(view, attempt_list),
    )


def _findings(view: View, attempt_list: AttemptList, state: State) -> Findings:
    if attempt_list.verdict is not None:
        return final_findings(attempt_list.verdict, view.run.problems)
    if state == "Invalid":
        return invalid_findings(view.run.problems)
    return ongoing_findings(view, attempt_list, state)


def _conditions(run: RunObject, findings: Findings, recorded: Recorded, now: datetime) -> tuple[Condition, ...]:
    return tuple(
        condition(
            kind,
            finding.holds,
            finding.reason,
            finding.message,
            generation=run.generation,
            now=now,
            before=recorded.conditions,
        )
        for kind, finding in findings.items()
    )


def _completion_time(recorded: Recorded, attempt_list: AttemptList, now: datetime) -> datetime | None:
    if attempt_list.verdict is None:
        return None
    ended = attempt_list.newest.end_time if attempt_list.newest is not None else None
    return recorded.completion_time or ended or now


def _links(view: View, attempt_list: AttemptList) -> Links | None:
    """Ray's dashboard, as long as there is a cluster that serves it."""
    entry = attempt_list.newest
    job = job_of(view, entry) if entry is not None else None
    if entry is None or job is None or not job.dashboard_url or not view.children.clusters_of(entry.index):
        return None
    url = job.dashboard_url if "://" in job.dashboard_url else f"http://{job.dashboard_url}"
    return Links(dashboard_url=url[:_MOST_TEXT])
