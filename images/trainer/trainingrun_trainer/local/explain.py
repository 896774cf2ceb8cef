"""Explains a run without training it: its first rows go through transform, collate, model and loss on the CPU.

Starts no Ray and writes nothing. What it finds is what the trainers find on their first batch.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import torch

from trainingrun.contract.exits import Exit
from trainingrun.spec import Run
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.driver.decisions import decisions, stored_columns
from trainingrun_trainer.driver.plan import Plan, plan_of
from trainingrun_trainer.explanation import Explanation
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.train.call_watch import shape_of
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.dry_run import Findings, dry_run
from trainingrun_trainer.train.recipe_objects import (
    RecipeObjects,
    build_model,
    build_optimizer,
    build_scheduler,
    trainer_transform,
)

_CPU = torch.device("cpu")


def explain(run: Run, workers: Workers) -> Exit:
    """Print the explanation of `run` with these workers; what is wrong with it goes to standard error."""
    try:
        lines = explanation(run, workers).lines()
    except Exception as error:  # the author's code may raise anything
        failure = failure_of(error)
        print(failure.text, file=sys.stderr)
        return failure.exit
    print("\n".join(lines))
    return Exit.COMPLETE


def explanation(run: Run, workers: Workers) -> Explanation:
    """What becomes of the first rows of `run`. Raises what a trainer raises on them."""
    if run.spec.recipe is None:
        raise InvalidConfiguration("spec.recipe: missing; only a recipe can be explained, not a trainer.command")
    plan = plan_of(run, workers)
    transform_gets, batch = _first_batch(plan)
    findings = Findings() if plan.recipe.loop is not None else _tried(plan, batch)
    columns = {name: shape_of(value) for name, value in batch.items()}
    return Explanation(
        stored=stored_columns(plan.listings["train"]),
        transform_gets=transform_gets,
        model_gets=findings.model_gets or columns,
        loss_gets=findings.loss_gets,
        decisions=(*decisions(plan), *findings.said, *_measured(findings)),
        doubts=findings.doubts,
    )


def _first_batch(plan: Plan) -> tuple[dict[str, str], dict[str, Any]]:
    """What the transform gets, in words, and the batch as the model gets it."""
    hook = plan.recipe.collate
    collate = Collate(hook_of("spec.recipe.collate", hook, "collate")) if hook else Collate()
    rows = plan.listings["train"].inspection.sample.slice(0, plan.share)
    if plan.transform is not None:
        gets = stored_columns(plan.listings["train"])
        rows = plan.transform(rows)
    batch = collate(rows)
    if plan.transform is None:
        gets = {name: shape_of(value) for name, value in batch.items()}
    return gets, trainer_transform(plan.recipe, training=True)(batch)


def _tried(plan: Plan, batch: dict[str, Any]) -> Findings:
    recipe = plan.recipe
    torch.manual_seed(recipe.seed)
    model = build_model(recipe)
    computation = Computation(recipe, _CPU)
    optimizer = build_optimizer(recipe, model, computation.loss_parameters())
    made = RecipeObjects(recipe, model, optimizer, build_scheduler(recipe, optimizer), computation)
    session = SimpleNamespace(run=plan.run, recipe=recipe, rank=0, world_size=1, device=_CPU)
    has_validation = recipe.dataset.validation is not None
    return dry_run(made, batch, has_validation=has_validation, session=session)


def _measured(findings: Findings) -> list[str]:
    return [f"measured: {', '.join(findings.metrics)}"] if findings.metrics else []
