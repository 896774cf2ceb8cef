"""Rows of a rank that wait for their step: Arrow tables, first in, first out, and the bytes that ranks hand over.

Rows stay Arrow until they are trained, since only then is it known by which rank. It must not copy what it only keeps.
"""

from __future__ import annotations

from collections import deque

import pyarrow as pa

from trainingrun_trainer.failures.errors import DataError


class RowBuffer:
    """See the module. `rows` is how many there are."""

    def __init__(self) -> None:
        self.rows = 0
        self._tables: deque[pa.Table] = deque()

    def append(self, table: pa.Table) -> None:
        """Add rows behind all others."""
        if table.num_rows:
            self._tables.append(table)
            self.rows += table.num_rows

    def put_back(self, table: pa.Table) -> None:
        """Add rows before all others."""
        if table.num_rows:
            self._tables.appendleft(table)
            self.rows += table.num_rows

    def row_bytes(self) -> int:
        """Bytes of a row, by the table that is next; at least 1."""
        first = self._tables[0] if self._tables else None
        return max(1, first.nbytes // first.num_rows) if first is not None else 1

    def take_first(self, rows: int) -> pa.Table:
        """Remove the `rows` rows that came first; there must be as many, and at least one."""
        parts: list[pa.Table] = []
        missing = rows
        while missing:
            table = self._tables.popleft()
            count = min(missing, table.num_rows)
            parts.append(table.slice(0, count))
            if count < table.num_rows:
                self._tables.appendleft(table.slice(count))
            missing -= count
        self.rows -= rows
        return _joined(parts)


def packed(table: pa.Table) -> bytes:
    """The table as Arrow's stream of bytes, which holds these rows only."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def unpacked(data: bytes | bytearray) -> pa.Table:
    """The inverse of `packed`, without copying `data`."""
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _joined(parts: list[pa.Table]) -> pa.Table:
    if len(parts) == 1:
        return parts[0]
    try:
        return pa.concat_tables(parts, promote_options="default")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        first, second = next((a, b) for a in parts for b in parts if not a.schema.equals(b.schema))
        raise DataError(f"blocks of one dataset differ: {_difference(first.schema, second.schema)}") from None


def _difference(first: pa.Schema, second: pa.Schema) -> str:
    for field in first:
        place = second.get_field_index(field.name)
        if place >= 0 and second.field(place).type != field.type:
            return f'column "{field.name}" is {field.type} in one and {second.field(place).type} in another'
    return f"one has the columns {', '.join(first.names)}, another {', '.join(second.names)}"
