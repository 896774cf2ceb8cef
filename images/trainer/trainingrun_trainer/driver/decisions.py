"""Says what a plan decides that its author has not written: devices, precision, batches, classes, places.

Each sentence belongs to a rule in docs/training.md, under "What the program decides by itself".
"""

from __future__ import annotations

from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.steps import all_steps
from trainingrun_trainer.driver.plan import Plan

_SHOWN_CLASSES = 10


def decisions(plan: Plan) -> tuple[str, ...]:
    """The sentences, for the run's record and for `trainingrun local --explain`."""
    recipe, workers = plan.recipe, plan.workers
    device = f"{workers.gpus} GPU" if workers.gpus else "the CPU"
    steps = recipe.gradient_accumulation_steps
    shared = f"{plan.share} rows" + (f", {steps} times a step" if steps > 1 else "")
    said = [f"{workers.count} trainer{'s' if workers.count > 1 else ''} with {device} each; each takes {shared}"]
    if recipe.mixed_precision == "FP16" and not workers.gpus:
        said.append("float32 instead of FP16, which needs a GPU")
    for step in all_steps(recipe):
        place = "on the trainer, on whole batches" if step.is_on_trainer else "on the data group"
        said.append(f"the transform {step.function} runs {place}")
    if plan.listings["train"].source.format == "Images":
        said.append(_classes(plan.listings["train"]))
    return tuple(said)


def stored_columns(listing: Listing) -> dict[str, str]:
    """Type and shape of a row's columns as they are read."""
    layouts = listing.inspection.layouts
    return {
        field.name: str(layouts[field.name]) if layouts.get(field.name) is not None else str(field.type)
        for field in listing.inspection.sample.schema
    }


def _classes(listing: Listing) -> str:
    names = listing.source.classes or ()
    shown = ", ".join(f"{number} {name}" for number, name in enumerate(names[:_SHOWN_CLASSES]))
    return f"classes by the folders' alphabet: {shown}" + (", …" if len(names) > _SHOWN_CLASSES else "")
