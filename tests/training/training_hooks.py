"""Functions that the runs of these tests name in their recipes; Ray's processes import this module by its name."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch


def small_net(classes: int = 10, norm: bool = True) -> torch.nn.Module:
    layers = [torch.nn.Conv2d(1, 4, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36, classes)]
    return torch.nn.Sequential(*([torch.nn.BatchNorm2d(1)] if norm else []), *layers)


def dropping_net() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Dropout(0.1), *small_net())


def ray_is_loaded(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.tensor(float("ray" in sys.modules))


def squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Labels are row numbers in these tests; any loss of them will do."""
    return ((outputs.sum(dim=1) - targets.float() / 1000) ** 2).mean()


def zero(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.zeros(())


def record_rows(session: Any, folder: str, seconds_per_step: float = 0.0) -> None:
    """A loop that learns nothing and writes down, before each checkpoint, which rows it has been given."""
    session.restore()
    state = {"step": 0}
    while session.position.epoch < session.recipe.epochs:
        epoch, seen = session.position.epoch, []
        for step in session.train_steps():
            if step.batch is not None:
                seen += step.batch["label"].tolist()
            session.count_step()
            session.publish(lambda: {})
            time.sleep(seconds_per_step)
        name = f"epoch-{epoch}-rank-{session.rank}-pid-{os.getpid()}.json"
        (Path(folder) / name).write_text(json.dumps(seen))
        if session.should_stop:
            session.save(state, {})
            return
        session.end_epoch({})
        session.save(state, {})


def slow_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], state: Any, seconds: float) -> torch.Tensor:
    """A step that takes long enough to be interrupted."""
    time.sleep(seconds)
    return squared_error(model(batch["image"]), batch["label"])


def failing_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], state: Any) -> torch.Tensor:
    raise ValueError("the author's mistake")


def failing_row(row: dict[str, Any]) -> dict[str, Any]:
    if row["label"] == 700:
        raise ValueError(f"cannot prepare row {row['label']}")
    # As a model takes it: the first batches come before that row, and are trained on.
    return transform_images(row)


def transform_images(row: dict[str, Any]) -> dict[str, Any]:
    """As written in a notebook for `ray.data.read_parquet(...).map(transform_images)`."""
    from PIL import Image
    from torchvision.transforms import Compose, Normalize, ToTensor

    transform = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    image_arr = np.array(row["image"], dtype=np.uint8)
    row["image"] = transform(Image.fromarray(image_arr))
    return row


def slow_rows(batch: dict[str, Any], seconds_per_row: float) -> dict[str, Any]:
    time.sleep(seconds_per_row * len(batch["label"]))
    return batch
