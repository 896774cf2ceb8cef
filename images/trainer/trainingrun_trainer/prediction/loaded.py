"""`load`: a trained model and its preprocessing, from a checkpoint alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from trainingrun.redaction import HIDDEN
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.reading_notes import ReadingNotes
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.prediction.preprocess import Preprocess
from trainingrun_trainer.seeding import generators_kept
from trainingrun_trainer.train.checkpoint_files import INPUTS, STATE_FILE, Position
from trainingrun_trainer.train.loading import load_model
from trainingrun_trainer.train.recipe_objects import build_model
from trainingrun_trainer.train.restored import Part, Restored
from trainingrun_trainer.train.stored_checkpoint import fetched
from trainingrun_trainer.train.weights import content_of, weights_in

_FIELD = "load"


class Loaded(NamedTuple):
    """A model in its evaluation mode, and what makes its input of rows."""

    model: torch.nn.Module
    preprocess: Preprocess


class Opened(NamedTuple):
    """What a checkpoint holds for those who use its model; `inputs` are (shape without rows, type) by column."""

    location: str
    recipe: Recipe
    notes: ReadingNotes
    weights: dict[str, Any]
    inputs: dict[str, tuple[list[int], str]]


def load(folder_or_uri: str | Path, *, map_location: str | torch.device = "cpu") -> Loaded:
    """The model and the preprocessing of a run's folder, of `best` or a checkpoint in it; of a folder, the newest.

    The model is built by the function that the recipe names, which must be importable here, and `preprocess` does what
    validation does to rows. Nothing in the checkpoint is run as code. Raises InvalidConfiguration where something is
    missing or does not fit, and StorageUnavailable where the store cannot be reached.
    """
    opened, device = opened_at(folder_or_uri), torch.device(map_location)
    model = model_of(opened).to(device)
    return Loaded(model, Preprocess(opened.recipe, opened.notes, device))


def opened_at(folder_or_uri: str | Path) -> Opened:
    """What is stored there, on the CPU."""
    location = str(folder_or_uri)
    location = location if "://" in location else str(Path(location).expanduser().absolute())
    with tempfile.TemporaryDirectory(prefix="trainingrun-load-") as copies:
        found = fetched(location, _FIELD, lambda file: file == STATE_FILE, Path(copies))
        recorded = found.manifest.recorded if found.manifest is not None else {}
        if "rows" not in recorded:
            raise InvalidConfiguration(
                f"{_FIELD}: found {found.location}, which does not say how its model is made and its rows are read; "
                "allowed: a checkpoint that a recipe's run has saved with this version or a later one"
            )
        said = f"{_FIELD}: {found.location}"
        state = content_of(found.file, torch.device("cpu"), said)
        weights = weights_in(state, said)
    recipe = Recipe.model_validate(recorded["recipe"])
    _refuse_hidden(recipe, found.location)
    return Opened(found.location, recipe, ReadingNotes.from_json(recorded["rows"]), weights, state.get(INPUTS, {}))


def model_of(opened: Opened) -> torch.nn.Module:
    """The model with its weights, on the CPU and in its evaluation mode."""
    with generators_kept():
        model = build_model(opened.recipe)
    load_model(model, opened.weights, _source(opened.location))
    return model.eval()


def _source(location: str) -> Restored:
    return Restored(location, Path(), Position(), part=Part.WEIGHTS, field=_FIELD)


def _refuse_hidden(recipe: Recipe, location: str) -> None:
    """A secret among the parameters was never stored, and what stands in its place must not be taken for it."""
    named = {"model": recipe.model, "collate": recipe.collate, **recipe.steps}
    for path, function in named.items():
        parameters = function.parameters if function is not None else {}
        if HIDDEN in _texts(parameters):
            raise InvalidConfiguration(
                f"{_FIELD}: recipe.{path}.parameters in {location} had a secret, which checkpoints do not keep; "
                "allowed: parameters without one, as where the function reads it from the environment"
            )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
