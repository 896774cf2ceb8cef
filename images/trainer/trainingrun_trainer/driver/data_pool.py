"""From a plan to its pool of data workers on a cluster: what they hold, and how large their group is.

Nothing is started here but a check of what is kept in a cache, by a task before there are workers.
"""

from __future__ import annotations

import pyarrow as pa
import ray

from trainingrun_trainer.data.caching import try_steps
from trainingrun_trainer.data.transform import Chain, worker_options
from trainingrun_trainer.driver.datasets import datasets_of
from trainingrun_trainer.driver.plan import Plan
from trainingrun_trainer.placement import DATA_SELECTOR, live_nodes
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.sizing import Limits


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
        datasets=datasets_of(plan, _try_on_data_group),
        world_size=plan.workers.count,
        options=worker_options(plan.transform),
        most_workers=plan.transform.concurrency if plan.transform is not None else None,
        limits=Limits(least, most, group.target_stall_percentage),
        node_cpus=max(node.cpus for node in data) if is_elastic and data else None,
        advised=("train", plan.recipe.dataset.inputs[0]),
    )


def _try_on_data_group(kept: Chain, sample: pa.Table) -> float:
    task = ray.remote(**worker_options(kept), label_selector=dict(DATA_SELECTOR), max_retries=0)(try_steps)
    rate: float = ray.get(task.remote(kept, sample))
    return rate
