"""Our data path as a run uses it: virtual nodes, hub, sharding and loading, with a consumer on the trainer's node.

Nothing is rebuilt here: every part is the one that `trainingrun local` puts together.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
import torch

from bench.pipelines.epoch import checked, timed
from trainingrun_trainer import placement
from trainingrun_trainer.data.batches import Collate, tables_of
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.pipeline import ExactDataConfig, build_dataset
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.data.transform_check import probe
from trainingrun_trainer.driver.hub import create_hub
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.local.virtual_cluster import virtual_cluster
from trainingrun_trainer.train.device_link import CpuLink
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.supply import Supply
from trainingrun_trainer.vision import normalize

# One CPU for data and one for the consumer: the two that the baselines have for data alone.
_SIZE = Size(
    trainers=1,
    trainer_nodes=1,
    cpus_per_trainer=1,
    gpus_per_trainer=0,
    data_nodes=1,
    data_cpus=1,
    object_store_bytes=1 << 30,
)
_ROW_TRANSFORM = Chain((Step("bench.pipelines.transforms:transform_images", "Row"),))


class Ours:
    """See the module. With `row_transform` the baselines' function runs on the data node, else `vision.normalize`
    on the consumer."""

    def __init__(self, path: Path, rows: int, *, row_transform: bool = False):
        self._stack = contextlib.ExitStack()
        address = self._stack.enter_context(virtual_cluster(_SIZE))
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        while placement.data_slots(placement.live_nodes()) < _SIZE.data_cpus:
            time.sleep(0.1)
        transform = _ROW_TRANSFORM if row_transform else None
        listing = list_dataset(Source("bench", "Parquet", str(path), uses=Uses(gets_rows=row_transform)))
        hub = create_hub({"train": listing.pieces})
        if transform is not None:
            result = probe(listing.inspection.sample, transform, ("image", "label"), "image")
            hub.measured.remote(result.rows_per_second)
        dataset = build_dataset("train", listing, transform, hub, 1)
        actor = ray.remote(num_cpus=1, label_selector=dict(placement.TRAINER_SELECTOR))(_Consumer)
        self._consumer: Any = actor.remote(hub, rows, row_transform)
        node = ray.get(self._consumer.node.remote())
        shards = ExactDataConfig().configure({"train": dataset}, 1, None, [node])
        ray.get(self._consumer.take.remote(shards[0]["train"]))

    def epoch(self) -> dict[str, Any]:
        """One epoch, timed in the consumer."""
        return ray.get(self._consumer.epoch.remote())

    def check(self, arrays: Path) -> dict[str, Any]:
        """One epoch, compared in the consumer."""
        return ray.get(self._consumer.check.remote(arrays))

    def close(self) -> None:
        """Stop the virtual nodes."""
        ray.shutdown()
        self._stack.close()


class _Consumer:
    """What a training worker is to the data path: it says which epoch begins, and iterates."""

    def __init__(self, hub: Any, rows: int, is_transformed: bool):
        self._hub = hub
        self._rows = rows
        self._is_transformed = is_transformed
        self._number = 0
        self._shard: Any = None

    def node(self) -> str:
        """Where this runs."""
        return str(ray.get_runtime_context().get_node_id())

    def take(self, shard: Any) -> None:
        """Use this Ray Data iterator."""
        self._shard = shard

    def epoch(self) -> dict[str, Any]:
        """See Ours.epoch."""
        return timed(self._batches, self._rows)

    def check(self, arrays: Path) -> dict[str, Any]:
        """See Ours.check."""
        return checked(self._batches, self._rows, arrays)

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        epoch = Epoch(self._number, 0, shuffle=True)
        self._number += 1
        ray.get(self._hub.begin_epoch.remote("train", epoch, None))
        supply = Supply(
            lambda: tables_of(self._shard, shuffle_rows=0, batch_rows=512, seed=0),
            wanted=lambda step: (512,),
            prefetch_batches=2,
            lockstep=Lockstep(rank=0, world_size=1),
            collate=Collate(),
            link=CpuLink(),
        )
        for portion in supply.steps(lambda: False):
            batch = portion.batch
            assert batch is not None, "one rank has rows in every step"
            yield batch if self._is_transformed else normalize(batch)
