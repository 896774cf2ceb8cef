"""The source of a run's validation data without its files: how their rows would be read."""

from __future__ import annotations

import dataclasses

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.reading_notes import ReadingNotes
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.steps import data_steps
from trainingrun_trainer.driver.plan import uses_of


def source_of(recipe: Recipe, notes: ReadingNotes) -> Source:
    """What validation reads, or training where there is none. A bad row is never left out: it would be asked about."""
    name = "validation" if recipe.dataset.validation is not None else "train"
    uses = uses_of(recipe, is_transformed=bool(data_steps(recipe)))
    source = Source.of(name, recipe.dataset, uses)
    return dataclasses.replace(source, schema=notes.schema, classes=notes.classes, skips_bad_rows=False)
