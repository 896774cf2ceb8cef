"""Whatever prepared rows depend on changes the key of the cache, or the name of a slab in it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cache_samples import BUNDLE, PIECE, SLAB_BYTES

from trainingrun_trainer.data import cache_key
from trainingrun_trainer.data.cache_key import contents_of, entry_name, key_of
from trainingrun_trainer.data.files import find_files
from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.failures.errors import InvalidConfiguration

SOURCE = Source("spec.recipe.dataset.train", "Parquet", "/data/train")
LAYOUTS = {"image": ArrayLayout((4, 6), np.dtype(np.uint8))}


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an author's module, which imports another one, and that a third one only when it is called."""
    (tmp_path / "cached_steps_of").mkdir()
    (tmp_path / "cached_steps_of" / "__init__.py").touch()
    (tmp_path / "cached_steps_of" / "deep.py").write_text("import numpy\nSCALE = 2\n")
    (tmp_path / "cached_steps_of" / "helpers.py").write_text(
        "def scaled(x):\n    from .deep import SCALE\n    return x * SCALE\n"
    )
    (tmp_path / "cached_main.py").write_text(
        "from cached_steps_of import helpers\ndef double(row):\n    return helpers.scaled(row)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("cached_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def step(**changes: Any) -> Step:
    return dataclasses.replace(Step("cached_main:double", "Batch"), **changes)


def key(*steps: Step, source: Source = SOURCE, layouts: Any = LAYOUTS, training: bool = True) -> str:
    return key_of(contents_of(source, layouts, steps, training=training))


@pytest.mark.parametrize("changed", ["cached_main.py", "cached_steps_of/helpers.py", "cached_steps_of/deep.py"])
def test_a_change_of_any_file_of_the_author_s_is_another_key(author: Path, changed: str) -> None:
    before = key(step())
    assert key(step()) == before
    with (author / changed).open("a") as file:
        file.write("# a word more\n")
    assert key(step()) != before


@pytest.mark.parametrize(
    "changes",
    [
        {"function": "cached_main:helpers.scaled"},
        {"kind": "Row"},
        {"batch_format": "Torch"},
        {"batch_size": 7},
        {"parameters": {"size": 3}},
        {"input_columns": ("image",)},
    ],
)
def test_a_change_of_a_step_is_another_key(author: Path, changes: dict[str, Any]) -> None:
    assert key(step(**changes)) != key(step())


def test_steps_count_in_their_order(author: Path) -> None:
    keys = {key(), key(step()), key(step(), step()), key(step(), step(kind="Row")), key(step(kind="Row"), step())}
    assert len(keys) == 5


def test_a_change_of_the_source_is_another_key() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"format": "Images"},
        {"image_size": (4, 4)},
        {"image_mode": "L"},
        {"inputs": ("picture",)},
        {"columns": ("image",)},
        {"column_types": {"a": "int8"}},
        {"classes": ("cat", "dog")},
        {"schema": pa.schema([("a", pa.int8())])},
        {"schema": pa.schema([("a", pa.int16())])},
        {"ragged": frozenset({"a"})},
    ]
    assert len({key(source=dataclasses.replace(SOURCE, **change)) for change in changes}) == len(changes)
    assert key(training=False) != key()
    assert key(layouts={"image": ArrayLayout((6, 4), np.dtype(np.uint8))}) != key()
    assert key(source=dataclasses.replace(SOURCE, path="/mnt/train", field="spec.recipe.dataset.validation")) == key()


def test_another_version_is_another_key(author: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(step())
    monkeypatch.setattr(cache_key, "version", lambda name: "2.0" if name == "numpy" else "1.0")
    one = key(step())
    monkeypatch.setattr(cache_key, "version", lambda name: "1.0")
    assert len({before, one, key(step())}) == 3


def test_a_function_without_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfiguration, match="source code of nowhere_at_all:f is not to be found"):
        key(step(function="nowhere_at_all:f"))


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 4},
        {"paths": ("other.parquet",)},
        {"size_bytes": 5001},
        {"rows": 1001},
        {"row_group": 1},
        {"labels": (1,)},
        {"stamp": "mtime=2"},
    ],
)
def test_a_slab_s_name_has_its_files_and_their_versions(changes: dict[str, Any]) -> None:
    other = Bundle(3, (dataclasses.replace(PIECE, **changes),))
    assert entry_name(other, 0, SLAB_BYTES) != entry_name(BUNDLE, 0, SLAB_BYTES)


def test_a_slab_s_name_has_its_place() -> None:
    places = [(0, SLAB_BYTES), (1, SLAB_BYTES), (0, SLAB_BYTES // 2)]
    assert len({entry_name(BUNDLE, *place) for place in places}) == 3


def test_a_file_that_is_written_again_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    (first,) = find_files("path", str(tmp_path), (".csv",))
    path.write_text("a\n2\n")
    (second,) = find_files("path", str(tmp_path), (".csv",))
    assert first.size_bytes == second.size_bytes
    assert first.stamp and first.stamp != second.stamp
