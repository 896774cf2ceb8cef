"""Makes a rank's rows into batches on its device, beside training and some steps ahead.

Rows that another rank needs can be taken back at any time, also out of batches that are made already: which rows a step
has is known only once all ranks have agreed on it.
"""

from __future__ import annotations

import concurrent.futures
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.train.device_link import DeviceLink, Sent
from trainingrun_trainer.train.row_buffer import RowBuffer

Batch = dict[str, torch.Tensor]

# Batches of small rows are made several in one go and then cut apart, which costs nothing: what each of them costs in
# Python would otherwise be more than what its rows cost. By bytes of the rows as they are here, after the transform.
_CHUNK_BYTES = 4 << 20


@dataclass
class _Chunk:
    """Rows that are being made, or have been; the first `used` of them belong to steps already."""

    table: pa.Table
    future: Future[Sent]
    used: int = 0
    batch: Batch | None = None

    @property
    def rows(self) -> int:
        return int(self.table.num_rows) - self.used


class BatchMaker:
    """See the module. Used by one thread; collate runs where `maker` runs it."""

    def __init__(self, collate: Collate, link: DeviceLink, maker: Executor):
        self._collate = collate
        self._link = link
        self._buffer = RowBuffer()
        self._chunks: deque[_Chunk] = deque()
        self._maker = maker

    @property
    def rows(self) -> int:
        """Rows that are here and belong to no step yet."""
        return self._buffer.rows + self._made_rows

    @property
    def _made_rows(self) -> int:
        return sum(chunk.rows for chunk in self._chunks)

    def append(self, table: pa.Table) -> None:
        """Add rows, each with its id, behind the others."""
        self._buffer.append(table)

    def prepare(self, batch_rows: int, batches: int) -> None:
        """Have so many of the next batches made, as far as there are rows for whole ones. Returns at once."""
        while batch_rows and self._made_rows < batch_rows * batches and self._buffer.rows >= batch_rows:
            self._chunks.append(self._begun(self._buffer.take_first(batch_rows * self._batches_in_chunk(batch_rows))))

    def is_ready(self, rows: int, timeout: float) -> bool:
        """Whether the chunks with the first `rows` rows are made, after at most `timeout` seconds."""
        futures = []
        for chunk in self._chunks:
            if rows <= 0:
                break
            futures.append(chunk.future)
            rows -= chunk.rows
        return not concurrent.futures.wait(futures, timeout).not_done

    def take(self, rows: int) -> tuple[Batch, np.ndarray]:
        """The next batch, of so many rows, and their ids; there must be as many. Raises what collate raises."""
        if not self._collate.is_by_row and not (self._chunks and self._chunks[0].rows == rows):
            self._unmake()
            self._chunks.append(self._begun(self._buffer.take_first(rows)))
        parts: list[Batch] = []
        ids: list[np.ndarray] = []
        while rows:
            if not self._chunks:
                self._chunks.append(self._begun(self._buffer.take_first(rows)))
            count = min(rows, self._chunks[0].rows)
            ids.append(_ids(self._chunks[0], count))
            parts.append(self._cut(count))
            rows -= count
        return _joined(parts), np.concatenate(ids)

    def give(self, rows: int) -> pa.Table:
        """Remove the next `rows` rows, for another rank: which ones the last are depends on what has come by now."""
        self._unmake()
        return self._buffer.take_first(rows)

    def close(self) -> None:
        """Make nothing more."""
        self._maker.shutdown(wait=False, cancel_futures=True)

    def _batches_in_chunk(self, batch_rows: int) -> int:
        if not self._collate.is_by_row:
            return 1
        fitting = _CHUNK_BYTES // (batch_rows * self._buffer.row_bytes())
        return max(1, min(self._buffer.rows // batch_rows, fitting))

    def _begun(self, table: pa.Table) -> _Chunk:
        return _Chunk(table, self._maker.submit(self._make, table.drop_columns([ROW_ID])))

    def _make(self, table: pa.Table) -> Sent:
        return self._link.send(self._collate(table))

    def _cut(self, rows: int) -> Batch:
        """The next `rows` rows of the first chunk, which has as many."""
        chunk = self._chunks[0]
        if chunk.batch is None:
            chunk.batch = self._link.receive(chunk.future.result())
        first, chunk.used = chunk.used, chunk.used + rows
        if not chunk.rows:
            self._chunks.popleft()
        if rows == chunk.table.num_rows:
            return chunk.batch
        return {name: tensor[first : first + rows] for name, tensor in chunk.batch.items()}

    def _unmake(self) -> None:
        """Put the rows of all chunks back; what was made of them is thrown away."""
        while self._chunks:
            chunk = self._chunks.pop()
            chunk.future.cancel()
            self._buffer.put_back(chunk.table.slice(chunk.used))


def _ids(chunk: _Chunk, rows: int) -> np.ndarray:
    ids: np.ndarray = chunk.table.column(ROW_ID).slice(chunk.used, rows).to_numpy()
    return ids


def _joined(parts: list[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for name in first:
        _require_same(name, [part[name] for part in parts if name in part], len(parts))
    return {name: torch.cat([part[name] for part in parts]) for name in first}


def _require_same(name: str, tensors: list[torch.Tensor], parts: int) -> None:
    found: Iterable[str] = sorted({f"{tensor.dtype} of shape {tuple(tensor.shape[1:])}" for tensor in tensors})
    if len(tensors) < parts or len(list(found)) > 1:
        raise DataError(
            f'column "{name}" is not the same in all rows of a batch: found {", ".join(found)}; allowed: one type and '
            "shape. Make it so with a transform, or pad it in a collate hook"
        )
