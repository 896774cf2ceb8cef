"""Fixtures of the end-to-end tests. They need the cluster that `make cluster` makes, with the operator in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import long_run
import pytest
from cluster_client import Cluster
from cluster_folder import HELM, KUBECONFIG, KUBECTL, VOLUME
from digits_dataset import converted_digits
from faults import Faults, faults_of
from helm_release import Release
from namespaces import Namespace, OpenNamespace
from run_on_cluster import TrainingRun
from timings import Timings
from watched_run import WatchedRun, watch

_ROOT = Path(__file__).parents[3]
_ARTIFACTS = Path(os.environ.get("E2E_ARTIFACTS") or _ROOT / ".trainingrun" / "e2e")
_TABLE: list[Timings] = []


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; a test run without one is an error, not a success."""
    if not KUBECONFIG.is_file():
        pytest.exit("There is no cluster: run `make cluster` first.", returncode=1)
    return Cluster(KUBECTL, KUBECONFIG)


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Release:
    """The operator's release, for those who upgrade or remove it; they install it again afterwards."""
    return Release(HELM, cluster)


@pytest.fixture(scope="session", autouse=True)
def operator(release: Release) -> None:
    """The operator, of this checkout's chart and image."""
    release.deploy()


@pytest.fixture(scope="session")
def faults(cluster: Cluster) -> Faults:
    """What can be broken in the cluster."""
    return faults_of(cluster)


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits."""
    return converted_digits(tmp_path_factory.mktemp("datasets"))


@pytest.fixture
def timings(request: pytest.FixtureRequest) -> Iterator[Timings]:
    """The scenario's seconds, for the table and as a file."""
    timed = Timings(request.node.name)
    _TABLE.append(timed)
    yield timed
    timed.write(_ARTIFACTS / request.node.name)


@pytest.fixture(scope="module")
def shared_timings(request: pytest.FixtureRequest) -> Iterator[Timings]:
    """The seconds of what a module does in one fixture for all of its tests."""
    timed = Timings(request.module.__name__)
    _TABLE.append(timed)
    yield timed
    timed.write(_ARTIFACTS / request.module.__name__)


@pytest.fixture
def namespace(
    request: pytest.FixtureRequest, cluster: Cluster, datasets: Path, timings: Timings
) -> Iterator[Namespace]:
    """A namespace of the scenario's own, kept as files and removed afterwards."""
    with _namespace(request.node.name, cluster, datasets) as made:
        timings.start()
        yield made


@pytest.fixture(scope="module")
def shared_namespace(request: pytest.FixtureRequest, cluster: Cluster, datasets: Path) -> Iterator[Namespace]:
    """One namespace for the scenarios of a module, which happen to the same runs or share the wait for them."""
    with _namespace(request.module.__name__, cluster, datasets) as made:
        yield made


@pytest.fixture(scope="session")
def open_namespace(cluster: Cluster, datasets: Path) -> OpenNamespace:
    """Opens the namespace of a scenario, called after it or otherwise, for fixtures that need more than one."""
    return lambda scenario, name="": _namespace(scenario, cluster, datasets, name)


@pytest.fixture(scope="session")
def digits(open_namespace: OpenNamespace) -> Iterator[WatchedRun]:
    """The smallest sample as it trained here: several modules look at one training from several sides."""
    timings = Timings("the_digits_sample")
    _TABLE.append(timings)
    with open_namespace(timings.scenario) as namespace:
        timings.start()
        yield watch(namespace, timings)
        timings.write(namespace.artifacts)


@pytest.fixture
def something_to_lose(run: TrainingRun, timings: Timings) -> None:
    """The module's `run` has done steps beyond its last checkpoint when the test begins."""
    long_run.wait_for_something_to_lose(run)
    timings.start()


@contextmanager
def _namespace(scenario: str, cluster: Cluster, datasets: Path, name: str = "") -> Iterator[Namespace]:
    name = name or re.sub("[^a-z0-9]+", "-", f"e2e-{scenario.removeprefix('test_')}")[:50].strip("-")
    made = Namespace(cluster, name, VOLUME / name, _ARTIFACTS / scenario)
    made.delete()
    made.create(datasets)
    try:
        yield made
    finally:
        made.keep()
        if not os.environ.get("E2E_KEEP"):
            made.delete()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a scenario."""
    terminalreporter.section("scenarios")
    for timings in _TABLE:
        terminalreporter.line(timings.row())
    terminalreporter.line(f"logs and objects: {_ARTIFACTS}")
