"""A pool in virtual time: workers that take as long as they are told, objects that can be lost, ranks that fetch."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pool_plans import ROW_BYTES, Row

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.schedule import Schedule
from trainingrun_trainer.pool.tasks import (
    Assignment,
    Ended,
    Failed,
    Lost,
    MakeTask,
    PassKey,
    PassPlan,
    PrepareTask,
    ReadTask,
    Ready,
    Task,
    UnitReport,
)


@dataclass
class Rank:
    """What a rank has got, in the order of numbers, and when. It trains `seconds_per_row`."""

    key: PassKey
    rank: int
    seconds_per_row: float = 0.0
    rows: list[Row] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    waiting: dict[int, int] = field(default_factory=dict)  # number -> object, given but not fetched
    expected: int = 0
    is_busy: bool = False
    ended: float | None = None
    error: Exception | None = None


class SimulatedPool:
    """See the module. `kills` and `losses` are the chances that a task ends with its worker, or an object, lost."""

    def __init__(
        self,
        *,
        workers: int = 1,
        budget_bytes: int = 1 << 40,
        has_kept: bool = False,
        row_seconds: float = 0.005,
        read_seconds: float = 0.005,
        transfer_seconds: float = 0.003,
        kills: float = 0.0,
        losses: float = 0.0,
        seed: int = 0,
        fails: Callable[[Row], bool] = lambda row: False,
        failing: type[Task] = MakeTask,
        deadly: Callable[[Row], bool] = lambda row: False,
    ):
        self.schedule = Schedule(budget_bytes, has_kept=has_kept)
        self.now = 0.0
        self.row_seconds, self.read_seconds, self.transfer_seconds = row_seconds, read_seconds, transfer_seconds
        self.kills, self.losses = kills, losses
        self.fails, self.failing, self.deadly = fails, failing, deadly
        self.random = random.Random(seed)
        self.store: dict[int, list[Row]] = {}
        self.vanished: set[int] = set()
        self._pinned: dict[int, list[Row]] = {}
        self._mixed: dict[tuple[int, ...], list[Row]] = {}
        self._held = 0
        self.ranks: list[Rank] = []
        self.units: list[Assignment] = []
        self.reads = 0
        self.most_held = 0
        self.busy_seconds = 0.0
        self._queues: dict[str, deque[Assignment]] = {}
        self._running: set[str] = set()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        for _ in range(workers):
            self.join()

    def join(self) -> str:
        """Another worker."""
        name = f"worker-{next(self._count)}"
        self._queues[name] = deque()
        self.schedule.worker_joined(name, "node")
        return name

    def leave(self, worker: str) -> None:
        """A worker dies with all that it has in flight."""
        self._queues.pop(worker, None)
        self._running.discard(worker)
        self.schedule.worker_left(worker)

    @property
    def workers(self) -> list[str]:
        """Those alive."""
        return [*self._queues]

    def begin(self, key: PassKey, plan: PassPlan, seconds_per_row: float = 0.0) -> list[Rank]:
        """A pass and its ranks."""
        self.schedule.begin(key, plan, self.now)
        ranks = [Rank(key, rank, seconds_per_row) for rank in range(plan.world_size)]
        self.ranks += ranks
        return ranks

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._count), action))

    def run(self, until: Callable[[], bool] | None = None, most_events: int = 1_000_000) -> None:
        """Let time pass until `until`, or until all ranks have all. Raises AssertionError if nothing can happen."""
        is_done = until or (lambda: all(rank.ended is not None for rank in self.ranks))
        for _ in range(most_events):
            self._settle()
            if is_done():
                return
            assert self._events, "nothing is in flight though ranks wait"
            self.now, _, action = heapq.heappop(self._events)
            action()
        raise AssertionError("too many events")

    def _settle(self) -> None:
        is_settled = False
        while not is_settled:
            is_settled = True
            for rank in self.ranks:
                is_settled &= not self._fetch(rank)
            for assignment in self.schedule.assignments(self.now):
                self._queues[assignment.worker].append(assignment)
                self._pin(assignment)
                if isinstance(assignment.task, MakeTask):
                    self.units.append(assignment)
                self.reads += isinstance(assignment.task, ReadTask)
                is_settled = False
            for worker in [*self._queues]:
                self._start(worker)
            for task_id in self.schedule.freed():
                self._held -= len(self.store.pop(task_id, ()))
        self.most_held = max(self.most_held, self._held * ROW_BYTES)

    def _pin(self, assignment: Assignment) -> None:
        """What a task was sent with stays until it ends, unless it is lost."""
        for each in _inputs(assignment.task):
            assert each in self.store or each in self.vanished, "an input was freed that a task needs"
            self._pinned.setdefault(each, self.store.get(each, []))

    def _fetch(self, rank: Rank) -> bool:
        if rank.is_busy or rank.ended is not None:
            return False
        answer = self.schedule.ready(rank.key, rank.rank)
        if isinstance(answer, Ready):
            assert answer.units
            rank.waiting |= {unit.number: unit.task_id for unit in answer.units}
        elif isinstance(answer, Failed):
            rank.error, rank.ended = answer.error, self.now
            return False
        elif isinstance(answer, Ended):
            rank.ended = self.now
            return False
        task_id = rank.waiting.pop(rank.expected, None)
        if task_id is None:
            return False
        if task_id not in self.store:
            assert task_id in self.vanished, "an object was freed that a rank needs"
            self.schedule.lost(rank.key, rank.rank, rank.expected)
            return True
        rows = self.store[task_id]
        rank.rows += rows
        rank.times.append(self.now)
        self.schedule.took(rank.key, rank.rank, rank.expected)
        rank.expected += 1
        if rank.seconds_per_row:
            rank.is_busy = True
            self.after(len(rows) * rank.seconds_per_row, lambda: setattr(rank, "is_busy", False))
        return True

    def _start(self, worker: str) -> None:
        if worker in self._running or not self._queues.get(worker):
            return
        assignment = self._queues[worker].popleft()
        self._running.add(worker)
        seconds = self._seconds(assignment)
        self.busy_seconds += seconds
        self.after(seconds, lambda: self._end(worker, assignment, seconds))

    def _seconds(self, assignment: Assignment) -> float:
        task = assignment.task
        if isinstance(task, ReadTask | PrepareTask):
            return self.read_seconds
        return self.transfer_seconds + len(task.positions) * self.row_seconds

    def _end(self, worker: str, assignment: Assignment, seconds: float) -> None:
        if worker not in self._queues:
            return
        self._running.discard(worker)
        if self.random.random() < self.losses and self.store:
            lost = self.random.choice([*self.store])
            self._held -= len(self.store.pop(lost))
            self.vanished.add(lost)
        task_id, task = assignment.task_id, assignment.task
        inputs = _inputs(task)
        missing = [each for each in inputs if each in self.vanished]
        rows = [] if missing else self._result(task)
        is_made = isinstance(task, MakeTask)
        if self.random.random() < self.kills or (is_made and any(map(self.deadly, rows))):
            self.leave(worker)
            self.after(2.0, lambda: (self.join(), None)[1])
        elif missing:
            named = missing if self.random.random() < 0.5 else []
            self.schedule.failed(task_id, Lost.INPUT, self.now, lost=named)
        elif isinstance(task, self.failing) and any(map(self.fails, rows)):
            self.schedule.failed(task_id, ValueError(f"row {next(filter(self.fails, rows))}"), self.now)
        else:
            self.store[task_id] = rows
            self._held += len(rows)
            self.schedule.done(task_id, self._report(task, rows, seconds), self.now)

    def _result(self, task: Task) -> list[Row]:
        if isinstance(task, ReadTask):
            each, rows = task.slab_bytes // ROW_BYTES, task.bundle.rows or 0
            return [(task.bundle.index, place) for place in range(task.slab * each, min(rows, (task.slab + 1) * each))]
        if isinstance(task, PrepareTask):
            return self._pinned[task.input]
        if (mixed := self._mixed.get(task.inputs)) is None:
            mixed = self._mixed[task.inputs] = [row for each in task.inputs for row in self._pinned[each]]
            random.Random(str(task.window)).shuffle(mixed)
        return [mixed[place] for place in task.positions]

    def _report(self, task: Task, rows: list[Row], seconds: float) -> SlabReport | UnitReport:
        if isinstance(task, MakeTask):
            return UnitReport(len(task.positions), len(rows), len(rows) * ROW_BYTES, seconds, {"step": seconds}, 1)
        each = task.bundle.rows or 0
        has_more = isinstance(task, ReadTask) and (task.slab + 1) * (task.slab_bytes // ROW_BYTES) < each
        return SlabReport(len(rows), len(rows), len(rows) * ROW_BYTES, has_more, seconds)


def _inputs(task: Task) -> tuple[int, ...]:
    if isinstance(task, MakeTask):
        return task.inputs
    return (task.input,) if isinstance(task, PrepareTask) else ()
