"""When a task is not tried again, and what its ranks are told then.

Words and limits only. Pure.
"""

from __future__ import annotations

from trainingrun_trainer.failures.errors import DataError, NodesLost
from trainingrun_trainer.pool.units import Unit
from trainingrun_trainer.pool.windows import Slab

# A task that so many workers have not survived is not tried on another one.
MOST_DEATHS = 3
# A unit that was lost so often together with its slabs or on its way to the rank tells of nodes that do not stay.
MOST_LOSSES = 20


def changed(slab: Slab, before: int, now: int) -> DataError:
    """Read again, or found in a cache, a slab has other rows than before."""
    path = slab.bundle.pieces[0].paths[0]
    return DataError(
        f"{path}: found {now} rows where there were {before} before; the file, or the cache, has changed while it was "
        "read"
    )


def deadly(dataset: str, job: Slab | Unit) -> DataError:
    """No worker survives a task."""
    slab = job if isinstance(job, Slab) else job.window.slabs[min(job.window.slabs)]
    what = "read" if isinstance(job, Slab) else "made rows"
    return DataError(
        f"{dataset}: {MOST_DEATHS} data workers have died while they {what}, the part from "
        f"{slab.bundle.pieces[0].paths[0]} on; most likely they had too little memory for it"
    )


def lost_too_often(dataset: str, unit: Unit) -> NodesLost:
    """The nodes that have a unit, or what it is made of, do not stay."""
    return NodesLost(f"{dataset}: rows were lost {unit.losses} times, with the nodes that had them")
