"""The trainings under examples/: their runs, hooks, data, and the figure that each says it reaches."""

from __future__ import annotations

import importlib.util
import operator
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
REACHES = "examples.trainingrun.dev/reaches"
MOUNT = Path("/mnt/cluster_storage")
_COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Figure:
    """What a training has to reach in its last epoch, as in `validation_accuracy >= 0.9`."""

    metric: str
    comparison: str
    bar: float

    @classmethod
    def of(cls, text: str) -> Figure:
        match = re.fullmatch(r"(\w+) (>=|<=) ([0-9.]+)", text)
        assert match, text
        return cls(match[1], match[2], float(match[3]))

    def is_met(self, metrics: dict[str, float]) -> bool:
        return self.metric in metrics and bool(_COMPARISONS[self.comparison](metrics[self.metric], self.bar))


@dataclass(frozen=True)
class Example:
    """One folder of examples/."""

    name: str

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def run_file(self) -> Path:
        return self.folder / "run.yaml"

    def document(self) -> dict[str, Any]:
        """A fresh copy."""
        document: dict[str, Any] = yaml.safe_load(self.run_file.read_text())
        return document

    @property
    def has_recipe(self) -> bool:
        """Whether it is the built-in loop that trains it, and not a script of its own."""
        return "recipe" in self.document()["spec"]

    @property
    def figure(self) -> Figure:
        return Figure.of(self.document()["metadata"]["annotations"][REACHES])

    def data_folder(self, volume: Path) -> Path:
        """Where the run looks for its data if `volume` stands in for its volume."""
        if not self.has_recipe:
            return volume / "datasets" / self.name
        train = Path(self.document()["spec"]["recipe"]["dataset"]["train"]["path"])
        return volume / train.parent.relative_to(MOUNT)

    def write_data(self, volume: Path) -> None:
        """What `python data.py FOLDER` does."""
        spec = importlib.util.spec_from_file_location(f"{self.name}_data", self.folder / "data.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.make(self.data_folder(volume))


EXAMPLES = [Example(path.parent.name) for path in sorted(FOLDER.glob("*/run.yaml"))]
RECIPES = [example for example in EXAMPLES if example.has_recipe]
