"""Trains one real batch for a step of which nothing remains, so that a mistake is said by name before the first step.

Everything that a run will do later is done here once: forward, loss, metrics, backward, optimizer, scheduler,
validation, state dicts. It runs on one rank alone, and so must not wait for others.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from trainingrun_trainer import explanation
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.failures.quitting import has_quit
from trainingrun_trainer.train import batch_oddities, gradient_check, list_parameters, state_check
from trainingrun_trainer.train.call_watch import CallWatch, Mistake, shape_of
from trainingrun_trainer.train.computation import LOSS
from trainingrun_trainer.train.mistakes import OtherRanksNeeded, told
from trainingrun_trainer.train.recipe_objects import RecipeObjects, step_scheduler
from trainingrun_trainer.train.steps import autocast_type
from trainingrun_trainer.train.target_choice import choose
from trainingrun_trainer.train.target_form import Decisions
from trainingrun_trainer.train.trial_copies import trial

_BATCH_NORM = torch.nn.modules.batchnorm._BatchNorm


@dataclass
class Findings:
    """What the first batch has shown; it travels from the rank that has tried it to the others.

    `said` are the decisions in words, `doubts` sentences about what is allowed and seldom meant. `model_gets` and
    `loss_gets` are types and shapes by name. `metrics` are the names that training reports, among them `loss`, and
    `validation_metrics` those of validation, without their prefix; none where it was not tried. `inputs` are the shape
    of a row and the type of what input columns the batch has, by name.
    """

    decisions: Decisions = field(default_factory=Decisions)
    said: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    unused_parameters: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    validation_metrics: tuple[str, ...] = ()
    model_gets: dict[str, str] = field(default_factory=dict)
    loss_gets: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, tuple[list[int], str]] = field(default_factory=dict)

    @property
    def notices(self) -> tuple[str, ...]:
        """All that the run's author should know."""
        return (*self.said, *self.doubts)

    @property
    def sentence(self) -> str:
        """What the model and the loss get, for the run's record."""
        return explanation.sentence(self.model_gets, self.loss_gets, self.metrics)


def dry_run(objects: RecipeObjects, batch: Mapping[str, Any], *, has_validation: bool, session: Any) -> Findings:
    """Try the recipe on `batch`, as it is after the transform. Raises InvalidConfiguration.

    `session` is what trainStep and evalStep get; of it `world_size` is looked at. Every rank must
    give the findings' decisions to its Computation.
    """
    findings = Findings()
    with warnings.catch_warnings(record=True) as caught, trial(objects, world_size=session.world_size) as tried:
        warnings.simplefilter("always")
        work = _DryRun(tried, batch, session, findings)
        try:
            work.run(has_validation=has_validation)
        except OtherRanksNeeded as needed:
            work.doubts.append(f"a hook exchanges values between trainers ({needed}), so not all was tried beforehand")
    warned = (str(warning.message) for warning in caught)
    findings.doubts = tuple(dict.fromkeys([*work.doubts, *warned]))
    return findings


class _DryRun:
    def __init__(self, tried: RecipeObjects, batch: Mapping[str, Any], session: Any, findings: Findings):
        self.doubts: list[str] = []
        self._tried = tried
        self._computation = tried.computation
        self._recipe = tried.recipe
        self._batch = batch
        self._session = session
        self._findings = findings
        step = self._computation.train_step
        self._loss_path = "spec.recipe.loss" if step is None else step.path
        self._means: dict[str, torch.Tensor] = {}
        self._rows = next((len(v) for v in batch.values() if isinstance(v, torch.Tensor) and v.ndim), 1)

    def run(self, *, has_validation: bool) -> None:
        """All that training does with a batch, in its order."""
        dataset = self._recipe.dataset
        tensors = {name: self._batch.get(name) for name in dataset.inputs}
        self._findings.inputs = {
            name: (list(value.shape[1:]), str(value.dtype).removeprefix("torch."))
            for name, value in tensors.items()
            if isinstance(value, torch.Tensor) and value.ndim
        }
        self.doubts += batch_oddities.oddities(self._batch, dataset.inputs, dataset.targets)
        self.doubts += gradient_check.check_optimizer(self._tried)
        self._tried.model.train()
        if self._rows == 1:
            self._freeze_norms()
        with self._autocast():
            self._means = self._forward() if self._computation.train_step is None else self._train_step()
        self._findings.metrics = tuple(self._means)
        self._check_finite((*dataset.inputs, *dataset.targets))
        self._backward()
        if has_validation:
            self._evaluate()
        self._step_scheduler()
        state_check.check(self._tried)
        self._try_one_row()

    def _forward(self) -> dict[str, torch.Tensor]:
        inputs = {name: self._batch[name] for name in self._recipe.dataset.inputs if name in self._batch}
        self._findings.model_gets = {name: shape_of(value) for name, value in inputs.items()}
        raw = batch_oddities.raw_pictures(inputs, tuple(inputs))
        doing = f"on the first batch, called with {shape_of(inputs)}"
        with self._watched("spec.recipe.model", doing, "; ".join(raw) or None):
            outputs = self._computation.outputs(self._tried.model, self._batch)
        self.doubts += raw
        targets = self._computation.targets(self._batch)
        choice = choose(self._computation, outputs, targets)
        self._findings.decisions = choice.decisions
        lists = [
            said for f in self._computation.functions.values() for said in list_parameters.changes(f.named, f.hook)
        ]
        self._findings.said = (*lists, *choice.said)
        self.doubts += choice.doubts
        got = choice.decisions.forms[LOSS].of(outputs, targets)
        named = got if isinstance(got, dict) else {self._recipe.dataset.targets[0]: got}
        self._findings.loss_gets = {name: shape_of(value) for name, value in {"outputs": outputs, **named}.items()}
        return self._computation.measured(outputs, targets)

    def _train_step(self) -> dict[str, torch.Tensor]:
        for name in ("loss", "metrics"):
            if name in self._recipe.model_fields_set:
                self.doubts.append(f"spec.recipe.{name} is not used: trainStep computes the loss and returns metrics")
        batch = dict(self._batch)
        self._findings.model_gets = {str(name): shape_of(value) for name, value in batch.items()}
        with self._watched(self._loss_path, f"on the first batch, called with {shape_of(batch)}"):
            return self._computation.training(self._tried.model, batch, self._session)

    def _check_finite(self, columns: tuple[str, ...]) -> None:
        causes = batch_oddities.not_finite(self._batch, columns)
        if bool(torch.isfinite(self._means[LOSS])):
            self.doubts += causes
            return
        why = "; ".join(causes) or "although inputs and targets are finite"
        said = f"{self._loss_path}: the loss of the first batch is {float(self._means[LOSS])}: {why}"
        if self._recipe.on_non_finite_loss == "Fail":
            raise InvalidConfiguration(
                f"{said}; allowed: finite numbers. Leave such rows out or fill them in a transform, or set "
                "spec.recipe.onNonFiniteLoss: Skip"
            )
        self.doubts.append(said)

    def _backward(self) -> None:
        loss = self._means[LOSS]
        gradient_check.check_attached(loss, self._tried, self._loss_path)
        self._tried.optimizer.zero_grad(set_to_none=True)
        with told(self._loss_path, "in the backward pass of the first batch"):
            loss.backward()
        self._findings.unused_parameters, doubts = gradient_check.check(self._tried, self._loss_path)
        self.doubts += doubts
        before = gradient_check.weights_norm(self._tried)
        with told("spec.recipe.optimizer", "at its first step"):
            self._tried.optimizer.step()
        self.doubts += gradient_check.check_step(before, self._tried)

    def _evaluate(self) -> None:
        step = self._computation.eval_step or self._computation.train_step
        path = step.path if step is not None else "spec.recipe.model"
        self._tried.model.eval()
        with (
            torch.no_grad(),
            self._autocast(),
            self._watched(path, f"in validation on the first batch, called with {shape_of(dict(self._batch))}"),
        ):
            means = self._computation.evaluation(self._tried.model, self._batch, self._session)
        self._findings.validation_metrics = tuple(means)
        self._tried.model.train()

    def _step_scheduler(self) -> None:
        if self._tried.scheduler is None:
            return
        loss = float(self._means[LOSS].detach())
        with warnings.catch_warnings(), told("spec.recipe.scheduler", f"at its first step, with a loss of {loss:g}"):
            warnings.simplefilter("ignore")  # copies have lost the marks by which torch knows the order of steps
            step_scheduler(self._tried.scheduler, {"loss": loss})

    def _try_one_row(self) -> None:
        """The last batch of an epoch may be of one row, where a squeeze too much takes the rows' dimension away."""
        self._freeze_norms()
        one = {name: value[:1] if _has_rows(value, self._rows) else value for name, value in self._batch.items()}
        try:
            with torch.no_grad(), self._autocast():
                self._measure_one_row(one)
        except OtherRanksNeeded:
            raise
        except Exception as error:
            if has_quit(error):
                raise
            said = str(error) if isinstance(error, Mistake) else f"{type(error).__name__}: {error}"
            self.doubts.append(f"a batch of one row fails, and an epoch's last batch may be one: {said}")

    def _freeze_norms(self) -> None:
        """One row may be one value per channel, of which training learns no statistics either."""
        for module in self._tried.model.modules():
            if isinstance(module, _BATCH_NORM):
                module.eval()

    def _measure_one_row(self, batch: dict[str, Any]) -> None:
        if self._computation.train_step is not None:
            self._computation.training(self._tried.model, batch, self._session)
            return
        outputs, targets = self._computation.outputs(self._tried.model, batch), self._computation.targets(batch)
        with CallWatch(outputs, self._findings.decisions.forms[LOSS].of(outputs, targets)):
            self._computation.measured(outputs, targets)

    @contextlib.contextmanager
    def _watched(self, path: str, doing: str, advice: str | None = None) -> Any:
        watch = CallWatch()
        with told(path, doing, advice), watch:
            yield
        self.doubts += [f"{path}: {said}" for said in watch.notices]

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        device = self._computation.device.type
        dtype = autocast_type(self._recipe.mixed_precision, device)
        return torch.autocast(device, dtype=dtype) if dtype else contextlib.nullcontext()


def _has_rows(value: Any, rows: int) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == rows
