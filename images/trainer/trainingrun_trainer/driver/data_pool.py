"""From a plan to its pool of data workers: datasets, what each worker holds, which pass is likely to be the first.

Nothing is started here but the check of the transform, which a data worker does before anything else.
"""

from __future__ import annotations

from typing import Any

from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.steps import looks_at_inputs_only, trainer_steps
from trainingrun_trainer.data.transform import worker_options
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.placement import data_store_bytes, live_nodes
from trainingrun_trainer.pool.pass_plans import Dataset, Pool, dataset_of
from trainingrun_trainer.pool.tasks import PassKey

# Of the data nodes' object stores: the rest is for what is on its way, and for copies of other nodes' slabs.
_STORE_SHARE = 0.5


def pool_of(plan: Plan) -> Pool:
    """The pool that makes the plan's rows. Ray must be connected: what it may hold depends on the data nodes."""
    return Pool(
        datasets={name: _dataset(plan, name) for name in plan.listings},
        world_size=plan.workers.count,
        budget_bytes=int(_STORE_SHARE * data_store_bytes(live_nodes())),
        options=worker_options(plan.transform),
        most_workers=plan.transform.concurrency if plan.transform is not None else None,
    )


def first_pass(plan: Plan) -> tuple[PassKey, Epoch] | None:
    """What ranks begin with unless they resume, which only a checkpoint tells; None where there is one."""
    if plan.storage.checkpoints():
        return None
    return PassKey(1, "train", 0), Epoch(0, plan.recipe.seed, shuffle=plan.recipe.dataset.shuffle)


def start_probe(plan: Plan, hub: Any) -> Any:
    """Try the plan's transform on a sample, in a data worker; None where there is nothing to try."""
    if plan.transform is None:
        return None
    recipe, dataset = plan.recipe, plan.recipe.dataset
    sample = plan.listings["train"].inspection.sample
    # With these hooks only the author knows which columns are needed, and as what.
    is_made_later = not all(looks_at_inputs_only(step) for step in trainer_steps(recipe))
    is_theirs = is_made_later or recipe.collate is not None or recipe.train_step is not None or recipe.loop is not None
    needed = () if is_theirs else (*dataset.inputs, *dataset.targets)
    return hub.probe.remote(sample, "train", needed, dataset.inputs[0])


def _dataset(plan: Plan, name: str) -> Dataset:
    is_train, dataset = name == "train", plan.recipe.dataset
    return dataset_of(
        plan.listings[name],
        plan.transform.for_training(is_train) if plan.transform is not None else None,
        shuffle=is_train and dataset.shuffle,
        rows_together=dataset.shuffle_buffer_rows * plan.workers.count,
        is_kept=not is_train,
    )
