"""WebDataset: a piece is a tar shard, read by the `webdataset` package where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import find_files, open_file
from trainingrun_trainer.data.formats.images import SUFFIXES, table_of
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.picture_columns import column_of
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration

_ROWS_PER_TABLE = 1024
_TAR_BLOCK = 512
_TARGETS = ("cls", "label", "target")


class WebDataset:
    """Shards whose samples have an image (`.png`, `.jpg`, …) and a class index (`.cls`)."""

    suffixes: tuple[str, ...] = (".tar",)

    def find(self, source: Source) -> Found:
        """One piece per shard."""
        if find_spec("webdataset") is None:
            raise InvalidConfiguration(
                f'{source.field}.format: WebDataset needs the package "webdataset"; '
                "install trainingrun[webdataset] or choose another format"
            )
        files = find_files(source.field + ".path", source.path, self.suffixes)
        pieces = [Piece(i, (file.path,), file.size_bytes, stamp=file.stamp) for i, file in enumerate(files)]
        return Found(source, pieces)

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The samples of a shard in its order, their images as they are stored."""
        if piece.size_bytes % _TAR_BLOCK:
            # A reader of tar files takes half a header for the end, and the rows behind it would be lost in silence.
            raise DataError(
                f"{piece.paths[0]}: not a readable WebDataset shard: it is cut off, {piece.size_bytes} bytes are not "
                f"a multiple of tar's block size of {_TAR_BLOCK}"
            )
        rows: list[_Row] = []
        size = 0
        for sample in _samples(piece.paths[0]):
            rows.append(_row(piece.paths[0], sample))
            size += len(rows[-1].image)
            if size >= table_bytes or len(rows) == _ROWS_PER_TABLE:
                yield _table_of(source, rows)
                rows, size = [], 0
        if rows:
            yield _table_of(source, rows)


class _Row(NamedTuple):
    """A sample: what names it, its image as it is stored, and its class."""

    where: str
    image: bytes
    label: int


def _table_of(source: Source, rows: list[_Row]) -> pa.Table:
    images = column_of([row.where for row in rows], data=[row.image for row in rows])
    return table_of(source, images, [row.label for row in rows])


def _samples(path: str) -> Iterator[dict[str, Any]]:
    import webdataset

    def fail(error: Exception) -> bool:
        raise DataError(f"{path}: not a readable WebDataset shard: {error}") from error

    try:
        opened = open_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    with opened as stream:
        files = webdataset.tariterators.tar_file_expander([{"url": path, "stream": stream}], handler=fail)
        yield from webdataset.tariterators.group_by_keys(files, handler=fail)


def _row(path: str, sample: dict[str, Any]) -> _Row:
    image = next((sample[suffix[1:]] for suffix in SUFFIXES if suffix[1:] in sample), None)
    target = next((sample[name] for name in _TARGETS if name in sample), None)
    if image is None or target is None:
        found = ", ".join(sorted(key for key in sample if not key.startswith("__")))
        raise DataError(
            f"{path}: sample {sample.get('__key__')} has {found or 'nothing'}; "
            f"expected an image ({', '.join(SUFFIXES[:3])}, …) and one of .{', .'.join(_TARGETS)}"
        )
    try:
        return _Row(f"{path}:{sample['__key__']}", image, int(target))
    except ValueError as error:
        raise DataError(f"{path}: sample {sample['__key__']}: the class must be a whole number: {error}") from error
