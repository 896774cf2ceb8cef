"""The objects that a pass holds, and what they weigh: kept until nobody needs them, and then let go once.

Keeps the account alone; when something is let go is decided in `passes`. Pure.
"""

from __future__ import annotations

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.budget import Held
from trainingrun_trainer.pool.tasks import TaskId, UnitReport
from trainingrun_trainer.pool.units import Unit
from trainingrun_trainer.pool.windows import Slab


class Objects:
    """See the module. Whatever is let go is appended to `freed`, which all passes share."""

    def __init__(self, freed: list[TaskId]):
        self.held = Held()
        self._freed = freed
        self._ids: set[TaskId] = set()

    def hold_slab(self, slab: Slab, task_id: TaskId, report: SlabReport) -> None:
        """A slab was read or prepared. One without rows needs no object.

        One of which all rows are used does: it tells the places of the others in the window.
        """
        if not report.rows:
            self._freed.append(task_id)
            return
        slab.object, slab.size_bytes = task_id, report.size_bytes
        self._ids.add(task_id)
        self.held.slabs += report.size_bytes

    def let_slab_go(self, slab: Slab) -> None:
        """A slab's object, if there is one, is not needed any more, or lost."""
        if slab.object is not None:
            self._let_go(slab.object)
            self.held.slabs -= slab.size_bytes
            slab.object, slab.size_bytes = None, 0

    def hold_unit(self, unit: Unit, task_id: TaskId, report: UnitReport) -> None:
        """A unit was made."""
        unit.object, unit.size_bytes = task_id, report.size_bytes
        self._ids.add(task_id)
        self.held.units += report.size_bytes

    def take_unit(self, unit: Unit, *, is_kept: bool) -> None:
        """A rank has taken a unit: it is kept, or let go."""
        self.held.units -= unit.size_bytes
        self.held.kept += unit.size_bytes
        if not is_kept:
            self.let_kept_go(unit)

    def let_kept_go(self, unit: Unit) -> None:
        """A unit that was taken is not kept any more."""
        self.held.kept -= unit.size_bytes
        self._let_unit_go(unit)

    def unit_lost(self, unit: Unit) -> None:
        """A unit that no rank has taken is lost."""
        self.held.units -= unit.size_bytes
        self._let_unit_go(unit)

    def give_back_kept(self) -> None:
        """All kept units are to be taken once more."""
        self.held.units += self.held.kept
        self.held.kept = 0

    def let_all_go(self) -> None:
        """Nothing is needed any more."""
        self._freed += sorted(self._ids)
        self._ids.clear()
        self.held = Held()

    def _let_unit_go(self, unit: Unit) -> None:
        if unit.object is not None:
            self._let_go(unit.object)
        unit.object, unit.size_bytes = None, 0

    def _let_go(self, task_id: TaskId) -> None:
        self._ids.discard(task_id)
        self._freed.append(task_id)
