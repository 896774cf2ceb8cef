"""Files of text as streams of bytes: decompressed by their name, and cut at the ends of lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.files import open_file

BLOCK_BYTES = READ_BYTES // 4
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


@contextlib.contextmanager
def text_stream(path: str) -> Iterator[pa.NativeFile]:
    """The bytes of the text in the file at `path`. Raises OSError."""
    compression = next((name for suffix, name in _COMPRESSIONS.items() if path.endswith(suffix)), None)
    with pa.input_stream(open_file(path), compression=compression) as stream:
        yield stream


def blocks_of_lines(stream: pa.NativeFile) -> Iterator[bytes]:
    """Whole lines, about `BLOCK_BYTES` at a time."""
    rest = b""
    while chunk := stream.read(BLOCK_BYTES):
        lines, end, cut = chunk.rpartition(b"\n")
        if end:
            yield rest + lines + end
            rest = cut
        else:
            rest += cut
    if rest.strip():
        yield rest
