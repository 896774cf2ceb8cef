"""Decides which worker of the pool does what next, and what each rank may fetch: a state machine.

What a rank gets is a function of the plan alone; workers, costs, failures and time only change when it gets it. Pure:
no Ray, no I/O, and time is an argument.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.budget import Budget
from trainingrun_trainer.pool.cutting import Cost
from trainingrun_trainer.pool.figures import Figures, Meter, StageFigures
from trainingrun_trainer.pool.passes import Pass
from trainingrun_trainer.pool.reading_ahead import Costs, Room
from trainingrun_trainer.pool.tasks import (
    Answer,
    Assignment,
    Ended,
    Failed,
    Lost,
    MakeTask,
    PassKey,
    PassPlan,
    PrepareTask,
    ReadTask,
    Task,
    TaskId,
    UnitReport,
    Waiting,
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

    def __init__(self, budget_bytes: int, *, has_kept: bool = False):
        self._budget = Budget(budget_bytes, has_kept)
        self._begun: list[Pass] = []  # the latest first
        self._ahead: list[Pass] = []  # prepared ahead, in this order
        self._latest: dict[str, PassKey] = {}
        self._cut_short: dict[PassKey, set[int]] = {}
        self._workers = Workers()
        self._flights: dict[TaskId, _Flight] = {}
        self._ids = itertools.count()
        self._freed: list[TaskId] = []
        self._costs: defaultdict[str, Costs] = defaultdict(lambda: Costs(Cost(), Cost(), Cost()))
        self._steps: dict[tuple[str, str], Cost] = defaultdict(Cost)
        self._bad_rows: defaultdict[str, int] = defaultdict(int)
        self._meter = Meter()

    # Passes

    def begin(self, key: PassKey, plan: PassPlan, now: float) -> None:
        """A pass begins: its ranks wait. Every rank may say so; the first one counts.

        What was prepared ahead or kept with an equal plan is adopted. Ends the earlier passes of the dataset, and those
        of earlier generations.
        """
        self._tick(now)
        latest = self._latest.get(key.dataset)
        if latest is not None and _order(key) <= _order(latest):
            return
        found = self._adopted(key, plan) or Pass(key, plan, self._costs[key.dataset], self._freed)
        for other in [*self._begun, *self._ahead]:
            is_earlier = other.key.generation < key.generation and not other.is_complete and other in self._begun
            if other is not found and (other.key.dataset == key.dataset or is_earlier):
                self._note_cut_short(other, key)
                self._end(other)
        self._ahead = [each for each in self._ahead if each is not found]
        self._begun = [found, *(each for each in self._begun if each is not found)]
        self._latest[key.dataset] = key

    def prepare_ahead(self, key: PassKey, plan: PassPlan) -> None:
        """The pass will begin: it is worked on as soon as all that has begun is in the workers' hands."""
        latest = self._latest.get(key.dataset)
        if latest is not None and _order(key) <= _order(latest):
            return
        if any(each.plan == plan and each.is_keeping for each in self._begun if each.key.dataset == key.dataset):
            return
        for other in [each for each in self._ahead if each.key.dataset == key.dataset]:
            if other.key == key and other.plan == plan:
                return
            self._end(other)
        self._ahead.append(Pass(key, plan, self._costs[key.dataset], self._freed))

    def drop(self, key: PassKey) -> None:
        """The pass is over for all ranks, or will not begin."""
        for each in [each for each in [*self._begun, *self._ahead] if each.key == key]:
            if not (each.is_keeping and each.is_complete):
                self._end(each)

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
            self._note_unit(owner, job, report)
            owner.unit_made(job, task_id, report)
        elif isinstance(job, Slab) and isinstance(report, SlabReport):
            costs = self._costs[owner.key.dataset]
            is_read = isinstance(flight.task, ReadTask)
            (costs.read if is_read else costs.prepare).note(report.kept, report.size_bytes, report.seconds)
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
            flight.owner.inputs_lost(flight.job, set(lost) or _inputs(flight.task))
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
        found = next((each for each in self._begun if each.key == key), None)
        if found is not None:
            return found.shares.ranks[rank].ready()
        if rank in self._cut_short.get(key, ()):
            return Failed(RuntimeError(f"{key}: another pass has begun before rank {rank} had all rows of this one"))
        latest = self._latest.get(key.dataset)
        return Waiting() if latest is None or _order(key) > _order(latest) else Ended()

    def took(self, key: PassKey, rank: int, number: int) -> None:
        """A rank has the rows of a unit."""
        for each in self._begun:
            if each.key == key:
                each.took(rank, number, self._budget.kept_bytes)

    def lost(self, key: PassKey, rank: int, number: int) -> None:
        """A rank could not fetch a unit that it was given: it is made and given again."""
        for each in self._begun:
            if each.key == key:
                each.lost(rank, number)

    def figures(self, now: float) -> Figures:
        """What the pool does now."""
        self._tick(now)
        passes = [*self._begun, *self._ahead]
        units = [unit for each in passes for state in each.shares.ranks for unit in state.units.values()]
        makes = sum(isinstance(flight.task, MakeTask) for flight in self._flights.values())
        return Figures(
            workers=len(self._workers),
            busy_share=self._meter.busy_share(),
            busy_seconds=self._meter.busy_seconds,
            worker_seconds=self._meter.worker_seconds,
            rows_per_second=self._meter.rows_per_second(now),
            stages={
                (dataset, stage): StageFigures(cost.seconds_per_row, cost.bytes_per_row)
                for dataset, costs in self._costs.items()
                for stage, cost in (("Read", costs.read), ("Prepare", costs.prepare), ("Make", costs.make))
            },
            seconds_by_step={key: cost.seconds_per_row or 0.0 for key, cost in self._steps.items()},
            bad_rows=dict(self._bad_rows),
            units_ready=sum(unit.state is UnitState.MADE and not unit.is_taken for unit in units),
            units_in_flight=makes,
            reads_in_flight=len(self._flights) - makes,
            has_work_waiting=not self._workers.has_free and any(each.could_make(self._room(each)) for each in passes),
            bytes_held=sum(each.held.total for each in passes),
            budget_bytes=self._budget.total_bytes,
            ranks_waiting=sum(state.is_waiting for each in self._begun for state in each.shares.ranks),
        )

    # Within

    def _adopted(self, key: PassKey, plan: PassPlan) -> Pass | None:
        for each in self._ahead:
            if each.key.dataset == key.dataset and each.plan == plan:
                each.key = key
                return each
        for each in self._begun:
            if each.key.dataset == key.dataset and each.is_keeping and each.is_complete and each.plan == plan:
                each.restart(key)
                return each
        return None

    def _note_cut_short(self, other: Pass, key: PassKey) -> None:
        if other in self._begun and other.key.generation == key.generation:
            ranks = {state.rank for state in other.shares.ranks if not state.has_ended}
            self._cut_short[other.key] = ranks

    def _end(self, each: Pass) -> None:
        each.end()
        self._begun = [other for other in self._begun if other is not each]
        self._ahead = [other for other in self._ahead if other is not each]

    def _next_job(self) -> tuple[Pass, Slab | Unit] | None:
        for each in self._begun:
            job = each.next(self._room(each))
            if job is not None:
                return each, job
        if all(each.shares.is_all_cut for each in self._begun):
            for each in self._ahead:
                job = each.next(self._room(each))
                if job is not None:
                    return each, job
        return None

    def _room(self, each: Pass) -> Room:
        same = (other for other in (*self._begun, *self._ahead) if other.plan.is_kept == each.plan.is_kept)
        return self._budget.room(
            (other.held for other in same),
            is_kept=each.plan.is_kept,
            workers=len(self._workers),
            has_makers=self._workers.has_makers,
        )

    def _assign(self, owner: Pass, job: Slab | Unit) -> Assignment:
        task_id, expected = next(self._ids), owner.expected_bytes(job)
        task = owner.task(job)
        is_read = isinstance(task, ReadTask)
        preferred = None
        if isinstance(job, Slab) and is_read:
            preferred = job.window.group.readers.get(job.place)
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

    def _landed(self, task_id: TaskId) -> _Flight:
        flight = self._flights.pop(task_id)
        self._workers.release(task_id, flight.worker)
        if isinstance(flight.job, Slab):
            flight.owner.held.expected_slabs -= flight.expected_bytes
        else:
            flight.owner.held.expected_units -= flight.expected_bytes
        return flight

    def _note_unit(self, owner: Pass, unit: Unit, report: UnitReport) -> None:
        dataset = owner.key.dataset
        self._costs[dataset].make.note(report.rows_in, report.size_bytes, report.seconds)
        for step, seconds in report.seconds_by_step.items():
            self._steps[dataset, step].note(report.rows_in, 0, seconds)
        self._meter.note_rows(report.rows_in)
        if not unit.is_counted:
            unit.is_counted = True
            self._bad_rows[dataset] += report.bad_rows

    def _tick(self, now: float) -> None:
        self._meter.tick(now, busy=self._workers.busy, workers=len(self._workers))


def _order(key: PassKey) -> tuple[int, int]:
    return key.generation, key.number


def _inputs(task: Task) -> set[TaskId]:
    if isinstance(task, MakeTask):
        return set(task.inputs)
    return {task.input} if isinstance(task, PrepareTask) else set()
