"""One pass over a dataset: what can be done for it next, and what follows from how tasks end.

Puts together what is read ahead, cut, held and lost. Which pass and which worker come next is the schedule's affair.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.failures.errors import DataError, NodesLost
from trainingrun_trainer.pool.budget import Held
from trainingrun_trainer.pool.cutting import rows_of_unit
from trainingrun_trainer.pool.reading_ahead import Costs, ReadingAhead, Room
from trainingrun_trainer.pool.redo import Redo
from trainingrun_trainer.pool.shares import Shares
from trainingrun_trainer.pool.tasks import MakeTask, PassKey, PassPlan, PrepareTask, ReadTask, Task, TaskId, UnitReport
from trainingrun_trainer.pool.units import Unit, UnitState
from trainingrun_trainer.pool.windows import Slab, SlabState, Window

# A task that so many workers have not survived is not tried on another one.
_MOST_DEATHS = 3
# A unit that was lost so often together with its slabs or on its way to the rank tells of nodes that do not stay.
_MOST_LOSSES = 20


class Pass:
    """See the module. `freed` collects objects to let go."""

    def __init__(self, key: PassKey, plan: PassPlan, costs: Costs, freed: list[TaskId]):
        self.key = key
        self.plan = plan
        self.is_over = False
        self.is_keeping = plan.is_kept
        self.held = Held()
        self.shares = Shares(plan.world_size)
        self._costs = costs
        self._freed = freed
        self._reading = ReadingAhead(plan.groups, plan.slab_bytes, costs)
        self._redo = Redo()
        self._unprepared: list[Slab] = []
        self._objects: set[TaskId] = set()
        self._advance()

    # What is next

    def next(self, room: Room) -> Slab | Unit | None:
        """What a worker can do for the pass now; it counts as being done. None if there is nothing, or no room."""
        job: Slab | Unit | None = self._redo.next_slab(has_room=room.slabs > self._reading.expected_bytes)
        if job is None and self._unprepared:
            job = self._unprepared.pop()
        job = job or self._redo.next_unit() or self._next_new(room)
        while isinstance(job, Unit) and job.window.error is not None:
            self.unit_failed(job, job.window.error)
            job = self._redo.next_unit() or self._next_new(room)
        self._let_go_of_closed()
        return job

    def task(self, job: Slab | Unit) -> Task:
        """The task that does it, as things stand."""
        if isinstance(job, Unit):
            job.state = UnitState.RUNNING
            window = job.window
            return MakeTask(self.key, self.plan.epoch, window.id, job.rank, job.number, job.positions, window.inputs())
        number = job.window.number
        if job.state is SlabState.READ and job.object is not None:
            job.state = SlabState.PREPARING
            return PrepareTask(self.key, job.bundle, number, job.object)
        job.state = SlabState.READING
        return ReadTask(self.key, job.bundle, number, self.plan.slab_bytes)

    def expected_bytes(self, job: Slab | Unit) -> float:
        """What the result is expected to have."""
        if isinstance(job, Unit):
            return len(job.positions) * self._bytes_per_row(job.window)
        return self._reading.expected_bytes

    def could_make(self, room: Room) -> bool:
        """Whether there are rows to make units of, and room for them."""
        return self.shares.known_rows > 0 and room.units > 0

    def _next_new(self, room: Room) -> Slab | Unit | None:
        shares = self.shares

        def rows_of(window: Window, rest: int) -> int:
            return rows_of_unit(
                self._costs.make,
                units=shares.units,
                workers=max(1, room.workers),
                known_rows=shares.known_rows,
                rest=rest,
                bytes_per_row=self._bytes_per_row(window),
            )

        unit = shares.cut_starving(rows_of)
        job: Slab | Unit | None = unit
        if job is None and shares.starving:
            job = self._reading.needed()
        job = job or self._reading.next(room)
        if job is None and (room.has_makers or not self._is_short(room)):
            job = unit = shares.cut_next(rows_of, lambda window: room.units / max(self._bytes_per_row(window), 1e-9))
        if unit is not None:
            self._reading.cut(unit.window, len(unit.positions))
        return job

    def _is_short(self, room: Room) -> bool:
        """Whether so few rows are known that who reads should do nothing else."""
        target = self._reading.target(room.workers)
        return target is not None and self._reading.in_flight > 0 and self.shares.known_rows < target

    def _bytes_per_row(self, window: Window) -> float:
        measured = self._costs.make.bytes_per_row
        return window.size_bytes / max(1, window.rows) if measured is None else measured

    # What has ended

    def slab_read(self, slab: Slab, task_id: TaskId, report: SlabReport, *, is_prepared: bool) -> None:
        """A read task has ended well."""
        before, slab.report = slab.report, report
        if before is None:
            self._reading.note_read(slab, report.has_more)
        self._hold(slab, task_id, report)
        if self.plan.is_prepared and not is_prepared and slab.object is not None:
            slab.state = SlabState.READ
            self._unprepared.append(slab)
        else:
            self._slab_ready(slab, report.kept)

    def slab_prepared(self, slab: Slab, task_id: TaskId, report: SlabReport) -> None:
        """A prepare task has ended well: what was read is not needed any more."""
        self._let_go(slab)
        self._hold(slab, task_id, report)
        self._slab_ready(slab, report.kept)

    def unit_made(self, unit: Unit, task_id: TaskId, report: UnitReport) -> None:
        """A make task has ended well."""
        unit.state, unit.object, unit.size_bytes = UnitState.MADE, task_id, report.size_bytes
        self._objects.add(task_id)
        self.held.units += unit.size_bytes
        self._no_longer_unmade(unit.window)

    def slab_failed(self, slab: Slab, error: Exception) -> None:
        """It cannot be read or prepared: its ranks are told in its place."""
        if slab.report is None:
            self._reading.note_read(slab, has_more=False)
        self._let_go(slab)
        slab.error = error
        if slab.is_known:
            # What is still to be made of the window fails when its turn comes.
            slab.state = SlabState.HELD
            slab.window.error = slab.window.error or error
            self._redo.slab_back(slab)
        else:
            self._slab_ready(slab, 0)

    def unit_failed(self, unit: Unit, error: Exception) -> None:
        """It cannot be made: its rank is told in its place, and nothing is made for it beyond."""
        unit.state, unit.error = UnitState.FAILED, error
        self.shares.ranks[unit.rank].has_failed = True
        self._no_longer_unmade(unit.window)

    def again(self, job: Slab | Unit, *, is_dead: bool = False) -> None:
        """Its task has no result and is due again; `is_dead` if its worker died of it, as far as is known."""
        job.deaths += is_dead
        if job.deaths >= _MOST_DEATHS:
            error = DataError(_deadly(self.key.dataset, job))
            self.unit_failed(job, error) if isinstance(job, Unit) else self.slab_failed(job, error)
        elif isinstance(job, Unit):
            self._redo.unit_lost(job)
        elif job.state is SlabState.PREPARING:
            job.state = SlabState.READ
            self._unprepared.append(job)
        elif job.report is None:
            self._reading.put_back(job)
        else:
            self._redo.slab_lost(job)

    def inputs_lost(self, job: Slab | Unit, gone: Collection[TaskId]) -> None:
        """Its task could not get its inputs, of which those in `gone` are lost."""
        if isinstance(job, Unit):
            for slab in job.window.slabs.values():
                if slab.object in gone and slab.object is not None:
                    self._let_go(slab)
                    self._redo.slab_gone(slab)
            self._count_loss(job)
        elif job.state is SlabState.PREPARING:
            self._let_go(job)
            self._redo.slab_lost(job)
        else:
            self.again(job)

    # What ranks say

    def took(self, rank: int, number: int, most_kept: int) -> None:
        """A rank has the rows of a unit."""
        unit = self.shares.ranks[rank].given(number)
        if unit is None:
            return
        unit.is_taken = True
        self.shares.took(unit)
        self.held.units -= unit.size_bytes
        if not self.is_keeping:
            self._forget(unit)
            return
        self.held.kept += unit.size_bytes
        if self.held.kept > most_kept:
            self._stop_keeping()

    @property
    def is_complete(self) -> bool:
        """Whether every rank has taken all of its units."""
        return all(state.has_ended for state in self.shares.ranks)

    def lost(self, rank: int, number: int) -> None:
        """A rank could not fetch a unit that it was given."""
        unit = self.shares.ranks[rank].given(number)
        if unit is None or unit.object is None:
            return
        self._free(unit.object)
        self.held.units -= unit.size_bytes
        unit.object, unit.size_bytes = None, 0
        unit.window.unmade += 1
        self.shares.ranks[rank].give_again(number)
        self._count_loss(unit)

    def restart(self, key: PassKey) -> None:
        """Hand out all units once more, under another key. Only while `is_keeping`."""
        self.key = key
        self.held.units += self.held.kept
        self.held.kept = 0
        for state in self.shares.ranks:
            state.restart()
            self.shares.check_starving(state)

    def end(self) -> None:
        """Nobody needs anything of it any more."""
        self.is_over = True
        self._freed += sorted(self._objects)
        self._objects.clear()
        self.held = Held()

    # Objects

    def _hold(self, slab: Slab, task_id: TaskId, report: SlabReport) -> None:
        if not report.kept:
            self._freed.append(task_id)
            return
        slab.object, slab.size_bytes = task_id, report.size_bytes
        self._objects.add(task_id)
        self.held.slabs += report.size_bytes

    def _let_go(self, slab: Slab) -> None:
        if slab.object is not None:
            self._free(slab.object)
            self.held.slabs -= slab.size_bytes
            slab.object, slab.size_bytes = None, 0

    def _free(self, task_id: TaskId) -> None:
        self._objects.discard(task_id)
        self._freed.append(task_id)

    def _slab_ready(self, slab: Slab, kept: int) -> None:
        if slab.is_known and kept != slab.kept:
            self.slab_failed(slab, _changed(slab, slab.kept or 0, kept))
            return
        slab.state = SlabState.HELD
        if slab.is_known:
            self._redo.slab_back(slab)
            return
        slab.is_known, slab.kept = True, kept
        self._reading.recount(slab, kept)
        slab.window.group.note_ready(slab)
        self._advance()

    def _advance(self) -> None:
        """Have the ranks know every window that is whole now."""
        while (window := self._reading.next_known()) is not None:
            self.shares.add(window)
            if window.error is not None:
                for slab in window.slabs.values():
                    self._let_go(slab)
        if self._reading.is_over:
            self.shares.end()
        self._let_go_of_closed()

    def _let_go_of_closed(self) -> None:
        for window in self.shares.closed():
            self._reading.slabs_ahead -= len(window.slabs)
            self._let_go_of_slabs(window)

    def _let_go_of_slabs(self, window: Window) -> None:
        if window.unmade or window.open_shares:
            return
        for slab in window.slabs.values():
            if slab.object is not None:
                self._let_go(slab)
                self._redo.slab_gone(slab)

    def _no_longer_unmade(self, window: Window) -> None:
        window.unmade -= 1
        self._let_go_of_slabs(window)

    def _count_loss(self, unit: Unit) -> None:
        unit.losses += 1
        if unit.losses > _MOST_LOSSES:
            message = (
                f"{self.key.dataset}: rows were lost {unit.losses} times on their way, with the nodes that had them"
            )
            self.unit_failed(unit, NodesLost(message))
        else:
            self._redo.unit_lost(unit)

    def _forget(self, unit: Unit) -> None:
        if unit.object is not None:
            self._free(unit.object)
        self.shares.forget(unit)

    def _stop_keeping(self) -> None:
        self.is_keeping = False
        self.held.kept = 0
        for state in self.shares.ranks:
            for unit in [unit for unit in state.units.values() if unit.is_taken]:
                self._forget(unit)


def _changed(slab: Slab, before: int, now: int) -> DataError:
    path = slab.bundle.pieces[0].paths[0]
    return DataError(
        f"{path}: found {now} rows where there were {before} before; the file has changed while it was read"
    )


def _deadly(dataset: str, job: Slab | Unit) -> str:
    slab = job if isinstance(job, Slab) else job.window.slabs[min(job.window.slabs)]
    what = "read" if isinstance(job, Slab) else "made rows"
    return (
        f"{dataset}: {_MOST_DEATHS} data workers have died while they {what}, the part from "
        f"{slab.bundle.pieces[0].paths[0]} on; most likely they had too little memory for it"
    )
