"""A pool of data workers without Ray: they are objects of this process, and what they make is told of in its loop."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.placement import DATA_SELECTOR, Node
from trainingrun_trainer.pool import dispatcher
from trainingrun_trainer.pool.crew import Member
from trainingrun_trainer.pool.dispatcher import Dispatcher
from trainingrun_trainer.pool.making import Work
from trainingrun_trainer.pool.pass_plans import Pool, dataset_of
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.pool.tasks import PassKey
from trainingrun_trainer.pool.worker import DataWorker

KEY = PassKey(1, "train", 0)
SHUFFLED = Epoch(0, 7, shuffle=True)
ROWS = 3_000
WORKERS = 3
STORE_BYTES = 2 << 20


class Ref:
    """An object's reference. What it refers to may get lost."""

    def __init__(self, value: Any):
        self.value = value
        self.is_lost = False

    def hex(self) -> str:
        return f"{id(self):x}"


class Worker:
    """A data worker. `meddle(method, worker)` is called before each of its calls: what it raises, the call raises."""

    def __init__(self, name: str, works: Mapping[str, Work], meddle: Callable[[str, str], None]):
        self.calls = 0
        self._name = name
        self._worker = DataWorker(works)
        self._meddle = meddle
        self.sample = SimpleNamespace(remote=self._worker.sample)
        for method in ("read", "prepare", "make"):
            setattr(self, method, SimpleNamespace(remote=lambda *given, method=method: self._call(method, given)))

    def _call(self, method: str, given: tuple[Any, ...]) -> tuple[asyncio.Future[Any], Ref]:
        self.calls += 1
        report: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        table = Ref(None)

        def run() -> None:
            try:
                for each in given:
                    if isinstance(each, Ref) and each.is_lost:
                        raise ray.exceptions.ObjectLostError(each.hex(), None, "")
                self._meddle(method, self._name)
                values = [each.value if isinstance(each, Ref) else each for each in given]
                made, table.value = getattr(self._worker, method)(*values)
                report.set_result(made)
            except ray.exceptions.RayError as error:
                report.set_exception(error)

        asyncio.get_running_loop().call_soon(run)
        return report, table


class HandCrew:
    """Stands in for Crew. A worker that is lost is replaced."""

    meddle: Callable[[str, str], None]
    ready_nodes = 2

    def __init__(
        self,
        works: Mapping[str, Work],
        options: Any,
        most: int,
        *,
        joined: Callable[[Member], Coroutine[Any, Any, None]],
        left: Callable[[str], None],
        used: Callable[[Sequence[Node]], Collection[str]],
    ):
        self.members: dict[str, Worker] = {}
        self.lost: list[str] = []
        self._works, self._joined, self._left, self._used = works, joined, left, used
        self._hired = 0

    async def keep(self) -> None:
        self._used([Node("node", "node", cpus=2, gpus=0, labels=dict(DATA_SELECTOR), store_bytes=STORE_BYTES)])
        while True:
            while len(self.members) < WORKERS:
                name = f"node-{self._hired % 2}/{self._hired}"
                self._hired += 1
                self.members[name] = Worker(name, self._works, type(self).meddle)
                await self._joined(Member(name, self.node(name), self.members[name]))
            await asyncio.sleep(0.001)

    def handle(self, name: str) -> Worker:
        return self.members[name]

    def node(self, name: str) -> str:
        return name.partition("/")[0]

    def lose(self, name: str) -> None:
        if self.members.pop(name, None) is not None:
            self.lost.append(name)
            self._left(name)


def pool_over(
    folder: Path,
    transform: str | None = None,
    world_size: int = 1,
    *,
    slab_bytes: int | None = None,
    **options: Any,
) -> Pool:
    """ROWS rows in five row groups; with `slab_bytes` each is read on its own, in slabs of this size."""
    pq.write_table(pa.table({"image": np.arange(ROWS), "label": np.arange(ROWS)}), folder / "a.parquet", 600)
    listing = list_dataset(Source("spec.recipe.dataset.train", "Parquet", str(folder), uses=Uses(gets_rows=True)))
    chain = Chain((Step(transform, "Batch"),)) if transform else None
    dataset = dataset_of(listing, chain, shuffle=True, rows_together=0, **options)
    if slab_bytes is not None:
        mixing = dataclasses.replace(dataset.mixing, slab_bytes=slab_bytes)
        alone = tuple(Bundle(piece.index, (piece,)) for piece in listing.pieces)
        dataset = dataclasses.replace(dataset, mixing=mixing, bundles=alone)
    return Pool({"train": dataset}, world_size, options={"num_cpus": 1}, limits=Limits(1, 1, 5.0))


async def rows_of(pool: Dispatcher, rank: int, key: PassKey = KEY) -> list[int]:
    """What a rank gets of a pass, as the client fetches it; tables that are lost are asked for again."""
    rows: list[int] = []
    units: dict[int, Ref] = {}
    number = 0
    while True:
        while number not in units:
            given = await pool.take(key, rank)
            if given.error is not None:
                raise given.error
            if given.has_ended:
                return rows
            units.update(given.units)
        unit = units.pop(number)
        if unit.is_lost:
            pool.lost(key, rank, number)
            continue
        pool.took(key, rank, number)
        rows += unit.value.column(ROW_ID).to_pylist()
        number += 1


def run(monkeypatch: pytest.MonkeyPatch, pool: Pool, meddle: Callable[[str, str], None], story: Any) -> Any:
    """What `story(dispatcher)` returns, with a pool that has been started."""
    HandCrew.meddle = staticmethod(meddle)
    monkeypatch.setattr(dispatcher, "Crew", HandCrew)

    async def told() -> Any:
        made = Dispatcher(pool, lambda level, message: None)
        made.start()
        async with asyncio.timeout(20):
            return await story(made)

    return asyncio.run(told())
