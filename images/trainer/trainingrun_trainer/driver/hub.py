"""The one place that all processes of an attempt share: data order, the request to stop, and news.

An actor without a CPU on the driver's node. It must never wait for anything: a slow hub would stop every trainer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainingrun.contract.records import DataGroup
from trainingrun_trainer.data.consumed import Consumed, Piece
from trainingrun_trainer.data.order import epoch_order
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.failures.errors import Failure

# Unique within a Ray job, since every job has a namespace of its own.
HUB_NAME = "trainingrun-hub"


@dataclass(frozen=True)
class ReadPlan:
    """What the next execution of a dataset reads: pieces in order, rows to leave out, and how fast a CPU is.

    `rows_per_second` of one data CPU is 0 until it has been measured.
    """

    epoch: Epoch
    pieces: list[Piece]
    consumed: Consumed
    rows_per_second: float


@dataclass
class News:
    """What happened since the driver last asked. `status` is rank 0's latest, None if there is none yet.

    `data` is what the data group's size is to be, None where nobody sizes it.
    """

    status: dict[str, Any] | None = None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)  # by node id
    finished: bool = False
    data: DataGroup | None = None


class Hub:
    """See the module. Every method returns at once."""

    def __init__(self, datasets: dict[str, list[Piece]]):
        self._datasets = datasets
        self._epochs: dict[str, tuple[Epoch, Consumed]] = {}
        self._rows_per_second = 0.0
        self._stop = False
        self._generation = 0
        self._news = News()
        self._rows_read: defaultdict[str, int] = defaultdict(int)

    def join(self) -> int:
        """Rank 0's training function has begun; returns how many times it has in this attempt, from 1."""
        self._generation += 1
        return self._generation

    def begin_epoch(self, name: str, epoch: Epoch, consumed: bytes | None) -> None:
        """Say what the next execution of dataset `name` reads. Called by rank 0 before any rank iterates."""
        self._epochs[name] = (epoch, Consumed.from_bytes(consumed) if consumed else Consumed())

    def read_plan(self, name: str) -> ReadPlan:
        """The plan for an execution of dataset `name`, called when it begins."""
        epoch, consumed = self._epochs.get(name, (Epoch(0, 0, shuffle=False), Consumed()))
        pieces = epoch_order(
            self._datasets[name],
            shuffle=epoch.shuffle,
            seed=epoch.seed,
            epoch=epoch.number,
            consumed=consumed,
        )
        return ReadPlan(epoch, pieces, consumed, self._rows_per_second)

    def measured(self, rows_per_second: float) -> None:
        """One data CPU prepares so many rows a second."""
        self._rows_per_second = rows_per_second

    def note_read(self, node: str, rows: int) -> None:
        """A data task on `node` has read `rows` rows."""
        self._rows_read[node] += rows

    def request_stop(self) -> None:
        """Ask the trainers to save a checkpoint and end."""
        self._stop = True

    def is_stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._stop

    def publish(self, status: dict[str, Any]) -> None:
        """Rank 0's latest status replaces the one before."""
        self._news.status = status

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        """An event that must not be lost: fields of the record `kind`, without time and attempt."""
        self._news.events.append((kind, values))

    def fail(self, failure: Failure) -> None:
        """The training function of some rank has raised."""
        self._news.failures.append(failure)

    def finish(self) -> None:
        """All epochs are trained."""
        self._news.finished = True

    def news(self) -> News:
        """What is new since the last call."""
        news, self._news = self._news, News(finished=self._news.finished)
        news.rows_read = dict(self._rows_read)
        return news


def create_hub(datasets: dict[str, list[Piece]]) -> Any:
    """The job's hub, on this process's node; it dies with the driver."""
    here = ray.get_runtime_context().get_node_id()
    options: dict[str, Any] = {
        "name": HUB_NAME,
        "num_cpus": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False),
    }
    return ray.remote(Hub).options(**options).remote(datasets)
