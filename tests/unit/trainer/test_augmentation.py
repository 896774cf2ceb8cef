"""A row gets the same augmentation whenever it comes up, whichever rows are around it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from block_samples import block, chain_of
from torchvision.transforms import v2

from trainingrun_trainer.data.columns import columns_of
from trainingrun_trainer.data.seeds import EPOCH_SEED, epoch_seed
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import UserCodeError
from trainingrun_trainer.seeding import by_row, seed_generators
from trainingrun_trainer.vision import Augment

RANDOM = [{"RandomResizedCrop": {"size": [4, 6]}}, {"RandomHorizontalFlip": {}}, {"ColorJitter": {"brightness": 0.5}}]
ROWS = 12


def of_epoch(table: pa.Table, epoch: int) -> pa.Table:
    return table.append_column(EPOCH_SEED, pa.repeat(epoch_seed(7, epoch), table.num_rows))


def augment(
    batch_size: int | None = None, batch_format: str = "NumPy", *, training: bool = True, **named: Any
) -> Chain:
    step = Step(
        "trainingrun_trainer.vision:Augment",
        "Class",
        batch_format,
        parameters={"transforms": RANDOM, **named},
        batch_size=batch_size,
        input_columns=("image",),
    )
    return Chain((step,), training)


def images(chain: Chain, table: pa.Table, epoch: int = 0) -> np.ndarray:
    return columns_of(chain(of_epoch(table, epoch)))["image"]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_neither_batches_nor_order_change_what_a_row_gets(shape: tuple[int, ...]) -> None:
    table = block(ROWS, shape)
    whole = images(augment(), table)
    assert whole.shape == (ROWS, *shape) and whole.dtype == np.uint8
    order = np.random.default_rng(0).permutation(ROWS)
    for size in (1, 5):
        assert np.array_equal(images(augment(size), table.take(order)), whole[order])
    assert np.array_equal(images(augment(3, "Torch"), table), whole)
    assert np.array_equal(images(augment(), table.slice(5, 2)), whole[5:7])
    others = images(augment(), table, epoch=1)
    assert all(not np.array_equal(other, one) for other, one in zip(others, whole, strict=True))


def test_rows_of_the_same_picture_get_different_changes() -> None:
    table = block(1, (4, 6)).drop_columns(["image"])
    picture = block(1, (4, 6)).select(["image"])
    same = pa.concat_tables([picture] * ROWS)
    table = block(ROWS).drop_columns(["image"]).append_column(picture.schema.field("image"), same.column("image"))
    assert len({one.tobytes() for one in images(augment(), table)}) > ROWS // 2


def test_validation_is_only_changed_as_it_says() -> None:
    table = block(ROWS)
    assert np.array_equal(images(augment(training=False), table), columns_of(table)["image"])
    assert images(augment(training=False, validation=[{"Resize": {"size": [2, 3]}}]), table).shape == (ROWS, 2, 3)


@pytest.mark.parametrize("name", ["crops_as_a_notebook_does", "jitters_with_every_generator"])
def test_a_row_functions_generators_are_seeded(name: str) -> None:
    table = block(ROWS).select(["image", "label", *block().column_names[3:]])
    whole = chain_of(name, "Row")(of_epoch(table, 0)).to_pylist()
    order = list(reversed(range(ROWS)))
    seed_generators(99)
    again = chain_of(name, "Row", batch_size=5)(of_epoch(table.take(order), 0)).to_pylist()
    assert again == [whole[place] for place in order]
    assert chain_of(name, "Row")(of_epoch(table, 1)).to_pylist() != whole


def test_by_row_gives_each_value_the_generators_of_its_seed() -> None:
    pictures = torch.randint(0, 255, (4, 1, 8, 8), dtype=torch.uint8)
    crop = v2.RandomCrop(4)
    made = by_row(crop, pictures, [3, 1, 4, 1])
    again = by_row(crop, pictures.flip(0), [1, 4, 1, 3])
    assert all(torch.equal(one, other) for one, other in zip(made, reversed(again), strict=True))
    with pytest.raises(ValueError, match="shorter"):
        by_row(crop, pictures, [1])


def test_all_generators_follow_the_seed() -> None:
    def drawn(seed: int) -> tuple[float, float, float]:
        seed_generators(seed)
        return random.random(), float(np.random.random()), float(torch.rand(()))

    assert drawn(5) == drawn(5) and not set(drawn(5)) & set(drawn(6))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"transforms": [{"RandomCorp": {}}]}, "torchvision.transforms.v2 has no RandomCorp; did you mean RandomCrop?"),
        ({"transforms": ["RandomCrop"]}, "found 'RandomCrop' among the transforms; allowed: one name with its argum"),
    ],
)
def test_transforms_that_are_none_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Augment(**parameters)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ([{"ToDtype": {"dtype": torch.float32, "scale": True}}], "the transforms made float32 of shape (1, 4, 6); al"),
        ([{"RandomRotation": {"degrees": 90, "expand": True}}], "uint8 pictures of one"),
    ],
)
def test_results_that_are_no_pictures_of_one_size_are_refused(transforms: Any, said: str) -> None:
    batch = {"image": columns_of(block(ROWS))["image"].copy()}
    with pytest.raises(ValueError) as caught:
        Augment(transforms)(batch, training=True, seeds=np.arange(ROWS), input_columns=("image",))
    assert said in str(caught.value)


def test_columns_without_pictures_are_said_with_the_way_out() -> None:
    step = Step(
        "trainingrun_trainer.vision:Augment", "Class", parameters={"transforms": RANDOM}, input_columns=("name",)
    )
    with pytest.raises(UserCodeError) as caught:
        Chain((step,))(block())
    assert "found name of type object and shape (6,); encoded pictures are decoded with imageSize" in caught.value.text
