"""Which columns a run reads follows from its recipe, and its datasets are found together, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from run_samples import run_of

from trainingrun_trainer.data import files
from trainingrun_trainer.data.files import File
from trainingrun_trainer.data.formats import images
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.driver.plan import listings_of
from trainingrun_trainer.failures.errors import InvalidConfiguration

STEP = {"function": "author_functions:step"}
PAIR = ["image", "label"]
ALL = ["image", "label", "weight"]


def listings(path: Path, *, is_transformed: bool = False, **fields: Any) -> dict[str, Listing]:
    dataset = {"train": {"format": "Parquet", "path": str(path)}, **fields.pop("dataset", {})}
    recipe = run_of(recipe={"dataset": dataset, "globalBatchSize": 8, **fields}).spec.recipe
    assert recipe is not None
    return listings_of(recipe, is_transformed=is_transformed)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"image": [1.0, 2.0], "label": [0, 1], "weight": ["heavy", None]})
    frame.to_parquet(tmp_path / "rows.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("fields", "expected", "needed"),
    [
        ({}, PAIR, ("image", "label")),
        ({"is_transformed": True}, ALL, None),
        ({"transform": {"function": "author_functions:on_the_trainer", "kind": "Batch"}}, ALL, None),
        ({"collate": STEP}, ALL, None),
        ({"trainStep": STEP}, ALL, None),
        ({"evalStep": STEP}, ALL, None),
        ({"loop": STEP}, ALL, None),
        ({"trainStep": STEP, "dataset": {"columns": PAIR}}, PAIR, None),
        ({"dataset": {"columns": ALL}}, ALL, ("image", "label")),
        ({"dataset": {"inputColumns": ["image", "label"], "targetColumns": ["label"]}}, PAIR, ("image", "label")),
    ],
)
def test_columns_are_read_that_some_function_of_the_recipe_can_use(
    table: Path, fields: dict[str, Any], expected: list[str], needed: tuple[str, ...] | None
) -> None:
    train = listings(table, **fields)["train"]
    assert train.inspection.sample.column_names == expected
    assert train.source.needed == needed


@pytest.mark.parametrize(
    ("fields", "is_refused"),
    [
        ({}, True),
        ({"evalStep": STEP}, True),
        ({"is_transformed": True}, False),
        ({"collate": STEP}, False),
        ({"transform": {"function": "author_functions:on_the_trainer", "kind": "Batch"}}, False),
        ({"trainStep": STEP}, False),
        ({"loop": STEP}, False),
    ],
)
def test_an_input_that_is_missing_is_refused_unless_a_hook_makes_or_ignores_it(
    table: Path, fields: dict[str, Any], is_refused: bool
) -> None:
    fields = {**fields, "dataset": {"inputColumn": "pixels"}}
    if is_refused:
        with pytest.raises(InvalidConfiguration, match=r'column "pixels" is missing; found image, label'):
            listings(table, **fields)
    else:
        assert listings(table, **fields)["train"].rows == 2


def test_validation_has_the_types_of_the_training_data(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("image,label\n1,0.5\n2,1\n")
    (tmp_path / "validation.csv").write_text("image,label\n1.5,0\n2,1\n")
    files = {name: {"format": "CSV", "path": str(tmp_path / f"{name}.csv")} for name in ("train", "validation")}
    found = listings(tmp_path, dataset=files)
    types = {name: listing.source.schema for name, listing in found.items()}
    assert types["train"] == pa.schema([("image", pa.int64()), ("label", pa.float64())])
    # Whole numbers can be read as the fractions that training has; fractions cannot be read as whole numbers.
    assert types["validation"] == pa.schema([("image", pa.float64()), ("label", pa.float64())])


def test_folders_of_images_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split, names in (("train", "abc"), ("validation", "bc")):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / split / name / "0.png")
    listed: list[str] = []

    def find_files(field: str, path: str, suffixes: tuple[str, ...]) -> list[File]:
        listed.append(path)
        return files.find_files(field, path, suffixes)

    monkeypatch.setattr(images, "find_files", find_files)
    folders = {name: {"format": "Images", "path": str(tmp_path / name)} for name in ("train", "validation")}
    found = listings(tmp_path, dataset=folders)
    assert listed == [str(tmp_path / "train"), str(tmp_path / "validation")]
    labels = found["validation"].pieces[0].labels
    assert sorted(labels) == [1, 2] and found["validation"].source.classes == ("a", "b", "c")
