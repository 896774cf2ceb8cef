"""A recipe's objects without Ray, and batches to try them on: a test names only what it is about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import trial_losses
from run_samples import run_of

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.dry_run import Findings, dry_run
from trainingrun_trainer.train.recipe_objects import RecipeObjects, build_model, build_optimizer, build_scheduler

CPU = torch.device("cpu")
ROWS = 32


def call(function: str, **parameters: Any) -> dict[str, Any]:
    """A hook of a recipe; a function without a module is one of trial_losses or trial_functions."""
    module = "trial_losses" if hasattr(trial_losses, function) else "trial_functions"
    return {"function": function if ":" in function else f"{module}:{function}", "parameters": parameters}


def linear(outputs: int, inputs: int = 4) -> dict[str, Any]:
    """A model of one layer."""
    return call("torch.nn:Linear", in_features=inputs, out_features=outputs)


def recipe_of(*, inputs: tuple[str, ...] = ("x",), targets: tuple[str, ...] = ("y",), **fields: Any) -> Recipe:
    """A recipe of columns x and y."""
    source = {"format": "Parquet", "path": "/data/train"}
    dataset = {"train": source, "inputColumns": list(inputs), "targetColumns": list(targets)}
    run = run_of(recipe={"dataset": dataset, "globalBatchSize": 5040, "model": linear(2), **fields})
    assert run.spec.recipe is not None
    return run.spec.recipe


def trained(recipe: Recipe) -> RecipeObjects:
    """What the recipe makes."""
    model = build_model(recipe)
    computation = Computation(recipe, CPU)
    optimizer = build_optimizer(recipe, model, computation.loss_parameters())
    return RecipeObjects(recipe, model, optimizer, build_scheduler(recipe, optimizer), computation)


def session(world_size: int = 1) -> Any:
    """What a dry run looks at of a session."""
    return SimpleNamespace(world_size=world_size, device=CPU)


def tried(batch: dict[str, Any], **fields: Any) -> Findings:
    """What a dry run of a recipe finds in a batch."""
    made = trained(recipe_of(**fields))
    return dry_run(made, batch, has_validation=True, session=session())


def table(classes: int = 2, rows: int = ROWS) -> dict[str, torch.Tensor]:
    """A batch of four numbers a row, and classes."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(rows) % classes
    return {"x": torch.randn(rows, 4, generator=generator), "y": labels}


def prices(rows: int = ROWS) -> dict[str, torch.Tensor]:
    """A batch of four numbers a row, and a number to predict from them."""
    batch = table(rows=rows)
    return {**batch, "y": batch["x"] @ torch.tensor([3.0, -2.0, 1.0, 0.5]) + 1}


def changed(batch: dict[str, torch.Tensor], **columns: torch.Tensor) -> dict[str, torch.Tensor]:
    """The batch with these columns instead of its own."""
    return {**batch, **columns}
