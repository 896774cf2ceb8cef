"""Transforms that draw random numbers, as the author of a run writes them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2


def draws(batch: dict[str, Any], *, seeds: Any, training: bool) -> dict[str, Any]:
    return {"label": batch["label"], "drawn": seeds}


def draws_by_row(row: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"label": row["label"], "drawn": seed}


CROP = v2.Compose([v2.ToImage(), v2.RandomCrop((3, 4)), v2.RandomHorizontalFlip()])


def crops_as_a_notebook_does(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": CROP(row["image"]), "label": row["label"]}


def jitters_with_every_generator(row: dict[str, Any]) -> dict[str, Any]:
    return {"a": random.random(), "b": np.random.random(), "c": float(torch.rand(()))}


def draws_of_copies(row: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**row, "drawn": seed}


def wants_one_seed(batch: dict[str, Any], *, seed: int = 0) -> dict[str, Any]:
    return batch
