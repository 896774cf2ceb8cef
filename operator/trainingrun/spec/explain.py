"""Which field of a run came from where: from the run itself, from its runtime, or from the API's defaults. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from trainingrun.spec.located import LoadedRun
from trainingrun.spec.merge import leaves, origin
from trainingrun.spec.paths import join_path


class Explained(NamedTuple):
    """A field with a value of its own. `origin` is `run`, `default`, or the runtime by its kind and name."""

    field: str
    value: Any
    origin: str


def explained(loaded: LoadedRun) -> Iterator[Explained]:
    """Every field that has a value, defaults included, in the order of the API."""
    spec = loaded.run.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    template = loaded.runtime.template if loaded.runtime is not None else {}
    for steps, value in leaves(spec):
        if value not in ([], {}):
            found = origin(steps, template, loaded.document["spec"])
            whence = str(loaded.runtime) if found == "runtime" else found
            yield Explained(join_path(("spec", *steps)), value, whence)
