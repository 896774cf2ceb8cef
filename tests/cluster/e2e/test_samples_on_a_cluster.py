"""Every sample, and every run of the documentation, is taken by a real cluster as it stands in its file.

They ask for more than the test cluster has, so that none of them trains: each comes as far as what it waits for, and
says so. All of them at once, in namespaces that admit restricted pods only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_client import Cluster, wait_until
from namespaces import merged
from run_on_cluster import TrainingRun

pytestmark = pytest.mark.extended

_ROOT = Path(__file__).parents[3]
_SAMPLES = sorted((_ROOT / "manifests" / "samples").glob("*.yaml"))
_PAGES = sorted([_ROOT / "README.md", *(_ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMESPACE = "e2e-samples"
# That of the sample which names one.
_TRAINING = "training"
_KINDS = ("rayjobs", "rayclusters", "pods")
# What PodsReady says of each: one of these reasons, and these words ({name}: the run's). There is no room for most of
# them, nor the claim that they name, until one of them brings it.
_UNSCHEDULABLE = (("Unschedulable",), "Pod {name}-")
_WAITS = {
    "digits": _UNSCHEDULABLE,
    "images-resnet18": (("Refused",), "no PriorityClass with name training"),
    "later": (("Suspended",), ""),
    "mnist": _UNSCHEDULABLE,
    "mnist-cpu": _UNSCHEDULABLE,
    "on-a-volume": _UNSCHEDULABLE,
    # These may have a pod where a node is large enough, which then finds no bucket, or not even the Secret.
    "mnist-gpu": (("Unschedulable", "PodsStarting", "ContainerError", "AllPodsReady"), ""),
    "on-s3": (("Unschedulable", "PodsStarting", "ContainerError", "AllPodsReady"), ""),
    "own-code": _UNSCHEDULABLE,
    "own-entrypoint": _UNSCHEDULABLE,
    "own-script": _UNSCHEDULABLE,
    "queued": (("Unschedulable", "ContainerError"), ""),
    "reviews": _UNSCHEDULABLE,
}


@pytest.fixture(scope="module")
def namespaces(cluster: Cluster) -> Iterator[None]:
    """Empty and restricted; the samples bring what they need, or wait for it."""
    for name in (_NAMESPACE, _TRAINING):
        cluster.create_namespace(name)
    yield
    for name in (_NAMESPACE, _TRAINING):
        cluster.run("delete", "namespace", name, "--timeout=300s")


@pytest.fixture(scope="module")
def samples(cluster: Cluster, namespaces: None) -> dict[str, TrainingRun]:
    """The runs of all samples, applied file by file."""
    runs: dict[str, TrainingRun] = {}
    for file in _SAMPLES:
        documents = list(yaml.safe_load_all(file.read_text()))
        namespace = next((d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"]), _NAMESPACE)
        cluster.run("apply", f"--filename={file}", f"--namespace={namespace}")
        names = [document["metadata"]["name"] for document in documents if document["kind"] == "TrainingRun"]
        runs |= {name: TrainingRun(cluster, namespace, Path(), name) for name in names}
    return runs


@pytest.fixture(scope="module")
def documented(cluster: Cluster, namespaces: None) -> list[TrainingRun]:
    """The runs of the documentation; a part of one is put into the smallest sample."""
    smallest: dict[str, Any] = yaml.safe_load((_ROOT / "manifests" / "samples" / "minimal.yaml").read_text())
    runs = []
    for page in _PAGES:
        for number, text in enumerate(_BLOCK.findall(page.read_text())):
            (document,) = yaml.safe_load_all(text)
            if "kind" not in document:
                document = {**smallest, "spec": merged(smallest["spec"], _with_one_storage(document))}
            name = f"{page.stem.lower()}-{number}"
            cluster.apply({**document, "metadata": {"name": name, "namespace": _NAMESPACE}})
            runs.append(TrainingRun(cluster, _NAMESPACE, Path(), name))
    return runs


def test_every_sample_is_applied(samples: dict[str, TrainingRun]) -> None:
    assert sorted(samples) == sorted(_WAITS)


@pytest.mark.parametrize("name", _WAITS)
def test_a_sample_says_what_it_waits_for(samples: dict[str, TrainingRun], name: str) -> None:
    run, (reasons, words) = samples[name], _WAITS[name]
    words = words.format(name=name)

    def is_told() -> bool:
        ready = run.condition("PodsReady")
        return ready.get("reason") in reasons and words in ready["message"]

    wait_until(is_told, 120, f"{reasons}: {words}", run.shown)
    assert run.is_true("Accepted")
    assert len(run.attempts) == (0 if name == "later" else 1)


def test_every_run_of_the_documentation_gets_its_pods(documented: list[TrainingRun]) -> None:
    assert len(documented) > 5
    for run in documented:
        wait_until(lambda run=run: len(run.pods()) > 2, 120, "pods", run.shown)


def test_samples_that_are_deleted_leave_nothing(
    samples: dict[str, TrainingRun], documented: list[TrainingRun], cluster: Cluster
) -> None:
    for namespace in (_NAMESPACE, _TRAINING):
        cluster.run("delete", "trainingruns", "--all", f"--namespace={namespace}", "--timeout=120s")
    for kind in _KINDS:
        for namespace in (_NAMESPACE, _TRAINING):
            wait_until(lambda k=kind, n=namespace: not cluster.list(k, n), 120, f"no {kind} in {namespace}")


def _with_one_storage(part: dict[str, Any]) -> dict[str, Any]:
    """A run has a bucket or a volume, never both."""
    return merged({"storage": {"persistentVolumeClaim": None}}, part) if "uri" in part.get("storage", {}) else part
