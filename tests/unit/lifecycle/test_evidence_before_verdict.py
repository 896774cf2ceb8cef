"""A verdict that cannot be taken back needs evidence with an owner, a container and a time, which has held for a while.

Each of these stories once ended a healthy run for good, or tried one again that could not succeed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from story import DISRUPTED, ENDED, START, Story, container, killed, stamp

from trainingrun.contract.records import AttemptEnded

OOM = [container("ray-worker", last=killed(START))]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("RayJob", {**ENDED, "message": "Job entrypoint command failed with exit code 13"}),
        ("RayJob", {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}),
        ("Pod", {"containerStatuses": OOM}),
    ],
    ids=["a RayJob that failed", "a RayJob that completed", "a pod out of memory"],
)
def test_an_object_of_another_namespace_tells_nothing(kind: str, status: dict[str, Any]) -> None:
    story = Story()
    copy = story.pod("trainer", "copy", **status) if kind == "Pod" else {**story.job, "status": status}
    copy["metadata"] = {**copy["metadata"], "namespace": "elsewhere", "uid": "copy"}
    copy["metadata"]["labels"] = {
        **copy["metadata"]["labels"],
        "trainingrun.dev/attempt": "7" if kind == "RayJob" else "0",
    }
    story.put(kind, copy)
    assert story.wait(60)["state"] == "Running"


def test_a_ray_job_by_another_name_is_no_attempt() -> None:
    """A copy that somebody made in the same namespace has the owner and the labels of what it is a copy of."""
    story = Story()
    copy = {**story.job, "status": {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}}
    labels = {**story.job["metadata"]["labels"], "trainingrun.dev/attempt": "7"}
    copy["metadata"] = {**story.job["metadata"], "name": "copy", "uid": "copy", "labels": labels}
    story.put("RayJob", copy)
    assert story.wait(60)["state"] == "Running"


@pytest.mark.parametrize("owner", [None, "another"], ids=["nobody's", "another RayCluster's"])
def test_a_pod_that_no_ray_cluster_of_the_attempt_made_tells_nothing(owner: str | None) -> None:
    story = Story()
    story.put("Pod", story.pod("trainer", "debug", owner, containerStatuses=OOM))
    assert story.wait(60)["state"] == "Running"


@pytest.mark.parametrize("name", ["wait-gcs-ready", "istio-proxy", "gke-gcsfuse-sidecar", "autoscaler", "vault-agent"])
def test_a_container_that_others_put_into_a_pod_ends_nothing(name: str) -> None:
    story = Story()
    statuses = "initContainerStatuses" if name == "wait-gcs-ready" else "containerStatuses"
    for group in ("trainer", "head"):
        story.put("Pod", story.pods[group], **{statuses: [container(name, last=killed(START))]})
    assert story.wait(60)["state"] == "Running"
    story.end(14)
    story.wait(60)
    assert story.attempt()["failureClass"] == "Infrastructure"


def test_two_heads_that_are_seen_for_a_moment_end_nothing() -> None:
    """A list is taken in page by page, so that a look may meet the new head beside the old one."""
    story = Story()
    story.put("Pod", story.pod("head", story.pods["head"]["metadata"]["name"].replace("11111", "22222")))
    story.look()
    story.cache.forget("Pod", story.pods["head"])
    assert story.look(0.02)["attempts"][0]["outcome"] == "Running"
    assert story.wait(60)["state"] == "Running"


def test_two_heads_that_stay_end_the_attempt() -> None:
    story = Story()
    story.put("Pod", story.pod("head", story.pods["head"]["metadata"]["name"].replace("11111", "22222")))
    story.wait(15)
    assert "made two heads" in story.attempt()["message"]


@pytest.mark.parametrize("group", ["data", "trainer"])
def test_an_end_of_long_ago_does_not_explain_an_outage_of_today(group: str) -> None:
    story = Story()
    story.wait(86_400)
    story.put("Pod", story.pods[group], containerStatuses=[container("ray-worker", last=killed(START))])
    story.end(14, "OSError: the object store is away")
    story.wait(60)
    assert story.attempt()["failureClass"] == "Infrastructure"


def test_a_data_pod_out_of_memory_is_no_better_evidence_than_the_exit_code() -> None:
    story = Story()
    story.put("Pod", story.pods["data"], containerStatuses=[container("ray-worker", last=killed(story.now))])
    story.end(14, "OSError: the object store is away")
    story.wait(60)
    assert story.attempt()["failureClass"] == "Infrastructure"


RECORD = AttemptEnded(time=1.0, attempt=0, outcome="Preempted", exit_code=11, message="asked to stop", seconds=3.0)
OWN = {"recipe": None, "trainer": {"command": ["python", "train.py"]}}


@pytest.mark.parametrize(
    ("exit_code", "expected"), [(10, "UserError"), (11, "UserError"), (12, "UserError"), (14, "UserError")]
)
def test_an_exit_code_of_a_program_of_one_s_own_is_its_own(exit_code: int, expected: str) -> None:
    story = Story(**OWN)
    story.end(exit_code, "Bye.")
    story.wait(30)
    assert (story.verdict(), "stopped by a user" in story.attempt()["message"]) == (expected, False)


def test_a_program_of_one_s_own_that_leaves_the_record_of_its_end_means_what_this_project_means() -> None:
    story = Story(**OWN)
    story.end(11, RECORD.to_json())
    story.look()
    assert (story.attempt()["failureClass"], story.attempt()["message"]) == ("Preempted", "asked to stop")


def test_a_sigterm_is_a_preemption_only_if_a_pod_says_so() -> None:
    story = Story(**OWN)
    story.end(-15)
    story.wait(30)
    assert (story.attempt()["failureClass"], story.attempt()["counted"]) == ("Infrastructure", True)


def test_an_attempt_that_failed_and_is_being_deleted_failed() -> None:
    """KubeRay deletes a finished RayJob at once if it is told to; so may a user who has seen it fail."""
    story = Story()
    story.job["metadata"]["deletionTimestamp"] = stamp(story.now)
    story.end(13, "KeyError: 'x'")
    story.look()
    story.cache.forget("RayJob", story.job)
    story.wait(60)
    assert (story.verdict(), story.attempt()["exitCode"], story.attempt()["message"]) == (
        "UserError",
        13,
        "KeyError: 'x'",
    )


@pytest.mark.parametrize("is_pod_first", [True, False])
def test_the_order_of_two_watches_makes_no_difference(is_pod_first: bool) -> None:
    story = Story()
    taken = {"conditions": [DISRUPTED]}
    if is_pod_first:
        story.put("Pod", story.pods["trainer"], **taken)
    story.end(13, "KeyError: 'x'")
    story.look()
    if not is_pod_first:
        story.put("Pod", story.pods["trainer"], **taken)
    assert story.look(1)["state"] == "Restarting"
    assert story.attempt()["failureClass"] == "Preempted"


def test_one_reading_of_a_clock_that_is_ahead_ends_nothing() -> None:
    story = Story(activeDeadlineSeconds=3600)
    story.now += timedelta(days=1)
    story.look()
    assert story.verdict() is None
    story.now -= timedelta(days=1)
    story.wait(600)
    assert story.verdict() is None


def test_time_that_a_clock_has_accounted_for_while_it_was_ahead_ends_nothing() -> None:
    story = Story(activeDeadlineSeconds=3600, phase="Initializing")
    story.now += timedelta(days=1)
    story.put("RayJob", story.job, jobStatus="RUNNING", jobDeploymentStatus="Running")
    story.look()
    story.now -= timedelta(days=1)
    story.wait(600)
    assert story.verdict() is None
    story.wait(3600)
    assert story.verdict() == "DeadlineExceeded"


@pytest.mark.parametrize("words", ["KeyError: 'xid'", "assert ecc == 3", "uncorrectable loss", "Xid"])
def test_a_word_of_the_author_is_no_fault_of_an_accelerator(words: str) -> None:
    story = Story()
    story.end(13, words)
    story.wait(30)
    assert story.verdict() == "UserError"
