"""A run trains on while those who look after it are away: Kubernetes' API server, KubeRay."""

from __future__ import annotations

import long_run
import pytest
from cluster_client import Cluster
from faults import Faults
from namespaces import Namespace
from nodes import CONTROL_PLANE, KUBERAY_NAMESPACE
from run_on_cluster import TrainingRun
from timings import Timings

_EPOCHS = 8

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("something_to_lose")]


@pytest.fixture(scope="module")
def run(shared_namespace: Namespace) -> TrainingRun:
    return long_run.start(shared_namespace, _EPOCHS)


def test_training_goes_on_while_the_api_server_starts_again(
    cluster: Cluster, run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    pods = long_run.uids(run.pods())
    server = cluster.get("pod", f"kube-apiserver-{CONTROL_PLANE}", "kube-system")
    assert server is not None
    killed = faults.kill_containers(server)
    faults.wait_for_api_server()
    timings.mark("API server ready")
    _is_untouched(run, timings, killed, pods)


def test_training_goes_on_while_kuberay_starts_again(
    cluster: Cluster, run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    pods = long_run.uids(run.pods())
    killed = faults.kill(*cluster.list("pods", KUBERAY_NAMESPACE))
    _is_untouched(run, timings, killed, pods)


def test_its_end_is_noticed_by_those_who_have_come_back(run: TrainingRun, timings: Timings) -> None:
    run.wait_for("Complete", 1200)
    timings.mark("Complete")
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]
    assert not long_run.attempts_overlap(run)


def _is_untouched(run: TrainingRun, timings: Timings, since: float, pods: set[str]) -> None:
    """Training goes on in the same pods and from the same step, and the status tells of it again."""
    long_run.wait_for_more_steps(run, timings, since)
    long_run.wait_for_a_report(run, since)
    timings.mark("told again")
    assert long_run.uids(run.pods()) == pods
    assert not long_run.resumptions_since(run, since)
    assert [attempt["outcome"] for attempt in run.attempts] == ["Running"]
    assert run.status["failures"] == 0
    assert run.is_true("PodsReady")
