"""The definition does on a real API server what it says: it installs, fills in defaults, and keeps its status."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from raw_client import Object, RawClient, Refused, path_of
from run_documents import document, full_run, recipe

from trainingrun.contract.labels import FIELD_MANAGER, PROGRESS_FIELD_MANAGER
from trainingrun.crd.definition import custom_resource_definition
from trainingrun.crd.files import DEFINITION
from trainingrun.spec import parse

pytestmark = pytest.mark.usefixtures("no_operator")

_FILE = Path(__file__).parents[2] / DEFINITION
_NAME = "trainingruns.trainingrun.dev"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_TIME = "2026-01-01T00:00:00Z"


def applied_by(admin: RawClient, manager: str, namespace: str, status: Object, name: str = "mnist") -> Object:
    """Server-side apply of a status by one of its two writers, without force."""
    body = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "status": status,
    }
    path = path_of("trainingruns", name, namespace, "status")
    return admin.request("PATCH", path, body, "application/apply-patch+yaml", fieldManager=manager)


def test_the_definition_is_accepted_and_established(admin: RawClient) -> None:
    installed = admin.apply("customresourcedefinitions", yaml.load(_FILE.read_text(), yaml.CSafeLoader))
    conditions = {condition["type"]: condition["status"] for condition in installed["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert installed["spec"]["names"]["shortNames"] == ["trun"]
    schema = installed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def test_kubectl_apply_can_remember_the_definition(admin: RawClient) -> None:
    """Client-side apply keeps the whole file in an annotation, which must fit."""
    text = json.dumps(custom_resource_definition(), separators=(",", ":"))
    admin.patch("customresourcedefinitions", _NAME, {"metadata": {"annotations": {_LAST_APPLIED: text}}})
    kept = admin.get("customresourcedefinitions", _NAME)["metadata"]["annotations"][_LAST_APPLIED]
    assert json.loads(kept) == custom_resource_definition()
    admin.patch("customresourcedefinitions", _NAME, {"metadata": {"annotations": {_LAST_APPLIED: None}}})


def test_a_new_run_has_a_status_that_is_not_up_to_date(admin: RawClient, namespace: str) -> None:
    admin.create("trainingruns", document(), namespace)
    assert admin.get("trainingruns", "mnist", namespace)["status"] == {"observedGeneration": -1}


def test_scalars_are_filled_in_where_no_runtime_gives_them_and_nothing_else(admin: RawClient, namespace: str) -> None:
    stored = admin.create("trainingruns", document(), namespace)
    assert parse(stored).spec == parse(document()).spec
    filled_in = copy.deepcopy(stored["spec"])
    assert filled_in.pop("recipe") == recipe(
        epochs=10,
        globalBatchSize=512,
        gradientAccumulationSteps=1,
        onNonFiniteLoss="Fail",
        torchCompile=False,
        seed=0,
        dataset=recipe()["dataset"]
        | {"shuffle": True, "shuffleBufferRows": 0, "onBadRow": {"action": "Fail"}, "prefetchBatches": 2},
    )
    assert filled_in == {
        "image": "trainer:1",
        "storage": {"uri": "s3://bucket/runs"},
        "suspend": False,
    }


def test_unknown_fields_are_refused_when_kubectl_asks_for_it(admin: RawClient, namespace: str) -> None:
    path = path_of("trainingruns", None, namespace)
    with pytest.raises(Refused, match=r'unknown field "spec\.trainer\.replicas"'):
        admin.request("POST", path, document(trainer={"replicas": 2}), fieldValidation="Strict")


STATUS: Object = {
    "observedGeneration": 1,
    "state": "Running",
    "conditions": [
        {
            "type": "Reconciling",
            "status": "True",
            "reason": "Training",
            "message": "Epoch 3 of 10.",
            "lastTransitionTime": _TIME,
            "observedGeneration": 1,
        }
    ],
    "startTime": _TIME,
    "attempts": [
        {
            "index": 0,
            "rayJobName": "mnist-abcde-0",
            "outcome": "Failed",
            "failureClass": "Preempted",
            "startTime": _TIME,
        },
        {"index": 1, "rayJobName": "mnist-abcde-1", "outcome": "Running", "counted": False},
    ],
    "pods": "5/7",
    "dataStatus": {"readyNodes": 2},
}
PROGRESS: Object = {
    "trainerStatus": {
        "progressPercentage": 45,
        "estimatedRemainingSeconds": 7200,
        "metrics": [{"name": "loss", "value": "0.2"}, {"name": "currentEpoch", "value": "3"}],
        "lastUpdatedTime": _TIME,
    },
    "dataStatus": {
        "stallPercentage": 2,
        "cause": "Read",
        "rowsPerSecond": 812.5,
        "cache": "Partial",
        "badRows": 1_000_000_000_000,
    },
}


def test_two_writers_share_a_status_without_conflict(admin: RawClient, namespace: str) -> None:
    admin.create("trainingruns", document(), namespace)
    for _ in range(2):
        applied_by(admin, FIELD_MANAGER, namespace, STATUS)
        applied_by(admin, PROGRESS_FIELD_MANAGER, namespace, PROGRESS)
    status = admin.get("trainingruns", "mnist", namespace)["status"]
    assert status == {**STATUS, **PROGRESS, "dataStatus": {**STATUS["dataStatus"], **PROGRESS["dataStatus"]}}


def table(admin: RawClient, namespace: str) -> tuple[list[Object], list[object]]:
    """The columns of `kubectl get`, and the cells of the only run."""
    accept = {**admin._headers(), "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    _, answer = admin._send("GET", path_of("trainingruns", None, namespace), None, accept)
    found = json.loads(answer)
    return found["columnDefinitions"], found["rows"][0]["cells"]


def test_kubectl_get_shows_the_columns(admin: RawClient, namespace: str) -> None:
    admin.create("trainingruns", document(), namespace)
    applied_by(admin, FIELD_MANAGER, namespace, STATUS)
    applied_by(admin, PROGRESS_FIELD_MANAGER, namespace, PROGRESS)
    columns, cells = table(admin, namespace)
    row = dict(zip([column["name"] for column in columns], cells, strict=True))
    assert row.pop("Age")
    assert row == {
        "Name": "mnist",
        "State": "Running",
        "Pods": "5/7",
        "Progress": 45,
        "Stall": 2,
        "Attempt": 1,
        "Epoch": "3",
        "Goodput": None,
        "Runtime": None,
        "RayJob": "mnist-abcde-1",
        "Message": "Epoch 3 of 10.",
    }
    wide = [column["name"] for column in columns if column["priority"]]
    assert wide == ["Epoch", "Goodput", "Runtime", "RayJob", "Message"]


def test_kubectl_get_shows_a_run_that_nobody_has_seen(admin: RawClient, namespace: str) -> None:
    admin.create("trainingruns", document(), namespace)
    _, cells = table(admin, namespace)
    assert cells[0] == "mnist"
    assert cells[1:6] == [None] * 5


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"attempts": [{"index": index, "outcome": "Failed"} for index in range(11)]}, "must have at most 10 items"),
        ({"trainerStatus": {"progressPercentage": 101}}, "should be less than or equal to 100"),
        ({"trainerStatus": {"metrics": [{"name": "a", "value": "1"}] * 257}}, "must have at most 256 items"),
        ({"attempts": [{"index": 0, "outcome": "Failed", "message": "x" * 1025}]}, "may not be more than 1024"),
        ({"state": "Bored"}, "Unsupported value"),
    ],
    ids=["attempts", "percentage", "metrics", "message", "state"],
)
def test_a_status_is_bounded(admin: RawClient, namespace: str, part: Object, words: str) -> None:
    admin.create("trainingruns", document(), namespace)
    with pytest.raises(Refused, match=words):
        admin.patch("trainingruns", "mnist", {"status": part}, namespace, part="status")


def test_spec_and_status_are_written_apart(admin: RawClient, namespace: str) -> None:
    created = admin.create("trainingruns", full_run("full") | {"status": {"state": "Complete"}}, namespace)
    assert "state" not in created.get("status", {})
    admin.patch("trainingruns", "full", {"spec": {"suspend": True}}, namespace, part="status")
    assert admin.get("trainingruns", "full", namespace)["spec"]["suspend"] is False
