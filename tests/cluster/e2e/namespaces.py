"""A namespace for one scenario: restricted pods, a volume with the digits in it, and the runs that it applies.

What was there is kept as files when the scenario ends, whether it passed or not.
"""

from __future__ import annotations

import copy
import json
import shutil
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from cluster_client import Cluster
from run_on_cluster import TrainingRun

from trainingrun.contract.records import LOG_DIRECTORY

_SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
_KINDS = ("trainingruns", "rayjobs", "rayclusters", "pods", "events", "persistentvolumeclaims", "services")
_CLAIM = "cluster-storage"
_NODES = "trainingrun.dev/nodes"
# What a machine with two cores and 24 GiB has room for. Requests are small, so that pods share its cores.
_SMALL = {
    "head": {"resources": {"limits": {"cpu": 2, "memory": "6Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}}},
    "data": {"resourcesPerNode": {"limits": {"cpu": 2, "memory": "4Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}}},
    "trainer": {
        "numNodes": 2,
        "resourcesPerNode": {"limits": {"cpu": 1, "memory": "3Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}},
    },
    "podTemplatePatches": [
        {"target": "Head", "spec": {"nodeSelector": {_NODES: "data"}}},
        {"target": "Data", "spec": {"nodeSelector": {_NODES: "data"}}},
        {"target": "Trainer", "spec": {"nodeSelector": {_NODES: "trainers"}}},
    ],
}


@dataclass
class Namespace:
    """The namespace of a scenario. `volume` is this machine's view of its volume, `artifacts` where files are kept."""

    cluster: Cluster
    name: str
    volume: Path
    artifacts: Path
    runs: list[TrainingRun] = field(default_factory=list)

    def create(self, datasets: Path) -> None:
        """Make the namespace and its volume."""
        shutil.copytree(datasets, self.volume / "datasets", dirs_exist_ok=True)
        for path in (self.volume, *self.volume.rglob("*")):
            # Pods write there as a user that this machine does not know.
            path.chmod(0o777 if path.is_dir() else 0o644)
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": _CLAIM, "namespace": self.name}
        size = {"storage": "1Gi"}
        self.cluster.create_namespace(self.name)
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": self.name},
                "spec": {
                    "capacity": size,
                    "accessModes": ["ReadWriteMany"],
                    "storageClassName": "",
                    "claimRef": claim,
                    "hostPath": {"path": f"/mnt/cluster_storage/{self.name}"},
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": _CLAIM, "namespace": self.name},
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "storageClassName": "",
                    "volumeName": self.name,
                    "resources": {"requests": size},
                },
            },
        )
        # The scheduler would look at a pod again only seconds after the claim is bound.
        bound = "--for=jsonpath={.status.phase}=Bound"
        self.cluster.run("wait", bound, f"persistentvolumeclaim/{_CLAIM}", f"--namespace={self.name}", "--timeout=60s")

    def document(self, sample: str = "digits", **spec: Any) -> dict[str, Any]:
        """A sample as this cluster can run it, with more or other fields in its spec."""
        document = next(each for each in self.sample(sample) if each["kind"] == "TrainingRun")
        document["spec"] = merged(merged(without_gpus(document["spec"]), _SMALL), spec)
        return document

    def sample(self, name: str) -> list[dict[str, Any]]:
        """All objects of a sample, in this namespace."""
        documents: list[dict[str, Any]] = list(yaml.safe_load_all((_SAMPLES / f"{name}.yaml").read_text()))
        for document in documents:
            document["metadata"]["namespace"] = self.name
        return documents

    def apply(self, document: dict[str, Any]) -> TrainingRun:
        """Apply a TrainingRun."""
        self.cluster.apply(document)
        run = TrainingRun(self.cluster, self.name, self.volume, document["metadata"]["name"])
        self.runs.append(run)
        return run

    def objects(self) -> set[str]:
        """Every object in it, of whatever kind, but what only tells of others."""
        listing = self.cluster.run("api-resources", "--namespaced", "--verbs=list", "--output=name").stdout
        kinds = ",".join(kind for kind in listing.split() if kind.partition(".")[0] not in ("events", "bindings"))
        return set(self.cluster.run("get", kinds, f"--namespace={self.name}", "--output=name").stdout.split())

    def add_module(self, name: str, text: str) -> dict[str, str]:
        """Put a module of an author's own where pods see it; returns the variable by which Python finds it there."""
        folder = self.volume / "code"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        (folder / f"{name}.py").write_text(text)
        return {"name": "PYTHONPATH", "value": "/mnt/cluster_storage/code"}

    def keep(self) -> None:
        """Write down what is there: objects, events, pods' logs, the runs' own logs. A scenario may have deleted it."""
        if self.cluster.get("namespace", self.name, "") is None:
            return
        self.artifacts.mkdir(parents=True, exist_ok=True)
        for kind in _KINDS:
            (self.artifacts / f"{kind}.json").write_text(json.dumps(self.cluster.list(kind, self.name), indent=1))
        for pod in self.cluster.list("pods", self.name):
            name = pod["metadata"]["name"]
            words = self.cluster.logs(name, self.name, "--all-containers", "--prefix", "--tail=2000")
            (self.artifacts / f"{name}.log").write_text(words)
        for log in self.volume.glob(f"*/{LOG_DIRECTORY}/*"):
            shutil.copy(log, self.artifacts / f"{log.parts[-3]}-{log.name}")

    def delete(self) -> None:
        """Remove the namespace with all that is in it, and its volume."""
        self.cluster.run("delete", "namespace", self.name, "--ignore-not-found", "--timeout=180s")
        self.cluster.run("delete", "persistentvolume", self.name, "--ignore-not-found", "--timeout=60s")
        for _ in range(10):
            shutil.rmtree(self.volume, ignore_errors=True)
            if not self.volume.exists():
                return
            time.sleep(0.5)


class OpenNamespace(Protocol):
    """Opens the namespace of a scenario, which is called `name`, or after the scenario."""

    def __call__(self, scenario: str, name: str = "") -> AbstractContextManager[Namespace]:
        """The namespace: there while the context is open, kept as files at its end."""
        ...


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Both, `more` over `base`, at every depth; None removes a field."""
    result = copy.deepcopy(base)
    for key, value in more.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def without_gpus(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with no GPU in it: the cluster only pretends to have some."""
    return merged(spec, {"trainer": {"resourcesPerNode": {"limits": {"nvidia.com/gpu": None}}}})
