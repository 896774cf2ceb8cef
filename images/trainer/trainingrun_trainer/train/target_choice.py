"""Finds, on the first batch, the form of targets that each loss and metric takes.

A form is chosen only where targets as they are raise an error or are broadcast, and another form is not: metrics that
compare classes made of outputs get the targets in the shape that the loss takes.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.failures.quitting import has_quit
from trainingrun_trainer.train.call_watch import Broadcast, CallWatch, Mistake, shape_of
from trainingrun_trainer.train.computation import LOSS, Computation
from trainingrun_trainer.train.mistakes import OtherRanksNeeded, refusal
from trainingrun_trainer.train.target_form import Decisions, TargetForm, possible_forms

_ROWS_TO_HALVE = 4


@dataclass
class Choice:
    """What was decided; `said` are the decisions in words and `doubts` sentences about calls that may be wrong."""

    decisions: Decisions
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def choose(computation: Computation, outputs: Any, targets: Any) -> Choice:
    """Try every function of `computation` on outputs and targets. Raises InvalidConfiguration naming both shapes."""
    choice = Choice(Decisions())
    for name in computation.functions:
        choice.decisions.forms[name] = form = _form(computation, name, outputs, targets, choice)
        if form.words:
            path = computation.functions[name].hook.path
            choice.said.append(
                f"{path} gets targets {shape_of(form.of(outputs, targets))}, {form.words}: in the batch they are "
                f"{shape_of(targets)}, and outputs are {shape_of(outputs)}"
            )
    computation.decide(choice.decisions)
    _check_mean(computation, outputs, targets, choice)
    form = choice.decisions.forms[LOSS]
    if computation.may_default and _has_accuracy(outputs, form.of(outputs, targets)):
        choice.decisions = Decisions({**choice.decisions.forms, "accuracy": form}, has_accuracy=True)
        computation.decide(choice.decisions)
    return choice


def _form(computation: Computation, name: str, outputs: Any, targets: Any, choice: Choice) -> TargetForm:
    hook = computation.functions[name].hook
    errors: list[Exception] = []
    taken: tuple[TargetForm, list[str]] | None = None
    for form in possible_forms(outputs, targets):
        computation.decide(Decisions({name: form}))
        watch = CallWatch(outputs, form.of(outputs, targets))
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                _try(computation, name, outputs, targets, watch)
        except (InvalidConfiguration, OtherRanksNeeded):
            raise
        except Exception as error:  # whatever the function makes of this form; the first is told if there is no other
            if has_quit(error):
                raise
            errors.append(error)
            if isinstance(error, Mistake) and not isinstance(error, Broadcast):
                break
            continue
        said = [f"{hook.path}: {notice}" for notice in (*watch.notices, *watch.outer)]
        said += [str(warning.message) for warning in caught]
        if taken is None or not watch.outer:
            taken = form, said
        if not watch.outer:
            break
    if taken is not None:
        choice.doubts += taken[1]
        return taken[0]
    if isinstance(errors[0], Mistake):
        raise InvalidConfiguration(f"{hook.path}: {errors[0]}") from errors[0]
    doing = f"on the first batch, called with outputs {shape_of(outputs)} and targets {shape_of(targets)}"
    raise refusal(hook.path, doing, errors[0]) from errors[0]


def _try(computation: Computation, name: str, outputs: Any, targets: Any, watch: CallWatch) -> None:
    """Call a function, and for a loss also its backward, whose types may differ where the forward's fit."""
    if name != LOSS or not isinstance(outputs, torch.Tensor) or not outputs.is_floating_point():
        with watch:
            computation.measure(name, outputs, targets)
        return
    leaf = outputs.detach().requires_grad_()
    with torch.enable_grad():
        with watch:
            value = computation.measure(name, leaf, targets)
        if value.requires_grad:
            torch.autograd.grad(value, leaf, allow_unused=True)


def _check_mean(computation: Computation, outputs: Any, targets: Any, choice: Choice) -> None:
    """Say where a loss or a metric adds up over rows: only of means can the mean over all ranks be made."""
    for name, function in computation.functions.items():
        hook = function.hook
        if function.setting not in (None, "mean", "batchmean"):
            raise InvalidConfiguration(
                f'{hook.path}.parameters.reduction: found "{function.setting}"; allowed: mean, since the mean over the '
                "rows of all trainers is made of the means of each"
            )
        parts = _halves(outputs, targets)
        if parts is None:
            continue
        # A short batch that fails is tried, and said, elsewhere.
        with torch.no_grad(), contextlib.suppress(Exception):
            whole = float(computation.measure(name, outputs, targets))
            first, second = (float(computation.measure(name, *part)) for part in parts)
            choice.doubts += _sum_doubts(hook.path, whole, first, second)


def _sum_doubts(path: str, whole: float, first: float, second: float) -> list[str]:
    total, mean = first + second, (first + second) / 2
    if abs(whole - total) > 1e-3 * abs(whole) or abs(whole - mean) <= 0.2 * abs(whole):
        return []
    return [
        f"{path}: looks like the sum over the rows ({whole:.4g} for all of the first batch, {first:.4g} and "
        f"{second:.4g} for its halves); expected: the mean over the rows"
    ]


def _halves(outputs: Any, targets: Any) -> list[tuple[Any, Any]] | None:
    if not isinstance(outputs, torch.Tensor) or outputs.ndim == 0 or len(outputs) < _ROWS_TO_HALVE:
        return None
    middle, rows = len(outputs) // 2, len(outputs)
    if rows % 2:
        return None
    return [(outputs[part], _part(targets, part, rows)) for part in (slice(0, middle), slice(middle, None))]


def _part(targets: Any, part: slice, rows: int) -> Any:
    if isinstance(targets, Mapping):
        return {name: _part(value, part, rows) for name, value in targets.items()}
    has_rows = isinstance(targets, torch.Tensor) and targets.ndim and len(targets) == rows
    return targets[part] if has_rows else targets


def _has_accuracy(outputs: Any, targets: Any) -> bool:
    """Whether outputs are one score per class, and targets are classes."""
    return (
        isinstance(outputs, torch.Tensor)
        and isinstance(targets, torch.Tensor)
        and outputs.is_floating_point()
        and not targets.is_floating_point()
        and outputs.ndim >= 2
        and outputs.shape[1] >= 2
        and targets.shape == (outputs.shape[0], *outputs.shape[2:])
    )
