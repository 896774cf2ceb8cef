"""Carries the schedule's decisions out: sends tasks to data workers, hears how they end, hands units to ranks.

Lives in the hub's event loop and must never block it: of what workers make, only reports come here, never tables. What
is done when and where is the schedule's to decide.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import ray

from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.row_advice import RowSample
from trainingrun_trainer.failures.errors import InvalidConfiguration, UserCodeError
from trainingrun_trainer.placement import Node
from trainingrun_trainer.pool.autoscale import NodeRequest, Sizer
from trainingrun_trainer.pool.background import Background
from trainingrun_trainer.pool.crew import MOST_WORKERS, Crew, Member
from trainingrun_trainer.pool.ledger import Ledger
from trainingrun_trainer.pool.losses import lost_objects
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.tasks import Assignment, Given, Lost, MakeTask, PassKey, UnitReport
from trainingrun_trainer.pool.waiters import Waiters
from trainingrun_trainer.pool.worker import Trouble, portable

# After so long a rank is answered that there is nothing yet, and asks again: a rank that is gone asks no more.
_ANSWER_SECONDS = 10.0
_AUTHORS_ERRORS = (InvalidConfiguration, UserCodeError)


class Dispatcher:
    """See the module. `sizer` decides how many data nodes are to have workers.

    `sample` is of the rows for which the pool was to take one, and `refused` what keeps the first unit of a pass from
    being made while no ranks are there that would hear of it.

    `notify` is told, with the level of a Notice, what a user should know.
    """

    def __init__(self, pool: Pool, notify: Callable[[str, str], None]):
        self._ledger = Ledger(pool, notify)
        self._schedule = self._ledger.schedule
        works = {name: dataset.work for name, dataset in pool.datasets.items()}
        most = min(MOST_WORKERS, pool.most_workers or MOST_WORKERS)
        self._crew = Crew(works, pool.options, most, joined=self._joined, left=self._left, used=self._used)
        self.sizer = Sizer(pool.limits, NodeRequest(pool.node_cpus) if pool.node_cpus is not None else None)
        self._references = self._ledger.references
        self._waiters = Waiters()
        self._wake = asyncio.Event()
        self.sample: RowSample | None = None
        self.refused: Exception | None = None
        self._advised = pool.advised
        self._has_begun = self._is_sampling = False
        self._broken: Exception | None = None
        self._background = Background(self._broke)

    @property
    def rows_by_node(self) -> Counter[str]:
        """Where the rows that ranks have taken were made."""
        return self._ledger.rows_by_node

    @property
    def cache_word(self) -> str | None:
        """What of the newest training pass was in the cache: see Tallies."""
        return self._ledger.cache_word

    def start(self) -> None:
        """Have workers started, and work done once there is some."""
        self._background.run(self._crew.keep())
        self._background.run(self._hand_out())

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes) -> None:
        """Ranks begin with a pass over the rows that are not `consumed`, an account in bytes, or empty for none."""
        self._ledger.begin(key, epoch, consumed, time.monotonic())
        self._has_begun = True
        self._waiters.forget(key.follows)
        self._tell(key)

    def prepare_ahead(self, key: PassKey, epoch: Epoch) -> None:
        """A whole pass that is likely to begin when those that have begun leave workers free."""
        self._ledger.prepare_ahead(key, epoch)
        self._wake.set()

    async def take(self, key: PassKey, rank: int) -> Given:
        """What there is of a pass for a rank and was not given before; waits for it, but not for ever."""
        given = await self._waiters.answer(key, rank, lambda: self._answer(key, rank), _ANSWER_SECONDS)
        return given if given is not None else Given()

    def took(self, key: PassKey, rank: int, number: int) -> None:
        """A rank has the rows of a unit."""
        self._ledger.took(key, rank, number)
        self._tell(key)

    def lost(self, key: PassKey, rank: int, number: int) -> None:
        """A rank could not fetch a unit."""
        self._schedule.lost(key, rank, number)
        self._wake.set()

    async def _hand_out(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for assignment in self._schedule.assignments(time.monotonic()):
                self._send(assignment)
            self._ledger.let_go()

    def _send(self, assignment: Assignment) -> None:
        worker = self._crew.handle(assignment.worker)
        report = self._references.call(lambda name, *given: getattr(worker, name).remote(*given), assignment)
        self._background.run(self._hear(assignment, report))

    async def _hear(self, assignment: Assignment, reference: Any) -> None:
        task_id, task = assignment.task_id, assignment.task
        try:
            report = await reference
        except ray.exceptions.RayError as error:
            self._failed(assignment, error)
        else:
            now = time.monotonic()
            if isinstance(report, Trouble):
                self._ledger.failed(task_id, report.error, now)
                is_first = isinstance(task, MakeTask) and not task.number
                if is_first and not self._has_begun and isinstance(report.error, _AUTHORS_ERRORS):
                    self.refused = report.error
            else:
                if isinstance(report, UnitReport):
                    self.sample = report.sample or self.sample
                self._ledger.done(assignment, report, self._crew.node(assignment.worker), now)
        self._tell(task.key, task.rank if isinstance(task, MakeTask) else None)

    def _failed(self, assignment: Assignment, error: Exception) -> None:
        task_id, now = assignment.task_id, time.monotonic()
        self._references.tables.pop(task_id, None)
        if isinstance(error, ray.exceptions.RayActorError):
            # First this one: the schedule counts what the worker was busy with when it died.
            self._schedule.failed(task_id, Lost.WORKER, now)
            self._crew.lose(assignment.worker)
            return
        gone = lost_objects(error)
        if gone:
            lost = self._references.lost_inputs(assignment.task, gone)
            self._schedule.failed(task_id, Lost.INPUT, now, lost=lost)
        else:
            self._schedule.failed(task_id, portable(error), now)

    async def _joined(self, member: Member) -> None:
        if not self._is_sampling and self._advised is not None:
            self._is_sampling = True
            member.handle.sample.remote(*self._advised)
        self._schedule.worker_joined(member.name, member.node)
        self._wake.set()

    def _used(self, nodes: Sequence[Node]) -> list[str]:
        """Which of the data nodes are to have workers, by what those that have some are busy with."""
        now = time.monotonic()
        self.sizer.look(self._crew.ready_nodes, self._schedule.figures(now), now)
        stores = {node.node_id: node.store_bytes for node in nodes}
        used = self.sizer.used([*stores])
        self._schedule.fit({node: stores.pop(node) for node in used}, leaving=[*stores])
        self._wake.set()
        return used

    def _left(self, name: str) -> None:
        self._schedule.worker_left(name)
        self._wake.set()

    def _answer(self, key: PassKey, rank: int) -> Given | None:
        if self._broken is not None:
            return Given(error=self._broken)
        return self._ledger.answer(key, rank)

    def _tell(self, key: PassKey, rank: int | None = None) -> None:
        """Something has changed for a rank of a pass, or for all."""
        self._waiters.tell(key, rank)
        self._wake.set()

    def _broke(self, error: Exception) -> None:
        # Whoever waits for rows must hear of it: nothing goes on without this.
        self._broken = error
        self._waiters.tell_all()
