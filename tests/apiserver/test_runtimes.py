"""Runtimes on a real API server: what it takes, and what becomes of runs when their runtime comes, changes and goes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from raw_client import Object, RawClient, Refused
from run_documents import document, recipe, server_says
from training_runs import NODES, TrainingRuns

from trainingrun.spec import parse

pytestmark = pytest.mark.usefixtures("operator", "kuberay", "kubelet")

TEMPLATE: Object = {
    "image": "given:1",
    "storage": {"uri": "s3://given/runs"},
    "trainer": {"resourcesPerNode": NODES},
    "data": {"resourcesPerNode": NODES},
    "env": [{"name": "LEVEL", "value": "info"}, {"name": "PLACE", "value": "here"}],
    "backoffLimit": 0,
}


def runtime(name: str, template: Object, kind: str = "TrainingRuntime") -> Object:
    metadata = {"name": name}
    spec = {"template": template}
    return {"apiVersion": "trainingrun.dev/v1beta1", "kind": kind, "metadata": metadata, "spec": spec}


def needy(name: str, kind: str = "TrainingRuntime", **spec: Any) -> Object:
    """A run that leaves image and storage to the runtime `team`."""
    return document(name, image=None, storage=None, runtimeRef={"kind": kind, "name": "team"}, **spec)


@pytest.fixture
def for_all(admin: RawClient) -> Iterator[Object]:
    """A runtime of the cluster, deleted afterwards."""
    body = admin.apply("clustertrainingruntimes", runtime("team", TEMPLATE, "ClusterTrainingRuntime"))
    yield body
    if admin.find("clustertrainingruntimes", "team"):
        admin.delete("clustertrainingruntimes", "team")


def test_image_and_storage_may_be_left_out_only_with_a_runtime(admin: RawClient) -> None:
    stored = server_says(admin, needy("needy"))
    assert not isinstance(stored, Refused)
    assert stored["spec"].keys() == {"runtimeRef", "recipe", "suspend"}
    partly = needy("partly", trainer={"numNodes": 3}) | {}
    partly["spec"]["storage"] = {"runName": "mine"}
    assert not isinstance(server_says(admin, partly), Refused)
    on_its_claim = {"uri": "/mnt/given/code.tar.gz", "sha256": "0a" * 32}
    begun_from = recipe(initialCheckpoint={"uri": "pvc://given/runs/first"})
    assert not isinstance(server_says(admin, needy("of-its-claim", code=on_its_claim, recipe=begun_from)), Refused)
    for missing in ("image", "storage"):
        refused = server_says(admin, document("whole", **{missing: None}))
        assert isinstance(refused, Refused) and f"`{missing}` must be set" in refused.message
    alone = server_says(admin, document("whole", storage={"runName": "mine"}))
    assert isinstance(alone, Refused) and "unless a runtime gives one" in alone.message


def test_a_run_without_a_runtime_means_what_it_meant_without_defaults_that_are_stored(admin: RawClient) -> None:
    run = document("plain")
    stored = server_says(admin, run)
    assert not isinstance(stored, Refused)
    assert "backoffLimit" not in stored["spec"] and "trainer" not in stored["spec"]
    assert parse(stored).spec == parse(run).spec


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": recipe()}, 'unknown field "spec.template.recipe"'),
        ({"storage": {"runName": "all-in-one"}}, 'unknown field "spec.template.storage.runName"'),
        ({"backoffLimit": 101}, "spec.template.backoffLimit"),
        ({"storage": {"uri": "s3://a/b", "persistentVolumeClaim": {"claimName": "c", "mountPath": "/mnt/c"}}}, "`uri`"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_runtime_with_a_fault_is_refused(admin: RawClient, namespace: str, change: Object, words: str) -> None:
    path = f"/apis/trainingrun.dev/v1beta1/namespaces/{namespace}/trainingruntimes"
    with pytest.raises(Refused) as refusal:
        admin.request("POST", path, runtime("team", TEMPLATE | change), dryRun="All", fieldValidation="Strict")
    assert words in refusal.value.message


def test_a_run_waits_for_its_runtime_and_keeps_what_it_was(runs: TrainingRuns, admin: RawClient) -> None:
    admin.apply("trainingruns", needy("early", env=[{"name": "LEVEL", "value": "debug"}]), runs.namespace)
    waiting = runs.until("early", "Accepted", "False", "RuntimeNotFound")
    assert f"TrainingRuntime team in namespace {runs.namespace}" in waiting["message"]
    assert runs.condition("early", "Stalled")["status"] == "False"
    assert runs.status("early")["state"] == "Pending"
    wrong = TEMPLATE | {"trainer": {"resourcesPerNode": NODES, "numNodes": 3}}
    admin.apply("trainingruntimes", runtime("team", wrong), runs.namespace)
    refused = runs.until("early", "Accepted", "False", "InvalidSpec")["message"]
    assert "a multiple of 3" in refused
    admin.apply("trainingruntimes", runtime("team", TEMPLATE), runs.namespace)
    runs.until("early", "Accepted")
    admin.apply("trainingruntimes", runtime("team", TEMPLATE | {"image": "given:2"}), runs.namespace)
    job = runs.job("early")
    status = runs.status("early")
    assert status["runtime"]["template"]["image"] == "given:1"
    admin.delete("trainingruntimes", "team", runs.namespace)
    assert images(admin, runs, "early") == {"given:1"}
    assert variables(admin, runs, "early") >= {("LEVEL", "debug"), ("PLACE", "here")}
    # Another attempt, after the runtime has changed and is gone.
    admin.patch("trainingruns", "early", {"spec": {"suspend": True}}, runs.namespace)
    runs.until("early", "Suspended")
    admin.patch("trainingruns", "early", {"spec": {"suspend": False}}, runs.namespace)
    job = runs.job("early", 1)
    assert images(admin, runs, "early", 1) == {"given:1"}
    job.finish()
    runs.until("early", "Complete")


def test_a_runtime_of_the_cluster_serves_every_namespace(runs: TrainingRuns, admin: RawClient, for_all: Object) -> None:
    run = needy("common", "ClusterTrainingRuntime", backoffLimit=2)
    del run["spec"]["runtimeRef"]["kind"]
    admin.apply("trainingruns", copy.deepcopy(run), runs.namespace)
    runs.job("common").fail(14, "the node went away")
    # With the runtime's limit, of 0, the run would be over.
    runs.job("common", 1).finish()
    runs.until("common", "Complete")
    snapshot = runs.status("common")["runtime"]
    assert (snapshot["kind"], snapshot["uid"]) == ("ClusterTrainingRuntime", for_all["metadata"]["uid"])


def images(admin: RawClient, runs: TrainingRuns, name: str, attempt: int = 0) -> set[str]:
    cluster = admin.get("rayjobs", runs.ray_job(name, attempt), runs.namespace)["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return {container["image"] for group in groups for container in group["template"]["spec"]["containers"]}


def variables(admin: RawClient, runs: TrainingRuns, name: str) -> set[tuple[str, str]]:
    cluster = admin.get("rayjobs", runs.ray_job(name), runs.namespace)["spec"]["rayClusterSpec"]
    (container, *_) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    return {(variable["name"], variable.get("value", "")) for variable in container["env"]}
