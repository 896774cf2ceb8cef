"""The other baseline: torch's DataLoader with two workers and the same row transform, on arrays in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset

from bench.pipelines.epoch import checked, timed
from bench.pipelines.transforms import transform_images
from bench.workspace import load_arrays


class _Rows(Dataset[dict[str, Any]]):
    def __init__(self, arrays: Path):
        self._images, self._labels = load_arrays(arrays)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return transform_images({"image": self._images[place], "label": self._labels[place]})


class Loader:
    """See the module."""

    def __init__(self, arrays: Path, rows: int, workers: int):
        self._rows = rows
        self._loader = DataLoader(_Rows(arrays), batch_size=512, num_workers=workers)

    def epoch(self) -> dict[str, Any]:
        """One epoch, timed."""
        return timed(lambda: self._loader, self._rows)

    def check(self, arrays: Path) -> dict[str, Any]:
        """One epoch, compared."""
        return checked(lambda: self._loader, self._rows, arrays)

    def close(self) -> None:
        """Nothing to stop: the workers end with each epoch."""
