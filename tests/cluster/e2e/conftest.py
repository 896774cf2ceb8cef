"""Fixtures of the end-to-end tests. They need the cluster that `make cluster` makes, with the operator in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_client import Cluster
from namespaces import Namespace
from timings import Timings

_ROOT = Path(__file__).parents[3]
_CLUSTER = _ROOT / ".trainingrun" / "cluster"
_ARTIFACTS = Path(os.environ.get("E2E_ARTIFACTS") or _ROOT / ".trainingrun" / "e2e")
OPERATOR_NAMESPACE = "trainingrun-system"
_TABLE: list[Timings] = []


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; a test run without one is an error, not a success."""
    kubeconfig = _CLUSTER / "kubeconfig"
    if not kubeconfig.is_file():
        pytest.exit("There is no cluster: run `make cluster` first.", returncode=1)
    return Cluster(_CLUSTER / "kubectl", kubeconfig)


@pytest.fixture(scope="session", autouse=True)
def operator(cluster: Cluster) -> None:
    """The operator, installed by its chart as its documentation says, in a namespace that is as strict as can be."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": OPERATOR_NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
    )
    release = ["upgrade", "--install", "trainingrun-operator", str(_ROOT / "charts" / "trainingrun-operator")]
    command = [_CLUSTER / "helm", *release, "--kubeconfig", cluster.kubeconfig, "--namespace", OPERATOR_NAMESPACE]
    subprocess.run([*command, "--wait", "--timeout=180s"], check=True)
    # An image that was built anew has the name of the one before it.
    cluster.run("rollout", "restart", "deployment", f"--namespace={OPERATOR_NAMESPACE}")
    cluster.run("rollout", "status", "deployment", f"--namespace={OPERATOR_NAMESPACE}", "--timeout=180s")


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits, converted as a user would."""
    folder = tmp_path_factory.mktemp("datasets")
    for split in ("train", "validation"):
        trainingrun = Path(sys.executable).with_name("trainingrun")
        command = [
            trainingrun,
            "convert",
            "sklearn:digits",
            folder / "digits" / split,
            "--hold-out=20",
            "--split",
            split,
        ]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def timings(request: pytest.FixtureRequest) -> Timings:
    """The scenario's seconds, for the table."""
    timed = Timings(request.node.name)
    _TABLE.append(timed)
    return timed


@pytest.fixture
def namespace(
    request: pytest.FixtureRequest, cluster: Cluster, datasets: Path, timings: Timings
) -> Iterator[Namespace]:
    """A namespace of the scenario's own, kept as files and removed afterwards."""
    scenario = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    name = f"e2e-{scenario}"[:50].rstrip("-")
    made = Namespace(cluster, name, _CLUSTER / "volume" / name, _ARTIFACTS / request.node.name)
    made.delete()
    made.create(datasets)
    timings.start()
    yield made
    made.keep()
    timings.write(made.artifacts)
    if not os.environ.get("E2E_KEEP"):
        made.delete()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a scenario."""
    terminalreporter.section("scenarios")
    for timings in _TABLE:
        terminalreporter.line(timings.row())
    terminalreporter.line(f"logs and objects: {_ARTIFACTS}")
