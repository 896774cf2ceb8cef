"""The order of the rows: shuffled by a seed within bounded memory, or as they come.

Training reads whole row groups, so rows that lie sorted by class would come in batches of one class. A source
that can be indexed is permuted as a whole. One that passes once goes through a window: it is filled, and then
as many rows are drawn from it as come in.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trainingrun_trainer.convert.chunks import concatenated, rows_within
from trainingrun_trainer.convert.sources import Indexed, Source, Stream

READ_BYTES = 8 * 1024 * 1024
READ_ROWS = 4096
WINDOW_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Arranged:
    """Rows in the order in which they are written.

    `rows` is None where only the end of the source tells; there are then at least `at_least`.
    """

    chunks: Iterator[pa.Table]
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

    def chunks() -> Iterator[pa.Table]:
        start, size = 0, 1
        while start < len(numbers):
            table = source.read(numbers[start : start + size])
            start += size
            size = rows_within(READ_BYTES, table, at_most=READ_ROWS)
            yield table

    return Arranged(chunks(), len(numbers), len(numbers))


def _stream(source: Stream, random: np.random.Generator | None, limit: int | None) -> Arranged:
    chunks = source.chunks if limit is None else _first_rows(source.chunks, limit)
    first, rest = _window(chunks)
    rows = sum(table.num_rows for table in first)
    following = next(rest, None)
    known = rows if following is None else None
    if following is not None:
        rest = itertools.chain([following], rest)
    if random is None:
        return Arranged(itertools.chain(first, rest), known, rows)
    note = f"the source can be read only once: its rows are shuffled within a window of {rows:,} rows"
    return Arranged(_exchange(first, rest, random), known, rows, note if known is None else "")


def _first_rows(chunks: Iterator[pa.Table], limit: int) -> Iterator[pa.Table]:
    for table in chunks:
        yield table.slice(0, limit)
        limit -= table.num_rows
        if limit <= 0:
            return


def _window(chunks: Iterator[pa.Table]) -> tuple[list[pa.Table], Iterator[pa.Table]]:
    """The first tables, up to the window's size, and the rest."""
    held: list[pa.Table] = []
    size = 0
    for table in chunks:
        rows = rows_within(WINDOW_BYTES - size, table, at_most=table.num_rows)
        held.append(table.slice(0, rows))
        size += held[-1].nbytes
        if rows < table.num_rows or size >= WINDOW_BYTES:
            left = table.slice(rows)
            return held, itertools.chain([left] if left.num_rows else [], chunks)
    return held, iter(())


class _Part:
    """Rows of the window that came together, and which of them are left, in random order."""

    def __init__(self, table: pa.Table, random: np.random.Generator):
        self.table = table
        self.left = random.permutation(table.num_rows)

    def draw(self, rows: int) -> pa.Table:
        """Take out so many rows, and let go of the memory of those that are gone now and then."""
        drawn = self.table.take(pa.array(self.left[:rows]))
        self.left = self.left[rows:]
        if len(self.left) < self.table.num_rows // 2:
            self.table, self.left = self.table.take(pa.array(self.left)), np.arange(len(self.left))
        return drawn


def _exchange(first: list[pa.Table], rest: Iterator[pa.Table], random: np.random.Generator) -> Iterator[pa.Table]:
    parts = [_Part(table.combine_chunks(), random) for table in first]
    first.clear()
    # The fewer rows are exchanged at once, the longer some stay: that is what mixes distant rows.
    step = max(1, sum(len(part.left) for part in parts) // 16)
    for table in rest:
        for start in range(0, table.num_rows, step):
            incoming = table.slice(start, step)
            yield _drawn(parts, incoming.num_rows, random)
            parts = [part for part in parts if len(part.left)]
            parts.append(_Part(incoming.combine_chunks(), random))
    while parts:
        rows = rows_within(READ_BYTES, parts[0].table, at_most=READ_ROWS)
        yield _drawn(parts, min(rows, sum(len(part.left) for part in parts)), random)
        parts = [part for part in parts if len(part.left)]


def _drawn(parts: list[_Part], rows: int, random: np.random.Generator) -> pa.Table:
    """So many rows of all parts, each row as likely as any other, in random order."""
    counts = random.multivariate_hypergeometric([len(part.left) for part in parts], rows, method="marginals")
    drawn = concatenated([part.draw(count) for part, count in zip(parts, counts.tolist(), strict=True) if count])
    return drawn.take(pa.array(random.permutation(rows)))
