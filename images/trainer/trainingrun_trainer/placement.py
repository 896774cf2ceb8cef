"""Where things run: data tasks on the data group, training on the trainer group, and a check that both exist.

The labels are the contract with the operator, which puts them on the groups' nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE, RAY_GROUP_KEY, RAY_TRAINER_VALUE
from trainingrun_trainer.failures.errors import InvalidConfiguration

DATA_SELECTOR = {RAY_DATA_KEY: RAY_DATA_VALUE}
TRAINER_SELECTOR = {RAY_GROUP_KEY: RAY_TRAINER_VALUE}


@dataclass(frozen=True)
class Node:
    """A live Ray node: what it has in all, not what is free; `store_bytes` are its object store's."""

    node_id: str
    name: str
    cpus: float
    gpus: float
    labels: dict[str, str]
    store_bytes: int = 0

    def has(self, selector: dict[str, str]) -> bool:
        """Whether the node carries every label of `selector`."""
        return all(self.labels.get(key) == value for key, value in selector.items())


@dataclass(frozen=True)
class Workers:
    """The training workers that a run asks for; `gpus` and `cpus` are each one's."""

    count: int
    gpus: int
    cpus: float

    def resources(self) -> dict[str, float]:
        """What Ray reserves for one worker."""
        return {"CPU": self.cpus, **({"GPU": float(self.gpus)} if self.gpus else {})}


def live_nodes() -> list[Node]:
    """The cluster's live nodes."""
    import ray

    return [
        Node(
            node_id=node["NodeID"],
            name=_name(node),
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
            labels=dict(node.get("Labels") or {}),
            store_bytes=int(node["Resources"].get("object_store_memory", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def names() -> dict[str, str]:
    """The name of each node that the cluster has or has lost, by its id."""
    import ray

    return {node["NodeID"]: _name(node) for node in ray.nodes()}


def data_slots(nodes: list[Node]) -> int:
    """How many data tasks run at once: the CPUs of the data group."""
    return int(sum(node.cpus for node in nodes if node.has(DATA_SELECTOR)))


def check(nodes: list[Node], workers: Workers) -> None:
    """Fail at once, with a sentence, where Ray would wait forever. Raises InvalidConfiguration."""
    data = [node for node in nodes if node.has(DATA_SELECTOR)]
    trainers = [node for node in nodes if node.has(TRAINER_SELECTOR)]
    if not data:
        raise InvalidConfiguration(_missing("data", DATA_SELECTOR, nodes))
    if not trainers:
        raise InvalidConfiguration(_missing("trainer", TRAINER_SELECTOR, nodes))
    if data_slots(nodes) < 1:
        raise InvalidConfiguration(
            f"spec.data.resourcesPerNode: less than one CPU in total on {_listed(data)}, allowed: at least 1"
        )
    room = sum(_fits(node, workers) for node in trainers)
    if room < workers.count:
        asked = f"{workers.count} worker" if workers.count == 1 else f"{workers.count} workers"
        raise InvalidConfiguration(
            f"spec.trainer: asks for {asked} with {workers.cpus:g} CPU and {workers.gpus} GPU each, "
            f"the trainer nodes have room for {room}: {_listed(trainers)}"
        )
    if both := [node for node in data if node.has(TRAINER_SELECTOR)]:
        raise InvalidConfiguration(
            f"node {both[0].name} carries the labels of both groups; a node must be either for data or for training"
        )


def scaling_config(workers: Workers) -> Any:
    """Ray Train's options that keep the workers on the trainer group."""
    from ray.train import ScalingConfig

    # Typed as the older class of that name, which knows no labels.
    options: dict[str, Any] = {"label_selector": dict(TRAINER_SELECTOR)}
    return ScalingConfig(
        num_workers=workers.count,
        use_gpu=workers.gpus > 0,
        resources_per_worker=workers.resources(),
        **options,
    )


def _name(node: dict[str, Any]) -> str:
    return str(node.get("NodeName") or node["NodeManagerHostname"])


def _fits(node: Node, workers: Workers) -> int:
    # Rounded to Ray's own precision: in binary, one CPU holds a fifth of a CPU only 4.99... times.
    rooms = [round(node.cpus / workers.cpus, 4) // 1] if workers.cpus else []
    if workers.gpus:
        rooms.append(node.gpus // workers.gpus)
    return int(min(rooms, default=workers.count))


def _missing(group: str, selector: dict[str, str], nodes: list[Node]) -> str:
    key, value = next(iter(selector.items()))
    return (
        f"no live node of this Ray cluster carries the label {key}={value} of the {group} group; "
        f"start its nodes with: ray start --labels={key}={value}. Found: {_listed(nodes)}"
    )


def _listed(nodes: list[Node]) -> str:
    shown = [
        f"{node.name} ({node.cpus:g} CPU, {node.gpus:g} GPU"
        + "".join(f", {key}={value}" for key, value in sorted(node.labels.items()) if not key.startswith("ray.io/"))
        + ")"
        for node in nodes[:8]
    ]
    return "; ".join(shown + ([f"and {len(nodes) - 8} more"] if len(nodes) > 8 else [])) or "no nodes"
