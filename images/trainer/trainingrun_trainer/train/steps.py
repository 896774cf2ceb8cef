"""One optimizer step: forward, backward, accumulation, clipping, precision; exact for any number of rows.

Ranks may have different numbers of rows in a step, or none. The gradient is always the mean over all rows of all
ranks, as if one machine had seen them together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.recipe_objects import trainer_transform
from trainingrun_trainer.train.session import Session, Step

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
        computation: Computation,
    ):
        self._session = session
        self._recipe = recipe
        self.model = model
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler(
            session.device.type, enabled=autocast_type(recipe.mixed_precision, session.device.type) is torch.float16
        )
        self.sums = Sums()
        self._computation = computation
        self.transform = trainer_transform(recipe, training=True)
        self._norms = [module for module in model.modules() if isinstance(module, _BATCH_NORM)]
        self._nominal_rows = session.batch_rows * session.world_size * recipe.gradient_accumulation_steps
        self._pending_rows = 0
        self._pending_steps = 0
        self._is_pending_synced = True

    def step(self, step: Step) -> bool:
        """Learn from one micro-batch; moves the optimizer when a whole batch has been gathered."""
        if self._pending_steps == 0:
            self.optimizer.zero_grad(set_to_none=True)
        is_last = self._pending_steps + 1 == self._recipe.gradient_accumulation_steps
        with self._gradient_sync(is_last), self._normalisation(step.rows):
            loss = self._weighted_loss(step)
            self.scaler.scale(loss).backward()
        self._is_pending_synced = is_last
        self._pending_rows += step.total_rows
        self._pending_steps += 1
        return is_last and self.flush()

    def flush(self) -> bool:
        """Move the optimizer by what is gathered, if anything: the last batch of an epoch may be a short one."""
        if self._pending_steps == 0:
            return False
        self.scaler.unscale_(self.optimizer)
        if not self._is_pending_synced:
            self._sync_gradients()
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

    def _weighted_loss(self, step: Step) -> torch.Tensor:
        """This rank's share of the loss: DDP takes the mean over ranks, so the sum over rows comes out."""
        if step.batch is None:
            # No rows here, but the others' gradients need this rank's part in the exchange: a part of zero.
            with self.autocast():
                return _sum(self._computation.outputs(self.model, self.transform(self._session.template()))) * 0.0
        with self.autocast():
            means = self._computation.training(self.model, step.batch, self._session)
        self.sums.add(step.rows, **means)
        share: torch.Tensor = means["loss"] * (step.rows * self._session.world_size / self._nominal_rows)
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
            for parameter in self._parameters_with_gradients():
                dist.all_reduce(parameter.grad)
                parameter.grad.div_(self._session.world_size)

    def _parameters_with_gradients(self) -> list[Any]:
        return [parameter for parameter in self.model.parameters() if parameter.grad is not None]


def autocast_type(precision: str | None, device: str) -> torch.dtype | None:
    """The number format of forward passes on a kind of device; None for float32.

    FP16 needs a gradient scaler, and that a GPU: a machine without one trains such a run in float32.
    """
    return None if precision == "FP16" and device != "cuda" else _AUTOCAST.get(precision or "")


def _sum(outputs: Any) -> torch.Tensor:
    if isinstance(outputs, torch.Tensor):
        return outputs.sum()
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return sum((_sum(value) for value in values), start=torch.zeros(()))
