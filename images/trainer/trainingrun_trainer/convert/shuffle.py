"""The order of the rows: shuffled by a seed within bounded memory, or as they come.

Training reads whole row groups, so rows that lie sorted by class would come in batches of one class. A source
that can be indexed is permuted as a whole. One that passes once goes through a window: it is filled, and then
every new row takes the place of one drawn from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainingrun_trainer.convert.columns import Columns, count, row_bytes, rows_within, take
from trainingrun_trainer.convert.sources import Indexed, Source, Stream

READ_BYTES = 8 * 1024 * 1024
READ_ROWS = 4096
WINDOW_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Arranged:
    """Rows in the order in which they are written.

    `rows` is None where only the end of the source tells; there are then at least `at_least`.
    """

    chunks: Iterator[Columns]
    rows: int | None
    at_least: int
    note: str = ""


def arrange(source: Source, *, shuffle: bool, seed: int, limit: int | None) -> Arranged:
    """Return the source's rows, at most `limit`, in an order that only the seed decides."""
    random = np.random.default_rng(seed)
    if isinstance(source, Indexed):
        return _indexed(source, random if shuffle else None, limit)
    return _stream(source, random if shuffle else None, limit)


def _indexed(source: Indexed, random: np.random.Generator | None, limit: int | None) -> Arranged:
    numbers = np.arange(source.rows) if random is None else random.permutation(source.rows)
    numbers = numbers[:limit]

    def chunks() -> Iterator[Columns]:
        start, size = 0, 1
        while start < len(numbers):
            columns = source.read(numbers[start : start + size])
            start += size
            size = rows_within(READ_BYTES, columns, at_most=READ_ROWS)
            yield columns

    return Arranged(chunks(), len(numbers), len(numbers))


def _stream(source: Stream, random: np.random.Generator | None, limit: int | None) -> Arranged:
    chunks = source.chunks if limit is None else _first_rows(source.chunks, limit)
    window, rest = _fill(chunks)
    rows = count(window) if window else 0
    following = next(rest, None)
    if following is None:
        return Arranged(_pieces(window, random), rows, rows)
    rest = itertools.chain([following], rest)
    if random is None:
        return Arranged(itertools.chain(_pieces(window, None), rest), None, rows)
    note = f"the source can be read only once: its rows are shuffled within a window of {rows:,} rows"
    return Arranged(_exchange(window, rest, random), None, rows, note)


def _first_rows(chunks: Iterator[Columns], limit: int) -> Iterator[Columns]:
    for columns in chunks:
        yield take(columns, slice(limit))
        limit -= count(columns)
        if limit <= 0:
            return


def _fill(chunks: Iterator[Columns]) -> tuple[Columns, Iterator[Columns]]:
    """Copy the first rows, up to the window's size, into one set of arrays; return the rest as it is.

    The arrays are made at their full size at once: pages that no row reaches never become memory.
    """
    first = next(chunks, None)
    if first is None:
        return {}, chunks
    capacity = max(1, WINDOW_BYTES // max(1, row_bytes(first)))
    window = {name: np.empty((capacity, *column.shape[1:]), column.dtype) for name, column in first.items()}
    filled = 0
    for columns in itertools.chain([first], chunks):
        taken = min(count(columns), capacity - filled)
        for name, column in columns.items():
            window[name][filled : filled + taken] = column[:taken]
        filled += taken
        if filled == capacity:
            left = take(columns, slice(taken, None))
            return window, itertools.chain([left] if count(left) else [], chunks)
    return take(window, slice(filled)), iter(())


def _pieces(window: Columns, random: np.random.Generator | None) -> Iterator[Columns]:
    if not window:
        return
    rows = count(window)
    order = np.arange(rows) if random is None else random.permutation(rows)
    size = rows_within(READ_BYTES, window, at_most=READ_ROWS)
    for start in range(0, rows, size):
        yield take(window, order[start : start + size])


def _exchange(window: Columns, rest: Iterator[Columns], random: np.random.Generator) -> Iterator[Columns]:
    rows = count(window)
    # The fewer rows are exchanged at once, the longer some stay: that is what mixes distant rows.
    step = max(1, rows // 16)
    for chunk in rest:
        for start in range(0, count(chunk), step):
            incoming = take(chunk, slice(start, start + step))
            places = random.choice(rows, count(incoming), replace=False)
            yield take(window, places)
            for name, column in incoming.items():
                window[name][places] = column
    yield from _pieces(window, random)
