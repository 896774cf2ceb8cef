"""The smallest sample trains to the end on a real cluster, each part of it where it belongs, and leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
from cluster_client import Cluster, wait_until
from watched_run import WatchedRun

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE, RAY_GROUP_KEY, RAY_TRAINER_VALUE
from trainingrun.contract.records import AttemptEnded, EpochEnded, Placement, Record

# What the cluster's configuration calls its nodes.
_DATA_NODE = "trainingrun-worker"
_TRAINER_NODE = "trainingrun-worker2"
_EPOCHS = 6
_DATA = {RAY_DATA_KEY: RAY_DATA_VALUE}
_TRAINERS = {RAY_GROUP_KEY: RAY_TRAINER_VALUE}
_Kind = TypeVar("_Kind", bound=Record)


def test_the_run_is_complete_in_one_attempt(digits: WatchedRun) -> None:
    conditions = {each["type"]: each["status"] for each in digits.status["conditions"]}
    assert conditions["Complete"] == "True"
    assert [attempt["outcome"] for attempt in digits.status["attempts"]] == ["Complete"]
    (ended,) = _of(digits, AttemptEnded)
    assert (ended.outcome, ended.exit_code) == ("Complete", 0)


def test_it_has_learned_the_digits(digits: WatchedRun) -> None:
    epochs = _of(digits, EpochEnded)
    assert [record.epoch for record in epochs] == list(range(_EPOCHS))
    assert epochs[-1].metrics["validation_accuracy"] > 0.9
    assert epochs[-1].metrics["loss"] < epochs[0].metrics["loss"] / 2


def test_its_page_says_that_it_is_complete(digits: WatchedRun) -> None:
    title, *facts = digits.page.splitlines()
    assert title.split() == [f"{digits.namespace.name}/digits", "Complete"]
    page = {line.split()[0]: line for line in facts if line and not line.startswith(" ")}
    assert "100%  epoch 6/6" in page["progress"]
    assert page["nodes"].partition("nodes")[2].strip().startswith("2 trainers and 1 data node")
    assert page["0"].split()[:2] == ["0", "Complete"]
    newest = digits.status["outputs"]["last"]["uri"]
    assert newest in page["checkpoint"]
    # Sentences are broken where the page is full.
    assert "next `trainingrun download digits" in " ".join(digits.page.split())


def test_every_row_of_every_epoch_was_prepared_on_the_data_node(digits: WatchedRun) -> None:
    (placement,) = _of(digits, Placement)
    assert sum(placement.data_rows.values()) == _EPOCHS * _rows(digits)
    assert set(placement.data_rows) == digits.ray.addresses(_DATA)
    pods = [digits.pod_of(address) for address in placement.data_rows]
    assert {pod["spec"]["nodeName"] for pod in pods} == {_DATA_NODE}
    assert {pod["metadata"]["labels"][RAY_GROUP_KEY] for pod in pods} == {RAY_DATA_VALUE}


def test_ray_itself_says_that_data_were_read_on_the_data_node_alone(digits: WatchedRun) -> None:
    readers = {node for actor, node in digits.ray.actors if actor == "DataWorker"}
    assert readers == digits.ray.ids(_DATA)


def test_every_step_was_made_on_the_trainers_node(digits: WatchedRun) -> None:
    (placement,) = _of(digits, Placement)
    assert sorted(rank for ranks in placement.trainer_ranks.values() for rank in ranks) == [0, 1]
    assert set(placement.trainer_ranks) == digits.ray.addresses(_TRAINERS)
    pods = [digits.pod_of(address) for address in placement.trainer_ranks]
    assert {pod["spec"]["nodeName"] for pod in pods} == {_TRAINER_NODE}
    assert {pod["metadata"]["labels"][RAY_GROUP_KEY] for pod in pods} == {RAY_TRAINER_VALUE}


def test_ray_itself_says_that_training_was_on_the_trainers_node_alone(digits: WatchedRun) -> None:
    workers = {node for actor, node in digits.ray.actors if actor == "RayTrainWorker"}
    assert workers == digits.ray.ids(_TRAINERS)


def test_the_machines_are_given_back_after_the_time_to_live(digits: WatchedRun, cluster: Cluster) -> None:
    namespace = digits.namespace.name

    def left() -> set[str]:
        # KubeRay's Service for a RayJob stays as long as the RayJob, which is the record of the attempt.
        kinds = ("pods", "rayclusters", "secrets")
        return {f"{kind}/{each['metadata']['name']}" for kind in kinds for each in cluster.list(kind, namespace)}

    wait_until(lambda: not left(), 180, "no machine is held", left)


def test_deleting_it_leaves_nothing_in_the_cluster_and_its_checkpoints_on_the_volume(
    digits: WatchedRun, cluster: Cluster
) -> None:
    namespace = digits.namespace
    options = [f"--namespace={namespace.name}", "--ignore-not-found", "--timeout=120s"]
    cluster.run("delete", "trainingrun", digits.run.name, *options)
    wait_until(lambda: namespace.objects() == digits.before, 120, "nothing is left", namespace.objects)
    _, _, newest = digits.status["outputs"]["last"]["uri"].removeprefix("pvc://").partition("/")
    assert (namespace.volume / newest / "state.pt").is_file()


def _of(digits: WatchedRun, kind: type[_Kind]) -> list[_Kind]:
    return [record for record in digits.records if isinstance(record, kind)]


def _rows(digits: WatchedRun) -> int:
    """The rows of one epoch, in training and in validation, by what their files say."""
    datasets: dict[str, Any] = digits.document["spec"]["recipe"]["dataset"]
    mounted = digits.document["spec"]["storage"]["persistentVolumeClaim"]["mountPath"]
    folders = [digits.namespace.volume / Path(source["path"]).relative_to(mounted) for source in datasets.values()]
    return sum(int(pq.read_metadata(file).num_rows) for folder in folders for file in folder.glob("*.parquet"))
