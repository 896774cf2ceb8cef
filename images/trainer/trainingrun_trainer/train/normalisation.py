"""Batch norm where there is little to normalise by: one value per channel, or ranks without rows.

One value has no variance: such a layer then uses its running statistics, and learns none from it. A picture of several
pixels has one, however few rows there are. Ranks without rows are kept out of synchronised batch norm's exchange, which
would otherwise wait for them forever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.lockstep import Lockstep

_BATCH_NORM = torch.nn.modules.batchnorm._BatchNorm


class BatchNorms:
    """The batch norm layers of a model. `frozen` are the names of those that have had a single value per channel."""

    def __init__(self, model: torch.nn.Module, lockstep: Lockstep):
        self.frozen: set[str] = set()
        self._lockstep = lockstep
        self._norms: dict[str, Any] = {
            name: layer for name, layer in model.named_modules() if isinstance(layer, _BATCH_NORM)
        }
        self._synced = [layer for layer in self._norms.values() if isinstance(layer, torch.nn.SyncBatchNorm)]
        self._groups: dict[tuple[int, ...], Any] = {}

    def are_in_doubt(self, rows: int) -> bool:
        """Whether a batch of so many rows of this rank may be too small for a layer."""
        return rows == 1 and bool(self._norms)

    def untaught(self) -> list[str]:
        """Names of layers that have had single values only, and so have learnt nothing. May wait for the device."""
        counts = {name: self._norms[name].num_batches_tracked for name in sorted(self.frozen)}
        return [name for name, count in counts.items() if count is not None and int(count) == 0]

    @contextlib.contextmanager
    def during(self, rows: int, ranks: tuple[int, ...]) -> Iterator[None]:
        """For the forward and backward pass of a step in which `ranks` have rows, and this one so many. Collective."""
        with contextlib.ExitStack() as undoing:
            if self._synced and len(ranks) < self._lockstep.world_size:
                undoing.enter_context(self._synced_among(ranks))
            if self.are_in_doubt(rows):
                for name, norm in self._norms.items():
                    undoing.enter_context(self._guarded(name, norm, ranks))
            yield

    @contextlib.contextmanager
    def _synced_among(self, ranks: tuple[int, ...]) -> Iterator[None]:
        if ranks not in self._groups:
            self._groups[ranks] = dist.new_group(list(ranks))
        for layer in self._synced:
            layer.process_group = self._groups[ranks]
        try:
            yield
        finally:
            for layer in self._synced:
                layer.process_group = None

    @contextlib.contextmanager
    def _guarded(self, name: str, norm: torch.nn.Module, ranks: tuple[int, ...]) -> Iterator[None]:
        sharing = len(ranks) if norm in self._synced else 1
        was_training = norm.training

        def before(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            values = args[0] if args else kwargs["input"]
            is_single = values.numel() // values.shape[1] * sharing <= 1
            if is_single and was_training:
                self.frozen.add(name)
            layer.train(was_training and not is_single)

        hook = norm.register_forward_pre_hook(before, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
            norm.train(was_training)


def check_synced(model: torch.nn.Module, world_size: int, device: torch.device) -> None:
    """Refuse synchronised batch norm where it cannot work. Raises InvalidConfiguration."""
    synced = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.SyncBatchNorm)}
    if world_size == 1 or not synced:
        return
    first = next(iter(synced))
    if device.type == "cpu":
        raise InvalidConfiguration(
            f'spec.recipe.model.function: found SyncBatchNorm ("{first}") in a model that trains on the CPU with '
            f"{world_size} processes; allowed: BatchNorm there, or GPUs"
        )
    if any(layer.process_group is not None for layer in synced.values()):
        raise InvalidConfiguration(
            f'spec.recipe.model.function: found SyncBatchNorm ("{first}") with a process group of its own; allowed: '
            "SyncBatchNorm without one, which normalises over all processes that have rows in a step"
        )
