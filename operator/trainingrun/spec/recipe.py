"""What is trained, and how: the dataset, functions and settings of one training recipe.

It must say nothing about machines: groups.py does. What rows are is in dataset.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from trainingrun.errors import Problem
from trainingrun.spec.dataset import Dataset
from trainingrun.spec.function import Function
from trainingrun.spec.initial_checkpoint import InitialCheckpoint
from trainingrun.spec.model import Model, rules_error
from trainingrun.spec.storage import MetricName
from trainingrun.spec.transforms import Transform, Transforms


class Scheduler(Function):
    """A learning-rate scheduler, called with the optimizer and the parameters."""

    interval: Literal["Epoch", "Step"] = Field(default="Epoch", description="How often the scheduler steps.")


class MetricFunction(Function):
    """A metric to report, called with (outputs, targets); returns the mean over the rows."""

    name: MetricName | None = Field(
        default=None, description="Name in records and status, at most 128 characters; the function's if not given."
    )

    @property
    def resolved_name(self) -> str:
        """The name to report it under."""
        return self.name or self.function.rpartition(":")[2].rpartition(".")[2]


def _names_differ(metrics: tuple[MetricFunction, ...]) -> tuple[MetricFunction, ...]:
    names = [metric.resolved_name for metric in metrics]
    wrong = [index for index, name in enumerate(names) if name == "loss" or name in names[:index]]
    if wrong:
        raise rules_error(
            Problem(
                f"[{i}].name",
                "loss, which is always reported" if names[i] == "loss" else f"{names[i]} again",
                "another name for each metric",
            )
            for i in wrong
        )
    return metrics


Metrics = Annotated[tuple[MetricFunction, ...], Strict(False), Field(max_length=32), AfterValidator(_names_differ)]


class EarlyStopping(Model):
    """Ends training, successfully, when a metric has stopped getting better."""

    metric: MetricName = Field(
        description="Reported metric, at most 128 characters; validation_... needs a validation dataset."
    )
    mode: Literal["Max", "Min"] = Field(default="Max", description="Whether a larger or a smaller value is better.")
    patience: int = Field(ge=1, le=1_000_000, description="Epochs in a row without a better value, 1 to 1,000,000.")
    min_delta: float = Field(
        default=0.0, ge=0, le=1e9, description="By how much a value must be better to count, 0 to 1e9."
    )


def _call(function: str, **parameters: float) -> Function:
    return Function(function=function, parameters={**parameters})


class Recipe(Model):
    """Settings of the built-in training loop, in which every function can be replaced."""

    dataset: Dataset = Field(description="The rows to train on, and how they are fed.")
    transform: Transform = Field(
        default=Transform(function="trainingrun_trainer.vision:normalize", kind="Batch"),
        description="The one step of preprocessing: the list of one, written shorter.",
    )
    transforms: Transforms | None = Field(
        default=None,
        description=(
            "Steps of preprocessing in their order, at most 16, instead of transform: exactly these run, so that "
            "pictures need a step that normalises them. Steps on the data group come first."
        ),
    )
    collate: Function | None = Field(
        default=None, description="Turns an Arrow table into a batch of tensors, on the trainer."
    )
    model: Function = Field(
        default=_call("trainingrun_trainer.vision:resnet18"), description="Returns the torch module to train."
    )
    initial_checkpoint: InitialCheckpoint | None = Field(
        default=None, description="What a run without a checkpoint of its own starts from; the beginning if not given."
    )
    optimizer: Function = Field(
        default=_call("torch.optim:Adam", lr=0.001),
        description="Called with the model's parameters and these; returns a torch optimizer.",
    )
    scheduler: Scheduler | None = Field(default=None, description="Learning-rate scheduler; none if not given.")
    loss: Function = Field(
        default=_call("torch.nn:CrossEntropyLoss"),
        description="Returns a callable (outputs, targets) -> scalar loss.",
    )
    metric: MetricFunction | None = Field(default=None, description="One metric: the list of one, written shorter.")
    metrics: Metrics | None = Field(
        default=None,
        description=(
            "Functions (outputs, targets) -> mean over the rows, for training and validation, at most 32. If not "
            "given: accuracy where outputs are one score per class and targets are classes, otherwise none."
        ),
    )
    train_step: Function | None = Field(
        default=None,
        description="Computes the loss of a batch: function(model, batch, session) -> scalar, or a dict with `loss`.",
    )
    eval_step: Function | None = Field(
        default=None,
        description=(
            "Measures a batch of the validation data: function(model, batch, session) -> scalar loss, or a dict of "
            "means over the rows. trainStep, without gradients, if not given."
        ),
    )
    loop: Function | None = Field(default=None, description="Replaces the whole loop on each trainer process.")
    epochs: int = Field(default=10, ge=1, le=1_000_000, description="Passes over the training rows, 1 to 1,000,000.")
    global_batch_size: int = Field(
        default=512,
        ge=1,
        le=16_777_216,
        description=(
            "Rows per optimizer step over all trainer processes, 1 to 16,777,216; a multiple of "
            "trainer.numNodes x trainer.numProcPerNode x gradientAccumulationSteps."
        ),
    )
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=65_536, description="Backward passes per optimizer step, 1 to 65,536."
    )
    max_grad_norm: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="Clip the gradient's norm to this, above 0 to 1e9; no clipping if not given.",
    )
    mixed_precision: Literal["BF16", "FP16"] | None = Field(
        default=None,
        description="Number format of the forward pass; FP16 needs a GPU. Float32 if not given.",
    )
    on_non_finite_loss: Literal["Fail", "Skip"] = Field(
        default="Fail",
        description=(
            "What a loss that is NaN or infinite does: Fail ends the run, Skip leaves the step out and counts it."
        ),
    )
    early_stopping: EarlyStopping | None = Field(
        default=None, description="End training when a metric has stopped getting better; never if not given."
    )
    torch_compile: bool = Field(default=False, description="Whether the model goes through torch.compile.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Seed of every random generator, 0 to 4,294,967,295.")

    @property
    def steps(self) -> dict[str, Transform]:
        """The steps of preprocessing in their order, by their fields' paths within the recipe."""
        if self.transforms is None:
            return {"transform": self.transform}
        return {f"transforms[{place}]": step for place, step in enumerate(self.transforms)}

    @property
    def measured(self) -> dict[str, MetricFunction] | None:
        """The metrics to report, by their fields' paths within the recipe; None where the run names none."""
        if self.metric is not None:
            return {"metric": self.metric}
        if self.metrics is None:
            return None
        return {f"metrics[{place}]": metric for place, metric in enumerate(self.metrics)}

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse no targets where the built-in step would need them."""
        if not self.dataset.targets and self.train_step is None and self.loop is None:
            yield Problem("dataset.targetColumns", "an empty list", "1 column or more, or recipe.trainStep or loop")
        if "transform" in self.model_fields_set and self.transforms is not None:
            yield Problem("transform", "transform and transforms", "at most one of them")
        if self.metric is not None and self.metrics is not None:
            yield Problem("metric", "metric and metrics", "at most one of them")
        if self.metric is not None and self.metric.resolved_name == "loss":
            yield Problem("metric.name", "loss, which is always reported", "another name")
