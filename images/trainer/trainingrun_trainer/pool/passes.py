"""One pass over a dataset: what can be done for it next, and what follows from how tasks end.

Puts together what is read ahead, cut, held and lost; which pass and which worker come next is not its affair. Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.budget import Held
from trainingrun_trainer.pool.choosing import Choosing
from trainingrun_trainer.pool.hopeless import MOST_DEATHS, MOST_LOSSES, changed, deadly, lost_too_often
from trainingrun_trainer.pool.objects import Objects
from trainingrun_trainer.pool.reading_ahead import Costs, ReadingAhead, Room
from trainingrun_trainer.pool.redo import Redo
from trainingrun_trainer.pool.shares import Shares
from trainingrun_trainer.pool.tasks import MakeTask, PassKey, PassPlan, PrepareTask, ReadTask, Task, TaskId, UnitReport
from trainingrun_trainer.pool.units import Unit, UnitState
from trainingrun_trainer.pool.windows import Slab, SlabState, Window


class Pass:
    """See the module. `freed` gets the objects that are let go."""

    def __init__(self, key: PassKey, plan: PassPlan, costs: Costs, freed: list[TaskId]):
        self.key = key
        self.plan = plan
        self.is_over = False
        self.is_keeping = plan.is_kept
        self.shares = Shares(plan.world_size)
        self._reading = ReadingAhead(plan.groups, plan.slab_bytes, costs)
        self._choosing = Choosing(self.shares, self._reading, costs.make)
        self._redo = Redo()
        self._unprepared: list[Slab] = []
        self._objects = Objects(freed)
        self._advance()

    @property
    def held(self) -> Held:
        """What it weighs."""
        return self._objects.held

    def next(self, room: Room) -> Slab | Unit | None:
        """What a worker can do for the pass now; it counts as being done. None if there is nothing, or no room."""
        job: Slab | Unit | None = self._redo.next_slab(has_room=room.slabs > self._reading.expected_bytes)
        if job is None and self._unprepared:
            job = self._unprepared.pop()
        job = job or self._redo.next_unit() or self._choosing.next(room)
        while isinstance(job, Unit) and job.window.error is not None:
            self.unit_failed(job, job.window.error)
            job = self._redo.next_unit() or self._choosing.next(room)
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
        return self._choosing.bytes_of(job) if isinstance(job, Unit) else self._reading.expected_bytes

    # What has ended

    def slab_read(self, slab: Slab, task_id: TaskId, report: SlabReport, *, is_prepared: bool) -> None:
        """A read task has ended well."""
        before, slab.report = slab.report, report
        if before is None:
            self._reading.note_read(slab, report.has_more)
        self._objects.hold_slab(slab, task_id, report)
        if self.plan.is_prepared and not is_prepared and report.kept:
            slab.state = SlabState.READ
            self._unprepared.append(slab)
        else:
            self._slab_ready(slab, places=report.places, kept=report.kept)

    def slab_prepared(self, slab: Slab, task_id: TaskId, report: SlabReport) -> None:
        """A prepare task has ended well: what was read is not needed any more."""
        self._objects.let_slab_go(slab)
        self._objects.hold_slab(slab, task_id, report)
        self._slab_ready(slab, places=report.places, kept=report.kept)

    def unit_made(self, unit: Unit, task_id: TaskId, report: UnitReport) -> None:
        """A make task has ended well."""
        unit.state = UnitState.MADE
        self._objects.hold_unit(unit, task_id, report)
        self._no_longer_unmade(unit.window)

    def slab_failed(self, slab: Slab, error: Exception) -> None:
        """It cannot be read or prepared: its ranks are told in its place."""
        if slab.report is None:
            self._reading.note_read(slab, has_more=False)
        self._objects.let_slab_go(slab)
        slab.error = error
        if slab.is_known:
            # What is still to be made of the window fails when its turn comes.
            slab.state = SlabState.HELD
            slab.window.error = slab.window.error or error
            self._redo.slab_back(slab)
        else:
            self._slab_ready(slab, places=0, kept=0)

    def unit_failed(self, unit: Unit, error: Exception) -> None:
        """It cannot be made: its rank is told in its place, and nothing is made for it beyond."""
        unit.state, unit.error = UnitState.FAILED, error
        self.shares.ranks[unit.rank].has_failed = True
        self._no_longer_unmade(unit.window)

    def again(self, job: Slab | Unit, *, is_dead: bool = False) -> None:
        """Its task has no result and is due again; `is_dead` if its worker died of it, as far as is known."""
        job.deaths += is_dead
        if job.deaths >= MOST_DEATHS:
            error = deadly(self.key.dataset, job)
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
                    self._objects.let_slab_go(slab)
                    self._redo.slab_gone(slab)
            self._count_loss(job)
        elif job.state is SlabState.PREPARING:
            self._objects.let_slab_go(job)
            self._redo.slab_lost(job)
        else:
            self.again(job)

    # What ranks say

    def took(self, rank: int, number: int, most_kept: int) -> int:
        """A rank has the rows of a unit; returns how many went into it, none if it was not to be taken."""
        unit = self.shares.ranks[rank].given(number)
        if unit is None:
            return 0
        unit.is_taken = True
        self.shares.took(unit)
        self._objects.take_unit(unit, is_kept=self.is_keeping)
        if not self.is_keeping:
            self.shares.forget(unit)
        self.keep_at_most(most_kept)
        return len(unit.positions)

    def keep_at_most(self, most_bytes: int) -> None:
        """If units of more bytes are kept, keep none any more."""
        if not self.is_keeping or self.held.kept <= most_bytes:
            return
        self.is_keeping = False
        for state in self.shares.ranks:
            for unit in [unit for unit in state.units.values() if unit.is_taken]:
                self._objects.let_kept_go(unit)
                self.shares.forget(unit)

    @property
    def is_complete(self) -> bool:
        """Whether every rank has taken all of its units."""
        return all(state.has_ended for state in self.shares.ranks)

    def lost(self, rank: int, number: int) -> None:
        """A rank could not fetch a unit that it was given."""
        unit = self.shares.ranks[rank].given(number)
        if unit is None:
            return
        self._objects.unit_lost(unit)
        unit.window.unmade += 1
        self.shares.ranks[rank].give_again(number)
        self._count_loss(unit)

    def restart(self, key: PassKey) -> None:
        """Hand out all units once more, under another key. Only while `is_keeping`."""
        self.key = key
        self._objects.give_back_kept()
        for state in self.shares.ranks:
            state.restart()
            self.shares.check_starving(state)

    def end(self) -> None:
        """Nobody needs anything of it any more."""
        self.is_over = True
        self._objects.let_all_go()

    def _slab_ready(self, slab: Slab, *, places: int, kept: int) -> None:
        if slab.is_known and (places, kept) != (slab.places, slab.kept):
            self.slab_failed(slab, changed(slab, slab.places, places))
            return
        slab.state = SlabState.HELD
        if slab.is_known:
            self._redo.slab_back(slab)
            return
        slab.is_known, slab.places, slab.kept = True, places, kept
        self._reading.recount(slab, kept)
        slab.window.group.note_ready(slab)
        self._advance()

    def _advance(self) -> None:
        """Have the ranks know every window that is whole now."""
        while (window := self._reading.next_known()) is not None:
            self.shares.add(window)
            self._reading.note_known(window)
            if window.error is not None:
                for slab in window.slabs.values():
                    self._objects.let_slab_go(slab)
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
                self._objects.let_slab_go(slab)
                self._redo.slab_gone(slab)

    def _no_longer_unmade(self, window: Window) -> None:
        window.unmade -= 1
        self._let_go_of_slabs(window)

    def _count_loss(self, unit: Unit) -> None:
        unit.losses += 1
        if unit.losses > MOST_LOSSES:
            self.unit_failed(unit, lost_too_often(self.key.dataset, unit))
        else:
            self._redo.unit_lost(unit)
