"""Lets the dry run train for a step of which nothing remains: neither in weights and states nor in random numbers."""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from trainingrun_trainer.train.mistakes import OtherRanksNeeded
from trainingrun_trainer.train.recipe_objects import RecipeObjects

# A larger model is tried in place, since a copy of it may not fit beside it.
MOST_COPIED_BYTES = 1 << 30


@contextlib.contextmanager
def trial(made: RecipeObjects, *, world_size: int) -> Iterator[RecipeObjects]:
    """Something to step with. Afterwards `made` and all random generators are as they were.

    With several ranks, whatever would wait for the others raises OtherRanksNeeded.
    """
    alone = NoExchange() if world_size > 1 else contextlib.nullcontext()
    with _random_kept(made.computation.device), alone:
        copied = _copied(made)
        if copied is not None:
            with _alone(copied.model):
                yield copied
        else:
            with _restored(made), _alone(made.model):
                yield made


class NoExchange(TorchDispatchMode):
    """A context in which exchanging tensors between ranks raises OtherRanksNeeded instead of waiting."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch.utils._python_dispatch.TorchDispatchMode."""
        if func.namespace in ("c10d", "_c10d_functional"):
            raise OtherRanksNeeded(str(func))
        return func(*args, **(kwargs or {}))


def _copied(made: RecipeObjects) -> RecipeObjects | None:
    """Copies whose optimizer holds the copied model's parameters; None where that cannot be had."""
    if _keeps_to_itself(made.model):
        return None
    tensors = [*made.model.parameters(), *made.model.buffers()]
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > MOST_COPIED_BYTES:
        return None
    try:
        parts = copy.deepcopy((made.model, made.optimizer, made.scheduler, made.computation))
    except Exception:  # a model may hold what cannot be copied
        return None
    copied = RecipeObjects(made.recipe, *parts)
    return copied if _held_of_own(copied) == _held_of_own(made) else None


def _keeps_to_itself(model: torch.nn.Module) -> bool:
    """Whether a copy would go on with parts of `model`: a function that was put on it is copied as it is."""
    own = {id(part) for part in (*model.modules(), *model.parameters(), *model.buffers())}
    for module in model.modules():
        held = vars(module)
        if isinstance(held.get("forward"), types.FunctionType):
            return True
        hooks = (hook for each in held.values() if isinstance(each, dict) for hook in each.values())
        if any(id(value) in own for function in (*held.values(), *hooks) for value in _around(function)):
            return True
    return False


def _around(function: Any) -> list[Any]:
    """What a plain function has of the place where it was made."""
    if not isinstance(function, types.FunctionType):
        return []
    cells = (cell for cell in function.__closure__ or () if cell != types.CellType())
    return [*(function.__defaults__ or ()), *(cell.cell_contents for cell in cells)]


def _held_of_own(made: RecipeObjects) -> int:
    return len(made.held() & {id(parameter) for parameter in made.parameters()})


@contextlib.contextmanager
def _restored(made: RecipeObjects) -> Iterator[None]:
    modules = [(m, m.training, dict(m.named_buffers(recurse=False))) for m in made.model.modules()]
    held = {id(tensor): tensor for tensor in (*made.parameters(), *made.model.buffers())}.values()
    kept = [(tensor, tensor.detach().to("cpu", copy=True)) for tensor in held]
    loss = _on_cpu(made.computation.state_dict())
    optimizer = _on_cpu(made.optimizer.state_dict())
    scheduler = _on_cpu(made.scheduler.state_dict()) if made.scheduler is not None else None
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
        made.computation.load_state_dict(loss)
        if made.scheduler is not None:
            made.scheduler.load_state_dict(scheduler)
        made.optimizer.load_state_dict(optimizer)


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
