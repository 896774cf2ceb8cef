"""The operator is upgraded, removed and installed again while a run trains, and the run does not notice.

One run for all of it, from an earlier release to the end of its namespace, in the order of this file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import long_run
import pytest
from cluster_client import Cluster, wait_until
from helm_release import DEFINITION, EARLIER_VERSION, OPERATOR_NAMESPACE, RELEASE, Release, earlier_chart
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

pytestmark = pytest.mark.extended

# A user deletes a namespace and means it: what trains in it is given this long to go.
_NAMESPACE_GONE = 60.0
_PATIENCE = 180.0
_MORE_STEPS = 40


@dataclass(frozen=True)
class Moment:
    """How a run stands: the restarts of each pod's containers, by the pod's uid, its attempts and its steps."""

    pods: dict[str, int]
    attempts: list[int]
    step: int


@dataclass(frozen=True)
class Operator:
    """What is installed: the release's chart, the uids of its pods, and the columns of the definition."""

    chart: str
    pods: set[str]
    columns: list[str]


@dataclass(frozen=True)
class Change:
    """What was before something was done to the operator."""

    run: Moment
    operator: Operator


@pytest.fixture(scope="module")
def live(
    release: Release, shared_namespace: Namespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingRun]:
    """A run that has begun to train under an earlier release, and will not end by itself."""
    release.install(earlier_chart(release, tmp_path_factory.mktemp("earlier")))
    yield long_run.start(shared_namespace, 10_000, trainer={"numNodes": 1})
    release.install()


@pytest.fixture(scope="module")
def waiting(live: TrainingRun, shared_namespace: Namespace) -> TrainingRun:
    """A run beside it that has a RayJob and pods, and waits."""
    claim = {"claimName": "no-such-claim", "mountPath": "/mnt/cluster_storage"}
    document = shared_namespace.document(storage={"persistentVolumeClaim": claim})
    document["metadata"]["name"] = "waiting"
    run = shared_namespace.apply(document)
    wait_until(lambda: len(run.pods()) > 2, _PATIENCE, "pods that wait", run.shown)
    return run


@pytest.fixture(scope="module")
def upgraded(live: TrainingRun, waiting: TrainingRun, release: Release) -> Change:
    """The release of this repository is installed over the earlier one."""
    before = Change(_moment(live), _operator(release))
    release.install()
    return before


@pytest.fixture(scope="module")
def uninstalled(live: TrainingRun, upgraded: Change, release: Release) -> Change:
    """The release is removed."""
    before = Change(_moment(live), _operator(release))
    release.uninstall()
    return before


@pytest.fixture(scope="module")
def orphan_deleted(uninstalled: Change, waiting: TrainingRun, cluster: Cluster) -> float:
    """The run that waits is deleted while there is no operator; how many seconds that took."""
    began = time.monotonic()
    cluster.run("delete", "trainingrun", waiting.name, f"--namespace={waiting.namespace}", "--timeout=60s")
    return time.monotonic() - began


@pytest.fixture(scope="module")
def installed_again(live: TrainingRun, orphan_deleted: float, release: Release) -> Moment:
    """The release is there again; the run trained all the time."""
    before = _moment(live)
    release.install()
    return before


def test_an_upgrade_changes_operator_and_definition(upgraded: Change, release: Release) -> None:
    before, now = upgraded.operator, _operator(release)
    assert before.chart == f"{RELEASE}-{EARLIER_VERSION}"
    assert now.chart != before.chart
    assert now.pods
    assert not now.pods & before.pods
    assert now.columns[:-1] == before.columns


def test_a_live_run_does_not_notice_an_upgrade(live: TrainingRun, upgraded: Change) -> None:
    _goes_on(live, upgraded.run)


@pytest.mark.usefixtures("upgraded")
def test_the_operator_hears_of_the_run_after_an_upgrade(live: TrainingRun) -> None:
    _is_heard_of(live)


def test_uninstalling_removes_the_operator_and_leaves_the_definition(uninstalled: Change, cluster: Cluster) -> None:
    assert not cluster.list("deployments", OPERATOR_NAMESPACE)
    wait_until(lambda: not cluster.list("pods", OPERATOR_NAMESPACE), _PATIENCE, "the operator's pods gone")
    assert _columns(cluster) == uninstalled.operator.columns


def test_a_live_run_does_not_notice_that_the_operator_is_gone(live: TrainingRun, uninstalled: Change) -> None:
    _goes_on(live, uninstalled.run)


def test_a_run_can_be_deleted_without_an_operator(
    orphan_deleted: float, waiting: TrainingRun, cluster: Cluster, timings: Timings
) -> None:
    timings.note("deleted without an operator", orphan_deleted)
    assert not waiting.read()
    selector = f"trainingrun.dev/run-name={waiting.name}"
    kinds = ("rayjobs", "rayclusters", "pods")
    wait_until(
        lambda: not any(cluster.list(kind, waiting.namespace, selector) for kind in kinds), _PATIENCE, "all of it gone"
    )


def test_an_operator_that_is_installed_again_goes_on_with_the_live_run(
    live: TrainingRun, installed_again: Moment
) -> None:
    _goes_on(live, installed_again)
    # By the certificate that the pods have known since they began.
    _is_heard_of(live)


@pytest.mark.usefixtures("installed_again")
def test_a_namespace_with_a_live_run_is_soon_gone(
    live: TrainingRun, cluster: Cluster, shared_namespace: Namespace, timings: Timings
) -> None:
    shared_namespace.keep()
    began = time.monotonic()
    cluster.run("delete", "namespace", live.namespace, "--wait=false")
    wait_until(lambda: not live.pods(), _PATIENCE, "pods gone", live.shown)
    timings.note("namespace deleted to pods gone", time.monotonic() - began)
    cluster.run("wait", "--for=delete", f"namespace/{live.namespace}", "--timeout=300s")
    seconds = time.monotonic() - began
    timings.note("namespace deleted to gone", seconds)
    assert seconds <= _NAMESPACE_GONE


def _moment(run: TrainingRun) -> Moment:
    pods = {
        pod["metadata"]["uid"]: sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
        for pod in run.pods()
    }
    return Moment(pods, [attempt["index"] for attempt in run.attempts], run.wait_for_step(1, _PATIENCE))


def _operator(release: Release) -> Operator:
    (deployment,) = release.cluster.list("deployments", OPERATOR_NAMESPACE)
    pods = release.cluster.list("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/component=manager")
    return Operator(
        chart=deployment["metadata"]["labels"]["helm.sh/chart"],
        pods={pod["metadata"]["uid"] for pod in pods},
        columns=_columns(release.cluster),
    )


def _columns(cluster: Cluster) -> list[str]:
    definition = cluster.get("customresourcedefinition", DEFINITION, "")
    assert definition, "there is no definition"
    return [column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]]


def _goes_on(run: TrainingRun, before: Moment) -> None:
    """More steps, in the same attempt, by the same pods, none of which was started again."""
    run.wait_for_step(before.step + _MORE_STEPS, _PATIENCE)
    now = _moment(run)
    assert now.pods == before.pods
    assert now.attempts == before.attempts == [0]


def _is_heard_of(run: TrainingRun) -> None:
    """A report arrives that was sent from now on."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def is_so() -> bool:
        return bool(run.status.get("trainerStatus", {}).get("lastUpdatedTime", "") > now)

    wait_until(is_so, _PATIENCE, f"a report later than {now}", run.shown)
