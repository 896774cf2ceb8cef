"""One optimizer step: forward, backward, accumulation, clipping, precision; exact for any number of rows.

Ranks may have different numbers of rows in a step, or none. The gradient is always the mean over all rows of all
ranks, as if one machine had seen them together. It must not know where rows come from or what is saved.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.train import step_failures
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.epoch_sums import Sums, Tally
from trainingrun_trainer.train.feed import Batch
from trainingrun_trainer.train.finiteness import Finiteness
from trainingrun_trainer.train.normalisation import BatchNorms
from trainingrun_trainer.train.replicas import Replicas
from trainingrun_trainer.train.session import Session
from trainingrun_trainer.train.step import Step

# The norm of the whole gradient, before it is clipped.
GRADIENT_NORM = "gradient_norm"
_AUTOCAST = {"BF16": torch.bfloat16, "FP16": torch.float16}


class Stepper:
    """Takes steps with a model, and counts them in `tally`. `step` returns True when the optimizer has moved.

    `gathered` are the sums of the step that is being gathered, or was taken last.
    """

    def __init__(
        self,
        session: Session,
        replicas: Replicas,
        computation: Computation,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        tally: Tally,
    ):
        self._recipe = recipe = session.recipe
        self.gathered = Sums()
        self._tally = tally
        self._session = session
        self._computation = computation
        self._optimizer = optimizer
        self._scaler = scaler
        self._replicas = replicas
        self.norms = BatchNorms(replicas.bare, session.lockstep)
        self._finiteness = Finiteness(recipe.on_non_finite_loss, session.device, session.world_size)
        self._nominal_rows = recipe.global_batch_size
        self._pending_rows = 0
        self._pending_steps = 0
        self._is_exchanged = True

    def step(self, step: Step) -> bool:
        """Learn from one micro-batch, already transformed; moves the optimizer when a whole batch has been gathered."""
        if self._pending_steps == 0:
            self._replicas.prepare_step()
            self.gathered = Sums()
        is_last = self._pending_steps + 1 == self._recipe.gradient_accumulation_steps
        all_have_rows = len(step.ranks_with_rows) == self._session.world_size
        self._is_exchanged = self._replicas.exchanges(is_last=is_last, all_have_rows=all_have_rows)
        with self.norms.during(step.rows, step.ranks_with_rows):
            if step.batch is not None:
                self._learn_or_tell(step.batch, step.rows)
        if step.ranks_with_rows[0] != 0:
            # Rank 0, whose statistics are everybody's and are saved, has not seen these rows.
            self._replicas.share_buffers(source=step.ranks_with_rows[0])
        self._pending_rows += step.total_rows
        self._pending_steps += 1
        return is_last and self.flush()

    def flush(self) -> bool:
        """Move the optimizer by what is gathered, if anything: the last batch of an epoch may be a short one.

        Raises NonFiniteLoss. False also where the step was left out.
        """
        if self._pending_steps == 0:
            return False
        # Before they are unscaled: a gradient that overflowed on one rank must be seen by all.
        self._replicas.average_gradients(exchanged=self._is_exchanged)
        self._scaler.unscale_(self._optimizer)
        trained = self._trained()
        gradients: list[Any] = [parameter.grad for parameter in trained]
        if self._pending_rows != self._nominal_rows:
            for gradient in gradients:
                gradient.mul_(self._nominal_rows / self._pending_rows)
        norm = torch.nn.utils.get_total_norm([_values(gradient) for gradient in gradients])
        self._pending_rows = self._pending_steps = 0
        if self._is_left_out(norm):
            self._tally.left_out += 1
            self._scaler.update()
            return False
        self._tally.recent.merge(self.gathered)
        if self._recipe.max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(trained, self._recipe.max_grad_norm, norm)
        return self._move(norm)

    def settle(self) -> None:
        """Wait until it is known that every step taken was finite. Raises NonFiniteLoss."""
        self._finiteness.settle()

    def _learn_or_tell(self, batch: Batch, rows: int) -> None:
        try:
            self._learn(batch, rows)
        except Exception as error:
            position = self._session.position
            step_failures.tell(
                error, self._computation.calling, f"in step {position.step + 1} (epoch {position.epoch})", batch
            )
            raise

    def _learn(self, batch: Batch, rows: int) -> None:
        """Forward and backward. DDP takes the mean over ranks, so that each rank's share is scaled by their number."""
        # What is compiled cannot be watched for layers that have one value per channel.
        compiled = not self.norms.are_in_doubt(rows)
        model = self._replicas.for_training(exchanging=self._is_exchanged, compiled=compiled)
        with autocast(self._recipe, self._session.device):
            means = self._computation.training(model, batch, self._session)
        self.gathered.add(rows, means)
        self._finiteness.see(means["loss"])
        share: Any = means["loss"] * (rows * self._session.world_size / self._nominal_rows)
        self._scaler.scale(share).backward()

    def _trained(self) -> list[torch.nn.Parameter]:
        """What the optimizer moves: a model may have gradients that nobody asked for, which no scaler looks after."""
        groups = self._optimizer.param_groups
        return [parameter for group in groups for parameter in group["params"] if parameter.grad is not None]

    def _is_left_out(self, norm: torch.Tensor) -> bool:
        position = self._session.position
        # With FP16 a gradient may overflow: the scaler leaves that step out by itself, and scales by less.
        seen = None if self._scaler.is_enabled() else norm
        return self._finiteness.is_left_out(seen, step=position.step + 1, epoch=position.epoch)

    def _move(self, norm: torch.Tensor) -> bool:
        before = self._scaler.get_scale()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        has_moved = self._scaler.get_scale() >= before
        if has_moved:
            self._session.log({GRADIENT_NORM: norm})
        self._tally.overflowed += not has_moved
        return has_moved


def _values(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def autocast(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """The context for forward passes in the recipe's precision."""
    dtype = autocast_type(recipe.mixed_precision, device.type)
    return torch.autocast(device.type, dtype=dtype) if dtype else contextlib.nullcontext()


def autocast_type(precision: str | None, device: str) -> torch.dtype | None:
    """The number format of forward passes on a kind of device; None for float32.

    FP16 needs a gradient scaler, and that a GPU: a machine without one trains such a run in float32.
    """
    return None if precision == "FP16" and device != "cuda" else _AUTOCAST.get(precision or "")
