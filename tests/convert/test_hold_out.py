"""Holding rows out for validation: two conversions of one source share its rows out once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from trainingrun_trainer.convert import ConvertError, UsageError, convert
from trainingrun_trainer.convert.datasets import from_sklearn
from trainingrun_trainer.convert.sources import Naming

ROWS = 3_000


def numbered(rows: int = ROWS) -> dict[str, Any]:
    return {"image": np.zeros((rows, 2, 2), np.uint8), "label": np.arange(rows)}


def one_by_one() -> Iterator[tuple[Any, int]]:
    for number in range(ROWS):
        yield np.zeros((2, 2), np.uint8), number


def labels(folder: Path, source: Any, split: str, **options: Any) -> list[int]:
    convert(source, folder, split=split, hold_out_percent=20, overwrite=True, **options)
    read: list[int] = pq.read_table(folder).column("label").to_pylist()
    return read


@pytest.mark.parametrize(("make", "spread"), [(numbered, 0), (one_by_one, 0.03 * ROWS)])
def test_every_row_goes_to_one_part_once(tmp_path: Path, make: Callable[[], Any], spread: float) -> None:
    train = labels(tmp_path / "train", make(), "train")
    validation = labels(tmp_path / "validation", make(), "validation")
    assert sorted(train + validation) == list(range(ROWS))
    assert abs(len(validation) - ROWS / 5) <= spread
    # A random choice: neither the first rows nor every fifth.
    assert abs(np.mean(validation) - ROWS / 2) < 150
    assert len(set(np.diff(sorted(validation)))) > 5


@pytest.mark.parametrize("make", [numbered, one_by_one])
def test_the_choice_depends_on_the_seed_alone(tmp_path: Path, make: Callable[[], Any]) -> None:
    first = labels(tmp_path / "out", make(), "validation")
    assert sorted(labels(tmp_path / "out", make(), "validation", shuffle=False)) == sorted(first)
    assert labels(tmp_path / "out", make(), "validation", shuffle=False) == sorted(first)
    assert sorted(labels(tmp_path / "out", make(), "validation", seed=1)) != sorted(first)


def test_a_sample_is_taken_of_one_part(tmp_path: Path) -> None:
    held = set(labels(tmp_path / "out", numbered(), "validation"))
    sample = labels(tmp_path / "out", numbered(), "validation", limit=50)
    assert len(sample) == 50 and set(sample) <= held


def test_digits_are_shared_out_by_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trainingrun", "convert", "sklearn:digits"]
    for split, rows, part in (("train", 1437, "train:"), ("validation", 360, "validation:")):
        done = subprocess.run(
            [*command, split, "--hold-out", "20", "--split", split],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert f"Converted {rows:,} rows" in done.stdout
        assert part in done.stdout
    together = np.concatenate([pq.read_table(tmp_path / split).column("image") for split in ("train", "validation")])
    source = from_sklearn("digits", Naming()).read(np.arange(1797))["image"]
    assert sorted(together.tolist()) == sorted(source.to_pylist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hold_out_percent": 0}, "--hold-out: found 0, allowed: more than 0 and less than 100 percent"),
        ({"hold_out_percent": 100}, "--hold-out: found 100, allowed"),
        ({"hold_out_percent": 20, "split": "test"}, "--split: found test, allowed with --hold-out: train, validation"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert(numbered(), tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="--hold-out 20: found 1 rows, too few to split"):
        convert(numbered(1), tmp_path / "out", hold_out_percent=20)
