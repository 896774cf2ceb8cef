"""One pass over a rank's rows, in steps that all ranks take together: every step a whole batch in equal shares.

Which rows a rank trains in which step depends on its rows and their order alone, never on when they come: all wait for
one that is late, and only one whose rows have ended gets some of the others'. A step with enough rows everywhere costs
one exchange of a few numbers. Knows neither Ray nor epochs.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.train.batch_maker import Batch, BatchMaker
from trainingrun_trainer.train.beside import Beside, Threads
from trainingrun_trainer.train.dealing import Missing, Transfer, deal
from trainingrun_trainer.train.device_link import DeviceLink
from trainingrun_trainer.train.lockstep import Lockstep, Reports
from trainingrun_trainer.train.row_buffer import packed, unpacked
from trainingrun_trainer.train.waiting import Waiting

# How long a rank waits for rows before it hears what the others have, and whether to stop: longer while nothing comes.
_PATIENCE_SECONDS = 0.01
_LONGEST_PATIENCE_SECONDS = 0.2


@dataclass(frozen=True)
class Agreement:
    """What all ranks know of a step.

    `rows` is each rank's number of rows, `waited_seconds` the longest that any rank's device has waited for them,
    `must_stop` whether rank 0 was asked to stop.
    """

    rows: tuple[int, ...]
    waited_seconds: float
    must_stop: bool

    @property
    def total_rows(self) -> int:
        """Rows of all ranks together."""
        return sum(self.rows)


@dataclass(frozen=True)
class Portion:
    """A rank's part of a step. `batch` is None where it has no rows; `ids` are int64 of shape (rows,)."""

    batch: Batch | None
    ids: np.ndarray
    agreement: Agreement


class Supply:
    """See the module.

    `wanted(n)` is each rank's number of rows in the n-th step, `count_bad()` how many were left out of this rank's
    tables so far. Rows are fetched and batches made `beside` training, in threads unless that is given. `is_stopped`
    says that ranks were asked to stop while they waited for rows, `waited_for_rows` and `waited_for_collate` how many
    seconds this rank's device has waited, `bad_rows` what all have counted together.
    """

    def __init__(
        self,
        tables: Callable[[], Iterator[pa.Table]],
        *,
        wanted: Callable[[int], tuple[int, ...]],
        prefetch_batches: int,
        lockstep: Lockstep,
        collate: Collate,
        link: DeviceLink,
        beside: Beside | None = None,
        now: Callable[[], float] = time.monotonic,
        count_bad: Callable[[], int] = lambda: 0,
    ):
        self.is_stopped = False
        self.waited_for_rows = 0.0
        self.waited_for_collate = 0.0
        self.bad_rows = 0
        self._count_bad = count_bad
        self._wanted = wanted
        self._beside: Beside = beside or Threads()
        self._prefetch = self._beside.ahead(prefetch_batches)
        self._lockstep = lockstep
        self._for_rows, self._for_collate = Waiting(link.is_idle, now), Waiting(link.is_idle, now)
        self._unreported = 0.0
        self._maker = BatchMaker(collate, link, self._beside.maker())
        # One step's rows beside those that are kept ahead: while a step is computed, as many are fetched.
        self._stream = self._beside.stream(tables, max(1, self._own(0)))

    def steps(self, must_stop: Callable[[], bool]) -> Iterator[Portion]:
        """The steps; equally many on every rank. `must_stop` is asked before each, and while there are no rows."""
        try:
            for number in itertools.count():
                portion = self._step(number, must_stop)
                if portion is None:
                    return
                yield portion
        finally:
            self._stream.close()
            self._maker.close()

    def _own(self, number: int) -> int:
        return self._wanted(number)[self._lockstep.rank]

    def _step(self, number: int, must_stop: Callable[[], bool]) -> Portion | None:
        wanted, own = self._wanted(number), self._own(number)
        target, patience = own, _PATIENCE_SECONDS
        while True:
            self._fetch(target, own, patience)
            reports = self._report(must_stop())
            dealt = deal(reports.available, reports.has_ended, wanted, step=number)
            if not isinstance(dealt, Missing):
                break
            if reports.must_stop:
                self.is_stopped = True
                return None
            target = dealt.rows[self._lockstep.rank]
            patience = min(2 * patience, _LONGEST_PATIENCE_SECONDS)
        self._unreported = 0.0
        if dealt.transfers:
            self._for_rows.during(lambda: self._exchange(dealt.transfers))
        if not sum(dealt.rows):
            return None
        rows = dealt.rows[self._lockstep.rank]
        batch, ids = self._taken(rows)
        self._maker.prepare(self._own(number + 1), self._prefetch)
        return Portion(batch, ids, Agreement(dealt.rows, reports.waited_seconds, reports.must_stop))

    def _fetch(self, target: int, own: int, patience: float) -> None:
        """Have `target` rows here, or as many as come in time, and the batch of `own` rows made."""
        self._beside.wait(self._for_rows, lambda seconds: self._has_rows(target, seconds), patience)
        self._has_rows(own * (1 + self._prefetch), 0.0)
        if self._maker.rows >= own:
            self._make(own)

    def _has_rows(self, target: int, timeout: float) -> bool:
        while self._maker.rows < target and not self._stream.has_ended:
            table = self._stream.take(timeout)
            if table is None:
                break
            self._maker.append(table)
        return self._maker.rows >= target or self._stream.has_ended

    def _make(self, rows: int) -> None:
        def is_made(seconds: float) -> bool:
            self._maker.prepare(rows, max(1, self._prefetch))
            return self._maker.is_ready(rows, seconds)

        self._beside.wait(self._for_collate, is_made)

    def _report(self, must_stop: bool) -> Reports:
        for_rows, for_collate = self._for_rows.taken(), self._for_collate.taken()
        self.waited_for_rows += for_rows
        self.waited_for_collate += for_collate
        self._unreported += for_rows + for_collate
        reports = self._lockstep.report(
            available=self._maker.rows,
            has_ended=self._stream.has_ended,
            waited_seconds=self._unreported,
            bad_rows=self._count_bad(),
            must_stop=must_stop,
        )
        self.bad_rows = reports.bad_rows
        return reports

    def _exchange(self, transfers: tuple[Transfer, ...]) -> None:
        # All ranks go through them in this order, so that none waits for one that waits for it.
        for transfer in transfers:
            if transfer.source == self._lockstep.rank:
                self._lockstep.send(packed(self._maker.give(transfer.rows)), transfer.target)
            elif transfer.target == self._lockstep.rank:
                self._maker.append(unpacked(self._lockstep.receive(transfer.source)))

    def _taken(self, rows: int) -> tuple[Batch | None, np.ndarray]:
        if not rows:
            return None, np.zeros(0, np.int64)
        self._make(rows)  # at once, unless the rows have come from another rank
        return self._maker.take(rows)
