"""Ray's own account of a run: which nodes there were, and on which of them its actors ran.

It is asked in the head's pod, after training: this takes a second of a processor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from run_on_cluster import TrainingRun

_QUESTION = """
import json
from ray.util.state import list_actors, list_nodes
print(json.dumps({
    "nodes": [[node.node_id, node.node_ip, node.labels] for node in list_nodes(detail=True)],
    "actors": [[actor.class_name, actor.node_id] for actor in list_actors(limit=1_000)],
}))
"""


@dataclass(frozen=True)
class Node:
    """A node of Ray; `address` is that of its pod."""

    node_id: str
    address: str
    labels: dict[str, str]


@dataclass(frozen=True)
class RayView:
    """`actors` are pairs of their class and the id of the node that they ran on."""

    nodes: list[Node]
    actors: list[tuple[str, str]]

    def ids(self, labels: Mapping[str, str]) -> set[str]:
        """The nodes with these labels, by their ids."""
        return {node.node_id for node in self.nodes if labels.items() <= node.labels.items()}

    def addresses(self, labels: Mapping[str, str]) -> set[str]:
        """The nodes with these labels, by their addresses."""
        return {node.address for node in self.nodes if labels.items() <= node.labels.items()}


def ask(run: TrainingRun) -> RayView:
    """Ask the run's head. Its pods must still be there."""
    head = run.pods("head")[0]["metadata"]["name"]
    inside = ["--namespace", run.namespace, "--container", "ray-head", head, "--", "python", "-c", _QUESTION]
    answer: dict[str, Any] = json.loads(run.cluster.run("exec", *inside).stdout.splitlines()[-1])
    return RayView(
        nodes=[Node(*node) for node in answer["nodes"]],
        actors=[(name, node) for name, node in answer["actors"]],
    )
