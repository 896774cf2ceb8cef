"""Calls a hook whose parameters are lists, as YAML has them, where the function wants tensors, as class weights are.

A list stays a list wherever the function takes it: only after it has refused lists does it get tensors.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from trainingrun_trainer.hooks import Hook
from trainingrun_trainer.train.mistakes import told

# What torch and Python raise for a list in a tensor's place.
_REFUSED = (TypeError, AttributeError)


def call(hook: Hook, *arguments: Any, device: torch.device | None = None) -> tuple[Any, Hook]:
    """What the hook returns, and the hook with the parameters that it took: lists of numbers may be float32 tensors.

    Raises what the function raises for the parameters as they are.
    """
    try:
        return hook.call(*arguments), hook
    except _REFUSED as refused:
        for changed in _with_tensors(hook, device):
            try:
                made = changed.call(*arguments)
            except _REFUSED:
                continue
            return made, changed
        raise refused


def make(hook: Hook, *arguments: Any, device: torch.device | None = None) -> tuple[Any, Hook]:
    """As `call`, of what makes an object. Raises InvalidConfiguration for what the author's code raises."""
    with told(hook.path, f"when it was made, with {_shown(hook.parameters)}"):
        return call(hook, *arguments, device=device)


def changes(before: Hook, after: Hook) -> list[str]:
    """A sentence for each parameter that `call` has changed."""
    return [
        f"{before.path}.parameters.{name}: the list is given as a float32 tensor of shape {tuple(value.shape)}"
        for name, value in after.parameters.items()
        if value is not before.parameters[name]
    ]


def _with_tensors(hook: Hook, device: torch.device | None) -> list[Hook]:
    """The hook with all of its lists as tensors, then with one of them."""
    tensors = {
        name: tensor for name, value in hook.parameters.items() if (tensor := _tensor(value, device)) is not None
    }
    choices = [tensors, *({name: tensor} for name, tensor in tensors.items() if len(tensors) > 1)]
    return [dataclasses.replace(hook, parameters={**hook.parameters, **chosen}) for chosen in choices if chosen]


def _tensor(value: Any, device: torch.device | None) -> torch.Tensor | None:
    if not isinstance(value, list | tuple) or not value:
        return None
    try:
        return torch.tensor(value, dtype=torch.float32, device=device)
    except (TypeError, ValueError):  # of words, or of lists of different lengths
        return None


def _shown(parameters: dict[str, Any]) -> str:
    """The parameters' names: their values may be secret."""
    return f"the parameters {', '.join(parameters)}" if parameters else "no parameters"
