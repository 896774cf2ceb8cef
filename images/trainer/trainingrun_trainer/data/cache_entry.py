"""One kept slab as bytes: its rows, what else was known of it, and at the end what proves that all of it is there.

Pure. Bytes that are cut off, changed, or of another slab are never taken for this one.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trainingrun_trainer.data.bad_rows import BadRow

# Bytes of the rows, bytes of the description, CRC-32 of both, and a word. At the end, which is written last.
_FOOTER = struct.Struct("<QII8s")
_WORD = b"trcache1"


class NotThisEntry(Exception):
    """The bytes are not the whole of the wanted slab; the message says what is wrong with them."""


@dataclass(frozen=True)
class Entry:
    """A slab with the deterministic steps behind it. `rows` are those that were read for it, used or not.

    `has_more` tells whether its bundle has a slab behind this one. `table` has the ids of its rows in `ROW_ID`.
    """

    table: pa.Table
    rows: int
    has_more: bool
    bad: tuple[BadRow, ...] = ()


def to_bytes(entry: Entry, key: str, name: str) -> list[Any]:
    """The parts of a file, in their order, which holds `entry` under `name` of the cache `key`."""
    sink = pa.BufferOutputStream()
    # Uncompressed: what LZ4 saves on decoded pictures is little, and takes seven times as long to write.
    with pa.ipc.new_stream(sink, entry.table.schema) as writer:
        writer.write_table(entry.table)
    body = sink.getvalue()
    told = {
        "key": key,
        "name": name,
        "rows": entry.rows,
        "hasMore": entry.has_more,
        "bad": [[bad.row, bad.text] for bad in entry.bad],
    }
    description = json.dumps(told).encode()
    check = zlib.crc32(description, zlib.crc32(body))
    return [body, description, _FOOTER.pack(body.size, len(description), check, _WORD)]


def from_bytes(data: bytes, key: str, name: str) -> Entry:
    """The inverse of `to_bytes`; the table is a view of `data`. Raises NotThisEntry."""
    if len(data) < _FOOTER.size:
        raise NotThisEntry(f"{len(data)} bytes, cut off")
    size, described, check, word = _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
    if word != _WORD or size + described + _FOOTER.size != len(data):
        raise NotThisEntry(f"{len(data)} bytes, cut off or no file of a cache")
    # Not SHA-256, which takes three times as long: it is accidents that are looked for, and those are found.
    if zlib.crc32(memoryview(data)[: size + described]) != check:
        raise NotThisEntry("its bytes have changed")
    told = json.loads(data[size : size + described])
    if (told["key"], told["name"]) != (key, name):
        raise NotThisEntry(f"it is {told['name']} of {told['key']}")
    table = pa.ipc.open_stream(pa.py_buffer(data).slice(0, size)).read_all()
    bad = tuple(BadRow(row, text) for row, text in told["bad"])
    return Entry(table, told["rows"], told["hasMore"], bad)
