"""Says why training does not begin on a cluster that others use: what it waits for, what is free and who has the rest.

Ray waits without a word. This watch must not end the wait: others may finish.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ray._private.state
from ray.util import placement_group_table

from trainingrun_trainer import placement
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node, Workers

_PATIENCE_SECONDS = 15.0
_LOOK_SECONDS = 2.0
_SHOWN_HOLDERS = 3


@dataclass(frozen=True)
class Free:
    """What is free on a node now."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Look:
    """The cluster at one moment: its nodes, what is free by node id, and Ray's table of placement groups."""

    nodes: list[Node]
    free: dict[str, Free]
    groups: tuple[dict[str, Any], ...]

    def free_of(self, selector: dict[str, str]) -> list[Free]:
        """What is free on each node of a group."""
        return [self.free.get(node.node_id, Free(0, 0)) for node in self.nodes if node.has(selector)]


def look_at_cluster() -> Look:
    """The cluster as it is now."""
    available = ray._private.state.available_resources_per_node()
    free = {node: Free(found.get("CPU", 0.0), found.get("GPU", 0.0)) for node, found in available.items()}
    return Look(placement.live_nodes(), free, tuple(placement_group_table().values()))


class StartWatch:
    """Watches from before the training workers are asked for. `clock` is in seconds."""

    def __init__(
        self,
        workers: Workers,
        look: Callable[[], Look] = look_at_cluster,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._workers = workers
        self._look = look
        self._clock = clock
        self._next = clock()
        self._since: float | None = None
        self._is_told = False
        # Before there is any task of this run: afterwards it may be this run's own that hold them.
        self._lacked_data_cpus = _lacks_data_cpus(look())

    def sentence(self) -> str | None:
        """Why training has not begun, once it has waited for 15 seconds; None before, and after it was said."""
        now = self._clock()
        if self._is_told or now < self._next:
            return None
        self._next = now + _LOOK_SECONDS
        look = self._look()
        is_waiting = any(group["state"] == "PENDING" for group in look.groups)
        if not is_waiting and not (self._lacked_data_cpus and _lacks_data_cpus(look)):
            self._since = None
            return None
        self._since = now if self._since is None else self._since
        if now - self._since < _PATIENCE_SECONDS:
            return None
        self._is_told = True
        return _sentence(look, self._workers)


def _lacks_data_cpus(look: Look) -> bool:
    return all(free.cpus < 1 for free in look.free_of(DATA_SELECTOR))


def _sentence(look: Look, workers: Workers) -> str:
    trainer, data = _sum(look.free_of(TRAINER_SELECTOR)), _sum(look.free_of(DATA_SELECTOR))
    return (
        f"waiting for the cluster: training needs {workers.count} x ({workers.cpus:g} CPU, {workers.gpus} GPU) on the "
        f"trainer group, where {trainer.cpus:g} CPU and {trainer.gpus:g} GPU are free, and 1 CPU on the data group, "
        f"where {data.cpus:g} are free; {_holders(look.groups)}"
    )


def _sum(free: Iterable[Free]) -> Free:
    found = list(free)
    return Free(sum(node.cpus for node in found), sum(node.gpus for node in found))


def _holders(groups: Iterable[dict[str, Any]]) -> str:
    """Placement groups that hold resources. They are a run's whose driver was killed, or another program's."""
    held = [group for group in groups if group["state"] == "CREATED"]
    if not held:
        return "tasks and actors of other programs have the rest"
    shown = [f"{group['placement_group_id'][:8]} ({_contents(group)})" for group in held[:_SHOWN_HOLDERS]]
    more = f" and {len(held) - _SHOWN_HOLDERS} more" if len(held) > _SHOWN_HOLDERS else ""
    return f"placement groups of other programs have {', '.join(shown)}{more}"


def _contents(group: dict[str, Any]) -> str:
    bundles = list(group["bundles"].values())
    totals = {name: sum(bundle.get(name, 0.0) for bundle in bundles) for name in ("CPU", "GPU")}
    return ", ".join(f"{total:g} {name}" for name, total in totals.items() if total) or "nothing counted"
