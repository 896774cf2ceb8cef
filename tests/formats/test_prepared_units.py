"""Units that are gathered from slabs of pictures have the rows of their files, decoded only there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import CLASSES, pictures, source_of, units_of, write_images, write_webdataset
from PIL import Image

from trainingrun_trainer.data import pictures as decoder
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.layout import to_numpy
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.failures.errors import DataError

ROWS = 60


def write_parquet(folder: Path, rows: int) -> None:
    """Files of encoded pictures, in row groups of 7 rows."""
    for part in range(2):
        data = []
        for image in pictures(rows)[part::2]:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            data.append(buffer.getvalue())
        labels = [row % CLASSES for row in range(rows)][part::2]
        pq.write_table(pa.table({"image": data, "label": labels}), folder / f"{part}.parquet", row_group_size=7)


WRITERS = {"Parquet": write_parquet, "Images": write_images, "WebDataset": write_webdataset}


SHUFFLED = Epoch(1, 5, shuffle=True)


@pytest.mark.parametrize("form", WRITERS)
def test_a_units_pictures_are_decoded_where_it_is_made(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[form](tmp_path, ROWS)
    source = source_of(form, tmp_path)
    listing = list_dataset(source)
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "_opened", None)  # reading decodes nothing once the first rows are known
        units = list(units_of(listing, SHUFFLED, rows_each=17))
    layouts = listing.inspection.layouts
    made = [prepare_rows(source, layouts, unit) for unit in units]
    assert all(not bad for _, bad in made)
    images = np.concatenate([to_numpy(table.column("image"), layouts["image"]) for table, _ in made])
    digits = images[:, 0, :3].astype(int) @ [10_000, 100, 1]
    assert sorted(digits) == list(range(ROWS)) and (images == pictures(ROWS)[digits]).all()
    assert [label for table, _ in made for label in table.column("label").to_pylist()] == (digits % CLASSES).tolist()
    # What is decoded comes back as it is.
    again, _ = prepare_rows(source, layouts, made[0][0])
    assert again is made[0][0]


@pytest.mark.parametrize("form", WRITERS)
def test_a_bad_row_names_its_file_wherever_it_is_made(tmp_path: Path, form: str) -> None:
    WRITERS[form](tmp_path, ROWS)
    source = source_of(form, tmp_path, skips_bad_rows=True)
    listing = list_dataset(source)
    layouts = listing.inspection.layouts
    (unit,) = units_of(listing, SHUFFLED)
    column = unit.column("image").combine_chunks()
    names = column.field(2).to_pylist()
    # The first one's bytes are no picture, the others have none.
    data, paths = pa.array([b"nothing", *[None] * (len(names) - 1)]), pa.nulls(len(names), pa.string())
    damaged = pa.StructArray.from_arrays([data, paths, column.field(2)], [field.name for field in column.type])
    table = unit.set_column(unit.column_names.index("image"), "image", damaged)
    kept, bad = prepare_rows(source, layouts, table)
    assert kept.num_rows == 0 and [row.row for row in bad] == unit.column(ROW_ID).to_pylist()
    assert bad[0].text.startswith(names[0]) and str(tmp_path) in bad[0].text
    strict = source_of(form, tmp_path)
    with pytest.raises(DataError, match="not a readable image"):
        prepare_rows(strict, layouts, table)
