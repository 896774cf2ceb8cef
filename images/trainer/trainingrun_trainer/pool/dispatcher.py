"""Carries the schedule's decisions out: sends tasks to data workers, hears how they end, hands units to ranks.

Lives in the hub's event loop and must never block it: of what workers make, only reports come here, never tables. What
is done when and where is the schedule's to decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import pyarrow as pa
import ray

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.transform_check import Probe
from trainingrun_trainer.pool.client import Given
from trainingrun_trainer.pool.crew import MOST_WORKERS, Crew, Member
from trainingrun_trainer.pool.losses import lost_objects
from trainingrun_trainer.pool.pass_plans import Pool, plan_of
from trainingrun_trainer.pool.schedule import Schedule
from trainingrun_trainer.pool.tasks import (
    Assignment,
    Ended,
    Failed,
    Lost,
    MakeTask,
    PassKey,
    PassPlan,
    ReadTask,
    Ready,
    Task,
    TaskId,
    UnitReport,
)
from trainingrun_trainer.pool.worker import Trouble, portable

# After so long a rank is answered that there is nothing yet, and asks again: a rank that is gone asks no more.
_ANSWER_SECONDS = 10.0


class Dispatcher:
    """See the module. `rows_by_node` says where the rows that ranks have taken were made."""

    def __init__(self, pool: Pool):
        self.rows_by_node: Counter[str] = Counter()
        self._pool = pool
        self._schedule = Schedule(pool.budget_bytes, has_kept=any(each.is_kept for each in pool.datasets.values()))
        works = {name: dataset.work for name, dataset in pool.datasets.items()}
        most = min(MOST_WORKERS, pool.most_workers or MOST_WORKERS)
        self._crew = Crew(works, pool.options, most, joined=self._joined, left=self._left)
        self._tables: dict[TaskId, Any] = {}
        self._made: dict[TaskId, tuple[str, int]] = {}
        self._given: dict[tuple[PassKey, int, int], TaskId] = {}
        self._accounts: dict[PassKey, Consumed] = {}
        self._changes: dict[tuple[PassKey, int], asyncio.Event] = {}
        self._wake = asyncio.Event()
        self._probing: tuple[tuple[Any, ...], asyncio.Future[Probe | Trouble]] | None = None
        self._broken: Exception | None = None
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Have workers started, and work done once there is some."""
        self._run(self._crew.keep())
        self._run(self._hand_out())

    async def probe(self, sample: pa.Table, dataset: str, needed: Sequence[str], input_column: str) -> Probe | Trouble:
        """Try the dataset's transform on `sample`, in the first worker that is there."""
        answer: asyncio.Future[Probe | Trouble] = asyncio.get_running_loop().create_future()
        self._probing = ((sample, dataset, needed, input_column), answer)
        return await answer

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes) -> None:
        """Ranks begin with a pass over the rows that are not `consumed`, an account in bytes, or empty for none."""
        self._schedule.begin(key, self._planned(key, epoch, consumed), time.monotonic())
        self._forget_before(key)
        self._tell(key)

    def prepare_ahead(self, key: PassKey, epoch: Epoch) -> None:
        """A whole pass that is likely to begin when those that have begun leave workers free."""
        self._schedule.prepare_ahead(key, self._planned(key, epoch, b""))
        self._wake.set()

    async def take(self, key: PassKey, rank: int) -> Given:
        """What there is of a pass for a rank and was not given before; waits for it, but not for ever."""
        changed = self._changes.setdefault((key, rank), asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while (given := self._answer(key, rank)) is None:
                    changed.clear()
                    await changed.wait()
                return given
        return Given()

    def took(self, key: PassKey, rank: int, number: int) -> None:
        """A rank has the rows of a unit."""
        task_id = self._given.pop((key, rank, number), None)
        if task_id is not None:
            node, rows = self._made.pop(task_id, ("", 0))
            self.rows_by_node[node] += rows
        self._schedule.took(key, rank, number)
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
            for task_id in self._schedule.freed():
                self._tables.pop(task_id, None)
                self._made.pop(task_id, None)

    def _send(self, assignment: Assignment) -> None:
        report, table = self._call(self._crew.handle(assignment.worker), assignment.task)
        self._tables[assignment.task_id] = table
        self._run(self._hear(assignment, report))

    def _call(self, worker: Any, task: Task) -> Any:
        if isinstance(task, ReadTask):
            account = self._accounts.get(task.key)
            used = account.of(task.bundle.pieces).to_bytes() if account is not None else b""
            return worker.read.remote(task.key.dataset, task.bundle, task.slab, task.slab_bytes, used)
        if isinstance(task, MakeTask):
            slabs = [self._tables[input_id] for input_id in task.inputs]
            return worker.make.remote(task.key.dataset, task.window, task.epoch, task.positions, *slabs)
        raise NotImplementedError(type(task).__name__)

    async def _hear(self, assignment: Assignment, reference: Any) -> None:
        task_id, task = assignment.task_id, assignment.task
        try:
            report = await reference
        except ray.exceptions.RayError as error:
            self._failed(assignment, error)
        else:
            if isinstance(report, Trouble):
                self._tables.pop(task_id, None)
                self._schedule.failed(task_id, report.error, time.monotonic())
            else:
                if isinstance(report, UnitReport):
                    self._made[task_id] = (self._crew.node(assignment.worker), report.rows_in)
                self._schedule.done(task_id, report, time.monotonic())
        self._tell(task.key, task.rank if isinstance(task, MakeTask) else None)

    def _failed(self, assignment: Assignment, error: Exception) -> None:
        task_id, now = assignment.task_id, time.monotonic()
        self._tables.pop(task_id, None)
        if isinstance(error, ray.exceptions.RayActorError):
            # First this one: the schedule counts what the worker was busy with when it died.
            self._schedule.failed(task_id, Lost.WORKER, now)
            self._crew.lose(assignment.worker)
            return
        gone = lost_objects(error)
        if gone:
            inputs = assignment.task.inputs if isinstance(assignment.task, MakeTask) else ()
            lost = [each for each in inputs if each in self._tables and self._tables[each].hex() in gone]
            self._schedule.failed(task_id, Lost.INPUT, now, lost=lost)
        else:
            self._schedule.failed(task_id, portable(error), now)

    async def _joined(self, member: Member) -> None:
        if self._probing is not None:
            # Before all else, so that no rows wait behind it.
            (arguments, answer), self._probing = self._probing, None
            try:
                answer.set_result(await member.handle.probe.remote(*arguments))
            except ray.exceptions.RayError:
                # Whatever has ended this worker, the rows themselves will show it, and in their place.
                answer.set_result(Probe(0.0, None))
                self._crew.lose(member.name)
                return
        self._schedule.worker_joined(member.name, member.node)
        self._wake.set()

    def _left(self, name: str) -> None:
        self._schedule.worker_left(name)
        self._wake.set()

    def _answer(self, key: PassKey, rank: int) -> Given | None:
        if self._broken is not None:
            return Given(error=self._broken)
        found = self._schedule.ready(key, rank)
        if isinstance(found, Ready):
            for unit in found.units:
                self._given[key, rank, unit.number] = unit.task_id
            return Given(units=tuple((unit.number, self._tables[unit.task_id]) for unit in found.units))
        if isinstance(found, Failed):
            return Given(error=found.error)
        return Given(has_ended=True) if isinstance(found, Ended) else None

    def _planned(self, key: PassKey, epoch: Epoch, consumed: bytes) -> PassPlan:
        if consumed:
            self._accounts[key] = Consumed.from_bytes(consumed)
        else:
            self._accounts.pop(key, None)
        return plan_of(self._pool.datasets[key.dataset], epoch, consumed, self._pool.world_size)

    def _forget_before(self, key: PassKey) -> None:
        """What belongs to passes that are over with this one's begin."""

        def is_over(other: PassKey) -> bool:
            is_earlier = other.dataset == key.dataset and other.number < key.number
            return other.generation < key.generation or (other.generation == key.generation and is_earlier)

        for known in [known for known in self._changes if is_over(known[0])]:
            self._changes.pop(known).set()
        for given in [given for given in self._given if is_over(given[0])]:
            del self._given[given]
        for account in [account for account in self._accounts if is_over(account)]:
            del self._accounts[account]

    def _tell(self, key: PassKey, rank: int | None = None) -> None:
        """Something has changed for a rank of a pass, or for all."""
        for (other, of_rank), changed in self._changes.items():
            if other == key and rank in (None, of_rank):
                changed.set()
        self._wake.set()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        # Whoever waits for rows must hear of it: nothing goes on without this.
        self._broken = error if isinstance(error, Exception) else RuntimeError(repr(error))
        for changed in self._changes.values():
            changed.set()
        if self._probing is not None:
            self._probing[1].set_result(Trouble(portable(self._broken)))
            self._probing = None
