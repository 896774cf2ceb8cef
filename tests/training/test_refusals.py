"""What cannot work is said in a sentence, soon, with the right exit code; the author's own mistakes show only the
author's own lines."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driving import SIDE, Training, document, start, write_rows

from trainingrun_trainer.data import layout

pytestmark = pytest.mark.timeout(600)


def refused(recipe: dict[str, Any], data: Path, place: Path, address: str, workers: int = 1) -> tuple[int, str]:
    training = start(document(data, place / "storage", recipe), place, address, workers)
    code = training.end()
    return code, training.last_word().message if training.records() else training.output()


@pytest.fixture(scope="module")
def began() -> float:
    return time.time()


@pytest.fixture(scope="module", autouse=True)
def too_many_workers(began: float, address: str, uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A run that waits for nodes at first, while the other tests go on."""
    place = tmp_path_factory.mktemp("too-many-workers")
    return start(document(uneven, place / "storage", {}), place, address, workers=9)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"model": {"function": "training_hooks:small_nett"}}, 'did you mean "small_net"'),
        ({"dataset": {"inputColumn": "picture"}}, 'column "picture" is missing; found image, label'),
        ({"transform": {"function": "training_hooks:nothing", "kind": "Row"}}, "function(row: dict"),
        *(
            pytest.param(recipe, said, marks=pytest.mark.extended)
            for recipe, said in (
                ({"model": {"function": "training_hooks:small_net", "parameters": {"depth": 3}}}, "depth"),
                ({"optimizer": {"function": "torch.optim:Adm"}}, 'did you mean "Adam"'),
                ({"loss": {"function": "no_such_module:loss"}}, 'no module "no_such_module"'),
            )
        ),
    ],
)
def test_a_wrong_configuration_ends_with_code_12(
    address: str, uneven: Path, tmp_path: Path, recipe: dict[str, Any], said: str
) -> None:
    code, message = refused(recipe, uneven, tmp_path, address)

    assert code == 12, message
    assert said in message


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "found nothing at"),
        (lambda folder: write_rows(folder, [0]), "no rows"),
        (lambda folder: (folder / "bad.parquet").write_bytes(b"PAR1 but not really"), "not a readable Parquet file"),
    ],
    ids=["no files", "no rows", "unreadable"],
)
def test_unusable_dataset(address: str, tmp_path: Path, make: Any, said: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make(data)
    code, message = refused({}, data, tmp_path, address)

    assert code == 12, message
    assert said in message


def test_more_workers_than_the_cluster_holds(too_many_workers: Training, began: float) -> None:
    assert too_many_workers.end() == 12, too_many_workers.output()
    last = too_many_workers.last_word()
    assert "asks for 9 workers with 1 CPU" in last.message
    assert "room for 3" in last.message
    assert last.time - began < 120, "a run that cannot be placed must fail soon"


@pytest.mark.extended
def test_another_shape_in_a_later_file(address: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_rows(data, [300])
    field, images = layout.from_numpy("image", np.zeros((10, SIDE + 1, SIDE), dtype=np.uint8))
    schema = layout.schema_of([field, pa.field("label", pa.int64())])
    pq.write_table(pa.table([images, pa.array(range(10))], schema=schema), data / "part-9.parquet")
    code, message = refused({}, data, tmp_path, address)

    assert code == 13, message
    assert "part-9.parquet" in message


@pytest.mark.parametrize(
    ("recipe", "mistake"),
    [
        pytest.param(
            {"trainStep": {"function": "training_hooks:failing_step"}},
            "ValueError: the author's mistake",
            id="train step",
            marks=pytest.mark.extended,
        ),
        pytest.param(
            {"transform": {"function": "training_hooks:failing_row", "kind": "Row"}},
            "cannot prepare row 700",
            id="transform",
        ),
    ],
)
def test_the_author_s_mistake(address: str, uneven: Path, tmp_path: Path, recipe: dict[str, Any], mistake: str) -> None:
    code, message = refused(recipe, uneven, tmp_path, address, workers=2)

    assert code == 13, message
    assert mistake in message
    assert "training_hooks.py" in message
    assert "site-packages" not in message and "trainingrun_trainer" not in message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte. Mounting needs root, as in a container; without it this test fails."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.extended
def test_a_full_disk_ends_the_attempt(address: str, uneven: Path, tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(1_040_000))
    training = start(document(uneven, small_disk / "storage", {}), tmp_path, address)

    assert training.end() in (13, 14), training.output()
    assert "No space left on device" in training.output()
