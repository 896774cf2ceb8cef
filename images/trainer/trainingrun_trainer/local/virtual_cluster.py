"""A Ray cluster of virtual nodes in this machine, with the labels that the operator gives to real ones.

Its processes die with this one, however it ends: Ray ties them to their parent in the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR

_HEAD_STORE_BYTES = 128 << 20


@contextmanager
def virtual_cluster(size: Size) -> Iterator[str]:
    """A head without CPUs, data nodes and trainer nodes; yields the address as soon as the head is up.

    The other nodes join while the caller continues. Everything is shut down at the end.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")  # what matters of its log is in our records
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "num_gpus": 0,
            "object_store_memory": _HEAD_STORE_BYTES,
            "include_dashboard": False,
        },
    )
    try:
        for index in range(size.data_nodes):
            share = size.data_cpus // size.data_nodes + (index < size.data_cpus % size.data_nodes)
            _add_node(cluster, size, f"data-{index}", DATA_SELECTOR, cpus=share, gpus=0)
        each = size.trainers // size.trainer_nodes
        cpus, gpus = each * size.cpus_per_trainer, each * size.gpus_per_trainer
        for index in range(size.trainer_nodes):
            _add_node(cluster, size, f"trainer-{index}", TRAINER_SELECTOR, cpus=cpus, gpus=gpus)
        yield cluster.address
    finally:
        cluster.shutdown()


def _add_node(cluster: Any, size: Size, name: str, labels: Mapping[str, str], *, cpus: float, gpus: float) -> None:
    cluster.add_node(
        wait=False,
        num_cpus=cpus,
        num_gpus=gpus,
        object_store_memory=size.object_store_bytes,
        labels=dict(labels),
        node_name=name,
    )
