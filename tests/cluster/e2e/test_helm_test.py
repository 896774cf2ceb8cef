"""`helm test` says of an installation whether it works, in a namespace that admits only restricted pods."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_client import Cluster, wait_until
from helm_release import OPERATOR_NAMESPACE, RELEASE, Release

_WHERE = f"--namespace={OPERATOR_NAMESPACE}"


@pytest.fixture
def no_operator(cluster: Cluster) -> Iterator[None]:
    """The release is there, and none of its pods."""
    cluster.run("scale", f"deployment/{RELEASE}", "--replicas=0", _WHERE)
    selector = "app.kubernetes.io/component=manager"
    wait_until(lambda: not cluster.list("pods", OPERATOR_NAMESPACE, selector), 60, "the operator's pods gone")
    yield
    cluster.run("scale", f"deployment/{RELEASE}", "--replicas=1", _WHERE)
    cluster.run("rollout", "status", f"deployment/{RELEASE}", _WHERE, "--timeout=180s")


@pytest.mark.extended
@pytest.mark.usefixtures("no_operator")
def test_helm_test_fails_where_no_operator_answers(release: Release, cluster: Cluster) -> None:
    done = release.test()
    assert done.returncode != 0
    words = cluster.logs(f"{RELEASE}-test", OPERATOR_NAMESPACE)
    assert "Connection refused" in words


def test_helm_test_passes_and_leaves_nothing_where_the_operator_is_ready(release: Release, cluster: Cluster) -> None:
    done = release.test()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"TEST SUITE:     {RELEASE}-test" in done.stdout
    assert "Phase:          Succeeded" in done.stdout
    assert cluster.get("pod", f"{RELEASE}-test", OPERATOR_NAMESPACE) is None
