"""What kept rows depend on, as a key: whatever changes one of these things leads to other files, never to other rows.

Reads the source code of the author's functions, and nothing of the data.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import pyarrow as pa

from trainingrun_trainer.data.layout import ArrayLayout
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.failures.errors import InvalidConfiguration

# To be raised when the same source, steps and versions lead to other rows, ids or files than before.
_SCHEME = 1
_PACKAGES = ("trainingrun", "numpy", "torch", "torchvision", "pyarrow", "pillow")
_KEY_LENGTH = 32
# Where a dataset is named and found says nothing of its rows: every slab's name has its files.
_NOT_OF_ROWS = ("field", "path")
_OWN_PACKAGE = "trainingrun_trainer"
# Folders that installed packages lie in.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def contents_of(
    source: Source, layouts: Mapping[str, ArrayLayout], steps: tuple[Step, ...], *, training: bool
) -> dict[str, Any]:
    """All that the kept rows of any slab depend on besides its files, as JSON values.

    Raises InvalidConfiguration for a step whose source code cannot be found.
    """
    packages = {name: _version(name) for name in _PACKAGES}
    return {
        "scheme": _SCHEME,
        "training": training,
        "source": {
            each.name: _plain(getattr(source, each.name))
            for each in dataclasses.fields(source)
            if each.name not in _NOT_OF_ROWS
        },
        "layouts": {name: str(layouts[name]) for name in sorted(layouts)},
        "steps": [_step(step) for step in steps],
        "versions": {"python": sys.version.split()[0], **packages},
    }


def key_of(contents: Mapping[str, Any]) -> str:
    """The key of what `contents_of` tells: 32 hexadecimal digits."""
    return _digest(json.dumps(contents, sort_keys=True))


def entry_name(bundle: Bundle, slab: int, slab_bytes: int) -> str:
    """The name of a slab: of its files with their sizes and versions, and of its place in them; 32 digits."""
    pieces = [(p.index, p.paths, p.size_bytes, p.rows, p.row_group, p.labels, p.stamp) for p in bundle.pieces]
    return _digest(repr((pieces, slab, slab_bytes)))


def _step(step: Step) -> dict[str, Any]:
    module = step.function.partition(":")[0]
    sources, packages = _code_of(module)
    if not sources and module.partition(".")[0] not in packages:
        raise InvalidConfiguration(
            f"{step.path}.function: the source code of {step.function} is not to be found, so that rows of an earlier "
            "version could not be told from its own in spec.recipe.dataset.cache; allowed: a function in a .py file, "
            "one that is marked trainingrun_trainer.uncached, or cache.mode Off"
        )
    return {
        "function": step.function,
        "kind": step.kind,
        "batchFormat": step.batch_format,
        "batchSize": step.batch_size,
        "parameters": step.parameters,
        "inputColumns": step.input_columns,
        "sources": sources,
        "packages": packages,
    }


def _code_of(module: str) -> tuple[dict[str, str], dict[str, str]]:
    """Digests of the author's files that `module` is made of, imports included, and versions of packages it uses."""
    sources: dict[str, str] = {}
    tops: set[str] = set()
    waiting, seen = [module], {module}
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        path = None if _is_installed(top) or (sources and top == _OWN_PACKAGE) else _file_of(name)
        if path is None:
            tops.add(top)
            continue
        code = path.read_bytes()
        sources[name] = hashlib.sha256(code).hexdigest()
        found = set(_imports(code, name, is_package=path.name == "__init__.py")) - seen
        seen |= found
        waiting += sorted(found)
    named = _distributions()
    return sources, {top: _version(named[top][0]) for top in sorted(tops & named.keys())}


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Looked up once: the environment stays, and every package has to be opened."""
    return packages_distributions()


def _imports(code: bytes, module: str, *, is_package: bool) -> Iterator[str]:
    """Names that the code imports anywhere in it, of modules or of what is in them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")
            kept = len(above) - node.level + (1 if is_package else 0)
            base = ".".join([*above[:kept], *([node.module] if node.module else [])]) if node.level else node.module
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    """The .py file of a module; None for what has none or is no module."""
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # it imports the packages that the module is in, whose code may raise anything
        return None
    origin = spec.origin if spec is not None else None
    return Path(origin) if origin is not None and origin.endswith(".py") and Path(origin).is_file() else None


@functools.cache
def _is_installed(top: str) -> bool:
    """Whether a module without dots is Python's or an installed package's, of which the version says enough."""
    if top in sys.stdlib_module_names:
        return True
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec is not None else []
    return any(not _INSTALLED.isdisjoint(Path(place).parts) for place in places if place)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _plain(value: Any) -> Any:
    if isinstance(value, pa.Schema):
        return _digest(value.serialize().to_pybytes().hex())
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(value[name]) for name in sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
