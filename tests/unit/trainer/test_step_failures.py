"""What a hook raises long after the first batch is told by the hook's field, the step and what it was given."""

from __future__ import annotations

from typing import Any

import offline
import pytest
import torch
from offline_parts import VALIDATED, News, Plan, evenly, recipe, rows
from run_samples import run_of

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import DataError, NonFiniteLoss, UserCodeError
from trainingrun_trainer.train import step_failures
from trainingrun_trainer.train.schedule import Schedule


def ended(news: News | None = None, **plan: Any) -> str:
    """What a training that fails by its author's mistake says."""
    usual: dict[str, Any] = {"recipe": recipe(), "turns": evenly(22, 8)}
    with pytest.raises(UserCodeError) as raised:
        offline.train(Plan(**{**usual, **plan}), news)
    failure = failure_of(raised.value)
    assert failure.exit is Exit.USER_ERROR
    return failure.text


def with_class(value: int, row: int = 20) -> dict[str, torch.Tensor]:
    data = rows()
    data["label"][row] = value
    return data


@pytest.mark.parametrize("value", [-1, 3])
def test_a_class_of_a_later_step_is_told_with_the_columns_ranges(value: int) -> None:
    said = ended(data=with_class(value))
    assert said.startswith("spec.recipe.loss: failed in step 3 (epoch 0), with image: float32 (6, 4) from ")
    assert f"label: int64 (6,) from {min(value, 0)} to {max(value, 2)}: IndexError" in said
    assert "classes count from 0" in said and "Traceback" not in said


def test_a_class_of_the_validation_data_is_told_after_the_epochs_checkpoint() -> None:
    news = News()
    said = ended(
        news, recipe=recipe(dataset=VALIDATED), data=with_class(7), turns=evenly(16, 8), validation=[[[18, 19, 20]]]
    )
    assert said.startswith("spec.recipe.loss: failed in validation after epoch 0, with image: float32 (3, 4)")
    assert len(news.saved) == 1


def test_an_author_s_own_line_is_shown() -> None:
    said = ended(recipe=recipe(metrics=[{"function": "offline_hooks:fails_on_few_rows"}]))
    sentence, _, traceback = said.partition("\n")
    assert sentence.startswith("spec.recipe.metrics[0]: failed in step 3 (epoch 0)")
    assert sentence.endswith("ValueError: too few rows to rank")
    assert 'offline_hooks.py", line' in traceback


@pytest.mark.parametrize(
    ("interval", "epochs_saved"),
    [("Step", 0), ("Epoch", 2)],
)
def test_a_scheduler_that_has_no_more_steps_is_told(interval: str, epochs_saved: int) -> None:
    scheduler = {"function": "torch.optim.lr_scheduler:OneCycleLR", "parameters": {"max_lr": 0.1, "total_steps": 1}}
    news = News()
    said = ended(news, recipe=recipe(scheduler={**scheduler, "interval": interval}))
    assert said.startswith(f"spec.recipe.scheduler: failed at a step of interval {interval}: ValueError: Tried to step")
    assert len(news.saved) == epochs_saved
    assert (interval == "Epoch") == any("the 2 epochs take 2" in notice for notice in news.notices)  # of unknown rows


@pytest.mark.parametrize(("steps", "an_epoch", "is_doubted"), [(6, 3, False), (5, 3, True), (5, None, False)])
def test_a_scheduler_of_too_few_steps_is_doubted_beforehand(steps: int, an_epoch: int | None, is_doubted: bool) -> None:
    scheduler = {"function": "torch.optim.lr_scheduler:OneCycleLR", "parameters": {"max_lr": 1, "total_steps": steps}}
    spec = run_of(recipe=recipe(scheduler={**scheduler, "interval": "Step"})).spec
    assert spec.recipe is not None
    schedule = Schedule(spec.recipe, torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))]))
    assert [said.endswith("the 2 epochs take 6") for said in schedule.doubts(an_epoch)] == [True] * is_doubted


@pytest.mark.parametrize(
    "error",
    [
        DataError("rows.parquet: a null"),
        NonFiniteLoss("step 3"),
        RuntimeError("[gloo] Connection closed by peer"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_what_is_no_mistake_of_a_hook_goes_through(error: Exception) -> None:
    step_failures.tell(error, "spec.recipe.loss", "in step 3", {})


def test_columns_that_have_no_range_are_told_by_their_kind() -> None:
    batch = {"none": torch.zeros(0, 4), "text": ["a"], "flags": torch.tensor([True, False]), "dead": torch.zeros(2)}
    batch["dead"].min = _fails  # type: ignore[attr-defined]
    assert (
        step_failures.columns(batch)
        == "none: float32 (0, 4), text: list(str), flags: bool (2,) from 0 to 1, dead: float32 (2,)"
    )


def _fails() -> None:
    raise RuntimeError("CUDA error: device-side assert triggered")
