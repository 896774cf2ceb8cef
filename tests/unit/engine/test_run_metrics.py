"""Metrics of single runs: what they say, for how many runs, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import virtual_time
from answering import NAMESPACE, Connection, run_body
from prometheus_client import CollectorRegistry

from trainingrun.engine.assembly import assemble
from trainingrun.engine.keys import Key
from trainingrun.engine.run_metrics import RunMetrics
from trainingrun.engine.settings import Settings
from trainingrun.observed import run_object_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Labels = dict[str, str]


def at(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Desk:
    """Metrics of runs at a time of one's own choice, and what they show then."""

    def __init__(self, most: int = 10):
        self.now = NOW
        self.runs = RunMetrics(most, HOUR, lambda: self.now)
        self.registry = CollectorRegistry()
        self.registry.register(self.runs)

    def note(self, name: str, age: int = 0, metadata: dict[str, Any] | None = None, **status: Any) -> None:
        body = run_body(name, f"uid-{name}", **status)
        body["metadata"] |= {"creationTimestamp": at(NOW - timedelta(seconds=age)), **(metadata or {})}
        self.runs.note(Key(NAMESPACE, name), run_object_of(body))

    def value(self, name: str, run: str = "mnist", **labels: str) -> float | None:
        given = {"namespace": NAMESPACE, "run": run, **labels}
        return self.registry.get_sample_value(f"trainingrun_run_{name}", given)

    def shown(self) -> set[str]:
        families = {family.name: family for family in self.registry.collect()}
        return {sample.labels["run"] for sample in families["trainingrun_run_info"].samples}

    def left_out(self) -> float | None:
        return self.registry.get_sample_value("trainingrun_run_metrics_left_out")


TRAINING: dict[str, Any] = {
    "state": "Running",
    "attempts": [
        {"index": 3, "outcome": "Failed", "failureClass": "Infrastructure"},
        {"index": 4, "outcome": "Failed", "failureClass": "Infrastructure"},
        {"index": 5, "outcome": "Running", "startTime": at(NOW - timedelta(seconds=90))},
    ],
    "usage": {"queuedSeconds": 40, "trainingSeconds": 7, "activity": "Training", "since": at(NOW - HOUR / 60)},
    "trainerStatus": {
        "progressPercentage": 25,
        "estimatedRemainingSeconds": 600,
        "lastUpdatedTime": at(NOW - timedelta(seconds=5)),
        "metrics": [{"name": "goodputPercentage", "value": "92.5"}, {"name": "loss", "value": "nan"}],
    },
    "dataStatus": {"stallPercentage": 12, "rowsPerSecond": 1234.5},
}


def test_a_run_is_shown_as_its_status_says() -> None:
    desk = Desk()
    desk.note("mnist", metadata={"labels": {"kueue.x-k8s.io/queue-name": "gpus"}}, **TRAINING)
    assert desk.value("info", uid="uid-mnist", queue="gpus") == 1
    assert (desk.value("state", state="Running"), desk.value("state", state="Failed")) == (1, 0)
    assert (desk.value("progress_ratio"), desk.value("data_stall_ratio"), desk.value("goodput_ratio")) == (
        0.25,
        0.12,
        0.925,
    )
    assert (desk.value("rows_per_second"), desk.value("remaining_seconds")) == (1234.5, 600)
    assert desk.value("attempts_total") == 6
    assert desk.value("last_attempts", outcome="Failed", **{"class": "Infrastructure"}) == 2
    assert desk.value("last_attempts", outcome="Running", **{"class": ""}) == 1
    assert desk.value("activity_seconds", activity="Queued") == 40
    # What is going on is counted too.
    assert desk.value("activity_seconds", activity="Training") == 67


def test_what_is_not_known_has_no_series_and_is_not_0() -> None:
    desk = Desk()
    desk.note("mnist")
    assert desk.value("state", state="Pending") == 1
    assert desk.value("attempts_total") == 0
    for name in ("progress_ratio", "goodput_ratio", "data_stall_ratio", "rows_per_second", "remaining_seconds"):
        assert desk.value(name) is None


def test_what_an_earlier_attempt_told_is_no_figure_of_now() -> None:
    desk = Desk()
    desk.note("mnist", **{**TRAINING, "attempts": [{"index": 6, "outcome": "Running", "startTime": at(NOW)}]})
    for name in ("data_stall_ratio", "rows_per_second", "remaining_seconds"):
        assert desk.value(name) is None
    assert desk.value("progress_ratio") == 0.25


def test_nonsense_in_a_status_is_left_out() -> None:
    desk = Desk()
    wrong = {"metrics": [{"name": "goodputPercentage", "value": "1e300"}], "progressPercentage": "half"}
    desk.note("mnist", state=7, attempts="none", usage=[], trainerStatus=wrong, dataStatus={"stallPercentage": True})
    assert desk.shown() == {"mnist"}
    assert (desk.value("goodput_ratio"), desk.value("progress_ratio")) == (None, None)


def test_of_too_many_runs_those_that_go_on_come_first_and_the_oldest_of_them() -> None:
    desk = Desk(most=3)
    desk.note("over", age=500, state="Complete", completionTime=at(NOW))
    desk.note("resting", age=400, state="Suspended")
    desk.note("young", age=10, state="Running")
    desk.note("old", age=20, state="Queued")
    assert (desk.shown(), desk.left_out()) == ({"old", "young", "resting"}, 1)
    desk.note("new", age=1, state="Pending")
    assert (desk.shown(), desk.left_out()) == ({"old", "young", "new"}, 2)
    desk.runs.note(Key(NAMESPACE, "old"), None)
    assert (desk.shown(), desk.left_out()) == ({"young", "new", "resting"}, 1)


def test_a_run_that_is_over_goes_after_a_while_and_never_comes_back() -> None:
    desk = Desk()
    refused = {"type": "Accepted", "status": "False", "lastTransitionTime": at(NOW)}
    desk.note("done", state="Complete", completionTime=at(NOW))
    desk.note("invalid", state="Invalid", conditions=[refused])
    desk.note("training", state="Running")
    desk.now = NOW + HOUR
    assert desk.shown() == {"done", "invalid", "training"}
    desk.now += timedelta(seconds=1)
    assert desk.shown() == {"training"}
    desk.note("done", state="Complete", completionTime=at(NOW))
    assert (desk.shown(), desk.left_out()) == ({"training"}, 0)


def test_a_run_that_is_being_deleted_has_no_series() -> None:
    desk = Desk()
    desk.note("mnist")
    desk.note("mnist", metadata={"deletionTimestamp": at(NOW)})
    assert desk.shown() == set()


def names(settings: Settings) -> set[str]:
    """Metrics of an operator that has looked at a run, which then is deleted."""

    async def main() -> set[str]:
        parts = assemble(settings, Connection(), now=virtual_time.now, jitter=lambda: 1.0)
        body = run_body(state="Running")
        parts.cache.put("TrainingRun", body)
        await parts.worker.look(Key(NAMESPACE, "mnist"))
        before = {family.name for family in parts.metrics.registry.collect() if family.samples}
        parts.cache.forget("TrainingRun", body)
        await parts.worker.look(Key(NAMESPACE, "mnist"))
        assert "mnist" not in parts.metrics.text().decode()
        return before

    return virtual_time.run(main())


def test_each_look_at_a_run_is_what_its_metrics_say_if_they_are_asked_for() -> None:
    chosen = Settings(lease_namespace="system", leader_election=False)
    assert not {name for name in names(chosen) if name.startswith("trainingrun_run_")}
    asked = Settings(lease_namespace="system", leader_election=False, run_metrics=5)
    assert {"trainingrun_run_info", "trainingrun_run_state"} <= names(asked)
