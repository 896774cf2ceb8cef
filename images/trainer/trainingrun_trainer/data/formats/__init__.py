"""One module per file format: what pieces a dataset has, and the Arrow tables that a piece holds.

A format knows nothing of epochs, shuffling, Ray or tensors. Reading is streaming: a table holds at most
`READ_BYTES` of decoded data, whatever the size of the piece, and no more of the piece is in memory than that takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.found import Found
from trainingrun_trainer.data.source import Source


class Format(Protocol):
    """What every module in this package offers. Files' names end in one of `suffixes`."""

    suffixes: tuple[str, ...]

    def find(self, source: Source) -> Found:
        """The dataset's pieces in a stable order, and what single files cannot tell of its columns.

        Raises InvalidConfiguration naming the file or path.
        """

    def read(self, source: Source, piece: Piece, table_bytes: int = READ_BYTES) -> Iterator[pa.Table]:
        """The rows of `piece`, in its order, with the types of the found `source`. Raises DataError naming the file.

        A table has about `table_bytes` bytes where the format can cut that small, and always the same rows.
        """


def format_of(source: Source) -> Format:
    """The format that reads `source`."""
    return formats()[source.format]


def formats() -> dict[str, Format]:
    """All formats by name."""
    from trainingrun_trainer.data.formats import images, parquet, text, webdataset

    return {
        "Parquet": parquet.Parquet(),
        "Images": images.Images(),
        "CSV": text.Csv(),
        "JSON": text.Json(),
        "WebDataset": webdataset.WebDataset(),
    }
