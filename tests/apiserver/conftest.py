"""One real control plane with the real KubeRay operator for all tests here; each test has a namespace of its own."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from child_process import ChildProcess
from control_plane import ControlPlane
from go_binaries import CONTROL_PLANE, Programs, Unbuildable, binaries, kuberay_files
from kubelet_double import KubeletDouble
from kuberay_operator import definitions, kuberay_process
from kueue_manager import PROGRAMS as KUEUE
from lifetimes import Lifetimes
from operator_process import OperatorProcess, grant
from our_manifests import DEFINITIONS, RIGHTS
from raw_client import Object, RawClient
from ray_dashboard import RayDashboard
from training_runs import TrainingRuns

# The strategies that make documents are the fuzz tests'.
sys.path.append(str(Path(__file__).parents[1] / "fuzz"))

_numbers = itertools.count(1)
_BUILT = pytest.StashKey[Programs | Unbuildable]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: that may take minutes, which no test's time limit should count."""
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    capture = session.config.pluginmanager.getplugin("capturemanager")
    if "programs" in fixtures and not session.config.option.collectonly:
        names = (*CONTROL_PLANE, *(KUEUE if "kueue" in fixtures else ()))
        with capture.global_and_fixture_disabled():
            session.config.stash[_BUILT] = _built(names)


def _built(names: tuple[str, ...]) -> Programs | Unbuildable:
    try:
        return Programs(binaries(names), kuberay_files())
    except Unbuildable as error:
        return error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the end of the programs' logs with a failure, and where all of them are."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {})
        plane = fixtures.get("control_plane")
        processes = [value for value in fixtures.values() if isinstance(value, ChildProcess)]
        for process in processes:
            report.sections.append((f"end of {process.log}", process.tail(2500)))
        for process in plane.processes if plane else ():
            report.sections.append((f"end of {process.log}", process.tail(500)))
    return report


@pytest.fixture(scope="session")
def programs(pytestconfig: pytest.Config) -> Programs:
    """What these tests run. Where it cannot be built, every test that needs it fails with the reason."""
    built = pytestconfig.stash[_BUILT]
    if isinstance(built, Unbuildable):
        pytest.fail(str(built), pytrace=False)
    return built


@pytest.fixture(scope="session")
def control_plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, programs: Programs
) -> Iterator[ControlPlane]:
    """The plane, with KubeRay's and our definitions installed. Its logs are kept when a test has failed."""
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), programs.binaries)
    try:
        plane.start([*definitions(programs.kuberay), *DEFINITIONS])
        yield plane
    finally:
        plane.stop()
        if not request.session.testsfailed:
            shutil.rmtree(plane.folder)


@pytest.fixture(scope="session")
def admin(control_plane: ControlPlane) -> RawClient:
    """A client that may do anything."""
    return control_plane.admin


@pytest.fixture(scope="session")
def ray_dashboard() -> Iterator[RayDashboard]:
    """The dashboards of all heads."""
    dashboard = RayDashboard()
    dashboard.start()
    yield dashboard
    dashboard.stop()


@pytest.fixture(scope="session")
def kuberay(control_plane: ControlPlane, programs: Programs, ray_dashboard: RayDashboard) -> Iterator[ChildProcess]:
    """KubeRay's operator, running."""
    process = kuberay_process(control_plane, programs.binaries["ray-operator"], programs.kuberay, ray_dashboard)
    yield process
    process.kill()


@pytest.fixture(scope="session")
def kubelet(control_plane: ControlPlane) -> Iterator[KubeletDouble]:
    """Makes pods ready, as long as a test does not script otherwise."""
    double = KubeletDouble(control_plane.client("kubelet-double"))
    double.start()
    yield double
    double.stop()
    assert double.errors == []


@pytest.fixture(scope="session")
def rights(control_plane: ControlPlane) -> list[Object]:
    """The roles of manifests/base/rbac, given to our operator."""
    return grant(control_plane, RIGHTS)


@pytest.fixture(scope="session")
def operator_process(control_plane: ControlPlane, rights: list[Object]) -> Iterator[OperatorProcess]:
    """Our operator. Whatever the tests have done to it, nothing may have surprised it."""
    process = OperatorProcess(control_plane)
    yield process
    process.end()
    assert "a bug:" not in process.output()


@pytest.fixture
def operator(operator_process: OperatorProcess) -> OperatorProcess:
    """Our operator at work, also when the test before has failed while it was away."""
    return operator_process.ensured()


@pytest.fixture
def no_operator(operator_process: OperatorProcess) -> None:
    """Nobody acts on runs: what the API server makes of them is looked at."""
    operator_process.end()


@pytest.fixture
def operators(control_plane: ControlPlane, no_operator: None) -> Iterator[Callable[..., OperatorProcess]]:
    """Starts operators instead of the one."""
    started: list[OperatorProcess] = []

    def start(name: str, *, until_ready: bool = True, **options: Any) -> OperatorProcess:
        started.append(OperatorProcess(control_plane, name, **options))
        started[-1].start(until_ready=until_ready)
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def namespace(namespaces: Callable[[], str]) -> str:
    """An empty namespace, deleted afterwards."""
    return namespaces()


@pytest.fixture
def namespaces(admin: RawClient) -> Iterator[Callable[[], str]]:
    """Makes namespaces. They are deleted afterwards; nobody waits for that."""
    made: list[str] = []

    def make() -> str:
        name = f"test-{next(_numbers)}"
        admin.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        made.append(name)
        # Pods are refused until the controllers have made it.
        admin.until(lambda: admin.find("serviceaccounts", "default", name), f"service account of {name}")
        return name

    yield make
    for name in made:
        if admin.find("namespaces", name):
            admin.delete("namespaces", name)


@pytest.fixture
def runs(admin: RawClient, ray_dashboard: RayDashboard, namespace: str) -> TrainingRuns:
    """The runs of the test's namespace."""
    return TrainingRuns(admin, ray_dashboard, namespace)


@pytest.fixture
def crowd(namespaces: Callable[[], str], admin: RawClient, ray_dashboard: RayDashboard) -> TrainingRuns:
    """Where documents go that nobody shall train: RayJobs are checked as anywhere, and then refused."""
    runs = TrainingRuns(admin, ray_dashboard, namespaces())
    hard = {"spec": {"hard": {"count/rayjobs.ray.io": "0"}}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, **hard}
    admin.create("resourcequotas", quota, runs.namespace)
    admin.until(lambda: admin.get("resourcequotas", "none", runs.namespace).get("status", {}).get("used"), "a quota")
    return runs


@pytest.fixture
def lifetimes(admin: RawClient, namespace: str) -> Iterator[Lifetimes]:
    """Notes from now on when what belongs to attempts in the test's namespace is made and gone."""
    noted = Lifetimes(admin, namespace)
    yield noted
    noted.stop()
