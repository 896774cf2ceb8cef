"""One step of all ranks: this rank's rows, and how many there are in all."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun_trainer.train.feed import Batch


@dataclass(frozen=True)
class Step:
    """One step of all ranks. `batch` is this rank's `rows`, or None when only other ranks have some.

    Every step but an epoch's last has globalBatchSize rows in all, `total_rows`, divided by gradientAccumulationSteps.
    `ranks_with_rows` says which ranks have any.
    """

    batch: Batch | None
    rows: int
    total_rows: int
    ranks_with_rows: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, batch: Batch | None, by_rank: tuple[int, ...], rank: int) -> Step:
        """The step of `rank`; `by_rank` are the rows of each."""
        with_rows = tuple(each for each, rows in enumerate(by_rank) if rows)
        return cls(batch, by_rank[rank], sum(by_rank), with_rows)
