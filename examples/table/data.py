"""Writes the table of this example: `python data.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def make(folder: Path) -> None:
    """Write `train` and `validation` below `folder`."""
    generator = np.random.default_rng(0)
    for part, rows in (("train", 1500), ("validation", 300)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        _rows(generator, rows).to_csv(folder / part / "customers.csv", index=False)


def _rows(generator: np.random.Generator, rows: int) -> pd.DataFrame:
    age = generator.integers(18, 90, rows)
    income = generator.normal(50_000, 12_000, rows).round(2)
    city = generator.choice(["Bergen", "Gent", "Porto"], rows)
    member = generator.random(rows) < 0.3
    interest = (age - 50) / 20 + (income - 50_000) / 15_000 + 2.0 * member + 1.5 * (city == "Porto") - 1.0
    bought = (interest + generator.normal(0, 0.15, rows) > 0).astype(int)
    return pd.DataFrame({"age": age, "income": income, "city": city, "member": member, "bought": bought})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
