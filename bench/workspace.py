"""The files that figures measure with, made once for all figures of a run and removed at its end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.arrays import make_arrays


@dataclass(frozen=True)
class Workspace:
    """A folder for a run of the bench. `is_quick` asks figures for sizes that try the code and measure nothing."""

    folder: Path
    is_quick: bool

    def arrays(self, rows: int) -> Path:
        """A folder with images.npy and labels.npy of so many rows."""
        folder = self.folder / f"arrays-{rows}"
        if not folder.exists():
            folder.mkdir()
            images, labels = make_arrays(rows)
            np.save(folder / "images.npy", images)
            np.save(folder / "labels.npy", labels)
        return folder

    def list_file(self, rows: int) -> Path:
        """The same rows as people write them: a DataFrame of nested lists, one row group."""
        path = self.folder / f"lists-{rows}.parquet"
        if not path.exists():
            import pandas

            images, labels = load_arrays(self.arrays(rows))
            pandas.DataFrame({"image": images.tolist(), "label": labels}).to_parquet(path)
        return path

    def converted(self, rows: int) -> Path:
        """The same rows as `trainingrun convert` writes them."""
        folder = self.folder / f"converted-{rows}"
        if not folder.exists():
            from trainingrun_trainer.convert import convert

            images, labels = load_arrays(self.arrays(rows))
            convert({"image": images, "label": labels}, folder)
        return folder


def load_arrays(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of `Workspace.arrays`."""
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


@contextmanager
def open_workspace(*, is_quick: bool) -> Iterator[Workspace]:
    """A workspace in the system's folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="trainingrun-bench-") as folder:
        yield Workspace(Path(folder), is_quick)
