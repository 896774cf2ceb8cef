"""What a data worker does with rows: reads and prepares slabs and makes units, one at a time, in whatever process.

It decides nothing, and knows nothing of Ray. Must import little, neither torch nor Ray Data nor pandas: users wait for
a data worker's start. What the author's code raises goes on as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.cached_steps import split
from trainingrun_trainer.data.caching import Caching, Loaded
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.mixing import gather
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.row_advice import RowSample, sample_of
from trainingrun_trainer.data.seeds import EPOCH_SEED, epoch_seed
from trainingrun_trainer.data.slabs import Bundle, SlabReader, SlabReport
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.table_notes import bad_of, vanished_of, with_bad, with_vanished
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.data.transform_check import FirstRows
from trainingrun_trainer.pool.tasks import PreparedReport, UnitReport, WindowId

# What a task reports, and the table that it has made.
Made: TypeAlias = tuple[SlabReport | PreparedReport | UnitReport, pa.Table]


@dataclass(frozen=True)
class Work:
    """What has to be known to prepare a dataset's rows: where they are, what their arrays are, what they become.

    `needed` are the columns that a tensor must be able to hold once they are transformed.
    """

    source: Source
    layouts: Mapping[str, ArrayLayout]
    transform: Chain | None
    caching: Caching | None = None
    needed: tuple[str, ...] = ()

    @property
    def behind_cache(self) -> Chain | None:
        """The part of the transform that units go through: all of it, or what the cache does not keep."""
        if self.caching is None or self.transform is None:
            return self.transform
        return split(self.transform)[1]


class Maker:
    """See the module. `works` are the run's datasets by name."""

    def __init__(self, works: Mapping[str, Work]):
        self.works = works
        self._behind_cache = {name: work.behind_cache for name, work in works.items()}
        self._first_rows = {
            name: FirstRows(work.transform.steps, work.needed)
            for name, work in works.items()
            if work.transform is not None
        }
        self._readers: dict[str, SlabReader] = {}
        self._sampled: tuple[str, str] | None = None
        self._made: set[str] = set()

    def sample(self, dataset: str, column: str) -> None:
        """Have a report bring a sample, once, of what the dataset's transform makes of a column."""
        self._sampled = (dataset, column)

    def build(self) -> None:
        """Build what the author's classes build once in a process."""
        for work in self.works.values():
            if work.transform is not None:
                work.transform.build()

    def read(self, dataset: str, bundle: Bundle, slab: int, slab_bytes: int, consumed: Consumed) -> Made:
        """The rows of a slab that are not `consumed`: as they are stored, or from the cache."""
        work = self.works[dataset]
        if work.caching is not None:
            found = work.caching.load(bundle, slab, slab_bytes, consumed)
            if found is not None:
                return _prepared(work.caching, found)
        if dataset not in self._readers:
            self._readers[dataset] = SlabReader(work.source, dict(work.layouts))
        return self._readers[dataset].read(bundle, slab, slab_bytes, consumed)

    def prepare(
        self, dataset: str, bundle: Bundle, slab: int, slab_bytes: int, read: SlabReport, rows: pa.Table
    ) -> Made:
        """A slab's rows, of which reading has reported `read`, as the cache keeps them."""
        work = self.works[dataset]
        if work.caching is None:
            raise RuntimeError(f"the dataset {dataset} has no cache to prepare slabs for")
        decoded, bad = prepare_rows(work.source, work.layouts, rows)
        return _prepared(work.caching, work.caching.prepare(bundle, slab, slab_bytes, read, decoded, bad))

    def make(self, dataset: str, window: WindowId, epoch: Epoch, positions: range, *slabs: pa.Table) -> Made:
        """The rows at `positions` of the window that `slabs` are, transformed."""
        began = time.perf_counter()
        work, transform = self.works[dataset], self._behind_cache[dataset]
        rows = gather(slabs, window, epoch, positions)
        decoded, bad = prepare_rows(work.source, work.layouts, rows)
        made = _transformed(transform, decoded, epoch)
        sample = self._look(dataset, decoded, made)
        made = with_bad(made, np.array([row.row for row in bad], np.int64))
        if positions.start == 0:
            # What preparing has left out of the window's slabs is told once, with the window's first unit.
            made = with_vanished(made, np.concatenate([vanished_of(slab) for slab in slabs]))
            made = with_bad(made, np.concatenate([bad_of(slab) for slab in slabs]))
        seconds = time.perf_counter() - began
        by_step = transform.seconds_by_step if transform is not None else {}
        return UnitReport(rows.num_rows, made.num_rows, made.nbytes, seconds, by_step, bad, sample), made

    def _look(self, dataset: str, rows: pa.Table, made: pa.Table) -> RowSample | None:
        """Check what the transform has made of rows, and take the sample that was asked for if these can give one."""
        chain = self._behind_cache[dataset]
        if dataset in self._first_rows:
            self._first_rows[dataset].look(made, chain)
        is_first = dataset not in self._made
        self._made.add(dataset)
        # Imports and first calls are not the transform's speed.
        if chain is None or is_first or self._sampled is None or self._sampled[0] != dataset:
            return None
        sample = sample_of(rows, made, chain, self._sampled[1])
        if sample is not None:
            self._sampled = None
        return sample


def _prepared(caching: Caching, loaded: Loaded) -> Made:
    return PreparedReport(loaded.report, loaded.bad, caching.cache.take_notices()), loaded.table


def _transformed(transform: Chain | None, rows: pa.Table, epoch: Epoch) -> pa.Table:
    if transform is None:
        return rows
    if transform.takes_seed:
        # The transform is the same in every epoch; only the rows can tell it which one this is.
        seed = epoch_seed(epoch.seed, epoch.number)
        rows = rows.append_column(EPOCH_SEED, pa.repeat(seed, rows.num_rows))
    return transform(rows)
