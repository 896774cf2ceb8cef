"""Runs in the queues of the real Kueue, with its webhooks: held back, admitted, preempted, resumed, and grown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from control_plane import ControlPlane
from go_binaries import Programs
from kubelet_double import KubeletDouble
from kueue_manager import FREE, KueueManager
from lifetimes import Lifetimes
from queues import open_queue, set_priority
from raw_client import Object, RawClient
from run_documents import document, samples
from training_runs import NODES, TrainingRuns

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("kueue", "operator", "kuberay", "kubelet")]

QUEUE, PRIORITY = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"
# A head of two processors, a trainer and a data node of one each: a second run has no room.
ONE_RUN = "5"


@pytest.fixture(scope="module")
def kueue(control_plane: ControlPlane, programs: Programs) -> Iterator[KueueManager]:
    """Kueue, while the tests of this file run."""
    manager = KueueManager(control_plane, programs.binaries)
    manager.install()
    yield manager
    manager.uninstall()


def apply(runs: TrainingRuns, name: str, queue: str | None = "ml", priority: str | None = None, **spec: Any) -> Object:
    """Apply a small run with these labels."""
    run = document(name, **{"trainer": {"resourcesPerNode": NODES}, "data": {"resourcesPerNode": NODES}, **spec})
    given = {QUEUE: queue, PRIORITY: priority}
    run["metadata"]["labels"] = {key: value for key, value in given.items() if value is not None}
    return runs.admin.apply("trainingruns", run, runs.namespace)


def pods_of(runs: TrainingRuns, name: str, group: str = "") -> list[Object]:
    selector = f"trainingrun.dev/run-name={name}" + (f",trainingrun.dev/group={group}" if group else "")
    return runs.admin.list("pods", runs.namespace, selector)


@pytest.mark.parametrize("sample", samples(), ids=[run["metadata"]["name"] for run in samples()])
def test_every_sample_is_taken_by_all_webhooks_and_trains(runs: TrainingRuns, admin: RawClient, sample: Object) -> None:
    name, labels = sample["metadata"]["name"], sample["metadata"].get("labels", {})
    if QUEUE in labels:
        open_queue(admin, runs.namespace, "1000", labels[QUEUE])
    else:
        _free(runs)
    if PRIORITY in labels:
        set_priority(admin, labels[PRIORITY], 100)
    _provide_what_pods_name(admin, sample)
    admin.apply("trainingruns", sample, runs.namespace)
    if sample["spec"].get("suspend"):
        runs.until(name, "Suspended")
        admin.patch("trainingruns", name, {"spec": {"suspend": False}}, runs.namespace)
    job = runs.job(name)
    assert runs.until(name, "Admitted")["reason"] == ("QuotaReserved" if QUEUE in labels else "NotQueued")
    runs.until(name, "PodsReady")
    job.finish()
    runs.until(name, "Complete")


def _free(runs: TrainingRuns) -> None:
    """Let runs without a queue be."""
    runs.admin.patch("namespaces", runs.namespace, {"metadata": {"labels": FREE}})


def _provide_what_pods_name(admin: RawClient, sample: Object) -> None:
    """The classes that the API server refuses a pod without."""
    for patch in sample["spec"].get("podTemplatePatches", ()):
        if priority := patch["spec"].get("priorityClassName"):
            body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 10}
            admin.apply("priorityclasses", {**body, "metadata": {"name": priority}})
        if runtime := patch["spec"].get("runtimeClassName"):
            body = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "runc"}
            admin.apply("runtimeclasses", {**body, "metadata": {"name": runtime}})


def test_a_run_waits_for_room_in_its_queue_and_says_in_kueues_words_for_what(
    runs: TrainingRuns, admin: RawClient
) -> None:
    open_queue(admin, runs.namespace, ONE_RUN)
    apply(runs, "first")
    job = runs.job("first")
    assert runs.until("first", "Admitted")["reason"] == "QuotaReserved"
    apply(runs, "second")
    said = admin.until(lambda: _message(runs, "second", "insufficient unused quota for cpu"), "Kueue's words")
    assert 'is waiting to be admitted by queue "ml": ' in said
    held = runs.condition("second", "Admitted")
    assert (held["status"], held["reason"]) == ("False", "Queued")
    assert runs.status("second")["state"] == "Queued"
    assert admin.get("rayjobs", runs.ray_job("second"), runs.namespace)["spec"]["suspend"] is True
    assert pods_of(runs, "second") == []
    job.finish()
    runs.until("first", "Complete")
    runs.job("second").finish()
    runs.until("second", "Complete")
    assert [attempt["outcome"] for attempt in runs.attempts("second")] == ["Complete"]


def _message(runs: TrainingRuns, name: str, words: str) -> str:
    found = str(runs.condition(name, "Admitted").get("message", ""))
    return found if words in found else ""


def test_a_run_is_preempted_for_a_more_important_one_saves_its_work_and_goes_on_after_it(
    runs: TrainingRuns, admin: RawClient, kubelet: KubeletDouble, lifetimes: Lifetimes
) -> None:
    open_queue(admin, runs.namespace, ONE_RUN)
    set_priority(admin, "humble", 1)
    set_priority(admin, "urgent", 1000)
    apply(runs, "low", priority="humble", backoffLimit=0, terminationGracePeriodSeconds=77)
    before = runs.job("low")
    runs.until("low", "PodsReady")
    kubelet.hold_terminating(runs.namespace)
    apply(runs, "high", priority="urgent")
    assert "again" in runs.until("low", "Admitted", "False", "Preempted")["message"]
    (trainer,) = admin.until(lambda: _leaving(pods_of(runs, "low", "trainer")), "the trainer is asked to leave")
    # So long may the hook in the pod take to save a checkpoint.
    assert trainer["metadata"]["deletionGracePeriodSeconds"] == 77
    assert (
        trainer["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1] == "trainingrun_trainer.drain"
    )
    kubelet.release_terminating(runs.namespace)
    runs.job("high").finish()
    runs.until("high", "Complete")
    after = admin.until(lambda: _another(runs.job("low"), before), "low trains again")
    assert runs.until("low", "Admitted")["reason"] == "QuotaReserved"
    after.finish()
    runs.until("low", "Complete")
    (attempt,) = runs.attempts("low")
    assert (attempt["outcome"], attempt["preemptions"], attempt["counted"]) == ("Complete", 1, False)
    assert runs.status("low").get("failures", 0) == 0
    assert lifetimes.overlaps() == []


def _leaving(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if "deletionTimestamp" in pod["metadata"]]


def _another(job: Any, before: Any) -> Any:
    return job if job is not before else None


def test_a_run_that_may_grow_gets_more_nodes_as_its_queue_has_room_for_them(
    runs: TrainingRuns, admin: RawClient
) -> None:
    # With the autoscaler's half processor there is room for a second data node, and not for a third.
    open_queue(admin, runs.namespace, "6")
    apply(runs, "elastic", data={"resourcesPerNode": NODES, "numNodes": 1, "maxNodes": 3})
    job = runs.job("elastic")
    runs.until("elastic", "PodsReady")
    _scale(runs, 2)
    admin.until(lambda: len(_bound(pods_of(runs, "elastic", "data"))) == 2, "a second data node")
    _scale(runs, 3)
    third = admin.until(lambda: _gated(pods_of(runs, "elastic", "data")), "a third that Kueue holds back")
    assert len(third) == 1
    assert runs.condition("elastic", "Admitted")["reason"] == "QuotaReserved"
    job.finish()
    runs.until("elastic", "Complete")
    assert [attempt["outcome"] for attempt in runs.attempts("elastic")] == ["Complete"]


def _scale(runs: TrainingRuns, replicas: int) -> None:
    """Ask for so many data nodes, as the autoscaler does."""
    (cluster,) = runs.admin.list("rayclusters", runs.namespace)
    groups = cluster["spec"]["workerGroupSpecs"]
    for group in groups:
        if group["groupName"] == "data":
            group["replicas"] = replicas
    body = {"spec": {"workerGroupSpecs": groups}}
    runs.admin.patch("rayclusters", cluster["metadata"]["name"], body, runs.namespace)


def _bound(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if pod["spec"].get("nodeName")]


def _gated(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if pod["spec"].get("schedulingGates")]


def test_a_run_without_a_queue_trains_where_queues_are_not_required(runs: TrainingRuns) -> None:
    _free(runs)
    apply(runs, "free", queue=None)
    job = runs.job("free")
    assert runs.until("free", "Admitted")["reason"] == "NotQueued"
    job.finish()
    runs.until("free", "Complete")


def test_a_run_without_a_queue_says_so_where_one_is_required_and_trains_with_one(
    runs: TrainingRuns, admin: RawClient
) -> None:
    open_queue(admin, runs.namespace, ONE_RUN)
    apply(runs, "unlabelled", queue=None)
    held = runs.until("unlabelled", "Admitted", "False", "Queued")
    assert f"the run has no label {QUEUE}" in held["message"]
    assert pods_of(runs, "unlabelled") == []
    apply(runs, "labelled")
    runs.job("labelled").finish()
    runs.until("labelled", "Complete")
