"""What the pool has been seen to do: the costs of every dataset's stages, rows made, and time that workers worked.

Sums and averages over reports; the time is an argument. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.cutting import Cost
from trainingrun_trainer.pool.figures import Meter, StageFigures
from trainingrun_trainer.pool.reading_ahead import Costs
from trainingrun_trainer.pool.tasks import UnitReport


class Accounts:
    """See the module. `rows_made` and `rows_taken` are those of passes of which nothing is kept."""

    def __init__(self) -> None:
        self.rows_made = 0
        self.rows_taken = 0
        self._costs: dict[str, Costs] = {}
        self._steps: defaultdict[tuple[str, str], Cost] = defaultdict(Cost)
        self._meter = Meter()

    def costs(self, dataset: str) -> Costs:
        """What the stages of a dataset cost: the same object for all of its passes."""
        return self._costs.setdefault(dataset, Costs(Cost(), Cost(), Cost()))

    def tick(self, now: float, *, busy: int, workers: int) -> None:
        """Since the last tick, `busy` of `workers` workers have had something to do."""
        self._meter.tick(now, busy=busy, workers=workers)

    def note_slab(self, dataset: str, report: SlabReport, *, is_read: bool) -> None:
        """A slab was read, or else prepared."""
        costs = self.costs(dataset)
        (costs.read if is_read else costs.prepare).note(report.kept, report.size_bytes, report.seconds)

    def note_unit(self, dataset: str, report: UnitReport) -> None:
        """A unit was made."""
        self.costs(dataset).make.note(report.rows_in, report.size_bytes, report.seconds)
        for step, seconds in report.seconds_by_step.items():
            self._steps[dataset, step].note(report.rows_in, 0, seconds)
        self._meter.note_rows(report.rows_in)

    def figures(self, now: float) -> dict[str, Any]:
        """The fields of `Figures` that are known here."""
        return {
            "busy_share": self._meter.busy_share(),
            "busy_seconds": self._meter.busy_seconds,
            "worker_seconds": self._meter.worker_seconds,
            "rows_per_second": self._meter.rows_per_second(now),
            "rows_made": self.rows_made,
            "rows_taken": self.rows_taken,
            "stages": {
                (dataset, stage): StageFigures(cost.seconds_per_row, cost.bytes_per_row)
                for dataset, costs in self._costs.items()
                for stage, cost in (("Read", costs.read), ("Prepare", costs.prepare), ("Make", costs.make))
            },
            "seconds_by_step": {key: cost.seconds_per_row or 0.0 for key, cost in self._steps.items()},
        }
