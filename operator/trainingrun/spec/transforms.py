"""The steps of preprocessing: what each one calls, where it runs, and what a data worker needs for it.

It must say nothing about nodes: whether they have what a step asks for is in rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from trainingrun.errors import Problem
from trainingrun.spec.dataset import BatchFormat
from trainingrun.spec.function import Function
from trainingrun.spec.model import Model, rules_error
from trainingrun.spec.quantity import Quantity

MAX_STEPS = 16
_ONLY_ON_DATA = ("batch_format", "batch_size", "concurrency", "resources")
_ONLY_OF_CLASS = ("concurrency", "resources")
_ONLY_OF_BATCHES = ("batch_format", "batch_size")


class StepResources(Model):
    """What each data worker gets for a step; of several steps the most counts."""

    cpu: Quantity | None = Field(default=None, description="CPU cores; 1 if not given.")
    memory: Quantity | None = Field(default=None, description="Bytes of memory; no reservation if not given.")
    gpu: Quantity | None = Field(
        default=None,
        description="GPUs: a whole number, or a share below 1 for as many workers on one GPU; none if not given.",
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse amounts of nothing, and shares of several GPUs."""
        for name, amount in (("cpu", self.cpu), ("memory", self.memory), ("gpu", self.gpu)):
            if amount is not None and amount.value <= 0:
                yield Problem(name, str(amount), "more than 0")
        if self.gpu is not None and self.gpu.value > 1 and not self.gpu.is_whole:
            yield Problem("gpu", str(self.gpu), "a whole number, or a share below 1")


class Transform(Function):
    """A step of preprocessing: a function, or a class that is built once and called many times."""

    kind: Literal["Row", "Batch", "Class"] = Field(
        description=(
            "Row calls the function with one row, Batch with many at once, which is faster. Class is built once in "
            "each data worker, with the parameters, and its instance called with batches."
        )
    )
    # Not `on`, which YAML 1.1 and so kubectl read as true.
    run_on: Literal["Data", "Trainer"] | None = Field(
        default=None,
        description=(
            "Data: on the data group. Trainer: on the trainer, with whole batches of tensors on its device. If not "
            "given, Trainer for functions marked so, such as the default one, otherwise Data."
        ),
    )
    batch_format: BatchFormat | None = Field(
        default=None,
        description="Format of a batch on the data group; not with kind Row. The default is NumPy.",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description=(
            "Rows that one call on the data group gets, 1 to 1,000,000; not with kind Row. If not given, as many as "
            "keep what goes in and what comes out small."
        ),
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description=(
            "The most data workers, 1 to 10,000; only with kind Class. If not given, as many as there is room for."
        ),
    )
    resources: StepResources | None = Field(
        default=None, description="What each data worker gets; only with kind Class. 1 CPU core if not given."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Refuse settings that the kind or the place of the step has no use for."""
        if self.run_on == "Trainer" and self.kind == "Row":
            yield Problem("kind", "Row with runOn Trainer", "Batch or Class, as a trainer has whole batches")
        for name in (name for name in _ONLY_ON_DATA if getattr(self, name) is not None):
            alias = str(type(self).model_fields[name].alias)
            if name in _ONLY_OF_BATCHES and self.kind == "Row":
                yield Problem(alias, f"{alias} with kind Row", "only with kind Batch or Class")
            elif name in _ONLY_OF_CLASS and self.kind != "Class":
                yield Problem(alias, f"{alias} with kind {self.kind}", "only with kind Class")
            elif self.run_on == "Trainer":
                yield Problem(alias, f"{alias} with runOn Trainer", "only with runOn Data")

    @property
    def resolved_batch_format(self) -> BatchFormat:
        """The format of batches to use on the data group."""
        return self.batch_format or "NumPy"


def _data_comes_first(steps: tuple[Transform, ...]) -> tuple[Transform, ...]:
    places = [step.run_on for step in steps]
    wrong = [place for place, where in enumerate(places) if where == "Data" and "Trainer" in places[:place]]
    if wrong:
        raise rules_error(
            Problem(f"[{place}].runOn", "Data after a step on the Trainer", "Trainer, or a place before it")
            for place in wrong
        )
    return steps


Transforms = Annotated[
    tuple[Transform, ...], Strict(False), Field(max_length=MAX_STEPS), AfterValidator(_data_comes_first)
]
