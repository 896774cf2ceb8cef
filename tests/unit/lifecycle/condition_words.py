"""What a status says in a condition."""

from __future__ import annotations

from typing import Any

from seen_objects import NOW, status_of

from trainingrun.observed import Observed, RunObject


def condition(written: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(entry for entry in written["conditions"] if entry["type"] == kind)


def said(run: RunObject, observed: Observed, kind: str) -> tuple[str, str, str]:
    found = condition(status_of(run, observed, NOW), kind)
    return found["status"], found["reason"], found["message"]
