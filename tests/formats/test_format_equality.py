"""What training gets is bit by bit what the usual notebook code makes of the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from dataset_files import CLASSES, FORMATS, pictures, pieces_of, source_of, tables_of, write_images
from PIL import Image
from torchvision import datasets
from torchvision.transforms import Compose, Normalize, ToTensor

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.pictures import decode
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.vision import normalize

ROWS = 60
NOTEBOOK = Compose([ToTensor(), Normalize((0.5,), (0.5,))])


def batch_of(source: Source) -> dict[str, torch.Tensor]:
    """All rows in the order of the files, as one batch after collate and the built-in transform."""
    listing = list_dataset(source)
    return normalize(Collate()(pa.concat_tables(tables_of(listing))))


def test_pandas_files_become_what_the_notebook_makes_of_them(tmp_path: Path) -> None:
    FORMATS["pandas"].write(tmp_path, ROWS)
    frame = pd.read_parquet(tmp_path)
    rows = [np.array([np.asarray(line) for line in row["image"]], dtype=np.uint8) for _, row in frame.iterrows()]
    expected = torch.stack([NOTEBOOK(Image.fromarray(row)) for row in rows])
    batch = batch_of(source_of("pandas", tmp_path))
    assert batch["image"].dtype == torch.float32
    assert torch.equal(batch["image"], expected)
    assert torch.equal(batch["label"], torch.tensor(frame["label"].to_numpy()))


@pytest.mark.parametrize("kind", ["Parquet", "JSON", "WebDataset"])
def test_every_array_format_gives_the_same_tensors(tmp_path: Path, kind: str) -> None:
    FORMATS[kind].write(tmp_path, ROWS)
    expected = torch.stack([NOTEBOOK(Image.fromarray(picture)) for picture in pictures(ROWS)])
    batch = batch_of(source_of(kind, tmp_path, **FORMATS[kind].settings))
    assert torch.equal(batch["image"], expected)
    assert batch["label"].tolist() == [row % CLASSES for row in range(ROWS)]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_folders_of_images_equal_torchvisions(tmp_path: Path, suffix: str) -> None:
    write_images(tmp_path, ROWS, suffix)
    folder = datasets.ImageFolder(str(tmp_path), NOTEBOOK)
    expected = {path: folder[place] for place, (path, _) in enumerate(folder.samples)}
    source = source_of("Images", tmp_path, image_mode="RGB")
    batch = batch_of(source)
    paths = [path for piece in pieces_of(source) for path in piece.paths]
    assert torch.equal(batch["image"], torch.stack([expected[path][0] for path in paths]))
    assert batch["label"].tolist() == [expected[path][1] for path in paths]


def test_images_are_resized_and_converted_as_asked(tmp_path: Path) -> None:
    for number, mode in enumerate(("L", "RGB", "RGBA", "P", "1")):
        (tmp_path / f"class-{number % 2}").mkdir(exist_ok=True)
        picture = Image.effect_noise((10 + number, 8), 80).convert(mode)
        picture.save(tmp_path / f"class-{number % 2}" / f"{number}.png")
    source = source_of("Images", tmp_path, image_size=(5, 7), image_mode="RGB")
    assert batch_of(source)["image"].shape == (5, 3, 5, 7)
    path = pieces_of(source)[0].paths[0]
    expected = np.asarray(Image.open(path).convert("RGB").resize((7, 5), Image.Resampling.BILINEAR))
    # The two filters round differently.
    assert np.abs(decode(source, path, Path(path).read_bytes()) - expected.astype(int)).max() <= 1


def test_text_columns_are_read_but_are_no_part_of_a_batch(tmp_path: Path) -> None:
    FORMATS["CSV"].write(tmp_path, ROWS)
    source = source_of("CSV", tmp_path, columns=None)
    batch = batch_of(source)
    assert batch["image"].dtype == batch["label"].dtype == torch.int64
    assert "name" not in batch
    assert "name" in list_dataset(source).inspection.sample.column_names
