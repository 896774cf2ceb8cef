"""What has changed under a checkpoint is said by field, with what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.recipe_changes import ANOTHER_FOLDER, changes

DATASET = {"train": {"format": "CSV", "path": "/data/train"}}
FILES = {"sha256": "a", "files": 10, "bytes": 2000}


def of(recipe: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    return {"recipe": {"dataset": DATASET, **(recipe or {})}, "versions": {"torch": "2.9"}, "dataset": FILES, **other}


def test_nothing_has_changed() -> None:
    assert changes(of({"epochs": 5}), of({"epochs": 5})) == ()


def test_checkpoints_from_before_recipes_were_recorded_differ_in_nothing() -> None:
    assert changes({}, of({"epochs": 5})) == ()


def test_a_default_that_is_written_out_is_no_change() -> None:
    written = {
        "epochs": 10,
        "optimizer": {"function": "torch.optim:Adam", "parameters": {"lr": 0.001}},
        "scheduler": None,
        "seed": 0,
    }
    assert changes(of(), of(written)) == () == changes(of(written), of())


SGD = "torch.optim:SGD"
STEP = "torch.optim.lr_scheduler:StepLR"
HOLDS = "this holds from here on"
STAYS = f"the old value stays, because it comes back with the checkpoint; {ANOTHER_FOLDER}"


def was(then: object, now: object) -> str:
    return f"was {then} when the checkpoint was saved, is now {now}"


@pytest.mark.parametrize(
    ("then", "now", "field", "what", "becomes"),
    [
        ({}, {"epochs": 20}, "epochs", was(10, 20), HOLDS),
        ({"maxGradNorm": 1.0}, {}, "maxGradNorm", was(1.0, "not given"), HOLDS),
        (
            {"optimizer": {"function": SGD, "parameters": {"lr": 0.1, "momentum": 0.9}}},
            {"optimizer": {"function": SGD, "parameters": {"lr": 0.01, "momentum": 0.9}}},
            "optimizer.parameters.lr",
            was(0.1, 0.01),
            STAYS,
        ),
        (
            {"scheduler": {"function": STEP, "parameters": {"step_size": 1}}},
            {"scheduler": {"function": STEP, "parameters": {"step_size": 3}}},
            "scheduler.parameters.step_size",
            was(1, 3),
            STAYS,
        ),
        ({}, {"scheduler": {"function": "x"}}, "scheduler", was("not given", '{"function": "x"}'), HOLDS),
        (
            {"model": {"function": "my:Net", "parameters": {"width": 8}}},
            {"model": {"function": "my:Net", "parameters": {"width": 16}}},
            "model.parameters.width",
            was(8, 16),
            f"{HOLDS}, and the checkpoint's weights must fit",
        ),
        (
            {"dataset": DATASET},
            {"dataset": {"train": {**DATASET["train"], "path": "/data/more"}}},
            "dataset.train.path",
            was('"/data/train"', '"/data/more"'),
            HOLDS,
        ),
        (
            {"optimizer": {"function": "torch.optim:Adam"}},
            {"optimizer": {"function": "torch.optim.adam:Adam"}},
            "optimizer.function",
            was('"torch.optim:Adam"', '"torch.optim.adam:Adam"'),
            HOLDS,
        ),
    ],
)
def test_each_field_says_what_becomes_of_it(
    then: dict[str, Any], now: dict[str, Any], field: str, what: str, becomes: str
) -> None:
    assert of(then) != of(now)
    assert [s for s in changes(of(then), of(now)) if s.startswith(f"spec.recipe.{field}:")] == [
        f"spec.recipe.{field}: {what}; {becomes}"
    ]


@pytest.mark.parametrize(
    ("field", "then", "now"),
    [
        ("optimizer", "torch.optim:SGD", "torch.optim:Adam"),
        ("scheduler", STEP, "torch.optim.lr_scheduler:ExponentialLR"),
    ],
)
def test_the_state_of_something_else_is_not_taken_over(field: str, then: str, now: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        changes(of({field: {"function": then}}), of({field: {"function": now}}))
    assert str(raised.value) == (
        f'spec.recipe.{field}.function: was "{then}" when the checkpoint was saved, is now "{now}", but its state in '
        f'the checkpoint belongs to the old one; allowed: "{then}"; {ANOTHER_FOLDER}'
    )


def test_a_checkpoint_of_another_run_is_told() -> None:
    then, now = {**of({}), "run": "vision/old (1a)"}, {**of({}), "run": "vision/new (2b)"}
    assert changes(then, now) == ("training goes on from a checkpoint of run vision/old (1a)",)
    assert changes(then, then) == changes(of({}), now) == ()


def test_other_code_is_told_and_holds() -> None:
    old, new = {**of(), "code": "0a"}, {**of(), "code": "1b"}
    assert changes(old, new) == (f"spec.code: {was('sha256 0a', 'sha256 1b')}; {HOLDS}",)
    assert changes(of(), new) == (f"spec.code: {was('not given', 'sha256 1b')}; {HOLDS}",)
    assert changes(old, {**of(), "code": None}) == (f"spec.code: {was('sha256 0a', 'not given')}; {HOLDS}",)
    assert changes(old, old) == changes(of(), {**of(), "code": None}) == ()


def test_what_a_loop_takes_over_is_its_author_s_to_say() -> None:
    loop = {"loop": {"function": "my:loop"}}
    (sentence,) = changes(
        of({**loop, "optimizer": {"function": SGD}}), of({**loop, "optimizer": {"function": "torch.optim:Adam"}})
    )
    assert sentence.endswith('is now "torch.optim:Adam"; what follows is up to spec.recipe.loop')


def test_files_that_were_added_or_changed_are_noticed() -> None:
    (sentence,) = changes(of(), of(dataset={"sha256": "b", "files": 12, "bytes": 2400}))
    assert sentence == (
        "spec.recipe.dataset.train: the files have changed since the checkpoint was saved (then 10 files of 2,000 "
        "bytes, now 12 of 2,400). Rows are known by their place in the list of files, so some rows of the epoch in "
        "progress may be left out or repeated"
    )


def test_other_versions_are_said_together() -> None:
    then = {"torch": "2.9", "ray": "2.59", "numpy": "2", "left": "1"}
    (sentence,) = changes(of(versions=then), of(versions={"torch": "2.10", "ray": "2.60", "numpy": "2", "new": "1"}))
    assert sentence == (
        "versions have changed since the checkpoint was saved: ray 2.59 is now 2.60, torch 2.9 is now 2.10"
    )
