"""The RayJob of an attempt: what KubeRay is told to do, and what it is told to leave to the operator."""

from __future__ import annotations

import pytest
from rendered_runs import SETTINGS, UID, cluster_spec, run_object

from trainingrun.observed import run_object_of
from trainingrun.render import ray_cluster, ray_job

QUEUE = {"kueue.x-k8s.io/queue-name": "ml"}


def test_kuberay_submits_once_and_cleans_up_and_retries_nothing():
    spec = ray_job(run_object(startDeadlineSeconds=120), 0, SETTINGS)["spec"]
    assert spec["submissionMode"] == "HTTPMode"
    assert spec["backoffLimit"] == 0
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["preRunningDeadlineSeconds"] == 120


def test_what_is_kueues_or_the_operators_is_never_set():
    spec = ray_job(run_object(suspend=True, activeDeadlineSeconds=60, labels=QUEUE), 0, SETTINGS)["spec"]
    assert not spec.keys() & {"suspend", "activeDeadlineSeconds", "deletionStrategy", "clusterSelector", "jobId"}


def test_a_recipe_runs_the_built_in_entrypoint():
    assert ray_job(run_object(), 0, SETTINGS)["spec"]["entrypoint"] == "python -m trainingrun_trainer"


def test_a_command_reaches_the_shell_word_by_word():
    trainer = {"command": ["python", "a b.py"], "args": ["--x=$HOME; reboot", ""]}
    spec = ray_job(run_object(recipe=None, trainer=trainer), 0, SETTINGS)["spec"]
    assert spec["entrypoint"] == "python 'a b.py' '--x=$HOME; reboot' ''"


@pytest.mark.parametrize(
    ("labels", "ttl", "seconds"),
    [
        ({}, {"onSuccess": 60, "onFailure": 5}, 60),
        ({}, {"onSuccess": 5, "onFailure": 60}, 60),
        (QUEUE, {"onSuccess": 60, "onFailure": 60}, 0),
    ],
)
def test_the_cluster_stays_as_long_as_asked_but_not_on_a_queues_quota(labels, ttl, seconds):
    run = run_object(labels=labels, clusterTTLSecondsAfterFinished=ttl)
    assert ray_job(run, 0, SETTINGS)["spec"]["ttlSecondsAfterFinished"] == seconds


def test_the_object_belongs_to_the_run_and_can_be_found():
    metadata = ray_job(run_object(labels={**QUEUE, "team": "vision"}), 7, SETTINGS)["metadata"]
    assert metadata == {
        "name": "digits-kxiy3-7",
        "namespace": "training",
        "labels": {
            "kueue.x-k8s.io/queue-name": "ml",
            "app.kubernetes.io/managed-by": "trainingrun-operator",
            "trainingrun.dev/run-name": "digits",
            "trainingrun.dev/run-uid": UID,
            "trainingrun.dev/attempt": "7",
        },
        "ownerReferences": [
            {
                "apiVersion": "trainingrun.dev/v1beta1",
                "kind": "TrainingRun",
                "name": "digits",
                "uid": UID,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


@pytest.mark.parametrize(
    ("labels", "data", "annotations"),
    [
        (QUEUE, {"numNodes": 2, "maxNodes": 4}, {"kueue.x-k8s.io/elastic-job": "true"}),
        (QUEUE, {"numNodes": 2, "maxNodes": 2}, None),
        (QUEUE, {"numNodes": 2}, None),
        # Kueue would hold back its pods, and release none.
        ({}, {"numNodes": 2, "maxNodes": 4}, None),
    ],
)
def test_kueue_is_told_what_may_grow_but_only_in_a_queue(labels, data, annotations):
    for render in (ray_job, ray_cluster):
        metadata = render(run_object(labels=labels, data=data), 0, SETTINGS)["metadata"]
        assert metadata.get("annotations") == annotations


def test_a_cluster_by_itself_is_the_jobs():
    run = run_object(data={"numNodes": 2, "maxNodes": 4})
    job, cluster = ray_job(run, 3, SETTINGS), ray_cluster(run, 3, SETTINGS)
    assert cluster["kind"] == "RayCluster"
    assert cluster["metadata"] == job["metadata"]
    assert cluster["spec"] == cluster_spec(job)


def test_an_invalid_run_is_never_rendered():
    body = {"metadata": {"name": "a", "namespace": "b", "uid": "c"}, "spec": {}}
    with pytest.raises(ValueError, match="b/a has an invalid spec"):
        ray_job(run_object_of(body), 0, SETTINGS)
