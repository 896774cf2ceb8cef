"""What holds a run back is told in its status, in the words of who does it, and the run goes on when that is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from child_process import ChildProcess
from kubelet_double import KubeletDouble, image_pull_error, unschedulable
from obstacles import OBSTACLES, MissingPermission, Obstacle
from operator_process import OperatorProcess
from raw_client import Object, RawClient
from ray_dashboard import RayDashboard
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("operator", "kuberay", "kubelet")

WITHIN_SECONDS = 10


@dataclass
class Story:
    """What was said of an obstacle in time, and how its run stood after it was taken away."""

    told: Object
    state: str = ""


@pytest.fixture(scope="module")
def stories(
    admin: RawClient,
    ray_dashboard: RayDashboard,
    operator_process: OperatorProcess,
    kuberay: ChildProcess,
    kubelet: KubeletDouble,
) -> dict[type[Obstacle], Story]:
    """Of all obstacles at the same time, since what is refused is tried again after 15 s only."""
    operator_process.ensured()
    held = [kind(runs_in(admin, ray_dashboard, f"obstacle-{number}")) for number, kind in enumerate(OBSTACLES)]
    # A permission that is missing is missed in all namespaces.
    last = [obstacle for obstacle in held if isinstance(obstacle, MissingPermission)]
    found: dict[type[Obstacle], Story] = {}
    for together in ([obstacle for obstacle in held if obstacle not in last], last):
        for obstacle in together:
            obstacle.hold()
        wait(together, lambda obstacle: said(obstacle)["reason"] == obstacle.reason, WITHIN_SECONDS)
        found |= {type(obstacle): Story(said(obstacle)) for obstacle in together}
    for obstacle in reversed(held):
        ray_dashboard.scripts[obstacle.namespace] = lambda job: job.finish()
        obstacle.take_away()
    wait(held, lambda obstacle: obstacle.runs.status("held")["state"] == "Complete", 120)
    for obstacle in held:
        found[type(obstacle)].state = obstacle.runs.status("held")["state"]
        admin.delete("namespaces", obstacle.namespace)
    return found


def runs_in(admin: RawClient, dashboard: RayDashboard, namespace: str) -> TrainingRuns:
    admin.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    admin.until(lambda: admin.find("serviceaccounts", "default", namespace), f"service account of {namespace}")
    return TrainingRuns(admin, dashboard, namespace)


def said(obstacle: Obstacle) -> Object:
    """What is said of the run's pods; nothing before the run was first seen."""
    return obstacle.runs.condition("held", "PodsReady") or {"reason": "", "message": ""}


def wait(held: Sequence[Obstacle], holds: Callable[[Obstacle], bool], seconds: float) -> None:
    """Until it holds for all, but no longer: what does not hold is for the tests to find."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(holds(obstacle) for obstacle in held):
        time.sleep(0.05)


@pytest.mark.parametrize("kind", OBSTACLES)
def test_an_obstacle_is_told_within_ten_seconds(stories: dict[type[Obstacle], Story], kind: type[Obstacle]) -> None:
    told = stories[kind].told
    assert (told["status"], told["reason"]) == ("False", kind.reason)
    assert kind.words in told["message"]


@pytest.mark.parametrize("kind", OBSTACLES)
def test_a_run_goes_on_when_its_obstacle_is_taken_away(
    stories: dict[type[Obstacle], Story], kind: type[Obstacle]
) -> None:
    assert stories[kind].state == "Complete"


def test_the_scheduler_s_words_are_in_the_status_within_ten_seconds(runs: TrainingRuns, kubelet: KubeletDouble) -> None:
    words = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    kubelet.script(runs.namespace, unschedulable(words))
    runs.apply("waiting")
    found = runs.until("waiting", "PodsReady", "False", "Unschedulable", seconds=WITHIN_SECONDS)
    assert words in found["message"]


def test_an_image_that_cannot_be_ends_the_run(runs: TrainingRuns, kubelet: KubeletDouble) -> None:
    kubelet.script(runs.namespace, image_pull_error('couldn\'t parse image name "trainer:UPPER:1"', "InvalidImageName"))
    runs.apply("imageless")
    failed = runs.until("imageless", "Failed")
    assert failed["reason"] == "ImagePull"
    assert "couldn't parse image name" in failed["message"]
    runs.until_gone("pods")


def test_an_image_that_is_not_there_yet_is_told_and_waited_for(runs: TrainingRuns, kubelet: KubeletDouble) -> None:
    words = 'failed to pull "trainer:1": not found'
    kubelet.script(runs.namespace, image_pull_error(words, "ErrImagePull"))
    runs.apply("early")
    assert words in runs.until("early", "PodsReady", "False", "ImagePull")["message"]
    status = runs.get("early")["status"]
    assert status["state"] == "Starting"
    assert (status["suspected"]["failureClass"], words in status["suspected"]["message"]) == ("ImagePull", True)
