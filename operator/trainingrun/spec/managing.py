"""What can still be read of a spec that is not valid, so that a run which began before it was not stays manageable.

A stricter version of the operator, or a change past the API server, must not leave pods that nobody can suspend, limit
or clear away. Nothing may be rendered of such a spec.
"""

from __future__ import annotations

import contextlib
from typing import Any

from trainingrun.spec.plain import PlainCopy
from trainingrun.spec.run import RunSpec
from trainingrun.spec.storage import Storage

# Stands for a storage that cannot be read; nothing is ever stored there.
UNREADABLE_STORAGE = Storage.model_validate({"uri": "unreadable://storage"})
_LEAST: dict[str, Any] = {"image": "unreadable", "storage": UNREADABLE_STORAGE}


def manageable_spec(document: object) -> RunSpec:
    """The fields of the document's spec that are valid by themselves; the others have their defaults. Never raises."""
    spec = document.get("spec") if isinstance(document, dict) else None
    readable = dict(_LEAST)
    for name, value in spec.items() if isinstance(spec, dict) else ():
        with contextlib.suppress(Exception):  # also of a fault of ours: the run has to be managed all the same
            plain = PlainCopy().copy(value)
            RunSpec.model_validate({**_LEAST, name: plain})
            readable[name] = plain
    return RunSpec.model_validate(readable)
