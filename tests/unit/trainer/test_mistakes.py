"""A table of what people get wrong in a recipe, and the sentence by which the dry run says it on the first batch."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from trial_samples import call, changed, linear, prices, table, tried

from trainingrun_trainer.failures.errors import InvalidConfiguration

LOSS = "spec.recipe.loss"
BCE = call("torch.nn:BCEWithLogitsLoss")
MSE = call("torch.nn:MSELoss")
WORDS = {"x": torch.arange(128).reshape(32, 4) % 10, "y": torch.arange(32) % 2}
NAN = {**table(), "x": table()["x"].index_fill(0, torch.tensor([3]), float("nan"))}
PICTURES = {"x": torch.rand(32, 1, 4, 4), "y": torch.arange(32) % 2}


RAW = {"x": torch.arange(512, dtype=torch.uint8).reshape(32, 4, 4), "y": torch.arange(32) % 2}
NORMALIZED = '{function: "trainingrun_trainer.vision:normalize", kind: Batch} at the end of spec.recipe.transforms)'

REFUSED: dict[str, tuple[dict[str, torch.Tensor], dict[str, Any], str]] = {
    "pictures that nothing has normalised": (RAW, {"model": call("trainingrun_trainer.vision:resnet18")}, NORMALIZED),
    "classes count from 1": (
        changed(table(), y=1 + table()["y"]),
        {},
        f"{LOSS}: the targets' classes run from 1 to 2 (do classes count from 1?), but outputs (32, 2) have scores for "
        "the classes 0 to 1; change the number of outputs, or the classes",
    ),
    "more classes than outputs": (
        table(5),
        {},
        f"{LOSS}: the targets' classes run from 0 to 4, but outputs (32, 2) have",
    ),
    "a negative class": (changed(table(), y=table()["y"] - 1), {}, "classes run from -1 to 0, but outputs (32, 2)"),
    "floating classes": (
        prices(),
        {},
        f"{LOSS}: failed on the first batch, called with outputs float32 (32, 2) and targets float32 (32,): "
        "RuntimeError: expected target dtype to be Long or Byte, but got Float (this loss wants whole numbers that",
    ),
    "one score for classes": (table(), {"model": linear(1)}, f"{LOSS}: cross_entropy of one score a row is 0 whatever"),
    "too many targets": (
        changed(table(), y=torch.rand(32, 3)),
        {"loss": MSE},
        f"{LOSS}: failed on the first batch, called with outputs float32 (32, 2) and targets float32 (32, 3): ",
    ),
    "targets for each of the outputs": (
        changed(table(), y=torch.rand(32, 1)),
        {"loss": MSE},
        f"{LOSS}: mse_loss broadcasts them against each other to (32, 2): outputs float32 (32, 2), targets float32 "
        "(32, 1); allowed: targets of the outputs' shape",
    ),
    "as many rows as outputs": (
        changed(table(rows=2), y=torch.rand(2)),
        {"loss": MSE},
        f"{LOSS}: mse_loss broadcasts them against each other to (2, 2): outputs float32 (2, 2), targets float32 (2,)",
    ),
    "classes for a share": (
        table(3),
        {"model": linear(1), "loss": BCE},
        f"{LOSS}: binary_cross_entropy_with_logits wants targets from 0 to 1; found 0 to 2",
    ),
    "scores for probabilities": (
        table(),
        {"model": linear(1), "loss": call("torch.nn:BCELoss")},
        f"{LOSS}: binary_cross_entropy wants probabilities from 0 to 1, but outputs run from ",
    ),
    "a sum": (
        table(),
        {"loss": call("torch.nn:CrossEntropyLoss", reduction="sum")},
        f'{LOSS}.parameters.reduction: found "sum"; allowed: mean, since the mean over the rows of all trainers',
    ),
    "no reduction": (
        table(),
        {"loss": call("torch.nn:CrossEntropyLoss", reduction="none")},
        f'{LOSS}.function: "torch.nn:CrossEntropyLoss" returned a float32 tensor of shape (32,) as loss; allowed: one',
    ),
    "a loss that fails": (
        table(),
        {"loss": call("fails")},
        r"outputs float32 (32, 2) and targets int64 (32,): KeyError: 'my own mistake'",
    ),
    "a metric that fails": (
        table(),
        {"metrics": [call("minus")]},
        "spec.recipe.metrics[0]: failed on the first batch, called with outputs float32 (32, 2) and targets int64 (32",
    ),
    "a layer too wide": (
        changed(table(), x=torch.rand(32, 5)),
        {},
        "spec.recipe.model: failed on the first batch, called with {x: float32 (32, 5)}: RuntimeError: ",
    ),
    "pictures of other channels": (
        changed(PICTURES, x=torch.rand(32, 3, 4, 4)),
        {"model": call("torch.nn:Conv2d", in_channels=1, out_channels=2, kernel_size=4)},
        "(the model's in_channels, or normalize's channels, must fit)",
    ),
    "pictures as they are stored": (
        changed(PICTURES, x=torch.ones(32, 1, 4, 4, dtype=torch.uint8)),
        {"model": call("torch.nn:Conv2d", in_channels=1, out_channels=2, kernel_size=4)},
        "called with {x: uint8 (32, 1, 4, 4)}: RuntimeError: ",
    ),
    "words that became floating": (
        changed(WORDS, x=WORDS["x"].float()),
        {"model": call("OfText")},
        "(an embedding wants int64 or int32: the column must be stored so, or be cast in a",
    ),
    "a word beyond the vocabulary": (
        WORDS,
        {"model": call("OfText", rows=9)},
        "Mistake: ids run from 0 to 9, but the embedding has 9 rows, from 0 on",
    ),
    "an input too few": (
        table(),
        {"model": call("TwoInputs")},
        "missing 1 required positional argument: 'mask' (list every column that goes in in spec.recipe.",
    ),
    "an input too many": (table(), {"inputs": ("x", "y")}, "(spec.recipe.dataset.inputColumns lists too many columns)"),
    "an input that is not there": (table(), {"inputs": ("z",)}, 'inputColumns: the batch has no "z"; it has x, y'),
    "outputs cut off": (
        prices(),
        {"model": call("Cut"), "loss": MSE},
        f"{LOSS}: the loss has no gradient: the model's outputs are cut off from it, as by detach(), item(), ",
    ),
    "a step cut off": (
        table(),
        {"trainStep": call("returned", what="detached")},
        "spec.recipe.trainStep: the loss has no gradient",
    ),
    "everything frozen": (
        prices(),
        {"model": call("Frozen"), "loss": MSE},
        "spec.recipe.model: every parameter is frozen (requires_grad is False) or there is none",
    ),
    "an optimizer of something else": (
        table(),
        {"optimizer": call("of_others")},
        'spec.recipe.optimizer.function: "trial_functions:of_others" returned an optimizer of 1 parameters, none of '
        "which is the model's",
    ),
    "an optimizer of what is not used": (
        prices(),
        {"loss": call("OfItself"), "model": linear(1), "optimizer": call("of_model_alone")},
        "no parameter that the optimizer holds gets a gradient from the loss, so nothing would be trained",
    ),
    "an optimizer with a closure": (
        table(),
        {"optimizer": call("torch.optim:LBFGS")},
        "spec.recipe.optimizer: failed at its first step: ",
    ),
    "a loss that is no number": (
        table(),
        {"loss": call("not_a_number")},
        f"{LOSS}: the loss of the first batch is nan: although inputs and targets are finite; allowed: finite numbers.",
    ),
    "a row that is no number": (
        NAN,
        {},
        f'{LOSS}: the loss of the first batch is nan: column "x" is NaN or infinite in 1 of 32 rows; allowed: finite',
    ),
    "a state that cannot be saved": (
        table(),
        {"scheduler": call("lambda_in_state")},
        "spec.recipe.scheduler: failed when its state is saved: ",
    ),
    "a state that cannot be loaded": (
        table(),
        {"model": call("CannotBeLoaded")},
        "spec.recipe.model: failed when its saved state is loaded: RuntimeError: Error(s) in loading state_dict",
    ),
    "a validation step that fails": (
        table(),
        {"evalStep": call("eval_step_of_missing")},
        "spec.recipe.evalStep: failed in validation on the first batch, called with {x: float32 (32, 4), y: int64 "
        "(32,)}: KeyError: 'nothing'",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_refused_by_name(mistake: str) -> None:
    batch, fields, said = REFUSED[mistake]
    with pytest.raises(InvalidConfiguration) as caught:
        tried(batch, **fields)
    assert said in str(caught.value)


def test_the_lines_of_the_author_are_shown_and_not_those_of_torch() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        tried(table(), loss=call("fails"))
    files = re.findall(r'File "[^"]*/(\w+)\.py"', str(caught.value))
    assert files == ["trial_losses"]
    with pytest.raises(InvalidConfiguration) as caught:
        tried(table(5))
    assert "\n" not in str(caught.value)
