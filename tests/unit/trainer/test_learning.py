"""What is said of a training that has learnt nothing, and of those that have."""

from __future__ import annotations

import math

import pytest
from run_samples import run_of

from trainingrun_trainer.train.learning import Learning


def learning(*, rates: tuple[float, ...] = (0.01,), untrained: float | None = 0.7, **recipe: object) -> Learning:
    dataset = {"train": {"format": "Parquet", "path": "/data/train"}}
    spec = run_of(recipe={"dataset": dataset, "globalBatchSize": 50, "epochs": 3, **recipe}).spec
    assert spec.recipe is not None
    seen = Learning(spec.recipe)
    seen.begin(rates)
    if untrained is not None:
        seen.untrained(untrained)
    return seen


def test_a_training_that_learns_is_not_spoken_of() -> None:
    seen = learning()
    for epoch, loss in enumerate((0.6, 0.4, 0.3)):
        assert (
            seen.after_epoch(
                epoch, steps=10, rows=500, rates=(0.01,), metrics={"loss": loss, "validation_loss": loss + 0.1}
            )
            == []
        )


def test_a_schedule_may_end_at_zero() -> None:
    seen = learning()
    assert [
        seen.after_epoch(epoch, steps=10, rows=500, rates=(rate,), metrics={"loss": 0.1})
        for epoch, rate in enumerate((0.007, 0.002, 0.0))
    ] == [
        [],
        [],
        [],
    ]


def test_a_warm_up_may_begin_at_zero() -> None:
    assert learning(rates=(0.0,)).after_epoch(0, steps=10, rows=500, rates=(0.01,), metrics={"loss": 0.1}) == []


def test_a_rate_that_dies_is_told_once_with_the_scheduler_s_interval() -> None:
    seen = learning(scheduler={"function": "torch.optim.lr_scheduler:StepLR", "interval": "Step"})
    (said,) = seen.after_epoch(0, steps=10, rows=500, rates=(1e-12,), metrics={"loss": 0.6})
    assert said.startswith("spec.recipe.scheduler: the learning rate has fallen from 0.01 to 1e-12 in 1 of 3 epochs")
    assert said.endswith("once per step")
    assert seen.after_epoch(1, steps=10, rows=500, rates=(1e-22,), metrics={"loss": 0.6}) == []


def test_one_group_that_learns_is_enough() -> None:
    assert (
        learning(rates=(0.01, 0.0)).after_epoch(
            0,
            steps=10,
            rows=500,
            rates=(
                0.01,
                0.0,
            ),
            metrics={"loss": 0.1},
        )
        == []
    )


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_rate_of_zero_is_told_after_the_first_epoch(epochs: int) -> None:
    seen = learning(rates=(0.0,), epochs=epochs)
    assert seen.after_epoch(0, steps=10, rows=500, rates=(0.0,), metrics={"loss": 0.6}) == [
        "spec.recipe.optimizer: the learning rate is 0, so that no weight changes"
    ]


@pytest.mark.parametrize("loss", [0.7, 0.695, 350.0, math.nan, math.inf])
def test_a_loss_that_is_not_below_that_of_the_untrained_model_is_told(loss: float) -> None:
    (said,) = learning().after_epoch(2, steps=10, rows=500, rates=(0.01,), metrics={"loss": loss})
    assert said.startswith("training loss: ") and "not below 0.7" in said


def test_validation_is_compared_on_its_own() -> None:
    (said,) = learning().after_epoch(
        2, steps=10, rows=500, rates=(0.01,), metrics={"loss": 0.001, "validation_loss": 4.2}
    )
    assert said.startswith("validation loss: 4.2 after the last epoch is not below 0.7")


def test_a_loss_below_zero_may_fall_further() -> None:
    assert learning(untrained=-1.0).after_epoch(2, steps=10, rows=500, rates=(0.01,), metrics={"loss": -3.0}) == []
    assert len(learning(untrained=-1.0).after_epoch(2, steps=10, rows=500, rates=(0.01,), metrics={"loss": -0.5})) == 1


def test_losses_are_judged_at_the_end_only() -> None:
    assert learning().after_epoch(1, steps=10, rows=500, rates=(0.01,), metrics={"loss": 9.0}) == []


@pytest.mark.parametrize("untrained", [None, math.nan])
def test_losses_are_not_judged_without_a_first_one(untrained: float | None) -> None:
    """A run that goes on from a checkpoint has none: its first batch finds a model that has learnt."""
    seen = learning(untrained=untrained)
    assert seen.after_epoch(2, steps=10, rows=500, rates=(0.01,), metrics={"loss": 9.0}) == []


def test_a_batch_that_is_larger_than_the_data_is_told_once() -> None:
    seen = learning()
    (said,) = seen.after_epoch(0, steps=1, rows=1, rates=(0.01,), metrics={"loss": 0.5})
    assert said.startswith("spec.recipe.globalBatchSize: 50 is more than the 1 rows of an epoch")
    assert seen.after_epoch(1, steps=1, rows=1, rates=(0.01,), metrics={"loss": 0.5}) == []


def test_the_rest_of_an_epoch_is_no_small_epoch() -> None:
    assert learning().after_epoch(0, steps=10, rows=30, rates=(0.01,), metrics={"loss": 0.5}) == []
