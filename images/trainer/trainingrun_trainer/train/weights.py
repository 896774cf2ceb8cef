"""Reads a model's weights from a file, whoever wrote it, without running code that the file may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration

SAFETENSORS = ".safetensors"
SUFFIXES = (".pt", ".pth", ".bin", SAFETENSORS)
# Under these names files hold weights that hold more than weights: ours, and those of other libraries.
_WITHIN = ("model", "state_dict")


def weights_of(path: Path, device: torch.device, said: str) -> dict[str, Any]:
    """The state dict in a file of torch or safetensors, with its tensors on `device`.

    `said` names the file in messages. Raises InvalidConfiguration.
    """
    return weights_in(content_of(path, device, said), said)


def content_of(path: Path, device: torch.device, said: str) -> Any:
    """All that the file holds; see `weights_of`."""
    return _safetensors(path, device, said) if path.suffix == SAFETENSORS else _torch(path, device, said)


def weights_in(found: Any, said: str) -> dict[str, Any]:
    """The state dict in what a file holds; see `weights_of`."""
    for name in _WITHIN:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not any(isinstance(value, torch.Tensor) for value in found.values()):
        what = (
            f"a dict with {', '.join(map(str, list(found)[:5]))}"
            if isinstance(found, Mapping)
            else type(found).__name__
        )
        raise InvalidConfiguration(
            f"{said} holds {what}, allowed: a state dict, by itself or as {' or '.join(_WITHIN)} of a dict"
        )
    return dict(found)


def _torch(path: Path, device: torch.device, said: str) -> Any:
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidConfiguration(
            f"{said} cannot be read without running code that it may hold ({_first_reason(error)}); allowed: tensors "
            "and plain values, as torch.save(model.state_dict(), ...) writes them"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise InvalidConfiguration(f"{said} is no file of torch: {error}") from error


def _safetensors(path: Path, device: torch.device, said: str) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(path, device=str(device))
    except SafetensorError as error:
        raise InvalidConfiguration(f"{said} is no file of safetensors: {error}") from error
    return tensors


def _first_reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "Unsupported" in line or "GLOBAL" in line]
    return (lines or [str(error).partition("\n")[0]])[0]
