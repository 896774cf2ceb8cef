"""Trains small runs in this process, without Ray: of pictures of one colour each, whose label is their number.

What validation has seen, by label, is in SEEN: the functions of the recipe here keep it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from trainingrun.contract.records import AttemptStarted, Notice, Record
from trainingrun.spec import parse
from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.local import debug
from trainingrun_trainer.local.direct_driver import DirectDriver
from trainingrun_trainer.local.machine import Size

ALONE = Size(
    trainers=1,
    trainer_nodes=1,
    cpus_per_trainer=1,
    gpus_per_trainer=0,
    data_nodes=1,
    data_cpus=1,
    object_store_bytes=128 << 20,
)
SEEN: dict[int, float] = {}


class Net(torch.nn.Module):
    def __init__(self, hidden: int = 4, copies: int = 1):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, hidden), torch.nn.ReLU())
        self.heads = torch.nn.ModuleList([torch.nn.Linear(hidden, 1) for _ in range(copies)])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hidden = self.body(self.norm(image))
        return sum(head(hidden) for head in self.heads)


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs.squeeze(1) / 10 - targets / 10) ** 2).mean()


def kept(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    SEEN.update(zip(targets.tolist(), outputs.squeeze(1).tolist(), strict=True))
    return outputs.mean()


def dimmed(batch: dict[str, Any], *, training: bool) -> dict[str, Any]:
    return {**batch, "image": batch["image"] // 2 + (100 if training else 0)}


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (11, 9, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pictures(path: Path, numbers: range) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"image": pa.array([picture(n) for n in numbers], pa.binary()), "label": pa.array(list(numbers))}
    pq.write_table(pa.table(columns), path)
    return path


def recipe(folder: Path, **fields: Any) -> dict[str, Any]:
    source = {"format": "Parquet", "imageSize": {"height": 8, "width": 8}, "imageMode": "RGB"}
    return {
        "dataset": {
            "train": {**source, "path": str(folder / "train.parquet")},
            "validation": {**source, "path": str(folder / "validation.parquet")},
        },
        "transforms": [
            {"function": f"{__name__}:dimmed", "kind": "Batch"},
            {"function": "trainingrun_trainer.vision:normalize", "kind": "Batch"},
        ],
        "model": {"function": f"{__name__}:Net"},
        "loss": {"function": f"{__name__}:squared"},
        "metric": {"function": f"{__name__}:kept"},
        "globalBatchSize": 8,
        "epochs": 2,
        **fields,
    }


def train(folder: Path, name: str, recipe: dict[str, Any]) -> list[Record]:
    """The records of one attempt at a run below `folder`; whatever it raises goes on."""
    storage = {"uri": f"file://{folder}", "checkpoints": {"best": {"metric": "loss", "mode": "Min"}, "numToKeep": 9}}
    run = parse(
        {
            "apiVersion": "trainingrun.dev/v1beta1",
            "kind": "TrainingRun",
            "metadata": {"name": name},
            "spec": {"image": "trainer:1", "recipe": recipe, "storage": storage},
        }
    )
    records: list[Record] = []
    debug._train(run, ALONE, 0, DirectDriver(run, storage_of(run), 0, records.append), None)
    return records


def started(records: list[Record]) -> AttemptStarted:
    return next(record for record in records if isinstance(record, AttemptStarted))


def said(records: list[Record]) -> str:
    return "\n".join(record.message for record in records if isinstance(record, Notice))
