"""Tries everything that a recipe computes on one batch, on copies, before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Findings:
    """What the dry run has found out."""

    decisions: Any = None
    notices: tuple[str, ...] = ()
    unused_parameters: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    sentence: str = ""


def dry_run(objects: Any, batch: dict[str, Any], *, has_validation: bool, session: Any) -> Findings:
    """Try one batch. Raises InvalidConfiguration."""
    return Findings()
