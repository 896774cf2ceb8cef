"""Whatever happens to the operator or to the API server, runs go on, and no run ever has two live attempts."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest
from control_plane import ControlPlane
from kubelet_double import KubeletDouble, unschedulable
from lifetimes import Lifetimes
from operator_process import NAMESPACE, OperatorProcess
from raw_client import RawClient
from ray_dashboard import Job, RayDashboard
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("kuberay", "kubelet")

FEW = 6


def fail_once(job: Job) -> None:
    """Attempt 0 of every run fails as a broken machine does; the next one trains to its end."""
    attempt = int(job.id.split("-")[-2])
    job.fail(14, "the node went away") if attempt == 0 else job.finish()


def start_runs(runs: TrainingRuns, count: int) -> None:
    runs.dashboard.scripts[runs.namespace] = fail_once
    for number in range(count):
        runs.apply(f"run-{number}")


def assert_all_complete_in_two_attempts(runs: TrainingRuns, lifetimes: Lifetimes) -> None:
    def unfinished() -> list[str]:
        found = runs.admin.list("trainingruns", runs.namespace)
        return [run["metadata"]["name"] for run in found if run.get("status", {}).get("state") != "Complete"]

    runs.admin.until(lambda: not unfinished(), "all runs complete", 240)
    for run in runs.admin.list("trainingruns", runs.namespace):
        attempts = run["status"]["attempts"]
        # KubeRay may make two heads when the API server goes away, and such an attempt ends before training fails it.
        doubled = [attempt for attempt in attempts if "KubeRay made two heads" in attempt.get("message", "")]
        assert 2 <= len(attempts) <= 2 + len(doubled)
        assert [attempt["outcome"] for attempt in attempts] == ["Failed"] * (len(attempts) - 1) + ["Complete"]
        assert lifetimes.attempts(run["metadata"]["uid"]) == list(range(len(attempts)))
    assert lifetimes.overlaps() == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.extended)])
def test_runs_survive_an_operator_that_is_killed_as_often(
    runs: TrainingRuns, operator: OperatorProcess, lifetimes: Lifetimes, count: int
) -> None:
    seed = int(os.environ.get("TRAININGRUN_KILL_SEED") or random.randrange(10**6))
    print(f"to repeat: TRAININGRUN_KILL_SEED={seed}")
    chance = random.Random(seed)
    start_runs(runs, count)
    for _ in range(count):
        # Most of them at work, some while it starts.
        if chance.random() < 0.8:
            operator.wait_until_ready()
            time.sleep(chance.uniform(0.0, 0.6))
        else:
            time.sleep(chance.uniform(0.0, 1.0))
        operator.kill()
        operator.start(until_ready=False)
    operator.wait_until_ready()
    assert_all_complete_in_two_attempts(runs, lifetimes)


def test_of_two_replicas_one_works_and_the_other_takes_over(
    runs: TrainingRuns, operators: Callable[..., OperatorProcess], ray_dashboard: RayDashboard, lifetimes: Lifetimes
) -> None:
    first, second = (operators(name, lease_namespace=NAMESPACE) for name in ("first-replica", "second-replica"))
    start_runs(runs, FEW)
    runs.admin.until(lambda: len(ray_dashboard.jobs_in(runs.namespace)) == FEW, "all first attempts")
    first.kill()
    assert_all_complete_in_two_attempts(runs, lifetimes)
    assert second.running


def test_even_two_operators_that_both_act_make_no_attempt_twice(
    runs: TrainingRuns, operators: Callable[..., OperatorProcess], lifetimes: Lifetimes
) -> None:
    both = [operators(name) for name in ("first-operator", "second-operator")]
    start_runs(runs, FEW)
    assert_all_complete_in_two_attempts(runs, lifetimes)
    assert all(process.running for process in both)


def test_runs_go_on_after_the_api_server_was_away_twice_while_they_were_made(
    control_plane: ControlPlane, runs: TrainingRuns, operator: OperatorProcess, lifetimes: Lifetimes
) -> None:
    control_plane.until_settled()
    process = operator.pid
    start_runs(runs, FEW)
    # While the first attempts are made, and while the second ones are.
    for submitted in (1, FEW + 1):
        runs.admin.until(lambda least=submitted: len(runs.dashboard.jobs_in(runs.namespace)) >= least, "work under way")
        control_plane.restart_api_server()
    assert_all_complete_in_two_attempts(runs, lifetimes)
    assert operator.running
    assert operator.pid == process


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.extended)])
def test_a_namespace_with_many_runs_can_be_deleted(
    runs: TrainingRuns, admin: RawClient, kubelet: KubeletDouble, count: int
) -> None:
    kubelet.script(runs.namespace, unschedulable("0/1 nodes are available."))
    for number in range(count):
        runs.apply(f"run-{number}")
    admin.until(lambda: len(admin.list("pods", runs.namespace)) > count, "pods of many runs")
    admin.until(lambda: len(admin.list("rayjobs", runs.namespace)) == count, "all RayJobs")
    admin.delete("namespaces", runs.namespace)
    admin.until(lambda: not admin.find("namespaces", runs.namespace), "the namespace is gone", 240)
