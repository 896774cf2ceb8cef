"""A Ray cluster of virtual nodes in this machine, with the labels that the operator gives to real ones.

Its processes die with this one, however it ends: Ray ties them to their parent in the kernel. It leaves no trace that
other programs could take for a cluster of theirs, as Ray's own cluster for tests would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from trainingrun.contract.variables import RAY_PRELOAD, THREADS
from trainingrun_trainer.failures.errors import NodesLost
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.machine import CUDA_VISIBLE_DEVICES
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR

# Ray reads them from the environment; what of them the environment sets already is respected.
_RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",  # what matters of its log is in our records
    # As many workers as the head has CPUs, started when the driver connects, whether or not a run needs them by then:
    # https://github.com/ray-project/ray/issues/12052
    "RAY_prestart_worker_first_driver": "0",
    # Otherwise a node starts only as many workers at a time as it has CPUs, and each loads for seconds: the hub, Ray
    # Train's actors and data workers would wait for one another.
    "RAY_worker_maximum_startup_concurrency": "8",
}
# A node gives itself up when its agent, a Python program, has not said its port in 15 seconds: on a busy machine, that
# happens. Another try finds the program's files in memory.
_TRIES = 2
_NODE_SECONDS = 60


# What a process of Ray's loads before it is given anything to do, by module names.


@contextmanager
def virtual_cluster(size: Size) -> Iterator[str]:
    """The address of a cluster for one run; see `nodes_of`."""
    with nodes_of(size) as nodes:
        yield nodes.address


@contextmanager
def nodes_of(size: Size, preloaded: Mapping[str, Sequence[str]] = MappingProxyType({})) -> Iterator[Nodes]:
    """Data nodes, of which the first is Ray's head too, then trainer nodes, one after the other.

    Each node costs three processes and seconds, and a head of its own would do nothing: what runs on it, the driver and
    actors without a CPU, runs beside data workers as well. Everything is shut down at the end. `preloaded` are modules
    that the processes of a group, "data" or "trainer", load as they start. Raises NodesLost where a node does not.
    """
    settle_environment()
    nodes = Nodes()
    try:
        for index, share in enumerate(size.cpus_of_data_nodes()):
            extra = _variables(1, preloaded.get("data", ()))
            nodes.add(f"data-{index}", DATA_SELECTOR, cpus=share, store_bytes=size.object_store_bytes, variables=extra)
        cpus = size.trainers // size.trainer_nodes * size.cpus_per_trainer
        extra = _variables(size.cpus_per_trainer, preloaded.get("trainer", ()))
        for index in range(size.trainer_nodes):
            nodes.add(
                f"trainer-{index}",
                TRAINER_SELECTOR,
                cpus=cpus,
                store_bytes=size.object_store_bytes,
                gpus=size.gpus_of_node(index),
                variables=extra,
            )
        yield nodes
    finally:
        nodes.end()


def settle_environment() -> None:
    """Set what Ray's processes read; what the environment sets already stays."""
    for name, value in _RAY_SETTINGS.items():
        os.environ.setdefault(name, value)


def _variables(cpus: int, preloaded: Sequence[str]) -> dict[str, str]:
    """Of a group's processes, which have `cpus` each.

    Ray gives each as many threads as it has CPUs, but only once it has a task, when torch is loaded already.
    """
    if not preloaded:
        return {}
    return {RAY_PRELOAD: ",".join(preloaded), THREADS: os.environ.get(THREADS, str(cpus))}


class Nodes:
    """The cluster's nodes, the head first."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []

    @property
    def address(self) -> str:
        """Where a driver connects to."""
        return str(self._nodes[0].gcs_address)

    def add(
        self,
        name: str,
        labels: Mapping[str, str],
        *,
        cpus: float,
        store_bytes: int,
        gpus: tuple[str, ...] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start a node and wait until it is part of the cluster. It sees no GPUs but these, and counts them from 0."""
        options = {
            "node_name": name,
            "labels": dict(labels),
            "num_cpus": cpus,
            "num_gpus": len(gpus),
            "object_store_memory": store_bytes,
            "env_vars": {CUDA_VISIBLE_DEVICES: ",".join(gpus), **variables},
        }
        if self._nodes:
            options |= {"gcs_address": self.address, "redis_address": self.address, "include_log_monitor": False}
        else:
            # Without the autoscaler's monitor: the cluster stays as it is.
            options |= {"include_dashboard": False, "no_monitor": True}
        for _ in range(_TRIES):
            node = new_node()
            try:
                start_node(node, options, is_head=not self._nodes)
            except Exception as error:  # Ray raises whatever it comes upon
                stop_node(node)
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
            else:
                self._nodes.append(node)
                return
        raise NodesLost(
            f"Ray's node {name} did not start on this machine in {_TRIES} tries ({reason}), usually because the "
            "machine is busy; run the same command again"
        )

    def is_whole(self) -> bool:
        """Whether no process of any node has ended."""
        return all(node.remaining_processes_alive() for node in self._nodes)

    def end(self) -> None:
        """Stop all, the head last."""
        while self._nodes:
            stop_node(self._nodes.pop())


def new_node() -> Any:
    """A node of Ray that is not yet started, so that one whose start fails can be stopped."""
    from ray._private.node import Node

    return Node.__new__(Node)


def start_node(node: Any, options: dict[str, Any], *, is_head: bool) -> None:
    """Start the node's processes, and wait until it is part of the cluster."""
    from ray._private import services
    from ray._private.parameter import RayParams

    params = RayParams(min_worker_port=0, max_worker_port=0, **options)
    if not is_head:
        # Any free ports, since the head's are taken.
        params.node_manager_port = 0
        params.dashboard_agent_listen_port = None
    node.__init__(params, head=is_head, shutdown_at_exit=True, spawn_reaper=True)
    services.wait_for_node(node.gcs_address, node.plasma_store_socket_name, _NODE_SECONDS)


def stop_node(node: Any) -> None:
    """Stop the processes of a node, whose start may have failed anywhere."""
    if not hasattr(node, "all_processes"):
        return
    node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)
