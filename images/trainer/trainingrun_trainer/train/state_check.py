"""Saves and loads the state of everything that a checkpoint holds, in memory, before the first one is due."""

from __future__ import annotations

import io
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.mistakes import told
from trainingrun_trainer.train.recipe_objects import RecipeObjects

# Beyond it, a copy in memory would cost more than it tells: state dicts are then loaded without being written.
_MOST_WRITTEN_BYTES = 256 << 20


def check(tried: RecipeObjects) -> None:
    """Save and load all state. Raises InvalidConfiguration naming what cannot be."""
    parts: dict[str, Any] = {
        "model": tried.model,
        "optimizer": tried.optimizer,
        "scheduler": tried.scheduler,
        "loss": tried.computation,
    }
    for name, part in parts.items():
        if part is None:
            continue
        field = f"spec.recipe.{name}"
        with told(field, "when its state is saved"):
            state = part.state_dict()
            _refuse_sharded(field, state)
            kept = _written(state) if _bytes(state) <= _MOST_WRITTEN_BYTES else state
        with told(field, "when its saved state is loaded"):
            part.load_state_dict(kept)


def _written(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)  # written just now, by us


def _tensors(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    values = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for value in values for tensor in _tensors(value)]


def _bytes(state: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(state))


def _refuse_sharded(field: str, state: Any) -> None:
    if any(isinstance(tensor, DTensor) for tensor in _tensors(state)):
        raise InvalidConfiguration(
            f"{field}: its state is sharded over the trainers (DTensor), of which a checkpoint would hold one part; "
            "allowed: parameters that every trainer has whole"
        )
