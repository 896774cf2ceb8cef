"""A loss or gradient that is no number ends the run before it is saved, or costs its step and is counted."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import offline
import offline_parts
import pytest
import torch
from offline_parts import News, Plan, evenly, recipe

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import DataError, NonFiniteLoss
from trainingrun_trainer.train import finiteness
from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.epoch_sums import Tally
from trainingrun_trainer.train.teller import refuse_nothing_learnt

STEPS = evenly(offline_parts.ROWS, 8)
BAD_STEP = 2


def spoilt(row: int = 9) -> dict[str, torch.Tensor]:
    """A row of the second step is not a number."""
    rows = offline_parts.rows()
    rows["image"][row, 0] = math.nan
    return rows


def plan(action: str, data: dict[str, torch.Tensor] | None = None, **changes: Any) -> Plan:
    checkpoints = {"everySteps": 1}
    return Plan(recipe(onNonFiniteLoss=action, **changes), STEPS, checkpoints, data=data or spoilt())


def test_fail_names_the_step_and_keeps_the_checkpoint_before_it() -> None:
    news = News()
    with pytest.raises(NonFiniteLoss, match=rf"the loss is NaN or infinite in step {BAD_STEP} \(epoch 0") as raised:
        offline.train(plan("Fail"), news)
    assert [saved.position.step for saved in news.saved] == [1]
    assert failure_of(raised.value).exit is Exit.USER_ERROR


def test_a_finite_loss_with_a_gradient_that_is_none_is_one_too() -> None:
    news = News()
    with pytest.raises(NonFiniteLoss, match="the gradient is NaN or infinite in step 1"):
        offline.train(plan("Fail", offline_parts.rows(), loss={"function": "offline_hooks:root_of_zero"}), news)
    assert news.saved == []


@pytest.mark.parametrize("accumulation", [1, 2])
def test_skip_trains_as_if_the_step_were_not_there(accumulation: int) -> None:
    halves = [[half] for (rows,) in STEPS for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]
    turns = STEPS if accumulation == 1 else halves
    settings = {"onNonFiniteLoss": "Skip", "gradientAccumulationSteps": accumulation}
    skipping = Plan(recipe(**settings), turns, data=spoilt())
    news = offline.train(skipping)
    without = [turn for turn in turns if not {8, 9, 10, 11, 12, 13, 14, 15} & {*turn[0]}]
    expected = offline.train(Plan(recipe(**settings), without, data=spoilt()))
    for name, value in offline_parts.loaded(expected.saved[-1])["model"].items():
        assert torch.equal(offline_parts.loaded(news.saved[-1])["model"][name], value)
    for one, other in zip(news.epochs, expected.epochs, strict=True):
        assert one["metrics"] == pytest.approx(other["metrics"] | {"nonFiniteSteps": 1.0})
        assert one["step"] == other["step"]
    assert any(f"step {BAD_STEP} (epoch 0) was left out" in notice for notice in news.notices)
    assert any("epoch 1: 1 steps of 3" in notice for notice in news.notices)


def test_the_count_survives_a_restart() -> None:
    news = offline.train(plan("Skip"))
    resumed = offline.train(plan("Skip"), start=next(saved for saved in news.saved if saved.position.step == 2))
    assert [epoch["metrics"]["nonFiniteSteps"] for epoch in resumed.epochs] == [1.0, 1.0]


def test_an_epoch_of_which_every_step_is_left_out_ends_the_run() -> None:
    rows = offline_parts.rows()
    rows["image"][:] = math.nan
    with pytest.raises(NonFiniteLoss, match="every step of epoch 0 was left out"):
        offline.train(plan("Skip", rows))


def test_an_epoch_without_rows_ends_the_run_unless_a_scaler_has_left_them_out() -> None:
    with pytest.raises(DataError, match="not one row came to the trainers in epoch 3"):
        refuse_nothing_learnt(Position(epoch=3), Tally())
    refuse_nothing_learnt(Position(epoch=3), Tally(overflowed=2))
    refuse_nothing_learnt(Position(epoch=3, epoch_step=1), Tally())


@pytest.mark.parametrize("action", ["Fail", "Skip"])
def test_all_ranks_agree_on_what_one_has_seen(action: str) -> None:
    turns = [[turn[0][:4], turn[0][4:]] for turn in STEPS]
    settings = recipe(onNonFiniteLoss=action, globalBatchSize=8)
    one, other = offline.ranks(2, Plan(settings, turns, data=spoilt(13)))
    if action == "Fail":
        assert "NonFiniteLoss: the loss" in one.error and "NonFiniteLoss: the loss" in other.error
        return
    assert not one.error, one.error
    for name, value in one.weights.items():
        assert torch.equal(value, other.weights[name]) and bool(torch.isfinite(value).all())
    assert one.news.epochs[0]["metrics"]["nonFiniteSteps"] == 1.0


def test_flags_on_their_way_from_a_device_are_not_waited_for_but_before_a_checkpoint() -> None:
    arrival = SimpleNamespace(query=lambda: False, synchronize=lambda: None)
    watch = finiteness.Finiteness("Fail", torch.device("cpu"), 1)
    watch._verdicts.append(finiteness._Verdict(torch.tensor([1.0, 0.0]), arrival, 7, 2))
    watch.settle(wait=False)
    assert not watch.is_left_out(torch.ones(()), step=8, epoch=2)
    with pytest.raises(NonFiniteLoss, match=r"step 7 \(epoch 2"):
        watch.settle()
