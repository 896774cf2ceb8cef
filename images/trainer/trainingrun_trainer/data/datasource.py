"""The run's data as a Ray Data source whose every execution is one epoch.

Ray asks for read tasks when an execution begins; the hub knows which epoch that is and which rows are still to come.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.order import group
from trainingrun_trainer.data.reading import Epoch, read_rows
from trainingrun_trainer.data.seeds import EPOCH_SEED, epoch_seed
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.placement import DATA_SELECTOR, data_slots, live_nodes

# A task's output. Larger costs less overhead; smaller gives every data CPU and every rank its share.
_TASK_BYTES = 64 << 20
# The first batch of an epoch should not wait for longer than this for its block.
_TASK_SECONDS = 1.0
# Processes that are warmed up; more would be started too late to be of use.
_MAX_WARM = 64


class EpochDatasource(Datasource):
    """Reads what the hub's plan for dataset `name` says, each time it is executed."""

    def __init__(
        self,
        name: str,
        source: Source,
        layouts: dict[str, ArrayLayout],
        hub: Any,
        world_size: int,
        size_bytes: int,
        *,
        is_seeded: bool = False,
    ):
        super().__init__()
        self._name = name
        self._source = source
        self._layouts = layouts
        self._hub = hub
        self._world_size = world_size
        self._size_bytes = size_bytes
        self._is_seeded = is_seeded

    def get_name(self) -> str:
        """The name of the read tasks in Ray's dashboard."""
        return f"{self._source.format}:{self._name}"

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of the whole dataset."""
        return self._size_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """The tasks of the epoch that begins now; `parallelism` is Ray's guess, the plan knows better."""
        plan = ray.get(self._hub.read_plan.remote(self._name))
        tasks = task_count(plan.pieces, data_slots(live_nodes()), self._world_size, plan.rows_per_second)
        return [self._task(plan.epoch, pieces, plan.consumed) for pieces in group(plan.pieces, tasks)]

    def _task(self, epoch: Epoch, pieces: list[Piece], consumed: Consumed) -> ReadTask:
        metadata = BlockMetadata(
            num_rows=None,
            size_bytes=sum(piece.size_bytes for piece in pieces),
            input_files=tuple(path for piece in pieces for path in piece.paths[:1]),
            exec_stats=None,
        )
        seed = epoch_seed(epoch.seed, epoch.number) if self._is_seeded else None
        used = consumed.of(pieces)
        read = functools.partial(_read, self._source, pieces, self._layouts, epoch, used, self._hub, seed)
        functools.update_wrapper(read, _read)
        return ReadTask(read, metadata)


def task_count(pieces: list[Piece], slots: int, world_size: int, rows_per_second: float) -> int:
    """How many read tasks an epoch gets.

    Few for small data, since each costs some milliseconds; at least two for each data CPU and each rank once there
    is enough to share; and so many that a slow transform still delivers its first block within a second.
    """
    size = sum(piece.size_bytes for piece in pieces)
    rows = sum(piece.rows or 0 for piece in pieces)
    by_size = -(-size // _TASK_BYTES)
    by_share = slots if size < _TASK_BYTES // 2 else 2 * slots
    by_rank = 2 * world_size if world_size > 1 else 1
    by_time = int(rows / (rows_per_second * _TASK_SECONDS)) if rows_per_second else 1
    return max(1, min(len(pieces), max(by_size, by_share, by_rank, by_time)))


def warm_up() -> None:
    """Have the data group's processes start and load what reading needs, beside the trainers; returns at once.

    Must be called where Ray Data's tasks come from: Ray keeps processes apart by the caller's environment.
    """
    task = ray.remote(num_cpus=1, label_selector=dict(DATA_SELECTOR), scheduling_strategy="SPREAD")(_load)
    for _ in range(min(_MAX_WARM, data_slots(live_nodes()))):
        task.remote()


def _load() -> None:
    """Nothing but this module, which Ray has imported to get here."""


def _read(
    source: Source,
    pieces: Iterable[Piece],
    layouts: dict[str, ArrayLayout],
    epoch: Epoch,
    consumed: Consumed,
    hub: Any,
    seed: int | None,
) -> Iterator[pa.Table]:
    rows = 0
    for table in read_rows(source, pieces, layouts, epoch, consumed):
        rows += table.num_rows
        # The transform is the same in every epoch; only the rows can tell it which one this is.
        yield table if seed is None else table.append_column(EPOCH_SEED, pa.repeat(seed, table.num_rows))
    hub.note_read.remote(ray.get_runtime_context().get_node_id(), rows)
