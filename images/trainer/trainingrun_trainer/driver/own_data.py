"""Keeps the Ray Data of scripts of one's own (`spec.trainer.command`) on the data group, and from losing rows.

The built-in recipe does not come here: its rows come from the pool of data workers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import ray.train
from ray.data import DataContext, ExecutionOptions

from trainingrun_trainer.placement import DATA_SELECTOR

# Blocks so large that their overhead is lost in the noise, so small that the first one is there soon.
_BLOCK_BYTES = 16 << 20


@contextlib.contextmanager
def on_data_group() -> Iterator[None]:
    """Datasets that are built within it run on the data group only.

    The selector must be on the context before a dataset is built and on the DataConfig as well: each alone leaks.
    """
    context = DataContext.get_current().copy()
    context.execution_options.label_selector = dict(DATA_SELECTOR)
    context.enable_progress_bars = False
    context.target_max_block_size = _BLOCK_BYTES
    # Otherwise an author's exception arrives wrapped, without what it was.
    context.raise_original_map_exception = True
    with DataContext.current(context):
        yield


class ExactDataConfig(ray.train.DataConfig):
    """Shards datasets without losing a row: Ray's own configuration drops what does not divide evenly."""

    def __init__(self) -> None:
        super().__init__(execution_options=ExecutionOptions(label_selector=dict(DATA_SELECTOR)))

    def configure(
        self, datasets: Any, world_size: int, worker_handles: Any, worker_node_ids: Any, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """One iterator for each rank and dataset; ranks may get different numbers of rows."""
        shards: list[dict[str, Any]] = [{} for _ in range(world_size)]
        for name, dataset in datasets.items():
            dataset = dataset.copy(dataset)
            dataset.context.execution_options = self._resolve_execution_options(name)
            # No locality hints: data is never made where it is used, and with them Ray holds back the first blocks.
            for rank, split in enumerate(dataset.streaming_split(world_size, equal=False)):
                shards[rank][name] = split
        return shards
