"""Runs from apply to their end, with the real KubeRay between the operator and the pods."""

from __future__ import annotations

import copy
import time

import pytest
from kubelet_double import KubeletDouble, disrupted, out_of_memory
from lifetimes import Lifetimes
from raw_client import Object, RawClient
from ray_dashboard import RayDashboard
from run_documents import samples
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("operator", "kuberay", "kubelet")

# Those that begin at once.
SAMPLES = [
    run
    for run in samples()
    if "kueue.x-k8s.io/queue-name" not in run["metadata"].get("labels", {}) and not run["spec"].get("suspend")
]


def account(admin: RawClient, runs: TrainingRuns, name: str) -> None:
    """Create a service account, which has to be there before the pods."""
    document = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    admin.create("serviceaccounts", document, runs.namespace)


def run_that_it_begins_from(admin: RawClient, runs: TrainingRuns, sample: Object) -> None:
    """Create the run that `initialCheckpoint` names, which has to be there before the first attempt."""
    checkpoint = sample["spec"].get("recipe", {}).get("initialCheckpoint", {})
    if "run" in checkpoint:
        other = copy.deepcopy(sample)
        other["metadata"]["name"] = checkpoint["run"]
        del other["spec"]["recipe"]["initialCheckpoint"]
        other["spec"]["suspend"] = True
        admin.apply("trainingruns", other, runs.namespace)


@pytest.mark.parametrize("sample", SAMPLES, ids=[run["metadata"]["name"] for run in SAMPLES])
def test_a_sample_trains_to_its_end(runs: TrainingRuns, admin: RawClient, sample: Object) -> None:
    name = sample["metadata"]["name"]
    if "serviceAccountName" in sample["spec"]:
        account(admin, runs, sample["spec"]["serviceAccountName"])
    run_that_it_begins_from(admin, runs, sample)
    admin.apply("trainingruns", sample, runs.namespace)
    job = runs.job(name)
    assert job.token, "the cluster's token was not sent"
    runs.until(name, "PodsReady")
    assert runs.until(name, "Reconciling")["reason"] in ("Starting", "Training")
    job.finish()
    runs.until(name, "Complete")
    assert runs.condition(name, "Reconciling")["status"] == "False"
    assert runs.condition(name, "Stalled")["status"] == "False"
    assert [attempt["outcome"] for attempt in runs.attempts(name)] == ["Complete"]
    runs.until_gone("pods")
    assert admin.get("rayjobs", runs.ray_job(name), runs.namespace)["status"]["jobDeploymentStatus"] == "Complete"


def test_the_next_attempt_waits_until_the_last_pod_of_the_one_before_is_gone(
    runs: TrainingRuns, admin: RawClient, kubelet: KubeletDouble, lifetimes: Lifetimes
) -> None:
    run = runs.apply("again")
    job = runs.job("again")
    kubelet.hold_terminating(runs.namespace)
    job.fail(14, "the node went away")
    retry = admin.until(lambda: runs.attempts("again")[-1].get("retryTime"), "a time for the next attempt")
    # Longer than the back-off: it is the pods, and not the time, that the next attempt waits for.
    admin.until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2)) > retry, "back-off is over")
    assert admin.list("pods", runs.namespace)
    assert lifetimes.attempts(run["metadata"]["uid"]) == [0]
    kubelet.release_terminating(runs.namespace)
    runs.job("again", 1).finish()
    runs.until("again", "Complete")
    first, second = runs.attempts("again")
    assert (first["outcome"], first["failureClass"], first["exitCode"], first["counted"]) == (
        "Failed",
        "Infrastructure",
        14,
        True,
    )
    assert second["outcome"] == "Complete"
    assert lifetimes.overlaps() == []


def test_a_mistake_of_the_user_is_not_tried_again(runs: TrainingRuns, admin: RawClient) -> None:
    runs.apply("mistaken")
    runs.job("mistaken").fail(12, "recipe.model: there is no module called nonsense \N{COLLISION SYMBOL}")
    failed = runs.until("mistaken", "Failed")
    assert failed["reason"] == "InvalidConfig"
    assert "there is no module called nonsense \N{COLLISION SYMBOL}" in failed["message"]
    assert runs.condition("mistaken", "Stalled")["status"] == "True"
    events = admin.until(
        lambda: [
            event
            for event in admin.list("events", runs.namespace)
            if event["involvedObject"]["kind"] == "TrainingRun" and event["reason"] == "InvalidConfig"
        ],
        "an event",
    )
    assert all(event["type"] == "Warning" for event in events)


def test_a_pod_out_of_memory_fails_the_run_in_the_words_of_kubernetes(
    runs: TrainingRuns, admin: RawClient, kubelet: KubeletDouble
) -> None:
    runs.apply("hungry")
    job = runs.job("hungry")
    (trainer,) = admin.list("pods", runs.namespace, "trainingrun.dev/group=trainer")
    kubelet.give(trainer, out_of_memory(trainer))
    job.fail(13, "a worker died")
    assert runs.until("hungry", "Failed")["reason"] == "OutOfMemory"
    (attempt,) = runs.attempts("hungry")
    assert attempt["pod"] == trainer["metadata"]["name"]


def test_a_preempted_attempt_is_repeated_and_not_counted(
    runs: TrainingRuns, admin: RawClient, kubelet: KubeletDouble, lifetimes: Lifetimes
) -> None:
    runs.apply("moved", backoffLimit=0)
    job = runs.job("moved")
    (trainer,) = admin.list("pods", runs.namespace, "trainingrun.dev/group=trainer")
    kubelet.give(trainer, disrupted(trainer))
    job.fail(11, "stopped by SIGTERM")
    runs.job("moved", 1).finish()
    runs.until("moved", "Complete")
    assert runs.attempts("moved")[0]["failureClass"] == "Preempted"
    assert runs.attempts("moved")[0]["counted"] is False
    assert lifetimes.overlaps() == []


def test_an_attempt_with_two_heads_is_repeated_because_kuberay_goes_on_with_neither(
    runs: TrainingRuns, admin: RawClient, lifetimes: Lifetimes
) -> None:
    runs.apply("doubled")
    runs.job("doubled")
    (head,) = admin.list("pods", runs.namespace, "trainingrun.dev/group=head")
    metadata = {
        key: head["metadata"][key] for key in ("labels", "annotations", "ownerReferences") if key in head["metadata"]
    }
    second = head["metadata"]["name"].rpartition("-")[0] + "-again"
    admin.create("pods", {**head, "metadata": {**metadata, "name": second}, "status": {}}, runs.namespace)
    runs.job("doubled", 1).finish()
    runs.until("doubled", "Complete")
    first, _ = runs.attempts("doubled")
    assert first["failureClass"] == "Infrastructure"
    assert second in first["message"]
    assert lifetimes.overlaps() == []


def test_a_suspended_run_gives_everything_back_and_goes_on_when_it_is_resumed(
    runs: TrainingRuns, admin: RawClient, lifetimes: Lifetimes
) -> None:
    runs.apply("paused")
    job = runs.job("paused")
    runs.until("paused", "PodsReady")
    admin.patch("trainingruns", "paused", {"spec": {"suspend": True}}, runs.namespace)
    runs.until("paused", "Suspended")
    assert job.status == "STOPPED"
    runs.until_nothing_is_left(seconds=0.5)
    admin.patch("trainingruns", "paused", {"spec": {"suspend": False}}, runs.namespace)
    runs.job("paused", 1).finish()
    runs.until("paused", "Complete")
    assert [(attempt["outcome"], attempt["counted"]) for attempt in runs.attempts("paused")] == [
        ("Suspended", False),
        ("Complete", False),
    ]
    assert lifetimes.overlaps() == []


def test_a_lost_head_is_noticed_and_training_goes_on(
    runs: TrainingRuns, admin: RawClient, ray_dashboard: RayDashboard
) -> None:
    runs.apply("headless")
    job = runs.job("headless")
    runs.until("headless", "PodsReady")
    (head,) = admin.list("pods", runs.namespace, "trainingrun.dev/group=head")
    ray_dashboard.lose(job)
    admin.delete("pods", head["metadata"]["name"], runs.namespace, grace=0)
    admin.until(lambda: runs.attempts("headless")[0].get("headRestarts") == 1, "the loss is told")
    again = admin.until(lambda: [new for new in ray_dashboard.jobs_in(runs.namespace) if new is not job], "a new job")
    again[0].finish()
    runs.until("headless", "Complete")
    assert len(runs.attempts("headless")) == 1
