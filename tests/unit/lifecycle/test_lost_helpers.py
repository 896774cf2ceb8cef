"""A dead autoscaler is named; training goes on without it, and is not taken for a restart."""

from __future__ import annotations

from typing import Any

from seen_objects import NOW, a_run, cluster, entry, job, pod, pods, status, status_of

from trainingrun.observed import Observed, Pod, pod_of

ELASTIC = {"data": {"numNodes": 1, "maxNodes": 4}}


def head(policy: str = "Never", *, ray_ready: bool = True, exit_code: int = 1) -> Pod:
    """The head's pod as the API server sends it, in which the autoscaler has ended."""
    owner = cluster()
    ended = {"exitCode": exit_code, "reason": "Error", "message": "line 1\nPermission denied: rayclusters"}
    return pod_of(
        {
            "metadata": {
                "namespace": "training",
                "name": "mnist-0-head",
                "uid": "uid-mnist-0-head",
                "ownerReferences": [
                    {"kind": "RayCluster", "name": owner.name, "uid": owner.uid, "controller": True},
                ],
                "labels": {
                    "trainingrun.dev/run-uid": a_run().uid,
                    "trainingrun.dev/attempt": "0",
                    "trainingrun.dev/group": "head",
                },
            },
            "spec": {"containers": [{"name": "ray-head"}, {"name": "autoscaler"}], "restartPolicy": policy},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False"}],
                # The kubelet lists them by name.
                "containerStatuses": [
                    {"name": "autoscaler", "ready": False, "restartCount": 7, "state": {"terminated": ended}},
                    {"name": "ray-head", "ready": ray_ready, "restartCount": 2, "state": {"running": {}}},
                ],
            },
        }
    )


def looked(seen_head: Pod) -> dict[str, Any]:
    run = a_run(status=status(entry(headContainerRestarts=2)), **ELASTIC)
    return status_of(run, Observed((job(),), (cluster(),), (seen_head, *pods()[1:])), NOW)


def ready(written: dict[str, Any]) -> tuple[str, str]:
    found = next(each for each in written["conditions"] if each["type"] == "PodsReady")
    return found["reason"], found["message"]


def test_of_the_containers_of_a_head_rays_own_is_read_by_its_name() -> None:
    seen_head = head()
    assert (seen_head.ready, seen_head.ray_ready, seen_head.is_working, seen_head.restarts) == (False, True, True, 2)


def test_a_run_trains_on_without_its_autoscaler_and_names_it() -> None:
    written = looked(head())
    reason, words = ready(written)
    assert written["state"] == "Running"
    assert reason == "ContainerError"
    assert words == (
        "Pod mnist-0-head: container autoscaler ended with exit code 1: Error: Permission denied: rayclusters; "
        "training goes on without it, in its present size."
    )


def test_an_autoscaler_that_ended_without_an_error_is_missed_too() -> None:
    assert "autoscaler" in ready(looked(head(exit_code=0)))[1]


def test_one_that_the_kubelet_starts_again_is_not_lost() -> None:
    assert ready(looked(head("Always")))[0] == "PodsStarting"


def test_a_head_whose_ray_is_not_ready_is_restarting() -> None:
    assert looked(head(ray_ready=False))["state"] == "Restarting"
    assert looked(pod("head"))["state"] == "Running"
