"""Lets the dry run train for a step of which nothing remains: neither in weights and states nor in random numbers."""

from __future__ import annotations

import contextlib
import copy
import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.mistakes import OtherRanksNeeded
from trainingrun_trainer.train.schedule import Schedule

# A larger model is tried in place, since a copy of it may not fit beside it.
MOST_COPIED_BYTES = 1 << 30


@dataclass
class Trained:
    """What takes part in a step. `model` is the bare one, `schedule` steps the learning rate."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    computation: Computation

    def parameters(self) -> list[torch.nn.Parameter]:
        """The model's and the loss's."""
        return [*self.model.parameters(), *self.computation.loss_parameters()]

    def held(self) -> set[int]:
        """The identities of the parameters that the optimizer holds."""
        return {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}


@contextlib.contextmanager
def trial(trained: Trained, *, world_size: int) -> Iterator[Trained]:
    """Something to step with. Afterwards `trained` and all random generators are as they were.

    With several ranks, whatever would wait for the others raises OtherRanksNeeded.
    """
    alone = NoExchange() if world_size > 1 else contextlib.nullcontext()
    with _random_kept(trained.computation.device), alone:
        copied = _copied(trained)
        if copied is not None:
            with _alone(copied.model):
                yield copied
        else:
            with _restored(trained), _alone(trained.model):
                yield trained


class NoExchange(TorchDispatchMode):
    """A context in which exchanging tensors between ranks raises OtherRanksNeeded instead of waiting."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch.utils._python_dispatch.TorchDispatchMode."""
        if func.namespace in ("c10d", "_c10d_functional"):
            raise OtherRanksNeeded(str(func))
        return func(*args, **(kwargs or {}))


def _copied(trained: Trained) -> Trained | None:
    """Copies whose optimizer holds the copied model's parameters; None where that cannot be had."""
    tensors = [*trained.model.parameters(), *trained.model.buffers()]
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > MOST_COPIED_BYTES:
        return None
    try:
        parts = copy.deepcopy((trained.model, trained.optimizer, trained.schedule, trained.computation))
    except Exception:  # a model may hold what cannot be copied
        return None
    copied = Trained(*parts)
    return copied if _held_of_own(copied) == _held_of_own(trained) else None


def _held_of_own(trained: Trained) -> int:
    return len(trained.held() & {id(parameter) for parameter in trained.parameters()})


@contextlib.contextmanager
def _restored(trained: Trained) -> Iterator[None]:
    modules = [(m, m.training, dict(m.named_buffers(recurse=False))) for m in trained.model.modules()]
    held = {id(tensor): tensor for tensor in (*trained.parameters(), *trained.model.buffers())}.values()
    kept = [(tensor, tensor.detach().to("cpu", copy=True)) for tensor in held]
    loss = _on_cpu(trained.computation.state_dict())
    optimizer = _on_cpu(trained.optimizer.state_dict())
    schedule = _on_cpu(trained.schedule.state_dict())
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in kept:
                tensor.copy_(before)
                tensor.grad = None
        for module, was_training, buffers in modules:
            module.training = was_training
            for name, buffer in buffers.items():
                if getattr(module, name) is not buffer:
                    setattr(module, name, buffer)
        trained.computation.load_state_dict(loss)
        trained.schedule.load_state_dict(schedule)
        trained.optimizer.load_state_dict(optimizer)


def _on_cpu(state: Any) -> Any:
    """A copy of a state that takes no memory of the device."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {name: _on_cpu(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_on_cpu(value) for value in state)
    return copy.deepcopy(state)


@contextlib.contextmanager
def _alone(model: torch.nn.Module) -> Iterator[None]:
    """Batch norm over all ranks becomes one over this rank: the others are not there."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.SyncBatchNorm)]
    for norm in norms:
        vars(norm)["forward"] = functools.partial(torch.nn.modules.batchnorm._BatchNorm.forward, norm)
    yield
    for norm in norms:
        del vars(norm)["forward"]


@contextlib.contextmanager
def _random_kept(device: torch.device) -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
