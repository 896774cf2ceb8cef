"""Sources and arguments that cannot be converted are refused with the row, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from trainingrun_trainer.convert import ConvertError, UsageError, convert
from trainingrun_trainer.failures.errors import LayoutError

ZERO = np.zeros((2, 2), np.uint8)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([], ConvertError, "SOURCE has no rows"),
        (iter([]), ConvertError, "SOURCE has no rows"),
        (pandas.DataFrame({"image": [], "label": []}), ConvertError, "SOURCE has no rows"),
        ([(ZERO, 0), (ZERO[:1], 1)], ConvertError, "row 1: found uint8 of shape 1x2 in column image"),
        ([(ZERO, 0), (ZERO.astype(float), 1)], ConvertError, "row 1: found float64 of shape 2x2"),
        ([(ZERO, 0), (7, 1)], ConvertError, "row 1: found int in column image"),
        ([(ZERO, 0), 7], ConvertError, "row 1: found int, allowed: a mapping"),
        ([(ZERO, 0), (ZERO, 1, 2)], ConvertError, "row 1: found tuple, allowed: a mapping"),
        ([{"image": ZERO}, {"pixels": ZERO}], ConvertError, "row 1: found the columns pixels, expected"),
        ([(ZERO, 0), (ZERO, {"box": 1})], ConvertError, "column label: found struct<box: int64> and int64"),
        (iter([(ZERO, 0), (ZERO, {"box": 1})]), ConvertError, "column label: found struct<box: int64> and int64"),
        ([(ZERO, 1), (ZERO, 0.5), *[(ZERO, 0)] * 700], ConvertError, "rows from 1: found double, expected int64"),
        ([(ZERO, "a"), (ZERO, None)], ConvertError, "column label: found a row without a value"),
        ({"image": ZERO, "label": [1]}, ConvertError, "column label: found 1 rows, expected 2"),
        ({"pixels": ZERO}, ConvertError, "found no column image among pixels; name"),
        ({"image": np.array([["a"], ["b"]])}, LayoutError, "arrays hold booleans or numbers only"),
        (pandas.DataFrame({"image": [1.0], "label": [None]}), ConvertError, "found a row without a value"),
        (42, ConvertError, "SOURCE: found int, allowed: a DataFrame"),
        ("sklearn:digit", UsageError, "sklearn.datasets has no load_digit"),
        ("torchvision:MNISTT", UsageError, "torchvision.datasets has no MNISTT"),
        ("torchvision:MNIST", ConvertError, "torchvision:MNIST: Dataset not found.*--download"),
        ("folder:/nowhere", ConvertError, "/nowhere: no such folder"),
        ("nowhere.parquet", ConvertError, "nowhere.parquet: no such file"),
        ("nowhere.pkl", ConvertError, "nowhere.pkl: no such file"),
        ("nowhere", UsageError, "SOURCE: found nowhere, allowed: torchvision:NAME"),
        ("no_such_module:rows", UsageError, "no_such_module:rows cannot be imported"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_converted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        convert(source, tmp_path / "out", shuffle=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json", ".pkl", ".npy", ".npz"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"data{suffix}"
    file.write_bytes(b"\x00\xffbroken\n\x00")
    with pytest.raises(ConvertError, match=r"data\.\w+|found no column image"):
        convert(file, tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"rows_per_file": 0}, {"row_group_rows": -1}, {"mode": "CMYK"}, {"size": (0, 3)}],
)
def test_wrong_arguments_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"found .*, allowed: "):
        convert([(ZERO, 0)], tmp_path / "out", **options)
