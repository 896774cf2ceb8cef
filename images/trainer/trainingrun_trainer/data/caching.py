"""What a data worker does with a slab where a dataset has a cache: look for it, or prepare it and keep it.

Rows that come from the cache are, with their ids, those that would have been prepared. No Ray; in which order slabs are
wanted, and by whom, is the schedule's business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.cache import Cache
from trainingrun_trainer.data.cache_entry import Entry
from trainingrun_trainer.data.cache_key import contents_of, key_of
from trainingrun_trainer.data.cached_steps import applied, refuse_random
from trainingrun_trainer.data.consumed import ROW_ID, Consumed, piece_of
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.slabs import Bundle, SlabReport
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.table_notes import vanished_of, with_bad, with_left, with_vanished, without_notes
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.data.transform_check import refuse_missing_return
from trainingrun_trainer.failures.errors import InvalidConfiguration

# Work of a slab: enough that a file is worth it, little enough that all data CPUs have some.
_SLAB_SECONDS = 1.0
_LEAST_SLAB_BYTES = 64 << 10
# Rows of each slab that are prepared once more, of so many.
_CHECKED_OF = 50
_TIMED_ROWS = 16


@dataclass(frozen=True)
class Loaded:
    """A prepared slab, and those of its rows, not consumed, that were left out when it was prepared.

    The table notes which rows it has of those that were prepared, what vanished, and what was bad.
    """

    report: SlabReport
    table: pa.Table
    bad: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class Caching:
    """A dataset's cache and the steps whose results it keeps; every data worker gets a copy. See `caching_of`."""

    cache: Cache
    steps: Chain

    def load(self, bundle: Bundle, slab: int, slab_bytes: int, consumed: Consumed) -> Loaded | None:
        """The rows of a kept slab that are not consumed, prepared; None on a miss."""
        began = time.perf_counter()
        entry = self.cache.load(bundle, slab, slab_bytes)
        if entry is None:
            return None
        return _loaded(entry, bundle, consumed, began)

    def prepare(
        self,
        bundle: Bundle,
        slab: int,
        slab_bytes: int,
        read: SlabReport,
        rows: pa.Table,
        left_out: Sequence[BadRow] = (),
    ) -> Loaded:
        """Put the rows of a slab, as they were read and decoded, through the kept steps, and keep it if it is whole.

        `read` is what reading reported, `left_out` the rows that are missing in `rows` since. Raises what steps do.
        """
        began = time.perf_counter()
        entry = Entry(applied(self.steps, without_notes(rows)), read.rows, read.has_more, tuple(left_out))
        # Of a slab of which rows were used, or could not be fetched, only a part is here.
        is_whole = read.kept == read.rows and not any(row.is_outage for row in left_out)
        if is_whole and self.cache.is_writing:
            self._check(rows.slice(0, max(1, rows.num_rows // _CHECKED_OF)))
            self.cache.store(bundle, slab, slab_bytes, entry)
        return _loaded(entry, bundle, Consumed(), began)

    def _check(self, rows: pa.Table) -> None:
        """Look at some rows of each slab for what is random so rarely that a sample did not show it."""
        try:
            refuse_random(self.steps, rows)
        except InvalidConfiguration as error:
            self.cache.refuse(str(error))
            raise


def caching_of(
    path: str,
    source: Source,
    layouts: Mapping[str, ArrayLayout],
    steps: Chain,
    *,
    can_write: bool,
    slab_bytes: int,
) -> tuple[Caching, int]:
    """The cache for a dataset whose kept steps are `steps`, opened, and the bytes of its slabs.

    `slab_bytes` is what they have if this run is the first: see `slab_bytes_for`. Raises InvalidConfiguration.
    """
    contents = contents_of(source, layouts, steps.steps, training=steps.training)
    cache = Cache(path, key_of(contents), can_write=can_write)
    return Caching(cache, steps), cache.open(contents, slab_bytes)


def try_steps(steps: Chain, sample: pa.Table) -> float:
    """How many rows a second one CPU puts through the kept steps; 0 where there are none.

    Raises InvalidConfiguration where a step is random, and what the author's code raises.
    """
    if not steps.steps or not sample.num_rows:
        return 0.0
    steps.build()
    refuse_random(steps, sample)
    refuse_missing_return(steps)
    rows = sample.slice(0, _TIMED_ROWS)
    began = time.perf_counter()
    steps(rows)
    rate: float = rows.num_rows / (time.perf_counter() - began)
    return rate


def slab_bytes_for(most: int, row_bytes: int, rows_per_second: float) -> int:
    """Bytes, a power of two, of slabs that take a CPU about a second to prepare: at most `most`, and 64 KiB or more.

    A row takes `row_bytes` as it is read, and `rows_per_second` of one CPU are prepared; 0 where that is not known.
    """
    if not rows_per_second:
        return most
    work = _SLAB_SECONDS * rows_per_second * row_bytes
    return min(most, max(_LEAST_SLAB_BYTES, 1 << max(0, int(work).bit_length() - 1)))


def _loaded(entry: Entry, bundle: Bundle, consumed: Consumed, began: float) -> Loaded:
    table = entry.table
    left = _left(table.column(ROW_ID).to_numpy(), bundle, consumed)
    vanished, bad_ids = vanished_of(table), np.array([row.row for row in entry.bad], np.int64)
    is_bad_left = _left(bad_ids, bundle, consumed)
    kept = without_notes(table if left.all() else table.filter(pa.array(left)))
    kept = with_vanished(kept, vanished[_left(vanished, bundle, consumed)])
    kept = with_left(with_bad(kept, bad_ids[is_bad_left]), left)
    seconds = time.perf_counter() - began
    report = SlabReport(entry.rows, kept.num_rows, kept.nbytes, entry.has_more, seconds, prepared=table.num_rows)
    return Loaded(report, kept, tuple(row for row, is_left in zip(entry.bad, is_bad_left, strict=True) if is_left))


def _left(ids: np.ndarray, bundle: Bundle, consumed: Consumed) -> np.ndarray:
    """Which of the rows with these ids are not consumed: bool of the ids' shape."""
    wanted = np.ones(len(ids), bool)
    if not consumed.rows():
        return wanted
    pieces = piece_of(ids)
    for piece in bundle.pieces:
        its = np.flatnonzero(pieces == piece.index)
        if len(its):
            wanted[its] = consumed.are_left(piece, ids[its])
    return wanted


def cache_word(outcomes: Iterable[bool]) -> str | None:
    """Hit, Miss or Partial for the slabs of an epoch, each found or not; None for none."""
    found = set(outcomes)
    return {frozenset({True}): "Hit", frozenset({False}): "Miss"}.get(frozenset(found), "Partial" if found else None)
