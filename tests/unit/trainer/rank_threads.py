"""Ranks as threads of one process, which train what they are given: for the tests of how rows are dealt."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import ROW_ID, Piece, row_ids
from trainingrun_trainer.train.dealing import wanted_rows
from trainingrun_trainer.train.device_link import CpuLink
from trainingrun_trainer.train.lockstep import Reports
from trainingrun_trainer.train.supply import Portion, Supply

Tables = Callable[[], Iterator[pa.Table]]


class Table:
    """What the ranks of one training share."""

    def __init__(self, ranks: int):
        self.ranks = ranks
        self.barrier = threading.Barrier(ranks, timeout=60)
        self.reports: list[Any] = [None] * ranks
        self.mail: defaultdict[tuple[int, int], queue.Queue[bytes]] = defaultdict(queue.Queue)


@dataclass
class Rank:
    """A rank's Lockstep, over memory. `handed` are the bytes that it has given to others."""

    table: Table
    rank: int
    handed: list[int] = field(default_factory=list)
    rounds: int = 0

    def report(
        self, *, available: int, has_ended: bool, waited_seconds: float, bad_rows: int, must_stop: bool
    ) -> Reports:
        self.rounds += 1
        self.table.reports[self.rank] = (available, has_ended, waited_seconds, bad_rows, must_stop)
        self.table.barrier.wait()
        rows, ends, waits, bad, stops = zip(*self.table.reports, strict=True)
        self.table.barrier.wait()
        return Reports(rows, ends, max(waits), sum(bad), stops[0])

    def send(self, value: bytes, target: int) -> None:
        self.handed.append(len(value))
        self.table.mail[self.rank, target].put(value)

    def receive(self, source: int) -> bytes:
        return self.table.mail[source, self.rank].get(timeout=60)


def blocks(lengths: list[list[int]]) -> tuple[list[list[pa.Table]], list[int]]:
    """Each rank's blocks of so many rows, and the ids of all of them. `x` is the id, too."""
    made, every = [], []
    for rank, mine in enumerate(lengths):
        made.append([])
        for place, rows in enumerate(mine):
            ids = row_ids(Piece(100 * rank + place, ("x",), 1), 0, rows)
            made[-1].append(pa.table({"x": ids, "label": ids % 7, ROW_ID: ids}))
            every += ids.tolist()
    return made, every


def train(
    tables: list[Tables],
    batch: int,
    *,
    accumulation: int = 1,
    collate: Collate | None = None,
    prefetch: int = 2,
    link: CpuLink | None = None,
    must_stop: Callable[[], bool] = lambda: False,
) -> tuple[list[list[Portion]], list[Rank], list[Supply]]:
    """What each rank gets."""
    ranks = [Rank(shared, rank) for shared in [Table(len(tables))] for rank in range(len(tables))]
    supplies = [
        Supply(
            mine,
            wanted=lambda step: wanted_rows(batch, accumulation, len(tables), step),
            prefetch_batches=prefetch,
            lockstep=rank,  # type: ignore[arg-type]
            collate=collate or Collate(),
            link=link or CpuLink(),
        )
        for mine, rank in zip(tables, ranks, strict=True)
    ]
    with ThreadPoolExecutor(len(tables)) as threads:
        portions = list(threads.map(lambda supply: list(supply.steps(must_stop)), supplies))
    return portions, ranks, supplies


def ids_of(portions: list[list[Portion]]) -> list[list[int]]:
    """The ids of each step, of all ranks."""
    return [[row for part in step for row in part.ids.tolist()] for step in zip(*portions, strict=True)]


def check(portions: list[list[Portion]], every: list[int], batch: int) -> None:
    """Each row once, in whole batches, in equal shares, and in the batch that it is said to be in."""
    steps = ids_of(portions)
    assert sorted(row for step in steps for row in step) == sorted(every)
    assert [len(step) for step in steps[:-1]] == [batch] * (len(steps) - 1)
    assert len(steps) == -(-len(every) // batch)
    for parts in zip(*portions, strict=True):
        assert len({part.agreement for part in parts}) == 1
        assert parts[0].agreement.rows == tuple(len(part.ids) for part in parts)
        assert max(parts[0].agreement.rows) - min(parts[0].agreement.rows) <= 1
        for part in parts:
            assert part.batch is None if not len(part.ids) else part.batch["x"].tolist() == part.ids.tolist()
            assert part.batch is None or part.batch["label"].tolist() == (part.ids % 7).tolist()


def iterators(made: list[list[pa.Table]]) -> list[Tables]:
    return [lambda mine=mine: iter(mine) for mine in made]
