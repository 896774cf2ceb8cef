"""A run's datasets as the pool knows them, and what a pass over one of them reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.listing import Listing
from trainingrun_trainer.data.mixing import Mixing, bundles_of, groups_of, mixing_of, row_bytes_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.pool.tasks import PassPlan
from trainingrun_trainer.pool.worker import Work


@dataclass(frozen=True)
class Dataset:
    """A dataset to make passes over. `is_kept`: what is made of it is the same in every pass."""

    work: Work
    bundles: tuple[Bundle, ...]
    mixing: Mixing
    is_kept: bool


@dataclass(frozen=True)
class Pool:
    """What a run's pool of data workers is to do: its datasets by name, and for how many ranks.

    `budget_bytes` is what objects may take in the data nodes' stores, `options` what Ray reserves for a worker, and
    `most_workers` how many of them the run's author allows at most, None for as many as there is room for.
    """

    datasets: Mapping[str, Dataset]
    world_size: int
    budget_bytes: int
    options: Mapping[str, Any]
    most_workers: int | None = None


def dataset_of(
    listing: Listing, transform: Chain | None, *, shuffle: bool, rows_together: int, is_kept: bool = False
) -> Dataset:
    """The dataset that was found as `listing`; with `shuffle` at least `rows_together` rows are mixed."""
    bundles = bundles_of(listing.pieces)
    mixing = mixing_of(
        bundles, shuffle=shuffle, row_bytes=row_bytes_of(listing.inspection), rows_together=rows_together
    )
    work = Work(listing.source, listing.inspection.layouts, transform)
    return Dataset(work, tuple(bundles), mixing, is_kept)


def plan_of(dataset: Dataset, epoch: Epoch, consumed: bytes, world_size: int) -> PassPlan:
    """A pass over the rows that are not `consumed`, an account in bytes, or empty where nothing is."""
    used = Consumed.from_bytes(consumed) if consumed else Consumed()
    return PassPlan(
        epoch=epoch,
        groups=tuple(groups_of(dataset.bundles, epoch, used, dataset.mixing)),
        slab_bytes=dataset.mixing.slab_bytes,
        world_size=world_size,
        consumed=consumed,
        is_kept=dataset.is_kept,
    )
