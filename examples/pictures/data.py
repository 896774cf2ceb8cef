"""Writes the pictures of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cross", "disc", "stripes")
SIDE = 16


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`, with a folder for each class."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 300), ("validation", 80)):
        for kind in CLASSES:
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            for number in range(rows):
                Image.fromarray(_picture(generator, kind)).save(folder / part / kind / f"{number:04d}.png")


def _picture(generator: np.random.Generator, kind: str) -> np.ndarray:
    down, across = np.mgrid[:SIDE, :SIDE] - generator.integers(5, 11, (2, 1, 1))
    if kind == "disc":
        shape = down**2 + across**2 <= 12
    elif kind == "cross":
        shape = (np.minimum(abs(down), abs(across)) == 0) & (np.maximum(abs(down), abs(across)) <= 4)
    else:
        shape = (down % 3 == 0) & (abs(across) <= 4)
    noise: np.ndarray = generator.integers(0, 80, (SIDE, SIDE))
    return (noise + shape * 150).astype(np.uint8)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
