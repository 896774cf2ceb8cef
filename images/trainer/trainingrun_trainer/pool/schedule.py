"""Decides which worker of the pool does what next, and what each rank may fetch: a state machine.

What a rank gets is a function of the plan alone; workers, costs, failures and time only change when it gets it. Pure:
no Ray, no I/O, and time is an argument.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.accounts import Accounts
from trainingrun_trainer.pool.agenda import Agenda
from trainingrun_trainer.pool.budget import Budget
from trainingrun_trainer.pool.figures import Figures
from trainingrun_trainer.pool.passes import Pass
from trainingrun_trainer.pool.reading_ahead import Room
from trainingrun_trainer.pool.tasks import (
    Answer,
    Assignment,
    Lost,
    MakeTask,
    PassKey,
    PassPlan,
    ReadTask,
    Task,
    TaskId,
    UnitReport,
    inputs_of,
)
from trainingrun_trainer.pool.units import Unit, UnitState
from trainingrun_trainer.pool.windows import Slab
from trainingrun_trainer.pool.workers import Workers


@dataclass(frozen=True)
class _Flight:
    owner: Pass
    job: Slab | Unit
    task: Task
    worker: str
    expected_bytes: float


class Schedule:
    """See the module. After any call, `assignments` and `freed` may have something new, and `ready` for any rank."""

    def __init__(self, budget_bytes: int = 0, *, has_kept: bool = False):
        self._budget = Budget(budget_bytes, has_kept)
        self._workers = Workers()
        self._flights: dict[TaskId, _Flight] = {}
        self._ids = itertools.count()
        self._freed: list[TaskId] = []
        self._accounts = Accounts()
        self._agenda = Agenda(self._accounts.costs, self._freed)

    def fit(self, stores: Mapping[str, int], leaving: Collection[str]) -> None:
        """Nodes in use, by the bytes of their object stores, and those that are let go of but still there.

        Nothing may stay on the latter for long: they would never be idle, and so would not be taken.
        """
        if self._budget.fit(stores, leaving):
            self._agenda.keep_nothing()
        self._agenda.keep_at_most(self._budget.kept_bytes)

    # Passes

    def begin(self, key: PassKey, plan: PassPlan, now: float) -> PassKey | None:
        """A pass begins: its ranks wait. Every rank may say so; the first one counts.

        What was prepared ahead or kept with an equal plan is adopted; returns the key of what was prepared ahead. Ends
        the earlier passes of the dataset, and those of earlier generations.
        """
        self._tick(now)
        return self._agenda.begin(key, plan)

    def prepare_ahead(self, key: PassKey, plan: PassPlan) -> None:
        """The pass will begin: it is worked on as soon as all that has begun is in the workers' hands."""
        self._agenda.prepare_ahead(key, plan)

    def drop(self, key: PassKey) -> None:
        """The pass is over for all ranks, or will not begin."""
        self._agenda.drop(key)

    # Workers and tasks

    def worker_joined(self, worker: str, node: str) -> None:
        """A worker can be given tasks. Raises ValueError if there is one of that name."""
        self._workers.join(worker)

    def worker_left(self, worker: str) -> None:
        """A worker is gone: what it had is done elsewhere, by other ids. Nothing happens if it is gone already."""
        for place, task_id in enumerate(self._workers.leave(worker)):
            flight = self._landed(task_id)
            if not flight.owner.is_over:
                # It works on its tasks in order, so that at most the first one can have killed it.
                flight.owner.again(flight.job, is_dead=not place)

    def assignments(self, now: float) -> list[Assignment]:
        """The tasks to send now; they count as sent."""
        self._tick(now)
        assigned = []
        while self._workers.has_free:
            found = self._next_job()
            if found is None:
                break
            assigned.append(self._assign(*found))
        return assigned

    def done(self, task_id: TaskId, report: SlabReport | UnitReport, now: float, *, is_prepared: bool = False) -> None:
        """A task has ended well. `is_prepared`: a read task has found the slab's prepared form in the cache."""
        self._tick(now)
        flight = self._flights.get(task_id)
        if flight is None or flight.owner.is_over:
            self._landed(task_id) if flight else None
            self._freed.append(task_id)
            return
        self._landed(task_id)
        owner, job = flight.owner, flight.job
        if isinstance(job, Unit) and isinstance(report, UnitReport):
            self._accounts.note_unit(owner.key.dataset, report)
            self._accounts.rows_made += 0 if owner.plan.is_kept else len(job.positions)
            owner.unit_made(job, task_id, report)
        elif isinstance(job, Slab) and isinstance(report, SlabReport):
            is_read = isinstance(flight.task, ReadTask)
            self._accounts.note_slab(owner.key.dataset, report, is_read=is_read)
            if is_read:
                owner.slab_read(job, task_id, report, is_prepared=is_prepared)
            else:
                owner.slab_prepared(job, task_id, report)
        else:
            raise TypeError(f"report of {flight.task}: found {report}; allowed: SlabReport or, of MakeTask, UnitReport")

    def failed(self, task_id: TaskId, reason: Lost | Exception, now: float, *, lost: Collection[TaskId] = ()) -> None:
        """A task has no result. Of a lost worker, all tasks go elsewhere; of lost inputs, `lost` are the known ones."""
        self._tick(now)
        flight = self._flights.get(task_id)
        if flight is None:
            return
        if reason is Lost.WORKER:
            self.worker_left(flight.worker)
            return
        self._landed(task_id)
        if flight.owner.is_over:
            return
        if isinstance(reason, Lost):
            flight.owner.inputs_lost(flight.job, set(lost) or inputs_of(flight.task))
        elif isinstance(flight.job, Unit):
            flight.owner.unit_failed(flight.job, reason)
        else:
            flight.owner.slab_failed(flight.job, reason)

    def freed(self) -> list[TaskId]:
        """Objects that nobody needs any more, each told once."""
        freed = [*self._freed]
        self._freed.clear()
        return freed

    # Ranks

    def ready(self, key: PassKey, rank: int) -> Answer:
        """What a rank may fetch that it was not told before, in order."""
        return self._agenda.ready(key, rank)

    def took(self, key: PassKey, rank: int, number: int) -> None:
        """A rank has the rows of a unit."""
        if (found := self._agenda.find(key)) is not None:
            rows = found.took(rank, number, self._budget.kept_bytes)
            self._accounts.rows_taken += 0 if found.plan.is_kept else rows

    def lost(self, key: PassKey, rank: int, number: int) -> None:
        """A rank could not fetch a unit that it was given: it is made and given again."""
        if (found := self._agenda.find(key)) is not None:
            found.lost(rank, number)

    def figures(self, now: float) -> Figures:
        """What the pool does now."""
        self._tick(now)
        passes = self._agenda.passes
        units = [unit for each in passes for state in each.shares.ranks for unit in state.units.values()]
        makes = sum(isinstance(flight.task, MakeTask) for flight in self._flights.values())
        has_more = any(each.shares.known_rows and self._room(each).units > 0 for each in passes)
        return Figures(
            **self._accounts.figures(now),
            workers=len(self._workers),
            units_ready=sum(unit.state is UnitState.MADE and not unit.is_taken for unit in units),
            units_in_flight=makes,
            reads_in_flight=len(self._flights) - makes,
            has_work_waiting=has_more and not self._workers.has_free,
            bytes_held=sum(each.held.total for each in passes),
            budget_bytes=self._budget.total_bytes,
            ranks_waiting=sum(state.is_waiting for each in self._agenda.begun for state in each.shares.ranks),
        )

    # Within

    def _next_job(self) -> tuple[Pass, Slab | Unit] | None:
        for each in self._agenda.due():
            job = each.next(self._room(each))
            if job is not None:
                return each, job
        return None

    def _room(self, each: Pass) -> Room:
        same = (other.held for other in self._agenda.passes if other.plan.is_kept == each.plan.is_kept)
        return self._budget.room(same, self._workers, is_kept=each.plan.is_kept)

    def _assign(self, owner: Pass, job: Slab | Unit) -> Assignment:
        task_id, expected = next(self._ids), owner.expected_bytes(job)
        task = owner.task(job)
        is_read = isinstance(task, ReadTask)
        preferred = self._reader_of(owner, job) if isinstance(job, Slab) and is_read else None
        worker = self._workers.pick(reads=is_read, preferred=preferred)
        if isinstance(job, Slab):
            owner.held.expected_slabs += expected
            if is_read:
                job.window.group.readers[job.place] = worker
        else:
            owner.held.expected_units += expected
        self._workers.assign(task_id, worker, reads=is_read)
        self._flights[task_id] = _Flight(owner, job, task, worker, expected)
        return Assignment(task_id, task, worker)

    def _reader_of(self, owner: Pass, slab: Slab) -> str | None:
        """Who has the slab's bundle open, unless another worker could skip to the slab before that one has time."""
        reader = slab.window.group.readers.get(slab.place)
        costs = self._accounts.costs(owner.key.dataset)
        skipping = slab.window.number * (costs.read.seconds_per_task or 0.0)
        if self._workers.has_idle_beside(reader) and skipping < (costs.make.seconds_per_task or 0.0):
            return None
        return reader

    def _landed(self, task_id: TaskId) -> _Flight:
        flight = self._flights.pop(task_id)
        self._workers.release(task_id, flight.worker)
        if isinstance(flight.job, Slab):
            flight.owner.held.expected_slabs -= flight.expected_bytes
        else:
            flight.owner.held.expected_units -= flight.expected_bytes
        return flight

    def _tick(self, now: float) -> None:
        self._accounts.tick(now, busy=self._workers.busy, workers=len(self._workers))
