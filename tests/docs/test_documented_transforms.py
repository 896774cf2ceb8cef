"""Every transform that docs/hooks.md shows does what the page says, on rows as it describes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from documents import ROOT, Block, blocks
from test_documented_runs import BASE, merged

from trainingrun.spec import parse
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.columns import columns_of, table_of
from trainingrun_trainer.data.steps import all_steps, data_steps, trainer_steps
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.train.recipe_objects import trainer_transform

PAGE = ROOT / "docs" / "hooks.md"
ROWS = 40


def in_section(language: str) -> list[Block]:
    lines = PAGE.read_text().splitlines()
    first, behind = lines.index("## transform") + 1, lines.index("## collate") + 1
    return [block for block in blocks(language) if block.document == PAGE and first < block.line < behind]


@pytest.fixture(autouse=True)
def my_transforms() -> Iterator[None]:
    """All functions of the section, in the module that its runs name."""
    module = ModuleType("my_transforms")
    for block in in_section("python"):
        exec(compile(block.text, str(block), "exec"), vars(module))  # noqa: S102
    sys.modules["my_transforms"] = module
    yield
    del sys.modules["my_transforms"]


def recipe_of(block: Block) -> Recipe:
    document = merged(BASE, {"spec": yaml.safe_load(block.text)})
    made = parse(document).spec.recipe
    assert made is not None
    return made


def rows() -> pa.Table:
    pictures = np.random.default_rng(0).integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)
    pictures[0] = 7  # which is not sharp
    text = ["a good film", "a bad one", "no", "x"] * (ROWS // 4)
    return table_of({"image": pictures, "label": np.arange(ROWS), "text": text})


def applied(block: Block, *, training: bool = True) -> dict[str, Any]:
    recipe = recipe_of(block)
    for step in all_steps(recipe):
        step.check()
    on_data = data_steps(recipe)
    table = Chain(on_data, training)(rows()) if on_data else rows()
    batch = {
        name: values if values.dtype.hasobject else torch.as_tensor(np.array(values))
        for name, values in columns_of(table).items()
    }
    if trainer_steps(recipe):
        return trainer_transform(recipe, training=training)(batch)
    return batch


def block_of(text: str) -> Block:
    (found,) = [block for block in in_section("yaml") if text in block.text]
    return found


def test_every_run_of_the_section_is_tried_here() -> None:
    named = ("Augment", "transform_images", "Tokenizer", "long_enough", "augment", "scale")
    assert {block_of(f":{name}").line for name in named} == {block.line for block in in_section("yaml")}


@pytest.mark.parametrize("training", [True, False])
def test_pictures_are_chosen_augmented_and_normalised(training: bool) -> None:
    batch = applied(block_of(":Augment"), training=training)
    assert batch["label"].tolist() == list(range(1, ROWS))
    assert batch["image"].shape == (ROWS - 1, 1, 28, 28) and batch["image"].dtype == torch.float32
    plain = torch.as_tensor(np.array(columns_of(rows())["image"]))[1:, None].float() / 127.5 - 1
    assert torch.allclose(batch["image"], plain, atol=1e-6) is not training


def test_a_notebooks_function_runs_unchanged() -> None:
    batch = applied(block_of(":transform_images"))
    assert batch["image"].shape == (ROWS, 1, 28, 28) and -1 <= float(batch["image"].min()) < -0.9


def test_a_tokenizer_knows_its_words() -> None:
    tokens = applied(block_of(":Tokenizer"))["tokens"]
    assert [list(one) for one in tokens[:4]] == [[1, 3, 4], [1, 2, 0], [0], [0]]


def test_rows_are_left_out_and_halved() -> None:
    batch = applied(block_of(":long_enough"))
    assert batch["text"].tolist()[:6] == ["a goo", "d film", "a ba", "d one", "n", "o"]
    assert batch["label"].tolist()[:6] == [0, 0, 1, 1, 2, 2] and len(batch["label"]) == 2 * 3 * ROWS // 4


@pytest.mark.parametrize(("training", "size"), [(True, 24), (False, 28)])
def test_a_batch_is_cropped_row_by_row(training: bool, size: int) -> None:
    assert applied(block_of(":augment"), training=training)["image"].shape == (ROWS, 1, size, size)


def test_a_marked_function_runs_on_the_trainer() -> None:
    block = block_of(":scale")
    assert [step.is_on_trainer for step in all_steps(recipe_of(block))] == [True]
    assert float(applied(block)["image"].max()) == 2.0
