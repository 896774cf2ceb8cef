"""A cluster that cannot hold the run is refused with a sentence, where Ray would wait for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node, Workers, check, data_slots


def node(name: str, cpus: float = 4, gpus: float = 0, **labels: str) -> Node:
    return Node(node_id=name * 8, name=name, cpus=cpus, gpus=gpus, labels=labels)


def data(name: str = "data-0", cpus: float = 4) -> Node:
    return node(name, cpus, 0, **DATA_SELECTOR)


def trainer(name: str = "trainer-0", cpus: float = 4, gpus: float = 0) -> Node:
    return node(name, cpus, gpus, **TRAINER_SELECTOR)


def refused(nodes: list[Node], workers: Workers) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        check(nodes, workers)
    return str(caught.value)


ONE = Workers(count=1, gpus=0, cpus=1)


def test_a_cluster_with_both_groups_and_room_is_accepted() -> None:
    check([node("head", 0), data(), trainer()], ONE)
    check([data(), trainer("a", 8, 4), trainer("b", 8, 4)], Workers(count=8, gpus=1, cpus=2))
    check([data(), trainer(cpus=0)], Workers(count=5, gpus=0, cpus=0))


def test_no_data_group() -> None:
    assert refused([node("head", 0), trainer()], ONE) == (
        "no live node of this Ray cluster carries the label ray-subcluster=data of the data group; start its nodes "
        "with: ray start --labels=ray-subcluster=data. Found: head (0 CPU, 0 GPU); "
        "trainer-0 (4 CPU, 0 GPU, trainingrun.dev/group=trainer)"
    )


def test_no_trainer_group() -> None:
    message = refused([data()], ONE)
    assert message.startswith(
        "no live node of this Ray cluster carries the label trainingrun.dev/group=trainer of the trainer group; "
        "start its nodes with: ray start --labels=trainingrun.dev/group=trainer. Found: data-0"
    )
    assert refused([], ONE).endswith("Found: no nodes")


def test_labels_of_rays_own_and_long_lists_are_cut() -> None:
    many = [node(f"n{i}", **{"ray.io/zone": "x", "team": "y"}) for i in range(12)]
    message = refused(many, ONE)
    assert "n7 (4 CPU, 0 GPU, team=y); and 4 more" in message
    assert "ray.io" not in message


def test_a_data_group_without_a_cpu() -> None:
    message = refused([data(cpus=0.5), trainer()], ONE)
    assert message.startswith("spec.data.resourcesPerNode: ")
    assert message.endswith("allowed: at least 1")
    assert "data-0 (0.5 CPU" in message


def test_too_little_room_for_the_workers() -> None:
    assert refused([data(), trainer("t", 4, 1)], Workers(count=2, gpus=1, cpus=2)) == (
        "spec.trainer: asks for 2 workers with 2 CPU and 1 GPU each, the trainer nodes have room for 1: "
        "t (4 CPU, 1 GPU, trainingrun.dev/group=trainer)"
    )
    assert "have room for 2" in refused([data(), trainer("a", 3), trainer("b", 3)], Workers(count=3, gpus=0, cpus=2))


def test_a_node_of_both_groups() -> None:
    both = node("both", **DATA_SELECTOR, **TRAINER_SELECTOR)
    assert refused([both], ONE) == (
        "node both carries the labels of both groups; a node must be either for data or for training"
    )


@given(st.integers(1, 64), st.integers(1, 8))
def test_workers_that_share_a_cpu_evenly_fit(count: int, cpus: int) -> None:
    check([data(), trainer(cpus=cpus)], Workers(count=count, gpus=0, cpus=cpus / count))


@given(st.integers(1, 64), st.integers(1, 64))
def test_one_worker_too_many_does_not_fit(cpus: int, each: int) -> None:
    with pytest.raises(InvalidConfiguration):
        check([data(), trainer(cpus=cpus)], Workers(count=cpus // each + 1, gpus=0, cpus=each))


def test_data_tasks_are_counted_on_the_data_group_only() -> None:
    assert data_slots([node("head", 16), data(cpus=4), data("data-1", 2.5), trainer()]) == 6


def test_a_worker_reserves_no_gpu_that_it_does_not_have() -> None:
    assert Workers(count=2, gpus=0, cpus=2).resources() == {"CPU": 2}
    assert Workers(count=2, gpus=1, cpus=0.5).resources() == {"CPU": 0.5, "GPU": 1.0}
