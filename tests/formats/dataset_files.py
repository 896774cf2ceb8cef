"""Small datasets on disk in every format that training reads, written by the tools that people write them with.

A picture holds its row's number in its first three pixels, so that a test knows which row it has got.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.consumed import ROW_ID, Consumed, Piece
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.mixing import bundles_of, gather, groups_of, mixing_of, row_bytes_of
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import SlabReader
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.failures.errors import InvalidConfiguration

HEIGHT, WIDTH = 4, 6
CLASSES = 3


def pictures(rows: int) -> np.ndarray:
    """Pictures, uint8 of (rows, HEIGHT, WIDTH), each with its number in base 100 in its first three pixels."""
    images = np.random.default_rng(1).integers(0, 256, (rows, HEIGHT, WIDTH), dtype=np.uint8)
    numbers = np.arange(rows)
    images[:, 0, :3] = np.stack([numbers // 10_000, numbers // 100 % 100, numbers % 100], axis=1)
    return images


def numbers_of(images: np.ndarray) -> list[int]:
    """The inverse of `pictures`."""
    digits = images[:, 0, :3].astype(int)
    return (digits @ [10_000, 100, 1]).tolist()


def labels_for(rows: int) -> list[int]:
    return [number % CLASSES for number in range(rows)]


def parts(rows: int, files: int) -> list[range]:
    """Rows shared out over files of different lengths."""
    ends = [rows * (index + 1) ** 2 // files**2 for index in range(files)]
    return [range(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def write_parquet(folder: Path, rows: int) -> None:
    """Three files in this project's layout, in row groups of 10 rows."""
    images, labels = pictures(rows), np.array(labels_for(rows))
    for place, part in enumerate(parts(rows, 3)):
        column, array = from_numpy("image", images[part.start : part.stop])
        schema = pa.schema([column, pa.field("label", pa.int64())])
        table = pa.table([array, pa.array(labels[part.start : part.stop])], schema=schema)
        pq.write_table(table, folder / f"part-{place}.parquet", row_group_size=10)


def write_pandas(folder: Path, rows: int) -> None:
    """What `DataFrame.to_parquet` makes of lists of lists, untouched."""
    images, labels = pictures(rows), labels_for(rows)
    for place, part in enumerate(parts(rows, 2)):
        frame = pd.DataFrame(
            {"image": [list(images[row]) for row in part], "label": [labels[row] for row in part]},
        )
        frame.to_parquet(folder / f"part-{place}.parquet", row_group_size=16)


def write_images(folder: Path, rows: int, suffix: str = ".png") -> None:
    for number, image in enumerate(pictures(rows)):
        home = folder / f"class-{number % CLASSES}"
        home.mkdir(exist_ok=True)
        Image.fromarray(image).save(home / f"{number:05d}{suffix}")


def write_csv(folder: Path, rows: int) -> None:
    """Numbers and text only: the image column is the row's number."""
    for place, part in enumerate(parts(rows, 2)):
        with (folder / f"part-{place}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "label", "name"])
            writer.writerows([row, row % CLASSES, f"row {row}"] for row in part)


def write_json(folder: Path, rows: int) -> None:
    images = pictures(rows)
    for place, part in enumerate(parts(rows, 2)):
        lines = [json.dumps({"image": images[row].tolist(), "label": row % CLASSES}) for row in part]
        (folder / f"part-{place}.jsonl").write_text("\n".join(lines) + "\n")


def write_webdataset(folder: Path, rows: int) -> None:
    images = pictures(rows)
    for place, part in enumerate(parts(rows, 2)):
        with webdataset.TarWriter(str(folder / f"shard-{place}.tar")) as writer:
            for row in part:
                writer.write({"__key__": f"{row:05d}", "png": Image.fromarray(images[row]), "cls": row % CLASSES})


@dataclass(frozen=True)
class Written:
    """How a dataset is written, the format that reads it, and what a run has to say to get bytes."""

    format: str
    write: Callable[[Path, int], None]
    settings: Mapping[str, Any] = field(default_factory=dict)


FORMATS = {
    "Parquet": Written("Parquet", write_parquet),
    "pandas": Written("Parquet", write_pandas),
    "Images": Written("Images", write_images),
    "CSV": Written("CSV", write_csv),
    "JSON": Written("JSON", write_json, {"column_types": {"image": "list<list<uint8>>"}}),
    "WebDataset": Written("WebDataset", write_webdataset),
}


def source_of(kind: str, path: Path | str, **settings: Any) -> Source:
    """A source as the built-in loop without hooks of its own uses it: the input and target columns, as tensors."""
    settings = {"uses": Uses(), "columns": ("image", "label"), **settings}
    return Source("spec.recipe.dataset.train", FORMATS[kind].format, str(path), **settings)


@dataclass(frozen=True)
class Reading:
    """What an epoch gave: rows by number, their ids and their labels, all in the order of reading."""

    numbers: list[int]
    ids: np.ndarray
    labels: list[int]


STORED = Epoch(0, 0, shuffle=False)


def units_of(
    listing: Listing,
    epoch: Epoch = STORED,
    consumed: Consumed | None = None,
    *,
    slab_bytes: int | None = None,
    rows_each: int | None = None,
) -> Iterator[pa.Table]:
    """The rows of an epoch as a single rank gets them, before they are prepared: a window in units of `rows_each`."""
    consumed = consumed or Consumed()
    bundles = bundles_of(listing.pieces)
    mixing = mixing_of(bundles, shuffle=epoch.shuffle, row_bytes=row_bytes_of(listing.inspection))
    reader = SlabReader(listing.source, listing.inspection.layouts)
    for number, group in enumerate(groups_of(bundles, epoch, consumed, mixing)):
        slab, unread = 0, list(group)
        while unread:
            read = [reader.read(bundle, slab, slab_bytes or mixing.slab_bytes, consumed) for bundle in unread]
            places = sum(report.places for report, _ in read)
            tables = [table for report, table in read if report.rows]
            each = rows_each or max(1, places)
            for first in range(0, places if any(report.kept for report, _ in read) else 0, each):
                yield gather(tables, (number, slab), epoch, range(first, min(places, first + each)))
            slab, unread = (
                slab + 1,
                [bundle for bundle, (report, _) in zip(unread, read, strict=True) if report.has_more],
            )


def tables_of(listing: Listing, bad: list[BadRow] | None = None) -> list[pa.Table]:
    """The rows in the order of the files, as transforms get them; rows that are left out are added to `bad`."""
    tables = []
    for unit in units_of(listing):
        table, left_out = prepare_rows(listing.source, listing.inspection.layouts, unit)
        tables.append(table)
        if bad is not None:
            bad.extend(left_out)
    return tables


def read_epoch(
    source: Source,
    *,
    epoch: int = 0,
    shuffle: bool = True,
    consumed: Consumed | None = None,
    slab_bytes: int | None = None,
) -> Reading:
    """One epoch of a dataset, as a single rank gets it."""
    listing = list_dataset(source)
    units = units_of(listing, Epoch(epoch, 5, shuffle), consumed, slab_bytes=slab_bytes)
    return reading_of([prepare_rows(listing.source, listing.inspection.layouts, unit)[0] for unit in units])


def rows_of(source: Source) -> dict[str, np.ndarray]:
    """All rows in the order of the files, as a NumPy transform gets them."""
    return columns_of(pa.concat_tables(tables_of(list_dataset(source))))


def reading_of(tables: list[pa.Table]) -> Reading:
    columns = [columns_of(table) for table in tables]
    images = [part["image"] for part in columns]
    return Reading(
        numbers=[n for part in images for n in (numbers_of(part) if part.ndim > 1 else part.tolist())],
        ids=np.concatenate([part[ROW_ID] for part in columns]) if columns else np.zeros(0, np.int64),
        labels=[label for part in columns for label in part["label"].tolist()],
    )


def pieces_of(source: Source) -> list[Piece]:
    return format_of(source).find(source).pieces


def refused_at_start(source: Source) -> str:
    """What a run says that is refused before anything is read."""
    with pytest.raises(InvalidConfiguration) as caught:
        list_dataset(source)
    return str(caught.value)
