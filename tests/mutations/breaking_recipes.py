"""Mistakes in the run's file and in the author's functions."""

from __future__ import annotations

from typing import Any

from facts import FACTS
from mutation import EVERY, Copy, Mutation, where

_BUILT_IN_STEP = tuple(name for name in EVERY if name != "contrastive")
_TORCH_LOSS = tuple(name for name in _BUILT_IN_STEP if name not in ("masks", "boxes"))
_CLASSES = ("imbalanced", "pictures", "table", "tokens", "two_inputs")
_ONE_OUTPUT = tuple(name for name in EVERY if name != "contrastive")
_OWN_MODEL = tuple(name for name in _CLASSES if name != "imbalanced")


def _misspell(copy: Copy, one: str, many: str) -> None:
    if one in copy.dataset:
        copy.dataset[one] += "_x"
    else:
        copy.dataset[many][0] += "_x"


def _set(copy: Copy, field: str, function: str, **parameters: Any) -> None:
    copy.recipe[field] = {"function": function, "parameters": parameters}


def _schedule(copy: Copy, function: str, interval: str, **parameters: Any) -> None:
    copy.recipe["scheduler"] = {
        "function": f"torch.optim.lr_scheduler:{function}",
        "parameters": parameters,
        "interval": interval,
    }


def _rate(copy: Copy, rate: float) -> None:
    copy.recipe["optimizer"]["parameters"]["lr"] = rate


def _loss_parameters(copy: Copy, **parameters: Any) -> None:
    copy.recipe["loss"].setdefault("parameters", {}).update(parameters)


def _one_by_one(copy: Copy) -> None:
    copy.recipe.update(globalBatchSize=1, epochs=1)


def _metric(copy: Copy, function: str) -> None:
    copy.recipe["metrics"] = [{"function": function}]


def _model_parameters(copy: Copy, **parameters: Any) -> None:
    copy.recipe["model"].setdefault("parameters", {}).update(parameters)


def _best(copy: Copy) -> None:
    copy.document["spec"]["storage"]["checkpoints"] = {"best": {"metric": "validation_accuracy_x"}}


def _stopping(copy: Copy) -> None:
    copy.recipe["earlyStopping"] = {"metric": "validation_accuracy_x", "patience": 2}


def _colour(copy: Copy) -> None:
    for part in ("train", "validation"):
        copy.dataset[part]["imageMode"] = "RGB"


MUTATIONS = [
    Mutation("an input column misspelt", lambda copy: _misspell(copy, "inputColumn", "inputColumns"), "inputColumn|_x"),
    Mutation(
        "the target column misspelt",
        lambda copy: _misspell(copy, "targetColumn", "targetColumns"),
        "targetColumn|_x",
        _BUILT_IN_STEP,
    ),
    Mutation(
        "a model that does not exist",
        lambda copy: copy.recipe["model"].update(function="torch.nn:Liner"),
        r"recipe\.model",
    ),
    Mutation(
        "a parameter that the model does not take",
        lambda copy: _model_parameters(copy, depth=3),
        r"recipe\.model",
    ),
    Mutation("pictures in colour for a model of grey ones", _colour, "model|channel", ("pictures",)),
    Mutation(
        "outputs in a dimension more",
        lambda copy: copy.around("model", "broken:WithExtraDimension"),
        "shape|loss",
        tuple(name for name in _ONE_OUTPUT if name not in ("imbalanced", "multi_label")),
    ),
    Mutation(
        "classes in the last dimension", lambda copy: copy.around("model", "broken:ClassesLast"), "loss", ("tagging",)
    ),
    Mutation(
        "a softmax before a loss that has one",
        lambda copy: copy.around("model", "broken:SoftmaxToo"),
        "softmax|loss",
        _OWN_MODEL,
        unknowable="scores between 0 and 1 are allowed; training is only slower",
    ),
    Mutation(
        "a model that returns a dict",
        lambda copy: copy.around("model", "broken:InADict"),
        "loss|dict",
        tuple(name for name in _ONE_OUTPUT if name not in ("imbalanced", "multi_label")),
    ),
    Mutation(
        "a model whose graph is cut",
        lambda copy: copy.around("model", "broken:Detached"),
        "grad|model|parameters",
        tuple(name for name in _ONE_OUTPUT if name not in ("imbalanced", "multi_label")),
    ),
    Mutation(
        "a model that fails in validation only",
        lambda copy: copy.around("model", "broken:FailsInValidation"),
        "validation",
        tuple(name for name in _ONE_OUTPUT if name not in ("imbalanced", "multi_label")),
    ),
    Mutation(
        "a model with fewer inputs than columns",
        lambda copy: copy.recipe.update(model={"function": "broken:OneInput"}),
        "input|model|forward",
        ("houses", "tokens", "two_inputs"),
    ),
    Mutation(
        "a model with too few outputs",
        lambda copy: copy.recipe["model"].update(parameters=FACTS[copy.example.name].narrow),
        "loss|model|class|{target}",
        where(narrow=True),
    ),
    Mutation(
        "a model for another number of inputs",
        lambda copy: _model_parameters(copy, in_features=7),
        "model|{input}",
        ("imbalanced", "multi_label"),
    ),
    Mutation("frozen parameters", lambda copy: copy.around("model", "broken:frozen"), "requires_grad|parameters|grad"),
    Mutation(
        "the optimizer of another model",
        lambda copy: _set(copy, "optimizer", "broken:of_another_model"),
        "optimizer|parameters",
    ),
    Mutation("a learning rate of 0", lambda copy: _rate(copy, 0.0), "lr|optimizer|learning rate|loss"),
    Mutation("a learning rate of 100", lambda copy: _rate(copy, 100.0), "lr|optimizer|learning rate|loss"),
    Mutation(
        "a scheduler for epochs at every step",
        lambda copy: _schedule(copy, "StepLR", "Step", step_size=1, gamma=0.1),
        "scheduler|learning rate",
    ),
    Mutation(
        "a scheduler of five steps",
        lambda copy: _schedule(copy, "OneCycleLR", "Step", max_lr=0.01, total_steps=5),
        "scheduler",
    ),
    Mutation(
        "a scheduler that wants a metric",
        lambda copy: _schedule(copy, "ReduceLROnPlateau", "Epoch", patience=2),
        "scheduler",
    ),
    Mutation(
        "a loss that is summed", lambda copy: _loss_parameters(copy, reduction="sum"), r"recipe\.loss|loss", _TORCH_LOSS
    ),
    Mutation(
        "a loss for each row",
        lambda copy: _loss_parameters(copy, reduction="none"),
        r"recipe\.loss|scalar|reduction",
        _TORCH_LOSS,
    ),
    Mutation(
        "a loss for numbers on classes",
        lambda copy: _set(copy, "loss", "torch.nn:MSELoss"),
        "loss|shape",
        (*_CLASSES, "tagging"),
    ),
    Mutation(
        "a loss for classes on numbers",
        lambda copy: _set(copy, "loss", "torch.nn:CrossEntropyLoss"),
        "loss",
        ("houses", "forecast", "multi_label", "masks"),
    ),
    Mutation(
        "weights for another number of classes",
        lambda copy: _loss_parameters(copy, weight=[1.0, 19.0, 1.0, 1.0]),
        "loss|weight",
        (*_CLASSES, "tagging"),
    ),
    Mutation(
        "accuracy of what are no classes",
        lambda copy: _metric(copy, "trainingrun_trainer.vision:accuracy"),
        "metric|accuracy",
        ("boxes", "forecast", "houses", "masks", "multi_label"),
    ),
    Mutation("a metric for each row", lambda copy: _metric(copy, "broken:by_row"), "metric|by_row", _BUILT_IN_STEP),
    Mutation("a best checkpoint by a metric that is not reported", _best, "best|metric"),
    Mutation("early stopping by a metric that is not reported", _stopping, "earlyStopping|metric"),
    Mutation("batches of one row", _one_by_one, "globalBatchSize|row|BatchNorm|loss"),
    Mutation(
        "a step that cuts the graph", lambda copy: _set(copy, "trainStep", "broken:detached_step"), "trainStep|grad"
    ),
    Mutation(
        "a step that returns a number", lambda copy: _set(copy, "trainStep", "broken:item_step"), "trainStep|float"
    ),
    Mutation(
        "a step that returns nothing", lambda copy: _set(copy, "trainStep", "broken:forgetful_step"), "trainStep|None"
    ),
    Mutation(
        "pictures that are not normalised",
        lambda copy: copy.recipe.update(transform={"function": "broken:not_normalised", "kind": "Batch"}),
        "{input}|loss",
        ("masks", "pictures", "two_inputs"),
    ),
    Mutation(
        "a transform that forgets the target",
        lambda copy: copy.recipe.update(
            transform={
                "function": "broken:forgets",
                "kind": "Batch",
                "parameters": {"column": copy.facts.target},
            }
        ),
        "{target}",
        tuple(name for name in _ONE_OUTPUT if name not in ("table", "boxes")),
    ),
    Mutation(
        "a collate hook whose tensors differ in rows",
        lambda copy: copy.recipe.update(
            collate={"function": "broken:cut_short", "parameters": {"function": "boxes:to_grid"}}
        ),
        "collate|rows|grid",
        ("boxes",),
    ),
]
