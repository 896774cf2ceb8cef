"""Images like MNIST's, made here: strokes on black, each row with its own number in its first pixels.

The number makes it possible to prove, at the far end of any pipeline, that every row came out once.
"""

from __future__ import annotations

import numpy as np

SIDE = 28
_STEPS = 30
# Rows made at a time: enough to be fast, few enough to stay small.
_CHUNK = 50_000


def make_arrays(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 of shape (rows, 28, 28), and labels 0..9, int64 of shape (rows,). At most 2**24 rows."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, rows)
    images = np.zeros((rows, SIDE, SIDE), np.uint8)
    for first in range(0, rows, _CHUNK):
        part = slice(first, min(first + _CHUNK, rows))
        for turn in (0.0, 2.0):
            _draw(images[part], labels[part], turn, generator)
    numbers = np.arange(rows)
    for place in range(3):
        images[:, 0, place] = (numbers >> (8 * place)) & 255
    return images, labels


def row_numbers(pixels: np.ndarray) -> np.ndarray:
    """The rows' numbers, int64, from their first three pixels as the model sees them, floats of shape (rows, 3)."""
    values = np.rint((pixels * 0.5 + 0.5) * 255).astype(np.int64)
    return values @ (1 << (8 * np.arange(3)))


def _draw(images: np.ndarray, labels: np.ndarray, turn: float, generator: np.random.Generator) -> None:
    """One stroke on each image, three pixels wide, in a direction and a bend that its label decides."""
    rows = len(images)
    every = np.arange(rows)
    angle = labels * (2 * np.pi / 10) + turn + generator.normal(0, 0.2, rows)
    bend = (labels % 3 - 1) * 0.1 + generator.normal(0, 0.02, rows)
    x, y = generator.normal(13, 1, (2, rows))
    for _ in range(_STEPS):
        x += 0.5 * np.cos(angle)
        y += 0.5 * np.sin(angle)
        angle += bend
        column, line = (np.clip(axis, 1, SIDE - 4).astype(np.int64) for axis in (x, y))
        for right, down in ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)):
            images[every, line + down, column + right] = generator.integers(120, 256, rows)
