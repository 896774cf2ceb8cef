"""Watches for a loss or a gradient that is NaN or infinite, so that no such step is kept and none passes in silence.

All ranks come to the same result. A GPU is not waited for in each step where the run is to fail: a step's flags are
looked at when they have arrived, a step or two later, and in any case before a checkpoint is saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist

from trainingrun_trainer.failures.errors import NonFiniteLoss


@dataclass(frozen=True)
class _Verdict:
    """A step's flags on their way from the device; `arrival` is None where there is no way to go."""

    flags: torch.Tensor
    arrival: Any
    step: int
    epoch: int


class Finiteness:
    """What one rank has seen of the step that is being gathered, and of steps whose verdict is not in yet."""

    def __init__(self, action: Literal["Fail", "Skip"], device: torch.device, world_size: int):
        self._action = action
        self._device = device
        self._world_size = world_size
        self._is_bad_loss = torch.zeros((), device=device)
        self._verdicts: list[_Verdict] = []

    def see(self, loss: torch.Tensor) -> None:
        """A micro-batch's loss."""
        bad = (~torch.isfinite(loss.detach())).any().to(torch.float32)
        self._is_bad_loss = torch.maximum(self._is_bad_loss, bad)

    def is_left_out(self, norm: torch.Tensor | None, *, step: int, epoch: int) -> bool:
        """Whether the gathered step must not be taken. Collective; the same on all ranks.

        `norm` is the norm of its gradient, None where a gradient scaler looks after that. Raises NonFiniteLoss.
        """
        zero = torch.zeros((), device=self._device)
        bad_norm = zero if norm is None else (~torch.isfinite(norm)).to(self._device, torch.float32)
        flags = torch.stack([self._is_bad_loss, bad_norm])
        self._is_bad_loss = zero
        if self._world_size > 1:
            dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        if self._action == "Skip":
            return bool(flags.any())
        self._verdicts.append(_verdict(flags, step, epoch))
        self.settle(wait=False)
        return False

    def settle(self, *, wait: bool = True) -> None:
        """Raise NonFiniteLoss if a step was bad. Without `wait`, only what has arrived is looked at."""
        while self._verdicts and (wait or self._verdicts[0].arrival is None or self._verdicts[0].arrival.query()):
            verdict = self._verdicts.pop(0)
            if verdict.arrival is not None:
                verdict.arrival.synchronize()
            is_bad_loss, is_bad_gradient = verdict.flags.tolist()
            if is_bad_loss or is_bad_gradient:
                raise NonFiniteLoss(
                    f"{'the loss' if is_bad_loss else 'the gradient'} is NaN or infinite in step {verdict.step} "
                    f"(epoch {verdict.epoch}, counted from 0); nothing of it is saved. Check the rows for such "
                    "values, lower the learning rate, set spec.recipe.maxGradNorm, or leave such steps out with "
                    "spec.recipe.onNonFiniteLoss: Skip"
                )


def _verdict(flags: torch.Tensor, step: int, epoch: int) -> _Verdict:
    if flags.device.type != "cuda":
        return _Verdict(flags, None, step, epoch)
    arrived = torch.empty_like(flags, device="cpu", pin_memory=True)
    arrived.copy_(flags, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return _Verdict(arrived, event, step, epoch)
