"""Feeds one rank: its share of each epoch in batches, in step with the other ranks, counting which rows are used."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray
import ray.train
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.batches import Collate, tables_of
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.train.batch_maker import Batch
from trainingrun_trainer.train.dealing import wanted_rows
from trainingrun_trainer.train.device_link import link_to
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.supply import Agreement, Supply

__all__ = ["Batch", "Feed", "Turn"]

# Ray's counters of the time for which its iterator was blocked, by what a user can do about them.
_COUNTERS = {"Production": "iter_blocked_production_wait_s", "Transfer": "iter_blocked_data_transfer_s"}


@dataclass(frozen=True)
class Turn:
    """What one step has to work with. `batch` is None when only other ranks have rows in it.

    `causes` are the seconds that this rank has waited so far in this pass, by cause.
    """

    batch: Batch | None
    agreement: Agreement
    is_first: bool
    causes: dict[str, float]


class Feed:
    """A rank's data. `consumed` are the rows of the current epoch that this rank has used and not yet handed over.

    `is_stopped` says that the last pass ended because ranks were asked to stop while they waited for rows.
    """

    def __init__(self, recipe: Recipe, hub: Any, lockstep: Lockstep, device: torch.device):
        self.consumed = Consumed()
        self.is_stopped = False
        self._recipe = recipe
        self._hub = hub
        self._lockstep = lockstep
        self._link = link_to(device)
        _ask_early("train")
        hook, dataset = recipe.collate, recipe.dataset
        required = (*dataset.inputs, *dataset.targets)
        self._collate = Collate(hook_of("spec.recipe.collate", hook, "collate")) if hook else Collate(required=required)

    def train(self, epoch: int, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """The rows of `epoch` that are not consumed, a batch each turn. All ranks get equally many turns.

        `must_stop` is asked before each turn; what rank 0's says is in every rank's agreement.
        """
        dataset = self._recipe.dataset
        plan = Epoch(epoch, self._recipe.seed, shuffle=dataset.shuffle)
        for turn in self._pass("train", plan, self.consumed.to_bytes(), must_stop):
            if turn.is_first and dataset.validation is not None:
                _ask_early("validation")
            yield turn
        if not self.is_stopped:
            self.consumed = Consumed()

    def validation(self, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """One pass over the validation data; each row once, and equally many turns on all ranks, as in `train`."""
        return self._pass("validation", Epoch(0, 0, shuffle=False), None, must_stop)

    def account(self) -> Consumed:
        """What a checkpoint must hold of this rank's `consumed`. Collective."""
        self.consumed = handed_over(self.consumed, self._lockstep)
        return self.consumed

    def drain(self) -> None:
        """Wait until the device has computed all that it was given."""
        self._link.drain()

    def _pass(self, name: str, epoch: Epoch, consumed: bytes | None, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        recipe = self._recipe
        wanted = functools.partial(
            wanted_rows, recipe.global_batch_size, recipe.gradient_accumulation_steps, self._lockstep.world_size
        )
        rows = _RayRows(
            name,
            begin=functools.partial(self._begin, name, epoch, consumed),
            shuffle_rows=recipe.dataset.shuffle_buffer_rows if epoch.shuffle else 0,
            batch_rows=max(1, wanted(0)[0]),
            seed=epoch.seed + epoch.number,
        )
        supply = Supply(
            rows.tables,
            wanted=wanted,
            prefetch_batches=recipe.dataset.prefetch_batches,
            lockstep=self._lockstep,
            collate=self._collate,
            link=self._link,
        )
        is_first = True
        for portion in supply.steps(must_stop):
            if name == "train":
                # Counted before the step: a checkpoint within the step's turn must include its rows.
                self.consumed.add(portion.ids)
            causes = {**rows.causes(supply.waited_for_rows), "Collate": supply.waited_for_collate}
            yield Turn(portion.batch, portion.agreement, is_first, causes)
            is_first = False
        self.is_stopped = supply.is_stopped

    def _begin(self, name: str, epoch: Epoch, consumed: bytes | None) -> None:
        # Ray begins with an epoch when every rank has asked for its first block, so that no rank can be too early.
        if self._lockstep.rank == 0:
            ray.get(self._hub.begin_epoch.remote(name, epoch, consumed))


class _RayRows:
    """A rank's blocks of one pass over dataset `name`, and what they have waited for. `begin` is called before."""

    def __init__(self, name: str, *, begin: Callable[[], None], shuffle_rows: int, batch_rows: int, seed: int):
        self._name = name
        self._begin = begin
        self._tables = functools.partial(tables_of, shuffle_rows=shuffle_rows, batch_rows=batch_rows, seed=seed)
        self._shard: Any = None
        self._before: dict[str, float] = {}

    def tables(self) -> Iterator[pa.Table]:
        """The blocks. All that it takes to get the first one is waiting for data, so nothing is done before."""
        self._begin()
        shard = ray.train.get_dataset_shard(self._name)
        self._before = _blocked(shard)
        self._shard = shard
        yield from self._tables(shard)

    def causes(self, seconds: float) -> dict[str, float]:
        """`seconds` of waiting for blocks, by cause: in the proportion in which Ray has waited for them itself."""
        blocked = _blocked(self._shard) if self._shard is not None else {}
        new = {cause: blocked[cause] - self._before[cause] for cause in blocked}
        total = sum(new.values())
        return {cause: seconds * (new[cause] / total if total else cause == "Production") for cause in _COUNTERS}


def handed_over(consumed: Consumed, lockstep: Lockstep) -> Consumed:
    """What all ranks have used, on rank 0; the others then have nothing to account for. Collective.

    Of a piece that ranks have shared, only all of them together know whether it is finished: its bitmap ends here.
    """
    parts = lockstep.gather(consumed.to_bytes() if lockstep.rank else b"")
    if lockstep.rank:
        return Consumed()
    for part in filter(None, parts):
        consumed.merge(Consumed.from_bytes(part))
    return consumed


def _blocked(shard: Any) -> dict[str, float]:
    """Seconds that `shard`, a Ray Data iterator, has been blocked since it was made, by cause.

    Ray counts them but has no public accessor. Raises AttributeError when Ray has renamed its counters.
    """
    return {cause: getattr(shard._iter_stats, name).get() for cause, name in _COUNTERS.items()}


def _ask_early(name: str) -> None:
    """Have Ray start the process behind a shard, which it does when it is first asked, beside what comes before."""
    threading.Thread(target=ray.train.get_dataset_shard, args=(name,), name=f"shard-{name}", daemon=True).start()
