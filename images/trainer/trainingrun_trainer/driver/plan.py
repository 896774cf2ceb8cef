"""What an attempt will do, worked out from the run before anything is started: data, workers, folder, versions.

It reads files to find the data, but starts nothing.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from trainingrun.redaction import redacted
from trainingrun.spec import Run
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.reading_notes import ReadingNotes
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.data.steps import all_steps, data_steps, looks_at_inputs_only, trainer_steps
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import hooks_of
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.dealing import wanted_rows

_SHOWN_PACKAGES = ("trainingrun", "ray", "torch", "torchvision", "pyarrow", "numpy")


@dataclass(frozen=True)
class Plan:
    """See the module."""

    run: Run
    recipe: Recipe
    storage: RunStorage
    workers: Workers
    listings: dict[str, Listing]
    transform: Chain | None

    @property
    def share(self) -> int:
        """The rows that a trainer takes at a time; others may take one less."""
        recipe = self.recipe
        return wanted_rows(recipe.global_batch_size, recipe.gradient_accumulation_steps, self.workers.count, 0)[0]

    def recorded(self) -> dict[str, Any]:
        """What a checkpoint says about where it comes from, as plain JSON values and without secrets.

        With `recipe` and `rows` its model can be used where neither the run nor its data are.
        """
        pieces = self.listings["train"].pieces
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(repr((piece.paths, piece.size_bytes, piece.row_group, piece.rows)).encode())
        run = self.run.metadata
        return {
            "run": f"{run.namespace or 'default'}/{run.name} ({run.uid})" if run.uid else run.name,
            "recipe": shown_configuration(self.run)["spec"]["recipe"],
            "code": self.run.spec.code.sha256 if self.run.spec.code else None,
            "versions": versions(),
            "dataset": {
                "sha256": digest.hexdigest(),
                "files": len({path for piece in pieces for path in piece.paths}),
                "bytes": self.listings["train"].size_bytes,
            },
            "rows": ReadingNotes.of(self.listings.get("validation", self.listings["train"])).to_json(),
        }


def plan_of(run: Run, workers: Workers) -> Plan:
    """The plan for `run` with these workers. Raises InvalidConfiguration."""
    recipe = run.spec.recipe
    if recipe is None:
        raise InvalidConfiguration("spec.recipe: missing; a run with trainer.command starts that command instead")
    for step in all_steps(recipe):
        step.check()
    for hook in hooks_of(recipe):
        hook.check()
    on_data = data_steps(recipe)
    transform = Chain(on_data) if on_data else None
    return Plan(
        run=run,
        recipe=recipe,
        storage=storage_of(run),
        workers=workers,
        listings=listings_of(recipe, is_transformed=transform is not None),
        transform=transform,
    )


def listings_of(recipe: Recipe, *, is_transformed: bool) -> dict[str, Listing]:
    """The run's datasets by name: `train`, and `validation` where there is one.

    With `is_transformed` a transform on the data group gets the rows.
    """
    dataset = recipe.dataset
    uses = uses_of(recipe, is_transformed=is_transformed)
    train = list_dataset(Source.of("train", dataset, uses))
    listings = {"train": train}
    if dataset.validation is not None:
        listings["validation"] = list_dataset(Source.of("validation", dataset, uses), like=train.source)
    return listings


def uses_of(recipe: Recipe, *, is_transformed: bool) -> Uses:
    """Which of the recipe's functions may look at columns other than inputs and targets, or stand in for these."""
    own_transform = not all(looks_at_inputs_only(step) for step in trainer_steps(recipe))
    replaces_step = recipe.train_step is not None or recipe.loop is not None
    return Uses(
        gets_rows=is_transformed or recipe.collate is not None,
        gets_batches=own_transform or replaces_step or recipe.eval_step is not None,
        makes_batches=own_transform or replaces_step,
    )


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
