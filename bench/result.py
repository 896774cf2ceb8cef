"""What a figure's measurement returns, and how it is kept: raw values, never only a summary of them."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One row of the table: a value for each round, in `unit`."""

    name: str
    title: str
    unit: str
    values: list[float]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Result:
    """A figure: its rows, and in `raw` whatever they were worked out from."""

    figure: str
    measures: list[Measure]
    raw: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path, machine: dict[str, Any]) -> None:
        """Keep it as <figure>.json in `folder`."""
        document = {"machine": machine, **rounded(dataclasses.asdict(self))}
        (folder / f"{self.figure}.json").write_text(json.dumps(document, indent=1) + "\n")


def read_results(folder: Path) -> list[tuple[Result, dict[str, Any]]]:
    """Every result in `folder` with the machine it was measured on, by name of the figure."""
    results = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        measures = [Measure(**measure) for measure in document["measures"]]
        results.append((Result(document["figure"], measures, document["raw"]), document["machine"]))
    return results


def rounded(value: Any) -> Any:
    """`value` with its floats cut to five significant digits: more would only be noise in the file."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
