"""Our data path without training: virtual nodes, hub and data workers, and this process as the only rank.

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

from trainingrun_trainer import placement
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.source import Source, Uses
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
from trainingrun_trainer.train.supply import Portion, Supply

_DATASET = "train"
_PREFETCHED = 2  # batches, as a recipe has it


def size_of(data_cpus: int) -> Size:
    """A trainer and so many CPUs for data; more than the machine has are fine where work is sleep."""
    return Size(
        trainers=1,
        trainer_nodes=1,
        cpus_per_trainer=1,
        gpus_per_trainer=0,
        data_nodes=1,
        data_cpus=data_cpus,
        object_store_bytes=1 << 30,
    )


class Passes:
    """Epochs of one dataset in a row, each announced while the one before is read, as a run does."""

    def __init__(self, hub: Any, batch_rows: int):
        self._hub = hub
        self._batch_rows = batch_rows

    def epoch(self, number: int, consumed: Consumed | None = None) -> Iterator[Portion]:
        """The batches of an epoch that is shuffled by its number, without the rows that are `consumed`."""
        key, epoch = _of(number)
        used = consumed.to_bytes() if consumed is not None else b""
        ray.get(self._hub.begin_pass.remote(key, epoch, used, (_of(number + 1),)))
        supply = Supply(
            PassRows(self._hub, key, rank=0).tables,
            wanted=lambda step: (self._batch_rows,),
            prefetch_batches=_PREFETCHED,
            lockstep=Lockstep(rank=0, world_size=1),
            collate=Collate(),
            link=CpuLink(),
        )
        return supply.steps(lambda: False)


@contextlib.contextmanager
def passes_over(
    path: Path, chain: Chain | None, *, data_cpus: int, batch_rows: int, image_size: tuple[int, int] | None = None
) -> Iterator[Passes]:
    """Passes over Parquet files whose rows `chain` transforms, on virtual nodes that live as long as the block.

    With `image_size`, in pixels, pictures in the column `image` are decoded and get this (height, width).
    """
    size = size_of(data_cpus)
    with virtual_cluster(size) as address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            while placement.data_slots(placement.live_nodes()) < data_cpus:
                time.sleep(0.1)
            listing = list_dataset(
                Source("bench", "Parquet", str(path), image_size=image_size, uses=Uses(gets_rows=True))
            )
            dataset = dataset_of(listing, chain, shuffle=True, rows_together=0)
            pool = Pool({_DATASET: dataset}, 1, options={"num_cpus": 1}, limits=Limits(1, 1, 5.0))
            yield Passes(create_hub(pool), batch_rows)
        finally:
            ray.shutdown()


def _of(number: int) -> tuple[PassKey, Epoch]:
    return PassKey(1, _DATASET, number), Epoch(number, 0, shuffle=True)
