"""The smallest sample trains to the end on a real cluster, each part of it where it belongs, and leaves nothing."""

from __future__ import annotations

from cluster_client import Cluster, wait_until
from namespaces import Namespace
from timings import Timings

from trainingrun.progress import EpochEnded, Placement

_TRAIN_ROWS = 1437


def test_the_digits_sample_trains_to_complete(cluster: Cluster, namespace: Namespace, timings: Timings) -> None:
    run = namespace.apply(namespace.document("digits"))
    run.wait_for_step(1, 400)
    timings.mark("first step")
    # Ray calls its nodes by their addresses.
    nodes = {pod["status"]["podIP"]: pod["spec"]["nodeName"] for pod in run.pods()}
    run.wait_for("Complete", 400)
    timings.mark("Complete")

    status = run.status
    assert [attempt["outcome"] for attempt in status["attempts"]] == ["Complete"]
    assert status["trainerStatus"]["progressPercentage"] == 100
    epochs = [record for record in run.records() if isinstance(record, EpochEnded)]
    assert len(epochs) == 6
    assert epochs[-1].metrics["validation_accuracy"] > 0.9

    placement = next(record for record in run.records() if isinstance(record, Placement))
    assert sum(placement.data_rows.values()) >= 6 * _TRAIN_ROWS
    assert {nodes[pod] for pod in placement.data_rows} == {"trainingrun-worker"}
    assert {nodes[pod] for pod in placement.trainer_ranks} == {"trainingrun-worker2"}
    assert sorted(rank for ranks in placement.trainer_ranks.values() for rank in ranks) == [0, 1]

    wait_until(lambda: not run.pods(), 120, "no pod is left", run.shown)
    timings.mark("pods gone")
    cluster.run("delete", "trainingrun", run.name, f"--namespace={namespace.name}", "--timeout=60s")
    left = [kind for kind in ("rayjobs", "rayclusters", "pods", "services") if cluster.list(kind, namespace.name)]
    assert not left
