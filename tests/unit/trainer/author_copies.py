"""Transforms that make several rows of one, as the author of a run writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainingrun_trainer import PARENT


def as_often_as_labelled(row: dict[str, Any]) -> Any:
    """Row 0 never, row 1 once, row 2 twice, …"""
    for copy in range(int(row["label"])):
        yield {"label": row["label"], "copy": copy}


def copies_below(batch: dict[str, Any], *, most: int) -> dict[str, Any]:
    kept = np.flatnonzero(batch["copy"] < most)
    return {**{name: values[kept] for name, values in batch.items()}, PARENT: kept}


def chunks(batch: dict[str, Any]) -> dict[str, Any]:
    """What as_often_as_labelled does, as tokenizers return it, and backwards."""
    parents = np.repeat(np.arange(len(batch["label"])), batch["label"])[::-1]
    return {"label": batch["label"][parents], PARENT: parents}


def wrong_parents(batch: dict[str, Any], *, parents: list[float]) -> dict[str, Any]:
    return {"label": batch["label"][: len(parents)], PARENT: np.array(parents)}
