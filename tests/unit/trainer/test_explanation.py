"""What becomes of each column, and what was decided, is shown as it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from run_samples import run_of, trainer
from trial_samples import call, linear

from trainingrun.contract.exits import Exit
from trainingrun_trainer.driver.decisions import decisions, stored_columns
from trainingrun_trainer.driver.plan import plan_of
from trainingrun_trainer.driver.shape import workers_of
from trainingrun_trainer.explanation import Explanation, StepShown, data_sentence, sentence
from trainingrun_trainer.local.explain import explain, explanation
from trainingrun_trainer.placement import Workers

WORKERS = Workers(2, gpus=0, cpus=1.0)

STEP = StepShown(
    title="transforms[1] my:decode",
    place="Row, on the data group",
    gets={"image": "binary", "a column with a very long name": "struct<first: int64, second: int64>"},
    returns={"image": "uint8 (28, 28)"},
    rows_in=32,
    rows_out=30,
    seconds=0.016,
    bytes_in=32_000,
    bytes_out=60_000,
)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    columns = {"features": pa.array(list(x)), "price": x.sum(axis=1), "note": ["a"] * 64}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    return tmp_path


def run_on(folder: Path, *, format: str = "Parquet", **recipe: Any) -> Any:
    dataset = {"train": {"format": format, "path": str(folder)}, **recipe.pop("dataset", {})}
    return run_of(recipe={"dataset": dataset, "globalBatchSize": 48, **recipe})


def regression(folder: Path, **recipe: Any) -> Any:
    dataset = {"inputColumn": "features", "targetColumn": "price"}
    fields = {"dataset": dataset, "model": linear(1), "loss": call("torch.nn:MSELoss"), **recipe}
    return run_on(folder, **fields)


def test_the_table_has_a_row_for_each_column_and_a_place_for_each_stage() -> None:
    shown = Explanation(
        stored={"image": "uint8 (28, 28)", "label": "int64"},
        model_gets={"image": "float32 (32, 1, 28, 28)"},
        loss_gets={"outputs": "float32 (32, 10)", "label": "int64 (32,)"},
        steps=(STEP,),
        decisions=("a decision",),
        doubts=("a doubt",),
    )
    assert shown.lines() == [
        "column   in the file     model gets               loss gets",
        "image    uint8 (28, 28)  float32 (32, 1, 28, 28)  -",
        "label    int64           -                        int64 (32,)",
        "outputs  -               -                        float32 (32, 10)",
        "",
        "transforms[1] my:decode: Row, on the data group",
        "  32 rows in, 30 out; 0.5 ms a row; 1,000 bytes a row in; 2,000 bytes a row out",
        "  column                        gets                          returns",
        "  image                         binary                        uint8 (28, 28)",
        "  a column with a very long n…  struct<first: int64, second…  -",
        "",
        "decided:",
        "- a decision",
        "",
        "doubtful:",
        "- a doubt",
    ]


def test_the_record_has_it_in_two_sentences() -> None:
    assert data_sentence({"x": "int64", "y": "string"}) == "the data holds x: int64, y: string"
    many = {f"c{number}": "int64" for number in range(30)}
    assert data_sentence(many).endswith("c19: int64, and 10 more")
    assert sentence({"x": "int64 (2,)"}, {"outputs": "float32 (2, 3)"}, ("loss", "accuracy")) == (
        "of the first batch the model gets x: int64 (2,), the loss gets outputs: float32 (2, 3); "
        "measured: loss, accuracy"
    )


def test_first_rows_are_explained_without_ray(prices: Path) -> None:
    shown = explanation(regression(prices), WORKERS)
    assert shown.stored["features"] == "float32 of shape 4"
    assert "note" not in shown.stored  # which nothing uses, and is not read
    (step,) = shown.steps
    assert (step.title, step.place) == (
        "transform trainingrun_trainer.vision:normalize",
        "Batch, on the trainer, on whole batches",
    )
    assert step.gets["features"] == step.returns["features"] == "float32 (24, 4)"
    assert (step.rows_in, step.rows_out, step.bytes_in) == (24, 24, 24 * 20)
    assert shown.model_gets == {"features": "float32 (24, 4)"}
    assert shown.loss_gets == {"outputs": "float32 (24, 1)", "price": "float32 (24, 1)"}
    assert shown.doubts == ()
    assert shown.decisions[0] == "2 trainers with the CPU each; each takes 24 rows"
    assert shown.decisions[-2].startswith("spec.recipe.loss gets targets float32 (24, 1), viewed in the outputs' shape")
    assert shown.decisions[-1] == "measured: loss"


def test_a_transform_of_the_data_group_gets_what_is_stored(prices: Path) -> None:
    transform = {**call("author_functions:doubled"), "kind": "Batch"}
    shown = explanation(regression(prices, transform=transform), WORKERS)
    (step,) = shown.steps
    assert step.gets == step.returns
    assert step.gets["features"] == "float32 (4,)" and step.gets["note"] == "string"
    assert shown.model_gets == {"features": "float32 (24, 4)"}
    assert "the transform author_functions:doubled runs on the data group" in shown.decisions


def test_a_loop_of_the_authors_own_is_explained_up_to_its_batch(prices: Path) -> None:
    shown = explanation(regression(prices, loop=call("author_hooks:any_arguments")), WORKERS)
    assert shown.model_gets["features"] == "float32 (24, 4)" and shown.loss_gets == {}


def test_what_a_step_gets_is_explained(prices: Path) -> None:
    step = call("author_hooks:price_step")
    shown = explanation(regression(prices, trainStep=step), WORKERS)
    assert shown.model_gets["price"] == "float32 (24,)" and shown.decisions[-1] == "measured: loss"


def test_what_is_wrong_is_said_and_is_the_exit_code(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(regression(prices), WORKERS) is Exit.COMPLETE
    assert capsys.readouterr().out.startswith("column    in the file")
    assert explain(regression(prices, model=linear(1, inputs=5)), WORKERS) is Exit.INVALID_CONFIG
    shown = capsys.readouterr()
    assert shown.err.startswith("spec.recipe.model: failed on the first batch, called with {features: float32 (24, 4)}")
    assert shown.out == ""
    command = run_of(recipe=None, trainer={"command": ["python", "train.py"]})
    assert explain(command, WORKERS) is Exit.INVALID_CONFIG
    assert "only a recipe can be explained" in capsys.readouterr().err


def test_decisions_name_devices_precision_and_classes(tmp_path: Path) -> None:
    for place, name in enumerate(("dog", "cat")):
        os.mkdir(tmp_path / name)
        Image.fromarray(np.full((4, 4), place, np.uint8)).save(tmp_path / name / "0.png")
    run = run_on(tmp_path, format="Images", gradientAccumulationSteps=2)
    recipe = {**run.to_document()["spec"]["recipe"], "mixedPrecision": "FP16"}
    run = run_of(recipe=recipe, trainer=trainer(gpus=1))
    assert decisions(plan_of(run, WORKERS)) == (
        "2 trainers with the CPU each; each takes 12 rows, 2 times a step",
        "float32 instead of FP16, which needs a GPU",
        "the transform trainingrun_trainer.vision:normalize runs on the trainer, on whole batches",
        "classes by the folders' alphabet: 0 cat, 1 dog",
    )
    plan = plan_of(run, workers_of(run))
    assert decisions(plan)[0] == "1 trainer with 1 GPU each; each takes 24 rows, 2 times a step"
    assert not any("FP16" in said for said in decisions(plan))
    assert stored_columns(plan.listings["train"])["image"] == "uint8 of shape 4x4"
