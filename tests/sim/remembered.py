"""Parsing and rendering, each done once for the same input: thousands of operators live here, with the same few runs.

Both are pure and have tests of their own; nothing else may be remembered here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from trainingrun.engine import create_attempt
from trainingrun.observed import RunObject, runs
from trainingrun.render import RenderSettings
from trainingrun.spec import Run

Body = dict[str, Any]


def remember(patch: pytest.MonkeyPatch) -> None:
    """Put the remembering functions in the place of the real ones."""
    patch.setattr(runs, "parse", _parsing(runs.parse))
    patch.setattr(create_attempt, "ray_job", _rendering(create_attempt.ray_job))


def _parsing(parse: Callable[[Body], Run]) -> Callable[[Body], Run]:
    known: dict[str, Run] = {}

    def parsed(document: Body) -> Run:
        metadata = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
        key = json.dumps([metadata, document["spec"]])
        if key not in known:
            known[key] = parse(document)
        return known[key]

    return parsed


def _rendering(ray_job: Callable[[RunObject, int, RenderSettings, str | None], Body]) -> Callable[..., Body]:
    # Runs of the same spec and names are one object, thanks to `_parsing`, which keeps it alive.
    known: dict[tuple[int, int, RenderSettings, str | None], Body] = {}

    def rendered(run: RunObject, attempt: int, settings: RenderSettings, initial: str | None) -> Body:
        key = id(run.run), attempt, settings, initial
        if key not in known:
            known[key] = ray_job(run, attempt, settings, initial)
        return known[key]

    return rendered
