"""From a plan to its pool of data workers: datasets, what each worker holds, which pass is likely to be the first.

Nothing is started here but checks of the transform, by data workers before anything else, and of what is kept in a
cache, by a task before there are workers.
"""

from __future__ import annotations

from typing import Any

import ray

from trainingrun.spec.dataset import Cache
from trainingrun_trainer.data.cached_steps import split
from trainingrun_trainer.data.caching import caching_of, slab_bytes_for, try_steps
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.mixing import row_bytes_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.steps import looks_at_inputs_only, trainer_steps
from trainingrun_trainer.data.transform import Chain, worker_options
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.placement import DATA_SELECTOR, live_nodes
from trainingrun_trainer.pool.pass_plans import Dataset, Pool, dataset_of, with_cache
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.pool.tasks import PassKey


def pool_of(plan: Plan, *, is_own_cluster: bool) -> Pool:
    """The pool that makes the plan's rows. Ray must be connected: the limits depend on the data nodes.

    `is_own_cluster` says that the cluster was made for the run, with an autoscaler if it may grow.
    """
    data = [node for node in live_nodes() if node.has(DATA_SELECTOR)]
    group = plan.run.spec.data
    is_elastic = is_own_cluster and (group.max_nodes or 0) > group.num_nodes
    least = group.num_nodes if is_own_cluster else len(data)
    most = group.max_nodes if is_elastic and group.max_nodes else least
    return Pool(
        datasets={name: _dataset(plan, name) for name in plan.listings},
        world_size=plan.workers.count,
        options=worker_options(plan.transform),
        most_workers=plan.transform.concurrency if plan.transform is not None else None,
        limits=Limits(least, most, group.target_stall_percentage),
        node_cpus=max(node.cpus for node in data) if is_elastic and data else None,
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
    found = dataset_of(
        plan.listings[name],
        plan.transform.for_training(is_train) if plan.transform is not None else None,
        shuffle=is_train and dataset.shuffle,
        rows_together=dataset.shuffle_buffer_rows * plan.workers.count,
        is_kept=not is_train,
        max_bad_share=dataset.on_bad_row.share,
    )
    cache = dataset.cache
    return found if cache is None or not cache.is_on else _kept_in(cache, found, plan.listings[name], is_train=is_train)


def _kept_in(cache: Cache, dataset: Dataset, listing: Listing, *, is_train: bool) -> Dataset:
    """The dataset with its cache opened. Raises InvalidConfiguration, and what the author's code does to the sample."""
    chain = dataset.work.transform or Chain((), is_train)
    kept, _ = split(chain)
    task = ray.remote(**worker_options(chain), label_selector=dict(DATA_SELECTOR), max_retries=0)(try_steps)
    rate: float = ray.get(task.remote(kept, listing.inspection.sample))
    caching, slab_bytes = caching_of(
        cache.path or "",
        listing.source,
        listing.inspection.layouts,
        kept,
        can_write=cache.mode == "ReadWrite",
        slab_bytes=slab_bytes_for(dataset.mixing.slab_bytes, row_bytes_of(listing.inspection), rate),
    )
    return with_cache(dataset, caching, slab_bytes)
