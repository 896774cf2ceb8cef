"""Measures what a row of a run costs: reading and each step on one CPU, and how fast one trainer takes rows.

Starts no Ray and writes nothing. Everything is done once before it is measured, since imports and first calls are no
part of a row's cost.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data import READ_BYTES
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.mixing import bundles_of, gather
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.seeds import EPOCH_SEED
from trainingrun_trainer.data.slabs import SlabReader, SlabReport
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.forecast.model import Costs
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.dry_run import dry_run
from trainingrun_trainer.train.recipe_objects import (
    RecipeObjects,
    build_model,
    build_optimizer,
    build_scheduler,
    trainer_transform,
)
from trainingrun_trainer.train.steps import autocast

_EPOCH = Epoch(0, 0, shuffle=True)
_WARM_ROWS = 8
# Steps of training: enough for a median, but no more than a user likes to wait for.
_MOST_STEPS, _LEAST_STEPS, _STEPS_SECONDS = 20, 3, 10.0
# What the steps' own seconds leave: copies in and out of what functions are called with.
HANDLING = "handling"


def costs_of(plan: Plan, sample: int, trainer_rate: float | None) -> Costs:
    """The costs of about `sample` rows of the training data. Raises what the author's code raises, or DataError.

    Trainers are measured unless `trainer_rate` says it, or this machine cannot: see `trainer_device`.
    """
    listing = plan.listings["train"]
    with _one_cpu():
        _read(listing, _WARM_ROWS)
        read_seconds, stored = _read(listing, sample)
        steps, made = _transformed(plan.transform, stored)
    if not made.num_rows:
        raise DataError(f"the transforms leave out all of the first {stored.num_rows} rows: nothing can be measured")
    device = trainer_device(plan)
    if trainer_rate is None and device is not None and plan.recipe.loop is None:
        trainer_rate = _trainer_rate(plan, made, device)
    return Costs(
        read_seconds=read_seconds,
        steps={label: seconds / stored.num_rows for label, seconds in steps.items()},
        stored_bytes=stored.nbytes / stored.num_rows,
        made_bytes=made.nbytes / made.num_rows,
        kept=made.num_rows / stored.num_rows,
        trainer_rate=trainer_rate,
    )


def trainer_device(plan: Plan) -> torch.device | None:
    """Where training can be measured as the run will do it; None where it asks for a GPU and here is none."""
    if not plan.workers.gpus:
        return torch.device("cpu")
    return torch.device("cuda", 0) if torch.cuda.is_available() else None


def _read(listing: Listing, rows: int) -> tuple[float, pa.Table]:
    """Seconds a row, and at most `rows` rows as a data worker has them before the steps: read, mixed and decoded."""
    tables: list[pa.Table] = []
    read, prepared, reading, preparing = 0, 0, 0.0, 0.0
    for window, report, slab in _slabs(listing):
        read, reading = read + report.kept, reading + report.seconds
        taken = min(rows - prepared, slab.num_rows)
        began = time.perf_counter()
        mixed = gather([slab], window, _EPOCH, range(taken))
        table, _ = prepare_rows(listing.source, listing.inspection.layouts, mixed)
        prepared, preparing = prepared + taken, preparing + time.perf_counter() - began
        tables.append(table)
        if prepared == rows:
            break
    return reading / read + preparing / prepared, pa.concat_tables(tables)


def _slabs(listing: Listing) -> Iterator[tuple[tuple[int, int], SlabReport, pa.Table]]:
    """The dataset's slabs that have rows, each as a window of its own."""
    reader = SlabReader(listing.source, listing.inspection.layouts)
    for bundle in bundles_of(listing.pieces):
        for number in itertools.count():
            report, slab = reader.read(bundle, number, READ_BYTES, Consumed())
            if slab.num_rows:
                yield (bundle.index, number), report, slab
            if not report.has_more:
                break


def _transformed(chain: Chain | None, table: pa.Table) -> tuple[dict[str, float], pa.Table]:
    """Seconds by step, and what the steps have made."""
    if chain is None:
        return {}, table
    if chain.takes_seed:
        table = table.append_column(EPOCH_SEED, pa.repeat(0, table.num_rows))
    chain.build()
    chain(table.slice(0, _WARM_ROWS))
    began = time.perf_counter()
    made = chain(table)
    seconds = time.perf_counter() - began
    steps = dict(chain.seconds_by_step)
    return {**steps, HANDLING: max(0.0, seconds - sum(steps.values()))}, made


def _trainer_rate(plan: Plan, made: pa.Table, device: torch.device) -> float:
    """Rows a second of one trainer, with batches of its share, from collating to the optimizer's step."""
    recipe = plan.recipe
    rows = made.take(pa.array([place % made.num_rows for place in range(plan.share)]))
    hook = recipe.collate
    collate = Collate(hook_of("spec.recipe.collate", hook, "collate")) if hook else Collate()
    transform = trainer_transform(recipe, training=True)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe).to(device)
    computation = Computation(recipe, device)
    optimizer = build_optimizer(recipe, model, computation.loss_parameters())
    objects = RecipeObjects(recipe, model, optimizer, build_scheduler(recipe, optimizer), computation)
    session = SimpleNamespace(run=plan.run, recipe=recipe, rank=0, world_size=1, device=device)
    with _cpus(max(1, int(plan.workers.cpus))):
        batch = transform(_on(device, collate(rows)))
        computation.decide(dry_run(objects, batch, has_validation=False, session=session).decisions)
        seconds = []
        for _ in range(_MOST_STEPS + 1):
            began = time.perf_counter()
            _step(recipe, objects, transform(_on(device, collate(rows))), session)
            seconds.append(time.perf_counter() - began)
            if len(seconds) > _LEAST_STEPS and sum(seconds) > _STEPS_SECONDS:
                break
    # The first one also sets up what the others use.
    return plan.share / statistics.median(seconds[1:])


def _step(recipe: Recipe, objects: RecipeObjects, batch: dict[str, Any], session: Any) -> None:
    objects.model.train()
    objects.optimizer.zero_grad()
    with autocast(recipe, session.device):
        means = objects.computation.training(objects.model, batch, session)
    loss: Any = means["loss"]
    loss.backward()
    objects.optimizer.step()
    if session.device.type == "cuda":
        torch.cuda.synchronize()


def _on(device: torch.device, batch: Any) -> dict[str, Any]:
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


@contextlib.contextmanager
def _one_cpu() -> Iterator[None]:
    """What a data worker has."""
    arrow = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        with _cpus(1):
            yield
    finally:
        pa.set_cpu_count(arrow)


@contextlib.contextmanager
def _cpus(count: int) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(min(count, threads))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
