"""A run's datasets as the pool knows them, and what a pass over one of them reads. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun_trainer.data.bad_rows import BadRowBook
from trainingrun_trainer.data.caching import Caching
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.mixing import Mixing, bundles_of, groups_of, mixing_of, row_bytes_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.pool.making import Work
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.pool.tally import Tally
from trainingrun_trainer.pool.tasks import PassPlan


@dataclass(frozen=True)
class Dataset:
    """A dataset to make passes over. `is_kept`: what is made of it is the same in every pass.

    `rows` are its rows, None where only reading tells, of which `max_bad_share` may be left out.
    """

    work: Work
    bundles: tuple[Bundle, ...]
    mixing: Mixing
    is_kept: bool
    rows: int | None
    max_bad_share: float

    @property
    def is_cached(self) -> bool:
        """Whether slabs are prepared and kept in a cache."""
        return self.work.caching is not None

    def tally(self, name: str, used: int) -> Tally:
        """Counts what a pass over the rows that are not among the `used` ones leaves out."""
        return Tally(name, BadRowBook(self.work.source.field, self.max_bad_share, self.rows, used))


@dataclass(frozen=True)
class Pool:
    """What a run's pool of data workers is to do: its datasets by name, and for how many ranks.

    `options` is what Ray reserves for a worker, and `most_workers` how many of them the run's author allows at most,
    None for as many as there is room for. `limits` are the group's sizes, and `node_cpus` Ray's CPUs of a data node
    where an autoscaler brings more of them, else None. `advised` are the dataset and the column of which a sample is
    taken for advice on its transform.
    """

    datasets: Mapping[str, Dataset]
    world_size: int
    options: Mapping[str, Any]
    limits: Limits
    most_workers: int | None = None
    node_cpus: float | None = None
    advised: tuple[str, str] | None = None


def dataset_of(
    listing: Listing,
    transform: Chain | None,
    *,
    shuffle: bool,
    rows_together: int,
    is_kept: bool = False,
    max_bad_share: float = 0.0,
    needed: tuple[str, ...] = (),
) -> Dataset:
    """The dataset that was found as `listing`; with `shuffle` at least `rows_together` rows are mixed.

    `needed` are the columns that a tensor must be able to hold once they are transformed.
    """
    bundles = bundles_of(listing.pieces)
    mixing = mixing_of(
        bundles, shuffle=shuffle, row_bytes=row_bytes_of(listing.inspection), rows_together=rows_together
    )
    work = Work(listing.source, listing.inspection.layouts, transform, needed=needed)
    return Dataset(work, tuple(bundles), mixing, is_kept, listing.rows, max_bad_share)


def with_cache(dataset: Dataset, caching: Caching, slab_bytes: int) -> Dataset:
    """The dataset with its slabs, of so many bytes, kept in a cache."""
    return dataclasses.replace(
        dataset,
        work=dataclasses.replace(dataset.work, caching=caching),
        mixing=dataclasses.replace(dataset.mixing, slab_bytes=slab_bytes),
    )


def plan_of(dataset: Dataset, epoch: Epoch, consumed: bytes, used: Consumed, world_size: int) -> PassPlan:
    """A pass over the rows that are not `used`, of which `consumed` is the account in bytes, empty where none is."""
    return PassPlan(
        epoch=epoch,
        groups=tuple(groups_of(dataset.bundles, epoch, used, dataset.mixing)),
        slab_bytes=dataset.mixing.slab_bytes,
        world_size=world_size,
        consumed=consumed,
        is_kept=dataset.is_kept,
        is_prepared=dataset.is_cached,
    )
