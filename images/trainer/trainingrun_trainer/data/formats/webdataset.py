"""WebDataset: a piece is a tar shard, read by the `webdataset` package where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.files import find_files, open_file
from trainingrun_trainer.data.formats.images import SUFFIXES, table_of
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.pictures import decode, same_shape
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
        return Found(source, [Piece(index=i, paths=(f.path,), size_bytes=f.size_bytes) for i, f in enumerate(files)])

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The samples of a shard in its order."""
        if piece.size_bytes % _TAR_BLOCK:
            # A reader of tar files takes half a header for the end, and the rows behind it would be lost in silence.
            raise DataError(
                f"{piece.paths[0]}: not a readable WebDataset shard: it is cut off, {piece.size_bytes} bytes are not "
                f"a multiple of tar's block size of {_TAR_BLOCK}"
            )
        labels: list[int] = []
        for images in same_shape(source, _rows(source, piece.paths[0], labels), most_rows=_ROWS_PER_TABLE):
            yield table_of(source, images, labels[: len(images)])
            del labels[: len(images)]


def _rows(source: Source, path: str, labels: list[int]) -> Iterator[tuple[str, np.ndarray]]:
    """The shard's images by name; their labels are appended to `labels`."""
    for sample in _samples(path):
        image, label = _row(source, path, sample)
        labels.append(label)
        yield f"{path}:{sample['__key__']}", image


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


def _row(source: Source, path: str, sample: dict[str, Any]) -> tuple[np.ndarray, int]:
    image = next((sample[suffix[1:]] for suffix in SUFFIXES if suffix[1:] in sample), None)
    target = next((sample[name] for name in _TARGETS if name in sample), None)
    if image is None or target is None:
        found = ", ".join(sorted(key for key in sample if not key.startswith("__")))
        raise DataError(
            f"{path}: sample {sample.get('__key__')} has {found or 'nothing'}; "
            f"expected an image ({', '.join(SUFFIXES[:3])}, …) and one of .{', .'.join(_TARGETS)}"
        )
    try:
        return decode(source, f"{path}:{sample['__key__']}", image), int(target)
    except ValueError as error:
        raise DataError(f"{path}: sample {sample['__key__']}: the class must be a whole number: {error}") from error
