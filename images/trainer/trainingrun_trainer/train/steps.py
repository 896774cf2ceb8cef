"""One optimizer step: forward, backward, accumulation, clipping, precision; exact for any number of rows.

Ranks may have different numbers of rows in a step, or none. The gradient is always the mean over all rows of all
ranks, as if one machine had seen them together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.train.feed import Batch
from trainingrun_trainer.train.session import Session, Step
from trainingrun_trainer.transform_marks import runs_on_trainer

_AUTOCAST = {"BF16": torch.bfloat16, "FP16": torch.float16}
_BATCH_NORM = torch.nn.modules.batchnorm._BatchNorm


@dataclass
class Sums:
    """Running sums over rows, kept on the device so that no step waits for the GPU."""

    rows: int = 0
    values: dict[str, torch.Tensor] = field(default_factory=dict)

    def add(self, rows: int, **means: torch.Tensor) -> None:
        """Add means over `rows` rows."""
        self.rows += rows
        for name, mean in means.items():
            weighted = mean.detach().double() * rows
            self.values[name] = self.values[name] + weighted if name in self.values else weighted

    def means(self) -> dict[str, float]:
        """The means over all rows added so far; this waits for the device."""
        return {name: float(value) / self.rows for name, value in self.values.items()} if self.rows else {}


class Stepper:
    """Takes steps with a model. `step` returns True when the optimizer has moved."""

    def __init__(
        self,
        session: Session,
        recipe: Recipe,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Any, Any], torch.Tensor],
        metric: tuple[str, Callable[[Any, Any], torch.Tensor]],
    ):
        self._session = session
        self._recipe = recipe
        self.model = model
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler(
            session.device.type, enabled=autocast_type(recipe.mixed_precision, session.device.type) is torch.float16
        )
        self.sums = Sums()
        self._loss = loss
        self._metric = metric
        self._transform = trainer_transform(recipe)
        self._train_step = _train_step(recipe)
        self._norms = [module for module in model.modules() if isinstance(module, _BATCH_NORM)]
        self._nominal_rows = recipe.global_batch_size
        self._pending_rows = 0
        self._pending_steps = 0
        self._is_pending_synced = True

    def step(self, step: Step) -> bool:
        """Learn from one micro-batch; moves the optimizer when a whole batch has been gathered."""
        if self._pending_steps == 0:
            self.optimizer.zero_grad(set_to_none=True)
        is_last = self._pending_steps + 1 == self._recipe.gradient_accumulation_steps
        # Gradients meet while they are computed, and buffers before that, which needs all ranks to compute something.
        all_have_rows = step.total_rows >= self._session.world_size
        is_synced = is_last and all_have_rows
        if step.batch is not None:
            with self._gradient_sync(is_synced), self._normalisation(step.rows):
                loss = self._weighted_loss(self.model if all_have_rows else _bare(self.model), step.batch, step.rows)
                self.scaler.scale(loss).backward()
        self._is_pending_synced = is_synced
        self._pending_rows += step.total_rows
        self._pending_steps += 1
        return is_last and self.flush()

    def flush(self) -> bool:
        """Move the optimizer by what is gathered, if anything: the last batch of an epoch may be a short one."""
        if self._pending_steps == 0:
            return False
        if not self._is_pending_synced:
            self._sync_gradients()
        self.scaler.unscale_(self.optimizer)
        if self._pending_rows != self._nominal_rows:
            for parameter in self._parameters_with_gradients():
                parameter.grad.mul_(self._nominal_rows / self._pending_rows)
        if self._recipe.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._recipe.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._pending_rows = self._pending_steps = 0
        return True

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context for forward passes in the recipe's precision."""
        device = self._session.device.type
        dtype = autocast_type(self._recipe.mixed_precision, device)
        return torch.autocast(device, dtype=dtype) if dtype else contextlib.nullcontext()

    def prepare(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a batch, after the transform that runs on the trainer."""
        dataset = self._recipe.dataset
        batch = self._transform(batch)
        return batch[dataset.inputs[0]], batch[dataset.targets[0]]

    def evaluate(self, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss and metric, means over the rows."""
        name, metric = self._metric
        return {"loss": self._loss(outputs, targets), name: metric(outputs, targets)}

    def _weighted_loss(self, model: torch.nn.Module, batch: Batch, rows: int) -> torch.Tensor:
        """This rank's share of the loss: DDP takes the mean over ranks, so the sum over rows comes out."""
        with self.autocast():
            if self._train_step is not None:
                means = {"loss": self._train_step(model, self._transform(batch), self._session)}
            else:
                inputs, targets = self.prepare(batch)
                means = self.evaluate(model(inputs), targets)
        self.sums.add(rows, **means)
        share: torch.Tensor = means["loss"] * (rows * self._session.world_size / self._nominal_rows)
        return share

    def _gradient_sync(self, is_last: bool) -> contextlib.AbstractContextManager[Any]:
        if is_last or not isinstance(self.model, torch.nn.parallel.DistributedDataParallel):
            return contextlib.nullcontext()
        return self.model.no_sync()

    @contextlib.contextmanager
    def _normalisation(self, rows: int) -> Iterator[None]:
        """One row has no variance and no row no mean: batch norm then uses its running statistics."""
        if rows > 1:
            yield
            return
        changed = [norm for norm in self._norms if norm.training]
        for norm in changed:
            norm.eval()
        yield
        for norm in changed:
            norm.train()

    def _sync_gradients(self) -> None:
        if self._session.world_size > 1:
            for parameter in self.model.parameters():
                if not parameter.requires_grad:
                    continue
                if parameter.grad is None:  # no rows here: a part of zero
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad)
                parameter.grad.div_(self._session.world_size)

    def _parameters_with_gradients(self) -> list[Any]:
        return [parameter for parameter in self.model.parameters() if parameter.grad is not None]


def _bare(model: Any) -> Any:
    """The model within what compiles it and what exchanges its gradients."""
    inner = getattr(model, "_orig_mod", model)
    return inner.module if isinstance(inner, torch.nn.parallel.DistributedDataParallel) else inner


def autocast_type(precision: str | None, device: str) -> torch.dtype | None:
    """The number format of forward passes on a kind of device; None for float32.

    FP16 needs a gradient scaler, and that a GPU: a machine without one trains such a run in float32.
    """
    return None if precision == "FP16" and device != "cuda" else _AUTOCAST.get(precision or "")


def trainer_transform(recipe: Recipe) -> Callable[[Batch], Batch]:
    """The recipe's transform if it runs on the trainer, otherwise one that changes nothing."""
    function = hooks.load("spec.recipe.transform.function", recipe.transform.function, "transform (Batch)")
    if not runs_on_trainer(function):
        return lambda batch: batch
    parameters = dict(recipe.transform.parameters)
    hooks.check_parameters("spec.recipe.transform.parameters", function, 1, parameters)
    return lambda batch: function(batch, **parameters)


def _train_step(recipe: Recipe) -> Callable[..., torch.Tensor] | None:
    if recipe.train_step is None:
        return None
    function = hooks.load("spec.recipe.trainStep.function", recipe.train_step.function, "trainStep")
    parameters = dict(recipe.train_step.parameters)
    hooks.check_parameters("spec.recipe.trainStep.parameters", function, 3, parameters)
    return lambda model, batch, state: function(model, batch, state, **parameters)
