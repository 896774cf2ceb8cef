"""A table of what is allowed in a recipe and seldom meant, and the sentence by which the dry run doubts it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from trial_samples import call, changed, linear, prices, table, tried

LOSS = "spec.recipe.loss"
BCE = call("torch.nn:BCEWithLogitsLoss")
MSE = call("torch.nn:MSELoss")
NLL = call("torch.nn:NLLLoss")
NAN = {**table(), "x": table()["x"].index_fill(0, torch.tensor([3]), float("nan"))}
PICTURES = {"x": torch.rand(32, 1, 4, 4), "y": torch.arange(32) % 2}

DOUBTED: dict[str, tuple[dict[str, torch.Tensor], dict[str, Any], str]] = {
    "rows sorted by class": (
        changed(table(), y=torch.zeros(32, dtype=torch.int64)),
        {},
        'target column "y" is the same in all 32 rows of the first batch: are the rows sorted by it?',
    ),
    "pictures that a model takes as they are": (
        {"x": torch.arange(512, dtype=torch.uint8).reshape(32, 4, 4), "y": torch.arange(32) % 2},
        {"model": call("Floating")},
        'input column "x" comes to the model as pictures of uint8, which no transform has normalised: add {function: ',
    ),
    "an empty input": (
        changed(table(), x=torch.zeros(32, 4)),
        {},
        'input column "x" is the same in all 32 rows of the first batch: is anything in it?',
    ),
    "pictures of 0 to 255": (
        changed(PICTURES, x=torch.arange(512.0).reshape(32, 1, 4, 4) % 256),
        {"model": call("picture_net")},
        'input column "x" holds whole numbers up to 255, as pictures do: is it meant to be scaled?',
    ),
    "prices in euros": (
        changed(prices(), y=1e5 * prices()["y"]),
        {"model": linear(1), "loss": MSE},
        'target column "y" runs from ',
    ),
    "a sum of one's own": (table(), {"loss": call("added_up")}, f"{LOSS}: looks like the sum over the rows ("),
    "softmax twice": (
        table(),
        {"model": call("with_softmax")},
        f"{LOSS}: cross_entropy applies softmax, but outputs are probabilities already",
    ),
    "sigmoid twice": (
        table(),
        {"model": call("with_sigmoid"), "loss": BCE},
        f"{LOSS}: binary_cross_entropy_with_logits applies a sigmoid, but all outputs lie between 0 and 1",
    ),
    "scores for logarithms": (
        table(),
        {"loss": NLL},
        f"{LOSS}: nll_loss wants logarithms of probabilities, but outputs are positive: use log_softmax",
    ),
    "several labels a row": (
        changed(table(), y=torch.ones(32, 2)),
        {},
        f"{LOSS}: cross_entropy takes targets (32, 2) as a probability for each class, but those of a row add up to 2",
    ),
    "a loss without a slope": (
        table(),
        {"loss": call("constant")},
        f"{LOSS}: every gradient of the first batch is zero: does the loss depend on the outputs?",
    ),
    "a squeeze too much": (
        prices(),
        {"model": call("Squeezing"), "loss": MSE},
        "a batch of one row fails, and an epoch's last batch may be one: mse_loss broadcasts them",
    ),
    "a bias alone": (table(), {"optimizer": call("of_bias")}, "spec.recipe.optimizer: does not hold weight, so"),
    "a rate for another optimizer": (
        table(),
        {"optimizer": call("torch.optim:Adam", lr=100.0)},
        "spec.recipe.optimizer: the first step makes the weights ",
    ),
    "metrics beside a step": (
        table(),
        {"trainStep": call("step"), "metrics": [call("is_right")]},
        "spec.recipe.metrics is not used: trainStep computes the loss and returns metrics",
    ),
    "a row that is no number, to be skipped": (
        NAN,
        {"onNonFiniteLoss": "Skip"},
        f'{LOSS}: the loss of the first batch is nan: column "x" is NaN or infinite in 1 of 32 rows',
    ),
}


@pytest.mark.parametrize("mistake", DOUBTED)
def test_a_doubt_is_a_notice(mistake: str) -> None:
    batch, fields, said = DOUBTED[mistake]
    notices = tried(batch, **fields).notices
    assert any(said in notice for notice in notices), notices


@pytest.mark.parametrize("fields", [{}, {"model": call("Normed")}, {"trainStep": call("step")}])
def test_what_is_right_is_neither_refused_nor_doubted(fields: dict[str, Any]) -> None:
    assert tried(table(), **fields).notices == ()
