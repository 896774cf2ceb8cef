"""Virtual nodes start one after the other, each with GPUs of its own, and a start that fails is tried once more."""

from __future__ import annotations

from typing import Any

import pytest

from trainingrun_trainer.failures.errors import NodesLost
from trainingrun_trainer.local import virtual_cluster as cluster
from trainingrun_trainer.local.machine import Size


class Nodes:
    """Stands in for Ray's nodes: what is started and stopped, and which starts fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...] = ()):
        self.log: list[str] = []
        self.options: dict[str, dict[str, Any]] = {}
        self._failing = list(failing)
        monkeypatch.setattr(cluster, "new_node", FakeNode)
        monkeypatch.setattr(cluster, "start_node", self._start)
        monkeypatch.setattr(cluster, "stop_node", lambda node: self.log.append(f"stop {node.name}"))

    def _start(self, node: FakeNode, options: dict[str, Any], *, is_head: bool) -> None:
        node.name = options["node_name"]
        self.options[node.name] = options
        self.log.append(f"start {node.name}")
        assert is_head == (node.name == "data-0")
        if node.name in self._failing:
            self._failing.remove(node.name)
            raise TimeoutError("The current node timed out during startup.\nThis is a long story.")
        node.gcs_address = "127.0.0.1:6379"


class FakeNode:
    name = "never started"
    gcs_address = ""


def size(gpus: tuple[str, ...] = (), data_nodes: int = 1) -> Size:
    return Size(
        trainers=4,
        trainer_nodes=2,
        cpus_per_trainer=1,
        gpus_per_trainer=len(gpus) // 4,
        data_nodes=data_nodes,
        data_cpus=2,
        object_store_bytes=128 << 20,
        gpus=gpus,
    )


def test_no_two_nodes_see_the_same_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray counts each node's GPUs from 0, so two nodes that see all of them would both use the first."""
    nodes = Nodes(monkeypatch)
    with cluster.virtual_cluster(size(("3", "1", "GPU-5f", "0"))):
        seen = {name: options["env_vars"]["CUDA_VISIBLE_DEVICES"] for name, options in nodes.options.items()}
    assert seen == {"data-0": "", "trainer-0": "3,1", "trainer-1": "GPU-5f,0"}
    assert [options["num_gpus"] for options in nodes.options.values()] == [0, 2, 2]


def test_nodes_are_stopped_in_the_end_and_the_head_last(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch)
    with cluster.virtual_cluster(size()) as address:
        assert address == "127.0.0.1:6379"
        assert nodes.log == ["start data-0", "start trainer-0", "start trainer-1"]
    assert nodes.log[3:] == ["stop trainer-1", "stop trainer-0", "stop data-0"]


def test_the_first_data_node_is_the_head_which_alone_starts_what_a_cluster_has_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = Nodes(monkeypatch)
    with cluster.virtual_cluster(size(data_nodes=2)):
        pass
    assert nodes.options["data-0"].items() >= {"num_cpus": 1, "include_dashboard": False, "no_monitor": True}.items()
    for name in ("data-1", "trainer-0"):
        others = {"gcs_address": "127.0.0.1:6379", "include_log_monitor": False}
        assert nodes.options[name].items() >= others.items()


@pytest.mark.parametrize("name", ["data-0", "data-1", "trainer-1"])
def test_a_node_that_does_not_start_is_tried_once_more(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    nodes = Nodes(monkeypatch, failing=(name,))
    with cluster.virtual_cluster(size(data_nodes=2)):
        first = nodes.log.index(f"start {name}")
        assert nodes.log[first : first + 3] == [f"start {name}", f"stop {name}", f"start {name}"]


def test_a_node_that_never_starts_is_an_outage_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, failing=("trainer-0", "trainer-0"))
    with pytest.raises(NodesLost) as caught, cluster.virtual_cluster(size()):
        pass
    assert str(caught.value) == (
        "Ray's node trainer-0 did not start on this machine in 2 tries (The current node timed out during startup.), "
        "usually because the machine is busy; run the same command again"
    )
    assert nodes.log[-1] == "stop data-0"


def test_a_node_that_never_began_is_stopped_without_harm() -> None:
    cluster.stop_node(cluster.new_node())
