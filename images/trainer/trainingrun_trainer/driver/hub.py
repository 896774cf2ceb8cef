"""The one place that all processes of an attempt share: the pool of data workers, the request to stop, and news.

An actor without a CPU on the driver's node. It must never block: a slow hub would stop every trainer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainingrun.contract.records import DataGroup
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.row_advice import RowSample
from trainingrun_trainer.driver.recent import joined
from trainingrun_trainer.failures.errors import Failure
from trainingrun_trainer.pool.dispatcher import Dispatcher
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.tasks import Given, PassKey

# Unique within a Ray job, since every job has a namespace of its own.
HUB_NAME = "trainingrun-hub"


@dataclass
class News:
    """What happened since the driver last asked. `status` is rank 0's latest, None if there is none yet.

    `data` is what the data group's size is to be, None where nobody sizes it. `sample` is there once, for advice;
    `refused` is what keeps the first rows of all from being made.
    """

    status: dict[str, Any] | None = None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rows_made: dict[str, int] = field(default_factory=dict)  # by node id
    finished: bool = False
    data: DataGroup | None = None
    sample: RowSample | None = None
    refused: Exception | None = None


class Hub:
    """See the module. Methods run in one event loop, and only those of the pool wait, for what others do."""

    def __init__(self, pool: Pool | None):
        self._stop = False
        self._generation = 0
        self._news = News()
        self._pool = Dispatcher(pool, self._notify) if pool is not None else None

    async def start(self, ahead: tuple[PassKey, Epoch] | None) -> None:
        """Have data workers started, and the rows made of the pass `ahead`, which is likely to be the first."""
        if self._pool is None:
            return
        self._pool.start()
        if ahead is not None:
            self._pool.prepare_ahead(*ahead)

    async def join(self) -> int:
        """Rank 0's training function has begun; returns how many times it has in this attempt, from 1."""
        self._generation += 1
        return self._generation

    async def begin_pass(
        self, key: PassKey, epoch: Epoch, consumed: bytes, ahead: tuple[tuple[PassKey, Epoch], ...]
    ) -> None:
        """Ranks begin with a pass, without the rows that are `consumed`; those `ahead` are likely to follow it."""
        self._of_data().begin(key, epoch, consumed)
        for following in ahead:
            self._of_data().prepare_ahead(*following)

    async def take(self, key: PassKey, rank: int) -> Given:
        """What there is for a rank: see Dispatcher.take. Waits for up to ten seconds until there is something."""
        return await self._of_data().take(key, rank)

    async def took(self, key: PassKey, rank: int, number: int) -> None:
        """The rank has a unit's rows."""
        self._of_data().took(key, rank, number)

    async def lost(self, key: PassKey, rank: int, number: int) -> None:
        """The rank could not fetch a unit."""
        self._of_data().lost(key, rank, number)

    async def request_stop(self) -> None:
        """Ask the trainers to save a checkpoint and end."""
        self._stop = True

    async def is_stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._stop

    async def publish(self, status: dict[str, Any]) -> None:
        """Rank 0's latest status replaces the one before."""
        if self._pool is not None:
            self._pool.sizer.published(status)
        before = self._news.status
        self._news.status = status if before is None else {**status, **joined(before, status)}

    async def tell(self, kind: str, values: dict[str, Any]) -> None:
        """An event that must not be lost: fields of the record `kind`, without time and attempt."""
        self._news.events.append((kind, values))

    async def fail(self, failure: Failure) -> None:
        """The training function of some rank has raised."""
        self._news.failures.append(failure)

    async def finish(self) -> None:
        """All epochs are trained."""
        self._news.finished = True

    async def news(self) -> News:
        """What is new since the last call."""
        news, self._news = self._news, News(finished=self._news.finished)
        if self._pool is not None:
            news.rows_made = dict(self._pool.rows_by_node)
            news.sample, self._pool.sample = self._pool.sample, None
            news.refused = self._pool.refused
            wanted = self._pool.sizer.wanted
            news.data = DataGroup(
                wanted_nodes=wanted.nodes,
                reason=wanted.reason,
                gain_percentage=wanted.gain_percentage,
                cache=self._pool.cache_word,
            )
        return news

    def _notify(self, level: str, message: str) -> None:
        self._news.events.append(("Notice", {"level": level, "message": message}))

    def _of_data(self) -> Dispatcher:
        if self._pool is None:
            raise RuntimeError("this run has no pool of data workers: its data are its own command's")
        return self._pool


def create_hub(pool: Pool | None = None, ahead: tuple[PassKey, Epoch] | None = None) -> Any:
    """The job's hub, on this process's node; it dies with the driver. With a `pool` its workers start now."""
    here = ray.get_runtime_context().get_node_id()
    options: dict[str, Any] = {
        "name": HUB_NAME,
        "num_cpus": 0,
        # Every rank may wait in it for rows, and others must still be heard.
        "max_concurrency": 10_000,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False),
    }
    hub: Any = ray.remote(Hub).options(**options).remote(pool)
    hub.start.remote(ahead)
    return hub
