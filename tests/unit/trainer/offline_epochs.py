"""A training of two epochs without Ray, each of which is validated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import offline_parts
import torch
from offline_parts import VALIDATED, News, Plan, evenly, recipe

VALIDATION = [[[0, 1, 2]], [[3, 4]], [[5]]]


def plan(checkpoints: dict[str, Any] | None = None, **changes: Any) -> Plan:
    return Plan(
        recipe(**{"dataset": VALIDATED, **changes}),
        evenly(offline_parts.ROWS, 8),
        checkpoints=checkpoints or {},
        validation=VALIDATION,
    )


def steps(news: News) -> list[tuple[int, int]]:
    return [(saved.position.epoch, saved.position.step) for saved in news.saved]


def assert_same_model(one: SimpleNamespace, other: SimpleNamespace) -> None:
    for name, value in offline_parts.loaded(one)["model"].items():
        torch.testing.assert_close(value, offline_parts.loaded(other)["model"][name], msg=name)
