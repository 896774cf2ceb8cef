"""The TrainingRun that a figure trains, as the document that `trainingrun local -f` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HOOKS = "bench.training.hooks"


@dataclass(frozen=True)
class Recipe:
    """What differs between the bench's runs. `model` is a hook's name; the rest is as in a TrainingRun."""

    data: Path
    epochs: int
    batch_rows: int
    model: dict[str, Any]
    hooks: dict[str, Any] = field(default_factory=dict)
    checkpoint_steps: int | None = None


def resnet18() -> dict[str, Any]:
    """The reference model."""
    return {"function": "trainingrun_trainer.vision:resnet18"}


def hook(name: str, **parameters: Any) -> dict[str, Any]:
    """A function of bench.training.hooks."""
    return {"function": f"{_HOOKS}:{name}", "parameters": parameters}


def document(name: str, recipe: Recipe, storage: Path) -> dict[str, Any]:
    """The whole document."""
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {
            "image": "unused",
            "backoffLimit": 100,
            "recipe": {
                "dataset": {"train": {"format": "Parquet", "path": str(recipe.data)}},
                "model": recipe.model,
                "epochs": recipe.epochs,
                "globalBatchSize": recipe.batch_rows,
                **recipe.hooks,
            },
            "storage": {
                "uri": f"file://{storage}",
                "checkpoints": {"everySteps": recipe.checkpoint_steps} if recipe.checkpoint_steps else {},
            },
        },
    }
