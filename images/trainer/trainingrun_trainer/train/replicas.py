"""The copies of a model on the ranks: what is called in a step, and how the copies stay equal.

The built-in computation goes through DDP, which exchanges gradients while the backward pass still runs. Where that
cannot be exact, the bare model is called and gradients are exchanged afterwards: in a step in which a rank has no rows,
and with a `trainStep`, which gets the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from trainingrun_trainer.train import gradient_exchange
from trainingrun_trainer.train.lockstep import Lockstep


class Replicas:
    """This rank's copy. `bare` is the author's own module, which is saved. Making one is collective."""

    def __init__(
        self,
        bare: torch.nn.Module,
        loss_parameters: list[torch.nn.Parameter],
        lockstep: Lockstep,
        *,
        overlaps: bool,
        finds_unused: bool = False,
        compiles: bool = False,
    ):
        self.bare = bare
        self._loss_parameters = loss_parameters
        self._lockstep = lockstep
        gradient_exchange.broadcast([*bare.parameters(), *bare.buffers(), *loss_parameters], lockstep)
        has_gradients = any(parameter.requires_grad for parameter in bare.parameters())
        ddp = None
        if overlaps and lockstep.world_size > 1 and has_gradients:
            ddp = DistributedDataParallel(bare, find_unused_parameters=finds_unused)
        self._ddp = ddp
        # `compile` is lazy: what is never called costs nothing. DDP itself stays at hand for steps that do without.
        self._compiled_ddp: Any = torch.compile(ddp) if compiles and ddp is not None else ddp
        self._compiled: Any = torch.compile(bare) if compiles else bare

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Everything that is trained: the model's parameters and the loss's."""
        yield from self.bare.parameters()
        yield from self._loss_parameters

    def exchanges(self, *, is_last: bool, all_have_rows: bool) -> bool:
        """Whether the backward pass of such a micro-batch exchanges gradients by itself."""
        return self._ddp is not None and is_last and all_have_rows

    def for_training(self, *, exchanging: bool, compiled: bool = True) -> Any:
        """What to call in a step. Without `exchanging`, DDP's hooks stay idle and its counts untouched."""
        if exchanging:
            return self._compiled_ddp if compiled else self._ddp
        return self._compiled if compiled else self.bare

    def for_evaluation(self) -> Any:
        """What to call without gradients: not DDP, which would wait for ranks that have fewer batches."""
        return self._compiled

    def average_gradients(self, *, exchanged: bool) -> None:
        """Make all gradients the mean over the ranks; `exchanged` says that DDP has done the model's. Collective."""
        gradient_exchange.average(self._loss_parameters if exchanged else self.parameters(), self._lockstep)

    def prepare_step(self) -> None:
        """Forget the gradients of the step before. Without DDP, also do what it would at its next call. Collective."""
        for parameter in self.parameters():
            parameter.grad = None
        if self._ddp is None:
            self.share_buffers()

    def share_buffers(self, *, source: int = 0) -> None:
        """Give every rank the buffers of rank `source`, such as batch norm's statistics. Collective.

        Rank 0's are those that are saved.
        """
        gradient_exchange.broadcast(self.bare.buffers(), self._lockstep, source=source)
