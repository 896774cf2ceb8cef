"""What the contestants on torch share: a JPEG as a tensor, and the two sets as map-style datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2.functional import resize

from bench.league.protocol import SIDE, Task


def decoded(jpeg: bytes) -> torch.Tensor:
    """uint8 (3, 224, 224)."""
    data = torch.frombuffer(bytearray(jpeg), dtype=torch.uint8)
    return resize(decode_jpeg(data, mode=ImageReadMode.RGB), [SIDE, SIDE])


def image_of(sample: dict[str, Any]) -> torch.Tensor:
    """The image of a sample that has either the bytes of a JPEG or those of a raw row."""
    if "jpeg" in sample:
        return decoded(sample["jpeg"])
    return torch.frombuffer(bytearray(sample["raw"]), dtype=torch.uint8).reshape(28, 28)


def sample_of(task: Task, row: int, raw: np.ndarray | None) -> dict[str, Any]:
    """The sample that `image_of` takes, with its number, for formats that store samples."""
    return {"id": row, "jpeg": task.jpeg(row)} if raw is None else {"id": row, "raw": raw[row].tobytes()}


class Rows(torch.utils.data.Dataset[Any]):
    """Map-style: (numbers, images). Several rows at a time where torch asks for them, as it does since 2.0."""

    def __init__(self, task: Task):
        self._task = task
        self._raw = task.raw() if task.kind == "raw" else None

    def __len__(self) -> int:
        return self._task.rows

    def __getitems__(self, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        if self._raw is not None:
            return torch.tensor(rows), torch.from_numpy(self._raw[rows])
        return torch.tensor(rows), torch.stack([decoded(self._task.jpeg(row)) for row in rows])


def as_it_is(batch: Any) -> Any:
    """The collate function of `Rows`."""
    return batch
