"""Explains a run without training it: its first rows go through transforms, collate, model and loss on the CPU.

Starts no Ray and writes nothing. What it finds is what the trainers find on their first batch.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import torch

from trainingrun.contract.exits import Exit
from trainingrun.spec import Run
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.columns import words_of
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.steps import trainer_steps
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.data.transform_check import refuse_missing_return
from trainingrun_trainer.driver.decisions import decisions, stored_columns
from trainingrun_trainer.driver.plan import Plan, plan_of
from trainingrun_trainer.explanation import Explanation, StepShown
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration
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
    steps, batch = _first_batch(plan)
    findings = Findings() if plan.recipe.loop is not None else _tried(plan, batch)
    columns = {name: shape_of(value) for name, value in batch.items()}
    return Explanation(
        stored=stored_columns(plan.listings["train"]),
        model_gets=findings.model_gets or columns,
        loss_gets=findings.loss_gets,
        steps=steps,
        decisions=(*decisions(plan), *findings.said, *_measured(findings)),
        doubts=findings.doubts,
    )


def _first_batch(plan: Plan) -> tuple[tuple[StepShown, ...], dict[str, Any]]:
    """What each step of preprocessing does, and the batch as the model gets it."""
    hook = plan.recipe.collate
    collate = Collate(hook_of("spec.recipe.collate", hook, "collate")) if hook else Collate()
    rows = plan.listings["train"].inspection.sample.slice(0, plan.share)
    shown = []
    for step in plan.transform.steps if plan.transform is not None else ():
        rows, one = _on_data(step, rows)
        shown.append(one)
    if not rows.num_rows:
        raise DataError("the transforms leave out all of the first rows, so that nothing is left to explain")
    batch = collate(rows)
    for step in trainer_steps(plan.recipe):
        batch, one = _on_trainer(step, batch)
        shown.append(one)
    return tuple(shown), batch


def _on_data(step: Step, rows: pa.Table) -> tuple[pa.Table, StepShown]:
    chain = Chain((step,))
    chain.build()
    made = chain(rows)
    refuse_missing_return(chain)
    tried = chain.tried[step.label]
    return made, StepShown(
        title=f"{step.label} {step.function}",
        place=f"{step.kind}, on the data group",
        gets=words_of(rows),
        returns=words_of(made),
        rows_in=tried.rows_in,
        rows_out=tried.rows_out,
        seconds=tried.seconds,
        bytes_in=rows.nbytes,
        bytes_out=made.nbytes,
    )


def _on_trainer(step: Step, batch: dict[str, Any]) -> tuple[dict[str, Any], StepShown]:
    step.callable()
    gets = dict(batch)
    began = time.perf_counter()
    made = step.batch(dict(batch), training=True)
    seconds = time.perf_counter() - began
    return made, StepShown(
        title=f"{step.label} {step.function}",
        place=f"{step.kind}, on the trainer, on whole batches",
        gets={str(name): shape_of(value) for name, value in gets.items()},
        returns={str(name): shape_of(value) for name, value in made.items()},
        rows_in=_rows(gets),
        rows_out=_rows(made),
        seconds=seconds,
        bytes_in=_bytes(gets),
        bytes_out=_bytes(made),
    )


def _rows(batch: dict[str, Any]) -> int:
    return next((len(value) for value in batch.values() if isinstance(value, torch.Tensor) and value.ndim), 1)


def _bytes(batch: dict[str, Any]) -> int:
    return sum(value.nbytes for value in batch.values() if isinstance(value, torch.Tensor))


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
