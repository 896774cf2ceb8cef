"""What others write to our objects: the operator's part of a status stays its own, and theirs is left alone."""

from __future__ import annotations

import pytest
from audit_log import requests
from control_plane import ControlPlane
from lifetimes import Lifetimes
from operator_process import USER, OperatorProcess
from raw_client import Object, RawClient, Refused, path_of
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("kuberay", "kubelet")

_TIME = "2026-01-01T00:00:00Z"
_BILLED = {
    "type": "example.com/Billed",
    "status": "True",
    "reason": "Paid",
    "message": "",
    "lastTransitionTime": _TIME,
    "observedGeneration": 1,
}


def apply_as_another(runs: TrainingRuns, name: str, status: Object, *, force: bool) -> Object:
    """Server-side apply of a status by a manager that is not the operator."""
    body = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "status": status,
    }
    query = {"fieldManager": "another", "force": "true" if force else "false"}
    path = path_of("trainingruns", name, runs.namespace, "status")
    return runs.admin.request("PATCH", path, body, "application/apply-patch+yaml", **query)


def status_writes(plane: ControlPlane, runs: TrainingRuns) -> int:
    """How often the operator has written a status in the namespace."""
    permission = ("trainingrun.dev", "trainingruns/status", "patch")
    made = requests(plane.audit_log, USER)
    return sum(request.permission == permission and request.namespace == runs.namespace for request in made)


@pytest.mark.usefixtures("operator")
def test_another_manager_is_told_whose_a_field_of_the_status_is(runs: TrainingRuns) -> None:
    runs.apply("ours")
    runs.until("ours", "PodsReady")
    with pytest.raises(Refused, match=r'conflict with "trainingrun-operator".*: \.status\.state') as refusal:
        apply_as_another(runs, "ours", {"state": "Complete"}, force=False)
    assert refusal.value.code == 409


@pytest.mark.usefixtures("operator")
def test_a_field_that_another_manager_has_taken_is_taken_back(runs: TrainingRuns, admin: RawClient) -> None:
    runs.apply("taken")
    runs.until("taken", "Reconciling", reason="Training")
    apply_as_another(runs, "taken", {"state": "Complete"}, force=True)
    admin.until(lambda: runs.status("taken")["state"] == "Running", "the operator's own word")
    owners = [
        entry["manager"]
        for entry in runs.get("taken")["metadata"]["managedFields"]
        if "f:state" in entry["fieldsV1"].get("f:status", {})
    ]
    assert owners == ["trainingrun-operator"]


def test_a_condition_of_another_controller_stays_and_costs_no_writes(
    control_plane: ControlPlane, runs: TrainingRuns, admin: RawClient, operator: OperatorProcess
) -> None:
    runs.apply("billed", suspend=True)
    runs.until("billed", "Suspended")
    apply_as_another(runs, "billed", {"conditions": [_BILLED]}, force=False)
    looks, written = operator.looks("unchanged"), status_writes(control_plane, runs)
    admin.patch("trainingruns", "billed", {"metadata": {"labels": {"look": "again"}}}, runs.namespace)
    admin.until(lambda: operator.looks("unchanged") > looks, "a look at the run")
    assert status_writes(control_plane, runs) == written
    assert runs.condition("billed", "example.com/Billed") == _BILLED
    assert runs.condition("billed", "Suspended")["status"] == "True"


@pytest.mark.usefixtures("operator")
def test_a_run_that_is_deleted_and_made_again_at_once_starts_anew(runs: TrainingRuns, lifetimes: Lifetimes) -> None:
    before = runs.apply("phoenix")["metadata"]["uid"]
    old = runs.job("phoenix")
    runs.admin.delete("trainingruns", "phoenix", runs.namespace)
    after = runs.apply("phoenix")["metadata"]["uid"]
    runs.job("phoenix").finish()
    runs.until("phoenix", "Complete")
    assert old.status == "STOPPED"
    assert [attempt["index"] for attempt in runs.attempts("phoenix")] == [0]
    assert (lifetimes.attempts(before), lifetimes.attempts(after)) == ([0], [0])
    made_by = {life.name: life.run_uid for life in lifetimes.all() if life.plural == "rayjobs"}
    assert sorted(made_by.values()) == sorted([before, after])


@pytest.mark.usefixtures("operator")
def test_a_deleted_run_takes_with_it_all_that_was_made_for_it(runs: TrainingRuns, admin: RawClient) -> None:
    there = {plural: len(admin.list(plural, runs.namespace)) for plural in ("secrets", "services")}
    runs.apply("unwanted")
    runs.job("unwanted")
    assert admin.list("secrets", runs.namespace)
    assert admin.list("services", runs.namespace)
    assert "finalizers" not in runs.get("unwanted")["metadata"]
    admin.delete("trainingruns", "unwanted", runs.namespace)
    runs.until_nothing_is_left()
    for plural, count in there.items():
        admin.until(lambda plural=plural, count=count: len(admin.list(plural, runs.namespace)) == count, plural)


@pytest.mark.usefixtures("operator")
def test_of_two_runs_with_one_folder_the_second_begins_once_the_first_has_ended(
    runs: TrainingRuns, admin: RawClient, lifetimes: Lifetimes
) -> None:
    storage = {"uri": "s3://bucket/runs", "runName": "baseline"}
    runs.apply("first", storage=storage)
    job = runs.job("first")
    second = runs.apply("second", storage=storage)
    refused = runs.until("second", "Accepted", "False", "FolderInUse")
    assert f"{runs.namespace}/first" in refused["message"] and "s3://bucket/runs/baseline" in refused["message"]
    assert not runs.attempts("second") and not lifetimes.attempts(second["metadata"]["uid"])
    job.finish()
    runs.until("first", "Complete")
    runs.until("second", "Accepted")
    runs.job("second").finish()
    runs.until("second", "Complete")
    assert runs.status("second")["outputs"]["folderURI"] == "s3://bucket/runs/baseline"
    with pytest.raises(Refused, match="`storage` may not be changed"):
        admin.patch("trainingruns", "second", {"spec": {"storage": {"runName": "other"}}}, runs.namespace)
