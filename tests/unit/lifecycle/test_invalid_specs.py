"""A run that began before its spec became invalid stays manageable: nothing new is created, all else goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from seen_objects import NOTHING, NOW, a_run, after_look, at, entry, seen, status, status_of, text_of, verdict

from trainingrun.lifecycle import decide
from trainingrun.observed import RunObject, run_object_of

RUNNING = status(entry(runningSince=text_of(NOW)))
REPORT = {"trainerStatus": {"metrics": [{"name": "checkpoint", "value": "step-9"}], "lastUpdatedTime": text_of(NOW)}}


def body(fields: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A run as the API server sends it, whose spec has these fields; the operator refuses `numNodes: 0`."""
    spec = {
        "image": "trainer:1",
        "recipe": {"dataset": {"train": {"format": "Parquet", "path": "/data"}}},
        "trainer": {"numNodes": 0},
        "storage": {"uri": "s3://acme/runs"},
        **fields,
    }
    metadata = {"namespace": "training", "name": "mnist", "uid": a_run().uid, "generation": 2}
    document = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": metadata}
    return {**document, "spec": spec, "status": found}


def invalid(found: dict[str, Any], **fields: Any) -> RunObject:
    run = run_object_of(body(fields, found))
    assert run.run is None and run.problems
    return run


def deleted(run: RunObject, phase: str = "Running", seconds: float = 5) -> list[str]:
    return [f"{gone.kind} {gone.uid}" for gone in decide(run, seen(phase), at(seconds)).delete]


def test_it_trains_on_and_says_that_the_spec_is_not_valid() -> None:
    written = status_of(invalid(RUNNING), seen("Running"), at(5))
    conditions = {found["type"]: (found["status"], found["reason"]) for found in written["conditions"]}
    assert (written["state"], written["attempts"][0]["outcome"]) == ("Running", "Running")
    assert conditions["Accepted"] == ("False", "InvalidSpec")
    assert (conditions["Reconciling"], conditions["Stalled"]) == (("True", "Training"), ("False", "Progressing"))
    assert deleted(invalid(RUNNING)) == []


def test_it_can_be_suspended_and_does_not_begin_again() -> None:
    run = invalid(RUNNING, suspend=True)
    assert deleted(run) == ["RayJob job-0"]
    rests = after_look(after_look(run, seen("Running"), at(5)), NOTHING, at(60))
    assert (rests.status["attempts"][0]["outcome"], rests.status["state"]) == ("Suspended", "Invalid")
    resumed = invalid(rests.status)
    assert decide(resumed, NOTHING, at(70)).create is None
    assert len(status_of(resumed, NOTHING, at(70))["attempts"]) == 1


@pytest.mark.parametrize(
    ("fields", "failure_class"),
    [
        ({"activeDeadlineSeconds": 100}, "DeadlineExceeded"),
        ({"progressDeadlineSeconds": 100}, "Hang"),
    ],
)
def test_its_deadlines_hold(fields: dict[str, int], failure_class: str) -> None:
    usage = {"activity": "Training", "since": text_of(NOW)}
    run = invalid({**RUNNING, **REPORT, "usage": usage}, **fields)
    assert status_of(run, seen("Running"), at(99))["attempts"][0]["outcome"] == "Running"
    late = after_look(run, seen("Running"), at(200))
    for seconds in (201, 400, 600):  # what ends a run for good may have to be seen for a while
        late = after_look(late, seen("Running"), at(seconds))
    assert late.status["attempts"][0]["failureClass"] == failure_class


@pytest.mark.parametrize(("phase", "state"), [("Complete", "Complete"), ("Failed", "Invalid")])
def test_its_end_is_told_and_nothing_follows(phase: str, state: str) -> None:
    run = after_look(invalid({**RUNNING, **REPORT}), seen(phase, exit_code=14), at(50))
    for seconds in (120, 900):
        run = after_look(run, seen(phase, exit_code=14), at(seconds))
    assert run.status["state"] == state
    assert run.status["outputs"]["last"]["uri"].startswith("s3://acme/runs/")
    assert decide(run, NOTHING, at(9_000)).create is None


def test_the_cluster_of_one_that_is_over_goes_in_its_time() -> None:
    over = verdict("Failed", "UserError", entry(0, "Failed", failureClass="UserError", endTime=text_of(NOW)))
    kept = invalid(over, clusterTTLSecondsAfterFinished={"onFailure": 300})
    assert (deleted(kept, "Failed", 299), deleted(kept, "Failed", 300)) == ([], ["RayCluster cluster-0"])


def test_an_attempt_that_was_only_recorded_is_not_created() -> None:
    run = invalid(status(entry(0, "Pending", rayJobUID=None)))
    decision = decide(run, NOTHING, at(60))
    assert (decision.create, decision.look_again) == (None, None)
    assert status_of(run, NOTHING, at(60))["state"] == "Invalid"


@pytest.mark.parametrize("spec", [None, [], "x", {}, {"storage": 3, "image": "", "suspend": "yes", "deep": {"a": [1]}}])
def test_a_spec_of_which_nothing_can_be_read_has_defaults(spec: Any) -> None:
    run = run_object_of({**body({}, {**RUNNING, **REPORT, "outputs": {"last": {"uri": "s3://x"}}}), "spec": spec})
    assert (run.run, run.spec.suspend, run.spec.backoff_limit) == (None, False, 3)
    written = status_of(run, seen("Running"), at(5))
    assert (written["state"], written["outputs"]["last"]["uri"]) == ("Running", "s3://x")


def test_labels_and_annotations_make_no_run_invalid() -> None:
    document = body({"trainer": {}}, RUNNING)
    many = {f"example.com/l{number}": "x" for number in range(1_200)}
    document["metadata"].update(labels=many, annotations=many)
    run = run_object_of(document)
    assert run.run is not None and len(run.labels) == 1_200
    again = run_object_of({**document, "metadata": {**document["metadata"], "labels": {}}}, run)
    assert again.run is run.run and not again.labels
    assert replace(again, labels=run.labels) == run


def test_a_spec_that_the_operator_fails_to_read_is_told_and_managed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a fault of the operator, which no spec is known for."""

    def parse(document: object) -> None:
        raise KeyError("numNodes")

    monkeypatch.setattr("trainingrun.observed.runs.parse", parse)
    run = invalid(RUNNING, suspend=True, trainer={"numNodes": 1})
    assert run.spec.suspend
    (problem,) = run.problems
    assert str(problem) == (
        "spec: found what this version of the operator fails to read (KeyError: 'numNodes'), allowed: all that the "
        "schema admits; please report this as a bug"
    )
