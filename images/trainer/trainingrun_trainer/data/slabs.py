"""What a read task does: the k-th portion of a bundle of pieces, without the rows that were used, each with its id.

A slab is the same rows whoever reads it and whatever is consumed, so that every part of an epoch can be made again
anywhere. Knows nothing of Ray, groups or windows.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data.consumed import ROW_ID, Consumed, Piece, bytes_of, row_ids, rows_of
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.reading import stored_tables
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.table_notes import with_left
from trainingrun_trainer.failures.errors import DataError

# What is decoded at once: little, so that a slab takes little longer than its own rows.
_TABLE_BYTES = 1 << 20
# A bundle of more than `_LARGE_BYTES` begins with a slab of so many bytes, which may be a run's first batch.
_FIRST_BYTES = 8 << 20
_LARGE_BYTES = 16 << 20
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is read one slab after the other: one piece, or neighbours that are tiny. `index` is its first piece's."""

    index: int
    pieces: tuple[Piece, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes as they are stored."""
        return bytes_of(self.pieces)

    @property
    def rows(self) -> int | None:
        """Rows, used or not; None where only reading tells."""
        return rows_of(self.pieces)


@dataclass(frozen=True, slots=True)
class SlabReport:
    """What reading a slab showed. `rows` are those stored in it, `kept` those that it gives, which are not consumed.

    `size_bytes` are the kept rows' in memory; `has_more` tells whether the bundle has a slab behind this one.
    `prepared` are the rows of a prepared slab, consumed or not; None of one as it is stored.
    """

    rows: int
    kept: int
    size_bytes: int
    has_more: bool
    seconds: float
    prepared: int | None = None

    @property
    def places(self) -> int:
        """Rows among which those that are kept have their places."""
        return self.rows if self.prepared is None else self.prepared


class SlabReader:
    """Reads one dataset's slabs, and keeps up to `most_open` bundles open where their next slab begins.

    The next slab of an open bundle costs nothing but its own rows; any other one is opened and skipped to.
    """

    def __init__(self, source: Source, layouts: dict[str, ArrayLayout], *, most_open: int = 64):
        self._source = source
        self._layouts = layouts
        self._most_open = most_open
        self._open: OrderedDict[_Place, _Cursor] = OrderedDict()

    def read(self, bundle: Bundle, slab: int, slab_bytes: int, consumed: Consumed) -> tuple[SlabReport, pa.Table]:
        """The rows of slab number `slab` that are not consumed, as they are stored, with their ids in `ROW_ID`.

        Array columns come as fixed-size binary, whatever the files hold. The table notes which of the slab's rows it
        has. Raises DataError naming the file.
        """
        began = time.perf_counter()
        complete = frozenset(piece.index for piece in bundle.pieces if consumed.is_complete(piece))
        # After an error there is no cursor: it stands anywhere in the slab.
        cursor = self._open.pop(_Place(bundle.index, slab_bytes, slab, complete), None)
        if cursor is None:
            cursor = _Cursor(_runs(self._source, bundle, self._layouts, complete))
            for before in range(slab):
                cursor.next_slab(slab_limit(bundle, before, slab_bytes))
        runs = cursor.next_slab(slab_limit(bundle, slab, slab_bytes))
        if cursor.has_more:
            self._keep(_Place(bundle.index, slab_bytes, slab + 1, complete), cursor)
        table = _left(runs, consumed)
        rows = sum(run.rows for run in runs)
        seconds = time.perf_counter() - began
        return SlabReport(rows, table.num_rows, table.nbytes, cursor.has_more, seconds), table

    def close(self) -> None:
        """Close all bundles."""
        while self._open:
            self._open.popitem()[1].close()

    def _keep(self, place: _Place, cursor: _Cursor) -> None:
        twin = self._open.pop(place, None)
        if twin is not None:
            twin.close()
        self._open[place] = cursor
        if len(self._open) > self._most_open:
            self._open.popitem(last=False)[1].close()


def slab_limit(bundle: Bundle, slab: int, slab_bytes: int) -> int:
    """At how many bytes slab number `slab` ends: `slab_bytes`, but less at the beginning of a large bundle."""
    if bundle.size_bytes <= _LARGE_BYTES:
        return slab_bytes
    limit = _FIRST_BYTES
    for _ in range(slab):
        if limit >= slab_bytes:
            break
        limit *= _GROWTH
    return min(slab_bytes, limit)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an open bundle stands. `complete` are the pieces that it leaves unread."""

    bundle: int
    slab_bytes: int
    slab: int
    complete: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows of a piece that follow each other. Without a table all of them are used, and none was read."""

    piece: Piece
    first: int
    rows: int
    row_bytes: int
    table: pa.Table | None

    def part(self, start: int, rows: int) -> _Run:
        table = None if self.table is None else self.table.slice(start, rows)
        return _Run(self.piece, self.first + start, rows, self.row_bytes, table)


class _Cursor:
    """Cuts a bundle's runs into slabs. It looks one run ahead, since the length of a piece may not be known."""

    def __init__(self, runs: Iterator[_Run]):
        self._runs = runs
        self._ahead = next(runs, None)

    @property
    def has_more(self) -> bool:
        return self._ahead is not None

    def next_slab(self, limit: int) -> list[_Run]:
        """As many rows as it takes to have `limit` bytes, or all that are left."""
        found: list[_Run] = []
        size = 0
        while self._ahead is not None and size < limit:
            run = self._ahead
            rows = min(run.rows, -(-(limit - size) // run.row_bytes))
            found.append(run.part(0, rows))
            size += rows * run.row_bytes
            self._ahead = run.part(rows, run.rows - rows) if rows < run.rows else next(self._runs, None)
        return found

    def close(self) -> None:
        close = getattr(self._runs, "close", None)
        if close is not None:
            close()


def _runs(source: Source, bundle: Bundle, layouts: dict[str, ArrayLayout], complete: frozenset[int]) -> Iterator[_Run]:
    for piece in bundle.pieces:
        # What is not read must count as much as if it were: the listing has a size for all pieces of known length.
        known = max(1, piece.size_bytes // piece.rows) if len(bundle.pieces) > 1 and piece.rows else None
        if piece.index in complete and known and piece.rows:
            yield _Run(piece, 0, piece.rows, known, None)
            continue
        first = 0
        for table in stored_tables(source, piece, layouts, _TABLE_BYTES):
            rows = table.num_rows
            if rows:
                yield _Run(piece, first, rows, known or max(1, table.nbytes // rows), table)
            first += rows
        if piece.rows is not None and first != piece.rows:
            raise DataError(
                f"{piece.paths[0]}: found {first} rows where there were {piece.rows} when the run began; "
                "files must stay as they are while a run reads them"
            )


def _left(runs: Iterable[_Run], consumed: Consumed) -> pa.Table:
    """The rows that are not consumed, with their ids. In chunks as they were read: a copy costs as much as reading."""
    parts: list[pa.Table] = []
    left: list[np.ndarray] = [np.zeros(0, bool)]
    for run in runs:
        left.append(consumed.remaining(run.piece, run.first, run.rows))
        if run.table is None:
            continue
        numbered = run.table.append_column(ROW_ID, pa.array(row_ids(run.piece, run.first, run.rows)))
        parts.append(numbered if left[-1].all() else numbered.filter(pa.array(left[-1])))
    table = pa.concat_tables(parts) if parts else pa.table({ROW_ID: pa.array(np.zeros(0, np.int64))})
    return with_left(table, np.concatenate(left))
