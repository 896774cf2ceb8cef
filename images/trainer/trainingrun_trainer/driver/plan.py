"""What an attempt will do, worked out from the run before anything is started: data, workers, folder, versions.

It reads files to find the data, but starts nothing.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from trainingrun.redaction import redacted
from trainingrun.spec import Run
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.data.formats.images import class_names
from trainingrun_trainer.data.pipeline import Listing, list_dataset
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.transform import Transform
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.transform_marks import runs_on_trainer

_SHOWN_PACKAGES = ("trainingrun", "ray", "torch", "torchvision", "pyarrow", "numpy")


@dataclass(frozen=True)
class Plan:
    """See the module."""

    run: Run
    recipe: Recipe
    storage: RunStorage
    workers: Workers
    listings: dict[str, Listing]
    transform: Transform | None


def plan_of(run: Run, workers: Workers) -> Plan:
    """The plan for `run` with these workers. Raises InvalidConfiguration."""
    recipe = run.spec.recipe
    if recipe is None:
        raise InvalidConfiguration("spec.recipe: missing; a run with trainer.command starts that command instead")
    transform = _data_transform(recipe)
    return Plan(
        run=run,
        recipe=recipe,
        storage=storage_of(run),
        workers=workers,
        listings=listings_of(recipe, is_transformed=transform is not None),
        transform=transform,
    )


def workers_of(run: Run) -> Workers:
    """The workers that the run's trainer group holds: one per process, the node's resources shared out."""
    trainer = run.spec.trainer
    each = trainer.processes_per_node
    cpus = trainer.resources_per_node.limits["cpu"].cores / each
    gpus = trainer.resources_per_node.gpus
    return Workers(count=trainer.num_processes, gpus=gpus // each, cpus=float(int(cpus)) if cpus >= 1 else cpus)


def storage_of(run: Run) -> RunStorage:
    """The run's folder: named by uid where Kubernetes gave one, so that a reused name starts over."""
    storage = run.spec.storage
    claim = storage.persistent_volume_claim
    root = storage.uri if storage.uri is not None else claim.mount_path if claim is not None else ""
    return RunStorage(root=root, name=run.metadata.uid or run.metadata.name)


def listings_of(recipe: Recipe, *, is_transformed: bool) -> dict[str, Listing]:
    """The run's datasets by name: `train`, and `validation` where there is one."""
    dataset = recipe.dataset
    may_change = is_transformed or recipe.collate is not None
    columns = (dataset.inputs[0], dataset.targets[0])
    train = Source.of("spec.recipe.dataset.train", dataset.train, *columns)
    listings = {"train": list_dataset(train, is_transformed=may_change)}
    if dataset.validation is not None:
        validation = Source.of("spec.recipe.dataset.validation", dataset.validation, *columns)
        if train.format == validation.format == "Images":
            validation = dataclasses.replace(validation, classes=class_names(train))
        listings["validation"] = list_dataset(validation, is_transformed=may_change)
    return listings


def versions() -> dict[str, str]:
    """Versions of what computes, by package, and of Python."""
    found = {"python": sys.version.split()[0]}
    for package in _SHOWN_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def shown_configuration(run: Run) -> dict[str, Any]:
    """The run as records may show it: without what may be a secret."""
    shown: dict[str, Any] = redacted(run.to_document())
    return shown


def _data_transform(recipe: Recipe) -> Transform | None:
    """The transform that data tasks apply, or None where it runs on the trainer."""
    named = recipe.transform
    function = hooks.load("spec.recipe.transform.function", named.function, f"transform ({named.kind})")
    if runs_on_trainer(function):
        if named.kind == "Row":
            raise InvalidConfiguration(
                f'spec.recipe.transform.kind: found Row, but "{named.function}" runs on the trainer; allowed: Batch'
            )
        return None
    transform = Transform(
        function=named.function,
        kind=named.kind,
        batch_format=named.batch_format or "NumPy",
        parameters=dict(named.parameters),
    )
    transform.load()
    return transform
