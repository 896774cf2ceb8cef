"""Refuses to save a state of which this process holds only a part: half a model is no checkpoint."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration

# By their names: importing them takes long, and what was never imported cannot be in a state.
_SHARDED = frozenset({"DTensor", "ShardedTensor"})
_PLAIN = (str, bytes, int, float, type(None))
_CLOSED = (torch.Tensor, type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)


def refuse_sharded(state: Any) -> None:
    """Raise InvalidConfiguration, with the place of a sharded tensor, wherever in `state` it is."""
    for place, value in _values(state):
        kinds = {kind.__name__ for kind in type(value).__mro__ if kind.__module__.startswith("torch.distributed")}
        if found := kinds & _SHARDED:
            raise InvalidConfiguration(
                f"spec.recipe.loop: session.save got {place}, a {found.pop()}, of which each process has only a part; "
                "allowed: whole tensors, as get_state_dict of torch.distributed.checkpoint.state_dict gives with "
                "StateDictOptions(full_state_dict=True)"
            )


def _values(state: Any) -> Iterator[tuple[str, Any]]:
    """Everything within `state`, at any depth, with where it is, as one would write it in Python."""
    seen: dict[int, Any] = {}
    waiting: list[tuple[str, Any]] = [("state", state)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value
        yield place, value
        if isinstance(value, Mapping):
            waiting += [(f"{place}[{key!r}]", item) for key, item in value.items()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += [(f"{place}[{index}]", item) for index, item in enumerate(value)]
        elif not isinstance(value, _CLOSED):
            waiting += [(f"{place}.{name}", item) for name, item in getattr(value, "__dict__", {}).items()]
