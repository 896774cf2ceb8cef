"""With the real Kueue: a run makes room for a more important one, and goes on from what it saved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import long_run
import pytest
from cluster_client import Cluster, wait_until
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

pytestmark = pytest.mark.extended

_PATIENCE = 900.0
_SCRIPT = Path(__file__).parents[1] / "kueue.py"
_PROGRAMS = Path(__file__).parents[2] / "apiserver"
_API = "kueue.x-k8s.io/v1beta2"
# A head, a trainer and a data node: a second run has no room.
_PODS_OF_ONE_RUN = 3
_PLENTY = {"cpu": "1000", "memory": "10Ti"}


@pytest.fixture(scope="module")
def kueue(cluster: Cluster) -> Iterator[None]:
    """Kueue, while the tests of this file run."""
    _kueue("install")
    yield
    _kueue("remove")


def test_a_preempted_run_makes_room_and_goes_on_from_what_it_saved(
    kueue: None, cluster: Cluster, namespace: Namespace, timings: Timings
) -> None:
    _open_queue(cluster, namespace)
    low = _apply(namespace, "low", "humble", epochs=8)
    low.wait_for_step(15, _PATIENCE)
    timings.mark("step 15")
    high = _apply(namespace, "high", "urgent", epochs=1)
    preempted = wait_until(lambda: _preempted(low), _PATIENCE, "low makes room", low.shown)
    timings.mark("preempted")
    assert 'again by queue "ml"' in preempted["message"]
    high.wait_for("Complete", _PATIENCE)
    timings.mark("the more important run is Complete")
    low.wait_for("Complete", _PATIENCE)
    timings.mark("Complete")
    (attempt,) = low.attempts
    assert (attempt["outcome"], attempt["preemptions"], attempt["counted"]) == ("Complete", 1, False)
    (resumption,) = long_run.resumptions_since(low, 0)
    assert resumption.saved >= 15 and resumption.is_seamless
    assert not long_run.attempts_overlap(low)


def _apply(namespace: Namespace, name: str, priority: str, epochs: int) -> TrainingRun:
    recipe = {"epochs": epochs, "scheduler": None}
    document = namespace.document(trainer={"numNodes": 1}, recipe=recipe)
    labels = {"kueue.x-k8s.io/queue-name": "ml", "kueue.x-k8s.io/priority-class": priority}
    document["metadata"] |= {"name": name, "labels": labels}
    return namespace.apply(document)


def _preempted(run: TrainingRun) -> dict[str, Any]:
    found = run.condition("Admitted")
    return found if found.get("reason") == "Preempted" else {}


def _open_queue(cluster: Cluster, namespace: Namespace) -> None:
    quotas = {**_PLENTY, "pods": str(_PODS_OF_ONE_RUN)}
    resources = [{"name": name, "nominalQuota": amount} for name, amount in quotas.items()]
    groups = [{"coveredResources": list(quotas), "flavors": [{"name": "default", "resources": resources}]}]
    spec = {"namespaceSelector": {}, "resourceGroups": groups, "preemption": {"withinClusterQueue": "LowerPriority"}}
    cluster.apply(
        _object("ResourceFlavor", "default"),
        _object("WorkloadPriorityClass", "humble", value=1),
        _object("WorkloadPriorityClass", "urgent", value=1000),
        _object("ClusterQueue", "ml", spec=spec),
        {
            "apiVersion": _API,
            "kind": "LocalQueue",
            "metadata": {"name": "ml", "namespace": namespace.name},
            "spec": {"clusterQueue": "ml"},
        },
    )


def _object(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, **fields}


def _kueue(action: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(_PROGRAMS)}
    subprocess.run([sys.executable, _SCRIPT, action], check=True, env=environment)
