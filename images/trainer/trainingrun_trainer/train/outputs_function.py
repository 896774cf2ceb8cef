"""A loss or a metric: what is called with outputs and targets, however the recipe names it.

A class and a factory are called once, with the parameters; a function is called with them each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import SIGNATURES, Hook
from trainingrun_trainer.train import list_parameters


class OutputsFunction:
    """See the module. `module` is the torch module that it is, on `device`, or None; `hook` is as it is called."""

    def __init__(self, hook: Hook, device: torch.device):
        self.named = self.hook = hook
        self.module: torch.nn.Module | None = None
        self._device = device
        self._made: Callable[[Any, Any], Any] | None = None
        made: Any = hook.function
        if hook.is_maker:
            made, self.hook = list_parameters.make(hook, device=device)
            self._made = made
        if not callable(made):
            raise InvalidConfiguration(
                f'{hook.path}.function: "{hook.reference}" returned {type(made).__name__}; '
                f"expected {SIGNATURES[hook.kind]}"
            )
        if isinstance(made, torch.nn.Module):
            self.module = made.to(device)

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """What the function makes of them."""
        if self._made is not None:
            return self._made(outputs, targets)
        result, self.hook = list_parameters.call(self.hook, outputs, targets, device=self._device)
        return result

    @property
    def setting(self) -> str | None:
        """The setting `reduction` of torch's losses, where this has one."""
        found = self.hook.parameters.get("reduction", getattr(self.module, "reduction", None))
        return found if isinstance(found, str) else None
