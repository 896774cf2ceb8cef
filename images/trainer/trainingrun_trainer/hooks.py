"""The functions that a run names as `module:function`: found, and checked before anything expensive starts.

Must say, when it cannot, which hook it is, what the module has instead, and the signature that is expected. Must not
import torch: processes that only move data load it.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.failures.tracebacks import user_traceback

if TYPE_CHECKING:
    from trainingrun.spec.function import Function
    from trainingrun.spec.recipe import Recipe

# What each hook is called with; the text goes into error messages and the documentation.
SIGNATURES = {
    "transform (Row)": "function(row: dict, **parameters) -> dict, a list of dicts, or None",
    "transform (Batch)": "function(batch, **parameters) -> batch",
    "transform (Class)": "class(**parameters), whose instances are called with a batch and return one",
    "collate": "function(table: pyarrow.Table, **parameters) -> dict[str, torch.Tensor]",
    "model": "function(**parameters) -> torch.nn.Module",
    "optimizer": "function(params, **parameters) -> torch.optim.Optimizer",
    "scheduler": "function(optimizer, **parameters) -> torch.optim.lr_scheduler.LRScheduler",
    "loss": "function(**parameters) -> torch.nn.Module, or function(outputs, targets, **parameters) -> scalar tensor",
    "metrics": "function(outputs, targets, **parameters) -> scalar tensor, the mean over the rows",
    "trainStep": "function(model, batch, session, **parameters) -> scalar loss, or a dict with loss",
    "evalStep": "function(model, batch, session, **parameters) -> scalar loss, or a dict of means over the rows",
    "loop": "function(session, **parameters) -> None",
}
# By position; others get 1.
_ARGUMENTS = {"transform (Class)": 0, "model": 0, "loss": 2, "metrics": 2, "trainStep": 3, "evalStep": 3}
# What is called with (outputs, targets) may also be something that makes such a function: a class or a factory.
_OF_OUTPUTS = ("loss", "metrics")
_FIELDS = {"trainStep": "train_step", "evalStep": "eval_step"}


@dataclass(frozen=True)
class Hook:
    """One function of a run. `path` is its field, as in spec.recipe.model; `kind` is a key of `SIGNATURES`.

    `told` are keyword arguments for a function that has parameters of these very names.
    """

    path: str
    reference: str
    kind: str
    parameters: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function itself. Raises InvalidConfiguration if it is not there or cannot take the parameters."""
        function = _find(f"{self.path}.function", self.reference, f"expected {SIGNATURES[self.kind]}")
        self._check_parameters(function)
        return function

    @property
    def keywords(self) -> dict[str, Any]:
        """The keyword arguments of every call: the parameters, and what the function wants to be told."""
        wanted = {name: value for name, value in self.told.items() if accepts(self.function, name)}
        return {**wanted, **self.parameters}

    @cached_property
    def is_maker(self) -> bool:
        """Whether this is called with its parameters alone, and only what it returns gets outputs and targets."""
        if self.kind not in _OF_OUTPUTS or inspect.isclass(self.function):
            return self.kind in _OF_OUTPUTS
        signature = signature_of(self.function)
        takes_anything = signature is None or any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
        return not takes_anything and mismatch(signature, 0, self.parameters) is None

    def check(self) -> None:
        """Raise InvalidConfiguration unless the function is there and takes the parameters."""
        _ = self.function

    def call(self, *arguments: Any) -> Any:
        """Call the function with these arguments and the parameters."""
        return self.function(*arguments, **self.keywords)

    def __getstate__(self) -> dict[str, Any]:
        """What travels between processes: names, not the function, which the other process has to find itself."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def _check_parameters(self, function: Callable[..., Any]) -> None:
        """Refuse parameters that `function` cannot take."""
        signature = signature_of(function)
        told = {name: None for name in self.told if accepts(function, name)}
        counts = [_ARGUMENTS.get(self.kind, 1)]
        if self.kind in _OF_OUTPUTS:
            counts = [0] if inspect.isclass(function) else [*counts, 0]
        found = [mismatch(signature, count, {**told, **self.parameters}) for count in counts]
        if None in found:
            return
        # A factory is recognised by having no room for outputs and targets.
        problem = found[-1] if found[0] and "too many positional" in found[0] else found[0]
        name = getattr(function, "__qualname__", repr(function))
        raise InvalidConfiguration(
            f"{self.path}.parameters: {name}{signature} cannot be called as configured: {problem}"
        )


def hook_of(path: str, named: Function, kind: str, **told: Any) -> Hook:
    """The hook that a field of the recipe names; `path` is that field's."""
    return Hook(path, named.function, kind, dict(named.parameters), told)


def hooks_of(recipe: Recipe) -> Iterator[Hook]:
    """The hooks of `recipe` that are sure to be used behind its transforms, in the order in which a row meets them.

    A loop of the author's own may do without model, loss and so on.
    """
    ours = () if recipe.loop is not None else ("model", "optimizer", "scheduler", "loss", "trainStep", "evalStep")
    for kind in ("collate", *ours, "loop"):
        named = getattr(recipe, _FIELDS.get(kind, kind))
        if named is not None:
            yield hook_of(f"spec.recipe.{kind}", named, kind)
    for path, metric in (recipe.measured or {}).items() if ours else ():
        yield hook_of(f"spec.recipe.{path}", metric, "metrics")


def _find(path: str, reference: str, expected: str) -> Callable[..., Any]:
    module_name, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidConfiguration(
                f'{path}: there is no module "{error.name}" (from "{reference}"); put it into the image '
                f"or into spec.code (--code DIR), or next to the run's file for a local run; {expected}"
            ) from None
        raise InvalidConfiguration(_import_failed(path, module_name, error)) from error
    except (Exception, SystemExit) as error:  # a user's module may raise anything, or be a script that exits
        raise InvalidConfiguration(_import_failed(path, module_name, error)) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise InvalidConfiguration(f"{path}: {_missing(found, module_name, part)}; {expected}")
        found = getattr(found, part)
    if not callable(found):
        raise InvalidConfiguration(
            f'{path}: "{reference}" is of type {type(found).__name__}, not a function; {expected}'
        )
    return found  # type: ignore[no-any-return]


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """What `function` takes; None where nobody can tell."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # C functions have none to check against
        return None


def mismatch(signature: inspect.Signature | None, arguments: int, keywords: dict[str, Any]) -> str | None:
    """Why a function cannot be called with so many arguments and these keywords; None where it can, or may."""
    if signature is None:
        return None
    try:
        signature.bind(*([None] * arguments), **keywords)
    except TypeError as error:
        return str(error)
    return None


def accepts(function: Callable[..., Any], name: str) -> bool:
    """Whether a parameter of `function` has this very name."""
    signature = signature_of(function)
    return signature is not None and name in signature.parameters


def _import_failed(path: str, module_name: str, error: BaseException) -> str:
    return f'{path}: importing "{module_name}" failed:\n{user_traceback(error)}'


def _missing(found: Any, module_name: str, part: str) -> str:
    members = getattr(found, "__dict__", {}).items()
    names = [name for name, value in members if callable(value) and not name.startswith("_")]
    near = difflib.get_close_matches(part, names, n=1)
    listed = ", ".join(sorted(names)[:20]) or "no functions"
    guess = f'; did you mean "{near[0]}"?' if near else "."
    return f'module "{module_name}" has no "{part}"{guess} It has: {listed}'
