"""Our data path as a run uses it: virtual nodes, hub, data workers and loading, with a consumer on the trainer's node.

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
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.driver.hub import create_hub
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.local.virtual_cluster import virtual_cluster
from trainingrun_trainer.pool.client import PassRows
from trainingrun_trainer.pool.pass_plans import Pool, dataset_of
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.pool.tasks import PassKey
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
        dataset = dataset_of(listing, transform, shuffle=True, rows_together=0)
        pool = Pool({"train": dataset}, 1, options={"num_cpus": 1}, limits=Limits(1, 1, 5.0))
        hub = create_hub(pool)
        actor = ray.remote(num_cpus=1, label_selector=dict(placement.TRAINER_SELECTOR))(_Consumer)
        self._consumer: Any = actor.remote(hub, rows, row_transform)

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

    def epoch(self) -> dict[str, Any]:
        """See Ours.epoch."""
        return timed(self._batches, self._rows)

    def check(self, arrays: Path) -> dict[str, Any]:
        """See Ours.check."""
        return checked(self._batches, self._rows, arrays)

    def _batches(self) -> Iterator[dict[str, torch.Tensor]]:
        key, epoch = PassKey(1, "train", self._number), Epoch(self._number, 0, shuffle=True)
        self._number += 1
        # Nothing is made ahead: that would be done while nobody looks at the clock.
        ray.get(self._hub.begin_pass.remote(key, epoch, b"", ()))
        supply = Supply(
            PassRows(self._hub, key, rank=0).tables,
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
