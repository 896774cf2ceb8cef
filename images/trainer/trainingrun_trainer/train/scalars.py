"""Gathers the numbers that are logged beside the metrics, until progress is shown.

Must not make a step wait for the device: tensors stay there until then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,127}")
_MOST_NAMES = 64
# So many values of a name are kept one by one.
_MOST_VALUES = 256


class Scalars:
    """Sums of numbers by name, and how many there are of each."""

    def __init__(self) -> None:
        self._values: dict[str, list[float | torch.Tensor]] = {}
        self._sums: dict[str, tuple[float | torch.Tensor, int]] = {}

    def add(self, values: Mapping[str, float | torch.Tensor]) -> None:
        """Add a number of each name. Raises InvalidConfiguration."""
        for name, value in values.items():
            number = _number(name, value)
            if name not in self._values:
                self._check_name(name)
            gathered = self._values.setdefault(name, [])
            gathered.append(number)
            if len(gathered) >= _MOST_VALUES:
                self._fold(name)

    def take(self) -> dict[str, float]:
        """The means since the last call; this waits for the device."""
        for name in self._values:
            self._fold(name)
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    def _fold(self, name: str) -> None:
        gathered = self._values[name]
        if not gathered:
            return
        total, count = self._sums.get(name, (0.0, 0))
        tensors = [value for value in gathered if isinstance(value, torch.Tensor)]
        numbers = sum(value for value in gathered if not isinstance(value, torch.Tensor))
        # In one call, not one for each: a call costs more than a sum of hundreds.
        summed = torch.stack([tensor.to(tensors[0]) for tensor in tensors]).double().sum() if tensors else 0.0
        self._sums[name] = total + numbers + summed, count + len(gathered)
        gathered.clear()

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidConfiguration(
                f"session.log: found the name {name!r}, allowed: at most 128 letters, digits, '_', '.', '/' and '-', "
                "starting with a letter or '_'"
            )
        if len(self._values) >= _MOST_NAMES:
            raise InvalidConfiguration(f'session.log: "{name}" is one name too many, allowed: {_MOST_NAMES}')


def _number(name: str, value: object) -> float | torch.Tensor:
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        # Whoever logs may change the tensor in place afterwards, as an optimizer does.
        return value.detach().clone().reshape(())
    if isinstance(value, int | float):
        return float(value)
    found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
    raise InvalidConfiguration(f'session.log: found {found} as "{name}", allowed: one number')
