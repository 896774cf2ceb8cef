"""Runs as different as their authors: data in a bucket, a notebook's transform, a script, the longest names.

They train at the same time, two in one namespace and one in another, so that it shows if one is in another's way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import s3_server
from cluster_client import Cluster
from container_tool import find_tool
from namespaces import Namespace, OpenNamespace
from own_image import IMAGE, load_own_image
from run_on_cluster import TrainingRun
from s3_server import ObjectStore
from timings import Timings

from trainingrun.contract.labels import RAY_GROUP_KEY, RUN_NAME_KEY, RUN_UID_KEY
from trainingrun.contract.records import LOG_DIRECTORY, EpochEnded, Notice, Placement, Record, parse_line

pytestmark = pytest.mark.extended

_PATIENCE = 1500
_LONGEST = 63
# A namespace and a run of the longest names that there are.
_NAMESPACE = "e2e-a-namespace-of-the-longest-name".ljust(_LONGEST, "x")
_NAME = "own-script-of-the-longest-name".ljust(_LONGEST, "x")
_PLACES = "places.json"
_SMALL = {"trainer": {"numNodes": 1}, "data": {"numNodes": 1}}
_Kind = TypeVar("_Kind", bound=Record)


@dataclass(frozen=True)
class Kinds:
    """The runs, over. `pods` are those of each while it trained, by the name of the run."""

    store: ObjectStore
    bucket: TrainingRun
    notebook: TrainingRun
    script: TrainingRun
    pods: dict[str, list[dict[str, Any]]]

    def records(self, run: TrainingRun) -> list[Record]:
        """What a run has recorded, wherever it did."""
        if run is not self.bucket:
            return run.records()
        prefix = f"runs/{run.read()['metadata']['uid']}/{LOG_DIRECTORY}/"
        (log,) = self.store.read("training", prefix, ".jsonl").values()
        return list(filter(None, map(parse_line, log.splitlines())))

    def only(self, run: TrainingRun, kind: type[_Kind]) -> list[_Kind]:
        """What it has recorded of one kind."""
        return [record for record in self.records(run) if isinstance(record, kind)]

    def addresses(self, run: TrainingRun, group: str) -> set[str]:
        """The addresses of a run's pods of one group, by which Ray knows its nodes."""
        pods = [pod for pod in self.pods[run.name] if pod["metadata"]["labels"][RAY_GROUP_KEY] == group]
        return {pod["status"]["podIP"] for pod in pods}


@pytest.fixture(scope="module")
def own_image(cluster: Cluster, shared_timings: Timings) -> str:
    """The image with a user's own code, in the nodes."""
    load_own_image(find_tool(cluster.kubeconfig.parent))
    shared_timings.mark("own image in the nodes")
    return IMAGE


@pytest.fixture(scope="module")
def kinds(
    own_image: str, shared_namespace: Namespace, open_namespace: OpenNamespace, shared_timings: Timings
) -> Iterator[Kinds]:
    """All of them, applied one after the other and then waited for."""
    with open_namespace("test_many_kinds_of_runs_elsewhere", _NAMESPACE) as elsewhere:
        store = s3_server.start(shared_namespace)
        shared_timings.mark("object store")
        bucket = shared_namespace.apply(_in_a_bucket(shared_namespace, store))
        notebook = shared_namespace.apply(_with_a_notebook_s_transform(shared_namespace, own_image))
        script = elsewhere.apply(_a_script(elsewhere, own_image))
        runs = (bucket, notebook, script)
        pods = {}
        for run in runs:
            run.wait_for("PodsReady", _PATIENCE)
            pods[run.name] = run.pods()
        shared_timings.mark("pods ready")
        for run in runs:
            run.wait_until_over(_PATIENCE)
        shared_timings.mark("all over")
        yield Kinds(store, bucket, notebook, script, pods)


def _in_a_bucket(namespace: Namespace, store: ObjectStore) -> dict[str, Any]:
    secret, _ = namespace.sample("s3")
    namespace.cluster.apply({**secret, "stringData": store.variables})
    return namespace.document("s3", recipe={"epochs": 2}, **_SMALL)


def _with_a_notebook_s_transform(namespace: Namespace, image: str) -> dict[str, Any]:
    transform = {"function": "my_training.transforms:transform_images", "kind": "Row"}
    recipe = {"transform": transform, "epochs": 2}
    return namespace.document("persistent-volume", image=image, recipe=recipe, **_SMALL)


def _a_script(namespace: Namespace, image: str) -> dict[str, Any]:
    document = namespace.document("own-script", image=image, **_SMALL)
    document["metadata"]["name"] = _NAME
    document["spec"]["trainer"]["args"] += ["--epochs=4", f"--places=/mnt/cluster_storage/{_PLACES}"]
    return document


@pytest.mark.parametrize("kind", ["bucket", "notebook", "script"])
def test_a_run_of_each_kind_completes_in_one_attempt(kinds: Kinds, kind: str) -> None:
    run: TrainingRun = getattr(kinds, kind)
    assert run.is_true("Complete"), run.shown()
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]
    assert run.status["trainerStatus"]["progressPercentage"] == 100


def test_data_and_checkpoints_are_in_a_bucket(kinds: Kinds) -> None:
    epochs = kinds.only(kinds.bucket, EpochEnded)
    assert [record.epoch for record in epochs] == [0, 1]
    assert epochs[-1].metrics["loss"] < epochs[0].metrics["loss"]
    newest = kinds.bucket.status["outputs"]["last"]["uri"]
    assert newest.startswith("s3://training/runs/")
    keys = kinds.store.keys("training", newest.removeprefix("s3://training/"))
    assert {"manifest.json", "state.pt"} <= {key.rpartition("/")[2] for key in keys}


def test_a_run_in_a_bucket_needs_no_volume(kinds: Kinds) -> None:
    volumes = [volume for pod in kinds.pods[kinds.bucket.name] for volume in pod["spec"]["volumes"]]
    assert not [volume["name"] for volume in volumes if "persistentVolumeClaim" in volume]


def test_a_row_transform_written_for_a_notebook_prepares_every_row_on_the_data_node(kinds: Kinds) -> None:
    epochs = kinds.only(kinds.notebook, EpochEnded)
    assert epochs[-1].metrics["loss"] < epochs[0].metrics["loss"]
    (placement,) = kinds.only(kinds.notebook, Placement)
    assert set(placement.data_rows) == kinds.addresses(kinds.notebook, "data")
    assert sum(placement.data_rows.values()) >= sum(record.rows for record in epochs)


def test_its_author_is_told_what_the_batch_form_would_give(kinds: Kinds) -> None:
    told = [record.message for record in kinds.only(kinds.notebook, Notice) if "batch form" in record.message]
    assert len(told) == 1
    assert "my_training.transforms:transform_images" in told[0] and "produced the same values" in told[0]


def test_checkpoints_of_a_run_on_a_volume_are_on_it(kinds: Kinds) -> None:
    newest = kinds.notebook.status["outputs"]["last"]["uri"]
    folder = newest.removeprefix("pvc://cluster-storage/")
    assert (kinds.notebook.volume / folder / "state.pt").is_file()


def test_a_script_of_one_s_own_trains_in_an_image_of_four_lines(kinds: Kinds) -> None:
    metrics = {metric["name"]: metric["value"] for metric in kinds.script.status["trainerStatus"]["metrics"]}
    assert float(metrics["accuracy"]) > 0.9
    assert {pod["spec"]["containers"][0]["image"] for pod in kinds.pods[kinds.script.name]} == {IMAGE}


def test_data_and_training_of_a_script_are_placed_as_those_of_a_recipe(kinds: Kinds) -> None:
    places = json.loads((kinds.script.volume / _PLACES).read_text())
    assert set(places["data"]) == kinds.addresses(kinds.script, "data")
    assert {places["trainer"]} == kinds.addresses(kinds.script, "trainer")


def test_a_run_may_have_the_longest_name_in_a_namespace_of_the_longest_name(kinds: Kinds) -> None:
    assert len(kinds.script.name) == len(kinds.script.namespace) == _LONGEST
    pods = kinds.pods[kinds.script.name]
    assert len(pods) == 3
    assert {pod["metadata"]["labels"][RUN_NAME_KEY] for pod in pods} == {kinds.script.name}


def test_a_longer_name_is_refused_by_the_api_server(shared_namespace: Namespace) -> None:
    document = shared_namespace.document("suspended")
    document["metadata"]["name"] = "x" * (_LONGEST + 1)
    with pytest.raises(AssertionError, match=str(_LONGEST)):
        shared_namespace.apply(document)


def test_runs_train_at_the_same_time_each_on_pods_of_its_own(kinds: Kinds) -> None:
    runs = (kinds.bucket, kinds.notebook, kinds.script)
    attempts = [run.attempts[0] for run in runs]
    # Kubernetes' times compare as text.
    assert max(attempt["startTime"] for attempt in attempts) < min(attempt["endTime"] for attempt in attempts)
    uids = {run.name: run.read()["metadata"]["uid"] for run in runs}
    for name, pods in kinds.pods.items():
        assert {pod["metadata"]["labels"][RUN_UID_KEY] for pod in pods} == {uids[name]}
        assert len(pods) == 3


def test_nothing_of_a_run_is_in_another_namespace(kinds: Kinds, cluster: Cluster) -> None:
    for run in (kinds.bucket, kinds.script):
        selector = f"{RUN_UID_KEY}={run.read()['metadata']['uid']}"
        found = cluster.run("get", "rayjobs,rayclusters,pods", "--all-namespaces", f"--selector={selector}", "-ojson")
        items = json.loads(found.stdout)["items"]
        assert items
        assert {item["metadata"]["namespace"] for item in items} == {run.namespace}
