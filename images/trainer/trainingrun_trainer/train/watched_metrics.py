"""Refuses a run that is to watch a metric which it does not report: for its best checkpoint, or to end early.

Pure. Names are known after the first step: those of an `evalStep` from the dry run, unless it could not be tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from trainingrun.spec import Run
from trainingrun.spec.storage import VALIDATION_PREFIX
from trainingrun_trainer.failures.errors import InvalidConfiguration


def check(run: Run, names: Collection[str]) -> None:
    """Refuse what is watched and not among the metrics that an epoch has reported. Raises InvalidConfiguration."""
    for field, metric in _watched(run):
        if metric not in names:
            raise InvalidConfiguration(
                f'{field}: there is no metric "{metric}"; this run reports {", ".join(sorted(names)) or "none"}'
            )


def check_first_step(run: Run, names: Collection[str], validation_names: Collection[str]) -> None:
    """The same as soon as a step has reported metrics: validation reports them too, unless it has a step of its own.

    `validation_names` are those of validation, without their prefix, or none where they are not known yet.
    """
    recipe = run.spec.recipe
    if recipe is None:
        return
    foreseen = {*names}
    if recipe.dataset.validation is not None:
        foreseen |= {f"{VALIDATION_PREFIX}{name}" for name in validation_names or names}
        if recipe.eval_step is not None and not validation_names:
            foreseen |= {metric for _, metric in _watched(run) if metric.startswith(VALIDATION_PREFIX)}
    check(run, foreseen)


def _watched(run: Run) -> Iterator[tuple[str, str]]:
    best = run.spec.storage.checkpoints.best
    if best is not None:
        yield "spec.storage.checkpoints.best.metric", best.metric
    stopping = run.spec.recipe.early_stopping if run.spec.recipe is not None else None
    if stopping is not None:
        yield "spec.recipe.earlyStopping.metric", stopping.metric
