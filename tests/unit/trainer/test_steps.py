"""Each step of a recipe runs where it says or is marked to, in an order that can be kept, and is checked beforehand."""

from __future__ import annotations

from typing import Any

import author_classes
import pytest
import torch
from author_modules import author
from run_samples import run_of

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.steps import all_steps, data_steps, looks_at_inputs_only, trainer_steps
from trainingrun_trainer.driver.plan import uses_of
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration
from trainingrun_trainer.train.recipe_objects import trainer_transform

NORMALIZE = {"function": "trainingrun_trainer.vision:normalize", "kind": "Batch"}
ADD = {"function": "author_functions:add", "kind": "Batch", "parameters": {"amount": 1}}


def recipe(*steps: dict[str, Any], **fields: Any) -> Recipe:
    dataset = {"train": {"format": "Parquet", "path": "/data/train"}, "inputColumns": ["image", "mask"]}
    made = run_of(recipe={"dataset": dataset, "globalBatchSize": 48, "transforms": list(steps), **fields}).spec.recipe
    assert made is not None
    return made


def named(function: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"function": author(function), "kind": kind, **fields}


def paths(steps: tuple[Step, ...]) -> list[str]:
    return [step.path for step in steps]


def test_steps_run_where_they_say_or_are_marked_to() -> None:
    made = recipe(ADD, {**NORMALIZE, "runOn": "Data"}, {**ADD, "runOn": "Trainer"}, NORMALIZE)
    assert paths(data_steps(made)) == ["spec.recipe.transforms[0]", "spec.recipe.transforms[1]"]
    assert paths(trainer_steps(made)) == ["spec.recipe.transforms[2]", "spec.recipe.transforms[3]"]
    assert [looks_at_inputs_only(step) for step in all_steps(made)] == [False, True, False, True]


def test_a_step_is_as_the_recipe_describes_it() -> None:
    asked = {"cpu": "500m", "memory": "1Gi", "gpu": 1}
    step = named("Counter", "Class", batchFormat="Torch", batchSize=7, concurrency=3, resources=asked)
    gpu = {"data": {"resourcesPerNode": {"limits": {"nvidia.com/gpu": 1}}}}
    document = recipe(ADD).model_dump(mode="json", by_alias=True, exclude_unset=True)
    made = run_of(recipe={**document, "transforms": [step]}, **gpu).spec.recipe
    assert made is not None
    assert data_steps(made) == (
        Step(
            "author_classes:Counter",
            "Class",
            "Torch",
            batch_size=7,
            input_columns=("image", "mask"),
            path="spec.recipe.transforms[0]",
            cpus=0.5,
            memory=1 << 30,
            gpus=1.0,
            concurrency=3,
        ),
    )


def test_no_list_is_the_default_and_an_empty_one_is_nothing() -> None:
    document = recipe().model_dump(mode="json", by_alias=True, exclude_unset=True)
    del document["transforms"]
    default = run_of(recipe=document).spec.recipe
    assert default is not None
    assert [step.function for step in trainer_steps(default)] == [NORMALIZE["function"]] and not data_steps(default)
    assert all_steps(recipe()) == ()
    assert trainer_transform(recipe(), training=True)({"image": 3}) == {"image": 3}


@pytest.mark.parametrize(
    ("steps", "gets_rows", "gets_batches"),
    [
        ([], False, False),
        ([NORMALIZE], False, False),
        ([ADD, NORMALIZE], True, False),
        ([{**ADD, "runOn": "Trainer"}], False, True),
    ],
)
def test_what_steps_look_at_follows_from_where_they_run(
    steps: list[dict[str, Any]], gets_rows: bool, gets_batches: bool
) -> None:
    made = recipe(*steps)
    uses = uses_of(made, is_transformed=bool(data_steps(made)))
    assert (uses.gets_rows, uses.gets_batches, uses.makes_batches) == (gets_rows, gets_batches, gets_batches)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            [NORMALIZE, ADD],
            "spec.recipe.transforms[1].runOn: author_functions:add runs on the data group, but "
            "spec.recipe.transforms[0] before it on the trainer; allowed: steps on the data group first",
        ),
        ([{**NORMALIZE, "kind": "Row"}], "spec.recipe.transforms[0].kind: found Row, but"),
        ([{**NORMALIZE, "batchSize": 3}], "spec.recipe.transforms[0].batchSize: trainingrun_trainer.vision:normalize"),
        ([named("wants_one_seed", "Batch")], "spec.recipe.transforms[0].function: author_draws:wants_one_seed has"),
        ([named("WantsOneSeed", "Class")], "has a parameter seed, which a function of one row is told"),
        ([named("TakesNoBatch", "Class")], "instances of author_classes:TakesNoBatch cannot be called with a batch"),
        ([named("NotCallable", "Class")], "instances of author_classes:NotCallable cannot be called with a batch"),
        (
            [named("Counter", "Class", parameters={"stat": 1})],
            "spec.recipe.transforms[0].parameters: Counter(start: 'int' = 0) cannot be called as configured: "
            "got an unexpected keyword argument 'stat'",
        ),
        ([{"function": "author_classes:Counters", "kind": "Class"}], 'has no "Counters"; did you mean "Counter"?'),
    ],
)
def test_a_step_that_cannot_work_is_refused(steps: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        for step in all_steps(recipe(*steps)):
            step.check()
    assert said in str(caught.value)


def test_what_may_work_is_not_refused() -> None:
    steps = [
        named("Counter", "Class"),
        named("make_counter", "Class", parameters={"start": 1}),
        named("draws_by_row", "Row"),
        named("wants_one_seed", "Batch", parameters={"seed": 4}),
        named("wants_one_seed", "Batch", runOn="Trainer"),
    ]
    for step in all_steps(recipe(*steps)):
        step.check()


def test_what_makes_no_callable_is_refused_when_it_is_built() -> None:
    (step,) = all_steps(recipe(named("make_number", "Class")))
    with pytest.raises(InvalidConfiguration, match="makes a int, which cannot be called with a batch; allowed: a cl"):
        step.callable()


def test_steps_on_the_trainer_follow_each_other_on_whole_batches() -> None:
    steps = [{**ADD, "runOn": "Trainer"}, NORMALIZE, named("on_class", "Class", runOn="Trainer")]
    author_classes.OnTrainer.built = 0
    made = recipe(*steps)
    batch = {"label": torch.zeros(2), "image": torch.full((2, 4, 4), 255, dtype=torch.uint8)}
    for training in (True, False):
        transform = trainer_transform(made, training=training)
        result = transform(dict(batch))
        assert result["label"].tolist() == [1.0, 1.0]
        assert result["image"].shape == (2, 1, 4, 4) and float(result["image"].max()) == 1.0
        assert result["told"] is training
    assert author_classes.OnTrainer.built == 1


def test_a_step_on_the_trainer_that_fails_is_named() -> None:
    transform = trainer_transform(recipe({**ADD, "runOn": "Trainer"}), training=True)
    with pytest.raises(KeyError, match="label") as caught:
        transform({})
    assert caught.value.__notes__ == ["in spec.recipe.transforms[0] (author_functions:add)"]
    transform = trainer_transform(recipe(named("returns_nothing", "Batch", runOn="Trainer")), training=True)
    with pytest.raises(DataError, match=r"transforms\[0\] .* returned None \(is a `return` missing\?\), expected the"):
        transform({})
