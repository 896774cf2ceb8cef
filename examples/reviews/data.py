"""Writes the reviews of this example as JSON lines: `python data.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

GOOD = ("brilliant", "charming", "clever", "funny", "gripping", "moving", "superb", "warm")
BAD = ("bland", "clumsy", "dull", "flat", "noisy", "predictable", "silly", "tedious")
THINGS = ("acting", "camera", "cast", "dialogue", "ending", "music", "plot", "story")


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 1500), ("validation", 300)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(_review(generator)) + "\n" for _ in range(rows)]
        (folder / part / "reviews.jsonl").write_text("".join(lines))


def _review(generator: np.random.Generator) -> dict[str, object]:
    """A sentence with more praise than blame, or the reverse."""
    label = int(generator.integers(0, 2))
    mostly, hardly = (GOOD, BAD) if label else (BAD, GOOD)
    words = [*generator.choice(mostly, 3, replace=False), str(generator.choice(hardly))]
    things = generator.choice(THINGS, 4, replace=False)
    parts = [f"{thing} was {word}" for thing, word in zip(things, generator.permutation(words), strict=True)]
    return {"text": f"The {', the '.join(parts[:3])}, but the {parts[3]}.", "label": label}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
