"""Steps of an author's whose results a cache may keep, and others."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from trainingrun_trainer import uncached


def halve(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "image": batch["image"] // 2}


def with_nan(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "value": np.full(len(batch["label"]), np.nan)}


def keep_even(row: dict[str, Any]) -> dict[str, Any] | None:
    return None if row["label"] % 2 else row


def twice(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [row, row]


def flip(row: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**row, "image": row["image"][::-1] if seed % 2 else row["image"]}


def noise(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "value": random.random()}


def own_noise(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "value": np.random.default_rng().random(len(batch["label"]))}


def rare_noise(row: dict[str, Any]) -> dict[str, Any]:
    """Random for the later rows only, which no sample of the first ones shows."""
    return {**row, "value": random.random() if row["label"] >= 1000 else 0.0}


@uncached
def marked(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


class Plain:
    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return batch


class Seeded(Plain):
    def __call__(self, batch: dict[str, Any], seeds: Any) -> dict[str, Any]:  # type: ignore[override]
        return batch


@uncached
class Marked(Plain):
    pass
