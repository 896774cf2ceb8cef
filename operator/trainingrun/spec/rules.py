"""The rules between the parts of a spec, which no part can check alone.

Each takes only the parts that it is about, so that it is checked as soon as these are valid.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainingrun.errors import Problem
from trainingrun.spec.code import Code
from trainingrun.spec.groups import Data, Trainer
from trainingrun.spec.initial_checkpoint import CLAIM_SCHEME
from trainingrun.spec.paths import join_path
from trainingrun.spec.quantity import Quantity
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.storage import VALIDATION_PREFIX, Storage


def broken_rules(
    recipe: Recipe | None,
    trainer: Trainer | None,
    data: Data | None,
    storage: Storage | None,
    code: Code | None,
) -> Iterator[Problem]:
    """Every rule that the given parts break. A part that is None is not checked."""
    if recipe and trainer:
        yield from _batch_size(recipe, trainer)
        yield from _precision(recipe, trainer)
        yield from _idle_gpus(recipe, trainer)
    if recipe and data:
        yield from _gpus_for_data(recipe, data)
        yield from _room_for_steps(recipe, data)
    if recipe and storage:
        yield from _best_metric(recipe, storage)
        yield from _own_claim(recipe, storage)
    if recipe:
        yield from _early_stopping(recipe)
    if code and storage:
        yield from _code_on_claim(code, storage)


def one_entrypoint(has_recipe: bool, has_command: bool) -> Iterator[Problem]:
    """A run trains a recipe or runs a command, never both."""
    if has_recipe == has_command:
        found = "both recipe and trainer.command" if has_recipe else "neither recipe nor trainer.command"
        yield Problem("spec", found, "exactly one of them")


def _batch_size(recipe: Recipe, trainer: Trainer) -> Iterator[Problem]:
    steps = recipe.gradient_accumulation_steps
    share = trainer.num_processes * steps
    if recipe.global_batch_size % share:
        yield Problem(
            "spec.recipe.globalBatchSize",
            str(recipe.global_batch_size),
            f"a multiple of {share} (trainer.numNodes {trainer.num_nodes} x processes per node "
            f"{trainer.processes_per_node} x gradientAccumulationSteps {steps})",
        )


def _precision(recipe: Recipe, trainer: Trainer) -> Iterator[Problem]:
    if recipe.mixed_precision == "FP16" and not trainer.resources_per_node.gpus:
        yield Problem(
            "spec.recipe.mixedPrecision",
            "FP16 without a GPU",
            "BF16 or none, or a GPU in trainer.resourcesPerNode.limits",
        )


def _idle_gpus(recipe: Recipe, trainer: Trainer) -> Iterator[Problem]:
    gpus, processes = trainer.resources_per_node.gpus, trainer.num_proc_per_node
    if recipe.loop is None and gpus and processes and processes < gpus:
        yield Problem(
            "spec.trainer.numProcPerNode",
            f"{processes} for {gpus} GPUs",
            f"{gpus}, as the built-in loop uses one GPU in each process; fewer only with recipe.loop",
        )


def _gpus_for_data(recipe: Recipe, data: Data) -> Iterator[Problem]:
    if any(step.resources and step.resources.gpu for step in recipe.steps.values()):
        return
    limits = data.resources_per_node.limits
    for name in data.resources_per_node.gpu_names:
        if limits[name].value:
            yield Problem(
                join_path(("spec", "data", "resourcesPerNode", "limits", name)),
                str(limits[name]),
                "no GPU, as no step of recipe.transforms asks for one with resources.gpu",
            )


def _room_for_steps(recipe: Recipe, data: Data) -> Iterator[Problem]:
    node = data.resources_per_node
    # As it was written: of the largest amounts, a number has too many digits for another quantity.
    gpus = next((node.limits[name] for name in node.gpu_names), Quantity("0"))
    has = {"cpu": node.limits["cpu"], "memory": node.limits["memory"], "gpu": gpus}
    for path, step in recipe.steps.items():
        for name, most in has.items() if step.resources else ():
            wanted = getattr(step.resources, name)
            if wanted is not None and wanted > most:
                allowed = f"at most what a data node has, which is {most} by data.resourcesPerNode.limits"
                yield Problem(f"spec.recipe.{path}.resources.{name}", str(wanted), allowed)


def _best_metric(recipe: Recipe, storage: Storage) -> Iterator[Problem]:
    best = storage.checkpoints.best
    if best and best.metric.startswith(VALIDATION_PREFIX) and recipe.dataset.validation is None:
        yield Problem(
            "spec.storage.checkpoints.best.metric",
            f"{best.metric} without recipe.dataset.validation",
            "a training metric, or add recipe.dataset.validation",
        )


def _own_claim(recipe: Recipe, storage: Storage) -> Iterator[Problem]:
    initial, claim = recipe.initial_checkpoint, storage.persistent_volume_claim
    if initial is None or initial.uri is None or not initial.uri.startswith(CLAIM_SCHEME):
        return
    if claim is None or not initial.uri.startswith(f"{CLAIM_SCHEME}{claim.claim_name}/"):
        own = f"{CLAIM_SCHEME}{claim.claim_name}/..., which is the claim of storage, or " if claim else ""
        allowed = f"{own}a URI of a store, or the path of what volumeMounts mounts"
        yield Problem("spec.recipe.initialCheckpoint.uri", initial.uri, allowed)


def _early_stopping(recipe: Recipe) -> Iterator[Problem]:
    stopping = recipe.early_stopping
    if stopping and stopping.metric.startswith(VALIDATION_PREFIX) and recipe.dataset.validation is None:
        yield Problem(
            "spec.recipe.earlyStopping.metric",
            f"{stopping.metric} without recipe.dataset.validation",
            "a training metric, or add recipe.dataset.validation",
        )


def _code_on_claim(code: Code, storage: Storage) -> Iterator[Problem]:
    """Only what is on the run's claim is there when pods unpack it: a path elsewhere is one of the image."""
    if code.uri is None or not code.uri.startswith("/"):
        return
    claim = storage.persistent_volume_claim
    if claim is None or not code.uri.startswith(f"{claim.mount_path.rstrip('/')}/"):
        where = f"below {claim.mount_path}, where the run's claim is" if claim else "only with a claim in spec.storage"
        yield Problem("spec.code.uri", code.uri, f"a URI such as s3://bucket/code.tar.gz, or a path {where}")
