"""From a plan to the datasets that its pool makes rows of, and to what their rows must have as they leave it.

Starts nothing, and knows nothing of Ray: who prepares the sample for a cache is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa

from trainingrun.spec.dataset import Cache
from trainingrun_trainer.data.cached_steps import split
from trainingrun_trainer.data.caching import caching_of, slab_bytes_for
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.mixing import row_bytes_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.steps import looks_at_inputs_only, trainer_steps
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.pool.pass_plans import Dataset, dataset_of, with_cache
from trainingrun_trainer.pool.tasks import PassKey

# See caching.try_steps: called with the steps whose results are kept, and a sample of rows.
TrySteps: TypeAlias = Callable[[Chain, pa.Table], float]


def datasets_of(plan: Plan, try_steps: TrySteps) -> dict[str, Dataset]:
    """The plan's datasets by name. Raises InvalidConfiguration, and what the author's code does to the sample."""
    return {name: _dataset(plan, name, try_steps) for name in plan.listings}


def first_pass(plan: Plan) -> tuple[PassKey, Epoch] | None:
    """What ranks begin with unless they go on from a checkpoint, which only that tells; None where there is one."""
    initial = plan.recipe.initial_checkpoint
    if plan.storage.checkpoints() or (initial is not None and initial.what == "All"):
        return None
    return PassKey(1, "train", 0), Epoch(0, plan.recipe.seed, shuffle=plan.recipe.dataset.shuffle)


def _needed_columns(plan: Plan) -> tuple[str, ...]:
    """The columns that the transform has to return, as far as that is known."""
    recipe, dataset = plan.recipe, plan.recipe.dataset
    # With these hooks only the author knows which columns are needed, and as what.
    is_made_later = not all(looks_at_inputs_only(step) for step in trainer_steps(recipe))
    is_theirs = is_made_later or recipe.collate is not None or recipe.train_step is not None or recipe.loop is not None
    return () if is_theirs else (*dataset.inputs, *dataset.targets)


def _dataset(plan: Plan, name: str, try_steps: TrySteps) -> Dataset:
    is_train, dataset = name == "train", plan.recipe.dataset
    found = dataset_of(
        plan.listings[name],
        plan.transform.for_training(is_train) if plan.transform is not None else None,
        shuffle=is_train and dataset.shuffle,
        rows_together=dataset.shuffle_buffer_rows * plan.workers.count,
        is_kept=not is_train,
        max_bad_share=dataset.on_bad_row.share,
        needed=_needed_columns(plan) if is_train else (),
    )
    cache = dataset.cache
    if cache is None or not cache.is_on:
        return found
    return _kept_in(cache, found, plan.listings[name], try_steps, is_train=is_train)


def _kept_in(cache: Cache, dataset: Dataset, listing: Listing, try_steps: TrySteps, *, is_train: bool) -> Dataset:
    """The dataset with its cache opened."""
    chain = dataset.work.transform or Chain((), is_train)
    kept, _ = split(chain)
    caching, slab_bytes = caching_of(
        cache.path or "",
        listing.source,
        listing.inspection.layouts,
        kept,
        can_write=cache.mode == "ReadWrite",
        slab_bytes=slab_bytes_for(
            dataset.mixing.slab_bytes, row_bytes_of(listing.inspection), try_steps(kept, listing.inspection.sample)
        ),
    )
    return with_cache(dataset, caching, slab_bytes)
