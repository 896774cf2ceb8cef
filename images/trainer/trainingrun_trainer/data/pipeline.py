"""Builds a run's Ray Datasets from what was listed, each of them on the data group only and without losing a row.

Must not import torch: Ray loads this module into every process that moves data, and few of them need tensors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import ray.data
import ray.train
from ray.data import DataContext

from trainingrun_trainer import placement
from trainingrun_trainer.data.datasource import EpochDatasource, warm_up
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.transform import Chain

# Blocks so large that their overhead is lost in the noise, so small that the first one is there soon.
_BLOCK_BYTES = 16 << 20


@contextlib.contextmanager
def on_data_group() -> Iterator[None]:
    """Datasets that are built within it run on the data group only.

    The selector must be on the context before a dataset is built and on the DataConfig as well: each alone leaks.
    """
    context = DataContext.get_current().copy()
    context.execution_options.label_selector = dict(placement.DATA_SELECTOR)
    context.enable_progress_bars = False
    context.target_max_block_size = _BLOCK_BYTES
    # Otherwise an author's exception arrives wrapped, without what it was.
    context.raise_original_map_exception = True
    with DataContext.current(context):
        yield


def build_dataset(name: str, listing: Listing, transform: Chain | None, hub: Any, world_size: int) -> Any:
    """The Ray Dataset `name`: read, number, shuffle, transform. Everything in it runs on the data group only."""
    with on_data_group():
        source = EpochDatasource(
            name,
            listing.source,
            listing.inspection.layouts,
            hub,
            world_size,
            listing.size_bytes,
            is_seeded=transform is not None and transform.takes_seed,
        )
        # One block a task, or few where it is long: Ray would cut small data into dozens of tiny blocks.
        dataset = ray.data.read_datasource(source, override_num_blocks=1)
        if transform is not None:
            dataset = dataset.map_batches(
                transform.blocks, batch_size=None, batch_format="pyarrow", zero_copy_batch=True
            )
    return dataset


class ExactDataConfig(ray.train.DataConfig):
    """Shards datasets without losing a row: Ray's own configuration drops what does not divide evenly."""

    def __init__(self) -> None:
        super().__init__(execution_options=placement.execution_options())

    def configure(
        self, datasets: Any, world_size: int, worker_handles: Any, worker_node_ids: Any, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """One iterator for each rank and dataset; ranks may get different numbers of rows."""
        warm_up()
        shards: list[dict[str, Any]] = [{} for _ in range(world_size)]
        for name, dataset in datasets.items():
            dataset = dataset.copy(dataset)
            dataset.context.execution_options = self._resolve_execution_options(name)
            # No locality hints: data is never made where it is used, and with them Ray holds back the first blocks.
            for rank, split in enumerate(dataset.streaming_split(world_size, equal=False)):
                shards[rank][name] = split
        return shards
