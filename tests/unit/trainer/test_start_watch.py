"""A run that waits for a cluster that others use says so, once, with what is free and who has the rest."""

from __future__ import annotations

from typing import Any

from trainingrun_trainer.driver.start_watch import Free, Look, StartWatch
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node, Workers

NODES = [
    Node("d", "data-0", 4, 0, dict(DATA_SELECTOR)),
    Node("t", "trainer-0", 4, 1, dict(TRAINER_SELECTOR)),
    Node("h", "head", 0, 0, {}),
]
TWO = Workers(count=2, gpus=0, cpus=2)


def group(state: str, *bundles: dict[str, float]) -> dict[str, Any]:
    return {"placement_group_id": "5f4c1f0a7d5e4b0e", "state": state, "bundles": dict(enumerate(bundles))}


class Cluster:
    """A cluster and its clock, both of which tests change."""

    def __init__(self, data_cpus: float = 4, trainer_cpus: float = 0):
        self.now = 100.0
        self.data_cpus = data_cpus
        self.trainer_cpus = trainer_cpus
        self.groups: tuple[dict[str, Any], ...] = ()
        self.looks = 0

    def look(self) -> Look:
        self.looks += 1
        return Look(NODES, {"d": Free(self.data_cpus, 0), "t": Free(self.trainer_cpus, 1)}, self.groups)

    def watch(self) -> StartWatch:
        return StartWatch(TWO, self.look, lambda: self.now)

    def after(self, watch: StartWatch, seconds: float) -> list[str]:
        """What is said in so many seconds, by a driver that asks twice a second."""
        said = []
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            if (sentence := watch.sentence()) is not None:
                said.append(sentence)
        return said


def test_workers_that_wait_for_15_seconds_are_told_once() -> None:
    cluster = Cluster(trainer_cpus=1)
    cluster.groups = (group("CREATED", {"CPU": 3}), group("PENDING", {"CPU": 2}, {"CPU": 2}))
    watch = cluster.watch()
    assert cluster.after(watch, 15) == []
    assert cluster.after(watch, 60) == [
        "waiting for the cluster: training needs 2 x (2 CPU, 0 GPU) on the trainer group, where 1 CPU and 1 GPU are "
        "free, and 1 CPU on the data group, where 4 are free; placement groups of other programs have 5f4c1f0a (3 CPU)"
    ]


def test_workers_that_have_their_place_wait_for_nothing() -> None:
    """Their own group has taken all that there was."""
    cluster = Cluster(trainer_cpus=0)
    cluster.groups = (group("CREATED", {"CPU": 2}, {"CPU": 2}), group("REMOVED", {"CPU": 2}))
    assert cluster.after(cluster.watch(), 60) == []


def test_a_short_wait_is_not_worth_a_word() -> None:
    cluster = Cluster()
    cluster.groups = (group("PENDING", {"CPU": 2}),)
    watch = cluster.watch()
    assert cluster.after(watch, 10) == []
    cluster.groups = (group("CREATED", {"CPU": 2}),)
    assert cluster.after(watch, 60) == []


def test_data_nodes_that_others_use_are_told() -> None:
    cluster = Cluster(data_cpus=0.5)
    (said,) = cluster.after(cluster.watch(), 60)
    assert "1 CPU on the data group, where 0.5 are free; tasks and actors of other programs have the rest" in said


def test_data_nodes_that_this_run_uses_are_not() -> None:
    cluster = Cluster(data_cpus=1)
    watch = cluster.watch()
    cluster.data_cpus = 0
    assert cluster.after(watch, 60) == []


def test_the_cluster_is_asked_now_and_then() -> None:
    cluster = Cluster()
    cluster.after(cluster.watch(), 60)
    assert cluster.looks <= 32
