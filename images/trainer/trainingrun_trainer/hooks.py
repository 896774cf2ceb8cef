"""Finds the functions that a run names as `module:function`.

Must say, when it cannot, which hook it is, what the module has instead, and the signature that is expected.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.failures.tracebacks import user_traceback

# What each hook is called with; the text goes into error messages and the documentation.
SIGNATURES = {
    "transform (Row)": "function(row: dict, **parameters) -> dict",
    "transform (Batch)": "function(batch, **parameters) -> batch",
    "collate": "function(table: pyarrow.Table, **parameters) -> dict[str, torch.Tensor]",
    "model": "function(**parameters) -> torch.nn.Module",
    "optimizer": "function(params, **parameters) -> torch.optim.Optimizer",
    "scheduler": "function(optimizer, **parameters) -> torch.optim.lr_scheduler.LRScheduler",
    "loss": "function(**parameters) -> torch.nn.Module, or function(outputs, targets) -> scalar tensor",
    "metric": "function(outputs, targets) -> scalar tensor, the mean over the rows",
    "trainStep": "function(model, batch: dict[str, torch.Tensor], state, **parameters) -> scalar loss tensor",
    "loop": "function(session, **parameters) -> None",
}


def load(field: str, reference: str, kind: str) -> Callable[..., Any]:
    """The callable that `reference` ("module:function") names.

    `field` is the field's path in the run, `kind` a key of `SIGNATURES`. Raises InvalidConfiguration.
    """
    module_name, _, name = reference.partition(":")
    expected = f"expected {SIGNATURES[kind]}"
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidConfiguration(
                f'{field}: there is no module "{error.name}" (from "{reference}"); put it into the image, '
                f"or next to the run's file for a local run; {expected}"
            ) from None
        raise InvalidConfiguration(_import_failed(field, module_name, error)) from error
    except (Exception, SystemExit) as error:  # a user's module may raise anything, or be a script that exits
        raise InvalidConfiguration(_import_failed(field, module_name, error)) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise InvalidConfiguration(f"{field}: {_missing(found, module_name, part)}; {expected}")
        found = getattr(found, part)
    if not callable(found):
        raise InvalidConfiguration(
            f'{field}: "{reference}" is of type {type(found).__name__}, not a function; {expected}'
        )
    return found  # type: ignore[no-any-return]


def check_parameters(field: str, function: Callable[..., Any], arguments: int, parameters: dict[str, Any]) -> None:
    """Refuse parameters that `function` cannot take, before anything expensive starts.

    `arguments` is how many positional arguments the caller will pass besides `parameters`.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # C functions have none to check against
        return
    try:
        signature.bind(*([None] * arguments), **parameters)
    except TypeError as error:
        name = getattr(function, "__qualname__", repr(function))
        raise InvalidConfiguration(f"{field}: {name}{signature} cannot be called as configured: {error}") from None


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether `function` takes a parameter of that very name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _import_failed(field: str, module_name: str, error: BaseException) -> str:
    return f'{field}: importing "{module_name}" failed:\n{user_traceback(error)}'


def _missing(found: Any, module_name: str, part: str) -> str:
    members = getattr(found, "__dict__", {}).items()
    names = [name for name, value in members if callable(value) and not name.startswith("_")]
    near = difflib.get_close_matches(part, names, n=1)
    listed = ", ".join(sorted(names)[:20]) or "no functions"
    guess = f'; did you mean "{near[0]}"?' if near else "."
    return f'module "{module_name}" has no "{part}"{guess} It has: {listed}'
