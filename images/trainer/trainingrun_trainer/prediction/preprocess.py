"""What a run does to rows before its model gets them in validation, as a function of any rows.

Nothing is random here: steps are told that they do not train.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.reading_notes import ReadingNotes
from trainingrun_trainer.data.steps import data_steps
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.prediction.raw_rows import Rows, table_of_rows
from trainingrun_trainer.prediction.sources import source_of
from trainingrun_trainer.seeding import generators_kept
from trainingrun_trainer.train.recipe_objects import trainer_transform


class Preprocess:
    """A function of rows that returns what the model is called with. `classes` are those of an image folder, by label.

    Raises InvalidConfiguration where a function of the recipe is not there.
    """

    def __init__(self, recipe: Recipe, notes: ReadingNotes, device: torch.device):
        self.classes = notes.classes
        self._notes = notes
        self._device = device
        self._inputs = recipe.dataset.inputs
        self._source = source_of(recipe, notes)
        steps = data_steps(recipe)
        self._chain = Chain(steps, training=False) if steps else None
        hook = hook_of("spec.recipe.collate", recipe.collate, "collate") if recipe.collate else None
        self._collate = Collate(hook, self._inputs)
        self._on_trainer = trainer_transform(recipe, training=False)

    def __call__(self, rows: Rows) -> Any:
        """The model's input for `rows`: a table of Arrow, columns by name, or one dict for each row.

        With one input column it is a tensor, with several a dict by name. Target columns need not be there. Where the
        transforms make no input columns it is the whole batch. Raises DataError, and what the recipe's functions do.
        """
        with generators_kept():
            table = table_of_rows(rows, self._source, self._notes)
            if self._chain is not None:
                table = self._chain(table)
            missing = [name for name in self._inputs if name not in table.column_names]
            if missing and self._chain is None and self._collate.is_by_row:
                raise DataError(
                    f"found no column {', '.join(missing)} in the rows, which have {', '.join(table.column_names)}"
                )
            batch = {name: self._placed(value) for name, value in self._collate(table).items()}
            batch = self._on_trainer(batch)
        if not all(name in batch for name in self._inputs):
            return batch
        inputs = {name: batch[name] for name in self._inputs}
        return inputs if len(inputs) > 1 else next(iter(inputs.values()))

    def _placed(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._placed(item) for name, item in value.items()}
        return value.to(self._device) if isinstance(value, torch.Tensor) else value
